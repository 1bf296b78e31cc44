/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When repairs wait. */
#include "agent/host/reconcile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void reconcile_pauses_grow_and_end(void **state)
{
	uint64_t previous_us = 0;

	for (unsigned int n = 0; n <= RECONCILE_FIGHT_FREE; n++)
		assert_int_equal(reconcile_fight_pause_us(n), 0);
	assert_int_equal(
		reconcile_fight_pause_us(RECONCILE_FIGHT_FREE + 1), RECONCILE_FIGHT_FIRST_US);
	for (unsigned int n = RECONCILE_FIGHT_FREE + 1; n < 64; n++) {
		assert_true(reconcile_fight_pause_us(n) >= previous_us);
		previous_us = reconcile_fight_pause_us(n);
	}
	assert_int_equal(previous_us, RECONCILE_FIGHT_MAX_US);
	assert_int_equal(reconcile_fight_pause_us(UINT32_MAX), RECONCILE_FIGHT_MAX_US);
}

static void reconcile_holds_repairs_but_not_new_interfaces(void **state)
{
	struct addr vip4 = { .family = AF_INET };
	struct addr vip6 = { .family = AF_INET6 };
	struct plan_op ops[] = {
		{ .type = PLAN_SET_ARP, .ifindex = 2, .repair = true },
		{ .type = PLAN_SET_ARP, .ifindex = 3 },
		{ .type = PLAN_ADD_ADDRESS, .vip = vip4 }, /* into eth0's noise */
		{ .type = PLAN_ADD_ADDRESS, .vip = vip6 },
		{ .type = PLAN_ADD_ADDRESS, .vip = vip6, .repair = true },
	};
	struct plan plan = { .ops = ops, .n_ops = ARRAY_LEN(ops) };

	reconcile_hold_repairs(&plan);
	assert_int_equal(plan.n_ops, 2);
	assert_int_equal(ops[0].ifindex, 3);
	assert_int_equal(ops[1].type, PLAN_ADD_ADDRESS);
	assert_int_equal(ops[1].vip.family, AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reconcile_pauses_grow_and_end),
		cmocka_unit_test(reconcile_holds_repairs_but_not_new_interfaces),
	};

	return cmocka_run_group_tests_name("agent/reconcile", tests, NULL, NULL);
}
