/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See reverse_path.h. Must not know who asks. */
#include "agent/host/reverse_path.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include "agent/host/observe.h"

#define REVERSE_PATH_STRICT     1u
#define REVERSE_PATH_NAME_BYTES (sizeof("/proc/sys/net/ipv4/conf//rp_filter") + IFNAMSIZ)

/* The larger of the two is in force (Documentation/networking/ip-sysctl.rst). */
static int reverse_path_is_strict(unsigned int ifindex)
{
	char name[IFNAMSIZ], path[REVERSE_PATH_NAME_BYTES];
	uint32_t all, own;
	int r;

	if (!if_indextoname(ifindex, name))
		return util_negative_errno();
	r = observe_setting("/proc/sys/net/ipv4/conf/all/rp_filter", &all);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	r = observe_setting(path, &own);
	if (r < 0)
		return r;
	return MAX(all, own) == REVERSE_PATH_STRICT;
}

struct reverse_path_way {
	unsigned int wanted;
	bool leads;      /* one of its hops is by the wanted interface */
	bool is_default; /* of all clients that have no route of their own */
	unsigned int ifindex;
};

static void reverse_path_take_hop(struct reverse_path_way *way, unsigned int ifindex)
{
	way->leads = way->leads || ifindex == way->wanted;
	way->ifindex = ifindex;
}

static void reverse_path_take_hops(struct reverse_path_way *way, const struct nlattr *attr)
{
	const uint8_t *at = mnl_attr_get_payload(attr);
	size_t left_bytes = mnl_attr_get_payload_len(attr);
	struct rtnexthop hop;

	while (left_bytes >= sizeof(hop)) {
		size_t size_bytes;

		memcpy(&hop, at, sizeof(hop));
		size_bytes = RTNH_ALIGN(hop.rtnh_len);
		if (hop.rtnh_len < sizeof(hop) || size_bytes > left_bytes)
			return;
		reverse_path_take_hop(way, (unsigned int)hop.rtnh_ifindex);
		at += size_bytes;
		left_bytes -= size_bytes;
	}
}

static int reverse_path_take(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct reverse_path_way *way = context;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
		return 0;
	way->is_default = info->rtm_dst_len == 0;
	mnl_attr_for_each(attr, message, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF &&
			mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			reverse_path_take_hop(way, mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			reverse_path_take_hops(way, attr);
	}
	return 0;
}

/* The whole entry, not one hop that the kernel chose of it: rp_filter is content with any of them. */
static int reverse_path_ask(struct nl *nl, const struct addr *client, const struct addr *vip,
	struct reverse_path_way *way)
{
	struct nlmsghdr *request;
	struct rtmsg *info;
	void *extra;

	request = nl_request(nl, RTM_GETROUTE, 0, sizeof(*info), &extra);
	info = extra;
	info->rtm_family = AF_INET;
	info->rtm_dst_len = info->rtm_src_len = 32;
	info->rtm_flags = RTM_F_FIB_MATCH;
	mnl_attr_put(request, RTA_DST, addr_size_bytes(client), client->bytes);
	mnl_attr_put(request, RTA_SRC, addr_size_bytes(vip), vip->bytes);
	return nl_query(nl, request, reverse_path_take, way);
}

int reverse_path_drops(struct nl *nl, const struct addr *client, const struct addr *vip,
	unsigned int ifindex, unsigned int *ret_ifindex)
{
	struct reverse_path_way way = { .wanted = ifindex };
	int r;

	if (client->family != AF_INET || vip->family != AF_INET)
		return 0;
	r = reverse_path_is_strict(ifindex);
	if (r <= 0)
		return r;
	r = reverse_path_ask(nl, client, vip, &way);
	if (r < 0 && r != -ENETUNREACH && r != -EHOSTUNREACH)
		return r;
	*ret_ifindex = way.ifindex;
	return way.is_default && !way.leads;
}
