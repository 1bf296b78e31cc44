/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Persistence on the core: who is one client, how long, at which ports, and at which backend. */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"
#include "lb/table/table_fill.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/vectors.h"

#define SERVICE       7u
#define BACKENDS      4u
#define BUCKETS       4096u
#define PERSISTENCE_S 300u

struct bench {
	struct fwd_table *table;
	struct flow4_bucket *flow4;
	struct flow6_bucket *flow6;
	struct snapshot *snapshot;
	uint32_t now_s;
	uint32_t n_buckets;
	uint8_t prefix4, prefix6;
	uint16_t flags[BACKENDS + 1];
	bool only_looks;
};

static struct bench bench;

static void publish(void)
{
	const struct flows_table flows = { bench.flow4, bench.flow6, bench.n_buckets,
		bench.n_buckets, NULL, 0 };
	struct fwd_settings settings = { .slot_seed = { 1, 2 }, .mtu_bytes = 1500 };
	struct fwd_service service = { .id = SERVICE,
		.flags = FWD_SERVICE_RECORD_ALL,
		.tcp_timeout_s = 900,
		.fin_timeout_s = 120,
		.udp_timeout_s = 300,
		.persistence_s = PERSISTENCE_S,
		.persistence_prefix4 = bench.prefix4,
		.persistence_prefix6 = bench.prefix6 };
	const struct addr vips[] = { { .family = AF_INET, .bytes = { 198, 51, 100, 10 } },
		{ .family = AF_INET6, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 0x10 } } };

	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	bench.snapshot = snapshot_free(bench.snapshot);
	assert_int_equal(snapshot_new(&settings, &flows, &bench.snapshot), 0);
	snapshot_add_table(bench.snapshot, bench.table, -1, NULL, NULL, &service.table);
	assert_int_equal(snapshot_add_service(bench.snapshot, &service), 0);
	for (uint16_t id = 1; id <= BACKENDS; id++) {
		struct fwd_backend backend = { .mac = { 2, (uint8_t)id },
			.flags = bench.flags[id] };

		assert_int_equal(snapshot_add_backend(bench.snapshot, id, &backend), 0);
		assert_int_equal(snapshot_add_member(bench.snapshot, SERVICE, id), 0);
		if (bench.flags[id] & FWD_BACKEND_NEW_SOME)
			snapshot_shut_member(bench.snapshot, SERVICE, id);
	}
	for (size_t i = 0; i < ARRAY_LEN(vips); i++) {
		assert_int_equal(
			snapshot_add_binding(bench.snapshot, &vips[i], 6, 0, 65535, SERVICE), 0);
		assert_int_equal(
			snapshot_add_binding(bench.snapshot, &vips[i], 17, 0, 65535, SERVICE), 0);
	}
}

static void fill_rows(void)
{
	struct table_member members[BACKENDS] = { 0 };
	size_t n_members = 0;

	for (uint16_t id = 1; id <= BACKENDS; id++)
		if ((bench.flags[id] & FWD_BACKEND_NEW) &&
			!(bench.flags[id] & FWD_BACKEND_NEW_SOME))
			members[n_members++] =
				(struct table_member){ .address = { .family = AF_INET,
							       .bytes = { 10, 0, 0, (uint8_t)id } },
					.id = id,
					.weight = 1 };
	assert_int_equal(
		table_fill(members, n_members, (const uint8_t[16]){ 1 }, bench.table->rows), 0);
}

static void set_backend(uint16_t id, uint16_t flags)
{
	bench.flags[id] = flags;
	fill_rows();
	publish();
}

static int setup(void **state)
{
	bench.table = calloc(1, sizeof(*bench.table));
	bench.flow4 = aligned_alloc(64, BUCKETS * sizeof(*bench.flow4));
	bench.flow6 = aligned_alloc(64, BUCKETS * sizeof(*bench.flow6));
	if (!bench.table || !bench.flow4 || !bench.flow6)
		return -1;
	memset(bench.flow4, 0, BUCKETS * sizeof(*bench.flow4));
	memset(bench.flow6, 0, BUCKETS * sizeof(*bench.flow6));
	bench.now_s = 5000;
	bench.n_buckets = BUCKETS;
	bench.prefix4 = 32;
	bench.prefix6 = 128;
	bench.only_looks = false;
	for (uint16_t id = 1; id <= BACKENDS; id++)
		bench.flags[id] = FWD_BACKEND_FLOWS | FWD_BACKEND_NEW;
	fill_rows();
	publish();
	return 0;
}

