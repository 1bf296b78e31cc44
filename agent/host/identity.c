/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the real IP and its interface. Called by the daemon after each look at the host, because
 * both may come late and change. Must not know of sockets or registrations.
 */
#include "agent/host/identity.h"

#include <linux/if_addr.h>

#include "agent/host/observe.h"

static bool identity_is_vip(const struct identity_wanted *wanted, const struct addr *addr)
{
	ARRAY_FOREACH (vip, wanted->vips, wanted->n_vips) {
		if (addr_equal(vip, addr))
			return true;
	}
	return false;
}

/* Whether both addresses are in the subnet that the first one was configured with. */
static bool identity_is_near(const struct host_address *address, const struct addr *balancer)
{
	struct addr_prefix subnet = { .addr = address->addr, .len = address->prefix_len };
	size_t n_bytes = addr_size_bytes(&address->addr);

	for (size_t idx = 0; idx < n_bytes; idx++) {
		int bits = (int)address->prefix_len - (int)(8 * idx);
		unsigned int mask = bits >= 8 ? 0xffu : bits <= 0 ? 0u : 0xffu << (8 - bits);

		subnet.addr.bytes[idx] &= (uint8_t)mask;
	}
	return addr_in_prefix(balancer, &subnet);
}

/* The interface's own address: one in the balancer's subnet before any other. */
static const struct host_address *identity_address_of(
	const struct host *host, const struct identity_wanted *wanted, unsigned int ifindex)
{
	const struct host_address *best = NULL;

	ARRAY_FOREACH (address, host->addresses, host->n_addresses) {
		if (address->ifindex != ifindex ||
			address->addr.family != wanted->balancer.family ||
			(address->flags & IFA_F_DEPRECATED) ||
			identity_is_vip(wanted, &address->addr))
			continue;
		if (addr_is_link_local6(&address->addr) != addr_is_link_local6(&wanted->balancer))
			continue;
		if (identity_is_near(address, &wanted->balancer))
			return address;
		if (!best)
			best = address;
	}
	return best;
}

static unsigned int identity_interface_with(const struct host *host, const struct addr *addr)
{
	ARRAY_FOREACH (address, host->addresses, host->n_addresses) {
		if (addr_equal(&address->addr, addr))
			return address->ifindex;
	}
	return 0;
}

/* By `interface`: its own address, or the `real-ip` that is configured beside it. */
static int identity_by_interface(const struct host *host, const struct identity_wanted *wanted,
	struct identity *identity, struct why *ret_why)
{
	const struct host_link *link = host_link_by_name(host, wanted->interface);
	const struct host_address *address;

	if (!link) {
		why_set(ret_why, "there is no interface %s", wanted->interface);
		return -ENODEV;
	}
	identity->ifindex = link->ifindex;
	if (wanted->real_ip.family != AF_UNSPEC) {
		identity->real_ip = wanted->real_ip;
		return 0;
	}
	address = identity_address_of(host, wanted, link->ifindex);
	if (!address) {
		why_set(ret_why, "%s has no address of the balancers' family", link->name);
		return -ENODEV;
	}
	identity->real_ip = address->addr;
	return 0;
}

static int identity_by_address(const struct host *host, const struct identity_wanted *wanted,
	struct identity *identity, struct why *ret_why)
{
	char text[ADDR_STRLEN];

	identity->real_ip = wanted->real_ip;
	identity->ifindex = identity_interface_with(host, &wanted->real_ip);
	if (identity->ifindex)
		return 0;
	why_set(ret_why, "real-ip %s is on no interface", addr_format(&wanted->real_ip, text));
	return -ENODEV;
}

int identity_find(struct nl *nl, const struct host *host, const struct identity_wanted *wanted,
	struct identity *ret_identity, struct why *ret_why)
{
	const struct addr *balancer = &wanted->balancer;
	struct identity identity = { 0 };
	const struct host_link *link;
	char text[ADDR_STRLEN];
	int r;

	if (wanted->interface)
		r = identity_by_interface(host, wanted, &identity, ret_why);
	else if (wanted->real_ip.family != AF_UNSPEC)
		r = identity_by_address(host, wanted, &identity, ret_why);
	else {
		r = observe_route(nl, balancer, &identity.real_ip, &identity.ifindex);
		if (r < 0)
			why_set(ret_why, "no route to %s", addr_format(balancer, text));
	}
	if (r < 0)
		return r;
	link = host_link(host, identity.ifindex);
	if (!link || mac_is_zero(&link->mac)) {
		why_set(ret_why, "%s, by which %s is reached, has no Ethernet address",
			link ? link->name : "the interface", addr_format(balancer, text));
		return -ENODEV;
	}
	memcpy(identity.interface, link->name, sizeof(identity.interface));
	identity.mac = link->mac;
	*ret_identity = identity;
	return 0;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->ifindex == b->ifindex && streq(a->interface, b->interface) &&
		addr_equal(&a->real_ip, &b->real_ip) && mac_equal(&a->mac, &b->mac);
}
