/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's hands: see actions.h. */
#include "lb/daemon/actions.h"

#include "common/os/clock.h"
#include "common/events/events.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/path_checks.h"
#include "lb/daemon/update.h"
#include "lb/link/neigh/segments.h"
#include "lb/link/tcp_check.h"
#include "lb/registry/registry.h"
#include "lb/session/session.h"
#include "lb/watch/leaks.h"

/* A deadline missed by more than this means that we were stalled ourselves. */
#define ACTIONS_STALL_US (100 * US_PER_MS)

/* A backend that flaps gets one line in this time, with what it is then. */
#define ACTIONS_STATE_LINE_US US_PER_S
#define ACTIONS_NO_CHECK_US   (60 * US_PER_S)

_Static_assert(SERVICE_TEXT_BYTES == EVENT_SERVICE_BYTES, "a service's text is an event's");

/* Of one backend: what the log says of its state. */
struct actions_state_log {
	uint64_t logged_us;           /* the last line; 0: none yet */
	enum backend_state old_state; /* before the first change that is not logged */
	uint32_t n_withheld;
};

struct actions {
	struct balancer *balancer;
	sd_event_source *timer; /* the registry's next deadline */
	uint64_t due_us;        /* 0: there is none */
	uint64_t ran_us;        /* when the timer was last here */
	actions_crowded_fn *is_crowded;
	struct actions_state_log *state_logs; /* by backend's id */
	bool withheld;                        /* some have changes that are not logged */
	struct mac *macs;     /* by backend's id: where its frames went until now; zero: unknown */
	uint64_t no_check_us; /* when it was said that checks cannot be made; 0: never */
	struct log_limit_source stalls; /* that we were stalled */
};

/* The services that the backend belongs to, and that anybody can look up by its state. */
struct actions_services {
	char texts[EVENT_SERVICES_MAX][EVENT_SERVICE_BYTES];
	size_t len;
};

static void actions_list_services(const struct balancer *balancer, const struct backend *backend,
	struct actions_services *ret_services)
{
	size_t len = registry_memberships(balancer->registry, backend);

	ret_services->len = 0;
	for (size_t i = 0; i < len; i++) {
		struct registry_member member = registry_membership(balancer->registry, backend, i);
		const struct service *service =
			service_list_find(balancer->services, member.service);

		if (service)
			ret_services->len +=
				service_format(service, &ret_services->texts[ret_services->len],
					EVENT_SERVICES_MAX - ret_services->len);
	}
}

static void actions_log_state(const struct balancer *balancer, const struct backend *backend,
	const struct actions_state_log *state_log)
{
	struct actions_services services;
	char more[48] = "", address[ADDR_STRLEN];
	struct event event = {
		.message = EVENT_BACKEND_STATE,
		.level = backend->state == BACKEND_DOWN ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		.backend = backend->name,
		.address = addr_format(&backend->address, address),
		.old = backend_state_name(state_log->old_state),
		.now = backend_state_name(backend->state),
		.reason = backend->reason,
		.services = services.texts,
	};

	actions_list_services(balancer, backend, &services);
	event.n_services = services.len;
	if (state_log->n_withheld > 1)
		snprintf(more, sizeof(more), " (%u changes in a second)", state_log->n_withheld);
	events_raise(balancer->events, &event, "backend %s: %s -> %s%s%s%s", backend->name,
		event.old, event.now, more, backend->reason[0] ? ": " : "", backend->reason);
}

/* Logs what the backend has come to, if it has had no line for a while. */
static void actions_log_due(struct actions *actions, const struct backend *backend, uint64_t now_us)
{
	struct actions_state_log *state_log = &actions->state_logs[backend->id];

	if (state_log->n_withheld == 0)
		return;
	if (state_log->logged_us > 0 && now_us < state_log->logged_us + ACTIONS_STATE_LINE_US) {
		actions->withheld = true;
		return;
	}
	actions_log_state(actions->balancer, backend, state_log);
	*state_log = (struct actions_state_log){ .logged_us = now_us };
}

