/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See leaks.h. The questions are leak_watch.c's. */
#include "lb/watch/leaks.h"

#include "common/log.h"
#include "common/os/clock.h"
#include "lb/config/model.h"
#include "lb/config/service.h"
#include "lb/link/leak_watch.h"
#include "lb/link/neigh/segments.h"
#include "lb/registry/registry.h"

#define LEAKS_INTERVAL_US (2 * US_PER_S) /* where there is no virtual server */

/* Of one backend. */
struct leaks_of {
	struct addr vip;   /* that it answers for; AF_UNSPEC: none */
	uint32_t position; /* of the service whose VIP is asked about next */
};

/* Of one interface. */
struct leaks_link {
	struct leaks *leaks;
	size_t place;             /* among segments */
	struct leak_watch *watch; /* NULL: nobody has the place, or had it */
	size_t position;          /* of the backend that is asked next */
	bool failed;              /* and it was said */
};

struct leaks {
	struct leaks_parts parts;
	struct leaks_link links[SEGMENTS_MAX];
	struct leaks_of *of; /* by backend's id */
	struct addr *vips;   /* of all services, sorted */
	size_t n_vips;
	uint64_t generation; /* of the configuration that they are of */
};

static void leaks_tell(struct leaks *leaks, uint16_t id, const struct addr *vip)
{
	const struct backend *backend = registry_backend(leaks->parts.registry, id);
	const struct neigh_link *link =
		backend ? segments_link_of(leaks->parts.segments, &backend->address) : NULL;
	const char *interface = link ? link->name : "?";
	char text[ADDR_STRLEN];
	struct why why = { 0 };

	leaks->of[id].vip = vip ? *vip : (struct addr){ 0 };
	if (vip && vip->family == AF_INET)
		why_set(&why, "answers ARP for %s on %s (arp_ignore of that interface is 0?)",
			addr_format(vip, text), interface);
	else if (vip)
		why_set(&why, "answers ND for %s on %s (is it an address of that interface?)",
			addr_format(vip, text), interface);
	registry_leaks(leaks->parts.registry, id, why.text, clock_now_us());
}

static void leaks_on_verdict(uint16_t backend, const struct addr *vip, void *context)
{
	struct leaks *leaks = ((struct leaks_link *)context)->leaks;

	leaks_tell(leaks, backend, vip);
	leaks->parts.changed(leaks->parts.context);
}

static bool leaks_has_vip(
	const struct leaks *leaks, const struct backend *backend, const struct addr *vip)
{
	const struct leaks_parts *parts = &leaks->parts;
	size_t len = registry_memberships(parts->registry, backend);

	for (size_t i = 0; i < len; i++) {
		struct registry_member member = registry_membership(parts->registry, backend, i);
		const struct service *service = service_list_find(*parts->services, member.service);

		if (service && addr_equal(&service->vip, vip))
			return true;
	}
	return false;
}

static bool leaks_target(
	struct leaks *leaks, const struct backend *backend, struct leak_watch_target *ret_target)
{
	const struct leaks_parts *parts = &leaks->parts;
	struct leaks_of *of = &leaks->of[backend->id];
	size_t len = registry_memberships(parts->registry, backend);
	const struct service *service;

	/* A reload took the VIP away from it: nobody minds any more. */
	if (of->vip.family != AF_UNSPEC && !leaks_has_vip(leaks, backend, &of->vip)) {
		leaks_forget(leaks, backend->id);
		leaks_tell(leaks, backend->id, NULL);
	}
	if (len == 0 || mac_is_zero(&backend->mac))
		return false;
	service = service_list_find(*parts->services,
		registry_membership(parts->registry, backend, of->position++ % len).service);
	if (!service)
		return false;
	*ret_target = (struct leak_watch_target){ backend->id, backend->address, backend->mac,
		service->vip };
	return true;
}

static bool leaks_next(void *context, struct leak_watch_target *ret_target)
{
	struct leaks_link *link = context;
	const struct leaks_parts *parts = &link->leaks->parts;
	size_t len = registry_len(parts->registry);

	for (size_t tried = 0; tried < len; tried++) {
		const struct backend *backend =
			registry_backend_by_address(parts->registry, link->position++ % len);

		if (segments_find(parts->segments, &backend->address) == link->place &&
			leaks_target(link->leaks, backend, ret_target))
			return true;
	}
	return false;
}

static int leaks_compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static bool leaks_is_vip(void *context, const struct addr *address)
{
	const struct leaks *leaks = ((struct leaks_link *)context)->leaks;

	return leaks->n_vips > 0 &&
		bsearch(address, leaks->vips, leaks->n_vips, sizeof(*address), leaks_compare);
}

static int leaks_take_vips(struct leaks *leaks)
{
	const struct leaks_parts *parts = &leaks->parts;
	struct addr *vips = NULL;
	size_t n_vips = 0;
	int r;

	if (leaks->vips && leaks->generation == *parts->config_generation)
		return 0;
	r = service_list_vips(*parts->services, &vips, &n_vips);
	if (r < 0)
		return r;
	free(leaks->vips);
	leaks->vips = vips;
	leaks->n_vips = n_vips;
	leaks->generation = *parts->config_generation;
	return 0;
}

