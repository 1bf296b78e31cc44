/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines in the kernel, by native XDP and at tc's ingress. Built without BPF (XDP=0) they only say so. */
#pragma once

#include "lb/engine/engine.h"

extern const struct engine_ops engine_xdp_ops;
extern const struct engine_ops engine_tc_ops;
