/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks, and the one place that publishes: see update.h. */
#include "lb/daemon/update.h"

#include <systemd/sd-daemon.h>

#include "common/os/clock.h"
#include "common/os/idle.h"
#include "common/events/events.h"
#include "common/log.h"
#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/daemon/document.h"
#include "lb/daemon/path_checks.h"
#include "lb/link/link_advice.h"
#include "lb/daemon/role.h"
#include "lb/daemon/vip_routes.h"
#include "lb/link/announce.h"
#include "lb/link/route_announce.h"
#include "lb/link/neigh/segments.h"
#include "lb/publish/publish.h"
#include "lb/state/keep.h"

/* Changes that are not urgent are joined for this long before they are published. */
#define UPDATE_JOIN_US (20 * US_PER_MS)
/* After a failure. */
#define UPDATE_RETRY_US US_PER_S

struct update {
	struct balancer *balancer;
	sd_event_source *timer;
	struct publish_links links; /* what the tables depend on, as it is now */
	bool publish_due, urgent, save_due, announce_due;
	bool publish_failed, save_failed; /* and it was said */
	uint64_t from_us;                 /* the next publication waits until then */
	struct update_status status;
	struct why advice; /* of the interfaces, as it was logged */
	const char *told_clients,
		*told_backends[SEGMENTS_MAX]; /* the interfaces' states; NULL: not looked at yet */
	uint8_t *
		places; /* by backend's id: of the interface that reaches it; SEGMENTS_NONE: none */
	uint64_t routes_generation; /* of the configuration that VIPs' routes are of */
	bool has_routes;
	struct addr *ready; /* the VIPs that are; sorted */
	size_t n_ready;
	bool knows_ready;  /* they were told once */
	bool in_force;     /* a snapshot that forwards */
	bool announces;    /* the VIPs by ARP and ND, and did when that was looked at last */
	bool route_failed; /* and it was said */
};

struct update *update_free(struct update *update)
{
	if (!update)
		return NULL;
	sd_event_source_disable_unref(update->timer);
	free(update->ready);
	free(update->places);
	free(update);
	return NULL;
}

/* Following. */

static const struct addr *update_local_vip(const struct balancer *balancer)
{
	for (size_t i = 0; i < balancer->services->len; i++)
		if (neigh_has_address(balancer->neigh, &balancer->services->items[i].vip))
			return &balancer->services->items[i].vip;
	return NULL;
}

static void update_role(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	const struct addr *when = &balancer->config->active_when;
	const struct role_facts facts = {
		.when = when,
		.has_when = when->family != AF_UNSPEC && neigh_has_address(balancer->neigh, when),
		.local_vip = update_local_vip(balancer),
		.unguarded = dataplane_status(balancer->dataplane).unguarded,
		.linger_us = balancer->config->linger_us,
		.now_us = clock_now_us(),
	};
	struct role_status before = role_status(balancer->role), role;

	if (!role_update(balancer->role, &facts))
		return;
	role = role_status(balancer->role);
	update->save_due = true;
	events_raise(balancer->events,
		&(struct event){ .message = EVENT_ACTIVE,
			.level = LOG_LEVEL_INFO,
			.old = role_state_name(before.state),
			.now = role_state_name(role.state),
			.reason = role.reason },
		"%s%s", role.active ? "active" : "not active: ", role.reason);
}

static const char *update_link_state(const struct neigh_link *link)
{
	return link->ifindex == 0 ? "absent" : link->running ? "up" : "down";
}

/* The first look is no change. */
static void update_tell_link(
	const struct balancer *balancer, const struct neigh_link *link, const char **told)
{
	const char *now = update_link_state(link);
	const char *old = *told;

	*told = now;
	if (old && !streq(old, now))
		events_raise(balancer->events,
			&(struct event){ .message = EVENT_INTERFACE,
				.level = LOG_LEVEL_WARNING,
				.interface = link->name,
				.old = old,
				.now = now },
			"interface %s: %s -> %s", link->name, old, now);
}

static void update_tell_links(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	const struct neigh_link *clients = neigh_client_link(balancer->neigh);

	update_tell_link(balancer, clients, &update->told_clients);
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_link(balancer->segments, i);

		if (!link)
			update->told_backends[i] = NULL;
		else if (!streq(clients->name, link->name))
			update_tell_link(balancer, link, &update->told_backends[i]);
	}
}

/* Where one interface of several is lost, its backends are. Where all are, this host is what is cut off. */
static bool update_has_link(const struct balancer *balancer)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_link(balancer->segments, i);

		if (link && link->running)
			return true;
	}
	return false;
}

