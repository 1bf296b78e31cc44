/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as lines for people, and for scripts that keepalived's notify FIFO was read by. Pure. */
#pragma once

#include <jansson.h>

#include "common/util.h"

enum event_format {
	EVENT_FORMAT_TEXT, /* "TIME WORDS" */
	EVENT_FORMAT_KEEPALIVED, /* "RS [192.0.2.11]:tcp:80 [198.51.100.10]:tcp:80 DOWN", "VS [198.51.100.10]:tcp:80 UP" */
	EVENT_FORMAT_N_
};

/* "text", "keepalived". False: it is none of them. */
bool event_format_parse(const char *name, enum event_format *ret_format);

/*
 * One event, as its JSON says it, in whole lines, each with its end; to free. "" where the format has nothing to say of
 * it: keepalived's is about backends and virtual servers that come or go, a line for each of their services. NULL: no
 * memory.
 */
char *event_print(const json_t *event, enum event_format format);
