/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes packets flow: decides whether this balancer is active, keeps an engine on the interfaces
 * that are there, publishes snapshots to it, and announces the VIPs. Called by the daemon's
 * loop whenever a link, an address, the configuration or the registry changed.
 */
#include "lb/daemon/daemon.h"

/* The engine. */

static void forward_add_totals(struct engine_totals *sum, const struct engine_totals *part)
{
	sum->received_pkts += part->received_pkts;
	for (size_t i = 0; i < FWD_VERDICT_N_; i++)
		sum->verdict_pkts[i] += part->verdict_pkts[i];
	for (size_t i = 0; i < FWD_REASON_N_; i++)
		sum->reason_pkts[i] += part->reason_pkts[i];
	sum->evictions += part->evictions;
	sum->unrecorded += part->unrecorded;
	/* What an engine holds when it is stopped was never decided. */
	sum->fragments_held = part->fragments_held;
	sum->fragments_released += part->fragments_released;
	sum->fragments_expired += part->fragments_expired;
	sum->answers_sent += part->answers_sent;
	sum->answers_limited += part->answers_limited;
}

void forward_totals(const struct daemon *daemon, struct engine_totals *ret_totals)
{
	struct engine_totals now = { 0 };

	*ret_totals = daemon->totals_before;
	if (!daemon->engine)
		return;
	daemon->engine_ops->totals(daemon->engine, &now);
	forward_add_totals(ret_totals, &now);
}

static void forward_engine_stop(struct daemon *daemon, bool detach)
{
	if (!daemon->engine)
		return;
	forward_totals(daemon, &daemon->totals_before);
	daemon->totals_before.fragments_held = 0;
	daemon->engine_ops->stop(daemon->engine, detach);
	daemon->engine = NULL;
	daemon->engine_ifindex = daemon->engine_out_ifindex = 0;
}

static unsigned int forward_workers(const struct daemon *daemon)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (daemon->config->workers > 0)
		return daemon->config->workers;
	return (unsigned int)MIN(MAX(cpus, 1L), (long)ENGINE_WORKERS_MAX);
}

/* The engines that the configuration allows, best first. */
static size_t forward_candidates(enum config_mode mode, const struct engine_ops *ret_ops[3])
{
	size_t len = 0;

	if (mode == CONFIG_MODE_AUTO || mode == CONFIG_MODE_XDP)
		ret_ops[len++] = &engine_xdp_ops;
	if (mode == CONFIG_MODE_AUTO || mode == CONFIG_MODE_TC)
		ret_ops[len++] = &engine_tc_ops;
	if (mode == CONFIG_MODE_AUTO || mode == CONFIG_MODE_PACKET)
		ret_ops[len++] = &engine_packet_ops;
	return len;
}

/* Appends "ENGINE: WHY" to what is said of an engine that is not taken. */
static void forward_note_reason(
	struct daemon *daemon, const struct engine_ops *ops, const char *why)
{
	char *reason = daemon->engine_reason;
	size_t len = strlen(reason);

	snprintf(reason + len, sizeof(daemon->engine_reason) - len, "%s%s: %s", len > 0 ? "; " : "",
		ops->name, why);
}

/* Starts the first engine that can be had; none: `engine_reason` says why. */
static int forward_engine_try(struct daemon *daemon, const struct engine_config *config)
{
	const struct engine_ops *candidates[3];
	bool is_auto = daemon->config->mode == CONFIG_MODE_AUTO;
	size_t len = forward_candidates(daemon->config->mode, candidates);
	int r = -EOPNOTSUPP;

	daemon->engine_reason[0] = '\0';
	for (size_t i = 0; i < len; i++) {
		const struct engine_ops *ops = candidates[i];
		char why[ENGINE_WHY_BYTES] = "";

		if (is_auto && ops->suits && !ops->suits(config, why)) {
			forward_note_reason(daemon, ops, why);
			continue;
		}
		r = ops->start(config, &daemon->engine, why);
		if (r == 0) {
			daemon->engine_ops = ops;
			return 0;
		}
		daemon->engine = NULL;
		forward_note_reason(daemon, ops, why);
	}
	return r;
}