static int teardown(void **state)
{
	bench.snapshot = snapshot_free(bench.snapshot);
	free(bench.table);
	free(bench.flow4);
	free(bench.flow6);
	return 0;
}

/* `client` NULL: that of the vectors. With zero_ports both ports are 0. */
static struct fwd_result run_from(
	const char *client, const struct vector_packet *packet, bool zero_ports)
{
	struct fwd_port port = {
		.snapshot = bench.snapshot, .now_s = bench.now_s, .only_looks = bench.only_looks
	};
	uint8_t bytes[256];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(packet, bytes) };
	struct fwd_result result;

	if (client)
		assert_int_equal(inet_pton(packet->ip6 ? AF_INET6 : AF_INET, client,
					 bytes + (packet->ip6 ? 22 : 26)),
			1);
	if (zero_ports)
		memset(bytes + 34, 0, 4);
	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	assert_int_equal(result.reason, FWD_REASON_FORWARDED);
	return result;
}

static struct fwd_result run(const struct vector_packet *packet)
{
	return run_from(NULL, packet, false);
}

static struct fwd_result tcp(const char *client, uint16_t client_port, uint16_t port, uint8_t flags)
{
	const struct vector_packet packet = { .ip6 = client && strchr(client, ':'),
		.client_port = client_port,
		.port = port,
		.tcp_flags = flags };

	return run_from(client, &packet, false);
}

static struct fwd_result syn(uint16_t client_port, uint16_t port)
{
	return tcp(NULL, client_port, port, WIRE_TCP_SYN);
}

/* A whole handshake: the client is proven. */
static uint16_t connect_from(const char *client, uint16_t client_port, uint16_t port)
{
	uint16_t backend = tcp(client, client_port, port, WIRE_TCP_SYN).backend;

	assert_int_equal(tcp(client, client_port, port, WIRE_TCP_ACK).backend, backend);
	return backend;
}

static void persist_keeps_a_client_over_connections_and_ports(void **state)
{
	uint16_t backend = connect_from(NULL, 1024, 21);

	for (uint16_t i = 0; i < 100; i++) {
		struct fwd_result result = syn((uint16_t)(2000 + i), (uint16_t)(30000 + i));

		assert_int_equal(result.backend, backend);
		assert_int_equal(result.how, FWD_HOW_PERSISTENCE);
		assert_int_equal(result.recorded, 1);
		assert_int_equal(
			tcp(NULL, (uint16_t)(2000 + i), (uint16_t)(30000 + i), WIRE_TCP_ACK).how,
			FWD_HOW_FLOW);
	}
	assert_int_equal(
		run(&(struct vector_packet){ .proto = 17, .client_port = 9, .port = 53 }).backend,
		backend);
}

static void persist_tells_clients_apart_by_prefix(void **state)
{
	static const char *const near4[] = { "203.0.112.1", "203.0.115.254" };
	size_t n_elsewhere = 0;
	uint16_t backend;

	bench.prefix4 = 22;
	bench.prefix6 = 57;
	publish();
	backend = connect_from("203.0.113.7", 1024, 80);
	for (uint16_t i = 0; i < 50; i++)
		for (size_t k = 0; k < ARRAY_LEN(near4); k++)
			assert_int_equal(
				tcp(near4[k], (uint16_t)(3000 + i), 80, WIRE_TCP_SYN).backend,
				backend);
	for (uint16_t i = 0; i < 50; i++) {
		char client[32];

		snprintf(client, sizeof(client), "203.0.%u.7", 116u + i);
		n_elsewhere += tcp(client, 1024, 80, WIRE_TCP_SYN).backend != backend;
	}
	assert_true(n_elsewhere > 10);
	backend = connect_from("2001:db8:1:2::1", 1024, 80);
	for (uint16_t i = 0; i < 50; i++)
		assert_int_equal(
			tcp("2001:db8:1:7f:8000::9", (uint16_t)(3000 + i), 80, WIRE_TCP_SYN)
				.backend,
			backend);
	n_elsewhere = 0;
	for (uint16_t i = 0; i < 50; i++) {
		char client[32];

		snprintf(client, sizeof(client), "2001:db8:1:%x::1", 0x80 + 0x80 * i);
		n_elsewhere += tcp(client, 1024, 80, WIRE_TCP_SYN).backend != backend;
	}
	assert_true(n_elsewhere > 10);
}