static void actions_changed_state(struct actions *actions, const struct registry_action *action)
{
	struct actions_state_log *state_log = &actions->state_logs[action->backend];
	const struct backend *backend =
		registry_backend(actions->balancer->registry, action->backend);

	if (!backend)
		return;
	if (state_log->n_withheld++ == 0)
		state_log->old_state = action->old_state;
	actions_log_due(actions, backend, clock_now_us());
}

void actions_housekeeping(struct actions *actions)
{
	const struct registry *registry = actions->balancer->registry;
	uint64_t now_us = clock_now_us();

	if (!actions->withheld)
		return;
	actions->withheld = false;
	for (size_t i = 0; i < registry_len(registry); i++)
		actions_log_due(actions, registry_backend_at(registry, i), now_us);
}

void actions_say_no_check(struct actions *actions, const char *reason)
{
	uint64_t now_us = clock_now_us();

	if (actions->no_check_us > 0 && now_us < actions->no_check_us + ACTIONS_NO_CHECK_US)
		return;
	actions->no_check_us = now_us;
	log_warning("a check cannot be made: %s; backends stay as they are until it can", reason);
}

static void actions_check(struct balancer *balancer, const struct registry_action *action)
{
	const struct backend *backend = registry_backend(balancer->registry, action->backend);
	const struct neigh_link *link =
		backend ? segments_link_of(balancer->segments, &backend->address) : NULL;
	char reason[64];
	int r = backend && !link ? -ENODEV : -ENOENT;

	for (size_t i = 0; link && i < backend->n_checks; i++)
		if (backend->checks[i].port == action->port)
			r = tcp_check_run(balancer->tcp_checks,
				&(struct tcp_check_target){
					backend->id, &backend->address, link->name },
				action->port, backend->checks[i].timeout_us);
	if (r >= 0)
		return;
	snprintf(reason, sizeof(reason), "tcp:%u: %.40s", action->port, strerror(-r));
	actions_say_no_check(balancer->actions, reason);
	registry_check_result(balancer->registry,
		&(struct registry_check_result){ .backend = action->backend,
			.port = action->port,
			.outcome = REGISTRY_CHECK_NOT_MADE },
		clock_now_us());
}

/* Whether something could not be sent for a want of this host's own, and not because a neighbour is away. */
static bool actions_is_own_want(int error)
{
	return error < 0 && error != -EHOSTUNREACH && error != -ECONNREFUSED && error != -ENOENT;
}

/*
 * What is sent to an agent goes to the MAC that it registered, whatever ARP says, while it is heard. One
 * that is silent may have another network card now, and must be reached to register anew.
 */
static void actions_heartbeat(struct balancer *balancer, const struct registry_action *action)
{
	const struct backend *backend = registry_backend(balancer->registry, action->backend);
	const struct config *config = balancer->config;
	uint64_t now_us = clock_now_us();
	struct neigh *neigh =
		backend ? segments_neigh(balancer->segments, &backend->address) : NULL;
	char text[ADDR_STRLEN];
	int r;

	if (!backend || !neigh)
		return;
	if (now_us - MIN(now_us, backend->heard_us) >=
		config->heartbeat_fall * config->heartbeat_interval_us) {
		neigh_unpin(neigh, &backend->address);
	} else {
		r = neigh_pin(neigh, &backend->address, &backend->mac);
		if (r < 0)
			log_debug("cannot pin the MAC of %s: %s",
				addr_format(&backend->address, text), strerror(-r));
	}
	r = session_heartbeat(balancer->sessions, action->backend, now_us);
	if (actions_is_own_want(r))
		registry_not_sent(balancer->registry, action->backend, now_us);
}

static void actions_forget(struct balancer *balancer, const struct registry_action *action)
{
	char address[ADDR_STRLEN];

	session_forget(balancer->sessions, action->backend);
	tcp_check_cancel(balancer->tcp_checks, action->backend);
	path_checks_set(balancer->path_checks, action->backend);
	leaks_forget(balancer->leaks, action->backend);
	segments_forget(balancer->segments, &action->address);
	update_mark_save(balancer->update);
	events_raise(balancer->events,
		&(struct event){ .message = EVENT_BACKEND_LEFT,
			.level = LOG_LEVEL_INFO,
			.backend = action->name,
			.address = addr_format(&action->address, address) },
		"backend %s has left", action->name);
}

