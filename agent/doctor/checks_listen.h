/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether somebody listens where clients ask. Of struct facts; pure. */
#pragma once

struct doctor;

/* A service at the real IP alone, and VIPs at which nobody listens. */
void checks_listener(const void *context, struct doctor *doctor);
/* Requests for a VIP that come in and are not answered, though somebody listens. */
void checks_filter(const void *context, struct doctor *doctor);
