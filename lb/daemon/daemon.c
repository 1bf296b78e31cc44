/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The balancer's life: see daemon.h. */
#include "lb/daemon/daemon.h"

#include <sys/random.h>
#include <sys/stat.h>

#include "common/os/clock.h"
#include "common/os/idle.h"
#include "common/events/events.h"
#include "common/http/http.h"
#include "common/log.h"
#include "common/proto/auth.h"
#include "common/os/systemd.h"
#include "lb/config/service.h"
#include "lb/daemon/actions.h"
#include "lb/daemon/agents.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/daemon/document.h"
#include "lb/daemon/drain_wait.h"
#include "lb/daemon/path_checks.h"
#include "lb/daemon/reload.h"
#include "lb/daemon/role.h"
#include "lb/daemon/update.h"
#include "lb/daemon/vip_routes.h"
#include "lb/link/announce.h"
#include "lb/link/route_announce.h"
#include "lb/link/neigh/segments.h"
#include "lb/link/tcp_check.h"
#include "lb/publish/ceiling.h"
#include "lb/publish/gone_services.h"
#include "lb/publish/publish.h"
#include "lb/session/session.h"
#include "lb/table/flow_walk.h"
#include "lb/state/keep.h"
#include "lb/watch/leaks.h"
#include "lb/watch/losses.h"

#define DAEMON_HOUSEKEEPING_US (1 * US_PER_S)

struct daemon {
	struct balancer balancer;
	const struct daemon_verbs *verbs;
	void *verbs_context;
	sd_event_source *housekeeping;
	bool detach_on_exit;
};

/* What happens. */

static void daemon_on_neighbour(const struct addr *address, const struct mac *mac, void *context)
{
	struct balancer *balancer = &((struct daemon *)context)->balancer;

	registry_neighbour(balancer->registry, address, mac, clock_now_us());
	actions_run(balancer->actions);
}

static void daemon_on_link(void *context)
{
	struct balancer *balancer = &((struct daemon *)context)->balancer;

	/* Before the parts stand, the start itself looks at the links. */
	if (!balancer->control)
		return;
	(void)agents_listen(balancer->agents);
	leaks_follow(balancer->leaks);
	reload_subnets(balancer->reload);
	update_follow(balancer->update);
	actions_run(balancer->actions);
}

static void daemon_on_check(uint16_t backend, uint16_t port, enum tcp_check_outcome outcome,
	const char *reason, void *context)
{
	struct balancer *balancer = &((struct daemon *)context)->balancer;
	struct registry_check_result result = {
		.backend = backend, .port = port, .reason = reason
	};

	switch (outcome) {
	case TCP_CHECK_OK:
		result.outcome = REGISTRY_CHECK_OK;
		break;
	case TCP_CHECK_NOT_MADE:
		result.outcome = REGISTRY_CHECK_NOT_MADE;
		actions_say_no_check(balancer->actions, reason);
		break;
	case TCP_CHECK_FAILED:
		result.outcome = REGISTRY_CHECK_FAILED;
		break;
	}
	registry_check_result(balancer->registry, &result, clock_now_us());
	actions_run(balancer->actions);
}

static void daemon_on_path(struct balancer *balancer)
{
	actions_run(balancer->actions);
}

static void daemon_on_no_path(struct balancer *balancer, const char *reason)
{
	actions_say_no_check(balancer->actions, reason);
}

static const struct backend *daemon_backend_at(
	const struct registry *registry, const struct mac *mac)
{
	for (size_t i = 0; i < registry_len(registry); i++)
		if (mac_equal(&registry_backend_at(registry, i)->mac, mac))
			return registry_backend_at(registry, i);
	return NULL;
}

static bool daemon_is_backend(const struct mac *mac, void *context)
{
	return daemon_backend_at(((struct daemon *)context)->balancer.registry, mac);
}

/* An ARP or NA is never authentic: it is named, and changes nothing about where frames go. */
static void daemon_on_claim(const struct addr *vip, const struct mac *mac, void *context)
{
	struct balancer *balancer = &((struct daemon *)context)->balancer;
	const struct backend *owner = daemon_backend_at(balancer->registry, mac);
	char address[ADDR_STRLEN], text[MAC_STRLEN];
	struct event event = { .message = EVENT_CLAIM, .level = LOG_LEVEL_WARNING };

	leaks_claimed(balancer->leaks, vip, mac);
	event.vip = addr_format(vip, address);
	event.backend = owner ? owner->name : NULL;
	event.now = mac_format(mac, text);
	event.reason = owner ? owner->name : "another balancer, or a host that leaks or forges ARP";
	events_raise(balancer->events, &event, "%s claims %s, which this balancer serves: %s", text,
		address, event.reason);
}

