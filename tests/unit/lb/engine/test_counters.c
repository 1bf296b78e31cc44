/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of a worker: sums agree, pairs are counted apart up to their limit. */
#include "lb/engine/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct fwd_result forwarded = {
	.verdict = FWD_FORWARD,
	.reason = FWD_REASON_FORWARDED,
	.service = 7,
	.backend = 3,
};

static int setup(void **state)
{
	return counters_new((struct counters **)state);
}

static int teardown(void **state)
{
	counters_free(*state);
	return 0;
}

static void counters_received_is_the_sum_of_verdicts(void **state)
{
	struct engine_totals totals = { 0 };
	uint64_t verdicts = 0;
	struct fwd_result result;

	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++) {
		result = (struct fwd_result){ .reason = reason };
		for (unsigned int n = 0; n <= reason; n++)
			counters_add_frame(*state, &result, 60);
	}
	counters_add_reason(*state, FWD_REASON_RING_FULL, 1000);
	counters_sum_totals(*state, &totals);
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++)
		assert_int_equal(totals.reason_pkts[reason],
			reason + 1 + (reason == FWD_REASON_RING_FULL ? 1000 : 0));
	for (unsigned int verdict = 0; verdict < FWD_VERDICT_N_; verdict++)
		verdicts += totals.verdict_pkts[verdict];
	assert_int_equal(totals.received_pkts, verdicts);
	assert_int_equal(totals.received_pkts, FWD_REASON_N_ * (FWD_REASON_N_ + 1) / 2 + 1000);
	assert_int_equal(totals.verdict_pkts[FWD_FORWARD], FWD_REASON_FORWARDED + 1);
}

static void counters_exception_counts_as_drop(void **state)
{
	struct engine_totals totals = { 0 };

	assert_int_equal(counters_verdict(FWD_REASON_FRAGMENT_EARLY), FWD_DROP);
	counters_add_reason(*state, FWD_REASON_FRAGMENT_EARLY, 2);
	counters_sum_totals(*state, &totals);
	assert_int_equal(totals.verdict_pkts[FWD_SLOW_PATH], 0);
	assert_int_equal(totals.verdict_pkts[FWD_DROP], 2);
}

static void counters_split_by_service_and_pair(void **state)
{
	struct engine_service_counters service = { 0 };
	struct engine_pair_counters pair = { 0 };
	struct fwd_result syn = forwarded;
	struct fwd_result other = forwarded;

	syn.syn = FWD_SYN | 5 << 1;
	syn.recorded = 1;
	other.backend = 4;
	counters_add_frame(*state, &syn, 60);
	counters_add_frame(*state, &forwarded, 1500);
	counters_add_frame(*state, &other, 100);
	counters_sum_service(*state, 7, &service);
	assert_int_equal(service.packets, 3);
	assert_int_equal(service.bytes, 1660);
	assert_int_equal(service.syns, 1);
	counters_sum_pair(*state, 7, 3, &pair);
	assert_int_equal(pair.packets, 2);
	assert_int_equal(pair.bytes, 1560);
	assert_int_equal(pair.new_flows, 1);
	assert_int_equal(counters_take_clients(*state, 7, 3), 1 << 5);
	assert_int_equal(counters_take_clients(*state, 7, 3), 0);
	assert_int_equal(counters_take_clients(*state, 7, 9), 0);
}

static void counters_unknown_pair_is_zero(void **state)
{
	struct engine_pair_counters pair = { 0 };

	counters_add_frame(*state, &forwarded, 60);
	counters_sum_pair(*state, 7, 4, &pair);
	assert_int_equal(pair.packets, 0);
}

static void counters_failed_send_is_no_forwarded_packet(void **state)
{
	struct engine_service_counters service = { 0 };
	struct engine_totals totals = { 0 };
	struct fwd_result failed = forwarded;

	failed.reason = FWD_REASON_SEND_FAILED;
	failed.evicted = 1;
	failed.unrecorded = 1;
	failed.alternative = 5;
	counters_add_frame(*state, &failed, 60);
	counters_sum_service(*state, 7, &service);
	counters_sum_totals(*state, &totals);
	assert_int_equal(service.packets, 0);
	assert_int_equal(totals.verdict_pkts[FWD_DROP], 1);
	assert_int_equal(totals.verdict_pkts[FWD_FORWARD], 0);
	assert_int_equal(totals.evictions, 1);
	assert_int_equal(totals.unrecorded, 1);
	assert_int_equal(totals.named, 0);
}

static void counters_tell_frames_that_named_an_alternative(void **state)
{
	struct engine_totals totals = { 0 };
	struct fwd_result named = forwarded;

	counters_add_frame(*state, &forwarded, 60);
	named.alternative = 5;
	counters_add_frame(*state, &named, 60);
	counters_sum_totals(*state, &totals);
	assert_int_equal(totals.verdict_pkts[FWD_FORWARD], 2);
	assert_int_equal(totals.named, 1);
}

static void counters_pair_over_the_limit_counts_in_totals_alone(void **state)
{
	struct engine_totals totals = { 0 };
	struct fwd_result result = forwarded;
	struct engine_pair_counters pair = { 0 };

	for (uint32_t idx = 0; idx <= COUNTERS_PAIRS_MAX; idx++) {
		result.service = (uint16_t)(1 + idx / 4096);
		result.backend = (uint16_t)(1 + idx % 4096);
		counters_add_frame(*state, &result, 60);
	}
	counters_sum_totals(*state, &totals);
	assert_int_equal(totals.received_pkts, COUNTERS_PAIRS_MAX + 1);
	assert_int_equal(totals.uncounted_pairs, 1);
	counters_sum_pair(*state, 1, 1, &pair);
	assert_int_equal(pair.packets, 1);
	pair.packets = 0;
	counters_sum_pair(*state, result.service, result.backend, &pair);
	assert_int_equal(pair.packets, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(counters_received_is_the_sum_of_verdicts),
		TEST(counters_exception_counts_as_drop),
		TEST(counters_split_by_service_and_pair),
		TEST(counters_unknown_pair_is_zero),
		TEST(counters_failed_send_is_no_forwarded_packet),
		TEST(counters_tell_frames_that_named_an_alternative),
		TEST(counters_pair_over_the_limit_counts_in_totals_alone),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
