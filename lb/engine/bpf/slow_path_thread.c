/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See slow_path_thread.h. */
#include "lb/engine/bpf/slow_path_thread.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/os/clock.h"
#include "common/os/thread.h"
#include "common/why.h"
#include "lb/engine/bpf/layout.h"
#include "lb/engine/capture/capture_ring.h"
#include "lb/engine/counters.h"
#include "lb/engine/fragments.h"
#include "lb/engine/icmp_answer.h"
#include "lb/engine/port_user.h"
#include "lb/engine/slow_path.h"
#include "lb/fwd/core.h"

/* How often what the program noted is looked up while something is held, and else. */
#define POLL_QUEUED_MS 2
#define POLL_IDLE_MS   100
/* Between two look-ups of a datagram, at most. */
#define PAUSE_MAX_MS 64u
/* One look-up is left before its oldest frame goes. */
#define LAST_LOOK_MS (FRAGMENT_QUEUE_TIME_MS - 2 * POLL_QUEUED_MS)
/* Look-ups at once: each is a system call. */
#define LOOKS_A_TURN 256u
#define FIRSTS_KNOWN 4096u
#define TAG_BYTES    4u

/*
 * A datagram whose first is looked up from time to time: after POLL_QUEUED_MS, when it has waited twice as long, and so
 * on up to PAUSE_MAX_MS; then in such steps, and at LAST_LOOK_MS.
 */
struct waiting {
	struct fwd_fragment_key datagram;
	uint64_t since_ms;
	uint32_t next_ms; /* after so long; 0: its first has come */
};

struct slow_path_thread {
	/* Written before the thread starts, then read by it alone. */
	struct slow_path_thread_config config;
	int send_fd;
	/* Of the main loop alone. */
	pthread_t pthread;
	bool has_thread;

	bool is_stopping; /* atomic: written by the main loop, read by the thread */
	/* Held by the thread as long as it reads the snapshot, and by the main loop to put another one there. */
	pthread_mutex_t lock;
	const struct snapshot *snapshot;
	struct counters *counters;   /* written by the thread, read by the main loop */
	struct slow_path *slow_path; /* the same */

	/* The rest is the thread's alone. */
	struct fragments *fragments;
	uint64_t now_ms;
	struct capture_tap tap;
	uint8_t macs[CAPTURE_MACS_BYTES]; /* of the frame that was decided last, as it came */
	/*
	 * A ring: the oldest is at `first_waiting`, and gives way where there is no room, so when more datagrams than the
	 * ring has places came within FRAGMENT_QUEUE_TIME_MS. What is held of it then is only looked up when the next
	 * of its fragments comes.
	 */
	struct waiting waiting[FRAGMENT_QUEUE_FRAMES_MAX];
	size_t first_waiting, n_waiting;
	uint64_t looked_ms;
	/* A header of zeros, and a frame that lies behind it as in a ring. */
	uint8_t memory[sizeof(struct virtio_net_hdr) + BPF_HANDED_OVER_BYTES_MAX + TAG_BYTES]
		__attribute__((__aligned__(8)));
};

static uint8_t *frame_data(struct slow_path_thread *thread)
{
	return thread->memory + sizeof(struct virtio_net_hdr);
}

static uint64_t read_clock_ms(void)
{
	return clock_now_us() / 1000;
}

static bool send_frame(
	struct slow_path_thread *thread, unsigned int ifindex, const void *data, size_t size_bytes)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };

	return sendto(thread->send_fd, data, size_bytes, MSG_DONTWAIT, (struct sockaddr *)&to,
		       sizeof(to)) == (ssize_t)size_bytes;
}

/* Runs the core on a frame under the snapshot in force. */
static void decide(struct slow_path_thread *thread, uint8_t *data, uint32_t size_bytes,
	struct fwd_fragment_key *ret_datagram, struct fwd_result *result)
{
	struct fwd_port port = {
		.snapshot = thread->snapshot,
		.fragments = thread->fragments,
		.now_s = (uint32_t)(thread->now_ms / 1000),
		.now_ns = thread->now_ms * 1000000,
	};
	struct fwd_frame info = { .length_bytes = size_bytes };

	memcpy(thread->macs, data, sizeof(thread->macs));
	fwd_run(&port, data, data + size_bytes, &info, result);
	*ret_datagram = port.datagram;
}

static void capture(struct slow_path_thread *thread, const struct fwd_result *result,
	const struct capture_frame *frame)
{
	if (capture_tap_follow(&thread->tap, thread->config.capture))
		capture_tap_put(&thread->tap, thread->config.capture, result, frame);
}

