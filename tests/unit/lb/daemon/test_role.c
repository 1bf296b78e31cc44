/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about whether a balancer serves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/daemon/role.h"

static struct addr address(const char *text)
{
	struct addr addr = { 0 };

	if (*text)
		assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct {
	const char *when; /* "": always */
	const char *local;
	const char *unguarded;
	const char *reason; /* begins with; "": active */
	bool has_when;
	bool standby;
	bool guarded;
} const cases[] = {
	{ "", "", NULL, "", false, false, false },
	{ "192.0.2.9", "", NULL, "", true, false, false },
	{ "192.0.2.9", "", NULL, "active-when: 192.0.2.9 is not on this host", false, false,
		false },
	/* As keepalived does it. */
	{ "", "198.51.100.10", NULL, "", false, false, false },
	{ "198.51.100.10", "198.51.100.10", NULL, "", true, false, false },
	/* Its kernel would answer clients. */
	{ "", "198.51.100.10", "no BPF", "198.51.100.10 is configured on this host", false, false,
		true },
	{ "198.51.100.10", "198.51.100.10", "no BPF", "198.51.100.10 is configured on this host",
		true, false, true },
	{ "", "", "no BPF", "", false, false, false },
	{ "", "", NULL, "on standby by an administrator", false, true, false },
	/* What an administrator said comes first: it is no fault. */
	{ "192.0.2.9", "198.51.100.10", "no BPF", "on standby by an administrator", false, true,
		false },
};

static void role_says_why_not(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(role_freep) struct role *role = role_new();
		const struct addr when = address(cases[i].when), local = address(cases[i].local);
		const struct role_facts facts = { &when, cases[i].has_when,
			local.family != AF_UNSPEC ? &local : NULL, cases[i].unguarded, 0, 1 };
		bool active = cases[i].reason[0] == '\0';
		struct role_status status;

		assert_non_null(role);
		role_set_standby(role, cases[i].standby);
		assert_int_equal(role_update(role, &facts), active);
		status = role_status(role);
		assert_int_equal(status.active, active);
		assert_int_equal(status.standby, cases[i].standby);
		assert_int_equal(status.guarded, cases[i].guarded);
		assert_int_equal(
			strncmp(status.reason, cases[i].reason, strlen(cases[i].reason)), 0);
		assert_int_equal(strlen(status.reason) == 0, active);
	}
}

static void role_tells_of_changes_alone(void **state)
{
	_cleanup_(role_freep) struct role *role = role_new();
	const struct addr always = { 0 };
	const struct role_facts facts = { .when = &always, .now_us = 1 };

	assert_true(role_update(role, &facts));
	assert_false(role_update(role, &facts));
	role_set_standby(role, true);
	assert_true(role_status(role).active);
	assert_true(role_update(role, &facts));
	assert_false(role_status(role).active);
	assert_false(role_update(role, &facts));
}

/* One that was active. The time is `now_us` from then on. */
static struct role *active_role(struct role_facts *facts)
{
	struct role *role = role_new();

	assert_non_null(role);
	assert_true(role_update(role, facts));
	assert_int_equal(role_status(role).state, ROLE_ACTIVE);
	assert_true(role_status(role).forwards);
	return role;
}

static void assert_state(struct role *role, const struct role_facts *facts, enum role_state state)
{
	struct role_status status;

	(void)role_update(role, facts);
	status = role_status(role);
	assert_int_equal(status.state, state);
	assert_int_equal(status.active, state == ROLE_ACTIVE);
	assert_int_equal(status.forwards, state != ROLE_STANDBY);
	assert_int_equal(status.until_us > 0, state == ROLE_LINGERING);
	assert_int_equal(strstr(status.reason, "lingers") != NULL, state == ROLE_LINGERING);
	assert_int_equal(status.reason[0] == '\0', state == ROLE_ACTIVE);
}

