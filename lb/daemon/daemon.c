/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's main loop: see daemon.h. Events come in from sockets, netlink and timers, go to the
 * registry, and what the registry asks for is done here. The order within one turn of the loop
 * matters: what has arrived is heard (high priority) before anybody is judged (low priority).
 */
#include "lb/daemon/daemon.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "common/proto/auth.h"
#include "common/cli/cli.h"
#include "common/systemd.h"
#include "lb/fwd/reason.h"

/* Changes that are not urgent are joined for this long before they are published. */
#define DAEMON_JOIN_US   (20 * US_PER_MS)
#define DAEMON_KEEPER_US (1 * US_PER_S)
/* A deadline missed by more than this means that we were stalled ourselves. */
#define DAEMON_STALL_US (100 * US_PER_MS)
/* Reports of agents lag by an interval and the cache of their counts. */
#define DAEMON_DRAIN_SETTLE_US (2 * US_PER_S)

uint64_t daemon_now(const struct daemon *daemon)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

void daemon_save(struct daemon *daemon)
{
	json_t *document = document_make(daemon);
	int r = document ? keep_save_document(daemon->keep, document) : -ENOMEM;

	json_decref(document);
	daemon->save_due = false;
	if (r < 0 && !daemon->save_failed)
		(void)log_errno(r, "cannot keep the state in %s; a restart would lose it",
			daemon->runtime_dir);
	daemon->save_failed = r < 0;
}

/* Registry actions. */

static void daemon_tell_systemd(const struct daemon *daemon)
{
	size_t up = 0, all = registry_len(daemon->registry);

	for (size_t i = 0; i < all; i++)
		up += registry_backend_at(daemon->registry, i)->state == BACKEND_UP;
	(void)sd_notifyf(0, "STATUS=%s; %zu of %zu backends up",
		!daemon->engine          ? "no packet engine"
			: daemon->active ? "active"
					 : "not active",
		up, all);
}

static void daemon_log_state(const struct registry_action *action)
{
	char backend[sizeof("DSR_BACKEND=") + REGISTRY_NAME_BYTES];
	char state[32], reason[sizeof("DSR_REASON=") + REGISTRY_REASON_BYTES];
	const char *const fields[] = { backend, state, reason, NULL };

	snprintf(backend, sizeof(backend), "DSR_BACKEND=%s", action->name);
	snprintf(state, sizeof(state), "DSR_STATE=%s", backend_state_name(action->new_state));
	snprintf(reason, sizeof(reason), "DSR_REASON=%s", action->reason);
	log_fields(action->new_state == BACKEND_DOWN ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, fields,
		"backend %s: %s -> %s%s%s", action->name, backend_state_name(action->old_state),
		backend_state_name(action->new_state), action->reason[0] ? ": " : "",
		action->reason);
}

static void daemon_run_check(struct daemon *daemon, const struct registry_action *action)
{
	const struct backend *backend = registry_backend(daemon->registry, action->backend);
	char reason[64];
	int r = -ENOENT;

	for (size_t i = 0; backend && i < backend->n_checks; i++)
		if (backend->checks[i].port == action->port)
			r = tcp_check_run(daemon->tcp_checks, backend->id, &backend->address,
				action->port, backend->checks[i].timeout_us);
	if (r >= 0)
		return;
	snprintf(reason, sizeof(reason), "tcp:%u: %.40s", action->port, strerror(-r));
	registry_check_result(daemon->registry,
		&(struct registry_check_result){
			.backend = action->backend, .port = action->port, .reason = reason },
		daemon_now(daemon));
}

static void daemon_forget(struct daemon *daemon, const struct registry_action *action)
{
	session_forget(daemon->sessions, action->backend);
	tcp_check_cancel(daemon->tcp_checks, action->backend);
	daemon->save_due = true;
	log_info("backend %s has left", action->name);
}

