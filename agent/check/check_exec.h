/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `exec:COMMAND`: a plugin with the statuses of Nagios (0 well, 1 warning, 2 critical, 3 unknown). */
#pragma once

#include "agent/check/check_kind.h"

extern const struct check_kind check_exec_kind;
/* What an end of the program means; `text` is its first line without performance data. For tests. */
enum check_outcome check_exec_judge(
	const char *program, int status, const char *output, struct why *ret_why);
