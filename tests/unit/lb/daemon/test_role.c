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
			local.family != AF_UNSPEC ? &local : NULL, cases[i].unguarded };
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
	const struct role_facts facts = { .when = &always };

	assert_true(role_update(role, &facts));
	assert_false(role_update(role, &facts));
	role_set_standby(role, true);
	assert_true(role_status(role).active);
	assert_true(role_update(role, &facts));
	assert_false(role_status(role).active);
	assert_false(role_update(role, &facts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(role_says_why_not),
		cmocka_unit_test(role_tells_of_changes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