static void daemon_probe_neighbour(struct daemon *daemon, const struct registry_action *action)
{
	char text[ADDR_STRLEN];
	int r = neigh_probe(daemon->neigh, &action->address);

	if (r < 0)
		log_debug("cannot ask for the MAC of %s: %s", addr_format(&action->address, text),
			strerror(-r));
}

/* Does one action; true if tables or MACs changed and must be published at once. */
static bool daemon_do(struct daemon *daemon, const struct registry_action *action)
{
	switch (action->type) {
	case REGISTRY_HEARTBEAT:
		(void)session_heartbeat(daemon->sessions, action->backend, daemon_now(daemon));
		return false;
	case REGISTRY_RUN_CHECK:
		daemon_run_check(daemon, action);
		return false;
	case REGISTRY_PROBE_NEIGH:
		daemon_probe_neighbour(daemon, action);
		return false;
	case REGISTRY_STATE:
		daemon_log_state(action);
		daemon->save_due = true;
		return false;
	case REGISTRY_FORGOTTEN:
		daemon_forget(daemon, action);
		return false;
	case REGISTRY_CHANGED:
		daemon->publish_due = true;
		return action->urgent;
	case REGISTRY_ACTION_N_:
		break;
	}
	return false;
}

static void daemon_arm(sd_event_source *source, uint64_t when_us)
{
	(void)sd_event_source_set_time(source, when_us);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/*
 * Publishes a little later what may be joined with more. Where tables are many and large, publishing
 * takes long: then it waits as long as the last one took, so that half of the time is the agents'.
 */
static void daemon_join(struct daemon *daemon, bool urgent)
{
	uint64_t now_us = daemon_now(daemon), due_us = 0;
	uint64_t when_us = MAX(daemon->publish_from_us, now_us + (urgent ? 0 : DAEMON_JOIN_US));
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(daemon->publisher, &enabled);
	(void)sd_event_source_get_time(daemon->publisher, &due_us);
	if (enabled == SD_EVENT_OFF || due_us > when_us)
		daemon_arm(daemon->publisher, when_us);
}

static void daemon_drain_actions(struct daemon *daemon)
{
	struct registry_action action;
	bool urgent = false;

	while (registry_next_action(daemon->registry, &action))
		urgent |= daemon_do(daemon, &action);
	if (urgent && daemon_now(daemon) >= daemon->publish_from_us) {
		daemon->publish_due = false;
		forward_publish(daemon);
		daemon_tell_systemd(daemon);
	} else if (daemon->publish_due || daemon->save_due) {
		daemon_join(daemon, urgent);
	}
}

void daemon_pump(struct daemon *daemon)
{
	daemon_drain_actions(daemon);
	/* Judge soon, but after everything that has arrived was heard: the timer's priority is low. */
	daemon_arm(daemon->tick, daemon_now(daemon));
}

void daemon_flush(struct daemon *daemon)
{
	daemon_pump(daemon);
	if (!daemon->publish_due)
		return;
	daemon->publish_due = false;
	forward_publish(daemon);
	daemon_tell_systemd(daemon);
}

/* Timers. */

void daemon_walk(struct daemon *daemon)
{
	(void)sd_event_source_set_enabled(daemon->walker, SD_EVENT_ONESHOT);
}

static int daemon_on_tick(sd_event_source *source, uint64_t due_us, void *context)
{
	struct daemon *daemon = context;
	uint64_t now_us = daemon_now(daemon);

	if (daemon->tick_due_us > 0 && now_us > daemon->tick_due_us + DAEMON_STALL_US) {
		uint64_t late_us = now_us - daemon->tick_due_us;

		log_warning("stalled for %llu ms; every deadline moves by that much",
			(unsigned long long)(late_us / US_PER_MS));
		registry_stalled(daemon->registry, late_us, now_us);
	}
	daemon->tick_due_us = registry_tick(daemon->registry, now_us);
	daemon_drain_actions(daemon);
	if (daemon->tick_due_us == REGISTRY_NEVER_US)
		daemon->tick_due_us = 0;
	else
		daemon_arm(daemon->tick, daemon->tick_due_us);
	return 0;
}

static int daemon_on_publisher(sd_event_source *source, uint64_t due_us, void *context)
{
	struct daemon *daemon = context;

	if (daemon->publish_due) {
		daemon->publish_due = false;
		forward_publish(daemon);
	} else if (daemon->save_due) {
		daemon_save(daemon);
	}
	daemon_tell_systemd(daemon);
	return 0;
}

/* The flows of a backend that is waited for; false: they are being counted. */
static bool daemon_wait_flows(
	struct daemon *daemon, struct daemon_wait *wait, const struct backend *backend)
{
	if (backend->source == BACKEND_AGENT) {
		wait->flows = status_established_flows(backend);
		return true;
	}
	if (wait->is_counted && wait->counted == backend->id) {
		wait->is_counted = false;
		return true;
	}
	if (!wait->counts) {
		wait->counts = true;
		wait->counted = backend->id;
		wait->bucket = wait->flows = 0;
		daemon_walk(daemon);
	}
	return false;
}

void daemon_check_waits(struct daemon *daemon)
{
	uint64_t now_us = daemon_now(daemon);

	ARRAY_FOREACH (wait, daemon->waits, DAEMON_WAITS_MAX) {
		const struct backend *backend;
		struct control_request *request = wait->request;
		bool known;

		if (!request)
			continue;
		backend = registry_find(daemon->registry, wait->backend);
		known = backend && daemon_wait_flows(daemon, wait, backend);
		if (!backend || !backend->takes_flows ||
			(known && wait->flows == 0 &&
				now_us - backend->since_us >= DAEMON_DRAIN_SETTLE_US)) {
			wait->request = NULL;
			control_reply(request, CONTROL_OK, NULL);
		} else if (known && now_us >= wait->deadline_us) {
			wait->request = NULL;
			control_fail(request, CONTROL_TIMEOUT,
				"%s: %llu flows are still open; draining goes on", wait->backend,
				(unsigned long long)wait->flows);
		}
	}
}

static int daemon_on_walker(sd_event_source *source, void *context)
{
	struct daemon *daemon = context;
	bool counted = status_count_waits(daemon);
	bool more = status_step(daemon);

	if (daemon->engine)
		more |= publish_step(daemon->publish, daemon->engine_ops->current(daemon->engine),
			daemon_now(daemon));
	if (counted || more)
		daemon_walk(daemon);
	return 0;
}

/* Callbacks of the parts. */

static void daemon_on_datagram(const struct session_datagram *datagram, void *context)
{
	struct daemon *daemon = context;
	const struct session_path path = { datagram->source, datagram->local };
	const struct backend *backend;
	size_t sessions_before = session_len(daemon->sessions);
	uint64_t accepted = session_counters(daemon->sessions)->accepted;

	(void)session_receive(daemon->sessions, &path, datagram->ttl, datagram->data,
		datagram->size_bytes, daemon_now(daemon));
	if (session_len(daemon->sessions) != sessions_before)
		daemon->save_due = true;
	if (session_counters(daemon->sessions)->accepted == accepted)
		return;
	backend = registry_find_address(daemon->registry, &datagram->source.addr);
	if (backend)
		publish_report(daemon->publish, daemon->registry, backend);
	daemon_pump(daemon);
}

/*
 * The sockets are bound to the interface by its index: one that is made anew needs new ones. While
 * there is none, or the address to listen on is not there, the keeper tries again.
 */
static int daemon_listen(struct daemon *daemon)
{
	const struct neigh_link *link = neigh_backend_link(daemon->neigh);
	const struct session_socket_config config = {
		.interface = link->name,
		.listen = &daemon->config->listen,
		.fn = daemon_on_datagram,
		.context = daemon,
	};
	struct why why = { 0 };
	int r;

	if (daemon->udp_ifindex == link->ifindex)
		return 0;
	daemon->udp = session_socket_free(daemon->udp);
	daemon->udp_ifindex = 0;
	if (link->ifindex == 0)
		return 0;
	r = session_socket_open(daemon->event, &config, &daemon->udp, &why);
	if (r == 0)
		daemon->udp_ifindex = link->ifindex;
	else if (!daemon->udp_failed)
		(void)log_errno(r, "%s", why.text);
	daemon->udp_failed = r < 0;
	return r;
}

static void daemon_on_send(
	void *context, const struct session_path *path, const uint8_t *data, size_t size_bytes)
{
	struct daemon *daemon = context;
	char text[ADDR_PORT_STRLEN];
	int r = daemon->udp
		? session_socket_send(daemon->udp, &path->local, &path->remote, data, size_bytes)
		: -ENETDOWN;

	if (r < 0)
		log_debug("cannot send to %s: %s", addr_port_format(&path->remote, text),
			strerror(-r));
}

static void daemon_on_refused(
	void *context, const struct addr_port *source, enum session_refusal refusal)
{
	struct daemon *daemon = context;
	uint64_t silenced = 0;
	bool overflow = false;
	char text[ADDR_PORT_STRLEN];

	if (!session_limit_log_due(
		    &daemon->refusals, &source->addr, daemon_now(daemon), &silenced, &overflow))
		return;
	log_warning("message from %s refused: %s (%llu more since the last such line)%s",
		addr_port_format(source, text), session_refusal_name(refusal),
		(unsigned long long)silenced, overflow ? "; many sources at once" : "");
}

static void daemon_on_neighbour(const struct addr *address, const struct mac *mac, void *context)
{
	struct daemon *daemon = context;

	registry_neighbour(daemon->registry, address, mac, daemon_now(daemon));
	daemon_pump(daemon);
}

static void daemon_on_link(void *context)
{
	struct daemon *daemon = context;

	/* Before the parts stand, the start itself looks at the links. */
	if (!daemon->control)
		return;
	(void)daemon_listen(daemon);
	configure_links(daemon);
	forward_update(daemon);
	daemon_pump(daemon);
}

static void daemon_on_check(
	uint16_t backend, uint16_t port, bool ok, const char *reason, void *context)
{
	struct daemon *daemon = context;

	registry_check_result(daemon->registry,
		&(struct registry_check_result){
			.backend = backend, .port = port, .ok = ok, .reason = reason },
		daemon_now(daemon));
	daemon_pump(daemon);
}

static int daemon_on_stop_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;

	log_info("stopping");
	return sd_event_exit(daemon->event, 0);
}

