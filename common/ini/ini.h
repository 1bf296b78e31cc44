/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files through one key table. inih splits the lines; this module feeds it from a
 * reader of its own, because inih alone merges repeated sections, continues values over indented
 * lines and cuts long ones (libinih 55), and fills structs by the table: type, range, default.
 * Collects every error as `file:line: key: what; hint` and never stops at the first.
 * Knows no key of either program.
 */
#pragma once

#include "common/ini/ini_key.h"
#include "common/ini/ini_report.h"
#include "common/ini/ini_value.h"

#define INI_FILES_MAX 256u /* in conf.d */

/*
 * Reads `path`, then `conf.d/`*`.conf` beside it in name order, into the structs that
 * `sections` open. A scalar's default is applied first, a list's when no file has set it;
 * required keys are checked last. A list goes on over repeated keys and later files. Returns 0
 * with an empty report; -EINVAL with a report that says everything (also for an unreadable main
 * file: `path: cannot open: …`); -ENOMEM. `*ret_report` is set in every case but -ENOMEM.
 * `sections` must outlive the report.
 */
int ini_load(const char *path, const struct ini_section *sections, size_t n_sections, void *context,
	struct ini_report **ret_report);

/* The same on text in memory, for tests and fuzzers; `name` stands for the file in errors. */
int ini_load_text(const char *name, const char *text, size_t size_bytes,
	const struct ini_section *sections, size_t n_sections, void *context,
	struct ini_report **ret_report);
