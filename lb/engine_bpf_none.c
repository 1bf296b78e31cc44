/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines in the kernel in a build without BPF (XDP=0): they say so. */
#include <errno.h>
#include <stdio.h>

#include "lb/engine.h"

static int none_start(const struct engine_config *config, struct engine **ret_engine, char *ret_why)
{
	snprintf(ret_why, ENGINE_WHY_BYTES, "built without BPF (XDP=0)");
	return -EOPNOTSUPP;
}

void engine_remove_others(const struct engine_config *config, const struct engine_ops *ops)
{
}

const struct engine_ops engine_xdp_ops = { .name = "xdp", .start = none_start };
const struct engine_ops engine_tc_ops = { .name = "tc", .start = none_start };
