/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether somebody listens on the ports that balancers ask about: looked at each check-interval and when one asks, and
 * told to them. Called by daemon.c.
 */
#pragma once

#include "agent/daemon/agent.h"

/* Begins to look, now and each check-interval. 0 or negative errno. */
int listening_start(struct agent *agent);
/* Looks at once. */
void listening_look(struct agent *agent);
