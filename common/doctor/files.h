/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the host as a doctor reads them: whole, as text, below a root that is "" but in tests. */
#pragma once

#include "common/util.h"

#define FILES_TEXT_MAX_BYTES (1u << 20)

struct files_list {
	char **paths; /* without the root, in name order */
	size_t len;
};

/* The text, to free; what is longer than FILES_TEXT_MAX_BYTES is cut. 0 or negative errno. */
int files_read(const char *root, const char *path, char **ret_text);
/* What matches the pattern of glob(7), with braces. 0, also when nothing does; or -ENOMEM. */
int files_list(const char *root, const char *pattern, struct files_list *ret_list);
/* Frees what it holds and leaves it empty. */
void files_list_clear(struct files_list *list);
bool files_exist(const char *root, const char *path);
/*
 * The next line of a text, cut off in place, without white space around it; NULL: there is none. `*cursor` begins at the text,
 * `*number` at 0 and becomes the line's.
 */
char *files_next_line(char **cursor, unsigned int *number);
