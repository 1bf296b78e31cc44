/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the agent is, in one word, a reason and a grade: for `status` and for systemd. Pure. */
#pragma once

#include "agent/daemon/agent.h"
#include "common/why.h"

enum summary_health {
	SUMMARY_WELL = 0,
	SUMMARY_DEGRADED = 1,
	SUMMARY_NO_BALANCER = 2,
};

/* "up", "pending", …; `ret_reason` is empty only for "up". */
const char *summary_state(const struct agent *agent, struct why *ret_reason);
enum summary_health summary_health(const struct agent *agent);
