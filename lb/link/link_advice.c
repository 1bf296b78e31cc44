/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See link_advice.h. */
#include "lb/link/link_advice.h"

#include <net/if.h>

#include "common/why.h"
#include "lb/link/neigh/neigh_link.h"

static bool link_is_port(const char *key, const struct neigh_link *link, struct why *ret_why)
{
	char master[IF_NAMESIZE];

	if (link->ifindex == 0 || link->master == 0 || !if_indextoname(link->master, master))
		return false;
	why_set(ret_why, "%s is a port of %s, to which its frames belong; write %s = %s",
		link->name, master, key, master);
	return true;
}

/* Of the link alone: nobody is reached by these, and every IPv6 interface has one. */
static bool link_is_local(const struct addr *address)
{
	return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
		(address->bytes[1] & 0xc0) == 0x80;
}

static bool link_has_address(const struct neigh_link *link)
{
	for (size_t i = 0; i < link->n_subnets; i++)
		if (!link_is_local(&link->addresses[i]))
			return true;
	return false;
}

bool link_advice(
	const struct neigh_link *clients, const struct neigh_link *backends, struct why *ret_why)
{
	if (link_is_port("interface", clients, ret_why) ||
		link_is_port("backend-interface", backends, ret_why))
		return true;
	if (backends->ifindex == 0 || link_has_address(backends))
		return false;
	why_set(ret_why,
		"%s has no address, so that neither agents nor real servers are reached by it; "
		"give it one, or write the interface that has one",
		backends->name);
	return true;
}
