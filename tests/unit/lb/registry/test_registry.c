/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of agents' backends: proof, heartbeats, silence, coming back, and what administrators say.
 */
#include "registry_world.h"

#define assert_state(world, name, wanted) \
	assert_string_equal(backend_state_name(world_backend(world, name)->state), wanted)
#define assert_reason(world, name, part) \
	assert_non_null(strstr(world_backend(world, name)->reason, part))

static void registry_starts_an_agent_pending(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");

	agent->answers = false;
	assert_int_equal(world_register(world, agent).r, 0);
	assert_state(world, "web1", "pending");
	assert_reason(world, "web1", "no heartbeat answered");
	assert_int_equal(world_effective(world, "web1"), 0);
	assert_false(world_backend(world, "web1")->takes_flows);
}

static void registry_takes_one_good_answer_as_first_proof(void **state)
{
	struct world *world = *state;

	world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(1));
	assert_int_equal(world->n_heartbeats, 1);
	assert_state(world, "web1", "up");
	assert_string_equal(world_backend(world, "web1")->reason, "");
	assert_int_equal(world_effective(world, "web1"), 1);
	assert_int_equal(world->last_state.old_state, BACKEND_PENDING);
	assert_int_equal(world->last_state.new_state, BACKEND_UP);
}

static void registry_takes_no_update_as_proof(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");

	agent->answers = false;
	assert_int_equal(world_register(world, agent).r, 0);
	world_update(world, agent);
	assert_state(world, "web1", "pending");
}

static void registry_wants_the_vip_present_and_silent(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");

	agent->reg.status.vips[0].present = false;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	assert_state(world, "web1", "pending");
	assert_reason(world, "web1", "VIP 198.51.100.10 is missing");
	agent->reg.status.vips[0] = (struct proto_vip_status){ .present = true };
	world_pass(world, MS(1000));
	assert_state(world, "web1", "pending");
	assert_reason(world, "web1", "not silent");
	agent->reg.status.vips[0].silent = true;
	world_pass(world, MS(300));
	assert_state(world, "web1", "up");
}

static void registry_excludes_a_bad_vip_alone(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	const struct backend *backend;

	world_service(world, 1, "mail", "198.51.100.20");
	world_configure(world);
	agent = world_agent(world, "web1", 11, "198.51.100.10");
	agent->reg.vips[1] = world_addr("198.51.100.20");
	agent->reg.status.n_vips = 2;
	agent->reg.status.vips[1].present = true;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	assert_state(world, "web1", "up");
	assert_reason(world, "web1", "VIP 198.51.100.20 is not silent");
	backend = world_backend(world, "web1");
	assert_true(world_serves(world, "web1", 0));
	assert_false(world_serves(world, "web1", 1));
	assert_true(world_is_member(world, backend, &world->services[1]));
	agent->reg.status.vips[1].silent = true;
	world->n_changed = 0;
	world_update(world, agent);
	assert_int_equal(world->n_changed, 1);
	assert_true(world_serves(world, "web1", 1));
	assert_string_equal(backend->reason, "");
}

/* Intervals from 50 ms to 60 s, fall from 1 to 20: in time, and not before `fall` heartbeats. */
static void registry_finds_silence_within_fall_intervals(void **state)
{
	static const uint32_t falls[] = { 1, 2, 3, 5, 20 };
	static const uint64_t intervals_us[] = { MS(50), MS(300), MS(60000) };
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(falls) * ARRAY_LEN(intervals_us); i++) {
		uint32_t fall = falls[i % ARRAY_LEN(falls)];
		uint64_t interval_us = intervals_us[i / ARRAY_LEN(falls)];
		struct world_agent *agent;

		world_close(world);
		world_open(world);
		world->config.fall = fall;
		world->config.interval_us = interval_us;
		world_configure(world);
		agent = world_join(world, "web1", 11, "198.51.100.10");
		world_join(world, "web2", 12, "198.51.100.10");
		world_join(world, "web3", 13, "198.51.100.10");
		world_pass(world, 10 * interval_us + i * 1234);
		assert_state(world, "web1", "up");
		agent->answers = false;
		while (world_backend(world, "web1")->state == BACKEND_UP)
			world_pass(world, interval_us / 100);
		assert_state(world, "web1", "down");
		assert_true(world->now_us - world_backend(world, "web1")->heard_us <
			fall * interval_us);
		assert_in_range(world_backend(world, "web1")->heartbeats_missed, fall, 2 * fall);
		assert_reason(world, "web1", "no answer to");
		assert_true(world->n_urgent > 0);
		assert_state(world, "web2", "up");
	}
}

