/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which neighbours are pinned: their entries in the kernel's table are permanent and ours, so that no ARP
 * or NA moves them. Pure: what is to be asked of the kernel is answered, and done by lb/link/neigh/neigh.c.
 */
#pragma once

#include "common/addr.h"

struct neigh_pin {
	struct addr address;
	struct mac mac;
	struct mac left; /* where it was pinned before; zero: nowhere else */
	bool standing;   /* the kernel's entry is as it must be */
	bool foreign;    /* an administrator's permanent entry is there instead: it stays */
	bool unwanted;   /* of a run that was killed: to be deleted */
};

/* Zeroed: none. */
struct neigh_pins {
	struct neigh_pin *items; /* by address */
	size_t len;
};

void neigh_pins_clear(struct neigh_pins *pins);
/* NULL: not pinned. */
struct neigh_pin *neigh_pins_find(const struct neigh_pins *pins, const struct addr *address);
/* Adds or changes one. 0; -ENOMEM; -ENOSPC: NEIGH_KNOWN_MAX are pinned. */
int neigh_pins_set(struct neigh_pins *pins, const struct neigh_pin *pin);
/* One that is pinned at `mac` and was not at `place` before; NULL: none. A zero `place`: NULL. */
const struct neigh_pin *neigh_pins_other(
	const struct neigh_pins *pins, const struct mac *place, const struct mac *mac);
void neigh_pins_drop(struct neigh_pins *pins, const struct addr *address);
