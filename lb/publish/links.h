/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a snapshot needs of the world outside registry and configuration. */
#pragma once

#include "common/addr.h"

#define PUBLISH_GATEWAYS_MAX 16u

struct publish_links {
	struct mac own_mac; /* of the client interface */
	struct mac out_mac; /* of the backend interface */
	uint32_t mtu_bytes; /* of the backend interface */
	bool active;        /* false: no VIP is bound, everything is passed */
	/* Where gateways are, as ARP says: frames from there are no loops, whichever agent says that it is there. */
	struct mac gateways[PUBLISH_GATEWAYS_MAX];
	size_t n_gateways;
};