static void registry_sends_heartbeats_with_jitter(void **state)
{
	struct world *world = *state;
	uint64_t before_us = 0, least_us = UINT64_MAX, most_us = 0;

	world_join(world, "web1", 11, "198.51.100.10");
	for (size_t i = 0; i < 2000; i++) {
		uint64_t sent_us = world_backend(world, "web1")->sent_us;

		if (before_us && sent_us != before_us) {
			least_us = MIN(least_us, sent_us - before_us);
			most_us = MAX(most_us, sent_us - before_us);
		}
		before_us = sent_us;
		world_pass(world, MS(50));
	}
	assert_in_range(least_us, MS(225), MS(235));
	assert_in_range(most_us, MS(260), MS(270));
}

static void registry_sends_heartbeats_of_many_together(void **state)
{
	struct world *world = *state;
	uint64_t next_us = world->now_us;
	uint32_t n_wakes = 0;

	world_farm(world, 60);
	world->n_heartbeats = 0;
	for (uint64_t end_us = world->now_us + MS(3000); next_us < end_us; n_wakes++) {
		registry_tick(world->registry, world->now_us);
		world_drain_actions(world);
		next_us = registry_tick(world->registry, world->now_us);
		world_drain_actions(world);
		world->now_us = next_us;
	}
	/* Each as often as alone; but there is one wake-up for all of some milliseconds. */
	assert_in_range(world->n_heartbeats, 60 * 10, 60 * 14);
	assert_true(2 * n_wakes < world->n_heartbeats);
}

static void registry_knows_what_a_backend_belongs_to(void **state)
{
	struct world *world = *state;
	const struct backend *backend;
	struct addr address = world_addr("192.0.2.11");

	world_service(world, 1, "dns", "198.51.100.11");
	world_service(world, 2, "web-tls", "198.51.100.10");
	world_configure(world);
	world_farm(world, 1);
	backend = registry_find_address(world->registry, &address);
	assert_ptr_equal(backend, world_backend(world, "web01"));
	assert_ptr_equal(registry_backend_by_address(world->registry, 0), backend);
	assert_null(registry_backend_by_address(world->registry, 1));
	assert_int_equal(registry_memberships(world->registry, backend), 2);
	for (size_t i = 0; i < 2; i++) {
		struct registry_member member = registry_membership(world->registry, backend, i);

		assert_int_equal(member.service, i ? 3 : 1);
		assert_int_equal(member.vip, 0);
		assert_true(member.serves);
		assert_int_equal(member.ramp_percent, 100);
	}
	assert_true(world_is_member(world, backend, &world->services[2]));
	assert_false(world_is_member(world, backend, &world->services[1]));
	address.bytes[3] = 99;
	assert_null(registry_find_address(world->registry, &address));
}

static void registry_counts_missed_heartbeats_until_one_is_answered(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 3);
	agent = &world->agents[0];
	agent->answers = false;
	while (world_backend(world, "web01")->heartbeats_missed == 0)
		world_pass(world, MS(10));
	assert_int_equal(world_backend(world, "web01")->heartbeats_missed, 1);
	assert_state(world, "web01", "up");
	agent->answers = true;
	world_pass(world, MS(300));
	assert_int_equal(world_backend(world, "web01")->heartbeats_missed, 0);
	assert_state(world, "web01", "up");
}