static bool daemon_has_vip(const struct addr *vip, void *context)
{
	return neigh_has_address(((struct daemon *)context)->balancer.neigh, vip);
}

static bool daemon_is_server(const struct addr *vip, const struct mac *mac, void *context)
{
	return leaks_is_server(((struct daemon *)context)->balancer.leaks, vip, mac);
}

/* A VIP that a reload added is somebody's address, or is so no more. */
static void daemon_on_held(const struct addr *vip, const struct mac *mac, void *context)
{
	struct balancer *balancer = &((struct daemon *)context)->balancer;
	char address[ADDR_STRLEN], text[MAC_STRLEN];
	struct why why = { 0 };
	const struct event event = {
		.message = EVENT_VIP_HELD,
		.level = mac ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		.vip = addr_format(vip, address),
		.old = mac ? "asked for" : "not announced",
		.now = mac ? "not announced" : "announced",
		.reason = why.text,
	};

	if (mac)
		why_set(&why, "%s has it", mac_format(mac, text));
	else
		why_set(&why, "nobody else has it any more");
	events_raise(balancer->events, &event, "%s is %s: %s", address, event.now, why.text);
	update_mark_save(balancer->update);
}

static int daemon_on_stop_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;

	log_info("stopping");
	return sd_event_exit(daemon->balancer.event, 0);
}

static int daemon_on_reload_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;
	_cleanup_free_ char *errors = NULL;

	(void)reload_run(daemon->balancer.reload, &errors);
	return 0;
}

static int daemon_on_housekeeping(sd_event_source *source, uint64_t due_us, void *context)
{
	struct balancer *balancer = &((struct daemon *)context)->balancer;

	segments_look(balancer->segments);
	(void)agents_listen(balancer->agents);
	leaks_follow(balancer->leaks);
	reload_subnets(balancer->reload);
	ceiling_check(balancer->ceiling);
	actions_run(balancer->actions);
	actions_housekeeping(balancer->actions);
	vip_routes_housekeeping(balancer->vip_routes);
	update_housekeeping(balancer->update);
	gone_services_look(balancer->gone_services, dataplane_snapshot(balancer->dataplane));
	drain_waits_check(balancer->drain_waits, clock_now_us());
	balancer_timer_set(source, clock_now_us() + DAEMON_HOUSEKEEPING_US);
	return 0;
}

/* The start. */

/* Engines in the kernel use flows and rows in maps; so does then, in auto, the packet engine. */
static enum keep_backing daemon_backing(enum config_mode mode)
{
	struct why why = { 0 };

	if (mode == CONFIG_MODE_PACKET)
		return KEEP_FILES;
	if (keep_maps_supported(&why))
		return KEEP_MAPS;
	if (mode != CONFIG_MODE_AUTO)
		log_error("no BPF maps: %s", why.text);
	else
		log_info("no BPF maps: %s", why.text);
	return KEEP_FILES;
}

/* `*ret_fresh`: nothing is known of an earlier run. */
static int daemon_start_keep(struct balancer *balancer, json_t **ret_document, bool *ret_fresh)
{
	const struct config *config = balancer->config;
	const char *directory = balancer->paths.runtime_dir;
	struct keep_config keep = { .directory = directory, .max_flows = config->max_flows };
	struct why why = { 0 };
	int r;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return log_errno(
			util_negative_errno(), "cannot make the runtime directory %s", directory);
	keep.backing = daemon_backing(config->mode);
	r = keep_open(&keep, &balancer->keep, ret_fresh, &why);
	if (r < 0)
		return log_errno(r, "cannot keep state in %s: %s", directory, why.text);
	balancer->events = events_new(directory);
	if (!balancer->events)
		return log_errno(-ENOMEM, "cannot start");
	*ret_document = keep_load_document(balancer->keep);
	balancer->boot_id =
		document_boot_id(*ret_document, keep_boot(balancer->keep), clock_now_us());
	if (balancer->boot_id != 0)
		return 0;
	*ret_fresh = true;
	if (getrandom(&balancer->boot_id, sizeof(balancer->boot_id), 0) < 0)
		return log_errno(util_negative_errno(), "cannot get random bytes");
	return 0;
}

