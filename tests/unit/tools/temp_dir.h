/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of a test's own, and files in it. Fails the running cmocka test on any error. Header only. */
#pragma once

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "common/util.h"

#define TEMP_DIR_BYTES 64u

/* The runner removes by this name what a test that was killed left behind. */
static inline void temp_dir_make(char ret_directory[TEMP_DIR_BYTES])
{
	const char *below = getenv("TMPDIR"), *run = getenv("DSR_TEST_RUN");
	int size = snprintf(ret_directory, TEMP_DIR_BYTES, "%s/%s-XXXXXX", below ? below : "/tmp",
		run ? run : "dsr-test");

	assert_true(size > 0 && size < (int)TEMP_DIR_BYTES);
	assert_non_null(mkdtemp(ret_directory));
}

static inline int temp_dir_remove_entry(
	const char *path, const struct stat *status, int type, struct FTW *place)
{
	return remove(path);
}

/* With all that is in it, but nothing of what is mounted there. */
static inline void temp_dir_remove(const char *directory)
{
	assert_int_equal(
		nftw(directory, temp_dir_remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

/* A new file for its owner alone, in place of one that is there. */
static inline void temp_dir_write(const char *directory, const char *name, const char *text)
{
	char path[2 * TEMP_DIR_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	(void)unlink(path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}
