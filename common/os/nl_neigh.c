/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One rtnetlink request each: see nl_neigh.h. */
#include "common/os/nl_neigh.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

/* The host part of an attribute; left alone where it has another size. */
static void nl_neigh_copy(const struct nlattr *attribute, void *ret_bytes, size_t size_bytes)
{
	if (mnl_attr_get_payload_len(attribute) == size_bytes)
		memcpy(ret_bytes, mnl_attr_get_payload(attribute), size_bytes);
}

int nl_neigh_parse(const struct nlmsghdr *message, struct nl_neigh *ret_neigh)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	struct nl_neigh neigh = { 0 };
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWNEIGH)
		return -ENODATA;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return -EBADMSG;
	/* The group carries bridges' forwarding entries and proxies too. */
	if ((info->ndm_family != AF_INET && info->ndm_family != AF_INET6) ||
		(info->ndm_flags & NTF_PROXY))
		return -ENODATA;
	neigh.address.family = info->ndm_family;
	neigh.ifindex = (unsigned int)info->ndm_ifindex;
	neigh.fixed = (info->ndm_state & (NUD_PERMANENT | NUD_NOARP)) ||
		(info->ndm_flags & NTF_EXT_LEARNED);
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attribute) == NDA_DST)
			nl_neigh_copy(
				attribute, neigh.address.bytes, addr_size_bytes(&neigh.address));
		else if (mnl_attr_get_type(attribute) == NDA_LLADDR)
			nl_neigh_copy(attribute, neigh.mac.bytes, MAC_LEN);
		else if (mnl_attr_get_type(attribute) == NDA_PROTOCOL)
			nl_neigh_copy(attribute, &neigh.protocol, sizeof(neigh.protocol));
	}
	if (neigh.ifindex == 0 || !addr_is_unicast(&neigh.address))
		return -ENODATA;
	*ret_neigh = neigh;
	return 0;
}

struct nlmsghdr *nl_neigh_request(struct nl *nl, uint16_t type, uint16_t flags,
	unsigned int ifindex, const struct addr *address, struct ndmsg **ret_entry)
{
	void *extra;
	struct nlmsghdr *request = nl_request(nl, type, flags, sizeof(struct ndmsg), &extra);

	*ret_entry = extra;
	(*ret_entry)->ndm_family = (uint8_t)address->family;
	(*ret_entry)->ndm_ifindex = (int)ifindex;
	mnl_attr_put(request, NDA_DST, addr_size_bytes(address), address->bytes);
	return request;
}

struct nl_neigh_answer {
	struct nl_neigh neigh;
	bool found;
};

static int nl_neigh_on_answer(const struct nlmsghdr *message, void *context)
{
	struct nl_neigh_answer *answer = context;

	answer->found |= nl_neigh_parse(message, &answer->neigh) == 0;
	return 0;
}

int nl_neigh_query(
	struct nl *nl, unsigned int ifindex, const struct addr *address, struct nl_neigh *ret_neigh)
{
	struct nl_neigh_answer answer = { 0 };
	struct ndmsg *entry;
	int r;

	r = nl_query(nl, nl_neigh_request(nl, RTM_GETNEIGH, 0, ifindex, address, &entry),
		nl_neigh_on_answer, &answer);
	if (r < 0)
		return r;
	if (!answer.found)
		return -ENOENT;
	*ret_neigh = answer.neigh;
	return 0;
}

int nl_neigh_dump(struct nl *nl, nl_message_fn *fn, void *context)
{
	return nl_query_all(
		nl, nl_request(nl, RTM_GETNEIGH, 0, sizeof(struct ndmsg), NULL), fn, context);
}

int nl_neigh_pin(struct nl *nl, unsigned int ifindex, const struct addr *address,
	const struct mac *mac, uint8_t protocol)
{
	struct nlmsghdr *request;
	struct ndmsg *entry;

	request = nl_neigh_request(
		nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, address, &entry);
	entry->ndm_state = NUD_PERMANENT;
	mnl_attr_put(request, NDA_LLADDR, MAC_LEN, mac->bytes);
	mnl_attr_put_u8(request, NDA_PROTOCOL, protocol);
	return nl_transact(nl, request);
}

int nl_neigh_delete(struct nl *nl, unsigned int ifindex, const struct addr *address)
{
	struct ndmsg *entry;

	return nl_transact(nl, nl_neigh_request(nl, RTM_DELNEIGH, 0, ifindex, address, &entry));
}