static int daemon_on_reload_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	_cleanup_free_ char *errors = NULL;

	if (configure_reload(context, &errors) != 0)
		log_error("reload refused, nothing has changed: %s", errors ? errors : "");
	return 0;
}

static int daemon_on_keeper(sd_event_source *source, uint64_t due_us, void *context)
{
	struct daemon *daemon = context;

	(void)daemon_listen(daemon);
	forward_update(daemon);
	if (daemon->publish_failed)
		forward_publish(daemon);
	else if (daemon->save_failed)
		daemon_save(daemon);
	if (daemon->engine) {
		daemon->engine_ops->reclaim(daemon->engine);
		if (publish_tick(daemon->publish, daemon->engine_ops->current(daemon->engine),
			    daemon_now(daemon)))
			forward_publish(daemon);
		daemon_walk(daemon);
	}
	daemon_check_waits(daemon);
	daemon_arm(source, daemon_now(daemon) + DAEMON_KEEPER_US);
	return 0;
}

/* Start and stop. */

/* Engines in the kernel use flows and rows in maps; so does then, in auto, the packet engine. */
static enum keep_backing daemon_backing(const struct daemon *daemon)
{
	char why[KEEP_WHY_BYTES] = "";

	if (daemon->config->mode == CONFIG_MODE_PACKET)
		return KEEP_FILES;
	if (keep_maps_supported(why))
		return KEEP_MAPS;
	if (daemon->config->mode != CONFIG_MODE_AUTO)
		log_error("no BPF maps: %s", why);
	else
		log_info("no BPF maps: %s", why);
	return KEEP_FILES;
}

