/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why nobody takes new flows of a virtual server, in words. */
#include "lb/control/status_warnings.h"
#include "lb/registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void status_warnings_say_who_is_full(void **state)
{
	static const struct {
		struct registry_tier tier;
		const char *words;
	} cases[] = {
		{ { .n_known = 3 }, "virtual server web has no usable backend" },
		{ { .n_known = 3, .n_full = 2 },
			"virtual server web has no usable backend: 2 full" },
		{ { .n_known = 3, .n_full = 3, .n_counted = 2 },
			"virtual server web has no usable backend: 3 full, 2 of them by the flow table, "
			"which goes by clients' frames, and these can be forged" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct why why = { 0 };

		status_warnings_unserved("web", &cases[i].tier, &why);
		assert_string_equal(why.text, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_warnings_say_who_is_full),
	};

	return cmocka_run_group_tests_name("status_warnings", tests, NULL, NULL);
}
