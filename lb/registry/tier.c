/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tier.h. Publication and status ask for all of them, after many changes at once. */
#include "lb/registry/tier.h"

struct tiers {
	uint64_t n_changes; /* entries.n_changes when this was counted */
	size_t len;
	struct registry_tier items[];
};

struct tiers *tiers_new(size_t n_services)
{
	struct tiers *tiers = calloc(1, sizeof(*tiers) + n_services * sizeof(*tiers->items));

	if (!tiers)
		return NULL;
	tiers->n_changes = UINT64_MAX;
	tiers->len = n_services;
	return tiers;
}

struct tiers *tiers_free(struct tiers *tiers)
{
	free(tiers);
	return NULL;
}

static void count(struct tiers *tiers, const struct entry *entry)
{
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];
		struct registry_tier *tier = &tiers->items[member->idx];

		if (member->is_backup)
			tier->n_backups += member->is_usable;
		else
			tier->n_usable += member->is_usable;
		tier->n_known += !member->is_backup;
		tier->n_full += member->is_full;
		tier->n_counted += member->is_full && entry->backend.source == BACKEND_STATIC;
	}
}

/* A percentage is of those that are known, rounded up; one is needed of whatever there is. */
static uint32_t minimum(const struct registry_service *service, const struct registry_tier *tier)
{
	uint64_t needed = service->minimum;

	if (service->is_minimum_percent)
		needed = ((uint64_t)tier->n_known * service->minimum + 99) / 100;
	return (uint32_t)MAX(needed, UINT64_C(1));
}

static void count_all(const struct registry *registry, struct tiers *tiers)
{
	memset(tiers->items, 0, tiers->len * sizeof(*tiers->items));
	for (size_t i = 0; i < registry->entries.len; i++)
		count(tiers, registry->entries.slots[i]);
	for (size_t i = 0; i < tiers->len; i++) {
		struct registry_tier *tier = &tiers->items[i];

		tier->minimum = minimum(&registry->config.services[i], tier);
		tier->is_enough = tier->n_usable >= tier->minimum;
	}
	tiers->n_changes = registry->entries.n_changes;
}

struct registry_tier tier_of(const struct registry *registry, size_t service_idx)
{
	struct tiers *tiers = registry->tiers;

	if (tiers->n_changes != registry->entries.n_changes)
		count_all(registry, tiers);
	return tiers->items[service_idx];
}

bool tier_takes_new(const struct registry *registry, const struct entry_service *member)
{
	return member->takes_new &&
		(!member->is_backup || !tier_of(registry, member->idx).is_enough);
}

uint32_t tier_max_connections(const struct entry *entry, const struct entry_service *member)
{
	if (entry->backend.source == BACKEND_AGENT)
		return entry->backend.status.max_connections;
	return member->line ? member->line->max_connections : 0;
}

/* As counted of a static in all services of one virtual server. */
static uint64_t connections(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member)
{
	const struct registry_service *services = registry->config.services;
	uint64_t established = 0;

	for (size_t i = 0; i < entry->n_services; i++)
		if (streq(services[entry->services[i].idx].virtual_server,
			    services[member->idx].virtual_server))
			established += entry->services[i].connections;
	return established;
}

bool tier_is_full(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member)
{
	uint32_t most = tier_max_connections(entry, member);

	if (entry->backend.source == BACKEND_AGENT)
		return entry->full_of > 0;
	return most > 0 && connections(registry, entry, member) >= most;
}
