/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines in the kernel, and the guard, in a build without BPF (XDP=0): they say so. */
#include "common/why.h"
#include "lb/engine/bpf/engine_bpf.h"
#include "lb/engine/bpf/guard.h"

static int none_start(
	const struct engine_config *config, struct engine **ret_engine, struct why *ret_why)
{
	return why_fail(ret_why, -EOPNOTSUPP, "built without BPF (XDP=0)");
}

/* Without BPF there is no way to look for programs either. */
static void none_sweep(const struct engine_config *config)
{
}

int guard_new(const struct engine_config *config, struct guard **ret_guard, struct why *ret_why)
{
	return why_fail(ret_why, -EOPNOTSUPP, "built without BPF (XDP=0)");
}

struct guard *guard_free(struct guard *guard)
{
	return NULL;
}

int guard_repair(struct guard *guard, struct why *ret_why)
{
	return 0;
}

void guard_sweep(const struct engine_config *config)
{
}

void guard_add(struct guard *guard, const struct snapshot *from, const struct snapshot *to)
{
}

void guard_remove(struct guard *guard, const struct snapshot *from, const struct snapshot *to)
{
}

const struct engine_ops engine_xdp_ops = {
	.name = "xdp", .start = none_start, .sweep = none_sweep
};
const struct engine_ops engine_tc_ops = { .name = "tc", .start = none_start, .sweep = none_sweep };
