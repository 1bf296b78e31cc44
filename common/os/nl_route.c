/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One rtnetlink request: see nl_route.h. */
#include "common/os/nl_route.h"

#include <linux/rtnetlink.h>

static int nl_route_take_type(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	bool *is_local = context;

	if (message->nlmsg_type == RTM_NEWROUTE &&
		mnl_nlmsg_get_payload_len(message) >= sizeof(*info))
		*is_local = info->rtm_type == RTN_LOCAL;
	return 0;
}

int nl_route_is_local(struct nl *nl, const struct addr *destination)
{
	struct nlmsghdr *request;
	struct rtmsg *info;
	bool is_local = false;
	void *extra;
	int r;

	request = nl_request(nl, RTM_GETROUTE, 0, sizeof(*info), &extra);
	info = extra;
	info->rtm_family = (uint8_t)destination->family;
	info->rtm_dst_len = (uint8_t)(8 * addr_size_bytes(destination));
	mnl_attr_put(request, RTA_DST, addr_size_bytes(destination), destination->bytes);
	r = nl_query(nl, request, nl_route_take_type, &is_local);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH)
		return 0;
	return r < 0 ? r : is_local;
}
