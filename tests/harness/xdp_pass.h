/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An XDP program that passes everything, for the other end of a veth: that takes what an XDP program
 * transmits only where it has one itself (drivers/net/veth.c:veth_xdp_xmit). Header only.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "common/os/nl.h"

#include "tests/harness/bpf_return.h"

/*
 * Puts it on an interface of this namespace, in native mode, where it stays until the interface goes. 0
 * or negative errno (-EBUSY: there is a program).
 */
static inline int xdp_pass_attach(const char *interface)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	_cleanup_close_ int program = -1;
	struct nlmsghdr *request;
	struct nlattr *xdp;
	void *link;
	int r;

	program = bpf_return_load(BPF_PROG_TYPE_XDP, XDP_PASS, "xdp_pass");
	r = program < 0 ? program : nl_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return r;
	request = nl_request(nl, RTM_SETLINK, 0, sizeof(struct ifinfomsg), &link);
	((struct ifinfomsg *)link)->ifi_index = (int)if_nametoindex(interface);
	xdp = mnl_attr_nest_start(request, IFLA_XDP);
	mnl_attr_put_u32(request, IFLA_XDP_FD, (uint32_t)program);
	mnl_attr_put_u32(request, IFLA_XDP_FLAGS, XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST);
	mnl_attr_nest_end(request, xdp);
	return nl_transact(nl, request);
}
