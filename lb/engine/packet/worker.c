/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker of the packet engine; see worker.h. The way of a frame reads straight down from
 * run_batch(): take, decide, send, count, give back. The slow path goes aside: an early fragment waits
 * in the queue, and what is too big is answered.
 */
#include "lb/engine/packet/worker.h"

#include <poll.h>
#include <sched.h>

#include "common/os/clock.h"
#include "common/os/thread.h"
#include "common/why.h"
#include "lb/engine/port_user.h"
#include "lb/fwd/core.h"
#include "lb/engine/packet/prefetch.h"
#include "lb/engine/icmp_answer.h"
#include "lb/engine/packet/ring.h"

/* How often links are looked after and drops read when no frame reminds of it. */
#define WORKER_TICK_MS 200u
/* Ticks in a row with drops and without a frame, after which the ring is opened anew. */
#define WORKER_STUCK_TICKS 2u
#define WORKER_NAME_BYTES  16u /* of the kernel: TASK_COMM_LEN */
#define CACHE_LINE_BYTES   64u
#define NS_PER_MS          UINT64_C(1000000)

_Static_assert(RING_SENDERS_MAX > FWD_LINKS_MAX, "each link of a snapshot has its sockets");

struct worker {
	/* Written by the thread at every batch, read by the engine: on a line of its own. */
	uint64_t epoch;
	uint8_t rest_of_line[CACHE_LINE_BYTES - sizeof(uint64_t)];

	/* Written before the thread starts, then read by it alone; `shared` is read by all workers. */
	struct worker_config config;
	int fanout_id;
	/* Of the engine alone. */
	pthread_t thread;
	bool has_thread;

	int health;                /* written by the thread, read by the engine */
	struct counters *counters; /* the same */

	/* The rest is the thread's alone, the ring from worker_start() on. */
	struct ring *ring;
	uint64_t now_ns; /* of the batch */
	uint64_t now_ms; /* the same */
	uint64_t ticked_ms;
	uint64_t n_taken; /* since the last tick */
	unsigned int stuck_ticks;

	struct ring_frame frames[RING_BATCH];
	/* Those of the batch that are to be sent, in order, with their decisions. */
	struct ring_frame out_frames[RING_BATCH];
	struct fwd_result out_results[RING_BATCH];
	size_t n_out;
	struct capture_tap tap;
	uint16_t service; /* of the last frame that was for one: a guess about the next */
	struct fragment_queue_frame *released; /* copies among them, freed when all are sent */
} __attribute__((__aligned__(CACHE_LINE_BYTES)));

/* The coarse clock moves by up to 10 ms at once, a tenth of what rate.h takes for a burst. */
static void read_clock(struct worker *worker)
{
	worker->now_ns = clock_now_ns();
	worker->now_ms = worker->now_ns / NS_PER_MS;
}

static void set_health(struct worker *worker, int error)
{
	__atomic_store_n(&worker->health, error, __ATOMIC_RELAXED);
}

/* ---- frames ---- */

