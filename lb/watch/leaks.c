/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See leaks.h. The questions are leak_watch.c's. */
#include "lb/watch/leaks.h"

#include "common/log.h"
#include "common/os/clock.h"
#include "lb/config/model.h"
#include "lb/config/service.h"
#include "lb/link/leak_watch.h"
#include "lb/link/neigh/neigh.h"
#include "lb/registry/registry.h"

#define LEAKS_INTERVAL_US (2 * US_PER_S) /* where there is no virtual server */

/* Of one backend. */
struct leaks_of {
	struct addr vip;   /* that it answers for; AF_UNSPEC: none */
	uint32_t position; /* of the service whose VIP is asked about next */
};

struct leaks {
	struct leaks_parts parts;
	struct leak_watch *watch;
	struct leaks_of *of; /* by backend's id */
	size_t position;     /* of the backend that is asked next */
	bool failed;         /* and it was said */
	struct addr *vips;   /* of all services, sorted */
	size_t n_vips;
	uint64_t generation; /* of the configuration that they are of */
};

static void leaks_tell(struct leaks *leaks, uint16_t backend, const struct addr *vip)
{
	const char *interface = neigh_backend_link(leaks->parts.neigh)->name;
	char text[ADDR_STRLEN];
	struct why why = { 0 };

	leaks->of[backend].vip = vip ? *vip : (struct addr){ 0 };
	if (vip && vip->family == AF_INET)
		why_set(&why, "answers ARP for %s on %s (arp_ignore of that interface is 0?)",
			addr_format(vip, text), interface);
	else if (vip)
		why_set(&why, "answers ND for %s on %s (is it an address of that interface?)",
			addr_format(vip, text), interface);
	registry_leaks(leaks->parts.registry, backend, why.text, clock_now_us());
}

static void leaks_on_verdict(uint16_t backend, const struct addr *vip, void *context)
{
	struct leaks *leaks = context;

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
	struct leaks *leaks = context;
	const struct registry *registry = leaks->parts.registry;
	size_t len = registry_len(registry);

	for (size_t tried = 0; tried < len; tried++) {
		const struct backend *backend =
			registry_backend_by_address(registry, leaks->position++ % len);

		if (leaks_target(leaks, backend, ret_target))
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
	const struct leaks *leaks = context;

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

void leaks_follow(struct leaks *leaks)
{
	const struct leaks_parts *parts = &leaks->parts;
	const struct neigh_link *link = neigh_backend_link(parts->neigh);
	const struct leak_watch_config config = {
		.ifindex = link->running ? link->ifindex : 0,
		.mac = link->mac,
		.addresses = link->addresses,
		.subnets = link->subnets,
		.n_addresses = link->n_subnets,
		.n_backends = registry_len(parts->registry),
		.interval_us = leaks_interval_us(*parts->config),
	};
	int r = leaks_take_vips(leaks);

	if (r == 0)
		r = leak_watch_set(leaks->watch, &config);
	if (r < 0 && !leaks->failed)
		(void)log_errno(r, "cannot ask on %s whether backends answer for VIPs", link->name);
	leaks->failed = r < 0;
}

void leaks_ask(struct leaks *leaks, uint16_t id)
{
	const struct backend *backend = registry_backend(leaks->parts.registry, id);
	struct leak_watch_target target;

	if (backend && leaks_target(leaks, backend, &target))
		leak_watch_ask(leaks->watch, &target);
}

void leaks_claimed(struct leaks *leaks, const struct addr *vip, const struct mac *mac)
{
	const struct registry *registry = leaks->parts.registry;

	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);

		if (mac_equal(&backend->mac, mac) && leaks_has_vip(leaks, backend, vip))
			leak_watch_ask(leaks->watch,
				&(struct leak_watch_target){
					backend->id, backend->address, backend->mac, *vip });
	}
}

void leaks_forget(struct leaks *leaks, uint16_t backend)
{
	leak_watch_forget(leaks->watch, backend);
	leaks->of[backend] = (struct leaks_of){ 0 };
}

int leaks_new(const struct leaks_parts *parts, struct leaks **ret_leaks)
{
	static const struct leak_watch_callbacks callbacks = { leaks_next, leaks_is_vip,
		leaks_on_verdict };
	struct leaks *leaks = calloc(1, sizeof(*leaks));
	int r;

	if (!leaks)
		return -ENOMEM;
	leaks->parts = *parts;
	leaks->of = calloc(UINT16_MAX + 1, sizeof(*leaks->of));
	r = leaks->of ? 0 : -ENOMEM;
	if (r == 0)
		r = leak_watch_start(parts->event, &callbacks, leaks, &leaks->watch);
	if (r < 0) {
		leaks_free(leaks);
		return r;
	}
	*ret_leaks = leaks;
	return 0;
}

struct leaks *leaks_free(struct leaks *leaks)
{
	if (!leaks)
		return NULL;
	leak_watch_free(leaks->watch);
	free(leaks->of);
	free(leaks->vips);
	free(leaks);
	return NULL;
}
