/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the host: two links found by name, all addresses, and the neighbours that were
 * confirmed. Pure: messages in, a changed model out. Owned by lb/link/neigh/neigh.c.
 */
#pragma once

#include "lb/link/neigh/neigh_link.h"
#include "lb/link/neigh/neigh_message.h"

struct neigh_own_address {
	unsigned int ifindex;
	struct addr address;
	struct addr_prefix subnet;
	bool lasting;
};

struct neigh_known {
	struct addr address;
	struct mac mac;
	bool seen; /* in the dump that is being read */
};

/* What is known of the host. Changed by messages alone. */
struct neigh_model {
	struct neigh_link client, backend; /* `name` is what is looked for, found or not */
	struct neigh_own_address *addresses;
	size_t n_addresses;
	struct neigh_known *known; /* by address: confirmed neighbours of the backend interface */
	size_t n_known;
};

void neigh_model_clear(struct neigh_model *model);
/* Each says whether one of the two links looks different now. */
bool neigh_model_link(struct neigh_model *model, const struct neigh_link_message *message);
bool neigh_model_address(struct neigh_model *model, const struct neigh_address_message *message);
/* Before a dump of links and addresses: they are gone until the dump shows them. */
void neigh_model_forget_host(struct neigh_model *model);
/* The neighbour as last confirmed; NULL: never. */
struct neigh_known *neigh_model_known(const struct neigh_model *model, const struct addr *address);
/* Remembers a confirmed MAC. Beyond NEIGH_KNOWN_MAX, or without memory, it is not remembered. */
void neigh_model_confirm(
	struct neigh_model *model, const struct addr *address, const struct mac *mac);
void neigh_model_drop(struct neigh_model *model, const struct addr *address);
