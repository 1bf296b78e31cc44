/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the registry and the probes: see path_checks.h. */
#include "lb/daemon/path_checks.h"

#include "common/os/clock.h"
#include "common/log.h"
#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/link/neigh/segments.h"
#include "lb/link/path/path_probe.h"
#include "lb/link/reminder.h"
#include "lb/registry/registry.h"

struct path_checks {
	struct balancer *balancer;
	const struct path_checks_calls *calls;
	struct path_probes
		*probes[SEGMENTS_MAX]; /* NULL: nothing was ever probed by that interface */
	bool failed[SEGMENTS_MAX];     /* to open sockets, and it was said */
	int reminder_fd;               /* -1 until it is needed */
	bool changed;                  /* the registry has actions to take */
};

static enum registry_path_verdict path_checks_verdict(enum path_verdict verdict)
{
	switch (verdict) {
	case PATH_OK:
		return REGISTRY_PATH_OK;
	case PATH_NO_ANSWER:
		return REGISTRY_PATH_NO_ANSWER;
	case PATH_REFUSED:
		return REGISTRY_PATH_REFUSED;
	case PATH_PORT_UNREACHABLE:
		return REGISTRY_PATH_PORT_UNREACHABLE;
	case PATH_PROHIBITED:
		return REGISTRY_PATH_PROHIBITED;
	case PATH_UNREACHABLE:
		return REGISTRY_PATH_UNREACHABLE;
	case PATH_UNEXPECTED:
		return REGISTRY_PATH_UNEXPECTED;
	case PATH_STATUS:
		return REGISTRY_PATH_STATUS;
	case PATH_MUTE:
		return REGISTRY_PATH_MUTE;
	case PATH_CLOSED:
		return REGISTRY_PATH_CLOSED;
	case PATH_NOT_HTTP:
		return REGISTRY_PATH_NOT_HTTP;
	case PATH_NO_ADDRESS:
		return REGISTRY_PATH_NO_ADDRESS;
	case PATH_NOT_MADE:
		break;
	}
	return REGISTRY_PATH_NOT_MADE;
}

/*
 * Where a server's kernel has an old place of ours, or one that somebody forged, its answers go there until it finds
 * out by itself, which takes IPv6 some nine seconds. Heartbeats confirm the one address that they come from alone.
 */
static void path_checks_remind(struct path_checks *checks, const struct path_result *result)
{
	const struct balancer *balancer = checks->balancer;
	const struct backend *backend = registry_backend(balancer->registry, result->backend);
	const struct neigh_link *link =
		backend ? segments_link_of(balancer->segments, &backend->address) : NULL;
	const struct service *service = service_list_find(balancer->services, result->service);
	int r = 0;

	if (!link || !service || link->ifindex == 0)
		return;
	if (checks->reminder_fd < 0)
		r = reminder_open(&checks->reminder_fd);
	for (size_t i = 0; i < link->n_subnets && r >= 0; i++)
		if (link->addresses[i].family == service->vip.family &&
			!addr_equal(&link->addresses[i], &service->vip))
			r = reminder_send(checks->reminder_fd, link->ifindex, &link->addresses[i],
				&link->mac, &backend->mac);
	if (r < 0)
		log_debug("cannot tell %s where this balancer is: %s", backend->name, strerror(-r));
}

static void path_checks_on_result(const struct path_result *result, void *context)
{
	struct path_checks *checks = context;
	const struct registry_path_result told = {
		.backend = result->backend,
		.service = result->service,
		.check = result->check,
		.status = result->status,
		.verdict = path_checks_verdict(result->verdict),
		.began_us = result->began_us,
	};
	char reason[64];

	if (result->verdict == PATH_NOT_MADE && result->error < 0) {
		snprintf(reason, sizeof(reason), "path: %.40s", strerror(-result->error));
		checks->calls->not_made(checks->balancer, reason);
	}
	if (result->verdict == PATH_NO_ANSWER)
		path_checks_remind(checks, result);
	checks->changed |= registry_path_result(checks->balancer->registry, &told, clock_now_us());
}

static void path_checks_on_done(void *context)
{
	struct path_checks *checks = context;

	if (!checks->changed)
		return;
	checks->changed = false;
	checks->calls->changed(checks->balancer);
}

static enum path_kind path_checks_kind(enum registry_path path)
{
	if (path == REGISTRY_PATH_TCP)
		return PATH_TCP;
	return path == REGISTRY_PATH_UDP ? PATH_UDP : PATH_ECHO;
}

