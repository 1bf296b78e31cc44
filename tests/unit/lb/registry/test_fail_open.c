/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When most of a virtual server falls silent at once; and restarts of the daemon, which look alike.
 */
#include "registry_world.h"

static void silence(struct world *world, size_t first, size_t n, bool silent)
{
	for (size_t i = first; i < first + n; i++)
		world->agents[i].answers = !silent;
}

static size_t count_kept(const struct world *world)
{
	size_t kept = 0;

	for (size_t i = 0; i < registry_len(world->registry); i++)
		kept += registry_backend_at(world->registry, i)->kept;
	return kept;
}

static size_t count_state(const struct world *world, enum backend_state state)
{
	size_t len = 0;

	for (size_t i = 0; i < registry_len(world->registry); i++)
		len += registry_backend_at(world->registry, i)->state == state;
	return len;
}

static void registry_keeps_all_when_most_vanish(void **state)
{
	struct world *world = *state;

	world_farm(world, 10);
	silence(world, 0, 6, true);
	world->n_urgent = 0;
	/* At no moment is one of them out of the tables. */
	for (int i = 0; i < 200; i++) {
		world_pass(world, MS(10));
		for (size_t k = 0; k < 10; k++)
			assert_true(registry_backend(world->registry, world->agents[k].id)
					    ->takes_flows);
	}
	assert_int_equal(count_kept(world), 6);
	assert_int_equal(count_state(world, BACKEND_DOWN), 6);
	assert_int_equal(world_effective(world, "web01"), 1);
	assert_non_null(strstr(world_backend(world, "web01")->reason,
		"kept: most of virtual server web vanished at once"));
	assert_true(world_serves(world, "web01", 0));
}

/* Their hosts are gone too. */
static void kill_hosts(struct world *world, size_t first, size_t n)
{
	silence(world, first, n, true);
	for (size_t i = first; i < first + n; i++)
		world->agents[i].host_answers = false;
}

static void registry_keeps_no_dead_where_another_answers(void **state)
{
	struct world *world = *state;

	world_farm(world, 10);
	kill_hosts(world, 0, 8);
	/* Whose host answers may be cut off only from us. */
	silence(world, 8, 1, true);
	world->n_probes = 0;
	world_pass(world, MS(1000));
	assert_int_equal(count_kept(world), 9);
	assert_true(world->n_probes >= 9);
	/* Two seconds after the death it is no news any more. */
	world_pass(world, MS(700));
	assert_int_equal(count_kept(world), 1);
	assert_true(world_backend(world, "web09")->kept);
	assert_false(world_backend(world, "web01")->takes_flows);
	world_pass(world, MS(5000));
	assert_int_equal(count_kept(world), 1);
	/* It is heard: all is forgotten. */
	silence(world, 0, 1, false);
	world_pass(world, MS(10000));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
}

static void registry_keeps_all_where_nobody_answers(void **state)
{
	struct world *world = *state;

	world_farm(world, 5);
	kill_hosts(world, 0, 5);
	world_pass(world, MS(7000));
	assert_int_equal(count_kept(world), 5);
	/* One is heard again: the link is well, and the others are dead. */
	silence(world, 0, 1, false);
	world_pass(world, MS(1500));
	assert_int_equal(count_kept(world), 0);
	assert_int_equal(count_state(world, BACKEND_DOWN), 4);
}

static void registry_fails_half_that_vanish(void **state)
{
	struct world *world = *state;

	world_farm(world, 10);
	silence(world, 0, 5, true);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 0);
	assert_int_equal(count_state(world, BACKEND_DOWN), 5);
}

static void registry_drops_all_where_told(void **state)
{
	struct world *world = *state;

	world->services[0].drop_on_all_down = true;
	world_configure(world);
	world_farm(world, 3);
	silence(world, 0, 3, true);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 0);
	assert_int_equal(count_state(world, BACKEND_DOWN), 3);
}

static void registry_keeps_the_last_one(void **state)
{
	struct world *world = *state;

	world_farm(world, 3);
	for (size_t i = 0; i < 3; i++) {
		silence(world, i, 1, true);
		world_pass(world, MS(20000));
	}
	assert_int_equal(count_kept(world), 1);
	assert_true(world_backend(world, "web03")->kept);
}

static void registry_ends_keeping_of_one_that_is_heard(void **state)
{
	struct world *world = *state;

	world_farm(world, 5);
	silence(world, 0, 5, true);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 5);
	silence(world, 0, 1, false);
	world_pass(world, MS(1100));
	assert_false(world_backend(world, "web01")->kept);
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
	assert_int_equal(count_kept(world), 4);
}

static void registry_never_drops_a_kept_one_on_its_way_back(void **state)
{
	struct world *world = *state;

	world_farm(world, 4);
	silence(world, 0, 4, true);
	world_pass(world, MS(5000));
	silence(world, 0, 4, false);
	for (int i = 0; i < 200; i++) {
		world_pass(world, MS(10));
		for (size_t k = 0; k < 4; k++)
			assert_true(registry_backend(world->registry, world->agents[k].id)
					    ->takes_flows);
	}
	assert_int_equal(count_state(world, BACKEND_UP), 4);
}

