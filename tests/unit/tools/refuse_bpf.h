/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel that lacks bpf(2) or a command of it, or does not permit it: by a filter of system calls. Header only. */
#pragma once

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/util.h"

#define REFUSE_BPF_ALL UINT32_MAX

/*
 * From now on, for the calling process and what it starts, that command (BPF_LINK_CREATE; REFUSE_BPF_ALL: every one)
 * fails with that error. Nothing takes it back: call it in a child. False where that is not permitted.
 */
static inline bool refuse_bpf(uint32_t command, int error)
{
	const uint8_t to_refusal = command == REFUSE_BPF_ALL ? 1 : 0;
	/* The lower half of a 64-bit argument. */
	const uint32_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bpf, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + low),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, command, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JA, to_refusal ? 0 : 1, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
