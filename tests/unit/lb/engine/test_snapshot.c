/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The snapshot: what was added is found, what contradicts is refused, limits hold. */
#include "lb/engine/snapshot.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "lb/fwd/image.h"

static struct snapshot *make(void)
{
	struct fwd_settings settings = { .mtu_bytes = 1500 };
	struct snapshot *snapshot = NULL;

	assert_int_equal(snapshot_new(&settings, NULL, &snapshot), 0);
	return snapshot;
}

static void add_service(struct snapshot *snapshot, uint16_t id)
{
	struct fwd_service service = { .id = id, .tcp_timeout_s = id };

	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
}

static struct addr address(const char *text)
{
	struct addr addr = { 0 };

	if (inet_pton(AF_INET, text, &addr.ip4) == 1)
		addr.family = AF_INET;
	else if (inet_pton(AF_INET6, text, &addr.ip6) == 1)
		addr.family = AF_INET6;
	assert_int_not_equal(addr.family, 0);
	return addr;
}

static const struct fwd_vip *find_vip(const struct snapshot *snapshot, const char *text)
{
	struct addr addr = address(text);
	struct fwd_addr key;

	snapshot_addr(&addr, &key);
	return snapshot_vip(snapshot, &key);
}

/* The service of an exact port; 0: none. */
static uint16_t service_at(
	const struct snapshot *snapshot, const struct addr *vip, uint8_t proto, uint16_t port)
{
	const struct fwd_binding *binding;
	struct fwd_addr address;

	snapshot_addr(vip, &address);
	binding = image_binding(snapshot_image(snapshot), &address, proto, htons(port));
	return binding ? binding->service : 0;
}

static void snapshot_knows_settings(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();

	assert_int_equal(snapshot_settings(snapshot)->mtu_bytes, 1500);
	assert_int_equal(snapshot_settings(snapshot)->flow4_buckets, 0);
	assert_null(find_vip(snapshot, "192.0.2.1"));
	assert_null(snapshot_service(snapshot, 0));
	assert_null(snapshot_backend(snapshot, 65535));
	assert_null(snapshot_slot(snapshot, 0, 0));
}

static void snapshot_finds_services_by_id_however_many(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct fwd_service zero = { 0 };

	for (unsigned int id = 1; id <= FWD_SERVICES_MAX; id++)
		add_service(snapshot, (uint16_t)id);
	for (unsigned int id = 1; id <= FWD_SERVICES_MAX; id++)
		assert_int_equal(snapshot_service(snapshot, (uint16_t)id)->tcp_timeout_s, id);
	assert_int_equal(snapshot_add_service(snapshot, &zero), -EINVAL);
	assert_int_equal(snapshot_add_service(snapshot, snapshot_service(snapshot, 5)), -EEXIST);
	zero.id = FWD_SERVICES_MAX + 1;
	assert_int_equal(snapshot_add_service(snapshot, &zero), -ENOSPC);
}

static void snapshot_refuses_backends_beyond_its_limit(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct fwd_backend backend = { .mac = { 2 } }, no_mac = { 0 };

	for (unsigned int id = 1; id <= SNAPSHOT_BACKENDS_MAX; id++) {
		backend.mac[4] = (uint8_t)(id >> 8);
		backend.mac[5] = (uint8_t)id;
		assert_int_equal(snapshot_add_backend(snapshot, (uint16_t)id, &backend), 0);
	}
	for (unsigned int id = 1; id <= SNAPSHOT_BACKENDS_MAX; id++)
		assert_int_equal(snapshot_backend(snapshot, (uint16_t)id)->mac[4] << 8 |
				snapshot_backend(snapshot, (uint16_t)id)->mac[5],
			id);
	assert_null(snapshot_backend(snapshot, SNAPSHOT_BACKENDS_MAX + 1));
	assert_int_equal(snapshot_add_backend(snapshot, 0, &backend), -EINVAL);
	assert_int_equal(snapshot_add_backend(snapshot, 1, &backend), -EEXIST);
	assert_int_equal(snapshot_add_backend(snapshot, UINT16_MAX, &no_mac), -EINVAL);
	assert_int_equal(snapshot_add_backend(snapshot, UINT16_MAX, &backend), -ENOSPC);
}

static void count_release(void *context)
{
	(*(size_t *)context)++;
}

static void snapshot_releases_its_tables(void **state)
{
	static struct fwd_table rows;
	struct snapshot *snapshot = make();
	size_t released = 0;
	uint32_t table;

	for (uint32_t i = 0; i < SNAPSHOT_TABLES_MAX; i++) {
		assert_int_equal(
			snapshot_add_table(snapshot, &rows, -1, count_release, &released, &table),
			0);
		assert_int_equal(table, i);
	}
	assert_int_equal(snapshot_add_table(snapshot, &rows, -1, NULL, NULL, &table), -ENOSPC);
	assert_ptr_equal(snapshot_slot(snapshot, 3, FWD_ROWS - 1), &rows.rows[FWD_ROWS - 1]);
	assert_null(snapshot_slot(snapshot, 3, FWD_ROWS));
	assert_null(snapshot_slot(snapshot, SNAPSHOT_TABLES_MAX, 0));
	snapshot_free(snapshot);
	assert_int_equal(released, SNAPSHOT_TABLES_MAX);
}