static void registry_ends_keeping_when_survivors_are_a_majority(void **state)
{
	struct world *world = *state;

	world_farm(world, 10);
	silence(world, 0, 7, true);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 7);
	silence(world, 0, 2, false);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 5);
	silence(world, 2, 1, false);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 0);
	assert_int_equal(count_state(world, BACKEND_DOWN), 4);
	assert_int_equal(world_backend(world, "web10")->state, BACKEND_UP);
}

static void registry_goes_on_keeping_over_a_stall(void **state)
{
	struct world *world = *state;

	world_farm(world, 10);
	silence(world, 0, 7, true);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 7);
	/* Three come back, and a majority answers; but not yet for as long as silence takes. */
	silence(world, 0, 3, false);
	world_pass(world, MS(400));
	assert_int_equal(count_kept(world), 4);
	world->now_us += MS(5000);
	registry_stalled(world->registry, MS(5000), world->now_us);
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
	assert_int_equal(count_kept(world), 4);
	world_pass(world, MS(2000));
	assert_int_equal(count_kept(world), 0);
}

/* Of an address that is away, the answer to the heartbeat before is lost, too. */
static void registry_fails_nobody_when_it_cannot_send(void **state)
{
	struct world *world = *state;

	world_farm(world, 4);
	for (size_t i = 0; i < 4; i++)
		world->agents[i].answers = false;
	world_pass(world, MS(290));
	world->cannot_send = true;
	world->n_states = 0;
	world_pass(world, MS(900));
	world->cannot_send = false;
	for (size_t i = 0; i < 4; i++)
		world->agents[i].answers = true;
	world_pass(world, MS(600));
	assert_int_equal(world->n_states, 0);
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
}

static void registry_excuses_what_it_cannot_send_for_a_while_only(void **state)
{
	struct world *world = *state;

	world_farm(world, 4);
	world->cannot_send = true;
	world_pass(world, MS(2600));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
	world_pass(world, MS(1500));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_DOWN);
}

static void registry_ends_keeping_of_one_that_is_disabled(void **state)
{
	struct world *world = *state;

	world_farm(world, 3);
	silence(world, 0, 3, true);
	world_pass(world, MS(2000));
	assert_int_equal(
		registry_admin(world->registry, "web02", BACKEND_ADMIN_MAINT, world->now_us), 0);
	world_drain_actions(world);
	assert_false(world_backend(world, "web02")->kept);
	assert_false(world_backend(world, "web02")->takes_flows);
	assert_true(world_backend(world, "web01")->kept);
	/* And of one that says that it is down. */
	world_say(world, &world->agents[0], PROTO_STATE_DOWN, "broken");
	assert_false(world_backend(world, "web01")->kept);
	assert_int_equal(world_effective(world, "web01"), 0);
}

static void registry_does_not_keep_announced_failures(void **state)
{
	struct world *world = *state;

	world_farm(world, 3);
	for (size_t i = 0; i < 3; i++)
		world_say(world, &world->agents[i], PROTO_STATE_DOWN, "broken");
	assert_int_equal(count_kept(world), 0);
	assert_int_equal(count_state(world, BACKEND_DOWN), 3);
}

static void registry_counts_statics_among_those_that_vanish(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(50), none = { 0 };
	size_t i;

	for (i = 0; i < 3; i++) {
		char address[16];

		snprintf(address, sizeof(address), "192.0.2.%zu", 50 + i);
		world_static(world, "web", NULL, address);
	}
	world_configure(world);
	for (i = 0; i < 3; i++)
		registry_neighbour(
			world->registry, &world->statics[i].address, &mac, world->now_us);
	world_pass(world, MS(2000));
	assert_int_equal(count_state(world, BACKEND_UP), 3);
	for (i = 0; i < 3; i++)
		registry_neighbour(
			world->registry, &world->statics[i].address, &none, world->now_us);
	world_pass(world, MS(10000));
	assert_int_equal(count_kept(world), 3);
	registry_neighbour(world->registry, &world->statics[0].address, &mac, world->now_us);
	world_drain_actions(world);
	assert_int_equal(count_kept(world), 2);
	assert_int_equal(count_state(world, BACKEND_UP), 1);
}

/* Copies what a daemon keeps into a registry that starts. */
static void restart(struct world *world)
{
	struct registry *before = world->registry;

	world->registry = registry_new(43);
	assert_non_null(world->registry);
	for (size_t i = 0; i < registry_len(before); i++)
		assert_int_equal(registry_restore(world->registry, registry_backend_at(before, i),
					 world->now_us),
			0);
	registry_free(before);
	world->n_states = 0;
	world_configure(world);
}

