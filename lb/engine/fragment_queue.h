/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where early fragments wait for the first of their datagram: copies of frames, in order of
 * arrival, found by datagram. Bounded in number, bytes and time; where one comes too many, the
 * longest-held gives way, so that a flood of fragments without a first shortens the wait and
 * cannot shut it for good. One for all workers, behind one mutex: fragments of a datagram may reach
 * different workers, and only fragments come here. Knows no clock, socket or counter of frames.
 */
#pragma once

#include <linux/virtio_net.h>

#include "common/util.h"
#include "lb/fwd/types.h"

#define FRAGMENT_QUEUE_FRAMES_MAX 4096u
#define FRAGMENT_QUEUE_BYTES_MAX  (8u << 20) /* of frames; longer than any frame */
#define FRAGMENT_QUEUE_TIME_MS    1000u

struct fragment_queue;

/* A frame that was held; whoever took it frees it. */
struct fragment_queue_frame {
	struct fragment_queue_frame *next; /* taken at the same time, and arrived later */
	struct fwd_fragment_key datagram;
	uint64_t arrived_ms;
	uint32_t size_bytes;
	struct fragment_queue_frame *older, *newer; /* of all, while held */
	struct virtio_net_hdr *vnet;                /* the frame's bytes follow it immediately */
	uint8_t *data;
};

struct fragment_queue_counts {
	uint64_t held;     /* at this moment */
	uint64_t released; /* taken as their first was decided */
	uint64_t expired;  /* taken because it did not come in time, or there were too many */
};

/* `seed` keeps outsiders from aiming at one chain. -ENOMEM. */
int fragment_queue_new(const __u64 seed[2], struct fragment_queue **ret_queue);
/* Frees also what is held. */
struct fragment_queue *fragment_queue_free(struct fragment_queue *queue);
DEFINE_CLEANUP(struct fragment_queue *, fragment_queue_free)

/* Frees a list that was taken. NULL is legal; returns NULL. */
struct fragment_queue_frame *fragment_queue_frames_free(struct fragment_queue_frame *frames);
DEFINE_CLEANUP(struct fragment_queue_frame *, fragment_queue_frames_free)

/*
 * Any thread. Holds a copy of the frame. `*ret_expired` (may become NULL) are those that had to
 * give way. -ENOMEM; -EMSGSIZE: longer than FRAGMENT_QUEUE_BYTES_MAX; nothing is held or given way then.
 */
int fragment_queue_add(struct fragment_queue *queue, const struct fwd_fragment_key *datagram,
	const struct virtio_net_hdr *vnet, const uint8_t *data, uint32_t size_bytes,
	uint64_t now_ms, struct fragment_queue_frame **ret_expired);
/* Any thread. Whether a frame of the datagram is held. */
bool fragment_queue_holds(struct fragment_queue *queue, const struct fwd_fragment_key *datagram);
/* Any thread. All of a datagram, oldest first; NULL: none. */
struct fragment_queue_frame *fragment_queue_take(
	struct fragment_queue *queue, const struct fwd_fragment_key *datagram);
/* Any thread. All that have been held for FRAGMENT_QUEUE_TIME_MS, oldest first; NULL: none. */
struct fragment_queue_frame *fragment_queue_take_expired(
	struct fragment_queue *queue, uint64_t now_ms);
/* Any thread. */
void fragment_queue_count(struct fragment_queue *queue, struct fragment_queue_counts *ret_counts);
