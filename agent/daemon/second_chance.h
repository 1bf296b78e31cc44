/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second chance in the running agent: the program is in place where it is configured and can be, and balancers know. A
 * host that cannot have it serves without. Called by refresh.c and daemon.c.
 */
#pragma once

#include "agent/daemon/agent.h"

/* After a look at the host and a reload: puts the program where it belongs, or takes it away; what changes is told. */
void second_chance_go_on(struct agent *agent);
/* A balancer told where servers are (balancers_peers_fn). */
void second_chance_on_peers(
	void *context, const struct addr *balancer, const struct proto_peers *peers);
