/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop and wait. Called by the daemon's signals and timer, and by verbs.c. Must not know how the
 * host is put back or how a balancer is left.
 */
#include "agent/daemon/stop.h"

#include <inttypes.h>

#include "agent/daemon/admin.h"
#include "agent/daemon/refresh.h"
#include "agent/host/reconcile.h"
#include "agent/host/sockets.h"
#include "agent/registration/balancers.h"
#include "common/control/control.h"
#include "common/log.h"
#include "common/os/systemd.h"

static void stop_arm(struct agent *agent, uint64_t delay_us)
{
	(void)sd_event_source_set_time_relative(agent->wait_timer, delay_us);
	(void)sd_event_source_set_enabled(agent->wait_timer, SD_EVENT_ONESHOT);
}

static void stop_enter(struct agent *agent, enum agent_phase phase, uint64_t duration_us)
{
	agent->phase = phase;
	agent->phase_us = agent_now(agent);
	agent->deadline_us = agent->phase_us + duration_us;
	stop_arm(agent, 0);
}

void stop_begin(struct agent *agent)
{
	const struct config *config = agent->settings->config;

	if (agent->phase != AGENT_SERVING) {
		log_info("asked to stop again: waiting for nobody");
		agent->hurry = true;
		return;
	}
	systemd_tell_stopping();
	if (config->on_stop == CONFIG_KEEP) {
		log_info("stopping; VIPs and settings stay (on-stop = keep)");
		(void)sd_event_exit(agent->event, 0);
		return;
	}
	log_info("stopping: draining for at most %" PRIu64 " ms",
		config->drain_on_stop_us / US_PER_MS);
	stop_enter(agent, AGENT_DRAINING, config->drain_on_stop_us);
	refresh_all(agent);
}

/* The host is put back last, when no balancer sends anything more. */
static void stop_finish(struct agent *agent)
{
	int r;

	r = reconcile_withdraw(agent->reconcile);
	if (r == 0)
		(void)admin_store(agent->runtime_dir, REPORT_ENABLED);
	agent->exit_status = r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	(void)sd_event_exit(agent->event, agent->exit_status);
}

/*
 * True when the drain is known to the balancers, and what they had sent before has arrived: before
 * that, "no connection is open" means nothing.
 */
static bool stop_is_settled(struct agent *agent)
{
	uint64_t now_us = agent_now(agent);

	if (agent->settled_us == 0 &&
		(balancers_are_settled(agent->balancers) ||
			balancers_registered(agent->balancers) == 0 ||
			now_us - agent->phase_us > STOP_SETTLE_MAX_US))
		agent->settled_us = now_us;
	return agent->settled_us && now_us - agent->settled_us >= STOP_GRACE_US;
}

static void stop_drain(struct agent *agent, bool counted, uint64_t open)
{
	uint64_t now_us = agent_now(agent);

	if (!agent->hurry && !stop_is_settled(agent))
		return;
	if (!agent->hurry && now_us < agent->deadline_us && (!counted || open > 0))
		return;
	if (counted && open > 0)
		log_warning("leaving with %" PRIu64 " connections open", open);
	balancers_leave(agent->balancers);
	stop_enter(agent, AGENT_LEAVING, STOP_LEAVE_MAX_US);
}

/* A waiter is taken out before it is answered: answering may tell others that it went. */
static struct control_request *stop_take_waiter(struct agent *agent, size_t idx)
{
	struct control_request *request = agent->waiters[idx].request;

	agent->waiters[idx] = agent->waiters[--agent->n_waiters];
	return request;
}

static void stop_answer_waiters(struct agent *agent, bool counted, uint64_t open)
{
	uint64_t now_us = agent_now(agent);

	for (size_t idx = agent->n_waiters; idx-- > 0;) {
		uint64_t deadline_us = agent->waiters[idx].deadline_us;

		if (counted && open == 0)
			control_reply(stop_take_waiter(agent, idx), CONTROL_OK, NULL);
		else if (agent->admin == REPORT_ENABLED && agent->phase == AGENT_SERVING)
			control_fail(stop_take_waiter(agent, idx), CONTROL_TIMEOUT,
				"enabled again while waiting");
		else if (deadline_us && now_us >= deadline_us)
			control_fail(stop_take_waiter(agent, idx), CONTROL_TIMEOUT,
				"%" PRIu64 " connections are still open; the drain goes on", open);
	}
}

void stop_go_on(struct agent *agent)
{
	uint64_t open = 0;
	bool counted = sockets_count_open(agent->sockets, &open) == 0;

	if (agent->n_waiters &&
		(agent->phase != AGENT_SERVING || balancers_are_settled(agent->balancers)))
		stop_answer_waiters(agent, counted, open);
	switch (agent->phase) {
	case AGENT_SERVING:
		break;
	case AGENT_DRAINING:
		stop_drain(agent, counted, open);
		break;
	case AGENT_LEAVING:
		if (balancers_have_left(agent->balancers) || agent->hurry ||
			agent_now(agent) >= agent->deadline_us) {
			stop_finish(agent);
			return;
		}
		break;
	}
	if (agent->phase != AGENT_SERVING || agent->n_waiters)
		stop_arm(agent, open > STOP_BUSY ? STOP_LOOK_BUSY_US : STOP_LOOK_US);
}

static void stop_forget_waiter(struct control_request *request, void *context)
{
	struct agent *agent = context;

	for (size_t idx = 0; idx < agent->n_waiters; idx++) {
		if (agent->waiters[idx].request == request) {
			(void)stop_take_waiter(agent, idx);
			return;
		}
	}
}

void stop_wait(struct agent *agent, struct control_request *request, uint64_t timeout_us)
{
	if (agent->n_waiters >= AGENT_WAITERS_MAX) {
		control_fail(
			request, CONTROL_UNAVAILABLE, "%u others wait already", AGENT_WAITERS_MAX);
		return;
	}
	control_request_keep(request, stop_forget_waiter, agent);
	agent->waiters[agent->n_waiters++] = (struct agent_waiter){
		.request = request,
		.deadline_us = timeout_us ? agent_now(agent) + timeout_us : 0,
	};
	stop_arm(agent, STOP_GRACE_US);
}
