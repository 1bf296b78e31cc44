/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That a manual page names every metric of a table. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/http/exposition.h"

/* Skips where the page is not: tests run at the top of the tree. */
_unused_ static void assert_manual_names(
	const char *path, const struct exposition_family *families, size_t n_families)
{
	FILE *file = fopen(path, "r");
	char *page = NULL, name[128];
	size_t room_bytes = 0, missing = 0;

	if (!file)
		skip();
	assert_true(getdelim(&page, &room_bytes, '\0', file) > 0);
	(void)fclose(file);
	for (size_t i = 0; i < n_families; i++) {
		snprintf(name, sizeof(name), "*%s*", families[i].name);
		if (strstr(page, name))
			continue;
		print_error("%s does not name %s\n", path, name);
		missing++;
	}
	free(page);
	assert_int_equal(missing, 0);
}
