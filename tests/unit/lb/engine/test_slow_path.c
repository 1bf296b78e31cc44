/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workers share for the slow path: the limit of answers, and the numbers. */
#include "lb/engine/slow_path.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const __u64 seed[2] = { 1, 2 };

static void slow_path_answer_so_often_in_a_second(void **state)
{
	_cleanup_(slow_path_freep) struct slow_path *slow_path = NULL;
	struct engine_totals totals = { 0 };

	assert_int_equal(slow_path_new(seed, &slow_path), 0);
	for (uint32_t i = 0; i < SLOW_PATH_ANSWERS_PER_S; i++)
		assert_true(slow_path_may_answer(slow_path, 5000 + i % 1000));
	assert_false(slow_path_may_answer(slow_path, 5999));
	assert_false(slow_path_may_answer(slow_path, 4999)); /* a clock that lags */
	assert_true(slow_path_may_answer(slow_path, 6000));
	slow_path_sum_totals(slow_path, &totals);
	assert_int_equal(totals.answers_sent, SLOW_PATH_ANSWERS_PER_S + 1);
	assert_int_equal(totals.answers_limited, 2);
}

static void *ask(void *context)
{
	for (uint32_t i = 0; i < SLOW_PATH_ANSWERS_PER_S; i++)
		(void)slow_path_may_answer(context, 1000);
	return NULL;
}

static void slow_path_limit_all_workers_together(void **state)
{
	_cleanup_(slow_path_freep) struct slow_path *slow_path = NULL;
	struct engine_totals totals = { 0 };
	pthread_t threads[3];

	assert_int_equal(slow_path_new(seed, &slow_path), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, slow_path), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	slow_path_sum_totals(slow_path, &totals);
	assert_int_equal(totals.answers_sent, SLOW_PATH_ANSWERS_PER_S);
	assert_int_equal(totals.answers_limited, 2 * SLOW_PATH_ANSWERS_PER_S);
}

static void slow_path_count_what_is_held(void **state)
{
	static const struct virtio_net_hdr vnet;
	static const uint8_t frame[64];
	const struct fwd_fragment_key key = { .id = 1 };
	_cleanup_(slow_path_freep) struct slow_path *slow_path = NULL;
	struct engine_totals totals = { 0 };
	struct fragment_queue_frame *expired;
	struct fragment_queue *queue;

	assert_int_equal(slow_path_new(seed, &slow_path), 0);
	queue = slow_path_queue(slow_path);
	assert_int_equal(
		fragment_queue_add(queue, &key, &vnet, frame, sizeof(frame), 1, &expired), 0);
	fragment_queue_frames_free(fragment_queue_take(queue, &key));
	assert_int_equal(
		fragment_queue_add(queue, &key, &vnet, frame, sizeof(frame), 1, &expired), 0);
	fragment_queue_frames_free(fragment_queue_take_expired(queue, 1 + FRAGMENT_QUEUE_TIME_MS));
	assert_int_equal(
		fragment_queue_add(queue, &key, &vnet, frame, sizeof(frame), 1, &expired), 0);
	slow_path_sum_totals(slow_path, &totals);
	assert_int_equal(totals.fragments_held, 1);
	assert_int_equal(totals.fragments_released, 1);
	assert_int_equal(totals.fragments_expired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_path_answer_so_often_in_a_second),
		cmocka_unit_test(slow_path_limit_all_workers_together),
		cmocka_unit_test(slow_path_count_what_is_held),
	};

	return cmocka_run_group_tests_name("slow_path", tests, NULL, NULL);
}
