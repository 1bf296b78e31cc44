/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CHALLENGEs, which have no tag, from somebody who sees the HELLOs: none of them keeps an agent from its balancer. */
#include "agent/registration/handshake/hello.h"
#include "tests/unit/agent/registration/register_bench.h"

/* To this HELLO, in its version; `byte` makes the balancer's nonce. */
static enum register_refusal answer(
	struct bench *bench, const struct proto_message *hello, uint8_t byte)
{
	struct proto_message message = { .version = hello->version, .type = PROTO_CHALLENGE };

	memcpy(message.challenge.nonce_agent, hello->hello.nonce_agent, PROTO_NONCE_BYTES);
	memset(message.challenge.nonce_balancer, byte, PROTO_NONCE_BYTES);
	return deliver(bench, &message, NULL);
}

/* One that is answered. */
static void take_answer(struct bench *bench, const struct proto_message *hello, uint8_t byte)
{
	assert_int_equal(answer(bench, hello, byte), REGISTER_ACCEPTED);
	take_register(bench);
	assert_memory_equal(bench->reg.nonce_agent, hello->hello.nonce_agent, PROTO_NONCE_BYTES);
	assert_int_equal(bench->reg.nonce_balancer[0], byte);
	take_nothing(bench);
}

static void answer_heartbeat(struct bench *bench)
{
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_true(take(bench, PROTO_ANSWER)->message.session.session_id == bench->session_id);
}

static void register_answers_the_true_challenge_behind_a_forged_one(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello;

	start(bench);
	hello = take(bench, PROTO_HELLO)->message;
	take_answer(bench, &hello, 1);
	take_answer(bench, &hello, 2);
	admit(bench);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	answer_heartbeat(bench);
}

/* The one that the ACCEPT is about need not be the newest that was answered. */
static void register_answers_forged_challenges_behind_the_true_one_in_vain(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello, accept;

	start(bench);
	hello = take(bench, PROTO_HELLO)->message;
	take_answer(bench, &hello, 1);
	accept = accept_of(bench);
	take_answer(bench, &hello, 2);
	assert_int_equal(deliver(bench, &accept, bench->identity.key.secret), REGISTER_ACCEPTED);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	answer_heartbeat(bench);
	assert_int_equal(answer(bench, &hello, 3), REGISTER_NONCE);
	take_nothing(bench);
}

static void register_answers_so_many_challenges_and_no_more(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello;
	uint64_t due_us = 0;

	start(bench);
	hello = take(bench, PROTO_HELLO)->message;
	for (uint8_t i = 1; i <= HELLO_ANSWERS_MAX; i++) {
		take_answer(bench, &hello, i);
		assert_int_equal(answer(bench, &hello, i), REGISTER_NONCE); /* said again */
		take_nothing(bench);
		/* They put nothing off. */
		assert_true(due_us == 0 || tick(bench) == due_us);
		due_us = tick(bench);
		bench->now_us++;
	}
	assert_int_equal(answer(bench, &hello, HELLO_ANSWERS_MAX + 1), REGISTER_NONCE);
	take_nothing(bench);
	for (unsigned int tries = 0; tries < 2; tries++) {
		pass(bench);
		assert_int_equal(bench->n_sent, HELLO_ANSWERS_MAX);
		for (unsigned int i = 1; i <= HELLO_ANSWERS_MAX; i++) {
			take_register(bench);
			assert_int_equal(bench->reg.nonce_balancer[0], i);
		}
	}
	/* A new question has room for its answers. */
	pass(bench);
	hello = take(bench, PROTO_HELLO)->message;
	take_answer(bench, &hello, HELLO_ANSWERS_MAX + 2);
	bench->version = hello.version;
	admit(bench);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
}

/* The balancer does not have the key of who forged an older version: that was none of its words. */
static void register_learns_no_version_from_a_forged_challenge(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello;

	join(bench);
	fall_silent(bench);
	assert_int_equal(take(bench, PROTO_HELLO)->message.version, PROTO_VERSION);
	pass(bench);
	hello = take(bench, PROTO_HELLO)->message;
	assert_int_equal(hello.version, PROTO_VERSION - 1);
	take_answer(bench, &hello, 1);
	register_start(bench->registration, bench->now_us);
	assert_int_equal(take(bench, PROTO_HELLO)->message.version, PROTO_VERSION);
}

/* What is told in the answers is one state of things, so what changed between them is told after the ACCEPT. */
static void register_tells_what_changed_between_its_answers(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello;

	start(bench);
	hello = take(bench, PROTO_HELLO)->message;
	take_answer(bench, &hello, 1);
	bench->status.weight = 7;
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	take_answer(bench, &hello, 2);
	assert_int_equal(bench->reg.status.weight, 1);
	admit(bench);
	assert_int_equal(take(bench, PROTO_UPDATE)->message.report.status.weight, 7);
}

/* Who sends a HELLO of ours again has the balancer send two CHALLENGEs: the session that it opened last is the one. */
static void register_goes_with_the_newest_of_two_sessions(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello, accepts[2];

	for (unsigned int first = 0; first < 2; first++) {
		if (first == 0)
			start(bench);
		else
			register_start(bench->registration, bench->now_us);
		hello = take(bench, PROTO_HELLO)->message;
		for (unsigned int i = 0; i < 2; i++) {
			take_answer(bench, &hello, (uint8_t)(i + 1));
			accepts[i] = accept_of(bench);
		}
		assert_int_equal(deliver(bench, &accepts[first], bench->identity.key.secret),
			REGISTER_ACCEPTED);
		assert_int_equal(deliver(bench, &accepts[!first], bench->identity.key.secret),
			first == 0 ? REGISTER_ACCEPTED : REGISTER_REPLAY);
		answer_heartbeat(bench);
		/* And none of them is opened again. */
		accepts[1].accept.sequence = bench->sequence + 1;
		assert_int_equal(
			deliver(bench, &accepts[1], bench->identity.key.secret), REGISTER_NONCE);
		answer_heartbeat(bench);
	}
}

static void register_that_left_takes_no_late_accept(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello, accept;

	start(bench);
	hello = take(bench, PROTO_HELLO)->message;
	take_answer(bench, &hello, 1);
	accept = accept_of(bench);
	register_leave(bench->registration, bench->now_us);
	assert_int_equal(deliver(bench, &accept, bench->identity.key.secret), REGISTER_NONCE);
	assert_int_equal(state_of(bench), REGISTER_LEFT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(register_answers_the_true_challenge_behind_a_forged_one),
		TEST(register_answers_forged_challenges_behind_the_true_one_in_vain),
		TEST(register_answers_so_many_challenges_and_no_more),
		TEST(register_learns_no_version_from_a_forged_challenge),
		TEST(register_tells_what_changed_between_its_answers),
		TEST(register_goes_with_the_newest_of_two_sessions),
		TEST(register_that_left_takes_no_late_accept),
	};

	return cmocka_run_group_tests_name("register_forged", tests, NULL, NULL);
}
