/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of rtnetlink messages; the contract is in the header. One pass collects the attributes of
 * a message in an array by number, with the shortest payload that each must have.
 */
#include "lb/link/neigh/neigh_message.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define ATTRIBUTES_MAX 64u

struct neigh_attributes {
	const struct nlattr *of[ATTRIBUTES_MAX];
};

/*
 * False where an attribute reaches over the end. mnl_attr_for_each() would end at the aligned
 * length, up to three bytes behind the message.
 */
static bool neigh_collect_until(
	const struct nlattr *attribute, const char *end, struct neigh_attributes *ret_attributes)
{
	struct neigh_attributes attributes = { 0 };

	while (mnl_attr_ok(attribute, (int)(end - (const char *)attribute))) {
		if (mnl_attr_get_type(attribute) < ATTRIBUTES_MAX)
			attributes.of[mnl_attr_get_type(attribute)] = attribute;
		attribute = mnl_attr_next(attribute);
	}
	if ((const char *)attribute < end)
		return false;
	*ret_attributes = attributes;
	return true;
}

static bool neigh_collect(
	const struct nlmsghdr *message, size_t extra_bytes, struct neigh_attributes *ret_attributes)
{
	if (mnl_nlmsg_get_payload_len(message) < extra_bytes)
		return false;
	return neigh_collect_until(mnl_nlmsg_get_payload_offset(message, extra_bytes),
		(const char *)message + message->nlmsg_len, ret_attributes);
}

static bool neigh_get_u32(const struct nlattr *attribute, uint32_t *ret_value)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(*ret_value))
		return false;
	memcpy(ret_value, mnl_attr_get_payload(attribute), sizeof(*ret_value));
	return true;
}

/* An address that has exactly the size of its family. */
static bool neigh_get_addr(const struct nlattr *attribute, uint8_t family, struct addr *ret_addr)
{
	struct addr addr = { .family = family };

	if (!attribute || mnl_attr_get_payload_len(attribute) != addr_size_bytes(&addr))
		return false;
	memcpy(addr.bytes, mnl_attr_get_payload(attribute), addr_size_bytes(&addr));
	*ret_addr = addr;
	return true;
}

/* A MAC that can be somebody's: six bytes, neither zero nor of a group. */
static bool neigh_get_mac(const struct nlattr *attribute, struct mac *ret_mac)
{
	struct mac mac;

	if (!attribute || mnl_attr_get_payload_len(attribute) != MAC_LEN)
		return false;
	memcpy(mac.bytes, mnl_attr_get_payload(attribute), MAC_LEN);
	if (mac_is_zero(&mac) || (mac.bytes[0] & 1))
		return false;
	*ret_mac = mac;
	return true;
}

/* Whether frames that arrive on the link become another one's: a VRF's stay its own. */
static bool neigh_is_port(const struct nlattr *linkinfo)
{
	static const char *const kinds[] = { "bridge", "bond", "team" };
	const struct nlattr *each;

	if (!linkinfo)
		return false;
	mnl_attr_for_each_nested(each, linkinfo)
	{
		const char *kind = mnl_attr_get_payload(each);

		if (mnl_attr_get_type(each) != IFLA_INFO_SLAVE_KIND)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (strncmp(kind, kinds[i], mnl_attr_get_payload_len(each)) == 0)
				return true;
	}
	return false;
}

/*
 * A message of another family than AF_UNSPEC tells of a link's role, not of the link: RTM_DELLINK
 * with AF_BRIDGE means that a port has left its bridge (net/bridge/br_netlink.c:br_ifinfo_notify).
 */
