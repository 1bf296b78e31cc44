/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts an XDP program that passes everything on an interface of this namespace, in native mode:
 *
 *	xdp_pass INTERFACE
 *
 * veth takes what an XDP program at its other end transmits only where it has one itself
 * (drivers/net/veth.c:veth_xdp_xmit). Attached over netlink, it stays until the interface goes.
 */
#include "tests/harness/tool.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/syscall.h>

#include "common/nl.h"

static int load_pass(void)
{
	/* r0 = XDP_PASS; exit */
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = ARRAY_LEN(program);
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, "xdp_pass", sizeof("xdp_pass"));
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		err(1, "the kernel refuses an XDP program");
	return fd;
}

static int attach(unsigned int ifindex, int program_fd)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct ifinfomsg *link;
	struct nlmsghdr *request;
	struct nlattr *xdp;
	void *extra;
	int r = nl_open(NETLINK_ROUTE, &nl);

	if (r < 0)
		return r;
	request = nl_request(nl, RTM_SETLINK, 0, sizeof(*link), &extra);
	link = extra;
	link->ifi_index = (int)ifindex;
	xdp = mnl_attr_nest_start(request, IFLA_XDP);
	mnl_attr_put_u32(request, IFLA_XDP_FD, (uint32_t)program_fd);
	mnl_attr_put_u32(request, IFLA_XDP_FLAGS, XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST);
	mnl_attr_nest_end(request, xdp);
	return nl_transact(nl, request);
}

int main(int argc, char **argv)
{
	unsigned int ifindex;
	int r;

	if (argc != 2)
		errx(64, "usage: xdp_pass INTERFACE");
	ifindex = if_nametoindex(argv[1]);
	if (ifindex == 0)
		err(1, "%s", argv[1]);
	r = attach(ifindex, load_pass());
	if (r < 0)
		errx(1, "%s: %s", argv[1], strerror(-r));
	return 0;
}
