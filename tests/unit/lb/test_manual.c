/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds man/dsr-lb.conf.5.scd to the key table: every key stands there, and its default. Reads
 * the page from the top of the tree, where tests are run.
 */
#include "lb/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PAGE_PATH      "man/dsr-lb.conf.5.scd"
#define PAGE_MAX_BYTES 65536u

static char page[PAGE_MAX_BYTES];

static int page_load(void **state)
{
	_cleanup_fclose_ FILE *file = fopen(PAGE_PATH, "re");
	size_t size_bytes = file ? fread(page, 1, sizeof(page) - 1, file) : 0;

	page[size_bytes] = '\0';
	return size_bytes > 0 && size_bytes < sizeof(page) - 1 ? 0 : -1;
}

/* The key as a term of its own: in bold at the start of a line, or further in a list of terms. */
static const char *page_find_key(const char *name)
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

static void manual_names_every_key(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	for (size_t i = 0; i < n_sections; i++)
		for (size_t k = 0; k < sections[i].n_keys; k++)
			if (!page_find_key(sections[i].keys[k].name))
				fail_msg("%s does not name the key %s of [%s]", PAGE_PATH,
					sections[i].keys[k].name, sections[i].name);
}

/* Within the text of the key: up to the empty line after its paragraph. */
static void manual_tells_every_default(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	for (size_t i = 0; i < n_sections; i++) {
		for (size_t k = 0; k < sections[i].n_keys; k++) {
			const struct ini_key *key = &sections[i].keys[k];
			const char *at = page_find_key(key->name);
			const char *end = at ? strstr(at, "\n\n") : NULL;
			const char *value =
				at && key->default_value ? strstr(at, key->default_value) : NULL;

			if (key->default_value && (!end || !value || value > end))
				fail_msg("%s does not tell that %s is %s by default", PAGE_PATH,
					key->name, key->default_value);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual_names_every_key),
		cmocka_unit_test(manual_tells_every_default),
	};

	return cmocka_run_group_tests_name("manual", tests, page_load, NULL);
}