int neigh_parse_link(const struct nlmsghdr *message, struct neigh_link_message *ret_link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct neigh_link_message link = { 0 };
	struct neigh_attributes attributes;
	const struct nlattr *name;
	size_t len;

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return -ENODATA;
	if (!neigh_collect(message, sizeof(*info), &attributes) || info->ifi_index <= 0)
		return -EBADMSG;
	if (info->ifi_family != AF_UNSPEC)
		return -ENODATA;
	link.gone = message->nlmsg_type == RTM_DELLINK;
	link.ifindex = (unsigned int)info->ifi_index;
	link.running = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_LOWER_UP);

	name = attributes.of[IFLA_IFNAME];
	if (!name)
		return -EBADMSG;
	len = strnlen(mnl_attr_get_payload(name), mnl_attr_get_payload_len(name));
	if (len == 0 || len >= sizeof(link.name))
		return -EBADMSG;
	memcpy(link.name, mnl_attr_get_payload(name), len);
	neigh_get_u32(attributes.of[IFLA_MTU], &link.mtu_bytes);
	if (neigh_is_port(attributes.of[IFLA_LINKINFO]))
		neigh_get_u32(attributes.of[IFLA_MASTER], &link.master);
	if (info->ifi_type == ARPHRD_ETHER)
		neigh_get_mac(attributes.of[IFLA_ADDRESS], &link.mac);
	*ret_link = link;
	return 0;
}

/* The network that an address is in: host bits cleared. */
static struct addr_prefix neigh_subnet(const struct addr *address, uint8_t prefix_len)
{
	struct addr_prefix subnet = { .addr = *address, .len = prefix_len };

	for (size_t idx = 0; idx < addr_size_bytes(address); idx++) {
		if (prefix_len <= idx * 8)
			subnet.addr.bytes[idx] = 0;
		else if (prefix_len < (idx + 1) * 8)
			subnet.addr.bytes[idx] &= (uint8_t)(0xff00u >> (prefix_len - idx * 8));
	}
	return subnet;
}

int neigh_parse_address(const struct nlmsghdr *message, struct neigh_address_message *ret_address)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct neigh_address_message result = { 0 };
	struct neigh_attributes attributes;
	struct addr peer;

	if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
		return -ENODATA;
	if (!neigh_collect(message, sizeof(*info), &attributes))
		return -EBADMSG;
	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return -ENODATA;
	/* IFA_ADDRESS is the peer's where IFA_LOCAL differs: include/uapi/linux/if_addr.h. */
	if (!neigh_get_addr(attributes.of[IFA_ADDRESS], info->ifa_family, &peer))
		return -EBADMSG;
	result.address = peer;
	neigh_get_addr(attributes.of[IFA_LOCAL], info->ifa_family, &result.address);
	if (info->ifa_prefixlen > addr_size_bytes(&peer) * 8)
		return -EBADMSG;
	result.gone = message->nlmsg_type == RTM_DELADDR;
	result.ifindex = info->ifa_index;
	result.subnet = neigh_subnet(&peer, info->ifa_prefixlen);
	result.lasting = info->ifa_flags & IFA_F_PERMANENT;
	*ret_address = result;
	return 0;
}

static enum neigh_entry_state neigh_entry_state(const struct nlmsghdr *message, uint16_t state)
{
	if (message->nlmsg_type == RTM_DELNEIGH || (state & NUD_FAILED))
		return NEIGH_ENTRY_GONE;
	if (state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP))
		return NEIGH_ENTRY_CONFIRMED;
	if (state & NUD_PROBE)
		return NEIGH_ENTRY_PROBING;
	if (state & (NUD_STALE | NUD_DELAY))
		return NEIGH_ENTRY_DOUBTFUL;
	return NEIGH_ENTRY_RESOLVING;
}

int neigh_parse_entry(const struct nlmsghdr *message, struct neigh_entry_message *ret_entry)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	struct neigh_entry_message entry = { 0 };
	struct neigh_attributes attributes;

	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
		return -ENODATA;
	if (!neigh_collect(message, sizeof(*info), &attributes))
		return -EBADMSG;
	/* The group carries bridges' forwarding entries and proxies too. */
	if ((info->ndm_family != AF_INET && info->ndm_family != AF_INET6) ||
		(info->ndm_flags & NTF_PROXY))
		return -ENODATA;
	if (info->ndm_ifindex <= 0 ||
		!neigh_get_addr(attributes.of[NDA_DST], info->ndm_family, &entry.address))
		return -EBADMSG;
	if (!addr_is_unicast(&entry.address))
		return -ENODATA;
	entry.ifindex = (unsigned int)info->ndm_ifindex;
	entry.state = neigh_entry_state(message, info->ndm_state);
	entry.failed = message->nlmsg_type == RTM_NEWNEIGH && entry.state == NEIGH_ENTRY_GONE;
	entry.fixed = (info->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0;
	if (entry.state <= NEIGH_ENTRY_PROBING &&
		!neigh_get_mac(attributes.of[NDA_LLADDR], &entry.mac))
		return -ENODATA;
	if (attributes.of[NDA_PROTOCOL] &&
		mnl_attr_get_payload_len(attributes.of[NDA_PROTOCOL]) > 0)
		entry.protocol = mnl_attr_get_u8(attributes.of[NDA_PROTOCOL]);
	*ret_entry = entry;
	return 0;
}

