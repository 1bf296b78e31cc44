/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See bpf_exceptions.h. */
#include "lb/engine/bpf/slow_path_thread.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "lb/engine/slow_path.h"
#include "lb/engine/fragments.h"
#include "lb/fwd/core.h"
#include "lb/engine/icmp_answer.h"
#include "lb/engine/port_user.h"

/* How often what the program noted is looked up while something is held, and else. */
#define EXCEPTIONS_HOLDING_MS 2
#define EXCEPTIONS_IDLE_MS    100
#define EXCEPTIONS_FRAGMENTS  4096u
#define EXCEPTIONS_TAG_BYTES  4u

struct waiting {
	struct fwd_fragment_key datagram;
	uint64_t since_ms;
};

struct bpf_exceptions {
	struct bpf_exceptions_config config;
	pthread_t thread;
	bool has_thread;
	bool is_stopping;
	int send_fd;
	pthread_mutex_t lock; /* of snapshot, for as long as it is read */
	const struct snapshot *snapshot;
	struct counters *counters;
	struct exceptions *exceptions;
	struct fragments *fragments;
	uint64_t now_ms;
	struct waiting waiting[HOLD_FRAMES_MAX];
	size_t n_waiting;
	/* A header of zeros, and a frame that lies behind it as in a ring. */
	uint8_t memory[sizeof(struct virtio_net_hdr) + BPF_EXCEPTION_MAX + EXCEPTIONS_TAG_BYTES]
		__attribute__((__aligned__(8)));
};

static uint8_t *frame_data(struct bpf_exceptions *exceptions)
{
	return exceptions->memory + sizeof(struct virtio_net_hdr);
}

static uint64_t read_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool send_frame(struct bpf_exceptions *exceptions, unsigned int ifindex, const void *data,
	size_t size_bytes)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };

	return sendto(exceptions->send_fd, data, size_bytes, MSG_DONTWAIT, (struct sockaddr *)&to,
		       sizeof(to)) == (ssize_t)size_bytes;
}

/* Runs the core on a frame under the snapshot in force. */
static void decide(struct bpf_exceptions *exceptions, uint8_t *data, uint32_t size_bytes,
	struct fwd_fragment_key *ret_datagram, struct fwd_result *result)
{
	struct fwd_port port = {
		.snapshot = exceptions->snapshot,
		.fragments = exceptions->fragments,
		.now_s = (uint32_t)(exceptions->now_ms / 1000),
		.now_ns = exceptions->now_ms * 1000000,
	};
	struct fwd_frame info = { .length_bytes = size_bytes };

	fwd_run(&port, data, data + size_bytes, &info, result);
	*ret_datagram = port.datagram;
}

/* ---- too big ---- */

static void answer_too_big(struct bpf_exceptions *exceptions, const uint8_t *data,
	uint32_t readable_bytes, uint32_t length_bytes, uint32_t gso)
{
	uint8_t answer[ICMP_ANSWER_BYTES_MAX] __attribute__((__aligned__(2)));
	uint32_t mtu_bytes = snapshot_settings(exceptions->snapshot)->mtu_bytes;
	size_t size_bytes =
		icmp_answer_build(data, readable_bytes, length_bytes, gso != 0, mtu_bytes, answer);

	if (size_bytes > 0 && exceptions_may_answer(exceptions->exceptions, exceptions->now_ms))
		(void)send_frame(exceptions, exceptions->config.ifindex, answer, size_bytes);
}

/* ---- fragments ---- */

/* Sends or counts what is decided for good. */
static void finish(struct bpf_exceptions *exceptions, const uint8_t *data, uint32_t size_bytes,
	struct fwd_result *result)
{
	if (result->reason == FWD_REASON_TOO_BIG)
		answer_too_big(exceptions, data, size_bytes, size_bytes, 0);
	if (result->verdict == FWD_FORWARD &&
		!send_frame(exceptions, exceptions->config.out_ifindex, data, size_bytes))
		result->reason = FWD_REASON_SEND_FAILED;
	counters_add_frame(exceptions->counters, result, size_bytes);
}

static void drop_expired(struct bpf_exceptions *exceptions, struct hold_frame *expired)
{
	for (const struct hold_frame *frame = expired; frame; frame = frame->next)
		counters_add_reason(exceptions->counters, FWD_REASON_FRAGMENT_EARLY, 1);
	hold_frames_free(expired);
}