static void registry_wants_rise_answers_to_come_back(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 3);
	agent = &world->agents[0];
	agent->answers = false;
	world_pass(world, MS(2000));
	assert_state(world, "web01", "down");
	registry_report(world->registry, agent->id, &agent->reg.status, 100, world->now_us);
	world_drain_actions(world);
	assert_state(world, "web01", "down");
	assert_reason(world, "web01", "1 of 2");
	registry_report(world->registry, agent->id, &agent->reg.status, 100, world->now_us);
	world_drain_actions(world);
	assert_state(world, "web01", "up");
}

/* Answers from silence to up. */
static uint32_t answers_to_return(struct world *world, struct world_agent *agent)
{
	uint32_t answers = 0;

	agent->answers = false;
	world_pass(world, MS(2000));
	assert_int_equal(registry_backend(world->registry, agent->id)->state, BACKEND_DOWN);
	while (registry_backend(world->registry, agent->id)->state != BACKEND_UP) {
		registry_report(world->registry, agent->id, &agent->reg.status, 100, world->now_us);
		world_drain_actions(world);
		answers++;
	}
	agent->answers = true;
	world_pass(world, MS(300));
	return answers;
}

static void registry_doubles_rise_for_flapping_up_to_a_cap(void **state)
{
	static const uint32_t wanted[] = { 2, 4, 8, 16, 32, 64, 64, 64 };
	struct world *world = *state;

	world_farm(world, 3);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_int_equal(answers_to_return(world, &world->agents[0]), wanted[i]);
	assert_int_equal(world_backend(world, "web01")->flaps, REGISTRY_FLAPS_MAX);
	world_pass(world, REGISTRY_FLAPS_MAX * (REGISTRY_FLAP_FADE_US + MS(1)));
	assert_int_equal(world_backend(world, "web01")->flaps, 0);
	assert_int_equal(answers_to_return(world, &world->agents[0]), 2);
}

static void registry_acts_on_an_announced_failure_at_once(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 1);
	agent = &world->agents[0];
	world->n_urgent = 0;
	world_say(world, agent, PROTO_STATE_DOWN, "nginx.service is not active");
	assert_state(world, "web01", "down");
	assert_reason(world, "web01", "nginx.service is not active");
	assert_false(world_backend(world, "web01")->kept);
	assert_int_equal(world_effective(world, "web01"), 0);
	assert_int_equal(world->n_urgent, 1);
	world_say(world, agent, PROTO_STATE_UP, "");
	assert_state(world, "web01", "down");
	world_pass(world, MS(700));
	assert_state(world, "web01", "up");
}

static void registry_follows_drain_and_maint_of_the_agent(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 2);
	agent = &world->agents[0];
	world_say(world, agent, PROTO_STATE_DRAIN, "stops");
	assert_state(world, "web01", "drain");
	assert_true(world_backend(world, "web01")->takes_flows);
	assert_int_equal(world_effective(world, "web01"), 0);
	world_say(world, agent, PROTO_STATE_MAINT, "disabled on the host");
	assert_state(world, "web01", "maint");
	assert_false(world_backend(world, "web01")->takes_flows);
	world_say(world, agent, PROTO_STATE_UP, "");
	assert_state(world, "web01", "up");
}

static void registry_ends_drain_after_the_longest_timeout(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_service(world, 1, "dns", "198.51.100.10");
	world->services[1].drain_timeout_us = MS(9000);
	world_configure(world);
	world_farm(world, 2);
	agent = &world->agents[0];
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_DRAIN, world->now_us), 0);
	world_drain_actions(world);
	assert_state(world, "web01", "drain");
	assert_reason(world, "web01", "administrator");
	world_pass(world, MS(8999));
	assert_true(world_backend(world, "web01")->takes_flows);
	world->n_urgent = 0;
	world_pass(world, MS(1));
	assert_false(world_backend(world, "web01")->takes_flows);
	assert_int_equal(world->n_urgent, 1);
	assert_state(world, "web01", "drain");
	assert_int_equal(
		registry_admin(world->registry, "192.0.2.11", BACKEND_ADMIN_NONE, world->now_us),
		0);
	world_drain_actions(world);
	assert_state(world, "web01", "up");
	assert_true(agent->answers);
}