/* A gateway of the other family: its family (2), then its address (include/uapi/linux/rtnetlink.h:rtvia). */
static bool neigh_get_via(const struct nlattr *via, struct addr *ret_addr)
{
	struct addr addr = { 0 };
	const char *payload;
	uint16_t family;

	if (!via || mnl_attr_get_payload_len(via) < sizeof(family))
		return false;
	payload = mnl_attr_get_payload(via);
	memcpy(&family, payload, sizeof(family));
	addr.family = family;
	if ((family != AF_INET && family != AF_INET6) ||
		mnl_attr_get_payload_len(via) != sizeof(family) + addr_size_bytes(&addr))
		return false;
	memcpy(addr.bytes, payload + sizeof(family), addr_size_bytes(&addr));
	*ret_addr = addr;
	return true;
}

static void neigh_add_gateway(struct neigh_route_message *route,
	const struct neigh_attributes *attributes, unsigned int ifindex)
{
	struct neigh_route_gateway gateway = { .ifindex = ifindex };

	if (route->n_gateways == NEIGH_ROUTE_GATEWAYS_MAX)
		return;
	if (neigh_get_addr(attributes->of[RTA_GATEWAY], (uint8_t)route->destination.family,
		    &gateway.address) ||
		neigh_get_via(attributes->of[RTA_VIA], &gateway.address))
		route->gateways[route->n_gateways++] = gateway;
}

/* One `struct rtnexthop` after the other, each with attributes of its own behind it. */
static bool neigh_add_multipath(struct neigh_route_message *route, const struct nlattr *multipath)
{
	const char *next = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);

	while (left > 0) {
		struct neigh_attributes attributes;
		struct rtnexthop hop;
		size_t size_bytes;

		if (left < sizeof(hop))
			return false;
		memcpy(&hop, next, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left ||
			!neigh_collect_until((const struct nlattr *)(next + RTNH_LENGTH(0)),
				next + hop.rtnh_len, &attributes))
			return false;
		neigh_add_gateway(route, &attributes, (unsigned int)hop.rtnh_ifindex);
		size_bytes = MIN((size_t)RTNH_ALIGN(hop.rtnh_len), left);
		next += size_bytes;
		left -= size_bytes;
	}
	return true;
}

int neigh_parse_route(const struct nlmsghdr *message, struct neigh_route_message *ret_route)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct neigh_route_message route = { 0 };
	struct neigh_attributes attributes;
	unsigned int ifindex = 0;

	if (message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE)
		return -ENODATA;
	if (!neigh_collect(message, sizeof(*info), &attributes))
		return -EBADMSG;
	if (info->rtm_family != AF_INET && info->rtm_family != AF_INET6)
		return -ENODATA;
	route.gone = message->nlmsg_type == RTM_DELROUTE;
	route.destination.family = info->rtm_family;
	/* A default route has no destination. */
	if (attributes.of[RTA_DST] &&
		!neigh_get_addr(attributes.of[RTA_DST], info->rtm_family, &route.destination))
		return -EBADMSG;
	neigh_get_u32(attributes.of[RTA_OIF], &ifindex);
	neigh_add_gateway(&route, &attributes, ifindex);
	if (attributes.of[RTA_MULTIPATH] &&
		!neigh_add_multipath(&route, attributes.of[RTA_MULTIPATH]))
		return -EBADMSG;
	route.prefix_len = info->rtm_dst_len;
	route.protocol = info->rtm_protocol;
	route.type = info->rtm_type;
	route.table = info->rtm_table;
	neigh_get_u32(attributes.of[RTA_TABLE], &route.table);
	*ret_route = route;
	return 0;
}
