/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dumps over rtnetlink, into lists. Called by the doctors. Judges nothing.
 */
#include "common/doctor/survey.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "common/grow.h"
#include "common/os/nl.h"

/* The next place of a list; NULL: full, or no memory. */
#define SURVEY_NEXT(list, len) \
	((len) < SURVEY_ITEMS_MAX && GROW((list), (len)) == 0 ? &(list)[(len)++] : NULL)

/* What is not printable ASCII becomes '?': names go to terminals and into JSON. */
static void survey_take_text(const struct nlattr *attr, char *ret_text, size_t size_bytes)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	len = MIN(len, size_bytes - 1);
	memcpy(ret_text, mnl_attr_get_payload(attr), len);
	ret_text[len] = '\0';
	for (size_t idx = 0; idx < len; idx++)
		if (ret_text[idx] <= ' ' || ret_text[idx] >= 0x7f)
			ret_text[idx] = '?';
}

static uint32_t survey_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) >= sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

/* An address of the message's family; AF_UNSPEC where its length says otherwise. */
static struct addr survey_addr(const struct nlattr *attr, sa_family_t family)
{
	struct addr addr = { .family = family };

	if ((family != AF_INET && family != AF_INET6) ||
		mnl_attr_get_payload_len(attr) != addr_size_bytes(&addr))
		return (struct addr){ 0 };
	memcpy(addr.bytes, mnl_attr_get_payload(attr), addr_size_bytes(&addr));
	return addr;
}

/* ---- interfaces ---- */

/* 0 where the kernel does not tell. */
static uint32_t survey_conf6(const struct nlattr *attr, unsigned int setting)
{
	const uint8_t *values = mnl_attr_get_payload(attr);
	uint32_t value;

	if (mnl_attr_get_payload_len(attr) < (setting + 1) * sizeof(value))
		return 0;
	memcpy(&value, values + setting * sizeof(value), sizeof(value));
	return value;
}

static void survey_take_conf6(const struct nlattr *attr, struct survey_link *link)
{
	bool forwards = survey_conf6(attr, DEVCONF_FORWARDING) != 0;
	/* A router takes advertisements where that is 2. */
	bool takes = survey_conf6(attr, DEVCONF_ACCEPT_RA) > (forwards ? 1 : 0);

	link->proxy_ndp = survey_conf6(attr, DEVCONF_PROXY_NDP) != 0;
	link->takes_redirects6 = survey_conf6(attr, DEVCONF_ACCEPT_REDIRECTS) && !forwards;
	link->takes_prefixes6 = takes && survey_conf6(attr, DEVCONF_AUTOCONF);
}

static void survey_take_conf(const struct nlattr *spec, struct survey_link *link)
{
	const struct nlattr *family, *attr;

	mnl_attr_for_each_nested(family, spec)
	{
		mnl_attr_for_each_nested(attr, family)
		{
			const uint8_t *values = mnl_attr_get_payload(attr);
			size_t size_bytes = mnl_attr_get_payload_len(attr);

			if (mnl_attr_get_type(family) == AF_INET &&
				mnl_attr_get_type(attr) == IFLA_INET_CONF) {
				memcpy(link->conf4, values, MIN(size_bytes, sizeof(link->conf4)));
				link->has_conf4 = true;
			}
			if (mnl_attr_get_type(family) == AF_INET6 &&
				mnl_attr_get_type(attr) == IFLA_INET6_CONF)
				survey_take_conf6(attr, link);
		}
	}
}

static void survey_take_info(const struct nlattr *info, struct survey_link *link)
{
	const struct nlattr *attr, *each;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			survey_take_text(attr, link->kind, sizeof(link->kind));
		if (mnl_attr_get_type(attr) != IFLA_INFO_DATA || !streq(link->kind, "bond"))
			continue;
		mnl_attr_for_each_nested(each, attr)
		{
			if (mnl_attr_get_type(each) != IFLA_BOND_MODE ||
				mnl_attr_get_payload_len(each) < 1)
				continue;
			link->has_bond_mode = true;
			link->bond_mode = mnl_attr_get_u8(each);
		}
	}
}

static void survey_take_link_attr(const struct nlattr *attr, struct survey_link *link)
{
	const struct nlattr *each;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		survey_take_text(attr, link->name, sizeof(link->name));
		break;
	case IFLA_MTU:
		link->mtu_bytes = survey_u32(attr);
		break;
	case IFLA_MASTER:
		link->master = survey_u32(attr);
		break;
	case IFLA_AF_SPEC:
		survey_take_conf(attr, link);
		break;
	case IFLA_LINKINFO:
		survey_take_info(attr, link);
		break;
	case IFLA_XDP:
		mnl_attr_for_each_nested(each, attr)
		{
			if (mnl_attr_get_type(each) == IFLA_XDP_PROG_ID)
				link->xdp_id = survey_u32(each);
		}
		break;
	default:
		break;
	}
}