static void persist_restarts_with_each_connection_and_ends(void **state)
{
	uint16_t backend = connect_from(NULL, 1024, 80), port = 2000;
	size_t n_elsewhere = 0;

	for (int i = 0; i < 10; i++) {
		bench.now_s += PERSISTENCE_S;
		assert_int_equal(connect_from(NULL, port++, 80), backend);
	}
	/* A packet of a flow is no new connection. */
	bench.now_s += PERSISTENCE_S / 2;
	(void)tcp(NULL, (uint16_t)(port - 1), 80, WIRE_TCP_ACK);
	bench.now_s += PERSISTENCE_S / 2 + 1;
	assert_int_not_equal(syn(port, 80).how, FWD_HOW_PERSISTENCE);
	for (uint16_t i = 0; i < 50; i++) {
		bench.now_s += PERSISTENCE_S + 1;
		n_elsewhere += syn((uint16_t)(4000 + i), 80).backend != backend;
	}
	assert_true(n_elsewhere > 10);
}

/* Also by one on the ports of one that has ended, which the balancer still knows. */
static void persist_restarts_on_the_same_ports(void **state)
{
	uint16_t backend = connect_from(NULL, 1024, 80);

	(void)tcp(NULL, 1024, 80, WIRE_TCP_FIN | WIRE_TCP_ACK);
	bench.now_s += PERSISTENCE_S / 2;
	assert_int_equal(syn(1024, 80).backend, backend);
	(void)tcp(NULL, 1024, 80, WIRE_TCP_FIN | WIRE_TCP_ACK);
	bench.now_s += PERSISTENCE_S / 2 + 1;
	assert_int_equal(syn(2000, 80).how, FWD_HOW_PERSISTENCE);
	assert_int_equal(syn(2001, 80).backend, backend);
}

static void persist_sends_new_connections_past_who_drains(void **state)
{
	uint16_t backend = connect_from(NULL, 1024, 80), other;

	set_backend(backend, FWD_BACKEND_FLOWS);
	assert_int_equal(tcp(NULL, 1024, 80, WIRE_TCP_ACK).backend, backend);
	other = connect_from(NULL, 1025, 80);
	assert_int_not_equal(other, backend);
	/* And there it stays from now on, also when the first is back. */
	set_backend(backend, FWD_BACKEND_FLOWS | FWD_BACKEND_NEW);
	for (uint16_t i = 0; i < 50; i++)
		assert_int_equal(syn((uint16_t)(2000 + i), 80).backend, other);
	assert_int_equal(tcp(NULL, 1024, 80, WIRE_TCP_ACK).backend, backend);
}

/* It takes new flows, but not of this service: a backup, or of weight 0 there. */
static void persist_sends_new_connections_past_who_is_shut(void **state)
{
	uint16_t backend = connect_from(NULL, 1024, 80), other;

	set_backend(backend, FWD_BACKEND_FLOWS | FWD_BACKEND_NEW | FWD_BACKEND_NEW_SOME);
	assert_int_equal(tcp(NULL, 1024, 80, WIRE_TCP_ACK).backend, backend);
	other = connect_from(NULL, 1025, 80);
	assert_int_not_equal(other, backend);
	assert_int_equal(syn(1026, 80).backend, other);
	assert_int_equal(tcp(NULL, 1024, 80, WIRE_TCP_ACK).backend, backend);
}

static void persist_leaves_the_dead(void **state)
{
	uint16_t backend = connect_from(NULL, 1024, 80), other;

	set_backend(backend, 0);
	other = connect_from(NULL, 1025, 80);
	assert_int_not_equal(other, backend);
	assert_int_equal(tcp(NULL, 1024, 80, WIRE_TCP_ACK).backend, other);
	assert_int_equal(connect_from(NULL, 1026, 80), other);
}

