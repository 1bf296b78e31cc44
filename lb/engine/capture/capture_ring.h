/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captured frames on their way from the threads that decide on frames to the main loop, which takes them: bounded, and
 * nobody who forwards ever waits. What finds no room is lost, and counted. Each of these threads has a tap, which says
 * in one comparison a batch that nobody captures.
 */
#pragma once

#include "common/util.h"
#include "lb/engine/capture/capture_types.h"

#define CAPTURE_RING_FRAMES 256u

struct capture_ring;

/* Of one thread, zeroed at first; nobody else touches it. */
struct capture_tap {
	uint32_t generation; /* of the filter below */
	bool is_on;
	struct capture_filter filter;
};

/* NULL: no memory, or no descriptor. */
struct capture_ring *capture_ring_new(void);
/* When no thread has a tap on it any more. Returns NULL; NULL is nothing. */
struct capture_ring *capture_ring_free(struct capture_ring *ring);

/* Main loop. Frames that the filter takes come in from now on; NULL: none, and those that wait are forgotten. */
void capture_ring_set(struct capture_ring *ring, const struct capture_filter *filter);
/* Readable while a frame waits. */
int capture_ring_fd(const struct capture_ring *ring);
/* False: none waits. */
bool capture_ring_take(struct capture_ring *ring, struct captured *ret_captured);
/* Since the filter was set. */
uint64_t capture_ring_lost(const struct capture_ring *ring);

/* In a thread: whether somebody captures; to be asked now and then, and kept in tap->is_on meanwhile. */
bool capture_tap_follow(struct capture_tap *tap, struct capture_ring *ring);
/* A frame that was decided. */
struct capture_frame {
	const uint8_t *data;
	uint32_t size_bytes;   /* of `data` */
	uint32_t length_bytes; /* of the frame; 0: the same */
	const uint8_t *
		macs; /* the 12 bytes that it came with, before it was rewritten; NULL: those of `data` */
	bool is_out;
};
/* In a thread while tap->is_on. */
void capture_tap_put(struct capture_tap *tap, struct capture_ring *ring,
	const struct fwd_result *result, const struct capture_frame *frame);
