/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue: order, bounds in number, bytes and time, and threads. */
#include "lb/engine/fragment_queue.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const __u64 seed[2] = { 1, 2 };
static uint8_t bytes[65536];

static struct fwd_fragment_key key_of(uint32_t id)
{
	return (struct fwd_fragment_key){
		.source = { { 0, 0, htonl(0xffff), 7 } },
		.vip = { { 0, 0, htonl(0xffff), 42 } },
		.id = id,
		.proto = 17,
	};
}

/* Holds a frame that begins with `mark`; returns how many had to give way. */
static size_t add(struct fragment_queue *queue, uint32_t id, uint8_t mark, uint32_t size_bytes,
	uint64_t now_ms)
{
	const struct virtio_net_hdr vnet = { .gso_size = mark };
	struct fwd_fragment_key key = key_of(id);
	struct fragment_queue_frame *expired = NULL;
	size_t n = 0;

	bytes[0] = mark;
	assert_int_equal(
		fragment_queue_add(queue, &key, &vnet, bytes, size_bytes, now_ms, &expired), 0);
	for (const struct fragment_queue_frame *frame = expired; frame; frame = frame->next)
		n++;
	fragment_queue_frames_free(expired);
	return n;
}

static struct fragment_queue_frame *take(struct fragment_queue *queue, uint32_t id)
{
	struct fwd_fragment_key key = key_of(id);

	return fragment_queue_take(queue, &key);
}

static struct fragment_queue_counts counts_of(struct fragment_queue *queue)
{
	struct fragment_queue_counts counts;

	fragment_queue_count(queue, &counts);
	return counts;
}

static void fragment_queue_gives_a_datagram_in_order_of_arrival(void **state)
{
	_cleanup_(fragment_queue_freep) struct fragment_queue *queue = NULL;
	_cleanup_(fragment_queue_frames_freep) struct fragment_queue_frame *frames = NULL;
	uint8_t mark = 1;

	assert_int_equal(fragment_queue_new(seed, &queue), 0);
	for (uint8_t i = 1; i <= 3; i++) {
		add(queue, 5, i, 100u + i, 10);
		add(queue, 6, 9, 50, 10);
	}
	frames = take(queue, 5);
	for (const struct fragment_queue_frame *frame = frames; frame;
		frame = frame->next, mark++) {
		assert_int_equal(frame->data[0], mark);
		assert_int_equal(frame->size_bytes, 100 + mark);
		assert_int_equal(frame->vnet->gso_size, mark);
		assert_ptr_equal(frame->vnet + 1, frame->data);
	}
	assert_int_equal(mark, 4);
	assert_null(take(queue, 5));
	assert_null(take(queue, 7));
	assert_int_equal(counts_of(queue).held, 3);
	assert_int_equal(counts_of(queue).released, 3);
}

static void fragment_queue_lets_go_after_its_time(void **state)
{
	_cleanup_(fragment_queue_freep) struct fragment_queue *queue = NULL;
	struct fragment_queue_frame *expired;

	assert_int_equal(fragment_queue_new(seed, &queue), 0);
	add(queue, 1, 1, 100, 1000);
	add(queue, 2, 2, 100, 1001);
	assert_null(fragment_queue_take_expired(queue, 999)); /* another worker's clock */
	assert_null(fragment_queue_take_expired(queue, 1000 + FRAGMENT_QUEUE_TIME_MS - 1));
	expired = fragment_queue_take_expired(queue, 1000 + FRAGMENT_QUEUE_TIME_MS);
	assert_non_null(expired);
	assert_int_equal(expired->data[0], 1);
	assert_null(expired->next);
	fragment_queue_frames_free(expired);
	assert_null(take(queue, 1));
	assert_int_equal(counts_of(queue).expired, 1);
	assert_int_equal(counts_of(queue).held, 1);
}

static void fragment_queue_keeps_the_newest_when_there_are_too_many(void **state)
{
	_cleanup_(fragment_queue_freep) struct fragment_queue *queue = NULL;
	_cleanup_(fragment_queue_frames_freep) struct fragment_queue_frame *last = NULL;

	assert_int_equal(fragment_queue_new(seed, &queue), 0);
	for (uint32_t id = 0; id < FRAGMENT_QUEUE_FRAMES_MAX; id++)
		assert_int_equal(add(queue, id, 1, 10, 1), 0);
	assert_int_equal(add(queue, FRAGMENT_QUEUE_FRAMES_MAX, 2, 10, 1), 1);
	assert_int_equal(counts_of(queue).held, FRAGMENT_QUEUE_FRAMES_MAX);
	assert_int_equal(counts_of(queue).expired, 1);
	assert_null(take(queue, 0));
	last = take(queue, FRAGMENT_QUEUE_FRAMES_MAX);
	assert_non_null(last);
}

