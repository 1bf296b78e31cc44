/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the host's addresses and interfaces faces the balancers: what was configured where it
 * was, else by the route to the first balancer.
 */
#pragma once

#include "agent/host/host.h"
#include "common/os/nl.h"
#include "common/why.h"

struct identity {
	struct addr real_ip;
	unsigned int ifindex;
	char interface[IFNAMSIZ];
	struct mac mac;
};

/* What is known before; all of it is borrowed. */
struct identity_wanted {
	struct addr balancer;
	struct addr real_ip;     /* AF_UNSPEC: to be found */
	const char *interface;   /* NULL: to be found */
	const struct addr *vips; /* never the real IP */
	size_t n_vips;
};

/*
 * 0 with `*ret_identity`; -ENETUNREACH or -ENODEV, or another negative errno of the route look-up,
 * with `*ret_why`.
 */
int identity_find(struct nl *nl, const struct host *host, const struct identity_wanted *wanted,
	struct identity *ret_identity, struct why *ret_why);
bool identity_equal(const struct identity *a, const struct identity *b);
