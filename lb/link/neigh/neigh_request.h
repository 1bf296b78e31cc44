/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of the kernel for lb/link/neigh/neigh.c: dumps, neighbour resolution and blackhole routes,
 * one rtnetlink request each.
 */
#pragma once

#include "common/os/nl_neigh.h"
#include "lb/link/neigh/neigh_link.h"
#include "lb/link/neigh/neigh_message.h"

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
/* The same at this MAC, whatever is known, and whether or not there is an entry. */
int neigh_request_ask_at(
	struct nl *nl, unsigned int ifindex, const struct addr *address, const struct mac *mac);
/* Gateways of routes through one interface; those beyond are not known. */
#define NEIGH_GATEWAYS_MAX 64u
#define NEIGH_GATEWAYS_US \
	(10 * US_PER_S) /* routes are read no more often for a doubt that comes up */
struct neigh_gateways {
	struct addr items[NEIGH_GATEWAYS_MAX];
	size_t len;
	uint64_t read_us;
	bool known;
};
/*
 * Reads them: of both families, of the main table's routes, whose gateways may be several, or of the other
 * family. Has the kernel ask for
 * those whose MAC it does not know. What cannot be read is missing.
 */
void neigh_gateways_read(
	struct nl *nl, unsigned int ifindex, struct neigh_gateways *gateways, uint64_t now_us);
/* Has the kernel forget where they are, and ask: but for entries that are fixed. */
void neigh_gateways_ask_anew(
	struct nl *nl, unsigned int ifindex, const struct neigh_gateways *gateways);
/* One of them has this address; they are read if they never were. */
bool neigh_is_gateway(struct nl *nl, unsigned int ifindex, struct neigh_gateways *gateways,
	const struct addr *address);
/* The gateway that has the MAC, read anew if it is time; NULL: none. */
const struct addr *neigh_gateways_at(struct nl *nl, unsigned int ifindex,
	struct neigh_gateways *gateways, const struct mac *mac, uint64_t now_us);
/* The MACs that they have now, read anew if it is time, up to `max`; returns how many. */
size_t neigh_gateways_macs(struct nl *nl, unsigned int ifindex, struct neigh_gateways *gateways,
	struct mac *macs, size_t max, uint64_t now_us);
/*
 * The begin of a request about the blackhole to the VIP alone in the main table, of this protocol (rtm_protocol's
 * numbers); see nl_request().
 */
struct nlmsghdr *neigh_request_blackhole(
	struct nl *nl, uint16_t type, uint16_t flags, const struct addr *vip, uint8_t protocol);
/* Dumps the blackholes of the main table through `fn`; other routes, too, where the kernel knows no strict checks. */
int neigh_dump_blackholes(struct nl *nl, sa_family_t family, nl_message_fn *fn, void *context);
/* Blackhole routes of one family, as the kernel had them. */
struct neigh_routes {
	struct addr *items; /* sorted */
	size_t len;
	bool known;
};
void neigh_routes_clear(struct neigh_routes *routes);
/* Where there is a route already, `routes` says whether it is a blackhole, and is filled if need be. */
/* Adds the blackhole; -EEXIST: there is a route to the VIP alone, whoever's. */
int neigh_route_try(struct nl *nl, const struct addr *vip);
int neigh_route_add(struct nl *nl, const struct addr *vip, struct neigh_routes *routes);
/* Appends the addresses by way of which routes of that interface lead, some more than once. */
int neigh_dump_gateways(struct nl *nl, sa_family_t family, unsigned int ifindex,
	struct addr **gateways, size_t *n_gateways);
int neigh_route_remove(struct nl *nl, const struct addr *vip);
