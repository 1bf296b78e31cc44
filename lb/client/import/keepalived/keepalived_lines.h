/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines of a keepalived.conf as its parser sees them in the end: comments gone, files included, conditions
 * decided, $VARIABLES replaced, ~SEQ and ~LST written out. Pure: files come through a function that is handed in.
 */
#pragma once

#include "lb/client/import/farm.h"

#define KEEPALIVED_LINES_MAX     200000u /* after all is written out */
#define KEEPALIVED_BYTES_MAX     (8u << 20)
#define KEEPALIVED_FILES_MAX     256u /* included, in all */
#define KEEPALIVED_NESTING_MAX   16u  /* of included files, and of variables and blocks in lines */
#define KEEPALIVED_VARIABLES_MAX 512u

/* Where something stands: in the file that was named, or in one that it includes. */
struct keepalived_place {
	unsigned int line; /* of the first file: of its include, for what stands in another */
	unsigned int file; /* 0: the first */
	unsigned int file_line;
};

typedef int keepalived_file_fn(
	void *reader, const char *folder, const char *data, size_t size_bytes);

struct keepalived_outside {
	/*
	 * Calls `take` with `reader` for each file that the pattern names, seen from the folder, and ends when that
	 * returns another than 0, with it. 0; -ENOENT: there is none; -EACCES, -EFBIG, …: one cannot be read.
	 */
	int (*include)(void *context, const char *folder, const char *pattern,
		keepalived_file_fn *take, void *reader);
	void *context;
	const char *folder;    /* of the first file */
	const char *config_id; /* what @conditions are about */
};

typedef int keepalived_line_fn(
	void *context, const struct keepalived_place *place, const char *line, struct why *ret_why);

/*
 * Calls `each` for each line that is not empty, without blanks around it; ends when that fails. Conditions that left
 * something out, includes that found nothing and the like are notes. 0; -EINVAL with `ret_why`: not readable, or a
 * limit above; -ENOMEM.
 */
int keepalived_lines(const char *data, size_t size_bytes, const struct keepalived_outside *outside,
	struct farm *farm, keepalived_line_fn *each, void *context, struct why *ret_why);
