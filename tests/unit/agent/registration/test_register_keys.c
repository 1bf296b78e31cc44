/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another key under a session: it goes on by the former one until the balancer knows the new one. */
#include "register_bench.h"

static void rekey(struct bench *bench, const char *id, uint8_t byte)
{
	snprintf(bench->identity.key.id, sizeof(bench->identity.key.id), "%s", id);
	bench->identity.key.secret[0] = byte;
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
}

static void answer_heartbeats(struct bench *bench)
{
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
}

static void register_changes_its_key_without_missing_a_heartbeat(void **state)
{
	struct bench *bench = *state;
	uint64_t since_us;

	join(bench);
	since_us = register_view(bench->registration)->since_us;
	rekey(bench, "new", 2);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	challenge(bench);
	take_register(bench);
	answer_heartbeats(bench);
	admit(bench);
	answer_heartbeats(bench);
	assert_int_equal(register_view(bench->registration)->since_us, since_us);
	assert_true(tick(bench) > bench->now_us + INTERVAL_US); /* nothing is tried any more */
}

static void register_goes_on_while_the_new_key_is_not_known(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .version = PROTO_VERSION, .type = PROTO_REJECT };

	join(bench);
	rekey(bench, "new", 2);
	take(bench, PROTO_HELLO);
	for (unsigned int i = 0; i < 40; i++) {
		bench->now_us += INTERVAL_US;
		tick(bench);
		if (bench->n_sent > 0)
			take(bench, PROTO_HELLO);
		answer_heartbeats(bench);
	}
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	assert_string_equal(register_view(bench->registration)->reason,
		"goes on by its former key: key new is not accepted yet");
	/* Refused beside the session: that goes on too. */
	while (bench->n_sent == 0) {
		bench->now_us += INTERVAL_US;
		tick(bench);
		if (bench->n_sent == 0)
			answer_heartbeats(bench);
	}
	challenge(bench);
	take_register(bench);
	memcpy(message.rejected.nonce_agent, bench->reg.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(message.rejected.nonce_balancer, bench->reg.nonce_balancer, PROTO_NONCE_BYTES);
	message.rejected.code = PROTO_REJECT_KEY_BINDING;
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_NONCE);
	answer_heartbeats(bench);
	/* The former key ends at the balancer: it begins anew by the new one. */
	bench->now_us += 10 * INTERVAL_US;
	tick(bench);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	challenge(bench);
	take_register(bench);
	admit(bench);
	assert_string_equal(register_view(bench->registration)->reason, "");
}

static void register_begins_anew_when_more_than_the_key_changes(void **state)
{
	struct bench *bench = *state;

	join(bench);
	bench->identity.mac.bytes[5]++;
	rekey(bench, "new", 2);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	take(bench, PROTO_HELLO);
	assert_int_equal(heartbeat(bench), REGISTER_SESSION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(register_changes_its_key_without_missing_a_heartbeat),
		TEST(register_goes_on_while_the_new_key_is_not_known),
		TEST(register_begins_anew_when_more_than_the_key_changes),
	};

	return cmocka_run_group_tests_name("register_keys", tests, NULL, NULL);
}
