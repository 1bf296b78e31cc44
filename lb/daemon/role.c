/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Active, lingering or neither: see role.h. */
#include "lb/daemon/role.h"

#include "common/why.h"

struct role {
	enum role_state state;
	bool standby;
	bool guarded;
	bool was_active;
	bool lingers_once; /* for `once_us` */
	uint64_t once_us;
	uint64_t until_us;
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

const char *role_state_name(enum role_state state)
{
	static const char *const names[] = { "standby", "lingering", "active" };

	_Static_assert(ARRAY_LEN(names) == ROLE_STATE_N_, "every state has a name");
	return names[state];
}

void role_set_standby(struct role *role, bool standby)
{
	role->standby = standby;
}

void role_set_linger(struct role *role, uint64_t linger_us)
{
	role->lingers_once = true;
	role->once_us = linger_us;
}

void role_restore(struct role *role, bool was_active, uint64_t until_us)
{
	role->was_active = was_active;
	role->until_us = until_us;
}

/* Whether it is to be active; if not, the reason says why. */
static bool role_judge(struct role *role, const struct role_facts *facts)
{
	char text[ADDR_STRLEN];

	role->guarded = false;
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
		return true;
	}
	return false;
}

/* Of one that is not to be active. Without a guard it must not forward either. */
static enum role_state role_linger(struct role *role, const struct role_facts *facts)
{
	struct why why = role->reason;

	if (role->lingers_once && (role->was_active || role->until_us > facts->now_us))
		role->until_us = facts->now_us + role->once_us;
	else if (role->was_active)
		role->until_us = facts->now_us + facts->linger_us;
	if (role->guarded || role->until_us <= facts->now_us) {
		role->until_us = 0;
		return ROLE_STANDBY;
	}
	why_set(&role->reason, "%s; lingers: forwards what still comes", why.text);
	return ROLE_LINGERING;
}

bool role_update(struct role *role, const struct role_facts *facts)
{
	enum role_state before = role->state;

	if (role_judge(role, facts)) {
		role->state = ROLE_ACTIVE;
		role->until_us = 0;
	} else {
		role->state = role_linger(role, facts);
	}
	role->was_active = role->state == ROLE_ACTIVE;
	role->lingers_once = false;
	return role->state != before;
}

struct role_status role_status(const struct role *role)
{
	return (struct role_status){
		.state = role->state,
		.standby = role->standby,
		.active = role->state == ROLE_ACTIVE,
		.forwards = role->state != ROLE_STANDBY,
		.guarded = role->guarded,
		.was_active = role->was_active,
		.until_us = role->until_us,
		.reason = role->reason.text,
	};
}
