/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers of rtnetlink messages, on messages built here: what counts, what does not, what is broken. */
#include "lb/link/neigh/neigh_message.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static _Alignas(struct nlmsghdr) char buffer[1024];
static const uint8_t mac_bytes[] = { 2, 0, 0, 0, 0, 1 };

static struct nlmsghdr *message_new(uint16_t type, size_t extra_bytes, void **ret_extra)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	*ret_extra = mnl_nlmsg_put_extra_header(message, extra_bytes);
	return message;
}

static struct nlmsghdr *link_message(uint16_t type, uint8_t family, const char *name)
{
	void *extra;
	struct nlmsghdr *message = message_new(type, sizeof(struct ifinfomsg), &extra);
	struct ifinfomsg *info = extra;

	info->ifi_family = family;
	info->ifi_index = 7;
	info->ifi_type = ARPHRD_ETHER;
	info->ifi_flags = IFF_UP | IFF_LOWER_UP;
	if (name)
		mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_MTU, 1500);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(mac_bytes), mac_bytes);
	return message;
}

static struct nlmsghdr *entry_message(
	uint16_t type, uint16_t state, const char *address, size_t mac_size_bytes)
{
	void *extra;
	struct nlmsghdr *message = message_new(type, sizeof(struct ndmsg), &extra);
	struct ndmsg *info = extra;
	struct addr addr;

	assert_int_equal(addr_parse(address, &addr), 0);
	info->ndm_family = (uint8_t)addr.family;
	info->ndm_ifindex = 7;
	info->ndm_state = state;
	mnl_attr_put(message, NDA_DST, addr_size_bytes(&addr), addr.bytes);
	if (mac_size_bytes > 0)
		mnl_attr_put(message, NDA_LLADDR, mac_size_bytes, mac_bytes);
	return message;
}

static void link_is_parsed(void **state)
{
	struct neigh_link_message link;
	char mac[MAC_STRLEN];

	assert_int_equal(neigh_parse_link(link_message(RTM_NEWLINK, AF_UNSPEC, "lan0"), &link), 0);
	assert_false(link.gone);
	assert_int_equal(link.ifindex, 7);
	assert_string_equal(link.name, "lan0");
	assert_string_equal(mac_format(&link.mac, mac), "02:00:00:00:00:01");
	assert_int_equal(link.mtu_bytes, 1500);
	assert_true(link.running);
	assert_int_equal(neigh_parse_link(link_message(RTM_DELLINK, AF_UNSPEC, "lan0"), &link), 0);
	assert_true(link.gone);
}

static void link_that_left_its_bridge_is_not_gone(void **state)
{
	struct neigh_link_message link;

	assert_int_equal(
		neigh_parse_link(link_message(RTM_DELLINK, AF_BRIDGE, "lan0"), &link), -ENODATA);
}

static void link_name_has_a_limit(void **state)
{
	struct neigh_link_message link;

	assert_int_equal(
		neigh_parse_link(link_message(RTM_NEWLINK, AF_UNSPEC, "123456789012345"), &link),
		0);
	assert_int_equal(
		neigh_parse_link(link_message(RTM_NEWLINK, AF_UNSPEC, "1234567890123456"), &link),
		-EBADMSG);
	assert_int_equal(
		neigh_parse_link(link_message(RTM_NEWLINK, AF_UNSPEC, NULL), &link), -EBADMSG);
}

static void message_cut_anywhere_is_refused(void **state)
{
	struct nlmsghdr *message = link_message(RTM_NEWLINK, AF_UNSPEC, "lan0");
	uint32_t whole = message->nlmsg_len;
	struct neigh_link_message link;

	uint32_t name_end = NLMSG_LENGTH(sizeof(struct ifinfomsg)) + NLA_HDRLEN + sizeof("lan0");
	uint32_t mtu_end = NLMSG_ALIGN(name_end) + NLA_HDRLEN + 4;
	uint32_t mac_end = mtu_end + NLA_HDRLEN + MAC_LEN;

	for (uint32_t len = sizeof(*message); len < whole; len++) {
		/* Where an attribute has just ended, but for its padding, the rest is not missed. */
		bool between = (len >= name_end && len <= NLMSG_ALIGN(name_end)) ||
			len == mtu_end || len >= mac_end;

		message->nlmsg_len = len;
		assert_int_equal(neigh_parse_link(message, &link), between ? 0 : -EBADMSG);
	}
}

