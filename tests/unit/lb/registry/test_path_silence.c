/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A path that is silent together with its agent's heartbeats proves nothing; beside heartbeats that are answered it does. */
#include "registry_world.h"

#define FARMS 200u /* histories of losses */

/* web1, up, with a path. */
static struct world_agent *open_agent(struct world *world)
{
	struct world_agent *agent;

	world->services[0].path = REGISTRY_PATH_TCP;
	world->services[0].path_port = 80;
	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(1000));
	assert_true(world_path_result(world, "web1", 0, REGISTRY_PATH_OK, MS(1)));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_UP);
	return agent;
}

/* Probes that began so long ago have ended. */
static void silences(struct world *world, uint64_t age_us, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		(void)world_path_result(world, "web1", 0, REGISTRY_PATH_NO_ANSWER, age_us);
}

/* Until so many heartbeats in a row are unanswered, and a moment more. */
static void miss_heartbeats(struct world *world, struct world_agent *agent, uint32_t n)
{
	agent->answers = false;
	while (world_backend(world, "web1")->heartbeats_missed + 1 < n)
		world_pass(world, MS(10));
	world_pass(world, MS(300));
}

static void assert_is_well(const struct world *world)
{
	const struct backend *backend = world_backend(world, "web1");
	struct registry_check_view view;

	assert_int_equal(backend->state, BACKEND_UP);
	assert_string_equal(backend->reason, "");
	assert_true(registry_path_view(world->registry, backend, &world->services[0], 0, &view));
	assert_true(view.ok);
	assert_string_equal(view.reason.text, "");
}

static void registry_excuses_a_path_that_is_silent_as_its_agent_is(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = open_agent(world);

	miss_heartbeats(world, agent, 1);
	silences(world, MS(100), 9);
	assert_is_well(world);
	/* What was answered is no silence. */
	(void)world_path_result(world, "web1", 0, REGISTRY_PATH_REFUSED, MS(100));
	(void)world_path_result(world, "web1", 0, REGISTRY_PATH_REFUSED, MS(100));
	assert_is_well(world);
	(void)world_path_result(world, "web1", 0, REGISTRY_PATH_REFUSED, MS(100));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_DOWN);
}

static void registry_excuses_no_path_in_whose_time_its_agent_was_heard(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = open_agent(world);

	miss_heartbeats(world, agent, 1);
	silences(world, MS(600), 2);
	assert_is_well(world);
	silences(world, MS(600), 1);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_DOWN);
	assert_non_null(strstr(
		world_backend(world, "web1")->reason, "path: no answer for 198.51.100.10:80"));
}

static void registry_goes_on_counting_after_an_excused_silence(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = open_agent(world);

	silences(world, MS(100), 2);
	miss_heartbeats(world, agent, 1);
	silences(world, MS(100), 9);
	assert_is_well(world);
	agent->answers = true;
	world_pass(world, MS(300));
	assert_is_well(world);
	silences(world, MS(100), 1);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_DOWN);
}

static void registry_excuses_requests_that_are_silent_alike(void **state)
{
	static const struct registry_request health = { "http://web/health", "/health", 80 };
	struct world *world = *state;
	struct registry_path_result mute = { .verdict = REGISTRY_PATH_OK, .check = 1 };
	struct world_agent *agent;

	agent = open_agent(world);
	world->services[0].requests = &health;
	world->services[0].n_requests = 1;
	world_configure(world);
	mute.backend = agent->id;
	mute.service = world->services[0].id;
	mute.began_us = world->now_us;
	(void)registry_path_result(world->registry, &mute, world->now_us);
	miss_heartbeats(world, agent, 1);
	mute.verdict = REGISTRY_PATH_MUTE;
	mute.began_us = world->now_us - MS(100);
	for (int i = 0; i < 9; i++)
		(void)registry_path_result(world->registry, &mute, world->now_us);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_UP);
	/* In its time the agent was heard. */
	mute.began_us = world->now_us - MS(600);
	for (int i = 0; i < 3; i++)
		(void)registry_path_result(world->registry, &mute, world->now_us);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_DOWN);
	world_drain_actions(world);
}

/* As fast as ever, whatever the times: its heartbeats are answered. */
static void registry_fails_a_dead_path_of_an_agent_that_answers(void **state)
{
	static const uint64_t timeouts_us[] = { MS(100), MS(300), MS(1000), MS(5000) };

	ARRAY_FOREACH (timeout_us, timeouts_us, ARRAY_LEN(timeouts_us)) {
		struct world *world = *state;

		world_close(world);
		world_open(world);
		open_agent(world);
		for (unsigned int i = 0; i < 3; i++) {
			assert_is_well(world);
			world_pass(world, *timeout_us);
			silences(world, *timeout_us, 1);
		}
		assert_int_equal(world_backend(world, "web1")->state, BACKEND_DOWN);
	}
}

/* How many probes it takes; it may have been taken out by its heartbeats before. */
static unsigned int probes_until_down(
	struct world *world, uint64_t seed, uint64_t interval_us, uint64_t timeout_us)
{
	unsigned int n = 0;

	world_close(world);
	world_open(world);
	open_agent(world);
	world->dice = seed;
	world->lost_percent = 20;
	while (world_backend(world, "web1")->state == BACKEND_UP) {
		world_pass(world, interval_us);
		silences(world, timeout_us, 1);
		n++;
	}
	return n;
}

/* See proves_nothing() in path.c. */
static void registry_fails_a_dead_path_while_heartbeats_are_lost_too(void **state)
{
	static const struct {
		uint64_t interval_us, timeout_us;
		unsigned int most, most_in_all;
	} cases[] = {
		{ MS(2000), MS(1000), 3, FARMS * 3 },
		{ MS(300), MS(100), 12, FARMS * 3 * 100 / 64 },
	};

	ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
		unsigned int in_all = 0, most = 0;

		for (uint64_t seed = 1; seed <= FARMS; seed++) {
			unsigned int n = probes_until_down(
				*state, seed << 40, one->interval_us, one->timeout_us);

			in_all += n;
			most = MAX(most, n);
		}
		assert_true(in_all <= one->most_in_all);
		assert_true(most <= one->most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)
		FACT(registry_excuses_a_path_that_is_silent_as_its_agent_is),
		FACT(registry_excuses_no_path_in_whose_time_its_agent_was_heard),
		FACT(registry_goes_on_counting_after_an_excused_silence),
		FACT(registry_excuses_requests_that_are_silent_alike),
		FACT(registry_fails_a_dead_path_of_an_agent_that_answers),
		FACT(registry_fails_a_dead_path_while_heartbeats_are_lost_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
