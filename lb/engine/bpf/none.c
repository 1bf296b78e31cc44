/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines in the kernel in a build without BPF (XDP=0): they say so. */
#include <errno.h>
#include <stdio.h>

#include "lb/engine/engine.h"
#include "lb/engine/packet/guard.h"

static int none_start(const struct engine_config *config, struct engine **ret_engine, char *ret_why)
{
	snprintf(ret_why, ENGINE_WHY_BYTES, "built without BPF (XDP=0)");
	return -EOPNOTSUPP;
}

void engine_remove_others(const struct engine_config *config, const struct engine_ops *ops)
{
}

int engine_guard_new(
	const struct engine_config *config, struct engine_guard **ret_guard, char *ret_why)
{
	snprintf(ret_why, ENGINE_WHY_BYTES, "built without BPF (XDP=0)");
	return -EOPNOTSUPP;
}

struct engine_guard *engine_guard_free(struct engine_guard *guard)
{
	return NULL;
}

void engine_guard_add(
	struct engine_guard *guard, const struct snapshot *from, const struct snapshot *to)
{
}

void engine_guard_remove(
	struct engine_guard *guard, const struct snapshot *from, const struct snapshot *to)
{
}

const struct engine_ops engine_xdp_ops = { .name = "xdp", .start = none_start };
const struct engine_ops engine_tc_ops = { .name = "tc", .start = none_start };
