/* SPDX-License-Identifier: GPL-2.0-or-later */
/* man/dsr-agent.conf.5.scd and the key table say the same. */
#include "agent/config.h"

#include "tests/unit/manual.h"

static char page[MANUAL_MAX_BYTES];

static int page_load(void **state)
{
	return manual_load("man/dsr-agent.conf.5.scd", page);
}

static void manual_names_every_key(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	manual_check_keys(page, sections, n_sections);
}

static void manual_tells_every_default(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	manual_check_defaults(page, sections, n_sections);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual_names_every_key),
		cmocka_unit_test(manual_tells_every_default),
	};

	return cmocka_run_group_tests_name("manual", tests, page_load, NULL);
}