static void forward_engine_start(
	struct daemon *daemon, const struct neigh_link *clients, const struct neigh_link *backends)
{
	struct engine_config config = {
		.ifindex = clients->ifindex,
		.out_ifindex = backends->ifindex,
		.n_workers = forward_workers(daemon),
		.flows_map = keep_flows_map(daemon->keep),
		.loads_map = keep_loads_map(daemon->keep),
		.pin_directory = daemon->pin_directory,
	};
	char said[sizeof(daemon->engine_reason)];
	int r;

	memcpy(said, daemon->engine_reason, sizeof(said));
	r = forward_engine_try(daemon, &config);
	if (r < 0) {
		/* The keeper tries again each second; what has been said is not said again. */
		if (!streq(said, daemon->engine_reason))
			(void)log_errno(r, "no engine can be started on %s: %s", clients->name,
				daemon->engine_reason);
		return;
	}
	daemon->engine_ifindex = clients->ifindex;
	daemon->engine_out_ifindex = backends->ifindex;
	daemon->engine_is_new = true;
	if (daemon->config->mode != CONFIG_MODE_AUTO)
		snprintf(daemon->engine_reason, sizeof(daemon->engine_reason), "as configured");
	else if (daemon->engine_reason[0] == '\0')
		snprintf(daemon->engine_reason, sizeof(daemon->engine_reason),
			"auto: the best that the interface has");
	log_info("forwarding on %s by the %s engine (%s)", clients->name, daemon->engine_ops->name,
		daemon->engine_reason);
}

/* Keeps an engine on the interfaces of that name, whatever index they have now. */
static void forward_engine_update(struct daemon *daemon)
{
	const struct neigh_link *clients = neigh_client_link(daemon->neigh);
	const struct neigh_link *backends = neigh_backend_link(daemon->neigh);
	int health = daemon->engine ? daemon->engine_ops->health(daemon->engine) : 0;

	/* An interface that is down only pauses the engine. */
	if (daemon->engine &&
		((health < 0 && health != -ENETDOWN) ||
			daemon->engine_ifindex != clients->ifindex ||
			daemon->engine_out_ifindex != backends->ifindex)) {
		log_warning("the %s engine on %s ends: %s", daemon->engine_ops->name,
			daemon->config->interface,
			health < 0 ? strerror(-health) : "the interface is another one now");
		forward_engine_stop(daemon, false);
	}
	if (daemon->engine)
		return;
	if (clients->ifindex == 0 || backends->ifindex == 0) {
		snprintf(daemon->engine_reason, sizeof(daemon->engine_reason),
			"interface %s is not there",
			clients->ifindex == 0 ? daemon->config->interface : daemon->config->backend_interface);
		return;
	}
	forward_engine_start(daemon, clients, backends);
}

/* Whether to be active. */

static const struct addr *forward_local_vip(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->services->len; i++)
		if (neigh_has_address(daemon->neigh, &daemon->services->items[i].vip))
			return &daemon->services->items[i].vip;
	return NULL;
}

/* Writes why not into inactive_reason; true when this balancer is to serve. */
static bool forward_should_be_active(struct daemon *daemon)
{
	const struct addr *local = forward_local_vip(daemon);
	const struct addr *when = &daemon->config->active_when;
	char *reason = daemon->inactive_reason;
	size_t size = sizeof(daemon->inactive_reason);
	char text[ADDR_STRLEN];

	daemon->guarded = false;
	reason[0] = '\0';
	if (daemon->standby)
		snprintf(reason, size, "on standby by an administrator; `dsr-lb active` ends it");
	else if (when->family != AF_UNSPEC && !neigh_has_address(daemon->neigh, when))
		snprintf(reason, size, "active-when: %s is not on this host",
			addr_format(when, text));
	else if (local) {
		daemon->guarded = true;
		snprintf(reason, size,
			"%s is configured on this host, whose kernel would answer clients with RST; "
			"remove it: dsr-lb announces VIPs itself",
			addr_format(local, text));
	}
	return reason[0] == '\0';
}

/* Announcing and blackholes. */

