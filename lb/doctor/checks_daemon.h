/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The balancer itself: configuration, key file, process, and what it says of itself. Of struct facts; pure. */
#pragma once

struct doctor;

void checks_daemon(const void *context, struct doctor *doctor);
void checks_capabilities(const void *context, struct doctor *doctor);
void checks_boot(const void *context, struct doctor *doctor);
/* Valid, and the one in force. */
void checks_config(const void *context, struct doctor *doctor);
void checks_key(const void *context, struct doctor *doctor);
/* Active, or why not. */
void checks_state(const void *context, struct doctor *doctor);
/* Whether agents can reach it. */
void checks_listen(const void *context, struct doctor *doctor);
/* The engine that forwards, and what keeps a better one out. */
void checks_mode(const void *context, struct doctor *doctor);
/* What the kernel has for engines in it. */
void checks_kernel(const void *context, struct doctor *doctor);
