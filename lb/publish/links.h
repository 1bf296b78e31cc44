/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a snapshot needs of the world outside registry and configuration. */
#pragma once

#include "common/addr.h"
#include "lb/fwd/types.h"

#define PUBLISH_GATEWAYS_MAX 64u

/* An interface to backends. */
struct publish_link {
	unsigned int ifindex; /* 0: not there; nothing is forwarded to backends on it */
	struct mac mac;
	uint32_t mtu_bytes;
};

struct publish_links {
	struct mac own_mac;                     /* of the client interface */
	uint8_t named_mac[FWD_NAMED_MAC_BYTES]; /* of frames that name an alternative */
	bool active;                            /* false: no VIP is bound, everything is passed, */
	bool holds_vips; /* but what is for VIPs does not reach the host's stack */
	struct publish_link out[FWD_LINKS_MAX];
	/* Which of them reaches the address, or FWD_LINKS_MAX: none. */
	size_t (*find)(const void *context, const struct addr *address);
	const void *context;
	/* Where gateways are, as ARP says: frames from there are no loops, whichever agent says that it is there. */
	struct mac gateways[PUBLISH_GATEWAYS_MAX];
	size_t n_gateways;
};