static int daemon_keep(struct daemon *daemon, json_t **ret_document)
{
	char why[DAEMON_REASON_BYTES] = "";
	struct session_config config = { 0 };
	const struct session_calls calls = { daemon_on_send, daemon_on_refused, daemon };
	json_t *document;
	bool fresh = true;
	int r = keep_open(daemon->runtime_dir, daemon_backing(daemon), daemon->config->max_flows,
		&daemon->keep, &fresh, why);

	if (r < 0)
		return log_errno(r, "cannot keep state in %s: %s", daemon->runtime_dir, why);
	daemon->pin_directory = keep_pins(daemon->keep);
	document = keep_load_document(daemon->keep);
	daemon->boot_id = document_boot_id(document);
	if (daemon->boot_id == 0) {
		fresh = true;
		if (getrandom(&daemon->boot_id, sizeof(daemon->boot_id), 0) < 0)
			return log_errno(util_negative_errno(), "cannot get random bytes");
	}
	if (getrandom(config.seed, sizeof(config.seed), 0) < 0)
		return log_errno(util_negative_errno(), "cannot get random bytes");
	config.boot_id = daemon->boot_id;
	config.interval_us = (uint32_t)daemon->config->heartbeat_interval_us;
	config.multiplier = (uint8_t)daemon->config->heartbeat_fall;
	daemon->registry = registry_new(daemon->boot_id ^ daemon_now(daemon));
	daemon->sessions = session_new(&config, daemon->registry, &calls);
	daemon->publish = publish_new(daemon->keep, daemon->config->cluster_seed, fresh);
	daemon->service_ids = service_ids_new();
	if (!daemon->registry || !daemon->sessions || !daemon->publish || !daemon->service_ids) {
		json_decref(document);
		return log_errno(-ENOMEM, "cannot start");
	}
	*ret_document = document;
	return 0;
}

