/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way that the kernel would choose, looked up as it does for a packet of this host. */
#pragma once

#include "common/addr.h"
#include "common/os/nl.h"

/*
 * Whether packets to this address stay here; `nl` is a NETLINK_ROUTE socket. That an address is listed does not tell:
 * the kernel makes an IPv6 address's route a moment later, from a work queue (net/ipv6/addrconf.c:addrconf_dad_work,
 * 6.18), and until then they leave by the default route. 1 or 0, or a negative errno: nothing is known.
 */
int nl_route_is_local(struct nl *nl, const struct addr *destination);