/* Whether the program knows the first by now; if so the core here does, too. */
static bool learn_first(struct bpf_exceptions *exceptions, const struct fwd_fragment_key *datagram)
{
	struct fwd_fragment first;

	if (!exceptions->config.find_first(exceptions->config.context, datagram, &first))
		return false;
	fragments_put(exceptions->fragments, datagram, &first);
	return true;
}

static void wait_for_first(
	struct bpf_exceptions *exceptions, const struct fwd_fragment_key *datagram)
{
	for (size_t i = 0; i < exceptions->n_waiting; i++)
		if (memcmp(&exceptions->waiting[i].datagram, datagram, sizeof(*datagram)) == 0)
			return;
	if (exceptions->n_waiting < ARRAY_LEN(exceptions->waiting))
		exceptions->waiting[exceptions->n_waiting++] =
			(struct waiting){ *datagram, exceptions->now_ms };
}

static void take_early(struct bpf_exceptions *exceptions, uint8_t *data, uint32_t size_bytes)
{
	struct hold_frame *expired = NULL;
	struct fwd_fragment_key datagram = { 0 };
	struct fwd_result result;

	decide(exceptions, data, size_bytes, &datagram, &result);
	if (result.reason == FWD_REASON_FRAGMENT_EARLY && learn_first(exceptions, &datagram))
		decide(exceptions, data, size_bytes, &datagram, &result);
	if (result.reason != FWD_REASON_FRAGMENT_EARLY) {
		finish(exceptions, data, size_bytes, &result);
		return;
	}
	if (hold_add(exceptions_hold(exceptions->exceptions), &datagram,
		    (const struct virtio_net_hdr *)exceptions->memory, data, size_bytes,
		    exceptions->now_ms, &expired) < 0) {
		counters_add_reason(exceptions->counters, FWD_REASON_FRAGMENT_EARLY, 1);
		return;
	}
	drop_expired(exceptions, expired);
	wait_for_first(exceptions, &datagram);
}

static void release(struct bpf_exceptions *exceptions, const struct fwd_fragment_key *datagram)
{
	struct hold_frame *frames = hold_take(exceptions_hold(exceptions->exceptions), datagram);

	for (struct hold_frame *frame = frames; frame; frame = frame->next) {
		struct fwd_fragment_key again;
		struct fwd_result result;

		decide(exceptions, frame->data, frame->size_bytes, &again, &result);
		finish(exceptions, frame->data, frame->size_bytes, &result);
	}
	hold_frames_free(frames);
}

/* Looks after all that is held. */
static void look_after(struct bpf_exceptions *exceptions)
{
	size_t kept = 0;

	for (size_t i = 0; i < exceptions->n_waiting; i++) {
		const struct waiting waiting = exceptions->waiting[i];

		if (learn_first(exceptions, &waiting.datagram))
			release(exceptions, &waiting.datagram);
		else if (exceptions->now_ms - waiting.since_ms < (uint64_t)2 * HOLD_TIME_MS)
			exceptions->waiting[kept++] = waiting;
	}
	exceptions->n_waiting = kept;
	drop_expired(exceptions,
		hold_take_expired(exceptions_hold(exceptions->exceptions), exceptions->now_ms));
}

/* ---- frames and thread ---- */