static void role_lingers_as_long_as_configured(void **state)
{
	const struct addr when = address("192.0.2.9");
	struct role_facts facts = {
		.when = &when, .has_when = true, .linger_us = 100, .now_us = 1000
	};
	_cleanup_(role_freep) struct role *role = active_role(&facts);

	facts.has_when = false;
	assert_state(role, &facts, ROLE_LINGERING);
	assert_int_equal(role_status(role).until_us, 1100);
	facts.now_us = 1099;
	/* What was begun is not made longer by a look. */
	assert_state(role, &facts, ROLE_LINGERING);
	facts.now_us = 1100;
	assert_state(role, &facts, ROLE_STANDBY);
	facts.now_us = 1101;
	assert_state(role, &facts, ROLE_STANDBY);
	facts.has_when = true;
	assert_state(role, &facts, ROLE_ACTIVE);
	facts.has_when = false;
	facts.linger_us = 0;
	assert_state(role, &facts, ROLE_STANDBY);
}

static void role_goes_back_from_lingering(void **state)
{
	const struct addr always = { 0 };
	struct role_facts facts = { .when = &always, .linger_us = 100, .now_us = 1000 };
	_cleanup_(role_freep) struct role *role = active_role(&facts);

	role_set_standby(role, true);
	assert_state(role, &facts, ROLE_LINGERING);
	role_set_standby(role, false);
	assert_state(role, &facts, ROLE_ACTIVE);
}

static void role_lingers_once_as_long_as_said(void **state)
{
	const struct addr always = { 0 };
	struct role_facts facts = { .when = &always, .linger_us = 100, .now_us = 1000 };
	_cleanup_(role_freep) struct role *role = active_role(&facts);

	role_set_standby(role, true);
	role_set_linger(role, 5);
	assert_state(role, &facts, ROLE_LINGERING);
	assert_int_equal(role_status(role).until_us, 1005);
	/* While it lingers, another time, and none at all. */
	role_set_linger(role, 50);
	assert_state(role, &facts, ROLE_LINGERING);
	assert_int_equal(role_status(role).until_us, 1050);
	role_set_linger(role, 0);
	assert_state(role, &facts, ROLE_STANDBY);
	/* One that does not forward does not begin to. */
	role_set_linger(role, 50);
	assert_state(role, &facts, ROLE_STANDBY);
	role_set_standby(role, false);
	assert_state(role, &facts, ROLE_ACTIVE);
	role_set_standby(role, true);
	assert_state(role, &facts, ROLE_LINGERING);
	assert_int_equal(role_status(role).until_us, 1100);
}

static void role_lingers_on_after_a_restart(void **state)
{
	const struct addr always = { 0 }, when = address("192.0.2.9");
	const struct role_facts facts = { .when = &always, .linger_us = 100, .now_us = 1000 };
	const struct role_facts without = { .when = &when, .linger_us = 100, .now_us = 1000 };
	_cleanup_(role_freep) struct role *lingers = role_new(), *was_active = role_new(),
					  *late = role_new(), *is_active = role_new();

	role_set_standby(lingers, true);
	role_restore(lingers, false, 1050);
	assert_state(lingers, &facts, ROLE_LINGERING);
	assert_int_equal(role_status(lingers).until_us, 1050);
	/* Its address went while it was not there. */
	role_restore(was_active, true, 0);
	assert_state(was_active, &without, ROLE_LINGERING);
	role_restore(late, false, 999);
	assert_state(late, &without, ROLE_STANDBY);
	role_restore(is_active, true, 0);
	assert_true(role_update(is_active, &facts));
	assert_int_equal(role_status(is_active).state, ROLE_ACTIVE);
}

static void role_without_a_guard_does_not_linger(void **state)
{
	const struct addr always = { 0 }, local = address("198.51.100.10");
	struct role_facts facts = { .when = &always, .linger_us = 100, .now_us = 1000 };
	_cleanup_(role_freep) struct role *role = active_role(&facts);

	facts.local_vip = &local;
	facts.unguarded = "no BPF";
	assert_state(role, &facts, ROLE_STANDBY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(role_says_why_not),
		cmocka_unit_test(role_tells_of_changes_alone),
		cmocka_unit_test(role_lingers_as_long_as_configured),
		cmocka_unit_test(role_goes_back_from_lingering),
		cmocka_unit_test(role_lingers_once_as_long_as_said),
		cmocka_unit_test(role_lingers_on_after_a_restart),
		cmocka_unit_test(role_without_a_guard_does_not_linger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
