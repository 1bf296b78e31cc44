/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See second_chance.h. */
#include "agent/daemon/second_chance.h"

#include "agent/chance/chance.h"
#include "agent/registration/balancers.h"
#include "common/log.h"

/* So long after it could not be had. */
#define SECOND_CHANCE_RETRY_US (10 * US_PER_S)

static int second_chance_put(struct agent *agent, struct why *ret_why)
{
	const struct config *config = agent->settings->config;
	int r = agent->chance ? 0 : chance_new(&agent->chance, ret_why);

	if (r < 0)
		return r;
	r = chance_serve(agent->chance, config->vips.items, config->vips.len);
	if (r < 0)
		return why_errno(ret_why, r, "the program's VIPs");
	return chance_follow(agent->chance, agent->identity.ifindex, ret_why);
}

/* What a killed run left, where that is possible. Once for each interface. */
static void second_chance_sweep(struct agent *agent)
{
	if (agent->chance_swept == agent->identity.ifindex)
		return;
	agent->chance_swept = agent->identity.ifindex;
	chance_sweep(agent->identity.ifindex);
}

void second_chance_go_on(struct agent *agent)
{
	bool was_on = agent->chance;
	struct why why = { 0 };
	int r = 0;

	if (!agent->has_identity || agent_now(agent) < agent->chance_retry_us)
		return;
	if (agent->settings->config->second_chance) {
		r = second_chance_put(agent, &why);
	} else {
		agent->chance = chance_free(agent->chance);
		second_chance_sweep(agent);
	}
	if (r < 0) {
		agent->chance = chance_free(agent->chance);
		agent->chance_retry_us = agent_now(agent) + SECOND_CHANCE_RETRY_US;
	}
	if (!was_on && agent->chance)
		log_info(
			"second chance: segments that no socket here has go on to the server that they "
			"name");
	if (why.text[0] && !streq(why.text, agent->chance_why))
		log_warning("no second chance: %s", why.text);
	snprintf(agent->chance_why, sizeof(agent->chance_why), "%s", why.text);
}

void second_chance_on_peers(
	void *context, const struct addr *balancer, const struct proto_peers *peers)
{
	struct agent *agent = context;
	char text[ADDR_STRLEN];
	int r;

	if (!agent->chance)
		return;
	r = chance_take(agent->chance, balancer, peers);
	if (r == agent->chance_error)
		return;
	agent->chance_error = r;
	addr_format(balancer, text);
	if (r == -EEXIST)
		log_warning(
			"second chance: %s names servers by the same MACs as another balancer, so by "
			"it none is known; remove the kept state of one of them",
			text);
	else if (r < 0)
		log_warning("second chance: what %s tells of servers is not known whole: %s", text,
			strerror(-r));
}
