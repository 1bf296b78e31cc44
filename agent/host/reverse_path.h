/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel drops what a client sends because answers would leave by another interface than it came by: a
 * strict rp_filter, which nothing on the wire shows (doc/adr/0012). IPv4; IPv6 has no such setting.
 *
 * Who the client is nobody has proven: anybody can send a SYN in another's name. So only the way that answers take by default is
 * judged, which is that of most clients; a network with a route of its own, or none, says nothing about others.
 */
#pragma once

#include "common/addr.h"
#include "common/os/nl.h"

/*
 * Asks as it is now; `nl` is a NETLINK_ROUTE socket. 1: what comes from `client` to `vip` by this interface is dropped, and
 * the way back is the default route, by `*ret_ifindex`; 0: it is not, or the way back is another, or there is none; negative errno:
 * that is not known.
 */
int reverse_path_drops(struct nl *nl, const struct addr *client, const struct addr *vip,
	unsigned int ifindex, unsigned int *ret_ifindex);
