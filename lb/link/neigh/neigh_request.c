/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lb/link/neigh/neigh.c asks of the kernel: dumps, neighbour resolution and blackhole routes, one
 * rtnetlink request each.
 */
#include "lb/link/neigh/neigh_request.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "common/grow.h"
#include "common/os/clock.h"

int neigh_dump_links(struct nl *nl, nl_message_fn *fn, void *context)
{
	return nl_query_all(
		nl, nl_request(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), NULL), fn, context);
}

int neigh_dump_addresses(struct nl *nl, nl_message_fn *fn, void *context)
{
	return nl_query_all(
		nl, nl_request(nl, RTM_GETADDR, 0, sizeof(struct ifaddrmsg), NULL), fn, context);
}

/* A kernel without strict checks ignores the filter and sends the entries of every interface. */
int neigh_dump_entries(struct nl *nl, unsigned int ifindex, nl_message_fn *fn, void *context)
{
	struct nlmsghdr *request = nl_request(nl, RTM_GETNEIGH, 0, sizeof(struct ndmsg), NULL);

	mnl_attr_put_u32(request, NDA_IFINDEX, ifindex);
	return nl_query_all(nl, request, fn, context);
}

struct neigh_query {
	struct neigh_entry_message entry;
	bool found;
};

static int neigh_on_answer(const struct nlmsghdr *message, void *context)
{
	struct neigh_query *query = context;

	query->found |= neigh_parse_entry(message, &query->entry) == 0;
	return 0;
}

int neigh_query_entry(struct nl *nl, unsigned int ifindex, const struct addr *address,
	struct neigh_entry_message *ret_entry)
{
	struct neigh_query query = { 0 };
	struct nlmsghdr *request;
	struct ndmsg *entry;
	int r;

	/* neigh_get() wants every other field zero: net/core/neighbour.c:neigh_valid_get_req, 6.1. */
	request = nl_neigh_request(nl, RTM_GETNEIGH, 0, ifindex, address, &entry);
	r = nl_query(nl, request, neigh_on_answer, &query);
	if (r < 0)
		return r;
	if (!query.found)
		return -ENOENT;
	*ret_entry = query.entry;
	return 0;
}

int neigh_request_resolve(struct nl *nl, unsigned int ifindex, const struct addr *address)
{
	struct nlmsghdr *request;
	struct ndmsg *entry;

	request = nl_neigh_request(
		nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, address, &entry);
	entry->ndm_flags = NTF_USE;
	return nl_transact(nl, request);
}

/* NUD_PROBE without a MAC keeps the one that is known: net/core/neighbour.c:__neigh_update, 6.1. */
int neigh_request_confirm(struct nl *nl, unsigned int ifindex, const struct addr *address)
{
	struct nlmsghdr *request;
	struct ndmsg *entry;

	request = nl_neigh_request(nl, RTM_NEWNEIGH, NLM_F_REPLACE, ifindex, address, &entry);
	entry->ndm_state = NUD_PROBE;
	return nl_transact(nl, request);
}

/* From NUD_STALE it asks at once; an entry that is asked for already would go on at its own pace. */
int neigh_request_ask_at(
	struct nl *nl, unsigned int ifindex, const struct addr *address, const struct mac *mac)
{
	struct nlmsghdr *request;
	struct ndmsg *entry;
	int r;

	request = nl_neigh_request(
		nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, address, &entry);
	entry->ndm_state = NUD_STALE;
	mnl_attr_put(request, NDA_LLADDR, MAC_LEN, mac->bytes);
	r = nl_transact(nl, request);
	return r < 0 ? r : neigh_request_confirm(nl, ifindex, address);
}

struct nlmsghdr *neigh_request_blackhole(
	struct nl *nl, uint16_t type, uint16_t flags, const struct addr *vip, uint8_t protocol)
{
	void *extra;
	struct nlmsghdr *request = nl_request(nl, type, flags, sizeof(struct rtmsg), &extra);
	struct rtmsg *route = extra;