/* `what` of it is another now. */
static void actions_tell_move(const struct balancer *balancer, const struct backend *backend,
	const char *what, const char *old, const char *now)
{
	char address[ADDR_STRLEN];
	const struct event event = {
		.message = EVENT_BACKEND_MOVED,
		.level = LOG_LEVEL_INFO,
		.backend = backend->name,
		.address = addr_format(&backend->address, address),
		.old = old,
		.now = now,
		.reason = what,
	};

	events_raise(balancer->events, &event, "backend %s: its %s changed, %s -> %s",
		backend->name, what, old, now);
}

static void actions_moved(struct balancer *balancer, const struct registry_action *action)
{
	const struct backend *backend = registry_backend(balancer->registry, action->backend);
	char old[ADDR_STRLEN], new[ADDR_STRLEN];

	segments_forget(balancer->segments, &action->address);
	update_mark_save(balancer->update);
	if (!backend)
		return;
	addr_format(&action->address, old);
	addr_format(&backend->address, new);
	actions_tell_move(balancer, backend, "address", old, new);
}

static void actions_remark(const struct balancer *balancer, const struct registry_action *action)
{
	const struct backend *backend = registry_backend(balancer->registry, action->backend);
	char address[ADDR_STRLEN];

	if (backend)
		events_raise(balancer->events,
			&(struct event){ .message = EVENT_BACKEND_ODD,
				.level = LOG_LEVEL_WARNING,
				.backend = backend->name,
				.address = addr_format(&backend->address, address),
				.old = backend_state_name(backend->state),
				.now = backend_state_name(backend->state),
				.reason = backend->reason },
			"backend %s is up, but: %s", backend->name, backend->reason);
}

static void actions_ask_mac(struct balancer *balancer, const struct registry_action *action)
{
	const struct backend *backend = registry_backend(balancer->registry, action->backend);
	struct neigh *neigh = segments_neigh(balancer->segments, &action->address);
	char text[ADDR_STRLEN];
	int r;

	if (!backend || !neigh)
		return;
	/* A real server that is asked by ARP has no agent any more. */
	neigh_unpin(neigh, &action->address);
	r = neigh_probe(neigh, &action->address, &backend->mac);
	if (r < 0)
		log_debug("cannot ask for the MAC of %s: %s", addr_format(&action->address, text),
			strerror(-r));
}

/* A MAC that changes sends a server's frames elsewhere: whoever looks for the reason later finds it. */
static void actions_log_macs(struct actions *actions)
{
	const struct registry *registry = actions->balancer->registry;
	char old[MAC_STRLEN], new[MAC_STRLEN];

	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);
		struct mac *known = &actions->macs[backend->id];

		if (mac_is_zero(&backend->mac) || mac_equal(known, &backend->mac))
			continue;
		leaks_forget(actions->balancer->leaks, backend->id);
		if (!mac_is_zero(known))
			actions_tell_move(actions->balancer, backend, "MAC", mac_format(known, old),
				mac_format(&backend->mac, new));
		*known = backend->mac;
		path_checks_set(actions->balancer->path_checks, backend->id);
	}
}