static void registry_puts_maint_over_everything(void **state)
{
	struct world *world = *state;

	world_farm(world, 3);
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_MAINT, world->now_us), 0);
	world_drain_actions(world);
	assert_state(world, "web01", "maint");
	world->agents[0].answers = false;
	world_pass(world, MS(2000));
	assert_state(world, "web01", "maint");
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_NONE, world->now_us), 0);
	world_drain_actions(world);
	assert_state(world, "web01", "down");
	assert_int_equal(
		registry_admin(world->registry, "nobody", BACKEND_ADMIN_NONE, world->now_us),
		-ENOENT);
}

static void registry_weighs_by_verb_before_the_agent(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	world->agents[0].reg.status.weight = 7;
	world_pass(world, MS(300));
	assert_int_equal(world_effective(world, "web01"), 7);
	assert_int_equal(world_say_weight(world, "web01", NULL, "65535"), 0);
	assert_int_equal(world_say_weight(world, "web01", NULL, "65536"), -EINVAL);
	assert_int_equal(world_say_weight(world, "nobody", NULL, "1"), -ENOENT);
	world_pass(world, MS(300));
	assert_int_equal(world_effective(world, "web01"), 65535);
	assert_int_equal(world_say_weight(world, "web01", NULL, "0"), 0);
	world_pass(world, MS(300));
	assert_state(world, "web01", "up");
	assert_int_equal(world_effective(world, "web01"), 0);
	assert_true(world_backend(world, "web01")->takes_flows);
}

static uint32_t ramp_of(const struct world *world, const char *name, size_t service)
{
	return world_member(world, name, service).ramp_percent;
}

static void registry_starts_backends_slowly(void **state)
{
	struct world *world = *state;
	uint64_t began_us;
	uint32_t before = 20, n_changed, n_steps = 0;

	world_service(world, 1, "at-once", "198.51.100.10");
	world->services[0].slow_start_us = MS(100000);
	world_configure(world);
	world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(1000));
	assert_state(world, "web1", "up");
	assert_int_equal(ramp_of(world, "web1", 0), 20);
	assert_int_equal(ramp_of(world, "web1", 1), 100);
	assert_int_equal(world_effective(world, "web1"), 1);
	began_us = world_backend(world, "web1")->since_us;
	n_changed = world->n_changed;
	while (ramp_of(world, "web1", 0) < 100) {
		uint64_t age_us;
		uint32_t percent;

		world_pass(world, MS(100));
		age_us = world->now_us - began_us;
		percent = ramp_of(world, "web1", 0);
		n_steps += percent != before;
		/* On the line, or less than a step below it. */
		assert_true(percent <= 20 + 80 * age_us / MS(100000));
		assert_true(percent + 4 >= 20 + 80 * age_us / MS(100000));
		assert_true(percent >= before);
		before = percent;
	}
	assert_in_range(world->now_us - began_us, MS(100000), MS(100100));
	assert_int_equal(n_steps, REGISTRY_RAMP_STEPS_MAX);
	/* As many tables, and none afterwards. */
	assert_int_equal(world->n_changed - n_changed, n_steps);
	world_pass(world, MS(100000));
	assert_int_equal(world->n_changed - n_changed, n_steps);
}

