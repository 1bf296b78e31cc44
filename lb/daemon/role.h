/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this balancer is to serve, and if not, why. Pure: facts in, a role out.
 */
#pragma once

#include "common/addr.h"

struct role;

/* What the role depends on, beside the administrator's word. */
struct role_facts {
	const struct addr *when;      /* active-when; AF_UNSPEC: always */
	bool has_when;                /* it is on this host */
	const struct addr *local_vip; /* a VIP that is on this host, or NULL */
	const char *unguarded;        /* why the kernel would answer for that; NULL: it would not */
};

struct role_status {
	bool standby; /* by the administrator */
	bool active;
	bool guarded;       /* not active because something is wrong */
	const char *reason; /* why not active, "" while active; the role's */
};

/* Not active until the first role_update(). NULL: out of memory. */
struct role *role_new(void);
struct role *role_free(struct role *role);
DEFINE_CLEANUP(struct role *, role_free)
/* The administrator's word; heeded by the next role_update(). */
void role_set_standby(struct role *role, bool standby);
/* True: it became active, or ceased to be. */
bool role_update(struct role *role, const struct role_facts *facts);
struct role_status role_status(const struct role *role);
