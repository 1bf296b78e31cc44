/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capture_ring.h. */
#include "lb/engine/capture/capture_ring.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "lb/engine/capture/capture_filter.h"

/* How often a thread tries to get the lock, which is held for the copy of one frame. */
#define CAPTURE_TRIES 64u

struct capture_ring {
	int fd; /* eventfd: readable while len is not 0 */
	uint32_t
		generation; /* atomic: written by the main loop, read by the threads; begins with 0, as taps do */
	uint64_t lost; /* atomic: counted by the threads, read by the main loop */
	pthread_mutex_t lock;

	/* Under the lock. */
	bool is_on;
	struct capture_filter filter;
	size_t first, len;
	struct captured frames[CAPTURE_RING_FRAMES];
};

struct capture_ring *capture_ring_new(void)
{
	struct capture_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->fd < 0) {
		free(ring);
		return NULL;
	}
	pthread_mutex_init(&ring->lock, NULL);
	return ring;
}

struct capture_ring *capture_ring_free(struct capture_ring *ring)
{
	if (!ring)
		return NULL;
	pthread_mutex_destroy(&ring->lock);
	util_close(ring->fd);
	free(ring);
	return NULL;
}

/* Nothing waits any more; under the lock. */
static void drain(struct capture_ring *ring)
{
	eventfd_t n;

	ring->first = ring->len = 0;
	(void)eventfd_read(ring->fd, &n);
}

void capture_ring_set(struct capture_ring *ring, const struct capture_filter *filter)
{
	pthread_mutex_lock(&ring->lock);
	ring->is_on = filter != NULL;
	if (filter)
		ring->filter = *filter;
	drain(ring);
	__atomic_store_n(&ring->lost, 0, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ring->generation, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&ring->lock);
}

int capture_ring_fd(const struct capture_ring *ring)
{
	return ring->fd;
}

bool capture_ring_take(struct capture_ring *ring, struct captured *ret_captured)
{
	bool found;

	pthread_mutex_lock(&ring->lock);
	found = ring->len > 0;
	if (found) {
		*ret_captured = ring->frames[ring->first];
		ring->first = (ring->first + 1) % CAPTURE_RING_FRAMES;
		ring->len--;
	}
	if (ring->len == 0)
		drain(ring);
	pthread_mutex_unlock(&ring->lock);
	return found;
}

uint64_t capture_ring_lost(const struct capture_ring *ring)
{
	return __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);
}

bool capture_tap_follow(struct capture_tap *tap, struct capture_ring *ring)
{
	if (__atomic_load_n(&ring->generation, __ATOMIC_ACQUIRE) == tap->generation)
		return tap->is_on;
	pthread_mutex_lock(&ring->lock);
	tap->generation = ring->generation;
	tap->is_on = ring->is_on;
	tap->filter = ring->filter;
	pthread_mutex_unlock(&ring->lock);
	return tap->is_on;
}

static bool try_lock(struct capture_ring *ring)
{
	for (unsigned int i = 0; i < CAPTURE_TRIES; i++)
		if (pthread_mutex_trylock(&ring->lock) == 0)
			return true;
	return false;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Under the lock. */
static void fill(struct captured *captured, const struct fwd_result *result,
	const struct capture_frame *frame)
{
	captured->time_ns = now_ns();
	captured->length_bytes = frame->length_bytes ? frame->length_bytes : frame->size_bytes;
	captured->size_bytes = MIN(frame->size_bytes, CAPTURE_FRAME_BYTES);
	captured->service = result->service;
	captured->backend = result->backend;
	captured->reason = result->reason;
	captured->how = result->how;
	captured->is_out = frame->is_out;
	memcpy(captured->bytes, frame->data, captured->size_bytes);
	if (frame->macs && captured->size_bytes >= CAPTURE_MACS_BYTES)
		memcpy(captured->bytes, frame->macs, CAPTURE_MACS_BYTES);
}

/* Under the lock. False: it is lost. */
static bool put(struct capture_ring *ring, const struct capture_tap *tap,
	const struct fwd_result *result, const struct capture_frame *frame)
{
	/* Another capture, with another filter, may have begun meanwhile. */
	if (!ring->is_on || ring->generation != tap->generation)
		return true;
	if (ring->len == CAPTURE_RING_FRAMES)
		return false;
	fill(&ring->frames[(ring->first + ring->len) % CAPTURE_RING_FRAMES], result, frame);
	if (ring->len++ == 0)
		(void)eventfd_write(ring->fd, 1);
	return true;
}

void capture_tap_put(struct capture_tap *tap, struct capture_ring *ring,
	const struct fwd_result *result, const struct capture_frame *frame)
{
	struct fwd_context context = { frame->data, frame->size_bytes };
	bool is_kept = false;

	if (!capture_takes(&context, &tap->filter, result))
		return;
	if (try_lock(ring)) {
		is_kept = put(ring, tap, result, frame);
		pthread_mutex_unlock(&ring->lock);
	}
	if (!is_kept)
		__atomic_fetch_add(&ring->lost, 1, __ATOMIC_RELAXED);
}
