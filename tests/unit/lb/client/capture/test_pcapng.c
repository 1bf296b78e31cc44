/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks are what the draft says, byte for byte. */
#include "lb/client/capture/pcapng.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void pcapng_section_is_golden(void **state)
{
	static const uint8_t golden[] = { 0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b,
		0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 3, 0, 'd',
		's', 'r', 0, 0, 0, 0, 0, 40, 0, 0, 0 };
	uint8_t bytes[PCAPNG_SECTION_BYTES];

	assert_int_equal(pcapng_section(bytes, "dsr"), sizeof(golden));
	assert_memory_equal(bytes, golden, sizeof(golden));
}

static void pcapng_interface_is_golden(void **state)
{
	static const uint8_t golden[] = { 1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 6, 0, 0, 2, 0, 4,
		0, 'e', 't', 'h', '0', 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0 };
	uint8_t bytes[PCAPNG_SECTION_BYTES];

	assert_int_equal(pcapng_interface(bytes, "eth0", 1536), sizeof(golden));
	assert_memory_equal(bytes, golden, sizeof(golden));
}

static void pcapng_packet_is_golden(void **state)
{
	static const uint8_t golden[] = { 6, 0, 0, 0, 60, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0,
		0, 3, 0, 0, 0, 100, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0, 1, 0, 5, 0, 'h', 'e', 'l', 'l',
		'o', 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0 };
	static const uint8_t data[] = { 0xaa, 0xbb, 0xcc };
	const struct pcapng_packet packet = {
		.interface = 1,
		.time_ns = (UINT64_C(1) << 32) + 2,
		.is_out = true,
		.length_bytes = 100,
		.captured_bytes = sizeof(data),
		.data = data,
		.comment = "hello",
	};
	uint8_t bytes[PCAPNG_PACKET_BYTES(sizeof(data))];

	assert_int_equal(pcapng_packet(bytes, &packet), sizeof(golden));
	assert_memory_equal(bytes, golden, sizeof(golden));
}

static void pcapng_packet_without_a_comment_has_its_direction(void **state)
{
	static const uint8_t data[4];
	const struct pcapng_packet packet = {
		.length_bytes = 4, .captured_bytes = 4, .data = data, .comment = ""
	};
	uint8_t bytes[PCAPNG_PACKET_BYTES(4)];

	assert_int_equal(pcapng_packet(bytes, &packet), 48);
	assert_int_equal(bytes[32], 2);
	assert_int_equal(bytes[36], 1);
}

/* A comment at its limit and one beyond, cut before the character that does not fit whole. */
static void pcapng_cuts_what_is_too_long(void **state)
{
	static const uint8_t data[1];
	char comment[PCAPNG_TEXT_MAX + 2];
	struct pcapng_packet packet = {
		.length_bytes = 1, .captured_bytes = 1, .data = data, .comment = comment
	};
	uint8_t bytes[PCAPNG_PACKET_BYTES(1)];

	memset(comment, 'x', sizeof(comment));
	comment[PCAPNG_TEXT_MAX] = '\0';
	assert_true(pcapng_packet(bytes, &packet) <= sizeof(bytes));
	assert_int_equal(bytes[34] | bytes[35] << 8, PCAPNG_TEXT_MAX);
	memcpy(comment + PCAPNG_TEXT_MAX - 1, "\xc3\xa4", 3);
	assert_true(pcapng_packet(bytes, &packet) <= sizeof(bytes));
	assert_int_equal(bytes[34] | bytes[35] << 8, PCAPNG_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcapng_section_is_golden),
		cmocka_unit_test(pcapng_interface_is_golden),
		cmocka_unit_test(pcapng_packet_is_golden),
		cmocka_unit_test(pcapng_packet_without_a_comment_has_its_direction),
		cmocka_unit_test(pcapng_cuts_what_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