static void update_cut(const struct balancer *balancer, const struct backend *backend,
	const struct neigh_link *link)
{
	struct why why = { 0 };

	if (link && !link->running && update_has_link(balancer))
		why_set(&why, "interface %s %s", link->name,
			link->ifindex == 0 ? "is not there" : "is down");
	(void)registry_cut(balancer->registry, backend->id, why.text, clock_now_us());
}

/* Which interface reaches each backend, and whether it does; true: one is reached by another one now. */
static bool update_places(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	bool changed = false;

	for (size_t i = 0; i < registry_len(balancer->registry); i++) {
		const struct backend *backend = registry_backend_at(balancer->registry, i);
		size_t place = segments_find(balancer->segments, &backend->address);

		update_cut(balancer, backend, segments_link(balancer->segments, place));
		if (update->places[backend->id] == place)
			continue;
		update->places[backend->id] = (uint8_t)place;
		path_checks_set(balancer->path_checks, backend->id);
		changed = true;
	}
	return changed;
}

static size_t update_find(const void *context, const struct addr *address)
{
	return segments_find(context, address);
}

/* `link` NULL: none. True: it is another one, or has another MAC or MTU. */
static bool update_out(const struct neigh_link *link, struct publish_link *out)
{
	const struct publish_link before = *out;

	*out = (struct publish_link){ 0 };
	if (link && link->ifindex != 0)
		*out = (struct publish_link){ link->ifindex, link->mac, link->mtu_bytes };
	return before.ifindex != out->ifindex || !mac_equal(&before.mac, &out->mac) ||
		before.mtu_bytes != out->mtu_bytes;
}

/* Takes over what the links and the role say now; true if a snapshot depends on a difference. */
static bool update_links(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	const struct neigh_link *clients = neigh_client_link(balancer->neigh);
	struct publish_links *links = &update->links;
	bool active = role_status(balancer->role).forwards;
	bool holds_vips = balancer->config->active_when.family != AF_UNSPEC;
	bool changed = !mac_equal(&links->own_mac, &clients->mac) || links->active != active ||
		links->holds_vips != holds_vips;

	links->own_mac = clients->mac;
	links->active = active;
	/*
	 * keepalived gives a VIP to the host and announces it before we hear of that: for these milliseconds the stack would
	 * answer open connections with RST.
	 */
	links->holds_vips = holds_vips;
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		changed |= update_out(segments_link(balancer->segments, i), &links->out[i]);
	return changed;
}

/*
 * An IPv6 address of an interface to ask everybody from; AF_UNSPEC: there is none. Not the link-local one, from which
 * backends are asked: who answers that one unasked is taken for a forger (lb/link/leak_watch.c).
 */
static struct addr update_asker(const struct neigh_link *link)
{
	struct addr global = { 0 };
	bool has_local = false;

	for (size_t i = 0; i < link->n_subnets; i++) {
		if (link->addresses[i].family != AF_INET6)
			continue;
		if (IN6_IS_ADDR_LINKLOCAL(&link->addresses[i].ip6))
			has_local = true;
		else
			global = link->addresses[i];
	}
	return has_local ? global : (struct addr){ 0 };
}

/*
 * From where it is asked who has a new VIP. Without another address the link-local one serves, though a backend that
 * answers there is found to leak the later for it (update_asker).
 */
static struct addr update_prober(const struct neigh_link *link)
{
	struct addr asker = update_asker(link);

	for (size_t i = 0; i < link->n_subnets && asker.family == AF_UNSPEC; i++)
		if (addr_is_link_local6(&link->addresses[i]))
			asker = link->addresses[i];
	return asker;
}

/* Whoever is not active withdraws at once; whoever begins waits until its tables are in force. */
static void update_announce_routes(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	bool by_routes = balancer->config->announce == CONFIG_ANNOUNCE_ROUTE;
	bool serves = by_routes && role_status(balancer->role).active && update->in_force &&
		dataplane_status(balancer->dataplane).is_running;
	int r;

	/* Those of a previous run stay until it is known whether they should. */
	if (by_routes && role_status(balancer->role).active && !update->knows_ready)
		return;
	r = route_announce_set(
		balancer->route_announce, update->ready, serves ? update->n_ready : 0);
	if (r < 0 && !update->route_failed)
		(void)log_errno(r, "cannot announce the VIPs by routes");
	update->route_failed = r < 0;
}

void update_take_ready(struct update *update, struct addr *vips, size_t n_vips)
{
	free(update->ready);
	update->ready = vips;
	update->n_ready = n_vips;
	update->knows_ready = true;
	update_announce_routes(update);
}

