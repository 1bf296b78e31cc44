/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink → struct host: one full dump, and the route by which a balancer is reached. Parsers of
 * single messages are separate functions for the fuzzer.
 */
#pragma once

#include <linux/netlink.h>

#include "agent/host/host.h"
#include "common/os/nl.h"

/*
 * Dumps links and addresses (`nl` is a NETLINK_ROUTE socket) and reads conf/all. 0; -E2BIG: more
 * than HOST_LINKS_MAX interfaces or HOST_ADDRESSES_MAX addresses; another negative errno.
 * `*ret_host` only on 0, to be cleared by the caller.
 */
int observe_host(struct nl *nl, struct host *ret_host);
/*
 * RTM_NEWLINK / RTM_NEWADDR: 0, -EBADMSG (malformed), -ENODATA (not of interest). The message
 * itself must be whole (mnl_nlmsg_ok); its attributes may be anything. The last two are
 * declared for the fuzzer.
 */
int observe_parse_link(const struct nlmsghdr *message, struct host_link *ret_link);
int observe_parse_address(const struct nlmsghdr *message, struct host_address *ret_address);
int observe_parse_route(
	const struct nlmsghdr *message, struct addr *ret_source, unsigned int *ret_ifindex);
/* Source address and device of the route to `destination`. 0, -ENETUNREACH, negative errno. */
int observe_route(struct nl *nl, const struct addr *destination, struct addr *ret_source,
	unsigned int *ret_ifindex);
/* The number in a file of /proc/sys. 0, -ENOENT: there is none, -EBADMSG: it is no number, negative errno. */
int observe_setting(const char *path, uint32_t *ret_value);
