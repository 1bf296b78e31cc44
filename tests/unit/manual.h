/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds the manual page of a configuration file to its key table: every key stands there as a term,
 * and its default in the text of it. Pages are read from the top of the tree, where tests are run.
 * A whole test program: the file that includes it says MANUAL_PAGE, and has included the
 * config.h whose config_sections() is the table.
 */
#pragma once

#include "common/ini/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANUAL_MAX_BYTES 65536u

/* `page` has MANUAL_MAX_BYTES. */
static int manual_load(const char *path, char *page)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t size_bytes = file ? fread(page, 1, MANUAL_MAX_BYTES - 1, file) : 0;

	page[size_bytes] = '\0';
	return size_bytes > 0 && size_bytes < MANUAL_MAX_BYTES - 1 ? 0 : -1;
}

/* In bold on a line of terms, which begins in bold. */
static const char *manual_find_key(const char *page, const char *name)
{
	char bold[64];

	snprintf(bold, sizeof(bold), "*%s*", name);
	for (const char *at = page; (at = strstr(at, bold)); at++) {
		const char *line = at;

		while (line > page && line[-1] != '\n')
			line--;
		if (*line == '*')
			return at;
	}
	return NULL;
}

static void manual_check_keys(
	const char *page, const struct ini_section *sections, size_t n_sections)
{
	for (size_t i = 0; i < n_sections; i++)
		for (size_t k = 0; k < sections[i].n_keys; k++)
			if (!manual_find_key(page, sections[i].keys[k].name))
				fail_msg("the page does not name the key %s of [%s]",
					sections[i].keys[k].name, sections[i].name);
}

/* A key's text ends at the empty line after its paragraph. */
static void manual_check_defaults(
	const char *page, const struct ini_section *sections, size_t n_sections)
{
	for (size_t i = 0; i < n_sections; i++) {
		for (size_t k = 0; k < sections[i].n_keys; k++) {
			const struct ini_key *key = &sections[i].keys[k];
			const char *at = manual_find_key(page, key->name);
			const char *end = at ? strstr(at, "\n\n") : NULL;
			const char *value =
				at && key->default_value ? strstr(at, key->default_value) : NULL;

			if (key->default_value && (!end || !value || value > end))
				fail_msg("the page does not tell that %s is %s by default",
					key->name, key->default_value);
		}
	}
}

static char manual_page[MANUAL_MAX_BYTES];

static int manual_setup(void **state)
{
	return manual_load(MANUAL_PAGE, manual_page);
}

static void manual_names_every_key(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	manual_check_keys(manual_page, sections, n_sections);
}

static void manual_tells_every_default(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	manual_check_defaults(manual_page, sections, n_sections);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual_names_every_key),
		cmocka_unit_test(manual_tells_every_default),
	};

	return cmocka_run_group_tests_name("manual", tests, manual_setup, NULL);
}
