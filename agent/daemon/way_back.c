/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See way_back.h. A request is the occasion, settings and routes are the proof, and say when it is over: no client
 * comes meanwhile.
 */
#include "agent/daemon/way_back.h"

#include "agent/daemon/refresh.h"
#include "agent/host/accepts.h"
#include "agent/host/reconcile.h"
#include "agent/host/reverse_path.h"
#include "common/log.h"

/* So long after it nobody else was let in. */
#define WAY_BACK_PATIENCE_US (1 * US_PER_S)

static const char *way_back_interface(const struct agent *agent, unsigned int ifindex)
{
	const struct host_link *link = host_link(reconcile_host(agent->reconcile), ifindex);

	return link ? link->name : "no interface";
}

/* Empty: it is not dropped. False: that cannot be known now. */
static bool way_back_judge(const struct agent *agent, struct why *ret_why)
{
	const struct accepts_stray *stray = &agent->stray;
	const char *name = way_back_interface(agent, stray->ifindex);
	char client[ADDR_STRLEN];
	unsigned int out = 0;
	int r = reverse_path_drops(agent->nl, &stray->client, &stray->vip, stray->ifindex, &out);

	if (r > 0)
		why_set(ret_why,
			"rp_filter of %s is strict (1), and the way back to %s is %s: its requests are dropped "
			"(sysctl -w net/ipv4/conf/%s/rp_filter=2)",
			name, addr_format(&stray->client, client), way_back_interface(agent, out),
			name);
	return r >= 0 || !host_link(reconcile_host(agent->reconcile), stray->ifindex);
}

/* The first request without a way back stands for all, until it has one or somebody is let in. */
static void way_back_take(struct agent *agent)
{
	struct accepts_stray stray;

	if (!accepts_stray(agent->accepts, &stray) || agent->stray.ifindex != 0)
		return;
	agent->stray = stray;
	agent->stray_us = agent_now(agent);
	agent->stray_total = accepts_total(agent->accepts, stray.vip.family);
}

void way_back_look(struct agent *agent)
{
	struct why why = { 0 };

	way_back_take(agent);
	if (agent->stray.ifindex == 0)
		return;
	/* Else its address may be a forged one, and clients are served; those of the other family say nothing about it. */
	if (accepts_total(agent->accepts, agent->stray.vip.family) == agent->stray_total) {
		if (agent_now(agent) - agent->stray_us < WAY_BACK_PATIENCE_US)
			return;
		if (!way_back_judge(agent, &why))
			return;
	}
	if (!why.text[0])
		agent->stray = (struct accepts_stray){ 0 };
	if (streq(why.text, agent->dropped))
		return;
	snprintf(agent->dropped, sizeof(agent->dropped), "%s", why.text);
	if (!why.text[0])
		log_info("clients' requests are no longer dropped by rp_filter");
	refresh_all(agent);
}