/* The frame as it was on the wire: with the tag that the kernel keeps beside it. */
static uint32_t rebuild(
	struct bpf_exceptions *exceptions, const struct bpf_exception *header, const uint8_t *data)
{
	const uint32_t macs_bytes = 2 * ETH_ALEN;
	uint8_t *to = frame_data(exceptions);
	uint32_t tag_bytes = header->vlan_proto ? EXCEPTIONS_TAG_BYTES : 0;

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

void bpf_exceptions_take(struct bpf_exceptions *exceptions, const void *data, size_t size_bytes)
{
	struct bpf_exception header;
	uint32_t frame_bytes;

	if (size_bytes < sizeof(header))
		return;
	memcpy(&header, data, sizeof(header));
	if (header.copied_bytes < ETH_HLEN || header.copied_bytes > BPF_EXCEPTION_MAX ||
		header.copied_bytes > size_bytes - sizeof(header))
		return;
	frame_bytes = rebuild(exceptions, &header, (const uint8_t *)data + sizeof(header));
	exceptions->now_ms = read_clock_ms();
	pthread_mutex_lock(&exceptions->lock);
	if (!exceptions->snapshot || header.reason >= FWD_REASON_N_) {
		counters_add_reason(exceptions->counters, FWD_REASON_FRAGMENT_EARLY, 1);
	} else if (header.reason == FWD_REASON_FRAGMENT_EARLY) {
		take_early(exceptions, frame_data(exceptions), frame_bytes);
	} else {
		answer_too_big(exceptions, frame_data(exceptions), frame_bytes, header.length_bytes,
			header.gso);
		counters_add_reason(exceptions->counters, (enum fwd_reason)header.reason, 1);
	}
	pthread_mutex_unlock(&exceptions->lock);
}

static void *run(void *argument)
{
	struct bpf_exceptions *exceptions = argument;

	while (!__atomic_load_n(&exceptions->is_stopping, __ATOMIC_ACQUIRE)) {
		exceptions->config.poll(exceptions->config.context,
			exceptions->n_waiting ? EXCEPTIONS_HOLDING_MS : EXCEPTIONS_IDLE_MS);
		exceptions->now_ms = read_clock_ms();
		pthread_mutex_lock(&exceptions->lock);
		if (exceptions->snapshot)
			look_after(exceptions);
		pthread_mutex_unlock(&exceptions->lock);
	}
	return NULL;
}

static int start_thread(struct bpf_exceptions *exceptions)
{
	sigset_t all, old;
	int r;

	/* Signals are the main loop's: a thread inherits the mask of its creator. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&exceptions->thread, NULL, run, exceptions);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return r;
	exceptions->has_thread = true;
	(void)pthread_setname_np(exceptions->thread, "exceptions");
	return 0;
}

static int make_parts(struct bpf_exceptions *exceptions, const char **ret_why)
{
	__u64 seed[2];
	int r;

	*ret_why = "random bytes";
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return util_negative_errno();
	*ret_why = "memory";
	r = counters_new(&exceptions->counters);
	if (r == 0)
		r = exceptions_new(seed, &exceptions->exceptions);
	if (r == 0)
		r = fragments_new(EXCEPTIONS_FRAGMENTS, seed, &exceptions->fragments);
	if (r < 0)
		return r;
	*ret_why = "packet socket";
	exceptions->send_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return exceptions->send_fd < 0 ? util_negative_errno() : 0;
}

int bpf_exceptions_new(const struct bpf_exceptions_config *config,
	struct bpf_exceptions **ret_exceptions, const char **ret_why)
{
	struct bpf_exceptions *exceptions = calloc(1, sizeof(*exceptions));
	int r;

	*ret_why = "memory";
	if (!exceptions)
		return -ENOMEM;
	exceptions->config = *config;
	exceptions->send_fd = -1;
	exceptions->now_ms = read_clock_ms();
	pthread_mutex_init(&exceptions->lock, NULL);
	r = make_parts(exceptions, ret_why);
	if (r == 0) {
		*ret_why = "thread";
		/* The thread calls back into what is being made: it must be known by then. */
		*ret_exceptions = exceptions;
		r = start_thread(exceptions);
	}
	if (r < 0) {
		*ret_exceptions = NULL;
		bpf_exceptions_free(exceptions);
	}
	return r;
}

struct bpf_exceptions *bpf_exceptions_free(struct bpf_exceptions *exceptions)
{
	if (!exceptions)
		return NULL;
	__atomic_store_n(&exceptions->is_stopping, true, __ATOMIC_RELEASE);
	if (exceptions->has_thread)
		pthread_join(exceptions->thread, NULL);
	pthread_mutex_destroy(&exceptions->lock);
	fragments_free(exceptions->fragments);
	exceptions_free(exceptions->exceptions);
	counters_free(exceptions->counters);
	util_close(exceptions->send_fd);
	free(exceptions);
	return NULL;
}

void bpf_exceptions_set_snapshot(struct bpf_exceptions *exceptions, const struct snapshot *snapshot)
{
	pthread_mutex_lock(&exceptions->lock);
	exceptions->snapshot = snapshot;
	pthread_mutex_unlock(&exceptions->lock);
}

const struct counters *bpf_exceptions_counters(const struct bpf_exceptions *exceptions)
{
	return exceptions->counters;
}

void bpf_exceptions_sum_totals(struct bpf_exceptions *exceptions, struct engine_totals *totals)
{
	counters_sum_totals(exceptions->counters, totals);
	exceptions_sum_totals(exceptions->exceptions, totals);
}
