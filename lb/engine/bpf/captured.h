/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capture of an engine in the kernel: frames that its program decided come by a ring of the kernel, those of the
 * slow path's thread by one of ours. Main loop only.
 */
#pragma once

#include "lb/engine/engine.h"

struct capture_ring;
struct captured_frames;

/* Nobody captures yet. `ring` is borrowed. 0 or negative errno with the failing step in `ret_why`. */
int captured_new(struct engine *engine, struct capture_ring *ring,
	struct captured_frames **ret_frames, struct why *ret_why);
struct captured_frames *captured_free(struct captured_frames *frames);

/* As the members of engine_ops. */
int captured_set(struct engine *engine, const struct capture_filter *filter);
int captured_fd(const struct engine *engine);
bool captured_take(struct engine *engine, struct captured *ret_captured);
uint64_t captured_lost(const struct engine *engine);
