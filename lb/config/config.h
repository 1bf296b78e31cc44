/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsr-lb.conf: one key table, one validated immutable struct. Reads files, looks at nothing else:
 * whether an interface exists or a backend is on the link is the caller's question.
 */
#pragma once

#include "lb/config/model.h"

/*
 * Loads and validates everything: 0 with `*ret_config`; -EINVAL with a report; -ENOMEM.
 * `*ret_report` is set but for -ENOMEM; the caller prints it.
 */
int config_load(const char *path, struct config **ret_config, struct ini_report **ret_report);
/* The same on text in memory, for the fuzzer and for tests; `name` stands for the file. */
int config_load_text(const char *name, const char *text, size_t size_bytes,
	struct config **ret_config, struct ini_report **ret_report);
/* The table, for the test that holds the man page to it. */
const struct ini_section *config_sections(size_t *ret_n_sections);