static bool is_gso(const struct ring_frame *frame)
{
	return frame->vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

static void decide(struct fwd_port *port, const struct ring_frame *frame, struct fwd_result *result)
{
	struct fwd_frame info = {
		.length_bytes = frame->size_bytes,
		/* Every super-frame has a length of its segments; without one it fits nowhere. */
		.gso = !is_gso(frame)           ? 0
			: frame->vnet->gso_size ? frame->vnet->gso_size
						: UINT16_MAX,
	};

	fwd_run(port, frame->data, frame->data + frame->size_bytes, &info, result);
}

static void capture(struct worker *worker, const struct ring_frame *frame,
	const struct fwd_result *result, bool is_out, const uint8_t *macs)
{
	const struct capture_frame captured = {
		.data = frame->data, .size_bytes = frame->size_bytes, .macs = macs, .is_out = is_out
	};

	if (worker->tap.is_on)
		capture_tap_put(&worker->tap, worker->config.shared->capture, result, &captured);
}

/*
 * Decides, and has what was received captured where somebody does. An early fragment comes here again when its
 * fate is known.
 */
static void decide_told(struct worker *worker, struct fwd_port *port,
	const struct ring_frame *frame, struct fwd_result *result)
{
	uint8_t macs[CAPTURE_MACS_BYTES] = { 0 };

	if (!worker->tap.is_on) {
		decide(port, frame, result);
		return;
	}
	memcpy(macs, frame->data, MIN(frame->size_bytes, CAPTURE_MACS_BYTES));
	decide(port, frame, result);
	if (result->reason != FWD_REASON_FRAGMENT_EARLY)
		capture(worker, frame, result, false, macs);
}

static void send_all(struct worker *worker)
{
	struct ring_sent sent;

	ring_send(worker->ring, worker->out_frames, worker->n_out, &sent);
	for (size_t idx = 0; idx < worker->n_out; idx++) {
		struct fwd_result *result = &worker->out_results[idx];

		if (sent.failed[idx])
			result->reason = FWD_REASON_SEND_FAILED;
		counters_add_frame(worker->counters, result, worker->out_frames[idx].size_bytes);
		capture(worker, &worker->out_frames[idx], result, true, NULL);
	}
	worker->n_out = 0;
}

/* A decided frame, whose result lies at its place already. */
static void send_or_count(
	struct worker *worker, struct fwd_port *port, const struct ring_frame *frame)
{
	struct fwd_result *result = &worker->out_results[worker->n_out];

	if (result->verdict != FWD_FORWARD) {
		counters_add_frame(worker->counters, result, frame->size_bytes);
		return;
	}
	worker->out_frames[worker->n_out] = *frame;
	worker->out_frames[worker->n_out++].out =
		image_link(snapshot_image(port->snapshot), result->backend)->ifindex;
	if (worker->n_out == RING_BATCH)
		send_all(worker);
}

/* ---- the slow path ---- */

static void drop_expired(struct worker *worker, struct fragment_queue_frame *expired)
{
	const struct fwd_result result = { .reason = FWD_REASON_FRAGMENT_EARLY };

	for (const struct fragment_queue_frame *held = expired; held; held = held->next) {
		const struct ring_frame frame = { held->vnet, held->data, held->size_bytes, 0 };

		counters_add_reason(worker->counters, FWD_REASON_FRAGMENT_EARLY, 1);
		capture(worker, &frame, &result, false, NULL);
	}
	fragment_queue_frames_free(expired);
}

/*
 * Decides again on the fragments that were held for the datagram of the last run, as what became
 * of its first is known by now. They are sent after it if it is among the frames to be sent.
 */
static void release_queued(struct worker *worker, struct fwd_port *port)
{
	struct fragment_queue *queue = slow_path_queue(worker->config.shared->slow_path);
	struct fragment_queue_frame *frames = fragment_queue_take(queue, &port->datagram);
	struct fragment_queue_frame **end = &worker->released;

	port->noted_first = 0;
	for (const struct fragment_queue_frame *held = frames; held; held = held->next) {
		const struct ring_frame frame = { held->vnet, held->data, held->size_bytes, 0 };

		decide_told(worker, port, &frame, &worker->out_results[worker->n_out]);
		send_or_count(worker, port, &frame);
	}
	while (*end)
		end = &(*end)->next;
	*end = frames;
}

/*
 * Between this worker's look and its holding, another one may have decided the first and found
 * nothing to release: so this one looks again, behind the mutex that the other had to pass.
 */
static void queue_early(
	struct worker *worker, struct fwd_port *port, const struct ring_frame *frame)
{
	struct fragment_queue *queue = slow_path_queue(worker->config.shared->slow_path);
	struct fragment_queue_frame *expired = NULL;
	struct fwd_result result;

	if (fragment_queue_add(queue, &port->datagram, frame->vnet, frame->data, frame->size_bytes,
		    worker->now_ms, &expired) < 0) {
		counters_add_reason(worker->counters, FWD_REASON_FRAGMENT_EARLY, 1);
		return;
	}
	drop_expired(worker, expired);
	port->only_looks = 1;
	decide(port, frame, &result);
	port->only_looks = 0;
	if (result.reason != FWD_REASON_FRAGMENT_EARLY)
		release_queued(worker, port);
}

static void answer_too_big(struct worker *worker, struct fwd_port *port,
	const struct ring_frame *frame, uint16_t backend)
{
	uint8_t answer[ICMP_ANSWER_BYTES_MAX] __attribute__((__aligned__(2)));
	size_t size_bytes = icmp_answer_build(frame->data, frame->size_bytes, frame->size_bytes,
		is_gso(frame), image_mtu_bytes(snapshot_image(port->snapshot), backend), answer);

	/* The client sends again, so an answer that finds no room is no loss. */
	if (size_bytes > 0 &&
		slow_path_may_answer(worker->config.shared->slow_path, worker->now_ms))
		(void)ring_send_back(worker->ring, answer, size_bytes);
}

/* ---- batches ---- */

static void prefetch_all(const struct worker *worker, struct fwd_port *port, size_t n_frames)
{
	const struct fwd_service *service = port_service(port, worker->service);

	if (service)
		ARRAY_FOREACH (frame, worker->frames, n_frames)
			prefetch_frame(port, service, frame->data, frame->size_bytes);
}

static void decide_all(struct worker *worker, const struct snapshot *snapshot, size_t n_frames)
{
	struct fwd_port port = {
		.snapshot = snapshot,
		.fragments = worker->config.shared->fragments,
		.rates = worker->config.shared->rates,
		.now_ns = worker->now_ns,
		.now_s = (uint32_t)(worker->now_ms / 1000),
	};

	prefetch_all(worker, &port, n_frames);
	for (size_t idx = 0; idx < n_frames; idx++) {
		const struct ring_frame *frame = &worker->frames[idx];
		struct fwd_result *result = &worker->out_results[worker->n_out];

		decide_told(worker, &port, frame, result);
		if (result->service)
			worker->service = result->service;
		if (result->reason == FWD_REASON_FRAGMENT_EARLY) {
			queue_early(worker, &port, frame);
			continue;
		}
		if (result->reason == FWD_REASON_TOO_BIG)
			answer_too_big(worker, &port, frame, result->backend);
		send_or_count(worker, &port, frame);
		if (port.noted_first)
			release_queued(worker, &port);
	}
	if (worker->n_out > 0)
		send_all(worker);
	worker->released = fragment_queue_frames_free(worker->released);
}

static void count_drops(struct worker *worker)
{
	uint32_t drops_pkts = ring_read_drops(worker->ring);

	if (drops_pkts)
		counters_add_reason(worker->counters, FWD_REASON_RING_FULL, drops_pkts);
}

/* Announces the epoch first: from then on the snapshot loaded below is not freed. */
static const struct snapshot *enter(struct worker *worker)
{
	const struct worker_shared *shared = worker->config.shared;
	uint64_t epoch = __atomic_load_n(&shared->epoch, __ATOMIC_SEQ_CST);

	__atomic_store_n(&worker->epoch, epoch, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&shared->snapshot, __ATOMIC_SEQ_CST);
}

static void leave(struct worker *worker)
{
	__atomic_store_n(&worker->epoch, 0, __ATOMIC_RELEASE);
}

/* Takes and finishes one batch; false when nothing was waiting. */
static bool run_batch(struct worker *worker)
{
	const struct snapshot *snapshot = enter(worker);
	uint32_t lost_pkts;
	size_t n_frames = ring_take(worker->ring, worker->frames, &lost_pkts);

	if (n_frames == 0 && lost_pkts == 0)
		return false;
	read_clock(worker);
	worker->n_taken += n_frames + lost_pkts;
	(void)capture_tap_follow(&worker->tap, worker->config.shared->capture);
	if (lost_pkts)
		counters_add_reason(worker->counters, FWD_REASON_RING_FULL, lost_pkts);
	decide_all(worker, snapshot, n_frames);
	ring_release(worker->ring);
	if (ring_is_losing(worker->ring))
		count_drops(worker);
	return true;
}

/* ---- links and rings ---- */

static int open_ring(struct worker *worker, struct why *ret_why)
{
	const struct worker_config *config = &worker->config;
	_cleanup_(ring_freep) struct ring *ring = NULL;
	int r;

	r = ring_open(config->ifindex, &ring, ret_why);
	if (r < 0)
		return r;
	if (config->share) {
		r = ring_join(ring, &worker->fanout_id);
		if (r < 0)
			return why_errno(ret_why, r, "PACKET_FANOUT");
	}
	ring_free(worker->ring);
	worker->ring = TAKE_PTR(ring);
	return 0;
}

/*
 * A frame whose GSO type virtio_net_hdr_from_skb() does not know (SCTP, UFO; before Linux 6.2 UDP
 * too) makes tpacket_rcv() leave the ring's next slot reserved for ever: every later frame is
 * dropped (seen in 6.18). It shows as drops while nothing arrives, and only a new ring helps.
 * To be removed when no supported kernel does so.
 */
static int mend_stuck_ring(struct worker *worker)
{
	int r;

	worker->stuck_ticks = 0;
	r = open_ring(worker, NULL);
	return r < 0 ? r : ring_begin(worker->ring);
}

/* Returns a negative errno when the worker cannot go on. */
static int tick(struct worker *worker)
{
	uint32_t drops_pkts = ring_read_drops(worker->ring);
	bool is_stuck = drops_pkts > 0 && worker->n_taken == 0;

	worker->ticked_ms = worker->now_ms;
	worker->n_taken = 0;
	worker->stuck_ticks = is_stuck ? worker->stuck_ticks + 1 : 0;
	if (drops_pkts)
		counters_add_reason(worker->counters, FWD_REASON_RING_FULL, drops_pkts);
	drop_expired(worker,
		fragment_queue_take_expired(
			slow_path_queue(worker->config.shared->slow_path), worker->now_ms));
	if (worker_health(worker)) {
		int r = ring_check_link(worker->ring);

		set_health(worker, r);
		if (r == -ENODEV)
			return r;
	}
	return worker->stuck_ticks >= WORKER_STUCK_TICKS ? mend_stuck_ring(worker) : 0;
}

/* Sleeps until there are frames, the next tick is due or the engine stops. */
static void wait_for_frames(struct worker *worker)
{
	struct timespec timeout = { .tv_nsec = (long)WORKER_TICK_MS * 1000000 };
	struct pollfd polls[] = {
		{ .fd = ring_fd(worker->ring), .events = POLLIN },
		{ .fd = worker->config.stop_fd, .events = POLLIN },
	};

	leave(worker);
	(void)ppoll(polls, ARRAY_LEN(polls), &timeout, NULL);
	read_clock(worker);
	if (!(polls[0].revents & (POLLERR | POLLHUP | POLLNVAL)))
		return;
	if (ring_take_error(worker->ring) < 0) {
		set_health(worker, -ENETDOWN);
		worker->ticked_ms = 0; /* ask now whether it is down or gone */
	}
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	int r = 0;

	read_clock(worker);
	worker->ticked_ms = worker->now_ms;
	while (r == 0 && !__atomic_load_n(&worker->config.shared->is_stopping, __ATOMIC_ACQUIRE)) {
		if (!run_batch(worker))
			wait_for_frames(worker);
		if (worker->now_ms - worker->ticked_ms >= WORKER_TICK_MS)
			r = tick(worker);
	}
	leave(worker);
	if (r < 0)
		set_health(worker, r);
	return NULL;
}

/* ---- life ---- */

/* The idx-th of the CPUs that this process may use; wraps around. */
static int choose_cpu(unsigned int idx, cpu_set_t *ret_set)
{
	cpu_set_t allowed;
	unsigned int n_allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return util_negative_errno();
	n_allowed = (unsigned int)CPU_COUNT(&allowed);
	if (n_allowed == 0)
		return -EINVAL;
	idx %= n_allowed;
	CPU_ZERO(ret_set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && idx-- == 0) {
			CPU_SET(cpu, ret_set);
			return 0;
		}
	return -EINVAL;
}

int worker_new(const struct worker_config *config, int *fanout_id, struct worker **ret_worker,
	struct why *ret_why)
{
	_cleanup_(worker_freep) struct worker *worker =
		aligned_alloc(CACHE_LINE_BYTES, sizeof(*worker));
	int r;

	if (!worker)
		return why_errno(ret_why, -ENOMEM, "memory");
	memset(worker, 0, sizeof(*worker));
	worker->config = *config;
	worker->fanout_id = *fanout_id;
	r = counters_new(&worker->counters);
	if (r < 0)
		return why_errno(ret_why, r, "memory");
	r = open_ring(worker, ret_why);
	if (r < 0)
		return r;
	*fanout_id = worker->fanout_id;
	*ret_worker = TAKE_PTR(worker);
	return 0;
}

int worker_start(struct worker *worker, struct why *ret_why)
{
	char name[WORKER_NAME_BYTES];
	cpu_set_t cpus;
	int r = thread_start(&worker->thread, run, worker);

	if (r < 0)
		return why_errno(ret_why, r, "thread");
	worker->has_thread = true;
	snprintf(name, sizeof(name), "worker/%u", worker->config.idx);
	(void)pthread_setname_np(worker->thread, name);
	/* Best effort: a worker on the wrong CPU is slower, not wrong. */
	if (worker->config.pin && choose_cpu(worker->config.idx, &cpus) == 0)
		(void)pthread_setaffinity_np(worker->thread, sizeof(cpus), &cpus);
	r = ring_begin(worker->ring);
	return r < 0 ? why_errno(ret_why, r, "filter of the packet socket") : 0;
}

struct worker *worker_free(struct worker *worker)
{
	if (!worker)
		return NULL;
	if (worker->has_thread)
		pthread_join(worker->thread, NULL);
	ring_free(worker->ring);
	counters_free(worker->counters);
	free(worker);
	return NULL;
}

uint64_t worker_epoch(const struct worker *worker)
{
	return __atomic_load_n(&worker->epoch, __ATOMIC_SEQ_CST);
}

int worker_health(const struct worker *worker)
{
	return __atomic_load_n(&worker->health, __ATOMIC_RELAXED);
}

struct counters *worker_counters(struct worker *worker)
{
	return worker->counters;
}
