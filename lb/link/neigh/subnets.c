/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two sets, one of them in force: see subnets.h. */
#include "lb/link/neigh/subnets.h"

static bool subnets_equal(const struct addr_prefix *a, const struct addr_prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

static bool subnets_has(const struct subnets_set *set, const struct addr_prefix *prefix)
{
	for (size_t i = 0; i < set->len; i++)
		if (subnets_equal(&set->items[i], prefix))
			return true;
	return false;
}

static void subnets_add(struct subnets_set *set, const struct addr_prefix *prefix, uint64_t seen_us)
{
	if (set->len == SUBNETS_MAX || subnets_has(set, prefix))
		return;
	set->items[set->len] = *prefix;
	set->seen_us[set->len++] = seen_us;
}

static void subnets_add_anywhere(struct subnets_set *set, uint64_t now_us)
{
	static const struct addr_prefix anywhere[] = {
		{ .addr = { .family = AF_INET } },
		{ .addr = { .family = AF_INET6 } },
	};

	ARRAY_FOREACH (prefix, anywhere, ARRAY_LEN(anywhere))
		subnets_add(set, prefix, now_us);
	set->is_anywhere = true;
}

bool subnets_look(struct subnets *subnets, const struct addr_prefix *found, size_t n_found,
	uint64_t now_us, const struct subnets_set **ret_next)
{
	struct subnets_set *now = &subnets->sets[subnets->in_force];
	struct subnets_set *next = &subnets->sets[!subnets->in_force];
	bool changed;

	next->len = 0;
	next->is_anywhere = false;
	for (size_t i = 0; i < MIN(n_found, (size_t)SUBNETS_FOUND_MAX); i++)
		subnets_add(next, &found[i], now_us);
	for (size_t i = 0; i < now->len && !now->is_anywhere; i++) {
		if (subnets_has(next, &now->items[i]))
			now->seen_us[i] = MAX(now->seen_us[i], now_us);
		else if (now_us - now->seen_us[i] < SUBNETS_GRACE_US)
			subnets_add(next, &now->items[i], now->seen_us[i]);
	}
	if (next->len == 0)
		subnets_add_anywhere(next, now_us);
	changed = next->len != now->len;
	for (size_t i = 0; i < next->len && !changed; i++)
		changed = !subnets_has(now, &next->items[i]);
	*ret_next = next;
	return changed;
}

void subnets_expire(struct subnets *subnets)
{
	struct subnets_set *now = &subnets->sets[subnets->in_force];

	for (size_t i = 0; i < now->len; i++)
		now->seen_us[i] = 0;
}

void subnets_take(struct subnets *subnets)
{
	subnets->in_force = !subnets->in_force;
}

const struct subnets_set *subnets_in_force(const struct subnets *subnets)
{
	return &subnets->sets[subnets->in_force];
}
