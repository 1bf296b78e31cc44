/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loss_judge.c: what is a loss, and all that only looks like one. */
#include "lb/watch/loss_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECOND US_PER_S

struct world {
	struct loss_judge judge;
	struct loss_sample next;
	uint32_t n_lost; /* of the last loss */
	unsigned int n_losses;
};

/* An agent that answers each second, with nothing going on. */
static struct world make_agent(void)
{
	return (struct world){ .next = { .now_us = 1000 * SECOND,
				       .takes_clients = true,
				       .has_agent = true,
				       .counts = true,
				       .accepted = 500,
				       .syns = 900,
				       .packets = 5000 } };
}

static struct world make_static(void)
{
	struct world world = make_agent();

	world.next.has_agent = world.next.counts = false;
	return world;
}

/* One second, in which so many SYNs of these clients came. */
static void pass(struct world *world, uint64_t n_syns, uint64_t clients)
{
	uint32_t n_lost;

	world->next.now_us += SECOND;
	world->next.told_us = world->next.now_us - SECOND / 10;
	world->next.syns += n_syns;
	world->next.packets += n_syns;
	world->next.clients = n_syns ? clients : 0;
	n_lost = loss_judge_take(&world->judge, &world->next);
	if (n_lost > 0) {
		world->n_lost = n_lost;
		world->n_losses++;
	}
}

static void pass_all(struct world *world, unsigned int n_seconds, uint64_t n_syns, uint64_t clients)
{
	for (unsigned int i = 0; i < n_seconds; i++)
		pass(world, n_syns, clients);
}

static void loss_is_none_accepted_for_ten_seconds(void **state)
{
	struct world world = make_agent();

	pass_all(&world, 10, 120, 0x7);
	assert_int_equal(world.n_losses, 0);
	pass(&world, 120, 0x7);
	assert_int_equal(world.n_losses, 1);
	assert_int_equal(world.n_lost, 1200);
	/* Judged anew from there. */
	pass_all(&world, 9, 120, 0x7);
	assert_int_equal(world.n_losses, 1);
	pass(&world, 120, 0x7);
	assert_int_equal(world.n_losses, 2);
}

static void loss_is_not_where_one_was_accepted(void **state)
{
	struct world world = make_agent();

	for (unsigned int i = 0; i < 20; i++) {
		pass_all(&world, 9, 1000, 0xff);
		world.next.accepted++;
		pass(&world, 1000, 0xff);
	}
	assert_int_equal(world.n_losses, 0);
}

static void loss_needs_syns_and_clients(void **state)
{
	struct world few = make_agent(), two = make_agent(), enough = make_agent();

	/* 19 in each ten seconds. */
	for (unsigned int i = 0; i < 10; i++) {
		pass(&few, 0, 0);
		pass(&few, 19, 0xff);
		pass_all(&few, 8, 0, 0);
	}
	assert_int_equal(few.n_losses, 0);
	pass_all(&two, 60, 500, 0x21);
	assert_int_equal(two.n_losses, 0);
	pass_all(&enough, 1, 0, 0);
	pass(&enough, 7, 0x1);
	pass(&enough, 7, 0x2);
	pass(&enough, 6, 0x4);
	pass_all(&enough, 9, 0, 0);
	assert_int_equal(enough.n_losses, 1);
	assert_int_equal(enough.n_lost, 20);
}

/* What is answered is accepted, if only half: the agent's count goes on rising. */
static void loss_is_no_flood_of_syns(void **state)
{
	struct world world = make_agent();

	for (unsigned int i = 0; i < 60; i++) {
		world.next.accepted += 90000;
		pass(&world, 100000, UINT64_MAX);
	}
	assert_int_equal(world.n_losses, 0);
}

