/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array of pinned neighbours; see neigh_pins.h. */
#include "lb/link/neigh/neigh_pins.h"

#include "common/grow.h"
#include "common/search.h"
#include "lb/link/neigh/neigh_link.h"

static int neigh_pins_compare(const void *key, const void *element)
{
	return addr_compare(key, &((const struct neigh_pin *)element)->address);
}

static bool neigh_pins_search(
	const struct neigh_pins *pins, const struct addr *address, size_t *ret_idx)
{
	return search_find(
		address, pins->items, pins->len, sizeof(*pins->items), neigh_pins_compare, ret_idx);
}

void neigh_pins_clear(struct neigh_pins *pins)
{
	free(pins->items);
	*pins = (struct neigh_pins){ 0 };
}

struct neigh_pin *neigh_pins_find(const struct neigh_pins *pins, const struct addr *address)
{
	size_t idx;

	return neigh_pins_search(pins, address, &idx) ? &pins->items[idx] : NULL;
}

int neigh_pins_set(struct neigh_pins *pins, const struct neigh_pin *pin)
{
	size_t idx;

	if (!neigh_pins_search(pins, &pin->address, &idx)) {
		if (pins->len == NEIGH_KNOWN_MAX)
			return -ENOSPC;
		if (GROW(pins->items, pins->len) < 0)
			return -ENOMEM;
		memmove(&pins->items[idx + 1], &pins->items[idx],
			(pins->len - idx) * sizeof(*pins->items));
		pins->len++;
	}
	pins->items[idx] = *pin;
	return 0;
}

const struct neigh_pin *neigh_pins_other(
	const struct neigh_pins *pins, const struct mac *place, const struct mac *mac)
{
	if (mac_is_zero(place))
		return NULL;
	ARRAY_FOREACH (pin, pins->items, pins->len)
		if (!pin->unwanted && mac_equal(&pin->mac, mac) && !mac_equal(&pin->left, place))
			return pin;
	return NULL;
}

void neigh_pins_drop(struct neigh_pins *pins, const struct addr *address)
{
	size_t idx;

	if (!neigh_pins_search(pins, address, &idx))
		return;
	pins->len--;
	memmove(&pins->items[idx], &pins->items[idx + 1], (pins->len - idx) * sizeof(*pins->items));
}
