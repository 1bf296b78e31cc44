/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays that grow by one: all of the room is ours, and a failure leaves the array alone. */
#include "common/grow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void grow_keeps_what_is_there(void **state)
{
	_cleanup_free_ size_t *array = NULL;
	size_t len = 0;

	while (len < 1000 && GROW(array, len) == 0 && array) {
		array[len] = len;
		len++;
	}
	assert_int_equal(len, 1000);
	for (size_t i = 0; array && i < len; i++)
		assert_int_equal(array[i], i);
}

static void grow_refuses_what_cannot_be_had(void **state)
{
	_cleanup_free_ char *array = malloc(1);
	volatile size_t impossible = SIZE_MAX / 4 + 1; /* a power of two */

	assert_non_null(array);
	array[0] = 'x';
	assert_null(grow_by_one(array, impossible, 8));
	assert_int_equal(array[0], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grow_keeps_what_is_there),
		cmocka_unit_test(grow_refuses_what_cannot_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