static const struct fwd_service *daemon_service(uint16_t service, void *context)
{
	const struct balancer *balancer = context;

	return dataplane_service(service, balancer->dataplane);
}

static void daemon_wake_walk(void *context)
{
	const struct balancer *balancer = context;

	idle_wake(balancer->idle);
}

static const struct snapshot *daemon_snapshot(void *context)
{
	const struct balancer *balancer = context;

	return dataplane_snapshot(balancer->dataplane);
}

/* The host's name, as agents tell it to other balancers; "" where it could be no name of a message. */
static void daemon_take_name(char ret_name[PROTO_NAME_MAX + 1])
{
	if (gethostname(ret_name, PROTO_NAME_MAX) < 0 || !proto_name_is_valid(ret_name))
		ret_name[0] = '\0';
}

/* What needs no network. */
static int daemon_start_control_plane(struct balancer *balancer, bool fresh)
{
	const struct config *config = balancer->config;
	struct session_config session = {
		.boot_id = balancer->boot_id,
		.interval_us = (uint32_t)config->heartbeat_interval_us,
		.multiplier = (uint8_t)config->heartbeat_fall,
	};
	struct publish_config publish = {
		.keep = balancer->keep,
		.cluster_seed = config->cluster_seed,
		.fresh = fresh,
		.current = daemon_snapshot,
		.context = balancer,
	};
	struct session_calls calls;

	if (getrandom(session.seed, sizeof(session.seed), 0) < 0)
		return log_errno(util_negative_errno(), "cannot get random bytes");
	daemon_take_name(session.name);
	balancer->agents = agents_new(balancer);
	balancer->registry = registry_new(balancer->boot_id ^ clock_now_us());
	balancer->flow_walk = flow_walk_new(
		keep_flows(balancer->keep), daemon_service, daemon_wake_walk, balancer);
	if (!balancer->flow_walk)
		return log_errno(-ENOMEM, "cannot start");
	publish.walk = balancer->flow_walk;
	balancer->publish = publish_new(&publish);
	balancer->service_ids = service_ids_new();
	balancer->role = role_new();
	balancer->dataplane =
		dataplane_new(config->mode, config->workers, balancer->keep, balancer->events);
	if (!balancer->agents || !balancer->registry || !balancer->publish ||
		!balancer->service_ids || !balancer->role || !balancer->dataplane)
		return log_errno(-ENOMEM, "cannot start");
	calls = agents_calls(balancer->agents);
	balancer->sessions = session_new(&session, balancer->registry, &calls);
	return balancer->sessions ? 0 : log_errno(-ENOMEM, "cannot start");
}

static bool daemon_step_walk(void *context)
{
	const struct balancer *balancer = context;
	bool somebody_waits =
		flow_walk_step(balancer->flow_walk, (uint32_t)(clock_now_us() / US_PER_S));

	if (!ceiling_tell(balancer->ceiling, clock_now_us()))
		return somebody_waits;
	actions_run(balancer->actions);
	/* Somebody may have joined by that. */
	return true;
}

/* Parts that have timers or long work. */
static int daemon_start_parts(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;
	int r = idle_new(balancer->event, &balancer->idle);

	if (r >= 0)
		r = idle_add(balancer->idle, daemon_step_walk, balancer);
	if (r >= 0) {
		balancer->drain_waits = drain_waits_new(balancer->registry, balancer->flow_walk);
		balancer->gone_services =
			gone_services_new(balancer->flow_walk, balancer->service_ids);
		balancer->ceiling = ceiling_new(balancer->registry, balancer->flow_walk);
		r = balancer->drain_waits && balancer->gone_services && balancer->ceiling ? 0
											  : -ENOMEM;
	}
	if (r >= 0)
		r = update_new(balancer, &balancer->update);
	if (r >= 0)
		r = actions_new(balancer, agents_are_crowded, &balancer->actions);
	if (r >= 0)
		r = balancer_timer_new(
			balancer->event, daemon_on_housekeeping, daemon, &daemon->housekeeping);
	return r < 0 ? log_errno(r, "cannot set up timers") : 0;
}

static void daemon_on_watch(void *context)
{
	actions_run(((struct daemon *)context)->balancer.actions);
}