static void actions_do(struct actions *actions, const struct registry_action *action)
{
	struct balancer *balancer = actions->balancer;

	switch (action->type) {
	case REGISTRY_HEARTBEAT:
		actions_heartbeat(balancer, action);
		break;
	case REGISTRY_RUN_CHECK:
		actions_check(balancer, action);
		break;
	case REGISTRY_PROBE_NEIGH:
		actions_ask_mac(balancer, action);
		break;
	case REGISTRY_PATHS:
		path_checks_set(balancer->path_checks, action->backend);
		break;
	case REGISTRY_STATE:
		actions_changed_state(actions, action);
		update_mark_save(balancer->update);
		if (action->new_state == BACKEND_UP)
			leaks_ask(balancer->leaks, action->backend);
		break;
	case REGISTRY_REMARK:
		actions_remark(balancer, action);
		break;
	case REGISTRY_MOVED:
		actions_moved(balancer, action);
		break;
	case REGISTRY_FORGOTTEN:
		actions_forget(balancer, action);
		actions->macs[action->backend] = (struct mac){ 0 };
		actions->state_logs[action->backend] = (struct actions_state_log){ 0 };
		break;
	case REGISTRY_CHANGED:
		update_mark(balancer->update, action->urgent);
		break;
	case REGISTRY_ACTION_N_:
		break;
	}
}

static void actions_do_all(struct actions *actions)
{
	struct registry_action action;
	bool changed = false;

	while (registry_next_action(actions->balancer->registry, &action)) {
		actions_do(actions, &action);
		changed |= action.type == REGISTRY_CHANGED;
	}
	if (changed)
		actions_log_macs(actions);
}

void actions_run(struct actions *actions)
{
	actions_do_all(actions);
	update_run(actions->balancer->update);
	/* Judge soon, but after everything that has arrived was heard: the timer's priority is low. */
	balancer_timer_set(actions->timer, clock_now_us());
}

void actions_flush(struct actions *actions)
{
	actions_do_all(actions);
	update_flush(actions->balancer->update);
	balancer_timer_set(actions->timer, clock_now_us());
}

static void actions_say_stalled(struct actions *actions, uint64_t stalled_us, uint64_t now_us)
{
	uint64_t silenced;

	if (log_limit_take(&actions->stalls, now_us, &silenced))
		log_warning(
			"stalled for %llu ms; every deadline moves by that much (%llu more times since the last such line)",
			(unsigned long long)(stalled_us / US_PER_MS), (unsigned long long)silenced);
}

static int actions_on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct actions *actions = context;
	struct registry *registry = actions->balancer->registry;
	uint64_t now_us = clock_now_us(), stalled_us = 0;

	if (actions->due_us > 0 && now_us > actions->due_us + ACTIONS_STALL_US) {
		stalled_us = now_us - actions->due_us;
		actions_say_stalled(actions, stalled_us, now_us);
	}
	/* What an agent said may be among what the kernel dropped meanwhile. */
	if (actions->is_crowded(actions->balancer->agents))
		stalled_us = now_us - actions->ran_us;
	if (stalled_us > 0)
		registry_stalled(registry, stalled_us, now_us);
	actions->ran_us = now_us;
	actions->due_us = registry_tick(registry, now_us);
	actions_do_all(actions);
	update_run(actions->balancer->update);
	if (actions->due_us == REGISTRY_NEVER_US)
		actions->due_us = 0;
	else
		balancer_timer_set(actions->timer, actions->due_us);
	return 0;
}

int actions_new(
	struct balancer *balancer, actions_crowded_fn *is_crowded, struct actions **ret_actions)
{
	struct actions *actions = calloc(1, sizeof(*actions));
	int r;

	if (!actions)
		return -ENOMEM;
	actions->balancer = balancer;
	actions->is_crowded = is_crowded;
	actions->ran_us = clock_now_us();
	actions->macs = calloc(UINT16_MAX + 1, sizeof(*actions->macs));
	actions->state_logs = calloc(UINT16_MAX + 1, sizeof(*actions->state_logs));
	r = actions->macs && actions->state_logs ? 0 : -ENOMEM;
	if (r == 0)
		r = balancer_timer_new(balancer->event, actions_on_timer, actions, &actions->timer);
	if (r < 0) {
		actions_free(actions);
		return r;
	}
	*ret_actions = actions;
	return 0;
}

struct actions *actions_free(struct actions *actions)
{
	if (!actions)
		return NULL;
	sd_event_source_disable_unref(actions->timer);
	free(actions->macs);
	free(actions->state_logs);
	free(actions);
	return NULL;
}
