/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet sockets of a worker: a mapped receive ring (TPACKET_V2) on the client interface
 * and two sending sockets on each interface that something goes out of. Frames keep the state that real stacks hang on
 * them: an unfinished checksum and GSO travel in the virtio_net_hdr that lies just before each
 * frame, a VLAN tag that the kernel stripped is put back. See doc/adr/0001-packet-ring.md.
 *
 * A ring belongs to one thread; opening may happen in another before that one starts. Knows
 * nothing of what frames mean.
 */
#pragma once

#include <linux/virtio_net.h>

#include "common/util.h"

#define RING_BATCH           64u   /* frames taken, decided and sent at a time */
#define RING_FRAMES          4096u /* of RING_FRAME_BYTES_MIN; fewer when frames are larger */
#define RING_FRAME_BYTES_MIN 2048u
#define RING_FRAME_BYTES_MAX 16384u
#define RING_LONG_BYTES_MAX  (65536u + 256u) /* longest super-frame taken whole */
#define RING_LONG_PER_BATCH  8u              /* super-frames in one batch */
#define RING_HEADROOM_BYTES  128u /* of a ring frame, taken by the kernel's headers and ours */
#define RING_VLAN_BYTES      4u
#define RING_SOCKET_BYTES    (16 << 20) /* wanted socket buffers: super-frames wait there */
#define RING_SEND_TIMEOUT_MS 50u        /* a stuck device holds up one batch no longer */
#define RING_FANOUT_NONE     (-1)
#define RING_SENDERS_MAX \
	17u /* interfaces with sending sockets: the client one, and others in turn */

/* A frame of the current batch. */
struct ring_frame {
	struct virtio_net_hdr *vnet; /* the frame's bytes follow it immediately */
	uint8_t *data;
	uint32_t size_bytes;
	unsigned int out; /* index of the interface to send it by */
};

/* What ring_send() did to each frame. */
struct ring_sent {
	bool failed[RING_BATCH];
};

struct ring;
struct why;

/*
 * Opens the sockets. The receiving one takes nothing in before ring_begin(). 0 or negative errno
 * (-EPERM: no CAP_NET_RAW; -ENODEV: no such interface; -ENOMEM) with the failing step in
 * `ret_why`.
 */
int ring_open(unsigned int ifindex, struct ring **ret_ring, struct why *ret_why);
struct ring *ring_free(struct ring *ring);
DEFINE_CLEANUP(struct ring *, ring_free)

/*
 * Shares the interface with other rings by flow hash (packet(7), PACKET_FANOUT_HASH). With
 * RING_FANOUT_NONE in `*fanout_id` the kernel chooses a new group and it is stored there.
 */
int ring_join(struct ring *ring, int *fanout_id);
/* From now on frames are received. */
int ring_begin(struct ring *ring);
/* To poll for POLLIN. */
int ring_fd(const struct ring *ring);

/*
 * Takes up to RING_BATCH waiting frames, whole and with their VLAN tags. They are the caller's
 * until ring_release(). `*ret_lost_pkts` counts frames taken that did not arrive whole: the
 * socket's buffer was full, or one was longer than RING_LONG_BYTES_MAX.
 */
size_t ring_take(struct ring *ring, struct ring_frame frames[RING_BATCH], uint32_t *ret_lost_pkts);
/* Gives all frames taken back to the kernel. */
void ring_release(struct ring *ring);
/*
 * Sends n frames (≤ RING_BATCH), each once, those of one interface in their order. A frame that its interface
 * refuses is marked and the rest goes on. Sockets are opened when something goes out of an interface first.
 */
void ring_send(struct ring *ring, const struct ring_frame *frames, size_t n_frames,
	struct ring_sent *ret_sent);
/*
 * Sends one frame of `size_bytes` out of the client interface. 0 or negative errno; -EAGAIN: no
 * room for it, and nobody waits.
 */
int ring_send_back(struct ring *ring, const void *data, size_t size_bytes);
/*
 * Frames that arrived and found no room since the last call. Reading resets the kernel's
 * counter, so one reader only.
 */
uint32_t ring_read_drops(struct ring *ring);
/* True when the kernel said with a frame that there are drops to be read. */
bool ring_is_losing(const struct ring *ring);
/* The error of the receiving socket since the last call, taken: 0 or negative errno. */
int ring_take_error(struct ring *ring);

/* Of the client interface: 0; -ENETDOWN: it is down; -ENODEV: gone, this ring is of no use any more. */
int ring_check_link(const struct ring *ring);

/* ---- pure parts, declared for tests ---- */

/* The ring frame for links of this MTU: a power of two. */
uint32_t ring_frame_bytes(uint32_t mtu_bytes);
/*
 * Puts a stripped VLAN tag back: MACs and vnet header move RING_VLAN_BYTES towards lower
 * addresses (that many bytes lie free before the vnet header), and the header's offsets grow.
 * The frame holds two MAC addresses at least.
 */
void ring_insert_vlan(struct ring_frame *frame, uint16_t tpid, uint16_t tci);