static void address_of_a_peer_is_its_subnet(void **state)
{
	static const uint8_t own[] = { 10, 0, 0, 1 }, peer[] = { 10, 9, 8, 7 };
	struct neigh_address_message address;
	char text[ADDR_PORT_STRLEN];
	struct nlmsghdr *message;
	struct ifaddrmsg *info;
	void *extra;

	message = message_new(RTM_NEWADDR, sizeof(*info), &extra);
	info = extra;
	info->ifa_family = AF_INET;
	info->ifa_prefixlen = 13;
	info->ifa_index = 7;
	mnl_attr_put(message, IFA_ADDRESS, sizeof(peer), peer);
	mnl_attr_put(message, IFA_LOCAL, sizeof(own), own);
	assert_int_equal(neigh_parse_address(message, &address), 0);
	assert_string_equal(addr_format(&address.address, text), "10.0.0.1");
	assert_string_equal(addr_format(&address.subnet.addr, text), "10.8.0.0");
	assert_int_equal(address.subnet.len, 13);
	info->ifa_prefixlen = 33;
	assert_int_equal(neigh_parse_address(message, &address), -EBADMSG);
}

static void entry_state_says_what_counts(void **state)
{
	static const struct {
		uint16_t type, nud;
		size_t mac_size_bytes;
		int result;
		enum neigh_entry_state state;
		bool fixed;
	} cases[] = {
		{ RTM_NEWNEIGH, NUD_REACHABLE, 6, 0, NEIGH_ENTRY_CONFIRMED, false },
		{ RTM_NEWNEIGH, NUD_PERMANENT, 6, 0, NEIGH_ENTRY_CONFIRMED, true },
		{ RTM_NEWNEIGH, NUD_NOARP, 6, 0, NEIGH_ENTRY_CONFIRMED, true },
		{ RTM_NEWNEIGH, NUD_STALE, 6, 0, NEIGH_ENTRY_DOUBTFUL, false },
		{ RTM_NEWNEIGH, NUD_DELAY, 6, 0, NEIGH_ENTRY_DOUBTFUL, false },
		{ RTM_NEWNEIGH, NUD_PROBE, 6, 0, NEIGH_ENTRY_PROBING, false },
		{ RTM_NEWNEIGH, NUD_INCOMPLETE, 0, 0, NEIGH_ENTRY_RESOLVING, false },
		{ RTM_NEWNEIGH, NUD_FAILED, 0, 0, NEIGH_ENTRY_GONE, false },
		{ RTM_NEWNEIGH, NUD_FAILED, 6, 0, NEIGH_ENTRY_GONE, false },
		{ RTM_DELNEIGH, NUD_REACHABLE, 6, 0, NEIGH_ENTRY_GONE, false },
		{ RTM_NEWNEIGH, NUD_REACHABLE, 0, -ENODATA, NEIGH_ENTRY_N_, false },
		{ RTM_NEWNEIGH, NUD_REACHABLE, 5, -ENODATA, NEIGH_ENTRY_N_, false },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct neigh_entry_message entry = { .state = NEIGH_ENTRY_N_ };

		assert_int_equal(neigh_parse_entry(entry_message(item->type, item->nud, "192.0.2.2",
							   item->mac_size_bytes),
					 &entry),
			item->result);
		assert_int_equal(entry.state, item->state);
		assert_int_equal(entry.fixed, item->fixed);
	}
}

static void entry_of_a_group_proxy_or_bridge_is_ignored(void **state)
{
	struct neigh_entry_message entry;
	struct nlmsghdr *message;
	struct ndmsg *info;

	assert_int_equal(
		neigh_parse_entry(entry_message(RTM_NEWNEIGH, NUD_NOARP, "224.0.0.1", 6), &entry),
		-ENODATA);
	message = entry_message(RTM_NEWNEIGH, NUD_REACHABLE, "192.0.2.2", 6);
	info = mnl_nlmsg_get_payload(message);
	info->ndm_flags = NTF_PROXY;
	assert_int_equal(neigh_parse_entry(message, &entry), -ENODATA);
	info->ndm_flags = 0;
	info->ndm_family = AF_BRIDGE;
	assert_int_equal(neigh_parse_entry(message, &entry), -ENODATA);
}

static void entry_address_has_the_size_of_its_family(void **state)
{
	struct nlmsghdr *message = entry_message(RTM_NEWNEIGH, NUD_REACHABLE, "192.0.2.2", 6);
	struct ndmsg *info = mnl_nlmsg_get_payload(message);
	struct neigh_entry_message entry;

	info->ndm_family = AF_INET6;
	assert_int_equal(neigh_parse_entry(message, &entry), -EBADMSG);
}

