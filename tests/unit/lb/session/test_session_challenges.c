/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Agents that answer several challenges at once, of which one is ours, or two are. */
#include "tests/unit/lb/session/session_bench.h"

/*
 * Somebody sends the agent challenges in our name, and it answers them all: no number of these takes anything from the
 * REGISTER that answers ours, and none is an agent's refusal.
 */
static void session_counts_what_answers_somebody_elses_challenge(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), misled;
	struct proto_message message;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	misled = agent;
	for (uint8_t i = 0; i < 2 * SESSION_HANDSHAKE_BURST; i++) {
		misled.nonce_balancer[0] = (uint8_t)(agent.nonce_balancer[0] + 1 + i);
		message = register_of(&misled);
		assert_int_equal(send_register(bench, &misled, &message), SESSION_CHALLENGE);
		assert_int_equal(bench->n_sent, 0);
		assert_string_equal(bench->refused_words.text, "");
	}
	assert_int_equal(session_refused(bench->sessions, bench->now_us)->len, 0);
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	/* And one behind it does not end the session. */
	message = register_of(&misled);
	assert_int_equal(send_register(bench, &misled, &message), SESSION_CHALLENGE);
	assert_int_equal(n_sessions(bench), 1);
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_ACCEPTED);
}

/* A HELLO that was said again by somebody has two challenges: the newest REGISTER has the session. */
static void session_is_of_the_newest_challenge_to_a_hello(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), twice;
	struct proto_message message;
	uint64_t echo;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	twice = agent;
	assert_int_equal(deliver(bench, &twice, agent.hello, agent.hello_size), SESSION_ACCEPTED);
	take_challenge(bench, &twice);
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	echo = agent.echo;
	message = register_of(&twice);
	assert_int_equal(send_register(bench, &twice, &message), SESSION_ACCEPTED);
	take_accept(bench, &twice);
	assert_true(twice.echo > echo);
	assert_int_equal(deliver(bench, &agent, agent.reg, agent.reg_size), SESSION_REPLAY);
	assert_int_equal(n_sessions(bench), 1);
	assert_int_equal(say(bench, &twice, PROTO_UPDATE), SESSION_ACCEPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(session_counts_what_answers_somebody_elses_challenge),
		BENCH_TEST(session_is_of_the_newest_challenge_to_a_hello),
	};

	return cmocka_run_group_tests_name("session_challenges", tests, NULL, NULL);
}
