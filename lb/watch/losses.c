/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See losses.h. The judgement is loss_judge.c's. */
#include "lb/watch/losses.h"

#include "common/log.h"
#include "common/os/clock.h"
#include "lb/config/service.h"
#include "lb/registry/registry.h"
#include "lb/watch/loss_judge.h"

#define LOSSES_PARTS 4u /* of a second, in each of which other backends are looked at */

/* Of one backend in one service. */
struct losses_pair {
	uint16_t service;
	uint64_t lost_us; /* when it was lost last; 0: never */
	struct loss_judge judge;
};

/* Of one backend, in the order of its memberships. */
struct losses_of {
	struct losses_pair *pairs;
	size_t len;
};

struct losses {
	struct losses_parts parts;
	sd_event_source *timer;
	struct losses_of *of; /* by backend's id */
	size_t part;          /* that is looked at next */
};

/* Where nobody listens, a reset is the answer, and a scan is no loss. */
static bool losses_is_judged(const struct registry_service *service)
{
	if (!service->tcp || service->udp || service->n_ports == 0)
		return false;
	for (size_t i = 0; i < service->n_ports; i++)
		if (service->ports[i].first != service->ports[i].last)
			return false;
	return true;
}

/* What is known of a pair stays as long as it is at its place. */
static struct losses_pair *losses_pair(
	struct losses *losses, uint16_t backend, size_t len, size_t idx, uint16_t service)
{
	struct losses_of *of = &losses->of[backend];
	struct losses_pair *pairs;

	if (of->len != len) {
		pairs = reallocarray(of->pairs, len, sizeof(*pairs));
		if (!pairs)
			return NULL;
		if (len > of->len)
			memset(pairs + of->len, 0, (len - of->len) * sizeof(*pairs));
		of->pairs = pairs;
		of->len = len;
	}
	if (of->pairs[idx].service != service)
		of->pairs[idx] = (struct losses_pair){ .service = service };
	return &of->pairs[idx];
}

static void losses_sample(const struct losses *losses, const struct backend *backend,
	const struct registry_service *service, const struct registry_member *member,
	uint64_t now_us, struct loss_sample *ret_sample)
{
	const struct losses_parts *parts = &losses->parts;
	const struct ports *asked = registry_asked(parts->registry, backend->id);
	struct losses_count count;

	parts->count(service->id, backend->id, &count, parts->context);
	*ret_sample = (struct loss_sample){
		.now_us = now_us,
		.syns = count.syns,
		.packets = count.packets,
		.clients = count.clients,
		.takes_clients = backend->state == BACKEND_UP && !backend->kept &&
			member->effective_weight > 0,
		.has_agent = backend->source == BACKEND_AGENT,
		.breaks = asked ? asked->breaks : 0,
		.told_us = backend->heard_us,
	};
	ret_sample->counts =
		registry_accepted(parts->registry, backend, service, &ret_sample->accepted);
}

/* Whether clients get on elsewhere: if not, what comes is a flood, or no server answers and none is better. */
static bool losses_others_fare_better(
	const struct losses *losses, const struct backend *backend, const struct losses_pair *pair)
{
	const struct registry *registry = losses->parts.registry;

	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *other = registry_backend_at(registry, i);
		const struct losses_of *of = &losses->of[other->id];

		for (size_t k = 0; other != backend && k < of->len; k++)
			if (of->pairs[k].service == pair->service &&
				loss_judge_fares_better(&of->pairs[k].judge, &pair->judge))
				return true;
	}
	return false;
}

/* One backend in one service; true: the registry may have actions. */
static bool losses_look_at(struct losses *losses, const struct backend *backend,
	const struct registry_service *service, const struct registry_member *member,
	struct losses_pair *pair, uint64_t now_us)
{
	struct registry_loss loss = { .backend = backend->id, .service = service->id };
	struct loss_sample sample;

	losses_sample(losses, backend, service, member, now_us, &sample);
	loss.n_syns = loss_judge_take(&pair->judge, &sample);
	if (loss.n_syns > 0 && !losses_others_fare_better(losses, backend, pair))
		loss.n_syns = 0;
	/* Of one that is proven nothing was lost that could end. */
	if (loss.n_syns > 0)
		pair->lost_us = now_us;
	else if (service->path != REGISTRY_PATH_NONE || member->proven ||
		(pair->lost_us != 0 && now_us - pair->lost_us < REGISTRY_LOSS_US))
		return false;
	return registry_lost(losses->parts.registry, &loss, now_us);
}

static bool losses_look_at_all(
	struct losses *losses, const struct backend *backend, uint64_t now_us)
{
	const struct losses_parts *parts = &losses->parts;
	const struct service_list *services = *parts->services;
	size_t len = registry_memberships(parts->registry, backend);
	bool changed = false;

	for (size_t i = 0; i < len; i++) {
		struct registry_member member = registry_membership(parts->registry, backend, i);
		const struct service *service = service_list_find(services, member.service);
		const struct registry_service *registry =
			service ? &services->registry[service - services->items] : NULL;
		struct losses_pair *pair;

		if (!registry || !losses_is_judged(registry))
			continue;
		pair = losses_pair(losses, backend->id, len, i, member.service);
		if (pair)
			changed |= losses_look_at(losses, backend, registry, &member, pair, now_us);
	}
	return changed;
}

static int losses_on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct losses *losses = context;
	const struct registry *registry = losses->parts.registry;
	uint64_t now_us = clock_now_us();
	bool changed = false;

	for (size_t i = losses->part; i < registry_len(registry); i += LOSSES_PARTS)
		changed |= losses_look_at_all(losses, registry_backend_at(registry, i), now_us);
	losses->part = (losses->part + 1) % LOSSES_PARTS;
	if (changed)
		losses->parts.changed(losses->parts.context);
	(void)sd_event_source_set_time(source, now_us + US_PER_S / LOSSES_PARTS);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int losses_new(const struct losses_parts *parts, struct losses **ret_losses)
{
	struct losses *losses = calloc(1, sizeof(*losses));
	int r;

	if (!losses)
		return -ENOMEM;
	losses->parts = *parts;
	losses->of = calloc(UINT16_MAX + 1, sizeof(*losses->of));
	r = losses->of ? 0 : -ENOMEM;
	if (r == 0)
		r = sd_event_add_time(parts->event, &losses->timer, CLOCK_MONOTONIC, clock_now_us(),
			US_PER_MS, losses_on_timer, losses);
	if (r >= 0)
		r = sd_event_source_set_priority(losses->timer, SD_EVENT_PRIORITY_NORMAL + 1);
	if (r < 0) {
		losses_free(losses);
		return r;
	}
	*ret_losses = losses;
	return 0;
}

struct losses *losses_free(struct losses *losses)
{
	if (!losses)
		return NULL;
	sd_event_source_disable_unref(losses->timer);
	for (size_t id = 0; losses->of && id <= UINT16_MAX; id++)
		free(losses->of[id].pairs);
	free(losses->of);
	free(losses);
	return NULL;
}
