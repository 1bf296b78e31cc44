/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a target is, before it is probed. */
#include "lb/link/path/path_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void target_is_answered_but_for_a_datagram_that_expects_nothing(void **state)
{
	static const struct {
		struct path_target target;
		bool is_answered;
	} cases[] = {
		{ { .kind = PATH_TCP }, true },
		{ { .kind = PATH_ECHO }, true },
		{ { .kind = PATH_HTTP }, true },
		{ { .kind = PATH_UDP }, false },
		{ { .kind = PATH_UDP, .expect = { (const uint8_t *)"x", 1 } }, true },
	};

	ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
		_cleanup_(path_target_freep) struct probe *probe = path_target_new(&one->target);

		assert_non_null(probe);
		assert_int_equal(path_target_is_answered(probe), one->is_answered);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_is_answered_but_for_a_datagram_that_expects_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