static int daemon_start_leaks(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;
	const struct leaks_parts parts = {
		.event = balancer->event,
		.segments = balancer->segments,
		.registry = balancer->registry,
		.config = &balancer->config,
		.services = &balancer->services,
		.config_generation = &balancer->config_generation,
		.changed = daemon_on_watch,
		.context = daemon,
	};
	int r = leaks_new(&parts, &balancer->leaks);

	return r < 0 ? log_errno(r, "cannot set up the watch for backends that answer for VIPs")
		     : 0;
}

static void daemon_on_count(
	uint16_t service, uint16_t backend, struct losses_count *ret_count, void *context)
{
	struct dataplane *dataplane = ((struct daemon *)context)->balancer.dataplane;
	struct engine_pair_counters pair;

	dataplane_pair_counters(dataplane, service, backend, &pair);
	*ret_count = (struct losses_count){ pair.syns, pair.packets,
		dataplane_take_clients(dataplane, service, backend) };
}

static int daemon_start_losses(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;
	const struct losses_parts parts = {
		.event = balancer->event,
		.registry = balancer->registry,
		.services = &balancer->services,
		.count = daemon_on_count,
		.changed = daemon_on_watch,
		.context = daemon,
	};
	int r = losses_new(&parts, &balancer->losses);

	return r < 0 ? log_errno(r, "cannot set up the watch for SYNs that come to nothing") : 0;
}

/* The clients' interface, and those to backends. */
static int daemon_start_links(struct daemon *daemon)
{
	static const struct neigh_callbacks host = { .link = daemon_on_link };
	static const struct segments_callbacks callbacks = { daemon_on_neighbour, daemon_on_link };
	struct balancer *balancer = &daemon->balancer;
	const struct config *config = balancer->config;
	int r = neigh_start(balancer->event, config->interface, NEIGH_NO_INTERFACE, &host, daemon,
		&balancer->neigh);

	if (r >= 0)
		r = segments_start(balancer->event, config->interface, &callbacks, daemon,
			&balancer->segments);
	if (r >= 0)
		r = segments_prepare(balancer->segments, config->backend_interfaces.items,
			config->backend_interfaces.len);
	if (r < 0)
		return log_errno(r, "cannot follow links and neighbours over netlink");
	segments_commit(balancer->segments);
	return 0;
}

static int daemon_start_network(struct daemon *daemon)
{
	static const struct announce_callbacks announces = { daemon_on_claim, daemon_is_backend,
		daemon_has_vip, daemon_is_server, daemon_on_held };
	static const struct path_checks_calls paths = { daemon_on_path, daemon_on_no_path };
	struct balancer *balancer = &daemon->balancer;
	int r = daemon_start_links(daemon);

	if (r < 0)
		return r;
	r = announce_start(balancer->event, &announces, daemon, &balancer->announce);
	if (r < 0)
		return log_errno(r, "cannot set up the announcing of VIPs");
	r = route_announce_start(balancer->event, &balancer->route_announce);
	if (r < 0)
		return log_errno(r, "cannot set up routes to VIPs");
	r = tcp_check_start(balancer->event, daemon_on_check, daemon, &balancer->tcp_checks);
	if (r < 0)
		return log_errno(r, "cannot set up checks");
	r = path_checks_new(balancer, &paths, &balancer->path_checks);
	if (r < 0)
		return log_errno(r, "cannot set up path probes");
	r = daemon_start_leaks(daemon);
	if (r == 0)
		r = daemon_start_losses(daemon);
	if (r < 0)
		return r;
	balancer->vip_routes = vip_routes_new(balancer->neigh);
	if (!balancer->vip_routes)
		return log_errno(-ENOMEM, "cannot start");
	return agents_listen(balancer->agents);
}

static int daemon_start_verbs(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;
	int r = daemon->verbs->start(balancer, &daemon->verbs_context);

	if (r < 0)
		return log_errno(r, "cannot start");
	r = control_listen(balancer->event, balancer->paths.runtime_dir, daemon->verbs->serve,
		daemon->verbs_context, &balancer->control);
	if (r < 0)
		return log_errno(r, "cannot listen on the control socket in %s",
			balancer->paths.runtime_dir);
	control_set_http(balancer->control, http_adopt, balancer->http);
	r = reload_start_http(balancer->reload);
	return r < 0 ? log_errno(r, "cannot answer HTTP") : 0;
}

