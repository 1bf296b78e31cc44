/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a VIP that is new counts as free, when as somebody's, and how long each takes. */
#include "lb/link/vip_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define START_US (1000 * US_PER_S)

static const struct mac printer = { { 2, 0, 0, 0, 0, 0x66 } };
static const struct mac other = { { 2, 0, 0, 0, 0, 0x77 } };
static const struct mac everybody;

/* The next step, at its time; `now_us` becomes that. */
static enum vip_probe_action step(struct vip_probe *probe, uint64_t *now_us)
{
	assert_int_not_equal(probe->state, VIP_PROBE_FREE);
	assert_int_equal(vip_probe_step(probe, probe->due_us - 1), VIP_PROBE_NOTHING);
	*now_us = probe->due_us;
	return vip_probe_step(probe, *now_us);
}

static void must_ask(struct vip_probe *probe, const struct mac *whom, uint64_t *now_us)
{
	assert_int_equal(step(probe, now_us), VIP_PROBE_ASK);
	assert_true(mac_equal(&probe->asked, whom));
}

/* Asked for, answered, asked alone, answered. */
static struct vip_probe held(uint64_t *now_us)
{
	struct vip_probe probe;

	vip_probe_begin(&probe, *now_us);
	must_ask(&probe, &everybody, now_us);
	assert_int_equal(vip_probe_answered(&probe, &printer, *now_us), VIP_PROBE_ASK);
	assert_true(mac_equal(&probe.asked, &printer));
	assert_int_equal(probe.state, VIP_PROBE_ASKED);
	assert_int_equal(vip_probe_answered(&probe, &printer, *now_us), VIP_PROBE_HOLD);
	assert_int_equal(probe.state, VIP_PROBE_HELD);
	assert_true(mac_equal(&probe.holder, &printer));
	return probe;
}

static void nobody_answers_and_it_is_free(void **state)
{
	struct vip_probe probe;
	uint64_t now_us = START_US;

	vip_probe_begin(&probe, now_us);
	for (unsigned int i = 0; i < VIP_PROBE_QUESTIONS; i++)
		must_ask(&probe, &everybody, &now_us);
	assert_int_equal(step(&probe, &now_us), VIP_PROBE_TAKE);
	assert_int_equal(probe.state, VIP_PROBE_FREE);
	assert_int_equal(now_us - START_US, 600 * US_PER_MS);
}

static void what_is_free_stays_free(void **state)
{
	struct vip_probe probe = { 0 };

	assert_int_equal(vip_probe_answered(&probe, &printer, START_US), VIP_PROBE_NOTHING);
	assert_int_equal(vip_probe_answered(&probe, &printer, START_US), VIP_PROBE_NOTHING);
	assert_int_equal(vip_probe_step(&probe, UINT64_MAX), VIP_PROBE_NOTHING);
	assert_int_equal(probe.state, VIP_PROBE_FREE);
}

static void an_answer_before_the_question_is_none(void **state)
{
	struct vip_probe probe;
	uint64_t now_us = START_US;

	vip_probe_begin(&probe, now_us);
	assert_int_equal(vip_probe_answered(&probe, &printer, now_us), VIP_PROBE_NOTHING);
	assert_int_equal(vip_probe_answered(&probe, &printer, now_us), VIP_PROBE_NOTHING);
	probe = held(&now_us);
	/* Nor does one that comes too early keep off the next question. */
	now_us += VIP_PROBE_HELD_US / 2;
	assert_int_equal(vip_probe_answered(&probe, &printer, now_us), VIP_PROBE_NOTHING);
	assert_int_equal(probe.due_us, now_us + VIP_PROBE_HELD_US / 2);
}

static void an_answer_that_is_not_confirmed_holds_nothing(void **state)
{
	struct vip_probe probe;
	uint64_t now_us = START_US;

	vip_probe_begin(&probe, now_us);
	for (unsigned int i = 0; i < VIP_PROBE_QUESTIONS; i++) {
		must_ask(&probe, &everybody, &now_us);
		assert_int_equal(vip_probe_answered(&probe, &printer, now_us), VIP_PROBE_ASK);
		/* Whoever comes in between confirms nothing, and is not asked. */
		for (uint8_t n = 0; n < 100; n++)
			assert_int_equal(vip_probe_answered(&probe,
						 &(struct mac){ { 2, 0, 0, 1, 0, n } }, now_us),
				VIP_PROBE_NOTHING);
	}
	assert_int_equal(step(&probe, &now_us), VIP_PROBE_TAKE);
	assert_true(now_us - START_US <= UINT64_C(2) * VIP_PROBE_QUESTIONS * VIP_PROBE_GAP_US);
}

static void it_is_held_as_long_as_its_holder_answers(void **state)
{
	uint64_t now_us = START_US, begin_us;
	struct vip_probe probe = held(&now_us);

	begin_us = now_us;
	for (unsigned int i = 0; i < 3600; i++) {
		/* The holder alone is asked, not the whole link. */
		must_ask(&probe, &printer, &now_us);
		assert_int_equal(vip_probe_answered(&probe, &printer, now_us), VIP_PROBE_NOTHING);
		assert_int_equal(probe.state, VIP_PROBE_HELD);
	}
	assert_int_equal(now_us - begin_us, 3600 * US_PER_S);
}

