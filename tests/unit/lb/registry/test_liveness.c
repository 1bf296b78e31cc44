/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What agents say of themselves: worse words at once, better ones too, and both of one that flaps.
 */
#include "lb/registry/detection.h"
#include "registry_world.h"

#define assert_state(world, name, wanted) \
	assert_string_equal(backend_state_name(world_backend(world, name)->state), wanted)
#define assert_reason(world, name, part) \
	assert_non_null(strstr(world_backend(world, name)->reason, part))
/* The longest wait for a better word: rise << (REGISTRY_FLAPS_MAX - 1) answers, none later than an interval. */
#define LONGEST_US MS(32 * 300)

/* `worse`, then up, `times` times in each millisecond for so long; the last word is up. */
static void flood(struct world *world, enum proto_state worse, uint32_t times, uint64_t ms)
{
	world->n_states = world->n_changed = world->n_urgent = 0;
	for (uint64_t i = 0; i < ms; i++) {
		for (uint32_t k = 0; k < times; k++) {
			world_say(world, &world->agents[0], worse, "flips");
			assert_int_not_equal(world_backend(world, "web01")->state, BACKEND_UP);
			world_say(world, &world->agents[0], PROTO_STATE_UP, "");
		}
		world_pass(world, MS(1));
	}
}

static void registry_takes_a_single_drain_back_at_once(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	world_say(world, &world->agents[0], PROTO_STATE_DRAIN, "stops");
	assert_state(world, "web01", "drain");
	world_say(world, &world->agents[0], PROTO_STATE_UP, "");
	assert_state(world, "web01", "up");
	assert_string_equal(world_backend(world, "web01")->reason, "");
}

static void registry_holds_back_better_words_of_one_that_flaps(void **state)
{
	static const enum proto_state worse[] = { PROTO_STATE_DRAIN, PROTO_STATE_MAINT };
	struct world *world = *state;

	world_farm(world, 2);
	for (size_t i = 0; i < ARRAY_LEN(worse); i++) {
		flood(world, worse[i], 1, 2000);
		/* The first time out, in, and out again. */
		assert_true(world->n_states <= 3);
		assert_true(world->n_urgent <= 3);
		assert_true(world->n_changed <= 4);
		assert_state(world, "web01", proto_state_name(worse[i]));
		assert_reason(world, "web01", "agent: flips; up again in ");
		assert_reason(world, "web01", " s: it flapped");
		assert_int_equal(world_backend(world, "web01")->flaps, REGISTRY_FLAPS_MAX);
		world_pass(world, MS(1000));
		assert_int_not_equal(world_backend(world, "web01")->state, BACKEND_UP);
		/* The last word wins in the end, and what it was is forgiven with time. */
		world_pass(world, LONGEST_US);
		assert_state(world, "web01", "up");
		assert_string_equal(world_backend(world, "web01")->reason, "");
		world_pass(world, REGISTRY_FLAPS_MAX * (REGISTRY_FLAP_FADE_US + MS(1)));
		assert_int_equal(world_backend(world, "web01")->flaps, 0);
		world_say(world, &world->agents[0], PROTO_STATE_DRAIN, "stops");
		world_say(world, &world->agents[0], PROTO_STATE_UP, "");
		assert_state(world, "web01", "up");
		world_pass(world, REGISTRY_FLAP_FADE_US + MS(1));
	}
}

/* A drain, up again, and so on: each time it has to wait longer, though it always waits until it is up. */
static void registry_doubles_the_wait_for_each_flap(void **state)
{
	static const uint64_t at_least_ms[] = { 0, 200, 700, 1700, 3500, 7000, 7000 };
	struct world *world = *state;

	world_farm(world, 2);
	for (size_t i = 0; i < ARRAY_LEN(at_least_ms); i++) {
		uint64_t from_us;

		world_say(world, &world->agents[0], PROTO_STATE_DRAIN, "stops");
		assert_state(world, "web01", "drain");
		world_say(world, &world->agents[0], PROTO_STATE_UP, "");
		from_us = world->now_us;
		while (world_backend(world, "web01")->state != BACKEND_UP)
			world_pass(world, MS(10));
		assert_in_range(world->now_us - from_us, MS(at_least_ms[i]),
			MAX(2 * MS(at_least_ms[i]), MS(1)));
	}
}

