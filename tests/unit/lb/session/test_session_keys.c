/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys that are derived from a master line, and two such lines side by side. */
#include "tests/unit/lb/session/session_bench.h"

#define OLD "old master hex:0303030303030303030303030303030303030303030303030303030303030303"
#define NEW "new master hex:0404040404040404040404040404040404040404040404040404040404040404"

static void configure(struct bench *bench, const char *text)
{
	session_configure(bench->sessions, ring_of(text), 300000, 3);
}

static struct agent agent_with(const char *id, uint8_t byte)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	uint8_t master[AUTH_KEY_BYTES];

	memset(master, byte, sizeof(master));
	agent.key_id = id;
	auth_agent_derive(master, agent.name, agent.secret);
	return agent;
}

static enum session_refusal try_register(struct bench *bench, struct agent *agent, const char *name)
{
	struct proto_message message;

	assert_int_equal(say_hello(bench, agent), SESSION_ACCEPTED);
	take_challenge(bench, agent);
	message = register_of(agent);
	snprintf(message.reg.name, sizeof(message.reg.name), "%s", name);
	return send_register(bench, agent, &message);
}

static void session_takes_a_derived_key_for_its_name_alone(void **state)
{
	struct bench *bench = *state;
	struct agent agent;

	configure(bench, OLD " max-weight=10\n");
	agent = agent_with("old", 3);
	assert_int_equal(try_register(bench, &agent, "other"), SESSION_TAG);
	assert_int_equal(bench->n_sent, 0);
	join(bench, &agent);
	assert_true(backend_of(bench, &agent)->key_bound);
	/* What the master line says applies to it. */
	agent.weight = 11;
	assert_int_equal(try_register(bench, &agent, agent.name),
		SESSION_POLICY_0 + PROTO_REJECT_KEY_BINDING);
	/* The master itself signs nothing. */
	memset(agent.secret, 3, sizeof(agent.secret));
	assert_int_equal(try_register(bench, &agent, agent.name), SESSION_TAG);
}

static void session_goes_over_to_the_new_of_two_masters(void **state)
{
	struct bench *bench = *state;
	struct agent old, new;

	configure(bench, OLD "\n");
	old = agent_with("old", 3);
	join(bench, &old);
	configure(bench, OLD "\n" NEW "\n");
	take_heartbeat(bench, &old);
	assert_int_equal(say(bench, &old, PROTO_ANSWER), SESSION_ACCEPTED);
	new = agent_with("new", 4);
	join(bench, &new);
	assert_int_equal(n_sessions(bench), 1);
	configure(bench, NEW "\n");
	take_heartbeat(bench, &new);
	assert_int_equal(say(bench, &new, PROTO_ANSWER), SESSION_ACCEPTED);
	/* With its line a key ends, and so does it with another kind of line. */
	configure(bench,
		"new hex:0404040404040404040404040404040404040404040404040404040404040404\n");
	assert_int_equal(n_sessions(bench), 0);
}

static void session_of_a_derived_key_outlives_a_restart(void **state)
{
	struct bench *bench = *state;
	struct session_kept kept;
	struct agent agent;

	configure(bench, OLD "\n");
	agent = agent_with("old", 3);
	join(bench, &agent);
	assert_int_equal(session_export(bench->sessions, backend_of(bench, &agent)->id, &kept), 0);
	session_forget(bench->sessions, kept.backend);
	assert_int_equal(session_import(bench->sessions, &kept, bench->now_us), 0);
	configure(bench, NEW "\n");
	assert_int_equal(session_import(bench->sessions, &kept, bench->now_us), -EKEYREVOKED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(session_takes_a_derived_key_for_its_name_alone),
		TEST(session_goes_over_to_the_new_of_two_masters),
		TEST(session_of_a_derived_key_outlives_a_restart),
	};

	return cmocka_run_group_tests_name("session_keys", tests, NULL, NULL);
}
