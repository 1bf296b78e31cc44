/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnetlink messages -> facts for lb/link/neigh/neigh.c. Pure, and total over any bytes of a message whose
 * length nl_message_ok() has checked: what is not of interest is -ENODATA, what is malformed -EBADMSG.
 */
#pragma once

#include <linux/netlink.h>

#include "common/addr.h"

#define NEIGH_NAME_BYTES 16u /* IFNAMSIZ */

struct neigh_link_message {
	bool gone;
	unsigned int ifindex;
	char name[NEIGH_NAME_BYTES];
	struct mac mac; /* zero: not an Ethernet link */
	uint32_t mtu_bytes;
	bool running;
	unsigned int master; /* of a port of a bridge, bond or team: that; else 0 */
};

struct neigh_address_message {
	bool gone;
	unsigned int ifindex;
	struct addr address;       /* the host's own */
	struct addr_prefix subnet; /* that it is in, the peer's on a point-to-point link */
	bool lasting; /* without a lifetime: of the administrator, not of an advertisement or a lease */
};

enum neigh_entry_state {
	NEIGH_ENTRY_CONFIRMED, /* answered lately, or set by the administrator */
	NEIGH_ENTRY_DOUBTFUL, /* a MAC that was learnt or has aged: to be confirmed before it counts */
	NEIGH_ENTRY_PROBING,   /* the same, and the kernel is asking already */
	NEIGH_ENTRY_RESOLVING, /* no MAC yet, the kernel is asking */
	NEIGH_ENTRY_GONE,      /* failed or deleted */
	NEIGH_ENTRY_N_
};

struct neigh_entry_message {
	unsigned int ifindex;
	struct addr address;
	struct mac mac; /* zero where the state has none */
	enum neigh_entry_state state;
	bool failed;      /* GONE, because it was asked in vain */
	bool fixed;       /* permanent or without ARP: nothing to probe */
	uint8_t protocol; /* who made it (rtm_protocol's numbers); 0: nobody says */
};

/* Of a route's gateways; those beyond are not known. */
#define NEIGH_ROUTE_GATEWAYS_MAX 32u

struct neigh_route_gateway {
	unsigned int ifindex; /* by which it is reached */
	struct addr
		address; /* of the destination's family or, where the kernel has RTA_VIA, of the other */
};

struct neigh_route_message {
	bool gone;
	struct addr destination;
	struct neigh_route_gateway gateways[NEIGH_ROUTE_GATEWAYS_MAX];
	size_t n_gateways;
	uint8_t prefix_len;
	uint8_t protocol;
	uint8_t type;
	uint32_t table;
};

/* RTM_NEWLINK, RTM_DELLINK. */
int neigh_parse_link(const struct nlmsghdr *message, struct neigh_link_message *ret_link);
/* RTM_NEWADDR, RTM_DELADDR. */
int neigh_parse_address(const struct nlmsghdr *message, struct neigh_address_message *ret_address);
/* RTM_NEWNEIGH, RTM_DELNEIGH. */
int neigh_parse_entry(const struct nlmsghdr *message, struct neigh_entry_message *ret_entry);
/* RTM_NEWROUTE, RTM_DELROUTE. */
int neigh_parse_route(const struct nlmsghdr *message, struct neigh_route_message *ret_route);
