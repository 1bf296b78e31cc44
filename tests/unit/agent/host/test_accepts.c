/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accepts.c: which packets count, and for whom. What the log lets through is the scenario ceilings'. */
#include "agent/host/accepts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define VIP4 "198.51.100.10"
#define VIP6 "2001:db8:f::10"

static struct accepts_place place(const char *address, uint16_t first, uint16_t last)
{
	struct accepts_place made = { .first = first, .last = last };

	assert_int_equal(addr_parse(address, &made.address), 0);
	return made;
}

/* Without an event loop nothing is logged, but the table stands. */
static struct accepts *make(void)
{
	struct accepts *accepts = accepts_new(NULL);

	assert_non_null(accepts);
	return accepts;
}

/* From the VIP and this port, with these flags; `number` makes it one of its own. */
static size_t write_packet(
	uint8_t *packet, const char *vip, uint16_t port, uint8_t flags, uint32_t number)
{
	struct addr local;
	size_t offset;

	assert_int_equal(addr_parse(vip, &local), 0);
	memset(packet, 0, 96);
	if (local.family == AF_INET) {
		packet[0] = 0x46; /* with options */
		packet[9] = 6;
		memcpy(packet + 12, local.bytes, 4);
		offset = 24;
	} else {
		packet[0] = 0x60;
		packet[6] = 6;
		memcpy(packet + 8, local.bytes, 16);
		offset = 40;
	}
	packet[offset] = (uint8_t)(port >> 8);
	packet[offset + 1] = (uint8_t)port;
	memcpy(packet + offset + 4, &number, sizeof(number));
	packet[offset + 13] = flags;
	return offset + 20;
}

static bool take(struct accepts *accepts, const char *vip, uint16_t port, uint32_t number)
{
	uint8_t packet[96];

	return accepts_take(accepts, packet, write_packet(packet, vip, port, 0x12, number), 0);
}

static void accepts_counts_for_address_and_ports(void **state)
{
	const struct accepts_place places[] = { place(VIP4, 80, 80), place(VIP4, 1, 65535),
		place(VIP6, 80, 80) };
	_cleanup_(accepts_freep) struct accepts *accepts = make();

	(void)accepts_watch(accepts, places, ARRAY_LEN(places));
	assert_true(take(accepts, VIP4, 80, 1));
	assert_true(take(accepts, VIP4, 81, 2)); /* of the range alone */
	assert_true(take(accepts, VIP6, 80, 3));
	assert_false(take(accepts, VIP6, 81, 4));
	assert_false(take(accepts, "198.51.100.11", 80, 5));
}

static void accepts_counts_each_once(void **state)
{
	const struct accepts_place wanted = place(VIP4, 80, 80);
	_cleanup_(accepts_freep) struct accepts *accepts = make();

	(void)accepts_watch(accepts, &wanted, 1);
	assert_true(take(accepts, VIP4, 80, 1));
	assert_false(take(accepts, VIP4, 80, 1)); /* repeated, or seen on a lower interface */
	assert_true(take(accepts, VIP4, 80, 2));
}

static void accepts_takes_no_other_packets(void **state)
{
	const struct accepts_place wanted = place(VIP4, 80, 80);
	_cleanup_(accepts_freep) struct accepts *accepts = make();
	uint8_t packet[96];
	size_t size_bytes;

	(void)accepts_watch(accepts, &wanted, 1);
	for (unsigned int flags = 0; flags < 0x40; flags++) {
		size_bytes = write_packet(packet, VIP4, 80, (uint8_t)flags, flags);
		assert_int_equal(
			accepts_take(accepts, packet, size_bytes, 0), (flags & 0x12) == 0x12);
	}
	for (size_bytes = 0; size_bytes < 38; size_bytes++) {
		(void)write_packet(packet, VIP4, 80, 0x12, 99);
		assert_false(accepts_take(accepts, packet, size_bytes, 0));
	}
}