static int survey_take_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct survey *survey = context;
	struct survey_link *link;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWLINK ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*info) ||
		info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
		return 0;
	link = SURVEY_NEXT(survey->links, survey->n_links);
	if (!link)
		return -ENOMEM;
	*link = (struct survey_link){ .ifindex = (unsigned int)info->ifi_index,
		.flags = info->ifi_flags };
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		survey_take_link_attr(attr, link);
	}
	return 0;
}

/* ---- addresses, routes, neighbours ---- */

static int survey_take_address(const struct nlmsghdr *message, void *context)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct survey *survey = context;
	struct survey_address address;
	struct survey_address *place;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWADDR ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return 0;
	address = (struct survey_address){ .ifindex = info->ifa_index,
		.prefix_len = info->ifa_prefixlen,
		.lasting = info->ifa_flags & IFA_F_PERMANENT };
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		/* On a point-to-point link only IFA_LOCAL is ours, and it comes second. */
		if (mnl_attr_get_type(attr) == IFA_LOCAL ||
			(mnl_attr_get_type(attr) == IFA_ADDRESS &&
				address.addr.family == AF_UNSPEC))
			address.addr = survey_addr(attr, info->ifa_family);
	}
	if (address.addr.family == AF_UNSPEC)
		return 0;
	place = SURVEY_NEXT(survey->addresses, survey->n_addresses);
	if (!place)
		return -ENOMEM;
	*place = address;
	return 0;
}

/* Of several ways, the first. */
static void survey_take_way(
	const struct nlattr *ways, sa_family_t family, struct survey_route *route)
{
	const struct rtnexthop *way = mnl_attr_get_payload(ways);
	const struct nlattr *attr;

	if (mnl_attr_get_payload_len(ways) < sizeof(*way) || way->rtnh_len < sizeof(*way) ||
		way->rtnh_len > mnl_attr_get_payload_len(ways))
		return;
	route->ifindex = (unsigned int)way->rtnh_ifindex;
	mnl_attr_for_each_payload((const void *)(way + 1), way->rtnh_len - sizeof(*way))
	{
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			route->gateway = survey_addr(attr, family);
	}
}

static void survey_take_route_attr(
	const struct nlattr *attr, sa_family_t family, struct survey_route *route)
{
	const struct nlattr *each;

	switch (mnl_attr_get_type(attr)) {
	case RTA_DST:
		route->destination.addr = survey_addr(attr, family);
		break;
	case RTA_GATEWAY:
		route->gateway = survey_addr(attr, family);
		break;
	case RTA_OIF:
		route->ifindex = survey_u32(attr);
		break;
	case RTA_TABLE:
		route->table = survey_u32(attr);
		break;
	case RTA_PRIORITY:
		route->priority = survey_u32(attr);
		break;
	case RTA_MULTIPATH:
		survey_take_way(attr, family, route);
		break;
	case RTA_METRICS:
		mnl_attr_for_each_nested(each, attr)
		{
			if (mnl_attr_get_type(each) == RTAX_MTU)
				route->mtu_bytes = survey_u32(each);
		}
		break;
	default:
		break;
	}
}

/* The answer to one question, too. */
static int survey_take_answer(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct survey *survey = context;
	struct survey_route *route;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*info) ||
		(info->rtm_family != AF_INET && info->rtm_family != AF_INET6))
		return 0;
	route = SURVEY_NEXT(survey->routes, survey->n_routes);
	if (!route)
		return -ENOMEM;
	*route = (struct survey_route){
		.destination = { .addr.family = info->rtm_family, .len = info->rtm_dst_len },
		.type = info->rtm_type,
		.protocol = info->rtm_protocol,
		.table = info->rtm_table,
	};
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		survey_take_route_attr(attr, info->rtm_family, route);
	}
	return 0;
}

/* Without what the kernel made for single destinations. */
static int survey_take_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) >= sizeof(*info) && (info->rtm_flags & RTM_F_CLONED))
		return 0;
	return survey_take_answer(message, context);
}