static void it_is_free_two_seconds_after_the_last_answer(void **state)
{
	uint64_t now_us = START_US, begin_us;
	struct vip_probe probe = held(&now_us);

	begin_us = now_us;
	must_ask(&probe, &printer, &now_us);
	must_ask(&probe, &everybody, &now_us);
	assert_int_equal(step(&probe, &now_us), VIP_PROBE_TAKE);
	assert_int_equal(now_us - begin_us, 2 * US_PER_S);
}

static void one_lost_answer_frees_nothing(void **state)
{
	uint64_t now_us = START_US;
	struct vip_probe probe = held(&now_us);

	for (unsigned int i = 0; i < 10; i++) {
		must_ask(&probe, &printer, &now_us);
		must_ask(&probe, &everybody, &now_us);
		assert_int_equal(vip_probe_answered(&probe, &printer, now_us), VIP_PROBE_NOTHING);
	}
	assert_int_equal(probe.state, VIP_PROBE_HELD);
}

static void another_card_takes_over_when_it_confirms(void **state)
{
	uint64_t now_us = START_US;
	struct vip_probe probe = held(&now_us);

	must_ask(&probe, &printer, &now_us);
	assert_int_equal(vip_probe_answered(&probe, &other, now_us), VIP_PROBE_NOTHING);
	must_ask(&probe, &everybody, &now_us);
	assert_int_equal(vip_probe_answered(&probe, &other, now_us), VIP_PROBE_ASK);
	assert_int_equal(vip_probe_answered(&probe, &other, now_us), VIP_PROBE_HOLD);
	assert_true(mac_equal(&probe.holder, &other));
	/* And one that does not holds up the end by half a second at most. */
	must_ask(&probe, &other, &now_us);
	must_ask(&probe, &everybody, &now_us);
	assert_int_equal(vip_probe_answered(&probe, &printer, now_us + 1), VIP_PROBE_ASK);
	assert_int_equal(step(&probe, &now_us), VIP_PROBE_TAKE);
}

static void silence_while_nothing_is_heard_frees_nothing(void **state)
{
	uint64_t now_us = START_US;
	struct vip_probe probe = held(&now_us), asked;

	must_ask(&probe, &printer, &now_us);
	for (unsigned int i = 0; i < 10; i++) {
		now_us = probe.due_us;
		vip_probe_wait(&probe, now_us);
		assert_int_equal(probe.due_us, now_us + US_PER_S);
	}
	assert_int_equal(probe.state, VIP_PROBE_HELD);
	must_ask(&probe, &printer, &now_us);
	/* Nor is what was asked before worth anything. */
	vip_probe_begin(&asked, now_us);
	must_ask(&asked, &everybody, &now_us);
	must_ask(&asked, &everybody, &now_us);
	vip_probe_wait(&asked, now_us);
	for (unsigned int i = 0; i < VIP_PROBE_QUESTIONS; i++)
		must_ask(&asked, &everybody, &now_us);
	assert_int_equal(step(&asked, &now_us), VIP_PROBE_TAKE);
}

static void a_set_has_what_was_added(void **state)
{
	struct vip_probe_set set = { 0 }, moved = { 0 };
	struct addr vip = { .family = AF_INET, .bytes = { 198, 51, 100 } };

	assert_false(vip_probe_set_has(&set, &vip));
	for (unsigned int i = 0; i < 500; i++) {
		vip.bytes[2] = (uint8_t)(i * 7 % 250);
		assert_int_equal(vip_probe_set_add(&set, &vip), 0);
	}
	assert_int_equal(set.len, 250);
	for (size_t i = 1; i < set.len; i++)
		assert_true(addr_compare(&set.vips[i - 1], &set.vips[i]) < 0);
	assert_true(vip_probe_set_has(&set, &vip));
	vip.bytes[2] = 250;
	assert_false(vip_probe_set_has(&set, &vip));
	assert_int_equal(vip_probe_set_add(&moved, &vip), 0);
	vip_probe_set_move(&moved, &set);
	assert_int_equal(set.len, 0);
	assert_int_equal(moved.len, 250);
	vip_probe_set_clear(&moved);
	vip_probe_set_clear(&set);
	assert_int_equal(moved.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_answers_and_it_is_free),
		cmocka_unit_test(what_is_free_stays_free),
		cmocka_unit_test(an_answer_before_the_question_is_none),
		cmocka_unit_test(an_answer_that_is_not_confirmed_holds_nothing),
		cmocka_unit_test(it_is_held_as_long_as_its_holder_answers),
		cmocka_unit_test(it_is_free_two_seconds_after_the_last_answer),
		cmocka_unit_test(one_lost_answer_frees_nothing),
		cmocka_unit_test(another_card_takes_over_when_it_confirms),
		cmocka_unit_test(silence_while_nothing_is_heard_frees_nothing),
		cmocka_unit_test(a_set_has_what_was_added),
	};

	return cmocka_run_group_tests_name("vip probe", tests, NULL, NULL);
}
