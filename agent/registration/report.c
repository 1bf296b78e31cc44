/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts → status. Called by the daemon after each look at the host and each wish of the
 * administrator. Pure: must not know of balancers.
 */
#include "agent/registration/report.h"

#include <assert.h>

static const char *const heartbeat_admin_names[] = {
	[HEARTBEAT_ENABLED] = "enabled",
	[HEARTBEAT_DRAIN] = "drain",
	[HEARTBEAT_MAINT] = "maint",
};
static_assert(ARRAY_LEN(heartbeat_admin_names) == HEARTBEAT_ADMIN_N_, "a name for each wish");

const char *heartbeat_admin_name(enum heartbeat_admin admin)
{
	return heartbeat_admin_names[admin];
}

int heartbeat_admin_parse(const char *text, enum heartbeat_admin *ret_admin)
{
	for (unsigned int admin = 0; admin < HEARTBEAT_ADMIN_N_; admin++) {
		if (streq(text, heartbeat_admin_names[admin])) {
			*ret_admin = admin;
			return 0;
		}
	}
	return -EINVAL;
}

static void heartbeat_decide(
	const struct heartbeat_facts *facts, const char *fault, struct proto_status *status)
{
	const char *reason = "";

	if (fault[0]) {
		status->state = PROTO_STATE_DOWN;
		reason = fault;
	} else if (facts->admin == HEARTBEAT_MAINT) {
		status->state = PROTO_STATE_MAINT;
		reason = "disabled by the administrator";
	} else if (facts->stopping) {
		status->state = PROTO_STATE_DRAIN;
		reason = "the agent stops";
	} else if (facts->admin == HEARTBEAT_DRAIN) {
		status->state = PROTO_STATE_DRAIN;
		reason = "drained by the administrator";
	} else {
		status->state = PROTO_STATE_UP;
	}
	snprintf(status->reason, sizeof(status->reason), "%s", reason);
}

void heartbeat_make_status(const struct heartbeat_facts *facts, struct proto_status *ret_status)
{
	struct proto_status status = { .weight = facts->weight };
	char fault[PLAN_REASON_BYTES] = "";

	snprintf(fault, sizeof(fault), "%s", facts->blocked);
	status.n_vips = (uint8_t)facts->wish->n_vips;
	for (size_t idx = 0; idx < facts->wish->n_vips; idx++) {
		struct proto_vip_status *vip = &status.vips[idx];
		char reason[PLAN_REASON_BYTES];

		plan_verify(facts->host, facts->wish, &facts->wish->vips[idx], &vip->present,
			&vip->silent, reason);
		vip->established = facts->established[idx];
		if (!fault[0])
			memcpy(fault, reason, sizeof(fault));
	}
	heartbeat_decide(facts, fault, &status);
	*ret_status = status;
}