/* What only goes from bad to worse does not flap; worse words are in force at once while others are held back. */
static void registry_takes_worse_words_at_once_from_one_that_flaps(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 2);
	agent = &world->agents[0];
	flood(world, PROTO_STATE_DRAIN, 1, 100);
	world_say(world, agent, PROTO_STATE_MAINT, "disabled");
	assert_state(world, "web01", "maint");
	world_say(world, agent, PROTO_STATE_DRAIN, "stops");
	assert_state(world, "web01", "maint");
	assert_reason(world, "web01", "agent: disabled; drain again in ");
	world_say(world, agent, PROTO_STATE_DOWN, "nginx.service is not active");
	assert_state(world, "web01", "down");
	world_say(world, agent, PROTO_STATE_UP, "");
	assert_state(world, "web01", "down");
	world_pass(world, 3 * LONGEST_US);
	assert_state(world, "web01", "up");
}

/* A drain of a while has had its answers: it ends at once, also of one that flapped before. */
static void registry_holds_nobody_back_after_a_long_drain(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	flood(world, PROTO_STATE_DRAIN, 1, 100);
	world_say(world, &world->agents[0], PROTO_STATE_DRAIN, "stops");
	world_pass(world, LONGEST_US);
	world_say(world, &world->agents[0], PROTO_STATE_UP, "");
	assert_state(world, "web01", "up");
}

static void registry_holds_back_weights_and_vips_too(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	struct proto_status *status;

	world_service(world, 1, "mail", "198.51.100.20");
	world_configure(world);
	agent = world_agent(world, "web01", 11, "198.51.100.10");
	status = &agent->reg.status;
	agent->reg.vips[1] = world_addr("198.51.100.20");
	status->n_vips = 2;
	status->vips[1] = status->vips[0];
	status->weight = 5;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	world->n_changed = 0;
	for (unsigned int i = 0; i < 1000; i++) {
		status->weight = i % 2 ? 5 : 0;
		status->vips[1].present = i % 2;
		world_update(world, agent);
		if (i % 2 == 0)
			assert_int_equal(world_effective(world, "web01"), 0);
	}
	assert_true(world->n_changed <= 3);
	assert_false(world_serves(world, "web01", 1));
	assert_reason(world, "web01", "VIP 198.51.100.20 is missing");
	assert_reason(world, "web01", "; better again in ");
	world_pass(world, LONGEST_US);
	assert_int_equal(world_effective(world, "web01"), 5);
	assert_true(world_serves(world, "web01", 1));
}

/* A REGISTER says the same as a report, and a new session is no way around. */
static void registry_holds_back_what_a_new_session_says(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 2);
	agent = &world->agents[0];
	world->n_states = 0;
	for (unsigned int i = 0; i < 100; i++) {
		agent->reg.status.state = i % 2 ? PROTO_STATE_UP : PROTO_STATE_DRAIN;
		assert_int_equal(world_register(world, agent).r, 0);
	}
	assert_true(world->n_states <= 3);
	assert_state(world, "web01", "drain");
	world_pass(world, LONGEST_US);
	assert_state(world, "web01", "up");
}

/* Twenty minutes of 64 agents behind a link that loses one frame in five, each way. */
static void registry_calls_nobody_silent_for_loss(void **state)
{
	struct world *world = *state;

	world->config.fall = 5;
	world_configure(world);
	world_farm(world, 64);
	world->n_states = 0;
	world->lost_percent = 20;
	world_pass(world, MS(20 * 60 * 1000));
	assert_int_equal(world->n_states, 0);
}