/* ---- too big ---- */

static void answer_too_big(struct slow_path_thread *thread, const uint8_t *data,
	uint32_t readable_bytes, const struct bpf_handed_over *header)
{
	uint8_t answer[ICMP_ANSWER_BYTES_MAX] __attribute__((__aligned__(2)));
	uint32_t mtu_bytes =
		image_mtu_bytes(snapshot_image(thread->snapshot), (uint16_t)header->backend);
	size_t size_bytes = icmp_answer_build(
		data, readable_bytes, header->length_bytes, header->gso != 0, mtu_bytes, answer);

	if (size_bytes > 0 && slow_path_may_answer(thread->slow_path, thread->now_ms))
		(void)send_frame(thread, thread->config.ifindex, answer, size_bytes);
}

/* ---- fragments ---- */

/* Sends or counts what is decided for good. */
static void finish(struct slow_path_thread *thread, const uint8_t *data, uint32_t size_bytes,
	struct fwd_result *result)
{
	struct capture_frame frame = { data, size_bytes, 0, thread->macs, false };
	const struct bpf_handed_over header = { .length_bytes = size_bytes,
		.backend = result->backend };
	unsigned int out = image_link(snapshot_image(thread->snapshot), result->backend)->ifindex;

	capture(thread, result, &frame);
	frame.macs = NULL;
	frame.is_out = true;
	if (result->reason == FWD_REASON_TOO_BIG)
		answer_too_big(thread, data, size_bytes, &header);
	if (result->verdict == FWD_FORWARD) {
		if (!send_frame(thread, out, data, size_bytes))
			result->reason = FWD_REASON_SEND_FAILED;
		capture(thread, result, &frame);
	}
	counters_add_frame(thread->counters, result, size_bytes);
}

static void drop_expired(struct slow_path_thread *thread, struct fragment_queue_frame *expired)
{
	const struct fwd_result result = { .reason = FWD_REASON_FRAGMENT_EARLY };

	for (const struct fragment_queue_frame *held = expired; held; held = held->next) {
		const struct capture_frame frame = { held->data, held->size_bytes, 0, NULL, false };

		counters_add_reason(thread->counters, FWD_REASON_FRAGMENT_EARLY, 1);
		capture(thread, &result, &frame);
	}
	fragment_queue_frames_free(expired);
}

/* Whether the program knows the first by now; if so the core here does, too, and what is held is to be released. */
static bool learn_first(struct slow_path_thread *thread, const struct fwd_fragment_key *datagram)
{
	struct fwd_fragment first;

	if (!thread->config.find_first(thread->config.context, datagram, &first))
		return false;
	fragments_put(thread->fragments, datagram, &first);
	return true;
}

/* The idx-th, oldest first. */
static struct waiting *waiting_at(struct slow_path_thread *thread, size_t idx)
{
	return &thread->waiting[(thread->first_waiting + idx) % ARRAY_LEN(thread->waiting)];
}

static void forget_oldest(struct slow_path_thread *thread)
{
	thread->first_waiting = (thread->first_waiting + 1) % ARRAY_LEN(thread->waiting);
	thread->n_waiting--;
}

static void wait_for_first(struct slow_path_thread *thread, const struct fwd_fragment_key *datagram)
{
	if (thread->n_waiting == ARRAY_LEN(thread->waiting))
		forget_oldest(thread);
	*waiting_at(thread, thread->n_waiting++) =
		(struct waiting){ *datagram, thread->now_ms, POLL_QUEUED_MS };
}

static void release(struct slow_path_thread *thread, const struct fwd_fragment_key *datagram)
{
	struct fragment_queue_frame *frames =
		fragment_queue_take(slow_path_queue(thread->slow_path), datagram);

	for (struct fragment_queue_frame *frame = frames; frame; frame = frame->next) {
		struct fwd_fragment_key again;
		struct fwd_result result;

		decide(thread, frame->data, frame->size_bytes, &again, &result);
		finish(thread, frame->data, frame->size_bytes, &result);
	}
	fragment_queue_frames_free(frames);
}

