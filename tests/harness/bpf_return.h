/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest BPF program: one verdict for all packets. By bpf(2) itself, so that XDP=0 has it, too. Header only. */
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>

#include "common/util.h"

/* A descriptor, or negative errno. `name` has BPF_OBJ_NAME_LEN - 1 bytes at most. */
static inline int bpf_return_load(enum bpf_prog_type type, int verdict, const char *name)
{
	/* r0 = verdict; exit */
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = ARRAY_LEN(program);
	attr.license = (uintptr_t) "GPL";
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? util_negative_errno() : (int)fd;
}
