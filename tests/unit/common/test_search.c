/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary search: against a linear one, on arrays of every small length. */
#include "common/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LENGTHS 20

static int compare_ints(const void *key, const void *element)
{
	int a = *(const int *)key, b = *(const int *)element;

	return (a > b) - (a < b);
}

static void search_finds_what_a_walk_finds(void **state)
{
	int array[LENGTHS];

	for (size_t len = 0; len < LENGTHS; len++) {
		for (size_t i = 0; i < len; i++)
			array[i] = 3 * (int)(i / 2); /* pairs of equals, with gaps */
		for (int key = -1; key < 3 * LENGTHS / 2 + 2; key++) {
			size_t walked = 0, position = SIZE_MAX;
			bool found;

			while (walked < len && array[walked] < key)
				walked++;
			found = search_find(&key, array, len, sizeof(int), compare_ints, &position);
			assert_int_equal(position, walked);
			assert_int_equal(found, walked < len && array[walked] == key);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(search_finds_what_a_walk_finds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