	route->rtm_family = (uint8_t)vip->family;
	route->rtm_dst_len = (uint8_t)(addr_size_bytes(vip) * 8);
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_type = RTN_BLACKHOLE;
	route->rtm_protocol = protocol;
	mnl_attr_put(request, RTA_DST, addr_size_bytes(vip), vip->bytes);
	return request;
}

int neigh_dump_blackholes(struct nl *nl, sa_family_t family, nl_message_fn *fn, void *context)
{
	void *extra;
	struct nlmsghdr *request = nl_request(nl, RTM_GETROUTE, 0, sizeof(struct rtmsg), &extra);
	struct rtmsg *filter = extra;

	filter->rtm_family = (uint8_t)family;
	filter->rtm_table = RT_TABLE_MAIN;
	filter->rtm_type = RTN_BLACKHOLE;
	return nl_query_all(nl, request, fn, context);
}

/* Adds one blackhole of the dump. */
static int neigh_on_route(const struct nlmsghdr *message, void *context)
{
	struct neigh_routes *routes = context;
	struct neigh_route_message route;

	if (neigh_parse_route(message, &route) < 0 || route.table != RT_TABLE_MAIN ||
		route.type != RTN_BLACKHOLE ||
		route.prefix_len != addr_size_bytes(&route.destination) * 8)
		return 0;
	if (GROW(routes->items, routes->len) < 0)
		return -ENOMEM;
	routes->items[routes->len++] = route.destination;
	return 0;
}

static int neigh_compare_routes(const void *a, const void *b)
{
	return addr_compare(a, b);
}

void neigh_routes_clear(struct neigh_routes *routes)
{
	free(routes->items);
	*routes = (struct neigh_routes){ 0 };
}

/* All blackholes for single addresses in the main table, sorted. The kernel sends blackholes alone. */
static int neigh_routes_dump(struct nl *nl, sa_family_t family, struct neigh_routes *routes)
{
	int r;

	neigh_routes_clear(routes);
	r = neigh_dump_blackholes(nl, family, neigh_on_route, routes);
	if (r < 0)
		return r;
	if (routes->len > 0)
		qsort(routes->items, routes->len, sizeof(*routes->items), neigh_compare_routes);
	routes->known = true;
	return 0;
}

int neigh_route_try(struct nl *nl, const struct addr *vip)
{
	return nl_transact(nl,
		neigh_request_blackhole(
			nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, vip, NEIGH_ROUTE_PROTOCOL));
}

int neigh_route_add(struct nl *nl, const struct addr *vip, struct neigh_routes *routes)
{
	int r = neigh_route_try(nl, vip);

	if (r != -EEXIST)
		return r;
	r = routes->known ? 0 : neigh_routes_dump(nl, vip->family, routes);
	if (r < 0)
		return r;
	return routes->len > 0 &&
			bsearch(vip, routes->items, routes->len, sizeof(*vip), neigh_compare_routes)
		? 0
		: -EEXIST;
}

/* The kernel compares the protocol: net/ipv4/fib_trie.c:fib_table_delete, ip6_route_del, 6.1. */
int neigh_route_remove(struct nl *nl, const struct addr *vip)
{
	int r = nl_transact(
		nl, neigh_request_blackhole(nl, RTM_DELROUTE, 0, vip, NEIGH_ROUTE_PROTOCOL));

	return r == -ESRCH ? 0 : r;
}

struct neigh_gateways_dump {
	unsigned int ifindex;
	struct addr **items;
	size_t *len;
};

static int neigh_on_gateway(const struct nlmsghdr *message, void *context)
{
	struct neigh_gateways_dump *gateways = context;
	struct neigh_route_message route;

	if (neigh_parse_route(message, &route) < 0)
		return 0;
	ARRAY_FOREACH (gateway, route.gateways, route.n_gateways) {
		/* Of several some may be behind another interface. */
		if (gateway->ifindex != gateways->ifindex)
			continue;
		if (GROW(*gateways->items, *gateways->len) < 0)
			return -ENOMEM;
		(*gateways->items)[(*gateways->len)++] = gateway->address;
	}
	return 0;
}

