/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this host's own kernel drops what clients ask, because answers would leave by another interface and rp_filter is
 * strict. A balancer's probes come from the link and pass. Called by listening.c.
 */
#pragma once

#include "agent/daemon/agent.h"

/* Looks at what came lately and had no way back, and at what was found before; what changes is told. */
void way_back_look(struct agent *agent);
