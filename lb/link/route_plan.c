/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted entries: see route_plan.h. */
#include "lb/link/route_plan.h"

#include <errno.h>
#include <string.h>

#include "common/grow.h"

void route_plan_clear(struct route_plan *plan)
{
	free(plan->items);
	*plan = (struct route_plan){ 0 };
}

/* Where it is or would be. */
static size_t route_plan_position(const struct route_plan *plan, const struct addr *vip)
{
	size_t low = 0, high = plan->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_compare(&plan->items[middle].vip, vip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct route_plan_entry *route_plan_find(const struct route_plan *plan, const struct addr *vip)
{
	size_t at = route_plan_position(plan, vip);

	return at < plan->len && addr_equal(&plan->items[at].vip, vip) ? &plan->items[at] : NULL;
}

static struct route_plan_entry *route_plan_get(struct route_plan *plan, const struct addr *vip)
{
	size_t at = route_plan_position(plan, vip);

	if (at < plan->len && addr_equal(&plan->items[at].vip, vip))
		return &plan->items[at];
	if (GROW(plan->items, plan->len) < 0)
		return NULL;
	memmove(&plan->items[at + 1], &plan->items[at], (plan->len - at) * sizeof(*plan->items));
	plan->len++;
	plan->items[at] = (struct route_plan_entry){ .vip = *vip };
	return &plan->items[at];
}

int route_plan_want(struct route_plan *plan, const struct addr *vips, size_t n_vips)
{
	size_t next = 0;

	for (size_t i = 0; i < n_vips; i++)
		if (!route_plan_get(plan, &vips[i]))
			return -ENOMEM;
	ARRAY_FOREACH (entry, plan->items, plan->len) {
		entry->wanted = next < n_vips && addr_equal(&entry->vip, &vips[next]);
		next += entry->wanted;
	}
	return 0;
}

void route_plan_begin(struct route_plan *plan)
{
	ARRAY_FOREACH (entry, plan->items, plan->len)
		entry->standing = false;
}

int route_plan_stands(struct route_plan *plan, const struct addr *vip)
{
	struct route_plan_entry *entry = route_plan_get(plan, vip);

	if (!entry)
		return -ENOMEM;
	entry->standing = true;
	entry->blocked = false;
	return 0;
}

enum route_plan_action route_plan_next(const struct route_plan_entry *entry, uint64_t now_us)
{
	if (entry->wanted == entry->standing)
		return ROUTE_PLAN_NOTHING;
	if (entry->standing)
		return ROUTE_PLAN_REMOVE;
	return now_us >= entry->due_us ? ROUTE_PLAN_ADD : ROUTE_PLAN_NOTHING;
}

void route_plan_added(struct route_plan_entry *entry, bool stands, uint64_t now_us)
{
	entry->standing = stands;
	entry->blocked = !stands;
	entry->due_us = now_us + ROUTE_PLAN_PACE_US;
}

void route_plan_removed(struct route_plan_entry *entry)
{
	entry->standing = false;
}

uint64_t route_plan_due_us(const struct route_plan *plan)
{
	uint64_t due_us = ROUTE_PLAN_NEVER_US;

	ARRAY_FOREACH (entry, plan->items, plan->len) {
		if (entry->wanted && !entry->standing)
			due_us = MIN(due_us, entry->due_us);
		else if (entry->standing && !entry->wanted)
			due_us = 0;
	}
	return due_us;
}

void route_plan_tidy(struct route_plan *plan, uint64_t now_us)
{
	size_t len = 0;

	ARRAY_FOREACH (entry, plan->items, plan->len)
		if (entry->wanted || entry->standing || entry->due_us > now_us)
			plan->items[len++] = *entry;
	plan->len = len;
}
