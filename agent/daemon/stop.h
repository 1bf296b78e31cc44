/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ends of things that take time: a stop (drain, leave, withdraw) and `drain --wait`. Both wait
 * for the last connection, at the agent's wait timer.
 */
#pragma once

#include "agent/daemon/agent.h"

#define STOP_SETTLE_MAX_US (1 * US_PER_S)   /* for balancers that do not acknowledge the drain */
#define STOP_GRACE_US      (50 * US_PER_MS) /* what was on its way when they did, arrives */
#define STOP_LEAVE_MAX_US  (2 * US_PER_S)
#define STOP_LOOK_US       (20 * US_PER_MS)
#define STOP_LOOK_BUSY_US  (250 * US_PER_MS) /* while more than STOP_BUSY connections are open */
#define STOP_BUSY          1000u

/* Begins a stop; a second call hurries it. With on-stop = keep the agent ends at once. */
void stop_begin(struct agent *agent);
/* Keeps the request and answers it when no connection is open, or with CONTROL_TIMEOUT. */
void stop_wait(struct agent *agent, struct control_request *request, uint64_t timeout_us);
/* The wait timer's handler. */
void stop_go_on(struct agent *agent);
