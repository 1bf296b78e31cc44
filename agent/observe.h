/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink → struct host: one full dump, and an event socket that says "something changed". Parsers
 * of single messages are separate functions for the fuzzer.
 */
#pragma once

#include <linux/netlink.h>

#include "agent/host.h"
#include "common/nl.h"

/* Dumps links and addresses and reads conf/all. 0 or negative errno; `*ret_host` only on 0. */
int observe_host(struct nl *nl, struct host *ret_host);
/* RTM_NEWLINK / RTM_NEWADDR: 0, -EBADMSG (malformed), -ENODATA (not of interest). */
int observe_parse_link(const struct nlmsghdr *message, struct host_link *ret_link);
int observe_parse_address(const struct nlmsghdr *message, struct host_address *ret_address);
/* Source address and device of the route to `destination`. 0, -ENETUNREACH, negative errno. */
int observe_route(struct nl *nl, const struct addr *destination, struct addr *ret_source,
	unsigned int *ret_ifindex);