static void registry_goes_on_after_a_restart(void **state)
{
	struct world *world = *state;
	uint16_t id;

	world_static(world, "web", "win", "192.0.2.50")->mac = world_mac(50);
	world->statics[0].no_check = true;
	world_configure(world);
	world_farm(world, 4);
	id = world->agents[3].id;
	registry_admin(world->registry, "web02", BACKEND_ADMIN_DRAIN, world->now_us);
	world_drain_actions(world);
	world_pass(world, MS(1000));
	restart(world);
	assert_int_equal(registry_len(world->registry), 5);
	assert_int_equal(world_backend(world, "web04")->id, id);
	assert_int_equal(world_backend(world, "win")->state, BACKEND_UP);
	assert_int_equal(world_backend(world, "web02")->state, BACKEND_DRAIN);
	assert_true(world_backend(world, "web02")->takes_flows);
	assert_int_equal(count_state(world, BACKEND_UP), 4);
	assert_int_equal(world->n_states, 0);
	/* One is gone meanwhile, and is found in time; the drain goes on from when it began. */
	silence(world, 0, 1, true);
	world_pass(world, MS(899));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_DOWN);
	assert_int_equal(count_state(world, BACKEND_UP), 3);
	world_pass(world, MS(5000 - 1000 - 899));
	assert_false(world_backend(world, "web02")->takes_flows);
}

static void registry_remembers_a_silence_over_a_restart(void **state)
{
	struct world *world = *state;

	world_farm(world, 3);
	silence(world, 0, 1, true);
	world_pass(world, MS(3000));
	restart(world);
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_DOWN);
	assert_non_null(strstr(world_backend(world, "web01")->reason, "no answer"));
	silence(world, 0, 1, false);
	world_pass(world, MS(3000));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
}

static void registry_keeps_on_keeping_over_a_restart(void **state)
{
	struct world *world = *state;

	world_farm(world, 3);
	silence(world, 0, 3, true);
	world_pass(world, MS(3000));
	restart(world);
	world_pass(world, MS(10000));
	assert_int_equal(count_kept(world), 3);
	assert_int_equal(world_effective(world, "web01"), 1);
}

static void registry_keeps_over_a_restart_what_was_said_of_one_that_left(void **state)
{
	struct world *world = *state;
	struct registry_override kept, damaged;

	world_farm(world, 2);
	assert_int_equal(
		registry_admin(world->registry, "web01", BACKEND_ADMIN_MAINT, world->now_us), 0);
	assert_int_equal(world_say_weight(world, "web01", NULL, "9"), 0);
	registry_leave(world->registry, world->agents[0].id, world->now_us);
	world_drain_actions(world);
	assert_int_equal(registry_overrides_len(world->registry), 1);
	kept = *registry_override_at(world->registry, 0);
	assert_null(registry_override_at(world->registry, 1));
	restart(world);
	assert_int_equal(registry_restore_override(world->registry, &kept), 0);
	damaged = kept;
	damaged.admin = BACKEND_ADMIN_N_;
	assert_int_equal(registry_restore_override(world->registry, &damaged), -EINVAL);
	damaged = kept;
	damaged.name[0] = '\0';
	assert_int_equal(registry_restore_override(world->registry, &damaged), -EINVAL);
	assert_int_equal(world_register(world, &world->agents[0]).r, 0);
	assert_int_equal(world_backend(world, "web01")->admin, BACKEND_ADMIN_MAINT);
	assert_int_equal(world_weight(world, "web01"), 9);
	assert_int_equal(registry_overrides_len(world->registry), 0);
}

static void registry_restores_nothing_twice(void **state)
{
	struct world *world = *state;
	struct backend kept = {
		.id = 7, .name = "web1", .address = world_addr("192.0.2.1"), .state = BACKEND_UP
	};

	assert_int_equal(registry_restore(world->registry, &kept, world->now_us), 0);
	assert_int_equal(registry_restore(world->registry, &kept, world->now_us), -EEXIST);
	kept.id = 8;
	assert_int_equal(registry_restore(world->registry, &kept, world->now_us), -EEXIST);
	kept.id = 0;
	assert_int_equal(registry_restore(world->registry, &kept, world->now_us), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		FACT(registry_keeps_all_when_most_vanish),
		FACT(registry_keeps_no_dead_where_another_answers),
		FACT(registry_keeps_all_where_nobody_answers),
		FACT(registry_fails_half_that_vanish),
		FACT(registry_drops_all_where_told),
		FACT(registry_keeps_the_last_one),
		FACT(registry_ends_keeping_of_one_that_is_heard),
		FACT(registry_never_drops_a_kept_one_on_its_way_back),
		FACT(registry_ends_keeping_when_survivors_are_a_majority),
		FACT(registry_goes_on_keeping_over_a_stall),
		FACT(registry_fails_nobody_when_it_cannot_send),
		FACT(registry_excuses_what_it_cannot_send_for_a_while_only),
		FACT(registry_ends_keeping_of_one_that_is_disabled),
		FACT(registry_does_not_keep_announced_failures),
		FACT(registry_counts_statics_among_those_that_vanish),
		FACT(registry_goes_on_after_a_restart),
		FACT(registry_remembers_a_silence_over_a_restart),
		FACT(registry_keeps_on_keeping_over_a_restart),
		FACT(registry_keeps_over_a_restart_what_was_said_of_one_that_left),
		FACT(registry_restores_nothing_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
