/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section DOCTOR of a manual page has a term for each check of examine_checks(), in bold at a line's
 * beginning, in the table's order, and none more. Read from the top of the tree, where tests are run. The
 * file that includes it says MANUAL_PAGE.
 */
#pragma once

static void the_manual_explains_each_check_and_no_other(void **state)
{
	_cleanup_fclose_ FILE *file = fopen(MANUAL_PAGE, "re");
	_cleanup_free_ char *line = NULL;
	size_t n_checks, idx = 0, size_bytes = 0;
	const struct doctor_check *checks = examine_checks(&n_checks);
	bool inside = false;
	char word[64];

	assert_non_null(file);
	while (getline(&line, &size_bytes, file) > 0) {
		if (line[0] == '#')
			inside = streq(line, "# DOCTOR\n");
		/* A line of terms may have several: *one*, *another*. */
		for (char *at = line; inside && sscanf(at, "*%63[a-z-]*", word) == 1;) {
			if (idx >= n_checks)
				fail_msg("there is no check %s", word);
			assert_string_equal(word, checks[idx].id);
			idx++;
			at += strlen(word) + strlen("**");
			at += strspn(at, ", ");
		}
	}
	assert_int_equal(idx, n_checks);
}
