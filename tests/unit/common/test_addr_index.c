/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in an array is found, the first of equal ones first, and nothing else is. */
#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct place {
	int number;
	struct addr addr;
};

static struct addr numbered(unsigned int number)
{
	struct addr addr;

	assert_int_equal(addr_parse(number % 3 ? "10.0.0.0" : "2001:db8::", &addr), 0);
	addr.bytes[addr_size_bytes(&addr) - 2] = (uint8_t)(number >> 8);
	addr.bytes[addr_size_bytes(&addr) - 1] = (uint8_t)number;
	return addr;
}

static void addr_index_finds_what_is_there(void **state)
{
	struct place places[2000];
	struct addr_index index;

	for (unsigned int i = 0; i < ARRAY_LEN(places); i++)
		places[i] = (struct place){ (int)i, numbered(i * 7919 % 2000 / 2) };
	assert_int_equal(addr_index_make(places, ARRAY_LEN(places), sizeof(places[0]),
				 offsetof(struct place, addr), &index),
		0);
	for (unsigned int i = 0; i < 2000; i++) {
		const struct addr wanted = numbered(i);
		size_t at = addr_index_find(&index, &wanted);

		assert_int_equal(addr_index_has(&index, &wanted), i < 1000);
		if (i >= 1000) {
			assert_int_equal(at, index.len);
			continue;
		}
		/* Each is there twice. */
		assert_true(addr_equal(index.items[at].addr, &wanted));
		assert_true(addr_equal(&places[index.items[at].idx].addr, &wanted));
		assert_true(addr_equal(index.items[at + 1].addr, &wanted));
		assert_true(index.items[at].idx < index.items[at + 1].idx);
		assert_true(at == 0 || !addr_equal(index.items[at - 1].addr, &wanted));
	}
	addr_index_clear(&index);
}

static void addr_index_of_nothing_has_nothing(void **state)
{
	const struct addr wanted = numbered(1);
	struct addr_index index = { 0 };

	assert_false(addr_index_has(&index, &wanted));
	assert_int_equal(addr_index_make(NULL, 0, sizeof(wanted), 0, &index), 0);
	assert_false(addr_index_has(&index, &wanted));
	addr_index_clear(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_index_finds_what_is_there),
		cmocka_unit_test(addr_index_of_nothing_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