static int survey_take_neighbour(const struct nlmsghdr *message, void *context)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	struct survey *survey = context;
	struct survey_neighbour neighbour;
	struct survey_neighbour *place;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWNEIGH ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->ndm_ifindex <= 0)
		return 0;
	neighbour = (struct survey_neighbour){ .ifindex = (unsigned int)info->ndm_ifindex,
		.state = info->ndm_state,
		.is_proxied = info->ndm_flags & NTF_PROXY };
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			neighbour.addr = survey_addr(attr, info->ndm_family);
		if (mnl_attr_get_type(attr) == NDA_LLADDR &&
			mnl_attr_get_payload_len(attr) == MAC_LEN)
			memcpy(neighbour.mac.bytes, mnl_attr_get_payload(attr), MAC_LEN);
	}
	if (neighbour.addr.family == AF_UNSPEC)
		return 0;
	place = SURVEY_NEXT(survey->neighbours, survey->n_neighbours);
	if (!place)
		return -ENOMEM;
	*place = neighbour;
	return 0;
}

/* ---- filters ---- */

struct survey_filters {
	struct survey_filter *items;
	size_t len;
};

/* What a filter says of itself; its chain is returned. */
static uint32_t survey_take_filter_attrs(
	const struct nlmsghdr *message, struct survey_filter *filter)
{
	const struct nlattr *attr, *each;
	uint32_t chain = 0;

	mnl_attr_for_each(attr, message, sizeof(struct tcmsg))
	{
		if (mnl_attr_get_type(attr) == TCA_KIND)
			survey_take_text(attr, filter->kind, sizeof(filter->kind));
		if (mnl_attr_get_type(attr) == TCA_CHAIN)
			chain = survey_u32(attr);
		if (mnl_attr_get_type(attr) != TCA_OPTIONS || !streq(filter->kind, "bpf"))
			continue;
		mnl_attr_for_each_nested(each, attr)
		{
			if (mnl_attr_get_type(each) == TCA_BPF_NAME)
				survey_take_text(each, filter->name, sizeof(filter->name));
		}
	}
	return chain;
}

static int survey_take_filter(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *info = mnl_nlmsg_get_payload(message);
	struct survey_filters *filters = context;
	struct survey_filter filter = { 0 };
	struct survey_filter *place;

	/* One without a handle is the head of a priority: what is in it comes next. */
	if (message->nlmsg_type != RTM_NEWTFILTER ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->tcm_handle == 0)
		return 0;
	filter.priority = TC_H_MAJ(info->tcm_info) >> 16;
	if (survey_take_filter_attrs(message, &filter) != 0)
		return 0;
	place = filters->len > 0 ? &filters->items[filters->len - 1] : NULL;
	if (place && place->priority == filter.priority && streq(place->kind, filter.kind))
		return 0;
	place = SURVEY_NEXT(filters->items, filters->len);
	if (!place)
		return -ENOMEM;
	*place = filter;
	return 0;
}

int survey_filters(unsigned int ifindex, struct survey_filter **ret_filters, size_t *ret_n_filters)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct survey_filters filters = { 0 };
	struct nlmsghdr *request;
	struct tcmsg *info;
	void *extra;
	int r = nl_open(NETLINK_ROUTE, &nl);

	if (r < 0)
		return r;
	request = nl_request(nl, RTM_GETTFILTER, 0, sizeof(*info), &extra);
	info = extra;
	info->tcm_ifindex = (int)ifindex;
	/* The qdisc ingress has one hook, and takes this for it. */
	info->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	r = nl_query_all(nl, request, survey_take_filter, &filters);
	if (r < 0) {
		free(filters.items);
		return r;
	}
	*ret_filters = filters.items;
	*ret_n_filters = filters.len;
	return 0;
}

/* ---- all of it ---- */

static int survey_dump(struct nl *nl, struct survey *survey)
{
	struct nlmsghdr *request;
	void *extra;
	int r;

	request = nl_request(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), &extra);
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = nl_query_all(nl, request, survey_take_link, survey);
	if (r < 0)
		return r;
	request = nl_request(nl, RTM_GETADDR, 0, sizeof(struct ifaddrmsg), &extra);
	r = nl_query_all(nl, request, survey_take_address, survey);
	if (r < 0)
		return r;
	request = nl_request(nl, RTM_GETROUTE, 0, sizeof(struct rtmsg), &extra);
	r = nl_query_all(nl, request, survey_take_route, survey);
	if (r < 0)
		return r;
	request = nl_request(nl, RTM_GETNEIGH, 0, sizeof(struct ndmsg), &extra);
	r = nl_query_all(nl, request, survey_take_neighbour, survey);
	if (r < 0)
		return r;
	/* Those that this host answers for are another list of the kernel's. */
	request = nl_request(nl, RTM_GETNEIGH, 0, sizeof(struct ndmsg), &extra);
	((struct ndmsg *)extra)->ndm_flags = NTF_PROXY;
	return nl_query_all(nl, request, survey_take_neighbour, survey);
}

