/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why something failed, in words: the last output of functions whose errno alone would not help whoever
 * reads the message. Header only.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"

/* A path and a sentence. What is longer is cut. */
#define WHY_BYTES 384u

/* All zeros says nothing. */
struct why {
	char text[WHY_BYTES];
};

/* NULL: nobody wants to know. */
_printf_(2, 3) static inline void why_set(struct why *why, const char *format, ...)
{
	va_list args;

	if (!why)
		return;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}

/* The same, and returns `error`: `return why_fail(ret_why, -EINVAL, "…")`. */
_printf_(3, 4) static inline int why_fail(struct why *why, int error, const char *format, ...)
{
	va_list args;

	if (!why)
		return error;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return error;
}

/* "WHAT: ERROR", and returns `error`, a negative errno. */
static inline int why_errno(struct why *why, int error, const char *what)
{
	return why_fail(why, error, "%s: %s", what, strerror(-error));
}
