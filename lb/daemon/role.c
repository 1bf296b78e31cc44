/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Active or not: see role.h. */
#include "lb/daemon/role.h"

#include "common/why.h"

struct role {
	bool standby;
	bool active;
	bool guarded;
	struct why reason;
};

struct role *role_new(void)
{
	return calloc(1, sizeof(struct role));
}

struct role *role_free(struct role *role)
{
	free(role);
	return NULL;
}

void role_set_standby(struct role *role, bool standby)
{
	role->standby = standby;
}

bool role_update(struct role *role, const struct role_facts *facts)
{
	bool active_before = role->active;
	char text[ADDR_STRLEN];

	role->active = role->guarded = false;
	role->reason = (struct why){ 0 };
	if (role->standby) {
		why_set(&role->reason, "on standby by an administrator; `dsr-lb active` ends it");
	} else if (facts->when->family != AF_UNSPEC && !facts->has_when) {
		why_set(&role->reason, "active-when: %s is not on this host",
			addr_format(facts->when, text));
	} else if (facts->local_vip && facts->unguarded) {
		role->guarded = true;
		why_set(&role->reason,
			"%s is configured on this host, whose kernel would answer clients with RST, "
			"and no guard can be loaded (%s); remove the address, or let dsr-lb load BPF "
			"programs",
			addr_format(facts->local_vip, text), facts->unguarded);
	} else {
		role->active = true;
	}
	return role->active != active_before;
}

struct role_status role_status(const struct role *role)
{
	return (struct role_status){ role->standby, role->active, role->guarded,
		role->reason.text };
}