int survey_make(struct survey *ret_survey)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct survey survey = { 0 };
	int r = nl_open(NETLINK_ROUTE, &nl);

	if (r < 0)
		return r;
	r = survey_dump(nl, &survey);
	if (r < 0) {
		survey_clear(&survey);
		return r;
	}
	*ret_survey = survey;
	return 0;
}

int survey_ask(const struct addr *to, const struct addr *from, struct survey_route *ret_route)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct survey answer = { 0 };
	struct nlmsghdr *request;
	struct rtmsg *info;
	void *extra;
	int r = nl_open(NETLINK_ROUTE, &nl);

	if (r < 0)
		return r;
	request = nl_request(nl, RTM_GETROUTE, 0, sizeof(*info), &extra);
	info = extra;
	info->rtm_family = (unsigned char)to->family;
	info->rtm_dst_len = (unsigned char)(8 * addr_size_bytes(to));
	mnl_attr_put(request, RTA_DST, addr_size_bytes(to), to->bytes);
	if (from->family == to->family) {
		info->rtm_src_len = info->rtm_dst_len;
		mnl_attr_put(request, RTA_SRC, addr_size_bytes(from), from->bytes);
	}
	r = nl_query(nl, request, survey_take_answer, &answer);
	if (r == 0 && (answer.n_routes == 0 || answer.routes[0].type != RTN_UNICAST))
		r = -ENETUNREACH;
	if (r == 0)
		*ret_route = answer.routes[0];
	survey_clear(&answer);
	return r;
}

void survey_clear(struct survey *survey)
{
	free(survey->links);
	free(survey->addresses);
	free(survey->routes);
	free(survey->neighbours);
	*survey = (struct survey){ 0 };
}

const struct survey_link *survey_link(const struct survey *survey, unsigned int ifindex)
{
	ARRAY_FOREACH (link, survey->links, survey->n_links) {
		if (link->ifindex == ifindex)
			return link;
	}
	return NULL;
}

const struct survey_link *survey_link_by_name(const struct survey *survey, const char *name)
{
	ARRAY_FOREACH (link, survey->links, survey->n_links) {
		if (streq(link->name, name))
			return link;
	}
	return NULL;
}

static bool survey_is_before(const struct survey_route *a, const struct survey_route *b)
{
	return !b || a->priority < b->priority;
}

const struct survey_route *survey_default_route(const struct survey *survey, sa_family_t family)
{
	const struct survey_route *best = NULL;

	ARRAY_FOREACH (route, survey->routes, survey->n_routes) {
		if (route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST &&
			route->destination.addr.family == family && route->destination.len == 0 &&
			survey_is_before(route, best))
			best = route;
	}
	return best;
}

bool survey_is_in_subnet(const struct survey_address *address, const struct addr *addr)
{
	struct addr_prefix subnet = { .addr = address->addr, .len = address->prefix_len };
	size_t n_bytes = addr_size_bytes(&address->addr);

	for (size_t idx = 0; idx < n_bytes; idx++) {
		int bits = (int)address->prefix_len - (int)(8 * idx);

		subnet.addr.bytes[idx] &= (uint8_t)(bits >= 8 ? 0xffu
				: bits <= 0                   ? 0u
							      : 0xffu << (8 - bits));
	}
	return addr_in_prefix(addr, &subnet);
}

bool survey_is_on_link(const struct survey *survey, unsigned int ifindex, const struct addr *addr)
{
	ARRAY_FOREACH (address, survey->addresses, survey->n_addresses)
		if ((!ifindex || address->ifindex == ifindex) && survey_is_in_subnet(address, addr))
			return true;
	return false;
}

const struct survey_neighbour *survey_neighbour(
	const struct survey *survey, unsigned int ifindex, const struct addr *addr)
{
	ARRAY_FOREACH (neighbour, survey->neighbours, survey->n_neighbours) {
		if (!neighbour->is_proxied && neighbour->ifindex == ifindex &&
			addr_equal(&neighbour->addr, addr))
			return neighbour;
	}
	return NULL;
}

uint32_t survey_conf4(const struct survey_link *link, unsigned int setting)
{
	return link->has_conf4 ? link->conf4[setting - 1] : 0;
}