static int daemon_add_timer(
	struct daemon *daemon, sd_event_source **ret_source, sd_event_time_handler_t fn)
{
	int r = sd_event_add_time(
		daemon->event, ret_source, CLOCK_MONOTONIC, UINT64_MAX, 1000, fn, daemon);

	if (r >= 0)
		r = sd_event_source_set_priority(*ret_source, SD_EVENT_PRIORITY_NORMAL + 10);
	if (r >= 0)
		r = sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
	return r;
}

static int daemon_start_loop(struct daemon *daemon)
{
	int r = systemd_new_loop(
		daemon_on_stop_signal, daemon_on_reload_signal, daemon, &daemon->event);

	if (r >= 0)
		r = daemon_add_timer(daemon, &daemon->tick, daemon_on_tick);
	if (r >= 0)
		r = daemon_add_timer(daemon, &daemon->publisher, daemon_on_publisher);
	if (r >= 0)
		r = daemon_add_timer(daemon, &daemon->keeper, daemon_on_keeper);
	if (r >= 0)
		r = sd_event_add_defer(daemon->event, &daemon->walker, daemon_on_walker, daemon);
	if (r >= 0)
		r = sd_event_source_set_priority(daemon->walker, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(daemon->walker, SD_EVENT_OFF);
	return r < 0 ? log_errno(r, "cannot set up the event loop") : 0;
}

static int daemon_start_network(struct daemon *daemon)
{
	static const struct neigh_callbacks neighbours = { daemon_on_neighbour, daemon_on_link };
	static const struct announce_callbacks announces = { forward_claimed };
	const struct config *config = daemon->config;
	int r = neigh_start(daemon->event, config->interface, config->backend_interface,
		&neighbours, daemon, &daemon->neigh);

	if (r < 0)
		return log_errno(r, "cannot follow links and neighbours over netlink");
	r = announce_start(daemon->event, &announces, daemon, &daemon->announce);
	if (r < 0)
		return log_errno(r, "cannot set up the announcing of VIPs");
	r = tcp_check_start(daemon->event, config->backend_interface, daemon_on_check, daemon,
		&daemon->tcp_checks);
	if (r < 0)
		return log_errno(r, "cannot set up checks");
	return daemon_listen(daemon);
}

static int daemon_make_directory(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return log_errno(
			util_negative_errno(), "cannot make the runtime directory %s", path);
	return 0;
}

static int daemon_start(struct daemon *daemon)
{
	json_t *document = NULL;
	int r = auth_init();

	if (r < 0)
		return log_errno(r, "cannot set up cryptography");
	r = configure_start(daemon);
	if (r != 0)
		return r;
	r = daemon_make_directory(daemon->runtime_dir);
	if (r < 0)
		return r;
	r = daemon_start_loop(daemon);
	if (r < 0)
		return r;
	r = daemon_keep(daemon, &document);
	if (r < 0)
		return r;
	r = daemon_start_network(daemon);
	if (r == 0)
		r = configure_apply_start(daemon, document);
	json_decref(document);
	if (r != 0)
		return r;
	r = control_listen(
		daemon->event, daemon->runtime_dir, verbs_serve, daemon, &daemon->control);
	if (r < 0)
		return log_errno(
			r, "cannot listen on the control socket in %s", daemon->runtime_dir);
	forward_blackholes_start(daemon);
	forward_update(daemon);
	if (daemon->publications.n == 0)
		forward_publish(daemon);
	keep_sweep(daemon->keep, publish_names_rows, daemon->publish);
	daemon_pump(daemon);
	daemon_arm(daemon->keeper, daemon_now(daemon) + DAEMON_KEEPER_US);
	return 0;
}

static void daemon_stop(struct daemon *daemon)
{
	systemd_tell_stopping();
	if (daemon->keep && daemon->publish && daemon->services) {
		daemon_save(daemon);
		keep_preserve(daemon->keep);
	}
	control_free(daemon->control);
	status_jobs_free(daemon);
	if (daemon->announce)
		announce_free(daemon->announce);
	if (daemon->keep)
		forward_stop(daemon);
	if (daemon->neigh)
		forward_blackholes(daemon, NULL);
	tcp_check_free(daemon->tcp_checks);
	session_socket_free(daemon->udp);
	neigh_free(daemon->neigh);
	session_free(daemon->sessions);
	registry_free(daemon->registry);
	publish_free(daemon->publish);
	keep_free(daemon->keep);
	service_list_free(daemon->services);
	service_ids_free(daemon->service_ids);
	config_free(daemon->config);
	ini_report_free(daemon->report);
	ini_list_clear(&daemon->blackholes);
	sd_event_source_disable_unref(daemon->tick);
	sd_event_source_disable_unref(daemon->publisher);
	sd_event_source_disable_unref(daemon->keeper);
	sd_event_source_disable_unref(daemon->walker);
	sd_event_unref(daemon->event);
}

int daemon_run(const struct cli *cli)
{
	struct daemon daemon = {
		.config_path = cli->config_path,
		.runtime_dir = cli->runtime_dir,
		.state_dir = cli->state_dir,
		.engine_ops = &engine_packet_ops,
		.detach_on_exit = cli->detach,
	};
	int r;

	daemon.started_us = daemon_now(&daemon);
	r = daemon_start(&daemon);
	if (r == 0) {
		systemd_tell_ready();
		daemon_tell_systemd(&daemon);
		log_info("dsr-lb %s serves %zu virtual servers", DSR_VERSION,
			daemon.config->n_virtual_servers);
		r = sd_event_loop(daemon.event);
		if (r < 0)
			(void)log_errno(r, "the event loop failed");
	}
	daemon_stop(&daemon);
	return r < 0 ? EXIT_FAILURE : r;
}