static void update_announce(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	const struct neigh_link *link = neigh_client_link(balancer->neigh);
	struct dataplane_status dataplane = dataplane_status(balancer->dataplane);
	bool announces = role_status(balancer->role).active && dataplane.is_running &&
		balancer->config->announce == CONFIG_ANNOUNCE_SELF;
	_cleanup_free_ struct addr *vips = NULL;
	struct announce_config config = {
		.ifindex = dataplane.ifindex,
		.mac = link->mac,
		.refresh_us = balancer->config->announce_refresh_us,
		.own6 = update_asker(link),
		.probe6 = update_prober(link),
		/*
		 * Then what is new was added by a reload. Whoever becomes active, or begins anew, announces at once: its VIPs
		 * are served already, and who still answers for them may be the balancer that was active before.
		 */
		.asks_first = announces && update->announces,
		.is_cut = !link->running,
	};
	int r = 0;

	update->announce_due = false;
	if (announces)
		r = service_list_vips(balancer->services, &vips, &config.n_vips);
	config.vips = vips;
	if (r == 0)
		r = announce_set(balancer->announce, &config);
	if (r < 0)
		(void)log_errno(r, "cannot announce the VIPs on %s", balancer->config->interface);
	update->announces = announces && r == 0;
	update_announce_routes(update);
}

/*
 * Of what an engine in the kernel takes, the stack sees nothing, and a blackhole route would only do harm: the
 * source of real servers' answers is a VIP, and a host that is their gateway and checks reverse paths drops what
 * comes from one (net/ipv4/fib_frontend.c:__fib_validate_source, 6.1). Where VIPs are announced by routes there is none
 * either: FRR, which does not tell protocols of kernel routes apart, would announce it.
 */
static void update_routes(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	bool wanted = balancer->config->announce != CONFIG_ANNOUNCE_ROUTE &&
		(dataplane_status(balancer->dataplane).reaches_stack ||
			!role_status(balancer->role).forwards);

	if (update->has_routes == wanted &&
		update->routes_generation == balancer->config_generation)
		return;
	update->has_routes = wanted;
	update->routes_generation = balancer->config_generation;
	vip_routes_set(balancer->vip_routes, wanted ? balancer->services : NULL);
}

static void update_advise(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	struct why advice = { 0 };
	bool is_odd = false;

	for (size_t i = 0; i < SEGMENTS_MAX && !is_odd; i++) {
		const struct neigh_link *link = segments_link(balancer->segments, i);

		is_odd = link && link_advice(neigh_client_link(balancer->neigh), link, &advice);
	}
	if (!is_odd)
		is_odd = segments_overlap(balancer->segments, &advice);
	if (is_odd && !streq(advice.text, update->advice.text))
		log_warning("%s", advice.text);
	update->advice = advice;
}

void update_follow(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	bool publish = dataplane_update(
		balancer->dataplane, neigh_client_link(balancer->neigh), balancer->segments);

	update_advise(update);
	update_tell_links(update);
	update_role(update);
	update->status.changes++;
	/* A route of the one kind has the other's place. */
	if (balancer->config->announce != CONFIG_ANNOUNCE_ROUTE)
		update_announce_routes(update);
	update_routes(update);
	path_checks_follow(balancer->path_checks);
	publish |= update_places(update);
	publish |= update_links(update);
	if (publish)
		update_mark(update, true);
	/* Clients come only when packets flow; they are told to go elsewhere at once. */
	update->announce_due = true;
	if (!role_status(balancer->role).active)
		update_announce(update);
}

void update_mark(struct update *update, bool urgent)
{
	update->publish_due = true;
	update->urgent |= urgent;
	/* Large tables take longer than what must be said at once. */
	update->status.changes += urgent;
}

void update_mark_save(struct update *update)
{
	update->save_due = true;
}

/* Doing. */

void update_save(struct update *update)
{
	json_t *document = document_make(update->balancer);
	int r = document ? keep_save_document(update->balancer->keep, document) : -ENOMEM;

	json_decref(document);
	update->save_due = false;
	if (r < 0 && !update->save_failed)
		(void)log_errno(r, "cannot keep the state in %s; a restart would lose it",
			update->balancer->paths.runtime_dir);
	update->save_failed = r < 0;
}

static int update_failed(const struct update *update, int error, const char *what)
{
	if (!update->publish_failed)
		(void)log_errno(error, "cannot %s the tables; those in force stay", what);
	return error;
}

static int update_build_and_load(struct update *update, uint64_t now_us)
{
	const struct balancer *balancer = update->balancer;
	struct publish_links *links = &update->links;
	const struct publish_request request = { balancer->services, balancer->registry, links };
	struct snapshot *snapshot = NULL;
	int r;

	/* As they are now: that one moved is no reason to publish, as no ARP frame is. */
	links->n_gateways = neigh_list_gateway_macs(
		balancer->neigh, links->gateways, ARRAY_LEN(links->gateways));
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (segments_link(balancer->segments, i))
			links->n_gateways +=
				neigh_list_gateway_macs(segments_neigh_at(balancer->segments, i),
					links->gateways + links->n_gateways,
					ARRAY_LEN(links->gateways) - links->n_gateways);
	links->find = update_find;
	links->context = balancer->segments;
	r = publish_build(balancer->publish, &request, now_us, &snapshot);
	if (r < 0)
		return update_failed(update, r, "build");
	/* First the document, so that rows in force are never unknown to the next start. */
	update_save(update);
	r = dataplane_load(balancer->dataplane, snapshot);
	return r < 0 ? update_failed(update, r, "publish") : 0;
}

