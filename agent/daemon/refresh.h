/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told to whom after anything changed: identity and status to balancers, the state to systemd. */
#pragma once

#include "agent/daemon/agent.h"

#define REFRESH_MEND_US (1 * US_PER_S) /* a fault that is mended within this is not told */

/* Finds out who we are and how, and tells all who should know. */
void refresh_all(struct agent *agent);
/* Counts connections anew for the next answer, as often as that costs little. */
void refresh_counts(struct agent *agent);
/* Tells systemd the present state, when it is news. */
void refresh_notify(struct agent *agent);
/* What the administrator said, kept over a crash, then told. 0 or negative errno (nothing changed). */
int refresh_admin(struct agent *agent, enum report_admin admin);
/* A link-local address belongs to an interface, every other to the host (0). */
unsigned int refresh_scope(const struct agent *agent);
