/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See way_back.h. A client is the proof, and the settings say when it is over: no client comes meanwhile. */
#include "agent/daemon/way_back.h"

#include "agent/daemon/refresh.h"
#include "agent/host/accepts.h"
#include "agent/host/reconcile.h"
#include "agent/host/reverse_path.h"
#include "common/log.h"

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

void way_back_look(struct agent *agent)
{
	struct accepts_stray stray;
	struct why why = { 0 };

	/* The first that was found dropped stands for all until it is not. */
	if (accepts_stray(agent->accepts, &stray) && !agent->dropped[0])
		agent->stray = stray;
	if (agent->stray.ifindex == 0 || !way_back_judge(agent, &why))
		return;
	if (!why.text[0])
		agent->stray = (struct accepts_stray){ 0 };
	if (streq(why.text, agent->dropped))
		return;
	snprintf(agent->dropped, sizeof(agent->dropped), "%s", why.text);
	if (!why.text[0])
		log_info("clients' requests are no longer dropped by rp_filter");
	refresh_all(agent);
}
