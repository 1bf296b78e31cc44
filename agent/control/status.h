/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's state in one word and as the document of `status --json`. */
#pragma once

#include <jansson.h>

#include "agent/daemon/daemon.h"

#define STATUS_REASON_BYTES 384u

enum status_health {
	STATUS_WELL = 0,
	STATUS_DEGRADED = 1,
	STATUS_NO_BALANCER = 2,
};

/* "up", "pending", …; `ret_reason` (STATUS_REASON_BYTES) is "" only for "up". */
const char *status_state(const struct daemon *daemon, char *ret_reason);
enum status_health status_health(const struct daemon *daemon);
/* NULL: out of memory. */
json_t *status_make(const struct daemon *daemon);
