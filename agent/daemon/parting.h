/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VIPs that a reload took out of the configuration: they stay on the host until their last connection
 * has ended, for drain-on-stop at most.
 */
#pragma once

#include "agent/daemon/agent.h"

#define PARTING_SETTLE_US \
	(1 * US_PER_S) /* balancers send until they know: no count is believed before */

/* Before the new settings are adopted, whose VIPs and time these are. */
void parting_begin(struct agent *agent, const struct config *config);
/* Lets go of what has ended; after each look at the host. */
void parting_go_on(struct agent *agent);
