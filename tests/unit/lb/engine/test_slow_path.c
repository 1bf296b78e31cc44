/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workers share to serve exceptions: the limit of answers, and the numbers. */
#include "lb/engine/slow_path.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const __u64 seed[2] = { 1, 2 };

static void exceptions_answer_so_often_in_a_second(void **state)
{
	_cleanup_(exceptions_freep) struct exceptions *exceptions = NULL;
	struct engine_totals totals = { 0 };

	assert_int_equal(exceptions_new(seed, &exceptions), 0);
	for (uint32_t i = 0; i < EXCEPTION_ANSWERS_PER_S; i++)
		assert_true(exceptions_may_answer(exceptions, 5000 + i % 1000));
	assert_false(exceptions_may_answer(exceptions, 5999));
	assert_false(exceptions_may_answer(exceptions, 4999)); /* a clock that lags */
	assert_true(exceptions_may_answer(exceptions, 6000));
	exceptions_sum_totals(exceptions, &totals);
	assert_int_equal(totals.answers_sent, EXCEPTION_ANSWERS_PER_S + 1);
	assert_int_equal(totals.answers_limited, 2);
}

static void *ask(void *context)
{
	for (uint32_t i = 0; i < EXCEPTION_ANSWERS_PER_S; i++)
		(void)exceptions_may_answer(context, 1000);
	return NULL;
}

static void exceptions_limit_all_workers_together(void **state)
{
	_cleanup_(exceptions_freep) struct exceptions *exceptions = NULL;
	struct engine_totals totals = { 0 };
	pthread_t threads[3];

	assert_int_equal(exceptions_new(seed, &exceptions), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, exceptions), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	exceptions_sum_totals(exceptions, &totals);
	assert_int_equal(totals.answers_sent, EXCEPTION_ANSWERS_PER_S);
	assert_int_equal(totals.answers_limited, 2 * EXCEPTION_ANSWERS_PER_S);
}

static void exceptions_count_what_is_held(void **state)
{
	static const struct virtio_net_hdr vnet;
	static const uint8_t frame[64];
	const struct fwd_fragment_key key = { .id = 1 };
	_cleanup_(exceptions_freep) struct exceptions *exceptions = NULL;
	struct engine_totals totals = { 0 };
	struct hold_frame *expired;
	struct hold *hold;

	assert_int_equal(exceptions_new(seed, &exceptions), 0);
	hold = exceptions_hold(exceptions);
	assert_int_equal(hold_add(hold, &key, &vnet, frame, sizeof(frame), 1, &expired), 0);
	hold_frames_free(hold_take(hold, &key));
	assert_int_equal(hold_add(hold, &key, &vnet, frame, sizeof(frame), 1, &expired), 0);
	hold_frames_free(hold_take_expired(hold, 1 + HOLD_TIME_MS));
	assert_int_equal(hold_add(hold, &key, &vnet, frame, sizeof(frame), 1, &expired), 0);
	exceptions_sum_totals(exceptions, &totals);
	assert_int_equal(totals.fragments_held, 1);
	assert_int_equal(totals.fragments_released, 1);
	assert_int_equal(totals.fragments_expired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exceptions_answer_so_often_in_a_second),
		cmocka_unit_test(exceptions_limit_all_workers_together),
		cmocka_unit_test(exceptions_count_what_is_held),
	};

	return cmocka_run_group_tests_name("exception", tests, NULL, NULL);
}
