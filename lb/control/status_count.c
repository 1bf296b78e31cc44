/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of counts, and lists of members: see status_count.h. */
#include "lb/control/status_count.h"

#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/registry/registry.h"

struct status_count {
	uint32_t key; /* service << 16 | backend; 0: free */
	uint64_t flows;
};

static struct status_count *status_count_slot(const struct status_counts *counts, uint32_t key)
{
	uint32_t hash = key * UINT32_C(2654435761);
	size_t idx = hash & (counts->capacity - 1);

	while (counts->items[idx].key != 0 && counts->items[idx].key != key)
		idx = (idx + 1) & (counts->capacity - 1);
	return &counts->items[idx];
}

static bool status_counts_grow(struct status_counts *counts)
{
	size_t capacity = MAX(counts->capacity * 2, (size_t)64);
	struct status_counts bigger = { .capacity = capacity };

	bigger.items = calloc(bigger.capacity, sizeof(*bigger.items));
	if (!bigger.items)
		return false;
	for (size_t i = 0; i < counts->capacity; i++)
		if (counts->items[i].key != 0)
			*status_count_slot(&bigger, counts->items[i].key) = counts->items[i];
	free(counts->items);
	counts->items = bigger.items;
	counts->capacity = bigger.capacity;
	return true;
}

void status_count_add(struct status_counts *counts, uint16_t service, uint16_t backend)
{
	uint32_t key = (uint32_t)service << 16 | backend;
	struct status_count *count;

	counts->total++;
	if (counts->len * 2 >= counts->capacity && !status_counts_grow(counts))
		return;
	count = status_count_slot(counts, key);
	if (count->key == 0) {
		count->key = key;
		counts->len++;
	}
	count->flows++;
}

uint64_t status_count_of(const struct status_counts *counts, uint16_t service, uint16_t backend)
{
	if (counts->capacity == 0)
		return 0;
	return status_count_slot(counts, (uint32_t)service << 16 | backend)->flows;
}

void status_counts_clear(struct status_counts *counts)
{
	free(counts->items);
	*counts = (struct status_counts){ 0 };
}

void status_members_clear(struct status_members *members)
{
	free(members->begins);
	free(members->positions);
	free(members->ids);
	free(members->tiers);
	*members = (struct status_members){ 0 };
}

/* Position of the service of one membership; SIZE_MAX: it is none of the list. */
static size_t status_member_at(const struct service_list *services, struct registry_member member)
{
	uint32_t at = services->positions[member.service];

	return at ? at - 1 : SIZE_MAX;
}

/* First how many there are, in begins[service + 1]; then each, which moves begins[service] along. */
static void status_members_list(
	const struct registry *registry, struct status_members *members, bool counts)
{
	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);
		size_t len = registry_memberships(registry, backend);

		members->ids[i] = backend->id;
		for (size_t k = 0; k < len; k++) {
			struct registry_member member = registry_membership(registry, backend, k);
			size_t at = status_member_at(members->services, member);

			if (at == SIZE_MAX)
				continue;
			if (counts)
				members->begins[at + 1]++;
			else
				members->positions[members->begins[at]++] = (uint32_t)i;
		}
	}
}

struct registry_tier *status_tiers(const struct balancer *balancer)
{
	size_t len = balancer->services->len;
	struct registry_tier *tiers = calloc(len + 1, sizeof(*tiers));

	for (size_t i = 0; tiers && i < len; i++)
		tiers[i] = registry_tier(balancer->registry, &balancer->services->registry[i]);
	return tiers;
}

int status_members_make(const struct balancer *balancer, struct status_members *ret_members)
{
	size_t len = balancer->services->len;
	struct status_members made = {
		.services = balancer->services,
		.begins = calloc(len + 2, sizeof(*made.begins)),
		.tiers = status_tiers(balancer),
		.ids = calloc(registry_len(balancer->registry) + 1, sizeof(*made.ids)),
	};

	if (made.begins && made.tiers && made.ids) {
		status_members_list(balancer->registry, &made, true);
		for (size_t i = 0; i < len; i++)
			made.begins[i + 1] += made.begins[i];
		made.positions = calloc((size_t)made.begins[len] + 1, sizeof(*made.positions));
	}
	if (!made.positions) {
		status_members_clear(&made);
		return -ENOMEM;
	}
	status_members_list(balancer->registry, &made, false);
	/* Each begin stands at the next one's place now. */
	memmove(&made.begins[1], &made.begins[0], len * sizeof(*made.begins));
	made.begins[0] = 0;
	*ret_members = made;
	return 0;
}
