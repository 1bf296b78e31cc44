/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells a real server, and nobody else, where the balancer is. Its answers go where its kernel believes that
 * the balancer is, and ARP and neighbour discovery are not authenticated. Needs CAP_NET_RAW.
 */
#pragma once

#include "common/addr.h"

/* Opens a socket that receives nothing; the caller closes it. 0 or negative errno. */
int reminder_open(int *ret_fd);
/*
 * Says that `address` is at `own`, out of the interface and to the MAC `to`: as a gratuitous ARP request or an
 * unsolicited advertisement, which Linux believes at once where it has an entry. 0 or negative errno.
 */
int reminder_send(int fd, unsigned int ifindex, const struct addr *address, const struct mac *own,
	const struct mac *to);
