/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the host over rtnetlink. Called by the reconciler, at least once a second: others' changes
 * of arp_ignore and arp_announce send no event (net/ipv4/devinet.c:devinet_conf_proc, 6.18, tells
 * only of forwarding, rp_filter and a few more). Must not know what is wanted.
 */
#include "agent/host/observe.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

#include "common/grow.h"

/* Lists that grow while a dump runs. */
struct observe_links {
	struct host_link *items;
	size_t len;
};
struct observe_addresses {
	struct host_address *items;
	size_t len;
};

/*
 * Copies a text attribute that must be terminated and fit; false otherwise. The kernel takes almost
 * any byte in an interface's name; what is not printable ASCII becomes '?', so that names are safe
 * in logs and in JSON.
 */
static bool observe_get_name(const struct nlattr *attr, char ret_name[IFNAMSIZ])
{
	size_t size_bytes = mnl_attr_get_payload_len(attr);
	const char *text = mnl_attr_get_payload(attr);

	if (size_bytes < 2 || size_bytes > IFNAMSIZ || text[size_bytes - 1] != '\0' ||
		text[0] == '\0')
		return false;
	for (size_t idx = 0; idx < size_bytes; idx++) {
		bool fit = text[idx] == '\0' || (text[idx] > ' ' && text[idx] < 0x7f);

		ret_name[idx] = fit ? text[idx] : '?';
	}
	return true;
}

/* IFLA_INET_CONF is an array of u32, the setting IPV4_DEVCONF_X at X - 1. */
static bool observe_get_conf(const struct nlattr *conf, unsigned int setting, uint32_t *ret_value)
{
	size_t offset = (setting - 1) * sizeof(uint32_t);

	if (mnl_attr_get_payload_len(conf) < offset + sizeof(uint32_t))
		return false;
	memcpy(ret_value, (const uint8_t *)mnl_attr_get_payload(conf) + offset, sizeof(uint32_t));
	return true;
}

/* IFLA_AF_SPEC → AF_INET → IFLA_INET_CONF. */
static void observe_get_inet(const struct nlattr *spec, struct host_link *link)
{
	const struct nlattr *family;
	const struct nlattr *attr;

	mnl_attr_for_each_nested(family, spec)
	{
		if (mnl_attr_get_type(family) != AF_INET)
			continue;
		mnl_attr_for_each_nested(attr, family)
		{
			if (mnl_attr_get_type(attr) == IFLA_INET_CONF)
				link->has_inet = observe_get_conf(attr, IPV4_DEVCONF_ARP_IGNORE,
							 &link->arp_ignore) &&
					observe_get_conf(attr, IPV4_DEVCONF_ARP_ANNOUNCE,
						&link->arp_announce);
		}
	}
}

int observe_parse_link(const struct nlmsghdr *message, struct host_link *ret_link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct host_link link = { 0 };
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWLINK)
		return -ENODATA;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return -EBADMSG;
	/* A bridge tells of its ports in messages of its own family, without IPv4 settings. */
	if (info->ifi_family != AF_UNSPEC)
		return -ENODATA;
	if (info->ifi_index <= 0)
		return -EBADMSG;
	link.ifindex = (unsigned int)info->ifi_index;
	link.up = info->ifi_flags & IFF_UP;
	link.arp = !(info->ifi_flags & (IFF_LOOPBACK | IFF_NOARP));
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			if (!observe_get_name(attr, link.name))
				return -EBADMSG;
			break;
		case IFLA_ADDRESS:
			/* Other lengths are no Ethernet; a zero MAC stands for them. */
			if (mnl_attr_get_payload_len(attr) == MAC_LEN)
				memcpy(link.mac.bytes, mnl_attr_get_payload(attr), MAC_LEN);
			break;
		case IFLA_AF_SPEC:
			observe_get_inet(attr, &link);
			break;
		default:
			break;
		}
	}
	if (!link.name[0])
		return -EBADMSG;
	*ret_link = link;
	return 0;
}