static void route_table_is_taken_from_its_attribute(void **state)
{
	static const uint8_t destination[] = { 198, 51, 100, 10 };
	struct neigh_route_message route;
	struct nlmsghdr *message;
	struct rtmsg *info;
	void *extra;

	message = message_new(RTM_NEWROUTE, sizeof(*info), &extra);
	info = extra;
	info->rtm_family = AF_INET;
	info->rtm_dst_len = 32;
	info->rtm_table = RT_TABLE_COMPAT;
	info->rtm_protocol = 217;
	info->rtm_type = RTN_BLACKHOLE;
	mnl_attr_put(message, RTA_DST, sizeof(destination), destination);
	mnl_attr_put_u32(message, RTA_TABLE, 100000);
	assert_int_equal(neigh_parse_route(message, &route), 0);
	assert_int_equal(route.table, 100000);
	assert_int_equal(route.protocol, 217);
	assert_int_equal(route.type, RTN_BLACKHOLE);
	assert_int_equal(route.prefix_len, 32);
}

static void route_gateway_is(const struct neigh_route_message *route, size_t idx,
	unsigned int ifindex, const char *address)
{
	struct addr wanted;

	assert_int_equal(addr_parse(address, &wanted), 0);
	assert_true(idx < route->n_gateways);
	assert_int_equal(route->gateways[idx].ifindex, ifindex);
	assert_true(addr_equal(&route->gateways[idx].address, &wanted));
}

static struct nlmsghdr *route_new(void)
{
	struct rtmsg *info;
	struct nlmsghdr *message;
	void *extra;

	message = message_new(RTM_NEWROUTE, sizeof(*info), &extra);
	info = extra;
	info->rtm_family = AF_INET;
	info->rtm_type = RTN_UNICAST;
	return message;
}

static void put_via(struct nlmsghdr *message)
{
	static const uint8_t via[18] = { AF_INET6, 0, 0xfe, 0x80, [17] = 9 };

	mnl_attr_put(message, RTA_VIA, sizeof(via), via);
}

static void route_gateways_are_all_found(void **state)
{
	static const uint8_t first[] = { 192, 0, 2, 1 }, second[] = { 192, 0, 2, 3 };
	struct neigh_route_message route;
	struct nlmsghdr *message = route_new();
	struct nlattr *multipath;

	mnl_attr_put(message, RTA_GATEWAY, sizeof(first), first);
	mnl_attr_put_u32(message, RTA_OIF, 7);
	assert_int_equal(neigh_parse_route(message, &route), 0);
	assert_int_equal(route.n_gateways, 1);
	route_gateway_is(&route, 0, 7, "192.0.2.1");

	message = route_new();
	mnl_attr_put_u32(message, RTA_OIF, 7);
	put_via(message);
	assert_int_equal(neigh_parse_route(message, &route), 0);
	assert_int_equal(route.n_gateways, 1);
	route_gateway_is(&route, 0, 7, "fe80::9");

	/* Of a multipath route; the middle one has no gateway. */
	message = route_new();
	multipath = mnl_attr_nest_start(message, RTA_MULTIPATH);
	for (int ifindex = 7; ifindex <= 10; ifindex++) {
		struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(message);

		*hop = (struct rtnexthop){ .rtnh_ifindex = ifindex };
		message->nlmsg_len += sizeof(*hop);
		if (ifindex == 7 || ifindex == 9)
			mnl_attr_put(message, RTA_GATEWAY, 4, ifindex == 7 ? first : second);
		if (ifindex == 10)
			put_via(message);
		hop->rtnh_len =
			(unsigned short)((char *)mnl_nlmsg_get_payload_tail(message) - (char *)hop);
	}
	mnl_attr_nest_end(message, multipath);
	assert_int_equal(neigh_parse_route(message, &route), 0);
	assert_int_equal(route.n_gateways, 3);
	route_gateway_is(&route, 0, 7, "192.0.2.1");
	route_gateway_is(&route, 1, 9, "192.0.2.3");
	route_gateway_is(&route, 2, 10, "fe80::9");
	/* A hop that reaches over the end, or that would never end. */
	((struct rtnexthop *)mnl_attr_get_payload(multipath))->rtnh_len = 2000;
	assert_int_equal(neigh_parse_route(message, &route), -EBADMSG);
	((struct rtnexthop *)mnl_attr_get_payload(multipath))->rtnh_len = 0;
	assert_int_equal(neigh_parse_route(message, &route), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_is_parsed),
		cmocka_unit_test(link_that_left_its_bridge_is_not_gone),
		cmocka_unit_test(link_name_has_a_limit),
		cmocka_unit_test(message_cut_anywhere_is_refused),
		cmocka_unit_test(address_of_a_peer_is_its_subnet),
		cmocka_unit_test(entry_state_says_what_counts),
		cmocka_unit_test(entry_of_a_group_proxy_or_bridge_is_ignored),
		cmocka_unit_test(entry_address_has_the_size_of_its_family),
		cmocka_unit_test(route_table_is_taken_from_its_attribute),
		cmocka_unit_test(route_gateways_are_all_found),
	};

	return cmocka_run_group_tests_name("neigh_message", tests, NULL, NULL);
}
