/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about where a real server without an agent is believed to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/link/neigh/neigh_moves.h"

static const struct mac nowhere, old = { { 2, 0, 0, 0, 0, 1 } }, new = { { 2, 0, 0, 0, 0, 2 } },
				 third = { { 2, 0, 0, 0, 0, 3 } };

static struct addr addr(const char *text)
{
	struct addr result;

	assert_int_equal(addr_parse(text, &result), 0);
	return result;
}

/* Watched, and at `old`. */
static struct neigh_move *watched(struct neigh_moves *moves, const char *text)
{
	const struct addr address = addr(text);

	assert_int_equal(neigh_moves_watch(moves, &address, &old), 0);
	return neigh_moves_find(moves, &address);
}

static int clear(void **state)
{
	neigh_moves_clear(*state);
	return 0;
}

static int make(void **state)
{
	static struct neigh_moves moves;

	*state = &moves;
	return 0;
}

#define assert_at(move, wanted) assert_true(mac_equal(&(move)->believed, (wanted)))

static void the_first_answer_is_believed(void **state)
{
	struct neigh_moves *moves = *state;
	const struct addr address = addr("192.0.2.1");
	struct neigh_move *move;

	assert_int_equal(neigh_moves_watch(moves, &address, &nowhere), 0);
	move = neigh_moves_find(moves, &address);
	assert_int_equal(neigh_moves_answered(move, &new, false, 1), NEIGH_MOVES_TELL);
	assert_at(move, &new);
	/* Watched again, it stays. */
	assert_int_equal(neigh_moves_watch(moves, &address, &old), 0);
	assert_at(neigh_moves_find(moves, &address), &new);
}

static void a_forged_answer_is_refused_when_the_old_place_answers(void **state)
{
	struct neigh_move *move = watched(*state, "192.0.2.1");

	assert_int_equal(neigh_moves_answered(move, &new, false, 1), NEIGH_MOVES_ASK_OLD);
	assert_at(move, &old);
	/* What the kernel says of being set back is no answer. */
	assert_int_equal(neigh_moves_learnt(move, &old, false, 2), NEIGH_MOVES_NOTHING);
	assert_int_equal(neigh_moves_answered(move, &old, false, 3), NEIGH_MOVES_REFUSED);
	assert_int_equal(neigh_moves_due_us(*state), UINT64_MAX);
	assert_int_equal(neigh_moves_answered(move, &old, false, 4), NEIGH_MOVES_TELL);
}

static void a_new_place_is_believed_when_the_old_one_is_silent(void **state)
{
	struct neigh_move *move = watched(*state, "192.0.2.1");
	const uint64_t due_us = 1 + NEIGH_MOVES_WAIT_US;

	assert_int_equal(neigh_moves_learnt(move, &new, false, 1), NEIGH_MOVES_ASK_OLD);
	assert_int_equal(neigh_moves_due_us(*state), due_us);
	assert_int_equal(neigh_moves_run(move, due_us - 1), NEIGH_MOVES_NOTHING);
	assert_int_equal(neigh_moves_run(move, due_us), NEIGH_MOVES_ASK_NEW);
	assert_at(move, &old);
	assert_int_equal(neigh_moves_learnt(move, &new, false, due_us), NEIGH_MOVES_NOTHING);
	assert_int_equal(neigh_moves_answered(move, &new, false, due_us), NEIGH_MOVES_TELL);
	assert_at(move, &new);
}

static void repeating_a_forgery_buys_no_time(void **state)
{
	struct neigh_move *move = watched(*state, "192.0.2.1");

	assert_int_equal(neigh_moves_answered(move, &new, false, 1), NEIGH_MOVES_ASK_OLD);
	assert_int_equal(neigh_moves_answered(move, &third, false, US_PER_S), NEIGH_MOVES_ASK_OLD);
	assert_int_equal(neigh_moves_due_us(*state), 1 + NEIGH_MOVES_WAIT_US);
}

