/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's beginning, end and clock. Called by all of its room. Must not know what its parts do. */
#include "agent/daemon/agent.h"

#include "agent/chance/chance.h"
#include "agent/check/checks.h"
#include "agent/host/accepts.h"
#include "agent/host/listeners.h"
#include "agent/host/reconcile.h"
#include "agent/host/sockets.h"
#include "agent/registration/balancers.h"
#include "agent/registration/pins.h"
#include "common/events/events_verb.h"
#include "common/control/control.h"
#include "common/http/http_common.h"

struct agent *agent_new(const char *config_path, const char *runtime_dir)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return NULL;
	agent->config_path = config_path;
	agent->runtime_dir = runtime_dir;
	return agent;
}

struct agent *agent_free(struct agent *agent)
{
	if (!agent)
		return NULL;
	control_free(agent->control);
	http_common_free(agent->http);
	checks_free(agent->checks);
	reconcile_free(agent->reconcile);
	balancers_free(agent->balancers);
	pins_free(agent->pins);
	chance_free(agent->chance);
	net_free(agent->net);
	sockets_free(agent->sockets);
	sockets_free(agent->parting_sockets);
	accepts_free(agent->accepts);
	listeners_free(agent->listeners);
	nl_free(agent->nl);
	settings_free(agent->settings);
	sd_event_source_disable_unref(agent->listen_timer);
	sd_event_source_disable_unref(agent->wait_timer);
	events_verb_free(agent->events_verb);
	events_free(agent->events);
	sd_event_unref(agent->event);
	free(agent);
	return NULL;
}

uint64_t agent_now(const struct agent *agent)
{
	uint64_t now_us = 0;

	(void)sd_event_now(agent->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}