static void update_publish(struct update *update)
{
	struct update_status *status = &update->status;
	uint64_t begin_us = clock_now_us(), now_us;
	int r = update_build_and_load(update, begin_us);

	now_us = clock_now_us();
	update->publish_failed = r < 0;
	if (r < 0) {
		/* What fails takes time as well, and agents must be heard meanwhile. */
		update->from_us = now_us + UPDATE_RETRY_US;
		return;
	}
	update->publish_due = update->urgent = false;
	if (!dataplane_status(update->balancer->dataplane).is_running)
		return;
	status->n++;
	status->changes++;
	update->in_force = update->links.active;
	status->last_us = now_us - begin_us;
	status->longest_us = MAX(status->longest_us, status->last_us);
	/* Where tables are many and large this takes long: then half of the time is the agents'. */
	update->from_us = now_us + status->last_us;
	idle_wake(update->balancer->idle);
}

static void update_tell_systemd(const struct balancer *balancer)
{
	size_t up = 0, all = registry_len(balancer->registry);

	for (size_t i = 0; i < all; i++)
		up += registry_backend_at(balancer->registry, i)->state == BACKEND_UP;
	(void)sd_notifyf(0, "STATUS=%s; %zu of %zu backends up",
		!dataplane_status(balancer->dataplane).is_running
			? "no packet engine"
			: role_state_name(role_status(balancer->role).state),
		up, all);
}

/* Sets the timer for what is still due, if it is not set for an earlier time. */
static void update_wait(struct update *update)
{
	uint64_t now_us = clock_now_us(), due_us = 0, when_us;
	int enabled = SD_EVENT_OFF;

	if (!update->publish_due && !update->save_due)
		return;
	when_us = MAX(update->from_us, now_us + (update->urgent ? 0 : UPDATE_JOIN_US));
	(void)sd_event_source_get_enabled(update->timer, &enabled);
	(void)sd_event_source_get_time(update->timer, &due_us);
	if (enabled == SD_EVENT_OFF || due_us > when_us)
		balancer_timer_set(update->timer, when_us);
}

void update_flush(struct update *update)
{
	bool changed = update->publish_due || update->save_due;

	if (update->publish_due)
		update_publish(update);
	else if (update->save_due)
		update_save(update);
	if (update->announce_due)
		update_announce(update);
	if (changed)
		update_tell_systemd(update->balancer);
	update_wait(update);
}

void update_run(struct update *update)
{
	if (update->publish_due && update->urgent && clock_now_us() >= update->from_us) {
		update_flush(update);
		return;
	}
	if (update->announce_due && !update->publish_due)
		update_announce(update);
	update_wait(update);
}

void update_housekeeping(struct update *update)
{
	const struct balancer *balancer = update->balancer;
	const struct snapshot *current;

	update_follow(update);
	update->save_due |= update->save_failed;
	dataplane_reclaim(balancer->dataplane);
	current = dataplane_snapshot(balancer->dataplane);
	if (current && publish_tick(balancer->publish, clock_now_us()))
		update_mark(update, true);
	if (current)
		idle_wake(balancer->idle);
	update_run(update);
}

static int update_on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct update *update = context;

	if (clock_now_us() >= update->from_us)
		update_flush(update);
	else
		update_wait(update);
	return 0;
}

static bool update_step(void *context)
{
	struct update *update = context;

	return publish_step(update->balancer->publish, clock_now_us());
}

int update_new(struct balancer *balancer, struct update **ret_update)
{
	struct update *update = calloc(1, sizeof(*update));
	int r;

	if (!update)
		return -ENOMEM;
	update->balancer = balancer;
	update->places = malloc(UINT16_MAX + 1);
	if (!update->places) {
		update_free(update);
		return -ENOMEM;
	}
	memset(update->places, SEGMENTS_NONE, UINT16_MAX + 1);
	proto_named_mac(balancer->boot_id, update->links.named_mac);
	r = balancer_timer_new(balancer->event, update_on_timer, update, &update->timer);
	if (r >= 0)
		r = idle_add(balancer->idle, update_step, update);
	if (r < 0) {
		update_free(update);
		return r;
	}
	*ret_update = update;
	return 0;
}

struct update_status update_status(const struct update *update)
{
	struct update_status status = update->status;

	status.advice = update->advice.text;
	return status;
}
