/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Internet checksum: known ones, odd sizes, carries, pieces. */
#include "common/packet/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/util.h"

static void checksum_is_as_elsewhere(void **state)
{
	static const struct {
		uint8_t bytes[20];
		size_t size_bytes;
		uint16_t checksum;
	} table[] = {
		/* RFC 1071 §3: the sum is ddf2. */
		{ { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 }, 8, 0x220d },
		/* An IPv4 header without its checksum, and with it. */
		{ { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 192, 168, 0, 1, 192, 168, 0,
			  199 },
			20, 0xb861 },
		{ { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 192, 168, 0, 1, 192,
			  168, 0, 199 },
			20, 0 },
		{ { 0 }, 0, 0xffff },
		{ { 0 }, 20, 0xffff },
	};

	(void)state;
	ARRAY_FOREACH (one, table, ARRAY_LEN(table))
		assert_int_equal(checksum_of(one->bytes, one->size_bytes), one->checksum);
}

/* RFC 1071 §4.1: as if a zero followed; what does follow is not read. */
static void checksum_of_an_odd_size_ends_with_a_zero(void **state)
{
	const uint8_t bytes[] = { 0x12, 0x34, 0x56, 0xff };

	(void)state;
	assert_int_equal(checksum_add(0, bytes, 3), 0x1234 + 0x5600);
	assert_int_equal(checksum_add(0, bytes, 1), 0x1200);
	assert_int_equal(checksum_add(7, bytes, 0), 7);
}

/* Also a carry that makes another one. */
static void checksum_carries_until_nothing_is_left(void **state)
{
	(void)state;
	assert_int_equal(checksum_finish(0x1fffe), 0);
	assert_int_equal(checksum_finish(0xffff), 0);
	assert_int_equal(checksum_finish(0x1ffff), 0xfffe);
	assert_int_equal(checksum_finish(UINT64_MAX), 0);
	assert_int_equal(checksum_finish(0xffff0001), 0xfffe);
}

/* More than 64 Ki words, which a sum of 32 bits has no room for. */
static void checksum_takes_more_than_any_datagram(void **state)
{
	static uint8_t bytes[262144];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(
		checksum_add(0, bytes, sizeof(bytes)), sizeof(bytes) / 2 * UINT64_C(0xffff));
	assert_int_equal(checksum_of(bytes, sizeof(bytes)), 0);
}

/* Of a pseudo-header, a header and data, or whatever pieces of whole words. */
static void checksum_is_the_same_in_pieces(void **state)
{
	uint8_t bytes[61];
	uint64_t whole;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 89 + 200);
	whole = checksum_add(6, bytes, sizeof(bytes));
	for (size_t at = 0; at < sizeof(bytes); at += 2)
		assert_int_equal(
			checksum_add(checksum_add(6, bytes, at), bytes + at, sizeof(bytes) - at),
			whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_as_elsewhere),
		cmocka_unit_test(checksum_of_an_odd_size_ends_with_a_zero),
		cmocka_unit_test(checksum_carries_until_nothing_is_left),
		cmocka_unit_test(checksum_takes_more_than_any_datagram),
		cmocka_unit_test(checksum_is_the_same_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