/* Copies an address attribute of this family; false: wrong length. */
static bool observe_get_addr(const struct nlattr *attr, sa_family_t family, struct addr *ret_addr)
{
	struct addr addr = { .family = family };
	size_t size_bytes = addr_size_bytes(&addr);

	if (mnl_attr_get_payload_len(attr) != size_bytes)
		return false;
	memcpy(addr.bytes, mnl_attr_get_payload(attr), size_bytes);
	*ret_addr = addr;
	return true;
}

static bool observe_get_address_attr(const struct nlattr *attr, sa_family_t family,
	struct addr *local, struct host_address *address)
{
	switch (mnl_attr_get_type(attr)) {
	case IFA_LOCAL:
		return observe_get_addr(attr, family, local);
	case IFA_ADDRESS:
		return observe_get_addr(attr, family, &address->addr);
	case IFA_FLAGS:
		if (mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
			return false;
		address->flags = mnl_attr_get_u32(attr);
		return true;
	case IFA_LABEL:
		return observe_get_name(attr, address->label);
	default:
		return true;
	}
}

int observe_parse_address(const struct nlmsghdr *message, struct host_address *ret_address)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct host_address address = { 0 };
	struct addr local = { 0 };
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWADDR)
		return -ENODATA;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return -EBADMSG;
	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return -ENODATA;
	if (info->ifa_index == 0 || info->ifa_index > INT_MAX ||
		info->ifa_prefixlen > (info->ifa_family == AF_INET ? 32 : 128))
		return -EBADMSG;
	address.ifindex = info->ifa_index;
	address.prefix_len = info->ifa_prefixlen;
	address.scope = info->ifa_scope;
	address.flags = info->ifa_flags;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		if (!observe_get_address_attr(attr, info->ifa_family, &local, &address))
			return -EBADMSG;
	}
	/* On a point-to-point link IFA_ADDRESS is the balancer, and only IFA_LOCAL is ours. */
	if (local.family != AF_UNSPEC)
		address.addr = local;
	if (address.addr.family == AF_UNSPEC)
		return -EBADMSG;
	*ret_address = address;
	return 0;
}

static int observe_collect_link(const struct nlmsghdr *message, void *context)
{
	struct observe_links *links = context;
	struct host_link link;
	int r;

	r = observe_parse_link(message, &link);
	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	if (links->len >= HOST_LINKS_MAX)
		return -E2BIG;
	r = GROW(links->items, links->len);
	if (r < 0)
		return r;
	links->items[links->len++] = link;
	return 0;
}

static int observe_collect_address(const struct nlmsghdr *message, void *context)
{
	struct observe_addresses *addresses = context;
	struct host_address address;
	int r;

	r = observe_parse_address(message, &address);
	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	if (addresses->len >= HOST_ADDRESSES_MAX)
		return -E2BIG;
	r = GROW(addresses->items, addresses->len);
	if (r < 0)
		return r;
	addresses->items[addresses->len++] = address;
	return 0;
}

static int observe_compare_links(const void *a, const void *b)
{
	unsigned int index_a = ((const struct host_link *)a)->ifindex;
	unsigned int index_b = ((const struct host_link *)b)->ifindex;

	return (index_a > index_b) - (index_a < index_b);
}

static int observe_dump_links(struct nl *nl, struct observe_links *links)
{
	struct ifinfomsg *info;
	struct nlmsghdr *request;
	void *extra;
	int r;

	request = nl_request(nl, RTM_GETLINK, 0, sizeof(*info), &extra);
	info = extra;
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = nl_query_all(nl, request, observe_collect_link, links);
	if (r < 0)
		return r;
	if (links->len > 1)
		qsort(links->items, links->len, sizeof(*links->items), observe_compare_links);
	return 0;
}