int neigh_dump_gateways(struct nl *nl, sa_family_t family, unsigned int ifindex,
	struct addr **gateways, size_t *n_gateways)
{
	struct neigh_gateways_dump context = { ifindex, gateways, n_gateways };
	void *extra;
	struct nlmsghdr *request = nl_request(nl, RTM_GETROUTE, 0, sizeof(struct rtmsg), &extra);
	struct rtmsg *filter = extra;

	filter->rtm_family = (uint8_t)family;
	filter->rtm_table = RT_TABLE_MAIN;
	mnl_attr_put_u32(request, RTA_OIF, ifindex);
	return nl_query_all(nl, request, neigh_on_gateway, &context);
}

static bool neigh_gateways_has(const struct neigh_gateways *gateways, const struct addr *address)
{
	ARRAY_FOREACH (known, gateways->items, gateways->len)
		if (addr_equal(known, address))
			return true;
	return false;
}

void neigh_gateways_read(
	struct nl *nl, unsigned int ifindex, struct neigh_gateways *gateways, uint64_t now_us)
{
	_cleanup_free_ struct addr *found = NULL;
	struct neigh_entry_message entry;
	size_t n_found = 0;

	(void)neigh_dump_gateways(nl, AF_INET, ifindex, &found, &n_found);
	(void)neigh_dump_gateways(nl, AF_INET6, ifindex, &found, &n_found);
	gateways->known = true;
	gateways->read_us = now_us;
	gateways->len = 0;
	for (size_t idx = 0; idx < n_found && gateways->len < NEIGH_GATEWAYS_MAX; idx++)
		if (!neigh_gateways_has(gateways, &found[idx]))
			gateways->items[gateways->len++] = found[idx];
	ARRAY_FOREACH (gateway, gateways->items, gateways->len)
		if (neigh_query_entry(nl, ifindex, gateway, &entry) == -ENOENT)
			(void)neigh_request_resolve(nl, ifindex, gateway);
}

void neigh_gateways_ask_anew(
	struct nl *nl, unsigned int ifindex, const struct neigh_gateways *gateways)
{
	struct neigh_entry_message entry;

	ARRAY_FOREACH (gateway, gateways->items, gateways->len) {
		if (neigh_query_entry(nl, ifindex, gateway, &entry) != 0 || entry.fixed)
			continue;
		(void)nl_neigh_delete(nl, ifindex, gateway);
		(void)neigh_request_resolve(nl, ifindex, gateway);
	}
}

bool neigh_is_gateway(struct nl *nl, unsigned int ifindex, struct neigh_gateways *gateways,
	const struct addr *address)
{
	if (!gateways->known && ifindex != 0)
		neigh_gateways_read(nl, ifindex, gateways, clock_now_us());
	return neigh_gateways_has(gateways, address);
}

const struct addr *neigh_gateways_at(struct nl *nl, unsigned int ifindex,
	struct neigh_gateways *gateways, const struct mac *mac, uint64_t now_us)
{
	struct neigh_entry_message entry;

	if (!gateways->known || now_us - gateways->read_us >= NEIGH_GATEWAYS_US)
		neigh_gateways_read(nl, ifindex, gateways, now_us);
	ARRAY_FOREACH (gateway, gateways->items, gateways->len)
		if (neigh_query_entry(nl, ifindex, gateway, &entry) == 0 &&
			mac_equal(&entry.mac, mac))
			return gateway;
	return NULL;
}

size_t neigh_gateways_macs(struct nl *nl, unsigned int ifindex, struct neigh_gateways *gateways,
	struct mac *macs, size_t max, uint64_t now_us)
{
	struct neigh_entry_message entry;
	size_t len = 0;

	if (!gateways->known || now_us - gateways->read_us >= NEIGH_GATEWAYS_US)
		neigh_gateways_read(nl, ifindex, gateways, now_us);
	for (size_t i = 0; i < gateways->len && len < max; i++)
		if (neigh_query_entry(nl, ifindex, &gateways->items[i], &entry) == 0 &&
			!mac_is_zero(&entry.mac))
			macs[len++] = entry.mac;
	return len;
}