static struct path_target path_checks_target(
	const struct service *service, const struct registry_service *registry)
{
	const struct config_virtual_server *virtual_server = service->virtual_server;
	const struct config_bytes *payload = &virtual_server->check_payload;
	const struct config_bytes *expect = &virtual_server->check_expect;

	return (struct path_target){
		.service = service->id,
		.vip = service->vip,
		.kind = path_checks_kind(registry->path),
		.port = registry->path_port,
		.interval_us = virtual_server->check_interval_us,
		.timeout_us = virtual_server->check_timeout_us,
		.payload = { payload->data, payload->size_bytes },
		.expect = { expect->data, expect->size_bytes },
	};
}

#define PATH_CHECKS_REQUEST \
	"GET %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: dsr-lb/" DSR_VERSION \
	"\r\nAccept: */*\r\nConnection: close\r\n\r\n"
_Static_assert(sizeof(PATH_CHECKS_REQUEST) + CONFIG_URL_MAX <= PATH_FRAME_PAYLOAD_MAX,
	"a request is one frame");

/* One more request of a service; its text is the target's, to free. -ENOMEM. */
static int path_checks_request(
	const struct service *service, size_t idx, uint16_t port, struct path_target *ret_target)
{
	const struct config_virtual_server *virtual_server = service->virtual_server;
	const struct config_url *url =
		&((const struct config_url *)virtual_server->check_http.items)[idx];
	char *text;
	int size = asprintf(&text, PATH_CHECKS_REQUEST, url->parts.target,
		(int)url->parts.authority_bytes, url->parts.authority);

	if (size < 0)
		return -ENOMEM;
	*ret_target = (struct path_target){
		.service = service->id,
		.check = (uint16_t)(idx + 1),
		.vip = service->vip,
		.kind = PATH_HTTP,
		.port = port,
		.interval_us = virtual_server->check_interval_us,
		.timeout_us = virtual_server->check_timeout_us,
		.payload = { (const uint8_t *)text, (size_t)size },
	};
	return 0;
}

static int path_checks_compare(const void *a, const void *b)
{
	const struct path_target *left = a, *right = b;

	return left->service != right->service ? (int)left->service - (int)right->service
					       : (int)left->check - (int)right->check;
}

struct path_checks_targets {
	struct path_target *items;
	size_t len;
};

static void path_checks_targets_clear(struct path_checks_targets *targets)
{
	for (size_t i = 0; i < targets->len; i++)
		if (targets->items[i].kind == PATH_HTTP)
			free((void *)(uintptr_t)targets->items[i].payload.data);
	free(targets->items);
}

/* All that is asked of one service. -ENOMEM. */
static int path_checks_add(struct path_checks_targets *targets, const struct service *service,
	const struct registry_service *registry)
{
	int r = 0;

	if (registry->path != REGISTRY_PATH_NONE)
		targets->items[targets->len++] = path_checks_target(service, registry);
	for (size_t i = 0; i < registry->n_requests && r == 0; i++) {
		r = path_checks_request(
			service, i, registry->requests[i].port, &targets->items[targets->len]);
		targets->len += r == 0;
	}
	return r;
}

/* In the order of services' ids and their checks; to clear, also when it fails. -ENOMEM. */
static int path_checks_list(const struct balancer *balancer, const struct backend *backend,
	struct path_checks_targets *ret_targets)
{
	size_t n_members = registry_memberships(balancer->registry, backend);
	int r = 0;

	ret_targets->items =
		calloc(n_members * (1 + REGISTRY_REQUESTS_MAX) + 1, sizeof(*ret_targets->items));
	if (!ret_targets->items)
		return -ENOMEM;
	for (size_t i = 0; i < n_members && r == 0; i++) {
		struct registry_member member = registry_membership(balancer->registry, backend, i);
		const struct service *service =
			service_list_find(balancer->services, member.service);

		if (service)
			r = path_checks_add(ret_targets, service,
				&balancer->services->registry[service - balancer->services->items]);
	}
	qsort(ret_targets->items, ret_targets->len, sizeof(*ret_targets->items),
		path_checks_compare);
	return r;
}

static void path_checks_say(struct path_checks *checks, size_t place, int r)
{
	const struct neigh_link *link = segments_link(checks->balancer->segments, place);

	if (r < 0 && !checks->failed[place])
		(void)log_errno(r,
			"cannot probe paths on %s; backends there stay as they are until it works",
			link ? link->name : "?");
	checks->failed[place] = r < 0;
}

static const struct path_callbacks path_checks_callbacks = { path_checks_on_result,
	path_checks_on_done };

/* Those of the interface, made when they are needed first; NULL: no memory, which is said. */
static struct path_probes *path_checks_probes(struct path_checks *checks, size_t place)
{
	int r = 0;

