/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c: which state is announced, and why; reconcile.c's pauses and admin.c's memory. */
#include "agent/registration/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "agent/daemon/admin.h"
#include "agent/host/reconcile.h"

#define LO   1u
#define ETH0 2u

struct fixture {
	struct host_link links[2];
	struct host_address addresses[2];
	struct host host;
	struct host_wanted wanted;
	uint32_t established[HOST_VIPS_MAX];
	struct report_facts facts;
	struct proto_status status;
};

/* A host that serves both VIPs rightly. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->links[0] = (struct host_link){ .ifindex = LO, .name = "lo", .up = true };
	f->links[1] = (struct host_link){ .ifindex = ETH0,
		.name = "eth0",
		.up = true,
		.arp = true,
		.has_inet = true,
		.arp_ignore = 1,
		.arp_announce = 2 };
	assert_int_equal(addr_parse("198.51.100.10", &f->wanted.vips[0]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &f->wanted.vips[1]), 0);
	f->wanted.n_vips = 2;
	f->wanted.loopback_ifindex = LO;
	strcpy(f->wanted.loopback, "lo");
	f->addresses[0] =
		(struct host_address){ .ifindex = LO, .addr = f->wanted.vips[0], .prefix_len = 32 };
	f->addresses[1] = (struct host_address){
		.ifindex = LO, .addr = f->wanted.vips[1], .prefix_len = 128
	};
	f->host = (struct host){
		.links = f->links, .n_links = 2, .addresses = f->addresses, .n_addresses = 2
	};
	f->established[0] = 7;
	f->facts = (struct report_facts){ .host = &f->host,
		.wanted = &f->wanted,
		.blocked = "",
		.weight = 3,
		.established = f->established };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void report_is_up_when_all_is_well(void **state)
{
	struct fixture *f = *state;

	report_make_status(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_UP);
	assert_string_equal(f->status.reason, "");
	assert_int_equal(f->status.weight, 3);
	assert_int_equal(f->status.n_vips, 2);
	assert_true(f->status.vips[0].present && f->status.vips[0].silent);
	assert_int_equal(f->status.vips[0].established, 7);
	assert_true(f->status.vips[1].present && f->status.vips[1].silent);
}

static void report_ranks_down_maint_drain(void **state)
{
	static const struct {
		bool faulty, stopping;
		enum report_admin admin;
		enum proto_state state;
	} cases[] = {
		{ false, false, REPORT_DRAIN, PROTO_STATE_DRAIN },
		{ false, true, REPORT_ENABLED, PROTO_STATE_DRAIN },
		{ false, false, REPORT_MAINT, PROTO_STATE_MAINT },
		{ false, true, REPORT_MAINT, PROTO_STATE_MAINT },
		{ true, false, REPORT_ENABLED, PROTO_STATE_DOWN },
		{ true, false, REPORT_MAINT, PROTO_STATE_DOWN },
		{ true, true, REPORT_DRAIN, PROTO_STATE_DOWN },
	};
	struct fixture *f = *state;

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		f->links[1].arp_ignore = item->faulty ? 0 : 1;
		f->facts.stopping = item->stopping;
		f->facts.admin = item->admin;
		report_make_status(&f->facts, &f->status);
		assert_int_equal(f->status.state, item->state);
		assert_string_not_equal(f->status.reason, "");
	}
}

static void report_one_missing_vip_is_down(void **state)
{
	struct fixture *f = *state;

	f->host.n_addresses = 1;
	report_make_status(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_DOWN);
	assert_string_equal(f->status.reason, "VIP 2001:db8::10 is missing on lo");
	assert_true(f->status.vips[0].present);
	assert_false(f->status.vips[1].present);
}

static void report_cuts_a_long_complaint(void **state)
{
	struct fixture *f = *state;
	char text[512];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	f->facts.blocked = text;
	report_make_status(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_DOWN);
	assert_int_equal(strlen(f->status.reason), PROTO_REASON_MAX);
}

static void admin_word_outlives_the_daemon(void **state)
{
	char directory[] = "/tmp/dsr-test-admin.XXXXXX";

	assert_non_null(mkdtemp(directory));
	assert_int_equal(admin_load(directory), REPORT_ENABLED);
	assert_int_equal(admin_store(directory, REPORT_MAINT), 0);
	assert_int_equal(admin_load(directory), REPORT_MAINT);
	assert_int_equal(admin_store(directory, REPORT_DRAIN), 0);
	assert_int_equal(admin_load(directory), REPORT_DRAIN);
	assert_int_equal(admin_store(directory, REPORT_ENABLED), 0);
	assert_int_equal(admin_store(directory, REPORT_ENABLED), 0);
	assert_int_equal(admin_load(directory), REPORT_ENABLED);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(admin_store(directory, REPORT_DRAIN), -ENOENT);
}

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
	struct fixture *f = *state;
	struct plan_op ops[] = {
		{ .type = PLAN_SET_ARP, .ifindex = 2, .repair = true },
		{ .type = PLAN_SET_ARP, .ifindex = 3 },
		{ .type = PLAN_ADD_ADDRESS, .vip = f->wanted.vips[0] }, /* into eth0's noise */
		{ .type = PLAN_ADD_ADDRESS, .vip = f->wanted.vips[1] },
		{ .type = PLAN_ADD_ADDRESS, .vip = f->wanted.vips[1], .repair = true },
	};
	struct plan plan = { .ops = ops, .n_ops = ARRAY_LEN(ops) };

	reconcile_hold_repairs(&plan);
	assert_int_equal(plan.n_ops, 2);
	assert_int_equal(ops[0].ifindex, 3);
	assert_int_equal(ops[1].type, PLAN_ADD_ADDRESS);
	assert_int_equal(ops[1].vip.family, AF_INET6);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(report_is_up_when_all_is_well),
		fact(report_ranks_down_maint_drain),
		fact(report_one_missing_vip_is_down),
		fact(report_cuts_a_long_complaint),
		fact(admin_word_outlives_the_daemon),
		fact(reconcile_pauses_grow_and_end),
		fact(reconcile_holds_repairs_but_not_new_interfaces),
	};

	return cmocka_run_group_tests_name("agent/report", tests, NULL, NULL);
}