static int forward_addr_compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* Sorted, each once. */
static int forward_vips(
	const struct service_list *services, struct addr **ret_vips, size_t *ret_len)
{
	struct addr *vips = calloc(services->len + 1, sizeof(*vips));
	size_t len = 0;

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < services->len; i++)
		vips[i] = services->items[i].vip;
	qsort(vips, services->len, sizeof(*vips), forward_addr_compare);
	for (size_t i = 0; i < services->len; i++)
		if (len == 0 || !addr_equal(&vips[len - 1], &vips[i]))
			vips[len++] = vips[i];
	*ret_vips = vips;
	*ret_len = len;
	return 0;
}

static void forward_announce(struct daemon *daemon)
{
	_cleanup_free_ struct addr *vips = NULL;
	struct announce_config config = {
		.ifindex = daemon->engine_ifindex,
		.mac = neigh_client_link(daemon->neigh)->mac,
		.refresh_us = daemon->config->announce_refresh_us,
	};
	int r;

	if (daemon->active && daemon->engine && daemon->config->announce) {
		r = forward_vips(daemon->services, &vips, &config.n_vips);
		if (r < 0) {
			(void)log_errno(r, "cannot announce the VIPs");
			return;
		}
	}
	config.vips = vips;
	r = announce_set(daemon->announce, &config);
	if (r < 0)
		(void)log_errno(r, "cannot announce the VIPs on %s", daemon->config->interface);
}

/* In a list as forward_vips() makes it. */
static bool forward_list_has(const struct addr *list, size_t len, const struct addr *addr)
{
	return len > 0 && bsearch(addr, list, len, sizeof(*list), forward_addr_compare) != NULL;
}

void forward_blackholes(struct daemon *daemon, const struct service_list *services)
{
	_cleanup_free_ struct addr *vips = NULL;
	const struct addr *old = daemon->blackholes.items;
	char text[ADDR_STRLEN];
	size_t len = 0;
	int r;

	if (services && forward_vips(services, &vips, &len) < 0)
		return;
	for (size_t i = 0; i < daemon->blackholes.len; i++) {
		if (forward_list_has(vips, len, &old[i]))
			continue;
		r = neigh_blackhole_remove(daemon->neigh, &old[i]);
		if (r < 0)
			(void)log_warning_errno(r, "cannot remove the blackhole route for %s",
				addr_format(&old[i], text));
	}
	neigh_blackholes_begin(daemon->neigh);
	for (size_t i = 0; i < len; i++) {
		r = forward_list_has(old, daemon->blackholes.len, &vips[i])
			? 0
			: neigh_blackhole_add(daemon->neigh, &vips[i]);
		if (r < 0)
			(void)log_warning_errno(r,
				"cannot add a blackhole route for %s: with IP forwarding on, this "
				"host's kernel may forward its packets a second time",
				addr_format(&vips[i], text));
	}
	neigh_blackholes_end(daemon->neigh);
	ini_list_clear(&daemon->blackholes);
	daemon->blackholes = (struct ini_list){ TAKE_PTR(vips), len };
}

static void forward_blackhole_sweep(const struct addr *vip, void *context)
{
	struct daemon *daemon = context;

	if (!forward_list_has(daemon->blackholes.items, daemon->blackholes.len, vip))
		(void)neigh_blackhole_remove(daemon->neigh, vip);
}

void forward_blackholes_start(struct daemon *daemon)
{
	forward_blackholes(daemon, daemon->services);
	service_ids_each(daemon->service_ids, forward_blackhole_sweep, daemon);
}

/* An ARP or NA is never authentic: it is named, and changes nothing about where frames go. */
void forward_claimed(const struct addr *vip, const struct mac *mac, void *context)
{
	struct daemon *daemon = context;
	const struct backend *owner = NULL;
	char address[ADDR_STRLEN], text[MAC_STRLEN], field[64];

	for (size_t i = 0; i < registry_len(daemon->registry) && !owner; i++)
		if (mac_equal(&registry_backend_at(daemon->registry, i)->mac, mac))
			owner = registry_backend_at(daemon->registry, i);
	snprintf(field, sizeof(field), "DSR_VIP=%s", addr_format(vip, address));
	log_fields(LOG_LEVEL_WARNING, ((const char *const[]){ field, NULL }),
		"%s claims %s, which this balancer serves: %s", mac_format(mac, text), address,
		owner ? owner->name : "another balancer, or a host that leaks or forges ARP");
}