static void another_voice_while_the_new_place_is_asked_begins_anew(void **state)
{
	struct neigh_move *move = watched(*state, "192.0.2.1");
	const uint64_t due_us = 1 + NEIGH_MOVES_WAIT_US;

	assert_int_equal(neigh_moves_answered(move, &new, false, 1), NEIGH_MOVES_ASK_OLD);
	assert_int_equal(neigh_moves_run(move, due_us), NEIGH_MOVES_ASK_NEW);
	assert_int_equal(neigh_moves_answered(move, &third, false, due_us), NEIGH_MOVES_ASK_OLD);
	assert_at(move, &old);
	assert_int_equal(neigh_moves_due_us(*state), due_us + NEIGH_MOVES_WAIT_US);
}

static void a_mac_of_somebody_else_is_never_believed(void **state)
{
	struct neigh_move *move = watched(*state, "192.0.2.1");
	uint64_t now_us = 1;

	for (unsigned int i = 0; i < 5; i++) {
		(void)neigh_moves_answered(move, &new, true, now_us);
		assert_at(move, &old);
		now_us += NEIGH_MOVES_WAIT_US;
		assert_int_equal(neigh_moves_run(move, now_us), NEIGH_MOVES_ANEW);
	}
	/* Nor of one that nobody ever saw. */
	move->believed = nowhere;
	assert_int_equal(neigh_moves_answered(move, &new, true, now_us), NEIGH_MOVES_NOTHING);
	assert_at(move, &nowhere);
	assert_int_equal(neigh_moves_due_us(*state), now_us + NEIGH_MOVES_WAIT_US);
}

static void a_place_that_the_kernel_asked_in_vain_is_not_asked_again(void **state)
{
	struct neigh_move *move = watched(*state, "192.0.2.1");

	assert_int_equal(neigh_moves_failed(move, 1), NEIGH_MOVES_TELL);
	assert_int_equal(neigh_moves_answered(move, &new, false, 2), NEIGH_MOVES_TELL);
	assert_at(move, &new);
	assert_int_equal(neigh_moves_answered(move, &old, false, 3), NEIGH_MOVES_ASK_OLD);
}

static void addresses_of_one_host_move_together_and_others_do_not(void **state)
{
	struct neigh_moves *moves = *state;
	const struct addr stranger = addr("192.0.2.9");
	struct neigh_move *one, *two, *other;

	(void)watched(moves, "192.0.2.1");
	(void)watched(moves, "192.0.2.2");
	assert_int_equal(neigh_moves_watch(moves, &stranger, &third), 0);
	one = watched(moves, "192.0.2.1");
	two = watched(moves, "192.0.2.2");
	other = neigh_moves_find(moves, &stranger);
	assert_null(neigh_moves_other(moves, one, &new));
	assert_int_equal(neigh_moves_failed(one, 1), NEIGH_MOVES_TELL);
	assert_int_equal(neigh_moves_answered(one, &new, false, 2), NEIGH_MOVES_TELL);
	assert_null(neigh_moves_other(moves, two, &new));
	assert_ptr_equal(neigh_moves_other(moves, other, &new), one);
	assert_ptr_equal(neigh_moves_other(moves, two, &third), other);
	neigh_moves_drop(moves, &stranger);
	assert_int_equal(moves->len, 2);
}

int main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, make, clear)
	const struct CMUnitTest tests[] = {
		FACT(the_first_answer_is_believed),
		FACT(a_forged_answer_is_refused_when_the_old_place_answers),
		FACT(a_new_place_is_believed_when_the_old_one_is_silent),
		FACT(repeating_a_forgery_buys_no_time),
		FACT(another_voice_while_the_new_place_is_asked_begins_anew),
		FACT(a_mac_of_somebody_else_is_never_believed),
		FACT(a_place_that_the_kernel_asked_in_vain_is_not_asked_again),
		FACT(addresses_of_one_host_move_together_and_others_do_not),
	};

	return cmocka_run_group_tests_name("neigh_moves", tests, NULL, NULL);
}
