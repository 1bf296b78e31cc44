/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for what, and how many flows are still open: see drain_wait.h. */
#include "lb/daemon/drain_wait.h"

#include "common/clock.h"
#include "common/control/control.h"
#include "common/idle.h"
#include "lb/daemon/dataplane.h"
#include "lb/table/flows.h"

#define DRAIN_WAITS_MAX CONTROL_CLIENTS_MAX
/* Reports of agents lag by an interval and the cache of their counts. */
#define DRAIN_WAIT_SETTLE_US (2 * US_PER_S)
#define DRAIN_WAIT_BUCKETS   16384u /* in one part */

struct drain_wait {
	struct control_request *request; /* NULL: free */
	char backend[REGISTRY_NAME_BYTES];
	uint64_t deadline_us;
	/* Of a backend without an agent: its flows are counted in parts. */
	uint16_t counted; /* id */
	bool counts, is_counted;
	uint64_t bucket, flows;
};

struct drain_waits {
	struct drain_waits_world world;
	struct drain_wait waits[DRAIN_WAITS_MAX];
};

static bool drain_wait_count(const struct flows_entry *entry, void *context)
{
	struct drain_wait *wait = context;

	wait->flows += entry->backend == wait->counted;
	return true;
}

/* A part of counting for each that waits for a backend without an agent. */
static bool drain_waits_step(void *context)
{
	struct drain_waits *waits = context;
	uint32_t now_s = (uint32_t)(clock_now_us() / US_PER_S);
	bool more = false;

	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX) {
		bool goes_on = wait->request && wait->counts;

		for (unsigned int i = 0; goes_on && i < DRAIN_WAIT_BUCKETS; i++)
			goes_on = flows_each_in(waits->world.flows, &wait->bucket,
				dataplane_service, (void *)waits->world.dataplane, now_s,
				drain_wait_count, wait);
		wait->is_counted |= wait->request && wait->counts && !goes_on;
		wait->counts = goes_on;
		more |= goes_on;
	}
	return more;
}

int drain_waits_new(const struct drain_waits_world *world, struct drain_waits **ret_waits)
{
	_cleanup_(drain_waits_freep) struct drain_waits *waits = calloc(1, sizeof(*waits));
	int r;

	if (!waits)
		return -ENOMEM;
	waits->world = *world;
	r = idle_add(world->idle, drain_waits_step, waits);
	if (r < 0)
		return r;
	*ret_waits = TAKE_PTR(waits);
	return 0;
}

struct drain_waits *drain_waits_free(struct drain_waits *waits)
{
	free(waits);
	return NULL;
}

static void drain_wait_gone(struct control_request *request, void *context)
{
	struct drain_waits *waits = context;

	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX)
		if (wait->request == request)
			wait->request = NULL;
}

int drain_waits_add(struct drain_waits *waits, struct control_request *request,
	const struct backend *backend, uint64_t deadline_us)
{
	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX) {
		if (wait->request)
			continue;
		*wait = (struct drain_wait){ .request = request, .deadline_us = deadline_us };
		snprintf(wait->backend, sizeof(wait->backend), "%s", backend->name);
		control_request_keep(request, drain_wait_gone, waits);
		return 0;
	}
	return -ENOSPC;
}

static uint64_t drain_wait_established(const struct backend *backend)
{
	uint64_t flows = 0;

	for (size_t i = 0; i < backend->status.n_vips; i++)
		flows += backend->status.vips[i].established;
	return flows;
}

/* The flows of a backend that is waited for; false: they are being counted. */
static bool drain_wait_flows(
	struct drain_waits *waits, struct drain_wait *wait, const struct backend *backend)
{
	if (backend->source == BACKEND_AGENT) {
		wait->flows = drain_wait_established(backend);
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
		idle_wake(waits->world.idle);
	}
	return false;
}

static void drain_wait_check(struct drain_waits *waits, struct drain_wait *wait, uint64_t now_us)
{
	const struct backend *backend = registry_find(waits->world.registry, wait->backend);
	struct control_request *request = wait->request;
	bool known = backend && drain_wait_flows(waits, wait, backend);

	if (!backend || !backend->takes_flows ||
		(known && wait->flows == 0 && now_us - backend->since_us >= DRAIN_WAIT_SETTLE_US)) {
		wait->request = NULL;
		control_reply(request, CONTROL_OK, NULL);
	} else if (known && now_us >= wait->deadline_us) {
		wait->request = NULL;
		control_fail(request, CONTROL_TIMEOUT,
			"%s: %llu flows are still open; draining goes on", wait->backend,
			(unsigned long long)wait->flows);
	}
}

void drain_waits_check(struct drain_waits *waits, uint64_t now_us)
{
	ARRAY_FOREACH (wait, waits->waits, DRAIN_WAITS_MAX)
		if (wait->request)
			drain_wait_check(waits, wait, now_us);
}