static void fragment_queue_keeps_to_its_bytes(void **state)
{
	const uint32_t n = FRAGMENT_QUEUE_BYTES_MAX / sizeof(bytes);
	_cleanup_(fragment_queue_freep) struct fragment_queue *queue = NULL;
	struct fwd_fragment_key key = key_of(1);
	const struct virtio_net_hdr vnet = { 0 };
	struct fragment_queue_frame *expired = NULL;

	assert_int_equal(fragment_queue_new(seed, &queue), 0);
	for (uint32_t id = 0; id < n; id++)
		assert_int_equal(add(queue, id, 1, sizeof(bytes), 1), 0);
	assert_int_equal(add(queue, n, 1, 1, 1), 1);
	assert_int_equal(add(queue, n, 1, sizeof(bytes), 1), 1);
	assert_int_equal(fragment_queue_add(queue, &key, &vnet, bytes, FRAGMENT_QUEUE_BYTES_MAX + 1,
				 1, &expired),
		-EMSGSIZE);
	assert_int_equal(counts_of(queue).held, n);
}

static void *queue_and_take(void *context)
{
	static const struct virtio_net_hdr vnet;

	for (uint32_t i = 0; i < 20000; i++) {
		struct fwd_fragment_key key = key_of(i % 61);
		struct fragment_queue_frame *expired = NULL;

		if (fragment_queue_add(context, &key, &vnet, bytes, 64, i, &expired) < 0)
			return context;
		fragment_queue_frames_free(expired);
		key = key_of(i % 59);
		fragment_queue_frames_free(fragment_queue_take(context, &key));
	}
	return NULL;
}

static void fragment_queue_is_shared_by_threads(void **state)
{
	_cleanup_(fragment_queue_freep) struct fragment_queue *queue = NULL;
	struct fragment_queue_counts counts;
	pthread_t threads[2];

	assert_int_equal(fragment_queue_new(seed, &queue), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, queue_and_take, queue), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	counts = counts_of(queue);
	assert_int_equal(counts.held + counts.released + counts.expired, 40000);
}

/* Whatever left the chain, and wherever. */
static void fragment_queue_has_the_newest_last(void **state)
{
	_cleanup_(fragment_queue_freep) struct fragment_queue *queue = NULL;
	struct fwd_fragment_key key = key_of(1), other = key_of(2);

	assert_int_equal(fragment_queue_new(seed, &queue), 0);
	assert_false(fragment_queue_holds(queue, &key));
	for (unsigned int turn = 0; turn < 3; turn++) {
		_cleanup_(fragment_queue_frames_freep) struct fragment_queue_frame *frames = NULL;
		unsigned int mark = 0;

		for (unsigned int i = 0; i < 5; i++)
			assert_int_equal(add(queue, 1, (uint8_t)i, 64, turn), 0);
		assert_true(fragment_queue_holds(queue, &key));
		assert_false(fragment_queue_holds(queue, &other));
		frames = take(queue, 1);
		for (const struct fragment_queue_frame *frame = frames; frame; frame = frame->next)
			assert_int_equal(frame->data[0], mark++);
		assert_int_equal(mark, 5);
		assert_false(fragment_queue_holds(queue, &key));
	}
	/* The only one goes by its age, and then comes another. */
	assert_int_equal(add(queue, 1, 7, 64, 0), 0);
	fragment_queue_frames_free(fragment_queue_take_expired(queue, FRAGMENT_QUEUE_TIME_MS));
	assert_int_equal(add(queue, 1, 8, 64, FRAGMENT_QUEUE_TIME_MS), 0);
	assert_true(fragment_queue_holds(queue, &key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragment_queue_gives_a_datagram_in_order_of_arrival),
		cmocka_unit_test(fragment_queue_has_the_newest_last),
		cmocka_unit_test(fragment_queue_lets_go_after_its_time),
		cmocka_unit_test(fragment_queue_keeps_the_newest_when_there_are_too_many),
		cmocka_unit_test(fragment_queue_keeps_to_its_bytes),
		cmocka_unit_test(fragment_queue_is_shared_by_threads),
	};

	return cmocka_run_group_tests_name("fragment_queue", tests, NULL, NULL);
}