/* Port 0 is a port like others. */
static void persist_is_no_flow(void **state)
{
	const struct fwd_result result = tcp(NULL, 1024, 80, WIRE_TCP_SYN);

	assert_int_equal(result.how, FWD_HOW_HASH);
	assert_int_not_equal(
		run_from(NULL, &(struct vector_packet){ .tcp_flags = WIRE_TCP_ACK }, true).how,
		FWD_HOW_FLOW);
}

static void persist_leaves_no_trace_where_it_only_looks(void **state)
{
	bench.only_looks = true;
	(void)syn(1024, 80);
	assert_int_not_equal(syn(1025, 80).how, FWD_HOW_PERSISTENCE);
	bench.only_looks = false;
	(void)syn(1024, 80);
	bench.only_looks = true;
	assert_int_equal(syn(1025, 80).how, FWD_HOW_PERSISTENCE);
}

static void persist_of_a_flood_costs_no_proven_client(void **state)
{
	uint16_t backend;

	bench.n_buckets = 8;
	publish();
	backend = connect_from("203.0.113.7", 1024, 80);
	for (uint32_t i = 0; i < 20000; i++) {
		char client[32];

		snprintf(client, sizeof(client), "10.%u.%u.9", i >> 8, i & 255);
		(void)tcp(client, 1024, 80, WIRE_TCP_SYN);
	}
	assert_int_equal(tcp("203.0.113.7", 1024, 80, WIRE_TCP_ACK).backend, backend);
	assert_int_equal(tcp("203.0.113.7", 1025, 80, WIRE_TCP_SYN).how, FWD_HOW_PERSISTENCE);
}

/*
 * A browser opens several connections at once: two workers meet a client that neither has seen. Alone,
 * each would choose for itself, so that one in five met clients had two backends.
 */

#define ROUNDS   40u
#define MEETINGS 100u /* few for so many buckets: none is full */

struct meeting {
	uint32_t n_there; /* of both workers: at which client they are */
	uint16_t backends[2][MEETINGS];
};

static struct meeting meeting;

static void *meet(void *argument)
{
	const unsigned int worker = argument ? 1 : 0;

	for (uint32_t i = 0; i < MEETINGS; i++) {
		char client[32];

		snprintf(client, sizeof(client), "10.1.0.%u", i);
		(void)__atomic_add_fetch(&meeting.n_there, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&meeting.n_there, __ATOMIC_ACQUIRE) < 2 * (i + 1))
			;
		meeting.backends[worker][i] =
			tcp(client, (uint16_t)(1024 + worker), 80, WIRE_TCP_SYN).backend;
	}
	return NULL;
}

static void persist_gives_two_workers_one_backend(void **state)
{
	unsigned int n_apart = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		pthread_t thread;

		meeting.n_there = 0;
		memset(bench.flow4, 0, BUCKETS * sizeof(*bench.flow4));
		assert_int_equal(pthread_create(&thread, NULL, meet, &meeting), 0);
		(void)meet(NULL);
		assert_int_equal(pthread_join(thread, NULL), 0);
		for (uint32_t i = 0; i < MEETINGS; i++)
			n_apart += meeting.backends[0][i] != meeting.backends[1][i];
	}
	print_message("# apart: %u of %u\n", n_apart, ROUNDS * MEETINGS);
	/* A worker that loses its CPU in the middle of writing is waited for no longer than a while. */
	assert_in_range(n_apart, 0, ROUNDS * MEETINGS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(persist_keeps_a_client_over_connections_and_ports),
		TEST(persist_gives_two_workers_one_backend),
		TEST(persist_tells_clients_apart_by_prefix),
		TEST(persist_restarts_with_each_connection_and_ends),
		TEST(persist_restarts_on_the_same_ports),
		TEST(persist_sends_new_connections_past_who_drains),
		TEST(persist_sends_new_connections_past_who_is_shut),
		TEST(persist_leaves_the_dead),
		TEST(persist_is_no_flow),
		TEST(persist_leaves_no_trace_where_it_only_looks),
		TEST(persist_of_a_flood_costs_no_proven_client),
	};

	return cmocka_run_group_tests_name("persist", tests, NULL, NULL);
}