/* Everything stands: packets may flow. */
static void daemon_start_serving(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;

	update_follow(balancer->update);
	vip_routes_sweep(balancer->vip_routes, balancer->service_ids);
	update_mark(balancer->update, true);
	actions_flush(balancer->actions);
	keep_sweep(balancer->keep);
	balancer_timer_set(daemon->housekeeping, clock_now_us() + DAEMON_HOUSEKEEPING_US);
}

static int daemon_start_all(struct daemon *daemon, json_t **ret_document)
{
	struct balancer *balancer = &daemon->balancer;
	bool fresh = true;
	int r;

	r = systemd_new_loop(
		daemon_on_stop_signal, daemon_on_reload_signal, daemon, &balancer->event);
	if (r < 0)
		return log_errno(r, "cannot set up the event loop");
	r = daemon_start_keep(balancer, ret_document, &fresh);
	if (r == 0)
		r = daemon_start_control_plane(balancer, fresh);
	if (r == 0)
		r = daemon_start_parts(daemon);
	if (r == 0)
		r = daemon_start_network(daemon);
	if (r == 0)
		r = reload_start(balancer->reload, *ret_document);
	if (r == 0)
		r = daemon_start_verbs(daemon);
	if (r == 0)
		daemon_start_serving(daemon);
	return r;
}

/* 0, an exit status, or negative errno, logged. */
static int daemon_start(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;
	json_t *document = NULL;
	int r = auth_init();

	if (r < 0)
		return log_errno(r, "cannot set up cryptography");
	balancer->reload = reload_new(balancer);
	if (!balancer->reload)
		return log_errno(-ENOMEM, "cannot start");
	r = reload_load(balancer->reload);
	if (r == 0)
		r = daemon_start_all(daemon, &document);
	json_decref(document);
	return r;
}

/* The end, from whatever the start came to. */

static void daemon_free(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;

	drain_waits_free(balancer->drain_waits);
	ceiling_free(balancer->ceiling);
	gone_services_free(balancer->gone_services);
	dataplane_free(balancer->dataplane);
	tcp_check_free(balancer->tcp_checks);
	path_checks_free(balancer->path_checks);
	losses_free(balancer->losses);
	leaks_free(balancer->leaks);
	agents_free(balancer->agents);
	vip_routes_free(balancer->vip_routes);
	segments_free(balancer->segments);
	neigh_free(balancer->neigh);
	session_free(balancer->sessions);
	registry_free(balancer->registry);
	publish_free(balancer->publish);
	flow_walk_free(balancer->flow_walk); /* after all who may have joined */
	keep_free(balancer->keep);
	service_list_free(balancer->services);
	service_ids_free(balancer->service_ids);
	role_free(balancer->role);
	reload_free(balancer->reload);
	config_free(balancer->config);
	ini_report_free(balancer->report);
	update_free(balancer->update);
	actions_free(balancer->actions);
	idle_free(balancer->idle);
	sd_event_source_disable_unref(daemon->housekeeping);
	events_free(balancer->events);
	sd_event_unref(balancer->event);
}

static void daemon_stop(struct daemon *daemon)
{
	struct balancer *balancer = &daemon->balancer;

	systemd_tell_stopping();
	if (balancer->update && balancer->services) {
		update_save(balancer->update);
		keep_preserve(balancer->keep);
	}
	control_free(balancer->control);
	if (daemon->verbs_context)
		daemon->verbs->stop(daemon->verbs_context);
	route_announce_free(balancer->route_announce);
	if (balancer->announce)
		announce_free(balancer->announce);
	if (balancer->dataplane)
		dataplane_stop(balancer->dataplane, daemon->detach_on_exit);
	if (balancer->vip_routes)
		vip_routes_set(balancer->vip_routes, NULL);
	daemon_free(daemon);
}

int daemon_run(const struct balancer_paths *paths, bool detach, const struct daemon_verbs *verbs)
{
	struct daemon daemon = {
		.balancer = {
			.paths = *paths,
			.started_us = clock_now_us(),
		},
		.verbs = verbs,
		.detach_on_exit = detach,
	};
	int r = daemon_start(&daemon);

	if (r == 0) {
		systemd_tell_ready();
		log_info("dsr-lb %s serves %zu virtual servers", DSR_VERSION,
			daemon.balancer.config->n_virtual_servers);
		r = sd_event_loop(daemon.balancer.event);
		if (r < 0)
			(void)log_errno(r, "the event loop failed");
	}
	daemon_stop(&daemon);
	return r < 0 ? EXIT_FAILURE : r;
}
