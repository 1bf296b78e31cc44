/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of an interface, and the limits of what is known of the host. Types alone. */
#pragma once

#include "common/addr.h"

#define NEIGH_SUBNETS_MAX   64u
#define NEIGH_ADDRESSES_MAX 16384u /* of the whole host; more are not known */
#define NEIGH_KNOWN_MAX     16384u /* neighbours whose vanishing is noticed after lost events */
#define NEIGH_ROUTE_PROTOCOL \
	217u /* in rtm_protocol: "ip route show proto 217", and of neighbours */

struct neigh_link {
	unsigned int ifindex; /* 0: not there */
	char name[16];
	struct mac mac;
	uint32_t mtu_bytes;
	bool running;        /* IFF_UP and IFF_LOWER_UP */
	unsigned int master; /* index of the bridge, bond or team whose port it is; 0: none's */
	struct addr_prefix subnets[NEIGH_SUBNETS_MAX];
	size_t n_subnets;
	bool lasting
		[NEIGH_SUBNETS_MAX]; /* whether the own address there has no lifetime, in the same order */
	struct addr addresses[NEIGH_SUBNETS_MAX]; /* own addresses, in the order of subnets */
};
