/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent itself: configuration, key, process, and what balancers say to it. Of struct facts; pure. */
#pragma once

struct doctor;

void checks_config(const void *context, struct doctor *doctor);
void checks_key(const void *context, struct doctor *doctor);
void checks_daemon(const void *context, struct doctor *doctor);
void checks_capabilities(const void *context, struct doctor *doctor);
void checks_boot(const void *context, struct doctor *doctor);
/* That the host could be looked at, and which of its addresses faces the balancers. */
void checks_host(const void *context, struct doctor *doctor);
/* What each balancer says: registered, silent, refused. */
void checks_balancer(const void *context, struct doctor *doctor);
/* Serving, or why not: what the agent itself complains of, and what an administrator said. */
void checks_state(const void *context, struct doctor *doctor);
/* Local checks of the service (`check`, `unit`). */
void checks_check(const void *context, struct doctor *doctor);
