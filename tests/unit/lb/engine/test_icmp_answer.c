/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to what is too big: every byte of them, and to what none is due. */
#include "lb/engine/icmp_answer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/vectors.h"

#define MTU_BYTES 1400u

static uint8_t *frame;
static uint8_t answer[ICMP_ANSWER_BYTES_MAX] __attribute__((__aligned__(2)));

static size_t answer_to(const struct vector_packet *packet, size_t *ret_frame_bytes)
{
	size_t size_bytes = vector_build(packet, frame);

	if (ret_frame_bytes)
		*ret_frame_bytes = size_bytes;
	memset(answer, 0xee, sizeof(answer));
	return icmp_answer_build(frame, size_bytes, size_bytes, packet->gso, MTU_BYTES, answer);
}

/* As a receiver verifies (RFC 1071): with its checksum in it, the sum is all ones. */
static uint32_t sum_of(uint32_t sum, const uint8_t *data, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static unsigned int read16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static void assert_goes_back(const uint8_t *data, size_t link_bytes)
{
	assert_memory_equal(data, vector_mac_bytes(VECTOR_MAC_ROUTER), 6);
	assert_memory_equal(data + 6, vector_mac_bytes(VECTOR_MAC_OWN), 6);
	assert_memory_equal(data + 12, frame + 12, link_bytes - 12);
}

static void check_ip4(size_t size_bytes, size_t link_bytes, size_t quote_bytes)
{
	const uint8_t *ip = answer + link_bytes;

	assert_int_equal(size_bytes, link_bytes + 28 + quote_bytes);
	assert_goes_back(answer, link_bytes);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(read16(ip + 2), 28 + quote_bytes);
	assert_int_equal(ip[9], 1);
	assert_memory_equal(ip + 12, frame + link_bytes + 16, 4); /* from the VIP */
	assert_memory_equal(ip + 16, frame + link_bytes + 12, 4);
	assert_int_equal(sum_of(0, ip, 20), 0xffff);
	assert_int_equal(ip[20], 3);
	assert_int_equal(ip[21], 4);
	assert_int_equal(read16(ip + 24), 0);
	assert_int_equal(read16(ip + 26), MTU_BYTES);
	assert_memory_equal(ip + 28, frame + link_bytes, quote_bytes);
	assert_int_equal(sum_of(0, ip + 20, 8 + quote_bytes), 0xffff);
}

static void check_ip6(size_t size_bytes, size_t link_bytes, size_t quote_bytes)
{
	const uint8_t *ip = answer + link_bytes;

	assert_int_equal(size_bytes, link_bytes + 48 + quote_bytes);
	assert_goes_back(answer, link_bytes);
	assert_int_equal(ip[0], 0x60);
	assert_int_equal(read16(ip + 4), 8 + quote_bytes);
	assert_int_equal(ip[6], 58);
	assert_memory_equal(ip + 8, frame + link_bytes + 24, 16);
	assert_memory_equal(ip + 24, frame + link_bytes + 8, 16);
	assert_int_equal(ip[40], 2);
	assert_int_equal(ip[41], 0);
	assert_int_equal(read16(ip + 44), 0);
	assert_int_equal(read16(ip + 46), MTU_BYTES);
	assert_memory_equal(ip + 48, frame + link_bytes, quote_bytes);
	assert_int_equal(
		sum_of((uint32_t)(58 + 8 + quote_bytes), ip + 8, 32 + 8 + quote_bytes), 0xffff);
}

static void icmp_answer_quotes_as_much_as_the_rfcs_allow(void **state)
{
	static const struct vector_packet ip4 = { .tcp_flags = 0x10, .payload_bytes = 1461 };
	static const struct vector_packet ip6 = {
		.ip6 = true, .tcp_flags = 0x10, .payload_bytes = 1461
	};

	check_ip4(answer_to(&ip4, NULL), 14, 576 - 28);
	check_ip6(answer_to(&ip6, NULL), 14, 1280 - 48);
}

static void icmp_answer_quotes_a_short_packet_whole_and_no_padding(void **state)
{
	static const struct vector_packet ip4 = { .payload_bytes = 33, .pad_bytes = 20 };
	static const struct vector_packet ip6 = {
		.ip6 = true, .payload_bytes = 32, .pad_bytes = 9
	};

	check_ip4(answer_to(&ip4, NULL), 14, 73);
	check_ip6(answer_to(&ip6, NULL), 14, 92);
}

static void icmp_answer_keeps_vlan_tags(void **state)
{
	static const struct vector_packet one = { .vlans = { 0x8100 }, .payload_bytes = 1461 };
	static const struct vector_packet two = {
		.vlans = { 0x88a8, 0x8100 }, .ip6 = true, .payload_bytes = 1461
	};

	check_ip4(answer_to(&one, NULL), 18, 576 - 28);
	check_ip6(answer_to(&two, NULL), 22, 1280 - 48);
}

static void icmp_answer_serves_packets_of_every_kind(void **state)
{
	static const struct vector_packet packets[] = {
		{ .option_bytes = 40, .payload_bytes = 1461 },
		{ .proto = 17, .payload_bytes = 3000 },
		{ .proto = 17, .more = true, .payload_bytes = 1480 },
		{ .icmp_type = 8, .payload_bytes = 1473 },
		{ .ip6 = true, .icmp_type = 128, .payload_bytes = 1473 },
		{ .ip6 = true, .extensions = { 200, 60, 44 }, .more = true, .payload_bytes = 1480 },
		{ .payload_bytes = 65000, .gso = true },
		{ .payload_bytes = 66000, .gso = true, .zero_total = true },
		{ .ip6 = true, .payload_bytes = 66000, .gso = true, .zero_total = true },
	};

	ARRAY_FOREACH (packet, packets, ARRAY_LEN(packets)) {
		size_t size_bytes = answer_to(packet, NULL);

		if (packet->ip6)
			check_ip6(size_bytes, 14, 1280 - 48);
		else
			check_ip4(size_bytes, 14, 576 - 28);
	}
}

static void icmp_answer_is_not_due_to_these(void **state)
{
	static const struct vector_packet packets[] = {
		{ .icmp_type = 3, .payload_bytes = 1473 },
		{ .icmp_type = 4, .payload_bytes = 1473 },
		{ .icmp_type = 5, .payload_bytes = 1473 },
		{ .icmp_type = 11, .payload_bytes = 1473 },
		{ .icmp_type = 12, .payload_bytes = 1473 },
		{ .icmp_type = 99, .payload_bytes = 1473 },
		{ .ip6 = true, .icmp_type = 1, .payload_bytes = 1473 },
		{ .ip6 = true, .icmp_type = 127, .payload_bytes = 1473 },
		{ .ip6 = true, .icmp_type = 137, .payload_bytes = 1473 },
		{ .ip6 = true, .extensions = { 60 }, .icmp_type = 2, .payload_bytes = 1473 },
		{ .icmp_type = 8, .more = true, .l4_bytes = 4 },
		{ .proto = 17, .fragment_offset = 8, .payload_bytes = 1481 },
		{ .ip6 = true,
			.extensions = { 44 },
			.proto = 17,
			.fragment_offset = 8,
			.payload_bytes = 1481 },
		{ .from = VECTOR_MAC_MULTICAST, .payload_bytes = 1461 },
		{ .to = VECTOR_MAC_BROADCAST, .payload_bytes = 1461 },
		{ .to = VECTOR_MAC_MULTICAST, .payload_bytes = 1461 },
		{ .source = "0.0.0.0", .payload_bytes = 1461 },
		{ .source = "0.1.2.3", .payload_bytes = 1461 },
		{ .source = "127.0.0.1", .payload_bytes = 1461 },
		{ .source = "224.0.0.1", .payload_bytes = 1461 },
		{ .source = "240.0.0.1", .payload_bytes = 1461 },
		{ .source = "255.255.255.255", .payload_bytes = 1461 },
		{ .destination = "239.1.1.1", .payload_bytes = 1461 },
		{ .ip6 = true, .source = "::", .payload_bytes = 1461 },
		{ .ip6 = true, .source = "::1", .payload_bytes = 1461 },
		{ .ip6 = true, .source = "::ffff:192.0.2.7", .payload_bytes = 1461 },
		{ .ip6 = true, .source = "ff02::1", .payload_bytes = 1461 },
		{ .ip6 = true, .destination = "ff02::1", .payload_bytes = 1461 },
		{ .ethertype = 0x0806, .payload_bytes = 1461 },
		{ .header_words = 4, .payload_bytes = 1461 },
		{ .total_delta_bytes = 1, .payload_bytes = 1461 },
	};

	ARRAY_FOREACH (packet, packets, ARRAY_LEN(packets))
		if (answer_to(packet, NULL) != 0)
			fail_msg("number %td was answered", packet - packets);
}

static void icmp_answer_is_due_to_ordinary_sources(void **state)
{
	static const struct vector_packet packets[] = {
		{ .source = "1.0.0.1" },
		{ .source = "223.255.255.255" },
		{ .ip6 = true, .source = "fe80::1" },
		{ .ip6 = true, .source = "::2" },
		{ .ip6 = true, .source = "64:ff9b::1.2.3.4" },
	};

	ARRAY_FOREACH (packet, packets, ARRAY_LEN(packets))
		assert_int_not_equal(answer_to(packet, NULL), 0);
}

/* The frame lies at the end of memory of exactly its size. */
static void icmp_answer_reads_nothing_behind_a_cut_frame(void **state)
{
	static const struct vector_packet packet = { .ip6 = true, .extensions = { 60, 44 } };
	size_t size_bytes = vector_build(&packet, frame);

	for (size_t cut = 0; cut < size_bytes; cut++) {
		_cleanup_free_ uint8_t *exact = malloc(cut + 1);

		assert_non_null(exact);
		memcpy(exact, frame, cut);
		assert_int_equal(icmp_answer_build(exact, cut, cut, false, MTU_BYTES, answer), 0);
	}
}

static void icmp_answer_names_no_mtu_that_has_no_room(void **state)
{
	static const struct vector_packet packet = { .payload_bytes = 65000, .gso = true };
	size_t size_bytes = vector_build(&packet, frame);

	assert_int_not_equal(
		icmp_answer_build(frame, size_bytes, size_bytes, true, 70000, answer), 0);
	assert_int_equal(read16(answer + 14 + 24), 0);
	assert_int_equal(read16(answer + 14 + 26), 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_answer_quotes_as_much_as_the_rfcs_allow),
		cmocka_unit_test(icmp_answer_quotes_a_short_packet_whole_and_no_padding),
		cmocka_unit_test(icmp_answer_keeps_vlan_tags),
		cmocka_unit_test(icmp_answer_serves_packets_of_every_kind),
		cmocka_unit_test(icmp_answer_is_not_due_to_these),
		cmocka_unit_test(icmp_answer_is_due_to_ordinary_sources),
		cmocka_unit_test(icmp_answer_reads_nothing_behind_a_cut_frame),
		cmocka_unit_test(icmp_answer_names_no_mtu_that_has_no_room),
	};
	int failed;

	frame = malloc(VECTOR_FRAME_MAX);
	if (!frame)
		return 1;
	failed = cmocka_run_group_tests_name("icmp_answer", tests, NULL, NULL);
	free(frame);
	return failed;
}