/* What the agent said before it had seen these SYNs says nothing of them. */
static void loss_waits_for_the_agents_word(void **state)
{
	struct world world = make_agent();
	uint64_t told_us;

	pass(&world, 0, 0);
	told_us = world.next.told_us;
	for (unsigned int i = 0; i < 60; i++) {
		world.next.now_us += SECOND;
		world.next.told_us = told_us;
		world.next.syns += 100;
		world.next.packets += 100;
		world.next.clients = 0xff;
		assert_int_equal(loss_judge_take(&world.judge, &world.next), 0);
	}
	/* It says that it accepted some. */
	world.next.accepted += 5900;
	pass(&world, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
}

/* The agent restarted, or is asked about other ports: what was accepted in between nobody counted. */
static void loss_is_not_judged_over_a_break(void **state)
{
	struct world world = make_agent();

	for (unsigned int i = 0; i < 10; i++) {
		pass_all(&world, 9, 100, 0xff);
		world.next.breaks++;
		pass(&world, 100, 0xff);
	}
	assert_int_equal(world.n_losses, 0);
	world.next.counts = false;
	pass_all(&world, 60, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
	/* And counts from when it counts. */
	world.next.counts = true;
	pass_all(&world, 10, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
	pass(&world, 100, 0xff);
	assert_int_equal(world.n_losses, 1);
}

/* An engine that was started anew counts from 0. */
static void loss_is_not_judged_over_counters_that_restart(void **state)
{
	struct world world = make_agent();

	pass_all(&world, 9, 100, 0xff);
	world.next.syns = world.next.packets = 0;
	pass_all(&world, 10, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
}

/* It drains, is disabled, is down: new connections are not its business. */
static void loss_is_not_judged_of_who_takes_no_clients(void **state)
{
	struct world world = make_agent();

	world.next.takes_clients = false;
	pass_all(&world, 60, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
	world.next.takes_clients = true;
	pass_all(&world, 9, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
}

/* The balancer stood still for a minute while its program in the kernel forwarded, and hears its agents again. */
static void loss_is_none_of_our_own_absence(void **state)
{
	struct world world = make_agent();

	pass(&world, 0, 0);
	world.next.now_us += 60 * SECOND;
	world.next.syns += 6000;
	world.next.packets += 30000;
	world.next.clients = 0xff;
	assert_int_equal(loss_judge_take(&world.judge, &world.next), 0);
	world.next.accepted += 6000;
	pass(&world, 100, 0xff);
	pass_all(&world, 5, 0, 0);
	assert_int_equal(world.n_losses, 0);
}

/* Other balancers' clients are accepted too: then there is more than we sent, and nothing to be said. */
static void loss_is_not_seen_behind_other_balancers(void **state)
{
	struct world world = make_agent();

	for (unsigned int i = 0; i < 60; i++) {
		world.next.accepted += 3;
		pass(&world, 100, 0xff);
	}
	assert_int_equal(world.n_losses, 0);
}

static void loss_of_a_static_is_syns_and_nothing_else(void **state)
{
	struct world world = make_static();

	pass_all(&world, 10, 100, 0xff);
	assert_int_equal(world.n_losses, 0);
	pass(&world, 100, 0xff);
	assert_int_equal(world.n_losses, 1);
	assert_int_equal(world.n_lost, 1000);
	for (unsigned int i = 0; i < 10; i++) {
		pass_all(&world, 9, 100, 0xff);
		world.next.packets++;
		pass(&world, 100, 0xff);
	}
	assert_int_equal(world.n_losses, 1);
}

/* A second of both, in which `other` has so many more SYNs, accepted connections and other packets. */
static void pass_both(struct world *lost, struct world *other, uint64_t n_syns, uint64_t n_accepted,
	uint64_t n_others)
{
	other->next.accepted += n_accepted;
	other->next.packets += n_others;
	pass(other, n_syns, 0xff);
	pass(lost, 10, 0xff);
}

static void loss_is_of_who_fares_worse_than_another(void **state)
{
	struct world lost = make_agent(), other = make_agent();

	for (unsigned int i = 0; i < 11; i++)
		pass_both(&lost, &other, 10, 5, 0);
	assert_int_equal(lost.n_losses, 1);
	assert_true(loss_judge_fares_better(&other.judge, &lost.judge));
}

/* SYNs that every kernel drops, or answered before the window: nobody fares better, whatever else comes. */
static void loss_is_none_where_all_fare_alike(void **state)
{
	struct world lost = make_agent(), other = make_agent();

	lost.next.accepted += 100;
	pass_both(&lost, &other, 100, 100, 100);
	for (unsigned int i = 0; i < 11; i++)
		pass_both(&lost, &other, 10, i == 5, 1000);
	assert_int_equal(lost.n_losses, 1);
	assert_false(loss_judge_fares_better(&other.judge, &lost.judge));
}

/* What was before the window, or while nobody told, is no better fare. */
static void loss_is_compared_over_its_own_window(void **state)
{
	struct world lost = make_agent(), other = make_agent();

	other.next.counts = false;
	pass_both(&lost, &other, 0, 100000, 0);
	other.next.counts = true;
	for (unsigned int i = 0; i < 11; i++)
		pass_both(&lost, &other, 0, 0, 0);
	assert_int_equal(lost.n_losses, 1);
	assert_false(loss_judge_fares_better(&other.judge, &lost.judge));
	/* It has accepted some, and others took all of them in hand: as a restarted engine counts. */
	other.next.syns = other.next.packets = 0;
	for (unsigned int i = 0; i < 11; i++)
		pass_both(&lost, &other, 4, 3, 0);
	assert_int_equal(lost.n_losses, 2);
	assert_true(loss_judge_fares_better(&other.judge, &lost.judge));
}

static void loss_of_a_static_is_compared_by_who_goes_on(void **state)
{
	struct world lost = make_static(), other = make_agent();

	/* Half open connections of a flood: accepted, and nobody goes on. */
	for (unsigned int i = 0; i < 11; i++)
		pass_both(&lost, &other, 10, 10, 9);
	assert_int_equal(lost.n_losses, 1);
	assert_false(loss_judge_fares_better(&other.judge, &lost.judge));
	for (unsigned int i = 0; i < 10; i++)
		pass_both(&lost, &other, 10, 0, 10);
	assert_int_equal(lost.n_losses, 2);
	assert_true(loss_judge_fares_better(&other.judge, &lost.judge));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loss_is_none_accepted_for_ten_seconds),
		TEST(loss_is_not_where_one_was_accepted),
		TEST(loss_needs_syns_and_clients),
		TEST(loss_is_no_flood_of_syns),
		TEST(loss_waits_for_the_agents_word),
		TEST(loss_is_not_judged_over_a_break),
		TEST(loss_is_not_judged_over_counters_that_restart),
		TEST(loss_is_not_judged_of_who_takes_no_clients),
		TEST(loss_is_none_of_our_own_absence),
		TEST(loss_is_not_seen_behind_other_balancers),
		TEST(loss_of_a_static_is_syns_and_nothing_else),
		TEST(loss_is_of_who_fares_worse_than_another),
		TEST(loss_is_none_where_all_fare_alike),
		TEST(loss_is_compared_over_its_own_window),
		TEST(loss_of_a_static_is_compared_by_who_goes_on),
	};

	return cmocka_run_group_tests_name("loss_judge", tests, NULL, NULL);
}
