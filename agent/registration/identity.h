/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the host's addresses and interfaces faces the balancers: from the configuration where it
 * says so, else from the route to the first balancer.
 */
#pragma once

#include "agent/config/config.h"
#include "agent/host/host.h"
#include "common/nl.h"

#define IDENTITY_WHY_BYTES 128u

struct identity {
	struct addr real_ip;
	unsigned int ifindex;
	char interface[IFNAMSIZ];
	struct mac mac;
};

/*
 * 0 with `*ret_identity`; -ENETUNREACH or -ENODEV with the reason in words in `ret_why`
 * (IDENTITY_WHY_BYTES); another negative errno of the route look-up, also with a reason.
 */
int identity_find(struct nl *nl, const struct host *host, const struct config *config,
	struct identity *ret_identity, char *ret_why);
bool identity_equal(const struct identity *a, const struct identity *b);
