/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Called by reload.c and refresh.c. Must not know what is told to balancers. */
#include "agent/daemon/parting.h"

#include "agent/host/reconcile.h"
#include "agent/host/sockets.h"
#include "common/log.h"

static bool parting_is_configured(const struct config *config, const struct addr *addr)
{
	const struct addr *vips = config->vips.items;

	ARRAY_FOREACH (vip, vips, config->vips.len) {
		if (addr_equal(vip, addr))
			return true;
	}
	return false;
}

static void parting_add(struct agent *agent, const struct config *config, const struct addr *vip)
{
	if (agent->n_parting < HOST_VIPS_MAX && !parting_is_configured(config, vip))
		agent->parting[agent->n_parting++] = *vip;
}

void parting_begin(struct agent *agent, const struct config *config)
{
	struct addr earlier[HOST_VIPS_MAX];
	size_t n_earlier = agent->n_parting;
	const struct addr *vips;

	if (!agent->settings)
		return;
	vips = agent->settings->config->vips.items;
	memcpy(earlier, agent->parting, sizeof(earlier));
	agent->n_parting = 0;
	ARRAY_FOREACH (vip, earlier, n_earlier)
		parting_add(agent, config, vip);
	ARRAY_FOREACH (vip, vips, agent->settings->config->vips.len)
		parting_add(agent, config, vip);
	if (config->drain_on_stop_us == 0)
		agent->n_parting = 0;
	agent->parting_since_us = agent_now(agent);
	agent->parting_deadline_us = agent->parting_since_us + config->drain_on_stop_us;
	if (sockets_watch(agent->parting_sockets, agent->parting, agent->n_parting) < 0)
		log_warning("out of memory: connections of VIPs that go are not waited for");
	reconcile_keep(agent->reconcile, agent->parting, agent->n_parting);
}

void parting_go_on(struct agent *agent)
{
	uint64_t now_us = agent_now(agent);
	uint64_t open = 0;
	bool counted;

	if (agent->n_parting == 0 || now_us - agent->parting_since_us < PARTING_SETTLE_US)
		return;
	counted = sockets_count_open(agent->parting_sockets, &open) == 0;
	if (now_us < agent->parting_deadline_us && (!counted || open > 0))
		return;
	if (open > 0)
		log_warning("VIPs that are no longer configured go with %llu connections open",
			(unsigned long long)open);
	agent->n_parting = 0;
	reconcile_keep(agent->reconcile, agent->parting, 0);
}
