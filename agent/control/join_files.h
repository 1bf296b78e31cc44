/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a token becomes: the key's line and dsr-agent.conf. */
#pragma once

#include "common/proto/token.h"

struct join_files {
	const char *config_path;
	char *key_path; /* `key` beside it */
};

/* The paths; -ENOMEM. */
int join_files_init(const char *config_path, struct join_files *ret_files);
void join_files_clear(struct join_files *files);
/* Whether one of them stands already: -EEXIST with which, and the mend. */
int join_files_check(const struct join_files *files, struct why *ret_why);
/*
 * Writes both, whole or not at all, and each only where none is: 0, or negative errno with what went wrong
 * (-EEXIST: another stood there meanwhile). Balancers that are on no subnet of this host are left out, unless
 * all are.
 */
int join_files_write(
	const struct join_files *files, const struct token *token, struct why *ret_why);