static void take_early(struct slow_path_thread *thread, uint8_t *data, uint32_t size_bytes)
{
	struct fragment_queue *queue = slow_path_queue(thread->slow_path);
	struct fragment_queue_frame *expired = NULL;
	struct fwd_fragment_key datagram = { 0 };
	struct fwd_result result;
	bool is_waiting;

	decide(thread, data, size_bytes, &datagram, &result);
	if (result.reason == FWD_REASON_FRAGMENT_EARLY && learn_first(thread, &datagram)) {
		/* Those that are held came before this one. */
		release(thread, &datagram);
		decide(thread, data, size_bytes, &datagram, &result);
	}
	if (result.reason != FWD_REASON_FRAGMENT_EARLY) {
		finish(thread, data, size_bytes, &result);
		return;
	}
	is_waiting = fragment_queue_holds(queue, &datagram);
	if (fragment_queue_add(queue, &datagram, (const struct virtio_net_hdr *)thread->memory,
		    data, size_bytes, thread->now_ms, &expired) < 0) {
		counters_add_reason(thread->counters, FWD_REASON_FRAGMENT_EARLY, 1);
		return;
	}
	drop_expired(thread, expired);
	if (!is_waiting)
		wait_for_first(thread, &datagram);
}

/* After how long the next look-up is, when one was after `waited_ms`. */
static uint32_t next_look_ms(uint64_t waited_ms)
{
	uint64_t next_ms = waited_ms + MIN(waited_ms, PAUSE_MAX_MS);

	return (uint32_t)(waited_ms < LAST_LOOK_MS ? MIN(next_ms, LAST_LOOK_MS) : next_ms);
}

/* Those whose time it is, the newest first: what is only out of order comes soon. */
static void look_up_firsts(struct slow_path_thread *thread)
{
	unsigned int n_looks = 0;

	for (size_t idx = thread->n_waiting; idx-- > 0 && n_looks < LOOKS_A_TURN;) {
		struct waiting *waiting = waiting_at(thread, idx);
		uint64_t waited_ms = thread->now_ms - waiting->since_ms;

		if (waiting->next_ms == 0 || waited_ms < waiting->next_ms)
			continue;
		n_looks++;
		waiting->next_ms = next_look_ms(waited_ms);
		if (!learn_first(thread, &waiting->datagram))
			continue;
		waiting->next_ms = 0;
		release(thread, &waiting->datagram);
	}
}

/* Those whose first has come, and those whose time is over; where later frames are still held it begins anew. */
static void end_waiting(struct slow_path_thread *thread)
{
	while (thread->n_waiting > 0) {
		const struct waiting oldest = *waiting_at(thread, 0);

		if (oldest.next_ms != 0 &&
			thread->now_ms - oldest.since_ms < FRAGMENT_QUEUE_TIME_MS)
			return;
		forget_oldest(thread);
		if (oldest.next_ms != 0 &&
			fragment_queue_holds(slow_path_queue(thread->slow_path), &oldest.datagram))
			wait_for_first(thread, &oldest.datagram);
	}
}

/* Looks after what is held; not more often than so, whatever comes meanwhile. */
static void look_after(struct slow_path_thread *thread)
{
	if (thread->now_ms - thread->looked_ms < POLL_QUEUED_MS)
		return;
	thread->looked_ms = thread->now_ms;
	look_up_firsts(thread);
	drop_expired(thread,
		fragment_queue_take_expired(slow_path_queue(thread->slow_path), thread->now_ms));
	end_waiting(thread);
}

/* ---- frames and thread ---- */

/* The frame as it was on the wire: with the tag that the kernel keeps beside it. */
static uint32_t rebuild(
	struct slow_path_thread *thread, const struct bpf_handed_over *header, const uint8_t *data)
{
	const uint32_t macs_bytes = 2 * ETH_ALEN;
	uint8_t *to = frame_data(thread);
	uint32_t tag_bytes = header->vlan_proto ? TAG_BYTES : 0;

	memcpy(to, data, macs_bytes);
	if (tag_bytes) {
		to[macs_bytes] = (uint8_t)(header->vlan_proto >> 8);
		to[macs_bytes + 1] = (uint8_t)header->vlan_proto;
		to[macs_bytes + 2] = (uint8_t)(header->vlan_tci >> 8);
		to[macs_bytes + 3] = (uint8_t)header->vlan_tci;
	}
	memcpy(to + macs_bytes + tag_bytes, data + macs_bytes, header->copied_bytes - macs_bytes);
	return header->copied_bytes + tag_bytes;
}