/* Publishing. */

/* Said once, and tried again by the keeper: a full runtime directory may have room later. */
static void forward_publish_failed(struct daemon *daemon, int error, const char *what)
{
	if (!daemon->publish_failed)
		(void)log_errno(error, "cannot %s the tables; those in force stay", what);
	daemon->publish_failed = true;
	/* What fails takes time as well, and agents must be heard meanwhile. */
	daemon->publish_from_us = daemon_now(daemon) + US_PER_S;
}

/* The first snapshot is in force: what an engine of a former life left in another way goes now. */
static void forward_engine_takes_over(struct daemon *daemon)
{
	const struct engine_config config = {
		.ifindex = daemon->engine_ifindex,
		.out_ifindex = daemon->engine_out_ifindex,
		.pin_directory = daemon->pin_directory,
	};

	engine_remove_others(&config, daemon->engine_ops);
	daemon->engine_is_new = false;
}

static void forward_publish_took(struct daemon *daemon, uint64_t begin_us)
{
	struct daemon_publications *publications = &daemon->publications;
	uint64_t now_us = daemon_now(daemon);

	publications->n++;
	publications->last_us = now_us - begin_us;
	publications->longest_us = MAX(publications->longest_us, publications->last_us);
	daemon->publish_from_us = now_us + publications->last_us;
	daemon_walk(daemon);
}

void forward_publish(struct daemon *daemon)
{
	struct snapshot *snapshot = NULL;
	uint64_t begin_us = daemon_now(daemon);
	int r;

	(void)sd_event_source_set_enabled(daemon->publisher, SD_EVENT_OFF);
	r = publish_build(daemon->publish, daemon->services, daemon->registry, &daemon->links,
		begin_us, &snapshot);
	if (r < 0) {
		forward_publish_failed(daemon, r, "build");
		return;
	}
	/* First the document, so that rows in force are never unknown to the next start. */
	daemon_save(daemon);
	if (!daemon->engine) {
		snapshot_free(snapshot);
		daemon->publish_failed = false;
		return;
	}
	r = daemon->engine_ops->publish(daemon->engine, snapshot);
	if (r < 0) {
		forward_publish_failed(daemon, r, "publish");
		return;
	}
	daemon->publish_failed = false;
	if (daemon->engine_is_new)
		forward_engine_takes_over(daemon);
	forward_publish_took(daemon, begin_us);
}

/* Takes over what the links say now; true if a snapshot depends on a difference. */
static bool forward_links_update(struct daemon *daemon)
{
	const struct neigh_link *clients = neigh_client_link(daemon->neigh);
	const struct neigh_link *backends = neigh_backend_link(daemon->neigh);
	struct publish_links *links = &daemon->links;
	bool changed = !mac_equal(&links->own_mac, &clients->mac) ||
		!mac_equal(&links->out_mac, &backends->mac) ||
		links->mtu_bytes != backends->mtu_bytes || links->active != daemon->active;

	links->own_mac = clients->mac;
	links->out_mac = backends->mac;
	links->mtu_bytes = backends->mtu_bytes;
	links->active = daemon->active;
	return changed;
}

void forward_update(struct daemon *daemon)
{
	struct engine *engine_before = daemon->engine;
	bool active_before = daemon->active;
	bool publish;

	forward_engine_update(daemon);
	daemon->active = forward_should_be_active(daemon);
	if (daemon->active != active_before)
		log_info("%s%s",
			daemon->active ? "active" : "not active: ", daemon->inactive_reason);
	publish = forward_links_update(daemon);
	publish |= daemon->engine != engine_before;
	if (publish)
		forward_publish(daemon);
	/* Clients come only when packets flow. */
	forward_announce(daemon);
}

void forward_stop(struct daemon *daemon)
{
	forward_engine_stop(daemon, daemon->detach_on_exit);
}