	if (!checks->probes[place])
		r = path_probe_start(checks->balancer->event, &path_checks_callbacks, checks,
			&checks->probes[place]);
	if (r < 0)
		path_checks_say(checks, place, r);
	return checks->probes[place];
}

/* Nothing of it is probed but by the interface at `place`, or by none. */
static void path_checks_forget(struct path_checks *checks, uint16_t id, size_t place)
{
	const struct mac nowhere = { 0 };
	const struct addr nobody = { 0 };

	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (i != place && checks->probes[i])
			(void)path_probe_set(checks->probes[i], id, &nowhere, &nobody, NULL, 0);
}

static void path_checks_follow_link(struct path_checks *checks, size_t place);

void path_checks_set(struct path_checks *checks, uint16_t id)
{
	const struct balancer *balancer = checks->balancer;
	const struct backend *backend = registry_backend(balancer->registry, id);
	struct path_checks_targets targets = { NULL, 0 };
	struct path_probes *probes;
	size_t place = SEGMENTS_NONE;
	int r;

	/* Where its frames go may not be known yet. */
	if (backend && !mac_is_zero(&backend->mac))
		place = segments_find(balancer->segments, &backend->address);
	path_checks_forget(checks, id, place);
	if (place == SEGMENTS_NONE)
		return;
	if (!checks->probes[place])
		path_checks_follow_link(checks, place);
	probes = checks->probes[place];
	if (!probes)
		return;
	r = path_checks_list(balancer, backend, &targets);
	if (r == 0)
		r = path_probe_set(
			probes, id, &backend->mac, &backend->address, targets.items, targets.len);
	path_checks_targets_clear(&targets);
	path_checks_say(checks, place, r);
}

void path_checks_heard(struct path_checks *checks, uint16_t backend)
{
	ARRAY_FOREACH (probes, checks->probes, SEGMENTS_MAX)
		if (*probes)
			path_probe_again(*probes, backend);
}

/* A VIP that keepalived put on this host is no address to ask from: its answers are clients' frames. */
static bool path_checks_is_vip(const struct addr *vips, size_t n_vips, const struct addr *own)
{
	for (size_t i = 0; i < n_vips; i++)
		if (addr_equal(&vips[i], own))
			return true;
	return false;
}

static void path_checks_follow_link(struct path_checks *checks, size_t place)
{
	const struct balancer *balancer = checks->balancer;
	const struct neigh_link *link = segments_link(balancer->segments, place);
	struct path_probes *probes = link ? path_checks_probes(checks, place) : NULL;
	struct addr addresses[NEIGH_SUBNETS_MAX];
	struct addr_prefix subnets[NEIGH_SUBNETS_MAX];
	_cleanup_free_ struct addr *vips = NULL;
	struct path_link now = { .addresses = addresses, .subnets = subnets };
	size_t n_vips = 0;

	if (!probes || service_list_vips(balancer->services, &vips, &n_vips) < 0)
		return;
	now.interface = link->name;
	now.ifindex = link->ifindex;
	now.running = link->running;
	now.mac = link->mac;
	for (size_t i = 0; i < link->n_subnets; i++) {
		if (path_checks_is_vip(vips, n_vips, &link->addresses[i]))
			continue;
		addresses[now.n_addresses] = link->addresses[i];
		subnets[now.n_addresses++] = link->subnets[i];
	}
	path_checks_say(checks, place, path_probe_set_link(probes, &now));
}

const struct addr *path_checks_source(
	const struct path_checks *checks, const struct addr *backend, sa_family_t family)
{
	size_t place = segments_find(checks->balancer->segments, backend);

	if (place >= SEGMENTS_MAX || !checks->probes[place])
		return NULL;
	return path_probe_source(checks->probes[place], backend, family);
}

void path_checks_follow(struct path_checks *checks)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		if (checks->probes[i] && !segments_link(checks->balancer->segments, i))
			checks->probes[i] = path_probe_free(checks->probes[i]);
		else if (checks->probes[i])
			path_checks_follow_link(checks, i);
	}
}

int path_checks_new(struct balancer *balancer, const struct path_checks_calls *calls,
	struct path_checks **ret_checks)
{
	struct path_checks *checks = calloc(1, sizeof(*checks));

	if (!checks)
		return -ENOMEM;
	checks->balancer = balancer;
	checks->calls = calls;
	checks->reminder_fd = -1;
	*ret_checks = checks;
	return 0;
}

struct path_checks *path_checks_free(struct path_checks *checks)
{
	if (!checks)
		return NULL;
	ARRAY_FOREACH (probes, checks->probes, SEGMENTS_MAX)
		path_probe_free(*probes);
	util_close(checks->reminder_fd);
	free(checks);
	return NULL;
}