static void registry_starts_slowly_whenever_a_backend_becomes_up(void **state)
{
	struct world *world = *state;

	world->services[0].slow_start_us = MS(10000);
	world_configure(world);
	world_farm(world, 1);
	world_pass(world, MS(10000));
	assert_int_equal(ramp_of(world, "web01", 0), 100);
	world_say(world, &world->agents[0], PROTO_STATE_DOWN, "oops");
	world_say(world, &world->agents[0], PROTO_STATE_UP, "");
	world_pass(world, MS(3000));
	assert_state(world, "web01", "up");
	assert_in_range(ramp_of(world, "web01", 0), 20, 44);
	world_pass(world, MS(10000));
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_DRAIN, world->now_us), 0);
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_NONE, world->now_us), 0);
	assert_int_equal(ramp_of(world, "web01", 0), 20);
	/* A reload without it ends it. */
	world->services[0].slow_start_us = 0;
	world_configure(world);
	assert_int_equal(ramp_of(world, "web01", 0), 100);
}

static void registry_takes_back_at_once_whom_it_kept(void **state)
{
	struct world *world = *state;

	world->services[0].slow_start_us = MS(10000);
	world_configure(world);
	world_farm(world, 3);
	world_pass(world, MS(10000));
	for (size_t i = 0; i < 3; i++)
		world->agents[i].answers = false;
	world_pass(world, MS(1500));
	assert_true(world_backend(world, "web01")->kept);
	for (size_t i = 0; i < 3; i++)
		world->agents[i].answers = true;
	world_pass(world, MS(3000));
	assert_state(world, "web01", "up");
	assert_int_equal(ramp_of(world, "web01", 0), 100);
}

static void registry_goes_on_with_a_slow_start_over_a_restart(void **state)
{
	struct world *world = *state;
	struct backend kept;

	world->services[0].slow_start_us = MS(10000);
	world_configure(world);
	world_farm(world, 1);
	world_pass(world, MS(5000));
	kept = *world_backend(world, "web01");
	assert_int_equal(agent_status_copy(&kept.status, &kept.status), 0);
	registry_free(world->registry);
	world->registry = registry_new(43);
	assert_int_equal(registry_restore(world->registry, &kept, world->now_us), 0);
	agent_status_clear(&kept.status);
	world_configure(world);
	assert_in_range(ramp_of(world, "web01", 0), 60, 76);
}

static void registry_forgets_who_leaves(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	world->n_urgent = 0;
	registry_leave(world->registry, world->agents[0].id, world->now_us);
	world_drain_actions(world);
	assert_null(registry_find(world->registry, "web01"));
	assert_null(registry_find(world->registry, "192.0.2.11"));
	assert_int_equal(world->n_forgotten, 1);
	assert_int_equal(world->n_urgent, 1);
	assert_int_equal(registry_len(world->registry), 1);
}

static void registry_remembers_wishes_over_a_leave(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	registry_admin(world->registry, "web01", BACKEND_ADMIN_DRAIN, world->now_us);
	world_say_weight(world, "web01", NULL, "9");
	registry_leave(world->registry, world->agents[0].id, world->now_us);
	world_drain_actions(world);
	assert_int_equal(world_register(world, &world->agents[0]).r, 0);
	world_pass(world, MS(1));
	assert_state(world, "web01", "drain");
	assert_int_equal(world_weight(world, "web01"), 9);
	registry_leave(world->registry, world->agents[0].id, world->now_us);
	/* The override can be taken back while it is away. */
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_NONE, world->now_us), 0);
	assert_int_equal(world_register(world, &world->agents[0]).r, 0);
	world_pass(world, MS(1));
	assert_state(world, "web01", "up");
}

static void registry_keeps_the_state_of_a_new_session(void **state)
{
	struct world *world = *state;
	uint16_t id;

	world_farm(world, 2);
	id = world->agents[0].id;
	world->n_states = 0;
	assert_int_equal(world_register(world, &world->agents[0]).r, 0);
	assert_state(world, "web01", "up");
	assert_int_equal(world->agents[0].id, id);
	assert_int_equal(world->n_states, 0);
}

