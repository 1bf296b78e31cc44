/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See chance_attach.h. */
#include "agent/chance/chance_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Since Linux 6.6; the headers may be older. */
#define TCX_INGRESS ((enum bpf_attach_type)46)
/* Where classifiers have numbers: one that nobody takes by accident, nor dsr-lb on the same host. */
#define PLACE 0xd5cu

static int classifier_attach(struct chance_attach *attach, int program_fd, unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = PLACE, .priority = PLACE, .prog_fd = program_fd,
		.flags = BPF_TC_F_REPLACE);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return r;
	attach->made_hook = r == 0;
	return bpf_tc_attach(&hook, &options);
}

/* The qdisc goes only if it is ours, since others may have put filters of their own there. */
static void classifier_detach(unsigned int ifindex, bool with_hook)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = PLACE, .priority = PLACE);

	if (bpf_tc_query(&hook, &options) < 0)
		return;
	options.prog_fd = options.prog_id = options.flags = 0;
	(void)bpf_tc_detach(&hook, &options);
	if (!with_hook)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(&hook);
}

int chance_attach(
	struct chance_attach *attach, int program_fd, unsigned int ifindex, struct why *ret_why)
{
	int r = 0;

	attach->link_fd = bpf_link_create(program_fd, (int)ifindex, TCX_INGRESS, NULL);
	if (attach->link_fd < 0)
		r = classifier_attach(attach, program_fd, ifindex);
	else
		classifier_detach(ifindex, false);
	if (r < 0)
		return why_errno(ret_why, r, "the program cannot be put on the interface");
	attach->ifindex = ifindex;
	return 0;
}

void chance_detach(struct chance_attach *attach)
{
	if (attach->link_fd >= 0)
		util_close(attach->link_fd);
	else if (attach->ifindex != 0)
		classifier_detach(attach->ifindex, attach->made_hook);
	*attach = (struct chance_attach){ .link_fd = -1 };
}

void chance_attach_sweep(unsigned int ifindex)
{
	classifier_detach(ifindex, false);
}
