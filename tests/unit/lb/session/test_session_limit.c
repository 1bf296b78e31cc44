/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What floods of handshakes and forged messages may cost others: nothing. */
#include "tests/unit/lb/session/session_bench.h"

#include "lb/session/session_limit.h"

static void limit_takes_bursts_and_refills(void **state)
{
	struct session_limit_bucket bucket = { 0 };

	for (int round = 0; round < 2; round++) {
		const uint64_t now_us = START_US + (uint64_t)round * US_PER_S;

		for (int i = 0; i < 20; i++)
			assert_true(session_limit_take(&bucket, 20, 20, now_us));
		assert_false(session_limit_take(&bucket, 20, 20, now_us));
	}
	assert_false(session_limit_take(&bucket, 20, 20, START_US + US_PER_S + 49999));
	assert_true(session_limit_take(&bucket, 20, 20, START_US + US_PER_S + 50000));
}

static void session_limits_handshakes_of_a_source(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), other = agent_make("192.0.2.12:7377");
	size_t answered = 0;

	bench->now_us = START_US;
	for (size_t i = 0; i < 1000; i++) {
		bench->now_us -= STEP_US; /* all in one instant */
		answered += say_hello(bench, &agent) == SESSION_ACCEPTED;
	}
	assert_int_equal(answered, SESSION_HANDSHAKE_BURST);
	assert_int_equal(say_hello(bench, &other), SESSION_ACCEPTED);
	bench->now_us += US_PER_S / SESSION_HANDSHAKE_RATE;
	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
}

/* Far more invented sources than fit: live sessions go on and may register anew. */
static void session_flood_of_sources_harms_no_live_session(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), flood = agent_make("192.0.2.66:7377");
	uint64_t instant_us;
	size_t refused = 0;

	join(bench, &agent);
	instant_us = bench->now_us;
	for (uint32_t i = 0; i < 4 * SESSION_LIMIT_SOURCES; i++) {
		uint32_t address = htobe32(UINT32_C(0xc6120000) + i);

		memcpy(flood.path.remote.addr.bytes, &address, sizeof(address));
		bench->now_us = instant_us;
		refused += say_hello(bench, &flood) == SESSION_RATE;
	}
	assert_true(refused >= 3 * (size_t)SESSION_LIMIT_SOURCES);
	take_heartbeat(bench, &agent);
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
	join(bench, &agent);
	/* Room comes back by itself. */
	bench->now_us += US_PER_S;
	assert_int_equal(say_hello(bench, &flood), SESSION_ACCEPTED);
}

/* HELLOs that somebody forges in an agent's name keep it from nothing: not with a challenge, not with a session. */
static void session_forged_hellos_lock_nobody_out(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), forger = agent_make("192.0.2.11:7377");
	struct proto_message message;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	for (size_t i = 0; i < 2 * (size_t)SESSION_HANDSHAKE_BURST; i++) {
		(void)say_hello(bench, &forger);
		bench->now_us -= STEP_US;
	}
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	for (size_t i = 0; i < 10 * (size_t)SESSION_HANDSHAKE_BURST; i++) {
		(void)say_hello(bench, &forger);
		bench->now_us -= STEP_US;
	}
	join(bench, &agent);
}

/* A flood in one session's name costs that session at most; others keep their budget. */
static void session_budgets_are_apart(void **state)
{
	struct bench *bench = *state;
	struct agent one = agent_make("192.0.2.11:7377"), two = agent_make("192.0.2.12:7377");
	uint8_t data[PROTO_MESSAGE_MAX];
	size_t size, tags = 0, rates = 0;

	two.name = "web2";
	join(bench, &one);
	join(bench, &two);
	size = session_message(&one, PROTO_UPDATE, data);
	data[size - 1] ^= 1;
	for (size_t i = 0; i < 2 * (size_t)SESSION_MESSAGE_BURST; i++) {
		enum session_refusal refusal = deliver(bench, &one, data, size);

		bench->now_us -= STEP_US;
		tags += refusal == SESSION_TAG;
		rates += refusal == SESSION_RATE;
	}
	assert_int_equal(tags, SESSION_MESSAGE_BURST);
	assert_int_equal(rates, SESSION_MESSAGE_BURST);
	assert_int_equal(say(bench, &two, PROTO_UPDATE), SESSION_ACCEPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_takes_bursts_and_refills),
		BENCH_TEST(session_limits_handshakes_of_a_source),
		BENCH_TEST(session_flood_of_sources_harms_no_live_session),
		BENCH_TEST(session_budgets_are_apart),
		BENCH_TEST(session_forged_hellos_lock_nobody_out),
	};

	return cmocka_run_group_tests_name("session_limit", tests, NULL, NULL);
}
