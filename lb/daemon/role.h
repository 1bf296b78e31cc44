/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this balancer is to serve, and if not, why; for how long one that ceased forwards what still comes.
 * Pure: facts in, a role out.
 */
#pragma once

#include "common/addr.h"

struct role;

enum role_state {
	ROLE_STANDBY,
	ROLE_LINGERING, /* announces nothing, forwards on */
	ROLE_ACTIVE,
	ROLE_STATE_N_,
};

/* What the role depends on, beside the administrator's word. */
struct role_facts {
	const struct addr *when;      /* active-when; AF_UNSPEC: always */
	bool has_when;                /* it is on this host */
	const struct addr *local_vip; /* a VIP that is on this host, or NULL */
	const char *unguarded;        /* why the kernel would answer for that; NULL: it would not */
	uint64_t linger_us;           /* as configured; 0: not at all */
	uint64_t now_us;              /* monotonic */
};

struct role_status {
	enum role_state state;
	bool standby;       /* by the administrator */
	bool active;        /* the state is */
	bool forwards;      /* active, or lingering */
	bool guarded;       /* not active because something is wrong */
	bool was_active;    /* at the last look, also of the previous run */
	uint64_t until_us;  /* lingers until then; 0: does not linger */
	const char *reason; /* why not active, "" while active; the role's */
};

/* On standby until the first role_update(). NULL: out of memory. */
struct role *role_new(void);
struct role *role_free(struct role *role);
DEFINE_CLEANUP(struct role *, role_free)
/* "active", "lingering", "standby". */
const char *role_state_name(enum role_state state);
/* The administrator's word; heeded by the next role_update(). */
void role_set_standby(struct role *role, bool standby);
/*
 * Once, instead of what is configured: it lingers for so long from the next role_update() on, if that finds it no
 * longer active, or lingering already. 0: it ceases at once.
 */
void role_set_linger(struct role *role, uint64_t linger_us);
/* What the previous run of the same boot was, as its status said it; before the first role_update(). */
void role_restore(struct role *role, bool was_active, uint64_t until_us);
/* True: the state is another one. */
bool role_update(struct role *role, const struct role_facts *facts);
struct role_status role_status(const struct role *role);
