/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging for the two programs: to the journal with fields when stderr is connected to it,
 * else to stderr, one line a message. Called by main loops and glue only: pure modules and
 * the rest of common/ return errors and never log.
 */
#pragma once

#include "common/util.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_N_
};

/* Names the program in front of lines on stderr and finds out where stderr leads. */
void log_open(const char *program);
/*
 * For a daemon, once, before it has threads: from now on a log that nobody reads (a journald that is stopped, a pipe that is
 * full) holds nobody up, and a reader that has gone ends nobody. Lines that find no room are lost; the next one says how many.
 */
void log_never_wait(void);
void log_set_level(enum log_level level);

/*
 * Writes one message. `error` is 0 or an errno of either sign, whose text is appended.
 * `fields` is NULL or a NULL-terminated list of "NAME=value" for the journal, for instance
 * "DSR_BACKEND=web1"; on stderr they are left out. Returns -abs(error). Thread-safe.
 */
int log_write(enum log_level level, int error, const char *const *fields, const char *format, ...)
	_printf_(4, 5);

#define log_error(...)   ((void)log_write(LOG_LEVEL_ERROR, 0, NULL, __VA_ARGS__))
#define log_warning(...) ((void)log_write(LOG_LEVEL_WARNING, 0, NULL, __VA_ARGS__))
#define log_info(...)    ((void)log_write(LOG_LEVEL_INFO, 0, NULL, __VA_ARGS__))
#define log_debug(...)   ((void)log_write(LOG_LEVEL_DEBUG, 0, NULL, __VA_ARGS__))
/*
 * Says what failed, on what, why; returns the negative errno: `return log_errno(r, "…");`. The
 * number is computed here, so that analysers see that a failure stays one.
 */
#define log_errno(error, ...)         LOG_ERRNO_AT(LOG_LEVEL_ERROR, error, __VA_ARGS__)
#define log_warning_errno(error, ...) LOG_ERRNO_AT(LOG_LEVEL_WARNING, error, __VA_ARGS__)
#define LOG_ERRNO_AT(level, error, ...) \
	({ \
		int logged_ = (error); \
		(void)log_write(level, logged_, NULL, __VA_ARGS__); \
		logged_ > 0 ? -logged_ : logged_; \
	})
/* log_fields(LOG_LEVEL_INFO, LOG_FIELDS("DSR_BACKEND=web1"), "format", …) */
#define LOG_FIELDS(...)                ((const char *const[]){ __VA_ARGS__, NULL })
#define log_fields(level, fields, ...) ((void)log_write(level, 0, fields, __VA_ARGS__))