static uint64_t leaks_interval_us(const struct config *config)
{
	uint64_t interval_us = UINT64_MAX;

	for (size_t i = 0; i < config->n_virtual_servers; i++)
		interval_us = MIN(interval_us, config->virtual_servers[i]->check_interval_us);
	return interval_us == UINT64_MAX ? LEAKS_INTERVAL_US : interval_us;
}

/* How many backends are asked by the interface. */
static size_t leaks_count(const struct leaks_link *link)
{
	const struct leaks_parts *parts = &link->leaks->parts;
	size_t n = 0;

	for (size_t i = 0; i < registry_len(parts->registry); i++)
		n += segments_find(parts->segments,
			     &registry_backend_at(parts->registry, i)->address) == link->place;
	return n;
}

static int leaks_set_link(struct leaks_link *leaks_link, const struct neigh_link *link)
{
	static const struct leak_watch_callbacks callbacks = { leaks_next, leaks_is_vip,
		leaks_on_verdict };
	const struct leaks_parts *parts = &leaks_link->leaks->parts;
	const struct leak_watch_config config = {
		.ifindex = link->running ? link->ifindex : 0,
		.mac = link->mac,
		.addresses = link->addresses,
		.subnets = link->subnets,
		.n_addresses = link->n_subnets,
		.n_backends = leaks_count(leaks_link),
		.interval_us = leaks_interval_us(*parts->config),
	};
	int r = leaks_take_vips(leaks_link->leaks);

	if (r == 0 && !leaks_link->watch)
		r = leak_watch_start(parts->event, &callbacks, leaks_link, &leaks_link->watch);
	return r < 0 ? r : leak_watch_set(leaks_link->watch, &config);
}

void leaks_follow(struct leaks *leaks)
{
	ARRAY_FOREACH (leaks_link, leaks->links, SEGMENTS_MAX) {
		const struct neigh_link *link =
			segments_link(leaks->parts.segments, leaks_link->place);
		int r;

		if (!link) {
			leaks_link->watch = leak_watch_free(leaks_link->watch);
			continue;
		}
		r = leaks_set_link(leaks_link, link);
		if (r < 0 && !leaks_link->failed)
			(void)log_errno(
				r, "cannot ask on %s whether backends answer for VIPs", link->name);
		leaks_link->failed = r < 0;
	}
}

/* The watch of the interface that the target is on; NULL: there is none. */
static struct leak_watch *leaks_watch(
	const struct leaks *leaks, const struct leak_watch_target *target)
{
	size_t place = segments_find(leaks->parts.segments, &target->address);

	return place < SEGMENTS_MAX ? leaks->links[place].watch : NULL;
}

static void leaks_ask_target(struct leaks *leaks, const struct leak_watch_target *target)
{
	struct leak_watch *watch = leaks_watch(leaks, target);

	if (watch)
		leak_watch_ask(watch, target);
}

void leaks_ask(struct leaks *leaks, uint16_t id)
{
	const struct backend *backend = registry_backend(leaks->parts.registry, id);
	struct leak_watch_target target;

	if (backend && leaks_target(leaks, backend, &target))
		leaks_ask_target(leaks, &target);
}

void leaks_claimed(struct leaks *leaks, const struct addr *vip, const struct mac *mac)
{
	const struct registry *registry = leaks->parts.registry;

	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);

		if (mac_equal(&backend->mac, mac) && leaks_has_vip(leaks, backend, vip))
			leaks_ask_target(leaks,
				&(struct leak_watch_target){
					backend->id, backend->address, backend->mac, *vip });
	}
}

bool leaks_is_server(const struct leaks *leaks, const struct addr *vip, const struct mac *mac)
{
	const struct registry *registry = leaks->parts.registry;

	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);

		if (mac_equal(&backend->mac, mac) && leaks_has_vip(leaks, backend, vip))
			return true;
	}
	return false;
}

void leaks_forget(struct leaks *leaks, uint16_t backend)
{
	ARRAY_FOREACH (link, leaks->links, SEGMENTS_MAX)
		if (link->watch)
			leak_watch_forget(link->watch, backend);
	leaks->of[backend] = (struct leaks_of){ 0 };
}

int leaks_new(const struct leaks_parts *parts, struct leaks **ret_leaks)
{
	struct leaks *leaks = calloc(1, sizeof(*leaks));

	if (!leaks)
		return -ENOMEM;
	leaks->parts = *parts;
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		leaks->links[i] = (struct leaks_link){ .leaks = leaks, .place = i };
	leaks->of = calloc(UINT16_MAX + 1, sizeof(*leaks->of));
	if (!leaks->of) {
		leaks_free(leaks);
		return -ENOMEM;
	}
	*ret_leaks = leaks;
	return 0;
}

struct leaks *leaks_free(struct leaks *leaks)
{
	if (!leaks)
		return NULL;
	ARRAY_FOREACH (link, leaks->links, SEGMENTS_MAX)
		leak_watch_free(link->watch);
	free(leaks->of);
	free(leaks->vips);
	free(leaks);
	return NULL;
}
