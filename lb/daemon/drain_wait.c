/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for what, and how many flows are still open: see drain_wait.h. */
#include "lb/daemon/drain_wait.h"

#include "common/control/control.h"
#include "lb/table/flow_walk.h"

#define DRAIN_WAITS_MAX CONTROL_CLIENTS_MAX
/* Reports of agents lag by an interval and the cache of their counts. */
#define DRAIN_WAIT_SETTLE_US (2 * US_PER_S)

struct drain_wait {
	struct control_request *request; /* NULL: free */
	char backend[REGISTRY_NAME_BYTES];
	uint64_t deadline_us;
	/* Of a backend without an agent: its flows are counted in the shared walk. */
	uint16_t counted; /* id */
	bool is_counted;
	uint64_t flows;
	struct flow_walk_job job;
};

struct drain_waits {
	const struct registry *registry;
	struct flow_walk *walk;
	struct drain_wait waits[DRAIN_WAITS_MAX];
};

static void drain_wait_count(const struct flows_entry *entry, void *context)
{
	struct drain_wait *wait = context;

	wait->flows += entry->backend == wait->counted;
}

static void drain_wait_counted(void *context)
{
	struct drain_wait *wait = context;

	wait->is_counted = true;
}

struct drain_waits *drain_waits_new(const struct registry *registry, struct flow_walk *walk)
{
	struct drain_waits *waits = calloc(1, sizeof(*waits));

	if (!waits)
		return NULL;
	waits->registry = registry;
	waits->walk = walk;
	return waits;
}

static void drain_wait_end(struct drain_waits *waits, struct drain_wait *wait)
{
	flow_walk_leave(waits->walk, &wait->job);
	wait->request = NULL;
}

struct drain_waits *drain_waits_free(struct drain_waits *waits)
{
	if (!waits)
		return NULL;
	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX)
		drain_wait_end(waits, wait);
	free(waits);
	return NULL;
}

static void drain_wait_gone(struct control_request *request, void *context)
{
	struct drain_waits *waits = context;

	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX)
		if (wait->request == request)
			drain_wait_end(waits, wait);
}

int drain_waits_add(struct drain_waits *waits, struct control_request *request,
	const struct backend *backend, uint64_t deadline_us)
{
	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX) {
		if (wait->request)
			continue;
		*wait = (struct drain_wait){
			.request = request,
			.deadline_us = deadline_us,
			.job = { .each = drain_wait_count,
				.done = drain_wait_counted,
				.context = wait },
		};
		snprintf(wait->backend, sizeof(wait->backend), "%s", backend->name);
		control_request_keep(request, drain_wait_gone, waits);
		return 0;
	}
	return -ENOSPC;
}

/* At the VIPs of virtual servers here: others may be those of other balancers. */
static uint64_t drain_wait_established(
	const struct registry *registry, const struct backend *backend)
{
	size_t len = registry_memberships(registry, backend);
	_cleanup_free_ bool *seen = calloc((size_t)backend->status.n_vips + 1, sizeof(*seen));
	uint64_t flows = 0;

	for (size_t i = 0; i < len; i++) {
		uint16_t vip = registry_membership(registry, backend, i).vip;

		if (vip >= backend->status.n_vips || (seen && seen[vip]))
			continue;
		if (seen)
			seen[vip] = true;
		flows += backend->status.vips[vip].established;
	}
	return flows;
}

/* The flows of a backend that is waited for; false: they are being counted. */
static bool drain_wait_flows(
	struct drain_waits *waits, struct drain_wait *wait, const struct backend *backend)
{
	if (backend->source == BACKEND_AGENT) {
		wait->flows = drain_wait_established(waits->registry, backend);
		return true;
	}
	if (wait->is_counted && wait->counted == backend->id) {
		wait->is_counted = false;
		return true;
	}
	if (!wait->job.joined || wait->counted != backend->id) {
		wait->counted = backend->id;
		wait->flows = 0;
		flow_walk_join(waits->walk, &wait->job);
	}
	return false;
}

static void drain_wait_check(struct drain_waits *waits, struct drain_wait *wait, uint64_t now_us)
{
	const struct backend *backend = registry_find(waits->registry, wait->backend);
	struct control_request *request = wait->request;
	bool known = backend && drain_wait_flows(waits, wait, backend);

	if (!backend || !backend->takes_flows ||
		(known && wait->flows == 0 && now_us - backend->since_us >= DRAIN_WAIT_SETTLE_US)) {
		drain_wait_end(waits, wait);
		control_reply(request, CONTROL_OK, NULL);
	} else if (known && now_us >= wait->deadline_us) {
		if (wait->flows > 0)
			control_fail(request, CONTROL_TIMEOUT,
				"%s: %llu flows are still open; draining goes on", wait->backend,
				(unsigned long long)wait->flows);
		else
			control_fail(request, CONTROL_TIMEOUT,
				"%s: no flow is known to be open, but its agent's word of that is still "
				"on its way; draining goes on",
				wait->backend);
		drain_wait_end(waits, wait);
	}
}

void drain_waits_check(struct drain_waits *waits, uint64_t now_us)
{
	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX)
		if (wait->request)
			drain_wait_check(waits, wait, now_us);
}