void slow_path_thread_take(struct slow_path_thread *thread, const void *data, size_t size_bytes)
{
	struct bpf_handed_over header;
	uint32_t frame_bytes;

	if (size_bytes < sizeof(header))
		return;
	memcpy(&header, data, sizeof(header));
	if (header.copied_bytes < ETH_HLEN || header.copied_bytes > BPF_HANDED_OVER_BYTES_MAX ||
		header.copied_bytes > size_bytes - sizeof(header))
		return;
	frame_bytes = rebuild(thread, &header, (const uint8_t *)data + sizeof(header));
	thread->now_ms = read_clock_ms();
	pthread_mutex_lock(&thread->lock);
	if (!thread->snapshot || header.reason >= FWD_REASON_N_) {
		counters_add_reason(thread->counters, FWD_REASON_FRAGMENT_EARLY, 1);
	} else if (header.reason == FWD_REASON_FRAGMENT_EARLY) {
		take_early(thread, frame_data(thread), frame_bytes);
	} else {
		const struct fwd_result result = { .reason = (uint8_t)header.reason };
		const struct capture_frame frame = { frame_data(thread), frame_bytes,
			header.length_bytes, NULL, false };

		capture(thread, &result, &frame);
		answer_too_big(thread, frame_data(thread), frame_bytes, &header);
		counters_add_reason(thread->counters, (enum fwd_reason)header.reason, 1);
	}
	pthread_mutex_unlock(&thread->lock);
}

static void *run(void *argument)
{
	struct slow_path_thread *thread = argument;

	while (!__atomic_load_n(&thread->is_stopping, __ATOMIC_ACQUIRE)) {
		thread->config.poll(
			thread->config.context, thread->n_waiting ? POLL_QUEUED_MS : POLL_IDLE_MS);
		thread->now_ms = read_clock_ms();
		pthread_mutex_lock(&thread->lock);
		if (thread->snapshot)
			look_after(thread);
		pthread_mutex_unlock(&thread->lock);
	}
	return NULL;
}

static int make_parts(struct slow_path_thread *thread, struct why *ret_why)
{
	__u64 seed[2];
	int r;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return why_errno(ret_why, util_negative_errno(), "random bytes");
	r = counters_new(&thread->counters);
	if (r == 0)
		r = slow_path_new(seed, &thread->slow_path);
	if (r == 0)
		r = fragments_new(FIRSTS_KNOWN, seed, &thread->fragments);
	if (r < 0)
		return why_errno(ret_why, r, "memory");
	thread->send_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return thread->send_fd < 0 ? why_errno(ret_why, util_negative_errno(), "packet socket") : 0;
}

static int start_thread(struct slow_path_thread *thread, struct why *ret_why)
{
	int r = thread_start(&thread->pthread, run, thread);

	if (r < 0)
		return why_errno(ret_why, r, "thread");
	thread->has_thread = true;
	(void)pthread_setname_np(thread->pthread, "slow-path");
	return 0;
}

int slow_path_thread_new(const struct slow_path_thread_config *config,
	struct slow_path_thread **ret_thread, struct why *ret_why)
{
	struct slow_path_thread *thread = calloc(1, sizeof(*thread));
	int r;

	if (!thread)
		return why_errno(ret_why, -ENOMEM, "memory");
	thread->config = *config;
	thread->send_fd = -1;
	thread->now_ms = read_clock_ms();
	pthread_mutex_init(&thread->lock, NULL);
	r = make_parts(thread, ret_why);
	if (r == 0) {
		/* The thread calls back into what is being made: it must be known by then. */
		*ret_thread = thread;
		r = start_thread(thread, ret_why);
	}
	if (r < 0) {
		*ret_thread = NULL;
		slow_path_thread_free(thread);
	}
	return r;
}

struct slow_path_thread *slow_path_thread_free(struct slow_path_thread *thread)
{
	if (!thread)
		return NULL;
	__atomic_store_n(&thread->is_stopping, true, __ATOMIC_RELEASE);
	if (thread->has_thread)
		pthread_join(thread->pthread, NULL);
	pthread_mutex_destroy(&thread->lock);
	fragments_free(thread->fragments);
	slow_path_free(thread->slow_path);
	counters_free(thread->counters);
	util_close(thread->send_fd);
	free(thread);
	return NULL;
}

void slow_path_thread_set_snapshot(struct slow_path_thread *thread, const struct snapshot *snapshot)
{
	pthread_mutex_lock(&thread->lock);
	thread->snapshot = snapshot;
	pthread_mutex_unlock(&thread->lock);
}

const struct counters *slow_path_thread_counters(const struct slow_path_thread *thread)
{
	return thread->counters;
}

void slow_path_thread_sum_totals(struct slow_path_thread *thread, struct engine_totals *totals)
{
	counters_sum_totals(thread->counters, totals);
	slow_path_sum_totals(thread->slow_path, totals);
}