static void snapshot_binds_ports_exactly(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct addr vip = address("192.0.2.1"), vip6 = address("2001:db8::1");

	add_service(snapshot, 1);
	add_service(snapshot, 2);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, 2), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip6, FWD_PROTO_TCP, 80, 80, 1), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 80, 80, 1), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, 1), -EEXIST);
	assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_TCP, 80), 2);
	assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_UDP, 80), 1);
	assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_UDP, 81), 0);
	/* The first service of a VIP answers its echo requests. */
	assert_int_equal(find_vip(snapshot, "192.0.2.1")->echo, 2);
	assert_int_equal(find_vip(snapshot, "2001:db8::1")->echo, 1);
}

static void snapshot_binds_ranges_up_to_its_limit(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct addr vip = address("192.0.2.1");

	add_service(snapshot, 1);
	for (uint16_t i = 0; i < FWD_RANGES_MAX; i++)
		assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 1000 + 10 * i,
					 1005 + 10 * i, 1),
			0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 5000, 5001, 1), -ENOSPC);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 1005, 1007, 1), -EEXIST);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 0, 65535, 1), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 0, 65535, 1), -EEXIST);
	assert_int_equal(find_vip(snapshot, "192.0.2.1")->any_tcp, 1);
	assert_int_equal(find_vip(snapshot, "192.0.2.1")->any_udp, 0);
}

static void snapshot_binds_protocols_without_ports(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct addr vip = address("192.0.2.1");

	add_service(snapshot, 1);
	add_service(snapshot, 2);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_SCTP, 80, 80, 1), 0);
	assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_SCTP, 80), 1);
	assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_TCP, 80), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_SCTP, 0, 65535, 2), 0);
	assert_int_equal(snapshot_add_others(snapshot, &vip, 2), -EINVAL);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 0, 65535, 2), 0);
	assert_int_equal(snapshot_add_others(snapshot, &vip, 1), -EINVAL);
	assert_int_equal(snapshot_add_others(snapshot, &vip, 2), 0);
	assert_int_equal(find_vip(snapshot, "192.0.2.1")->protos,
		FWD_VIP_TCP | FWD_VIP_SCTP | FWD_VIP_OTHERS);
}

static void snapshot_refuses_senseless_bindings(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct addr vip = address("192.0.2.1");

	add_service(snapshot, 1);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, 1, 80, 80, 1), -EINVAL);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 81, 80, 1), -EINVAL);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, 2), -EINVAL);
	assert_null(find_vip(snapshot, "192.0.2.1"));
}

static void snapshot_knows_members_and_macs(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	struct mac balancer = { { 2, 0, 0, 0, 0, 1 } }, web = { { 2, 0, 0, 0, 0, 2 } };
	struct fwd_mac kind = { .kind = FWD_MAC_BACKEND, .backend = 9 };

	assert_int_equal(snapshot_add_member(snapshot, 1, 9), 0);
	assert_int_equal(snapshot_add_member(snapshot, 1, 9), 0);
	assert_true(snapshot_is_member(snapshot, 1, 9));
	assert_false(snapshot_is_member(snapshot, 9, 1));
	assert_int_equal(snapshot_add_member(snapshot, 2, 9), 0);
	snapshot_shut_member(snapshot, 2, 9);
	snapshot_shut_member(snapshot, 3, 9);
	assert_true(snapshot_takes_new(snapshot, 1, 9));
	assert_false(snapshot_takes_new(snapshot, 2, 9));
	assert_true(snapshot_takes_new(snapshot, 3, 9)); /* no member: nothing is known */
	assert_int_equal(snapshot_add_mac(snapshot, &web, kind), 0);
	assert_int_equal(image_mac(snapshot_image(snapshot), web.bytes).backend, 9);
	assert_int_equal(image_mac(snapshot_image(snapshot), balancer.bytes).kind, FWD_MAC_UNKNOWN);
	kind.kind = FWD_MAC_BALANCER;
	assert_int_equal(snapshot_add_mac(snapshot, &balancer, kind), 0);
	kind.kind = FWD_MAC_BACKEND;
	assert_int_equal(snapshot_add_mac(snapshot, &balancer, kind), 0);
	assert_int_equal(
		image_mac(snapshot_image(snapshot), balancer.bytes).kind, FWD_MAC_BALANCER);
}

/* 10.0.0.0 + number; as IPv6, behind 2001:db8::. */
static struct addr numbered(uint32_t number, bool is_ip6)
{
	struct addr addr = address(is_ip6 ? "2001:db8::" : "10.0.0.0");
	uint32_t word = htonl((is_ip6 ? 0 : 10u << 24) + number);