/* One that answers is asked once in an interval, one that died so often until it is called silent, then slowly. */
static void registry_repeats_what_was_not_answered(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	world->agents[1].answers = world->agents[1].host_answers = false;
	world_pass(world, MS(10000));
	world->agents[0].answers = world->agents[0].host_answers = false;
	world->n_heartbeats = 0;
	world_pass(world, MS(850));
	assert_state(world, "web01", "down");
	assert_in_range(world->n_heartbeats, 3 + 2 * (DETECTION_REPEATS - 1) - 1,
		3 + 2 * DETECTION_REPEATS + 2);
	assert_int_equal(world_backend(world, "web01")->heartbeats_missed, 3);
}

/* An interface of several is lost: its backends are down at once, and proven anew when it is back. */
static void registry_takes_down_what_an_interface_is_cut_off_from(void **state)
{
	struct world *world = *state;
	uint16_t id;

	world_farm(world, 4);
	id = world_backend(world, "web01")->id;
	assert_true(registry_cut(world->registry, id, "interface eth2 is down", world->now_us));
	assert_false(registry_cut(world->registry, id, "interface eth2 is down", world->now_us));
	assert_state(world, "web01", "down");
	assert_string_equal(world_backend(world, "web01")->reason, "interface eth2 is down");
	assert_false(world_backend(world, "web01")->takes_flows);
	assert_state(world, "web02", "up");
	/* Its silence is no news, and nothing that it would be kept for. */
	world->agents[1].answers = world->agents[1].host_answers = false;
	world_pass(world, MS(5000));
	assert_state(world, "web01", "down");
	assert_string_equal(world_backend(world, "web01")->reason, "interface eth2 is down");
	assert_int_equal(world_backend(world, "web01")->flaps, 0);
	world->agents[1].answers = world->agents[1].host_answers = true;
	assert_true(registry_cut(world->registry, id, "", world->now_us));
	assert_state(world, "web01", "down");
	world_pass(world, MS(3000));
	assert_state(world, "web01", "up");
}

/* Tables say who passes on, so a change is published; words that flap are not, however often they do. */
static void registry_publishes_who_passes_on(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web01", 11, "198.51.100.10");
	bool *said = &agent->reg.status.second_chance;

	world_configure(world);
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	world->n_changed = 0;
	world_update(world, agent);
	assert_int_equal(world->n_changed, 0);
	*said = true;
	world_update(world, agent);
	assert_int_equal(world->n_changed, 1);
	assert_true(world_backend(world, "web01")->status.second_chance);
	world_update(world, agent);
	assert_int_equal(world->n_changed, 1);
	*said = false;
	world_update(world, agent);
	assert_int_equal(world->n_changed, 2);
	assert_false(world_backend(world, "web01")->status.second_chance);
	for (unsigned int i = 0; i < 1000; i++) {
		*said = i % 2 == 0;
		world_update(world, agent);
	}
	assert_true(world->n_changed <= 4);
	world_pass(world, LONGEST_US);
	*said = true;
	world_update(world, agent);
	assert_true(world_backend(world, "web01")->status.second_chance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		FACT(registry_takes_a_single_drain_back_at_once),
		FACT(registry_holds_back_better_words_of_one_that_flaps),
		FACT(registry_doubles_the_wait_for_each_flap),
		FACT(registry_takes_worse_words_at_once_from_one_that_flaps),
		FACT(registry_holds_nobody_back_after_a_long_drain),
		FACT(registry_holds_back_weights_and_vips_too),
		FACT(registry_publishes_who_passes_on),
		FACT(registry_holds_back_what_a_new_session_says),
		FACT(registry_calls_nobody_silent_for_loss),
		FACT(registry_repeats_what_was_not_answered),
		FACT(registry_takes_down_what_an_interface_is_cut_off_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
