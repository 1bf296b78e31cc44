/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop and wait. Called by the daemon's signals and timer, and by verbs.c. Must not know how the
 * host is put back or how a balancer is left.
 */
#include "agent/daemon/stop.h"

#include <inttypes.h>

#include "agent/daemon/admin.h"
#include "common/log.h"
#include "common/systemd.h"

static void stop_arm(struct daemon *daemon, uint64_t delay_us)
{
	(void)sd_event_source_set_time_relative(daemon->pace, delay_us);
	(void)sd_event_source_set_enabled(daemon->pace, SD_EVENT_ONESHOT);
}

static void stop_enter(struct daemon *daemon, enum daemon_phase phase, uint64_t duration_us)
{
	daemon->phase = phase;
	daemon->phase_us = daemon_now(daemon);
	daemon->deadline_us = daemon->phase_us + duration_us;
	stop_arm(daemon, 0);
}

void stop_begin(struct daemon *daemon)
{
	const struct config *config = daemon->settings->config;

	if (daemon->phase != DAEMON_SERVING) {
		log_info("asked to stop again: waiting for nobody");
		daemon->hurry = true;
		return;
	}
	systemd_tell_stopping();
	if (config->on_stop == CONFIG_KEEP) {
		log_info("stopping; VIPs and settings stay (on-stop = keep)");
		(void)sd_event_exit(daemon->event, 0);
		return;
	}
	log_info("stopping: draining for at most %" PRIu64 " ms",
		config->drain_on_stop_us / US_PER_MS);
	stop_enter(daemon, DAEMON_DRAINING, config->drain_on_stop_us);
	daemon_refresh(daemon);
}

/* The host is put back last, when no balancer sends anything more. */
static void stop_finish(struct daemon *daemon)
{
	int r;

	r = reconcile_withdraw(daemon->reconcile);
	if (r == 0)
		(void)admin_store(daemon->runtime_dir, REPORT_ENABLED);
	daemon->exit_status = r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	(void)sd_event_exit(daemon->event, daemon->exit_status);
}

/*
 * True when the drain is known to the balancers, and what they had sent before has arrived: before
 * that, "no connection is open" means nothing.
 */
static bool stop_is_settled(struct daemon *daemon)
{
	uint64_t now_us = daemon_now(daemon);

	if (daemon->settled_us == 0 &&
		(balancers_are_settled(daemon->balancers) ||
			balancers_registered(daemon->balancers) == 0 ||
			now_us - daemon->phase_us > STOP_SETTLE_MAX_US))
		daemon->settled_us = now_us;
	return daemon->settled_us && now_us - daemon->settled_us >= STOP_GRACE_US;
}

static void stop_drain(struct daemon *daemon, bool counted, uint64_t open)
{
	uint64_t now_us = daemon_now(daemon);

	if (!daemon->hurry && !stop_is_settled(daemon))
		return;
	if (!daemon->hurry && now_us < daemon->deadline_us && (!counted || open > 0))
		return;
	if (counted && open > 0)
		log_warning("leaving with %" PRIu64 " connections open", open);
	balancers_leave(daemon->balancers);
	stop_enter(daemon, DAEMON_LEAVING, STOP_LEAVE_MAX_US);
}

/* A waiter is taken out before it is answered: answering may tell others that it went. */
static struct control_request *stop_take_waiter(struct daemon *daemon, size_t idx)
{
	struct control_request *request = daemon->waiters[idx].request;

	daemon->waiters[idx] = daemon->waiters[--daemon->n_waiters];
	return request;
}

static void stop_answer_waiters(struct daemon *daemon, bool counted, uint64_t open)
{
	uint64_t now_us = daemon_now(daemon);

	for (size_t idx = daemon->n_waiters; idx-- > 0;) {
		uint64_t deadline_us = daemon->waiters[idx].deadline_us;

		if (counted && open == 0)
			control_reply(stop_take_waiter(daemon, idx), CONTROL_OK, NULL);
		else if (daemon->admin == REPORT_ENABLED && daemon->phase == DAEMON_SERVING)
			control_fail(stop_take_waiter(daemon, idx), CONTROL_TIMEOUT,
				"enabled again while waiting");
		else if (deadline_us && now_us >= deadline_us)
			control_fail(stop_take_waiter(daemon, idx), CONTROL_TIMEOUT,
				"%" PRIu64 " connections are still open; the drain goes on", open);
	}
}

void stop_go_on(struct daemon *daemon)
{
	uint64_t open = 0;
	bool counted = sockets_count_open(daemon->sockets, &open) == 0;

	if (daemon->n_waiters &&
		(daemon->phase != DAEMON_SERVING || balancers_are_settled(daemon->balancers)))
		stop_answer_waiters(daemon, counted, open);
	switch (daemon->phase) {
	case DAEMON_SERVING:
		break;
	case DAEMON_DRAINING:
		stop_drain(daemon, counted, open);
		break;
	case DAEMON_LEAVING:
		if (balancers_have_left(daemon->balancers) || daemon->hurry ||
			daemon_now(daemon) >= daemon->deadline_us) {
			stop_finish(daemon);
			return;
		}
		break;
	}
	if (daemon->phase != DAEMON_SERVING || daemon->n_waiters)
		stop_arm(daemon, open > STOP_BUSY ? STOP_PACE_BUSY_US : STOP_PACE_US);
}

static void stop_forget_waiter(struct control_request *request, void *context)
{
	struct daemon *daemon = context;

	for (size_t idx = 0; idx < daemon->n_waiters; idx++) {
		if (daemon->waiters[idx].request == request) {
			(void)stop_take_waiter(daemon, idx);
			return;
		}
	}
}

void stop_wait(struct daemon *daemon, struct control_request *request, uint64_t timeout_us)
{
	if (daemon->n_waiters >= DAEMON_WAITERS_MAX) {
		control_fail(
			request, CONTROL_UNAVAILABLE, "%u others wait already", DAEMON_WAITERS_MAX);
		return;
	}
	control_request_keep(request, stop_forget_waiter, daemon);
	daemon->waiters[daemon->n_waiters++] = (struct daemon_waiter){
		.request = request,
		.deadline_us = timeout_us ? daemon_now(daemon) + timeout_us : 0,
	};
	stop_arm(daemon, STOP_GRACE_US);
}