static int observe_dump_addresses(struct nl *nl, struct observe_addresses *addresses)
{
	struct ifaddrmsg *info;
	struct nlmsghdr *request;
	void *extra;

	request = nl_request(nl, RTM_GETADDR, 0, sizeof(*info), &extra);
	info = extra;
	info->ifa_family = AF_UNSPEC;
	return nl_query_all(nl, request, observe_collect_address, addresses);
}

int observe_setting(const char *path, uint32_t *ret_value)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	char *end;
	ssize_t size_bytes;
	long value;

	if (fd < 0)
		return util_negative_errno();
	size_bytes = read(fd, text, sizeof(text) - 1);
	if (size_bytes < 0)
		return util_negative_errno();
	text[size_bytes] = '\0';
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || (*end != '\0' && *end != '\n') || value < INT_MIN ||
		value > INT_MAX)
		return -EBADMSG;
	*ret_value = (uint32_t)value;
	return 0;
}

static int observe_fill(struct nl *nl, struct host *host)
{
	struct observe_links links = { 0 };
	struct observe_addresses addresses = { 0 };
	int r;

	r = observe_dump_links(nl, &links);
	host->links = links.items;
	host->n_links = links.len;
	if (r < 0)
		return r;
	r = observe_dump_addresses(nl, &addresses);
	host->addresses = addresses.items;
	host->n_addresses = addresses.len;
	if (r < 0)
		return r;
	/* conf/all has no link, so that only /proc tells of it; reading needs no privilege. */
	r = observe_setting("/proc/sys/net/ipv4/conf/all/arp_ignore", &host->all_arp_ignore);
	if (r < 0)
		return r;
	return observe_setting("/proc/sys/net/ipv4/conf/all/arp_announce", &host->all_arp_announce);
}

int observe_host(struct nl *nl, struct host *ret_host)
{
	struct host host = { 0 };
	int r;

	r = observe_fill(nl, &host);
	if (r < 0) {
		host_clear(&host);
		return r;
	}
	*ret_host = host;
	return 0;
}

int observe_parse_route(
	const struct nlmsghdr *message, struct addr *ret_source, unsigned int *ret_ifindex)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct addr source = { 0 };
	unsigned int ifindex = 0;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return -ENODATA;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) ||
		(info->rtm_family != AF_INET && info->rtm_family != AF_INET6))
		return -EBADMSG;
	if (info->rtm_type != RTN_UNICAST)
		return -ENETUNREACH;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_PREFSRC:
			if (!observe_get_addr(attr, info->rtm_family, &source))
				return -EBADMSG;
			break;
		case RTA_OIF:
			if (mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
				return -EBADMSG;
			ifindex = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
	}
	if (source.family == AF_UNSPEC || ifindex == 0)
		return -ENETUNREACH;
	*ret_source = source;
	*ret_ifindex = ifindex;
	return 0;
}

/* The answer to one question for a route. */
struct observe_answer {
	struct addr source;
	unsigned int ifindex;
	bool found;
};

static int observe_take_route(const struct nlmsghdr *message, void *context)
{
	struct observe_answer *answer = context;
	int r;

	r = observe_parse_route(message, &answer->source, &answer->ifindex);
	if (r == -ENODATA)
		return 0;
	answer->found = r == 0;
	return r;
}

int observe_route(struct nl *nl, const struct addr *destination, struct addr *ret_source,
	unsigned int *ret_ifindex)
{
	struct observe_answer answer = { 0 };
	struct nlmsghdr *request;
	struct rtmsg *info;
	void *extra;
	int r;

	request = nl_request(nl, RTM_GETROUTE, 0, sizeof(*info), &extra);
	info = extra;
	info->rtm_family = (unsigned char)destination->family;
	info->rtm_dst_len = host_full_prefix(destination);
	mnl_attr_put(request, RTA_DST, addr_size_bytes(destination), destination->bytes);
	r = nl_query(nl, request, observe_take_route, &answer);
	if (r < 0)
		return r;
	if (!answer.found)
		return -ENETUNREACH;
	*ret_source = answer.source;
	*ret_ifindex = answer.ifindex;
	return 0;
}
