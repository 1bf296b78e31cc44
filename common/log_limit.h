/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which refusals of strangers' messages deserve a line in the log: one a minute and source, in a
 * fixed table; when that is full of younger sources, one line a minute says so for all others. Pure.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define LOG_LIMIT_LINES_MAX   60u /* in a minute, whatever arrives */
#define LOG_LIMIT_SOURCES_MAX (LOG_LIMIT_LINES_MAX - 1)
#define LOG_LIMIT_US          (60 * US_PER_S)

/* Of one line. All zeros: it was never logged. */
struct log_limit_source {
	struct addr source;
	uint64_t logged_us;
	uint64_t silenced;
};

/* All zeros is empty. */
struct log_limit {
	struct log_limit_source sources[LOG_LIMIT_SOURCES_MAX], others;
};

/* True when to log that line now; then `*ret_silenced` counts how often it was not since. */
bool log_limit_take(struct log_limit_source *entry, uint64_t now_us, uint64_t *ret_silenced);

/*
 * True when to log now; `*ret_silenced` counts what this source (with `*ret_many`: all those that
 * have no place in the table) was silenced since its last line.
 */
bool log_limit_is_due(struct log_limit *limit, const struct addr *source, uint64_t now_us,
	uint64_t *ret_silenced, bool *ret_many);
