/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Called by refresh.c and by the verbs. Changes nothing. */
#include "agent/daemon/summary.h"

#include "agent/host/reconcile.h"
#include "agent/registration/balancers.h"

static void summary_pending_reason(const struct agent *agent, struct why *ret_reason)
{
	if (agent->identity_why[0])
		why_set(ret_reason, "%s", agent->identity_why);
	else if (balancers_len(agent->balancers) > 0)
		why_set(ret_reason, "%s", balancers_view(agent->balancers, 0)->reason);
	else
		why_set(ret_reason, "not started");
}

const char *summary_state(const struct agent *agent, struct why *ret_reason)
{
	const struct proto_status *status = &agent->status;

	if (agent->has_status && status->state == PROTO_STATE_DOWN && agent->fault_since_us == 0 &&
		agent->verdict.state >= CHECK_STATE_PENDING) {
		why_set(ret_reason, "%s", agent->verdict.reason.text);
		return check_state_name(agent->verdict.state);
	}
	if (agent->has_status && status->state == PROTO_STATE_DOWN) {
		/* The whole complaint; the protocol's has less room. */
		const char *blocked = reconcile_blocked(agent->reconcile);

		why_set(ret_reason, "%s", blocked[0] ? blocked : status->reason);
		return "down";
	}
	if (!agent->has_status || balancers_registered(agent->balancers) == 0) {
		summary_pending_reason(agent, ret_reason);
		return "pending";
	}
	/* Balancers that ask for that port keep this host out. */
	if (status->state == PROTO_STATE_UP && agent->unheard[0]) {
		why_set(ret_reason, "%s", agent->unheard);
		return "down";
	}
	why_set(ret_reason, "%s", status->reason[0] ? status->reason : agent->unserved);
	return proto_state_name(status->state);
}

enum summary_health summary_health(const struct agent *agent)
{
	size_t n_registered = balancers_registered(agent->balancers);

	if (n_registered == 0)
		return SUMMARY_NO_BALANCER;
	if (agent->status.state != PROTO_STATE_UP || agent->unheard[0] ||
		n_registered < balancers_len(agent->balancers))
		return SUMMARY_DEGRADED;
	return SUMMARY_WELL;
}
