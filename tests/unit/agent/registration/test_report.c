/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which state is announced, and why. */
#include "agent/registration/report.h"
#include "common/proto/vips.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/util.h"

struct fixture {
	struct report_vip vips[2];
	struct report_facts facts;
	struct proto_status status;
};

/* A host that serves both VIPs rightly. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->vips[0] = (struct report_vip){ true, true, 7 };
	f->vips[1] = (struct report_vip){ true, true, 0 };
	f->facts = (struct report_facts){
		.vips = f->vips,
		.n_vips = 2,
		.blocked = "",
		.fault = "",
		.failing = "",
		.leaving = "",
		.weight = 3,
	};
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

	report_make(&f->facts, &f->status);
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
		bool faulty, failing, leaving, stopping;
		enum report_admin admin;
		enum proto_state state;
	} cases[] = {
		{ false, false, false, false, REPORT_DRAIN, PROTO_STATE_DRAIN },
		{ false, false, true, false, REPORT_ENABLED, PROTO_STATE_DRAIN },
		{ false, false, false, true, REPORT_ENABLED, PROTO_STATE_DRAIN },
		{ false, false, false, false, REPORT_MAINT, PROTO_STATE_MAINT },
		{ false, false, false, true, REPORT_MAINT, PROTO_STATE_MAINT },
		{ false, true, true, true, REPORT_MAINT, PROTO_STATE_MAINT },
		{ false, true, true, false, REPORT_ENABLED, PROTO_STATE_DOWN },
		{ false, true, false, true, REPORT_DRAIN, PROTO_STATE_DOWN },
		{ true, false, false, false, REPORT_ENABLED, PROTO_STATE_DOWN },
		{ true, false, false, false, REPORT_MAINT, PROTO_STATE_DOWN },
		{ true, false, false, true, REPORT_DRAIN, PROTO_STATE_DOWN },
	};
	struct fixture *f = *state;

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		f->facts.fault = item->faulty ? "eth0 would answer ARP" : "";
		f->facts.failing = item->failing ? "nothing accepts on 198.51.100.10:80" : "";
		f->facts.leaving = item->leaving ? "file /run/serve is not there" : "";
		f->facts.stopping = item->stopping;
		f->facts.admin = item->admin;
		report_make(&f->facts, &f->status);
		assert_int_equal(f->status.state, item->state);
		assert_string_not_equal(f->status.reason, "");
		if (item->failing && item->state == PROTO_STATE_DOWN)
			assert_string_equal(f->status.reason, f->facts.failing);
	}
}

static void report_one_missing_vip_is_down(void **state)
{
	struct fixture *f = *state;

	f->vips[1] = (struct report_vip){ false, true, 0 };
	f->facts.fault = "VIP 2001:db8::10 is missing on lo";
	report_make(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_DOWN);
	assert_string_equal(f->status.reason, "VIP 2001:db8::10 is missing on lo");
	assert_true(f->status.vips[0].present);
	assert_false(f->status.vips[1].present);
}

static void report_keeps_a_fault_that_is_being_mended_to_itself(void **state)
{
	struct fixture *f = *state;

	f->vips[0] = (struct report_vip){ true, false, 7 };
	f->facts.fault = "c1 would answer ARP";
	f->facts.blocked = "cannot read";
	f->facts.being_mended = true;
	report_make(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_UP);
	assert_true(f->status.vips[0].present && f->status.vips[0].silent);
	assert_int_equal(f->status.vips[0].established, 7);
	f->facts.being_mended = false;
	report_make(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_DOWN);
}

static void report_cuts_a_long_complaint(void **state)
{
	struct fixture *f = *state;
	char text[512];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	f->facts.blocked = text;
	report_make(&f->facts, &f->status);
	assert_int_equal(f->status.state, PROTO_STATE_DOWN);
	assert_int_equal(strlen(f->status.reason), PROTO_REASON_MAX);
}

/* Of more VIPs than a status tells one by one all the same is known, and what differs is told. */
static void report_tells_of_many_which_are_not_well(void **state)
{
	struct report_vip vips[PROTO_VIPS_MAX];
	struct proto_status well;
	struct fixture *f = *state;

	ARRAY_FOREACH (vip, vips, PROTO_VIPS_MAX)
		*vip = (struct report_vip){ true, true, 1 };
	f->facts.vips = vips;
	f->facts.n_vips = PROTO_VIPS_MAX;
	report_make(&f->facts, &well);
	assert_int_equal(well.n_vips, PROTO_VIPS_MAX);
	assert_int_equal(well.state, PROTO_STATE_UP);
	assert_true(report_can_be_sent(&well));
	for (size_t idx = 0; idx < PROTO_VIPS_MAX; idx += 341) {
		vips[idx].silent = false;
		report_make(&f->facts, &f->status);
		assert_true(report_differs(&well, &f->status));
		assert_false(vips_are_silent(&f->status, idx));
		assert_true(vips_are_present(&f->status, idx));
		assert_true(report_can_be_sent(&f->status));
		vips[idx].silent = true;
	}
	vips[3].established = 9;
	report_make(&f->facts, &f->status);
	assert_false(report_differs(&well, &f->status));
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(report_is_up_when_all_is_well),
		fact(report_ranks_down_maint_drain),
		fact(report_one_missing_vip_is_down),
		fact(report_tells_of_many_which_are_not_well),
		fact(report_keeps_a_fault_that_is_being_mended_to_itself),
		fact(report_cuts_a_long_complaint),
	};

	return cmocka_run_group_tests_name("agent/report", tests, NULL, NULL);
}
