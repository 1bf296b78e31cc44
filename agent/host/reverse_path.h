/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel drops what a client sends because answers would leave by another interface than it came by: a
 * strict rp_filter, which nothing on the wire shows (doc/adr/0012). IPv4; IPv6 has no such setting.
 */
#pragma once

#include "common/addr.h"
#include "common/os/nl.h"

/*
 * Asks as it is now; `nl` is a NETLINK_ROUTE socket. 1: what comes from `client` to `vip` by this interface is dropped, and
 * the way back is by `*ret_ifindex` (0: there is none); 0: it is not; negative errno: that is not known.
 */
int reverse_path_drops(struct nl *nl, const struct addr *client, const struct addr *vip,
	unsigned int ifindex, unsigned int *ret_ifindex);
