/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why something failed: cut, never overrun, and optional. */
#include "common/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void why_says_and_returns(void **state)
{
	struct why why = { 0 };

	assert_int_equal(why_fail(&why, -EINVAL, "%s: %d", "port", 7), -EINVAL);
	assert_string_equal(why.text, "port: 7");
	why_set(&why, "other");
	assert_string_equal(why.text, "other");
}

static void why_is_cut(void **state)
{
	struct why why = { 0 };

	why_set(&why, "%0*d", (int)WHY_BYTES * 2, 1);
	assert_int_equal(strlen(why.text), WHY_BYTES - 1);
}

static void why_may_be_unwanted(void **state)
{
	why_set(NULL, "nobody hears this");
	assert_int_equal(why_fail(NULL, -EIO, "nor this"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why_says_and_returns),
		cmocka_unit_test(why_is_cut),
		cmocka_unit_test(why_may_be_unwanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
