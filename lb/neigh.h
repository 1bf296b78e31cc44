/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends' MAC addresses, by the kernel's neighbour table on the backend interface: resolution and
 * confirmation are asked for over netlink, answers and changes arrive as events. Also the link's
 * own facts (MAC, MTU, subnets, up or gone) of both interfaces. Under sd-event.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

#define NEIGH_SUBNETS_MAX 64u

struct neigh;

struct neigh_link {
	unsigned int ifindex; /* 0: not there */
	char name[16];
	struct mac mac;
	uint32_t mtu_bytes;
	bool running;         /* IFF_UP and IFF_LOWER_UP */
	struct addr_prefix subnets[NEIGH_SUBNETS_MAX];
	size_t n_subnets;
	struct addr addresses[NEIGH_SUBNETS_MAX]; /* own addresses, in the order of subnets */
};

struct neigh_callbacks {
	/* A neighbour on the backend interface; zero MAC: failed or deleted. */
	void (*neighbour)(const struct addr *address, const struct mac *mac, void *context);
	/* One of the two links changed: MAC, MTU, state, index, addresses. */
	void (*link)(void *context);
};

/* Opens netlink, dumps, joins events. The two names may be equal. 0 or negative errno. */
int neigh_start(sd_event *event, const char *interface, const char *backend_interface,
	const struct neigh_callbacks *callbacks, void *context, struct neigh **ret_neigh);
struct neigh *neigh_free(struct neigh *neigh);
DEFINE_CLEANUP(struct neigh *, neigh_free)
const struct neigh_link *neigh_client_link(const struct neigh *neigh);
const struct neigh_link *neigh_backend_link(const struct neigh *neigh);
/*
 * Asks the kernel to resolve the address (no entry, failed) or to confirm it (known: unicast
 * probe). The answer comes through `neighbour`. 0 or negative errno.
 */
int neigh_probe(struct neigh *neigh, const struct addr *address);
/* Whether an address is configured on this host, on any interface (active-when, guard). */
bool neigh_has_address(const struct neigh *neigh, const struct addr *address);
/* Blackhole routes that keep this host's kernel from forwarding or answering for a VIP. */
int neigh_blackhole_add(struct neigh *neigh, const struct addr *vip);
int neigh_blackhole_remove(struct neigh *neigh, const struct addr *vip);
