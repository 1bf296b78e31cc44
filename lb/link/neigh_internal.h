/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of lb/link/neigh.c, shared with the parts that it is made of: the model of the host
 * (neigh_model.c) and requests to the kernel (neigh_request.c).
 */
#pragma once

#include "common/nl.h"
#include "lb/link/neigh.h"
#include "lb/link/neigh_message.h"

struct neigh_own_address {
	unsigned int ifindex;
	struct addr address;
	struct addr_prefix subnet;
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
/* Fills subnets and addresses of both links from the host's addresses; whether that changed one. */
bool neigh_model_update_subnets(struct neigh_model *model);
/* The neighbour as last confirmed; NULL: never. */
struct neigh_known *neigh_model_known(const struct neigh_model *model, const struct addr *address);
/* Remembers a confirmed MAC. Beyond NEIGH_KNOWN_MAX, or without memory, it is not remembered. */
void neigh_model_confirm(
	struct neigh_model *model, const struct addr *address, const struct mac *mac);
void neigh_model_drop(struct neigh_model *model, const struct addr *address);

/* Dumps through `fn`. 0 or negative errno. */
int neigh_dump_links(struct nl *nl, nl_message_fn *fn, void *context);
int neigh_dump_addresses(struct nl *nl, nl_message_fn *fn, void *context);
int neigh_dump_entries(struct nl *nl, unsigned int ifindex, nl_message_fn *fn, void *context);
/* The kernel's entry of one neighbour. -ENOENT: none. */
int neigh_query_entry(struct nl *nl, unsigned int ifindex, const struct addr *address,
	struct neigh_entry_message *ret_entry);
/* Creates the entry and resolves it. */
int neigh_request_resolve(struct nl *nl, unsigned int ifindex, const struct addr *address);
/* Asks a neighbour whose MAC is known, by unicast. Never for a fixed entry: it would lose that. */
int neigh_request_confirm(struct nl *nl, unsigned int ifindex, const struct addr *address);
/* Blackhole routes of one family, as the kernel had them. */
struct neigh_routes {
	struct addr *items; /* sorted */
	size_t len;
	bool known;
};
void neigh_routes_clear(struct neigh_routes *routes);
/* Where there is a route already, `routes` says whether it is a blackhole, and is filled if need be. */
int neigh_route_add(struct nl *nl, const struct addr *vip, struct neigh_routes *routes);
int neigh_route_remove(struct nl *nl, const struct addr *vip);