static void registry_extends_deadlines_when_stalled(void **state)
{
	struct world *world = *state;

	world_farm(world, 4);
	for (size_t i = 0; i < 4; i++)
		world->agents[i].answers = false;
	world_pass(world, MS(500));
	world->now_us += MS(10000);
	registry_stalled(world->registry, MS(10000), world->now_us);
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
	assert_state(world, "web01", "up");
	for (size_t i = 0; i < 4; i++)
		world->agents[i].answers = true;
	world_pass(world, MS(290));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			registry_backend(world->registry, world->agents[i].id)->state, BACKEND_UP);
}

static void registry_fails_nobody_whom_it_did_not_ask(void **state)
{
	struct world *world = *state;

	world_farm(world, 4);
	/* A late tick, of which nobody told. */
	world->now_us += MS(5000);
	world_pass(world, MS(300));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			registry_backend(world->registry, world->agents[i].id)->state, BACKEND_UP);
}

static void registry_ignores_reports_of_strangers(void **state)
{
	struct world *world = *state;
	struct proto_status status = { .state = PROTO_STATE_UP, .weight = 1 };
	struct mac mac = world_mac(9);
	struct addr address = world_addr("192.0.2.99");

	registry_report(world->registry, 77, &status, 1, world->now_us);
	registry_leave(world->registry, 77, world->now_us);
	registry_check_result(world->registry,
		&(struct registry_check_result){
			.backend = 77, .port = 80, .outcome = REGISTRY_CHECK_OK },
		world->now_us);
	registry_neighbour(world->registry, &address, &mac, world->now_us);
	world_drain_actions(world);
	assert_int_equal(registry_len(world->registry), 0);
}

static void registry_believes_no_neighbour_table_about_an_agent(void **state)
{
	struct world *world = *state;
	struct mac mac, forged = world_mac(99), none = { 0 };

	world_farm(world, 1);
	mac = world_backend(world, "web01")->mac;
	world->n_urgent = 0;
	/* Twice: and a heartbeat is answered while the table says so. */
	for (unsigned int i = 0; i < 2; i++) {
		registry_neighbour(
			world->registry, &world->agents[0].reg.real_ip, &forged, world->now_us);
		world_pass(world, MS(300));
		registry_neighbour(
			world->registry, &world->agents[0].reg.real_ip, &none, world->now_us);
		world_pass(world, MS(300));
	}
	assert_true(mac_equal(&world_backend(world, "web01")->mac, &mac));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
	assert_int_equal(world->n_urgent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		FACT(registry_starts_an_agent_pending),
		FACT(registry_takes_one_good_answer_as_first_proof),
		FACT(registry_takes_no_update_as_proof),
		FACT(registry_wants_the_vip_present_and_silent),
		FACT(registry_excludes_a_bad_vip_alone),
		FACT(registry_finds_silence_within_fall_intervals),
		FACT(registry_sends_heartbeats_with_jitter),
		FACT(registry_sends_heartbeats_of_many_together),
		FACT(registry_knows_what_a_backend_belongs_to),
		FACT(registry_counts_missed_heartbeats_until_one_is_answered),
		FACT(registry_wants_rise_answers_to_come_back),
		FACT(registry_doubles_rise_for_flapping_up_to_a_cap),
		FACT(registry_acts_on_an_announced_failure_at_once),
		FACT(registry_follows_drain_and_maint_of_the_agent),
		FACT(registry_ends_drain_after_the_longest_timeout),
		FACT(registry_puts_maint_over_everything),
		FACT(registry_weighs_by_verb_before_the_agent),
		FACT(registry_starts_backends_slowly),
		FACT(registry_starts_slowly_whenever_a_backend_becomes_up),
		FACT(registry_takes_back_at_once_whom_it_kept),
		FACT(registry_goes_on_with_a_slow_start_over_a_restart),
		FACT(registry_forgets_who_leaves),
		FACT(registry_remembers_wishes_over_a_leave),
		FACT(registry_keeps_the_state_of_a_new_session),
		FACT(registry_extends_deadlines_when_stalled),
		FACT(registry_fails_nobody_whom_it_did_not_ask),
		FACT(registry_ignores_reports_of_strangers),
		FACT(registry_believes_no_neighbour_table_about_an_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
