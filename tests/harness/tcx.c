/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs at the tcx ingress of an interface of this namespace, which bpftool before 7.4 and tc do
 * not know:
 *
 *	tcx INTERFACE [detach | first]
 *
 * Prints their ids, one a line; with "detach" it takes them away, with "first" it puts one before them that passes
 * everything on. On a kernel without tcx there are none.
 */
#include "tests/harness/tool.h"

#include <linux/bpf.h>
#include <net/if.h>
#include <sys/syscall.h>

#include "tests/harness/bpf_return.h"

#define TCX_INGRESS      46        /* BPF_TCX_INGRESS since Linux 6.6; the headers may be older */
#define TCX_BEFORE       (1u << 3) /* BPF_F_BEFORE: without another one it is the first */
#define TCX_NEXT_PROGRAM (-1)      /* TCX_NEXT of enum tcx_action_base */
#define PROGRAMS_MAX     64u

static int call_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static uint32_t query(unsigned int ifindex, uint32_t ids[PROGRAMS_MAX])
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = ifindex;
	attr.query.attach_type = TCX_INGRESS;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	if (call_bpf(BPF_PROG_QUERY, &attr) == 0)
		return attr.query.prog_cnt;
	if (errno != EINVAL && errno != ENOENT)
		err(1, "asking for programs");
	return 0;
}

static void detach(unsigned int ifindex, uint32_t id)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = call_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		err(1, "program %u", id);
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = ifindex;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = TCX_INGRESS;
	if (call_bpf(BPF_PROG_DETACH, &attr) < 0)
		err(1, "taking program %u away", id);
	close(fd);
}

static void put_first(unsigned int ifindex)
{
	union bpf_attr attr;
	int fd = bpf_return_load(BPF_PROG_TYPE_SCHED_CLS, TCX_NEXT_PROGRAM, "tcx_next");

	if (fd < 0)
		errx(1, "a program that passes on: %s", strerror(-fd));
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = ifindex;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = TCX_INGRESS;
	attr.attach_flags = TCX_BEFORE;
	if (call_bpf(BPF_PROG_ATTACH, &attr) < 0)
		err(1, "putting it first");
	close(fd);
}

int main(int argc, char **argv)
{
	uint32_t ids[PROGRAMS_MAX], len;
	unsigned int ifindex;

	if (argc < 2 || argc > 3 ||
		(argc == 3 && !streq(argv[2], "detach") && !streq(argv[2], "first")))
		errx(64, "usage: tcx INTERFACE [detach | first]");
	ifindex = if_nametoindex(argv[1]);
	if (ifindex == 0)
		err(1, "%s", argv[1]);
	if (argc == 3 && streq(argv[2], "first"))
		put_first(ifindex);
	len = query(ifindex, ids);
	for (uint32_t i = 0; i < len; i++) {
		printf("%u\n", ids[i]);
		if (argc == 3 && streq(argv[2], "detach"))
			detach(ifindex, ids[i]);
	}
	return 0;
}