static void accepts_leaves_out_who_probes(void **state)
{
	const struct accepts_place places[] = { place(VIP4, 80, 80), place(VIP6, 80, 80) };
	_cleanup_(accepts_freep) struct accepts *accepts = make();
	struct addr balancers[2];
	uint8_t packet[96];
	size_t size_bytes = write_packet(packet, VIP4, 80, 0x12, 1);

	assert_int_equal(addr_parse("192.0.2.2", &balancers[0]), 0);
	assert_int_equal(addr_parse("2001:db8:1::2", &balancers[1]), 0);
	(void)accepts_watch(accepts, places, ARRAY_LEN(places));
	accepts_exempt(accepts, balancers, ARRAY_LEN(balancers));
	memcpy(packet + 16, balancers[0].bytes, 4);
	assert_false(accepts_take(accepts, packet, size_bytes, 0));
	assert_int_equal(accepts_total(accepts, AF_INET), 0);
	packet[19]++;
	assert_true(accepts_take(accepts, packet, size_bytes, 0));
	assert_int_equal(accepts_total(accepts, AF_INET), 1);
	size_bytes = write_packet(packet, VIP6, 80, 0x12, 2);
	memcpy(packet + 24, balancers[1].bytes, 16);
	assert_false(accepts_take(accepts, packet, size_bytes, 0));
	accepts_exempt(accepts, balancers, 1);
	assert_true(accepts_take(accepts, packet, size_bytes, 0));
	/* Who is let in by one family is not by the other. */
	assert_int_equal(accepts_total(accepts, AF_INET), 1);
	assert_int_equal(accepts_total(accepts, AF_INET6), 1);
}

/* A SYN to the VIP, which a rule lets through only where no way leads back. */
static bool take_syn(struct accepts *accepts, uint16_t port, unsigned int ifindex)
{
	uint8_t packet[96];
	size_t size_bytes = write_packet(packet, "203.0.113.2", 12345, 0x02, 1);
	struct addr vip;

	assert_int_equal(addr_parse(VIP4, &vip), 0);
	memcpy(packet + 16, vip.bytes, 4);
	packet[26] = (uint8_t)(port >> 8);
	packet[27] = (uint8_t)port;
	return accepts_take(accepts, packet, size_bytes, ifindex);
}

static void accepts_names_who_has_no_way_back(void **state)
{
	const struct accepts_place wanted = place(VIP4, 80, 80);
	_cleanup_(accepts_freep) struct accepts *accepts = make();
	struct accepts_stray stray;
	char text[ADDR_STRLEN];
	uint32_t count;

	(void)accepts_watch(accepts, &wanted, 1);
	assert_false(accepts_stray(accepts, &stray));
	assert_false(take_syn(accepts, 81, 7)); /* nobody asks about that port */
	assert_false(take_syn(accepts, 80, 0));
	assert_false(accepts_stray(accepts, &stray));
	assert_true(take_syn(accepts, 80, 7));
	assert_true(accepts_stray(accepts, &stray));
	assert_string_equal(addr_format(&stray.client, text), "203.0.113.2");
	assert_string_equal(addr_format(&stray.vip, text), VIP4);
	assert_int_equal(stray.ifindex, 7);
	assert_false(accepts_stray(accepts, &stray)); /* once */
	if (accepts_count(accepts, &wanted, &count))
		assert_int_equal(count, 0);
	assert_int_equal(addr_parse("203.0.113.2", &stray.client), 0);
	accepts_exempt(accepts, &stray.client, 1); /* a balancer is no client */
	assert_false(take_syn(accepts, 80, 7));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepts_counts_for_address_and_ports),
		TEST(accepts_counts_each_once),
		TEST(accepts_takes_no_other_packets),
		TEST(accepts_leaves_out_who_probes),
		TEST(accepts_names_who_has_no_way_back),
	};

	return cmocka_run_group_tests_name("accepts", tests, NULL, NULL);
}