	memcpy(is_ip6 ? &addr.bytes[12] : &addr.bytes[0], &word, sizeof(word));
	return addr;
}

/* Many lie beside their place: those are found, too, and what is not there is not. */
static void snapshot_finds_vips_and_bindings_however_many(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	const uint32_t n_vips = IMAGE_BINDINGS_MAX / 2;

	add_service(snapshot, 1);
	for (uint32_t i = 0; i < n_vips; i++) {
		struct addr vip = numbered(i, i % 2);

		assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, 1), 0);
		assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 80, 80, 1), 0);
	}
	for (uint32_t i = 0; i < 2 * n_vips; i++) {
		struct addr vip = numbered(i, i % 2);
		struct fwd_addr key;

		snapshot_addr(&vip, &key);
		assert_int_equal(snapshot_vip(snapshot, &key) != NULL, i < n_vips);
		assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_TCP, 80), i < n_vips);
		assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_UDP, 80), i < n_vips);
		assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_UDP, 81), 0);
	}
}

/* As many doors as a configuration may have, many at each VIP: each has a binding, and no other. */
static void snapshot_binds_as_many_doors_as_may_be(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	const uint32_t n_vips = FWD_DOORS_MAX / 64;

	add_service(snapshot, 1);
	for (uint32_t i = 0; i < FWD_DOORS_MAX; i++) {
		struct addr vip = numbered(i / 64, i / 64 % 2);
		uint16_t port = (uint16_t)(80 + i % 64 * 7);

		assert_int_equal(
			snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, port, port, 1), 0);
	}
	assert_int_equal(snapshot_image(snapshot)->lens.bindings, FWD_DOORS_MAX);
	assert_int_equal(snapshot_image(snapshot)->lens.ranges, 1); /* none: it begins with 1 */
	for (uint32_t i = 0; i < n_vips; i++) {
		struct addr vip = numbered(i, i % 2);

		for (unsigned int port = 80; port < 80 + 64 * 7; port++)
			assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_TCP, (uint16_t)port),
				(port - 80) % 7 == 0);
	}
}

/* Exact ports beyond the bindings are ranges of one, found before a range that they lie in. */
static void snapshot_binds_more_ports_than_it_has_bindings(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	const struct fwd_image *image = snapshot_image(snapshot);
	struct addr vip = address("192.0.2.1");
	const struct fwd_vip *found;

	add_service(snapshot, 1);
	add_service(snapshot, 2);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 8000, 8100, 2), 0);
	for (uint32_t i = 0; i < IMAGE_BINDINGS_MAX; i++) {
		struct addr other = numbered(i / 2, true);
		uint16_t port = (uint16_t)(80 + i % 2);

		assert_int_equal(
			snapshot_add_binding(snapshot, &other, FWD_PROTO_TCP, port, port, 1), 0);
	}
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 8080, 8080, 1), 0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 8080, 8080, 1), -EEXIST);
	assert_int_equal(service_at(snapshot, &vip, FWD_PROTO_TCP, 8080), 0);
	found = find_vip(snapshot, "192.0.2.1");
	assert_int_equal(image_range(image, found->ranges_tcp, 8080), 1);
	assert_int_equal(image_range(image, found->ranges_tcp, 8081), 2);
	assert_int_equal(image_range(image, found->ranges_tcp, 8101), 0);
}

static void snapshot_finds_macs_however_many(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make();
	const uint16_t n_macs = IMAGE_MACS / 2;

	for (uint32_t i = 1; i <= 2u * n_macs; i++) {
		struct mac mac = { { 2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i } };
		struct fwd_mac kind = { FWD_MAC_BACKEND, (uint16_t)i };

		if (i <= n_macs)
			assert_int_equal(snapshot_add_mac(snapshot, &mac, kind), 0);
		else
			assert_int_equal(image_mac(snapshot_image(snapshot), mac.bytes).kind,
				FWD_MAC_UNKNOWN);
	}
	for (uint32_t i = 1; i <= n_macs; i++) {
		struct mac mac = { { 2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		assert_int_equal(image_mac(snapshot_image(snapshot), mac.bytes).backend, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_knows_settings),
		cmocka_unit_test(snapshot_finds_services_by_id_however_many),
		cmocka_unit_test(snapshot_refuses_backends_beyond_its_limit),
		cmocka_unit_test(snapshot_releases_its_tables),
		cmocka_unit_test(snapshot_binds_ports_exactly),
		cmocka_unit_test(snapshot_binds_ranges_up_to_its_limit),
		cmocka_unit_test(snapshot_binds_protocols_without_ports),
		cmocka_unit_test(snapshot_refuses_senseless_bindings),
		cmocka_unit_test(snapshot_knows_members_and_macs),
		cmocka_unit_test(snapshot_finds_vips_and_bindings_however_many),
		cmocka_unit_test(snapshot_binds_as_many_doors_as_may_be),
		cmocka_unit_test(snapshot_binds_more_ports_than_it_has_bindings),
		cmocka_unit_test(snapshot_finds_macs_however_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
