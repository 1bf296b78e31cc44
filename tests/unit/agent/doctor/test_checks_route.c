/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of ICMP redirects, which is no fault; the faults of ways are test_examine.c's. */
#include "agent/doctor/checks_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

#define ETH0 2u
#define ETH1 3u
#define ETH2 4u

static const struct doctor_check table[] = { { "redirects", checks_redirects } };

/* What is said of each link begins so, with the command that ends it (NULL: none), and is no fault. */
static void say(const struct facts *facts, size_t n_links, const char *begin, const char *mend)
{
	struct doctor *doctor = doctor_new();

	assert_non_null(doctor);
	doctor_run(doctor, table, ARRAY_LEN(table), facts);
	assert_int_equal(doctor_len(doctor), n_links);
	for (size_t i = 0; i < n_links; i++) {
		const struct doctor_finding *finding = doctor_finding(doctor, i);

		assert_int_equal(finding->state, DOCTOR_OK);
		assert_memory_equal(finding->what, begin, strlen(begin));
		if (mend)
			assert_string_equal(finding->mend, mend);
		else
			assert_null(finding->mend);
	}
	doctor_free(doctor);
}

/* By IPv4 one of the two settings takes them, on a router both; by IPv6 the interface's own. */
static void redirects_are_told_with_what_ends_them(void **state)
{
	static const char taken[] = "takes ICMP redirects, ",
			  not_taken[] = "takes no ICMP redirects";
	static const char command4[] = "sysctl -w net/ipv4/conf/all/accept_redirects=0 "
				       "net/ipv4/conf/eth0/accept_redirects=0";
	static const char command6[] = "sysctl -w net/ipv6/conf/eth0/accept_redirects=0";
	struct survey_link eth0 = { .ifindex = ETH0, .name = "eth0", .has_conf4 = true };
	struct config config = { 0 };
	struct facts facts = { .config = &config,
		.has_identity = true,
		.identity.ifindex = ETH0,
		.survey = { .links = &eth0, .n_links = 1 } };

	say(&facts, 1, not_taken, NULL);
	facts.all.accept_redirects = 1;
	say(&facts, 1, taken, command4);
	eth0.conf4[IPV4_DEVCONF_FORWARDING - 1] = 1;
	say(&facts, 1, not_taken, NULL);
	eth0.conf4[IPV4_DEVCONF_ACCEPT_REDIRECTS - 1] = 1;
	say(&facts, 1, taken, command4);
	facts.all.accept_redirects = 0;
	say(&facts, 1, not_taken, NULL);
	eth0.conf4[IPV4_DEVCONF_FORWARDING - 1] = 0;
	say(&facts, 1, taken, command4);
	eth0.conf4[IPV4_DEVCONF_ACCEPT_REDIRECTS - 1] = 0;
	eth0.takes_redirects6 = true;
	say(&facts, 1, taken, command6);
}

/* The interface to balancers, and those by which answers leave. */
static void other_interfaces_are_left_out(void **state)
{
	struct survey_link links[] = { { .ifindex = ETH0, .name = "eth0" },
		{ .ifindex = ETH1, .name = "eth1" }, { .ifindex = ETH2, .name = "eth2" } };
	struct config config = { 0 };
	struct facts facts = { .config = &config,
		.has_identity = true,
		.identity.ifindex = ETH0,
		.answer4.route.ifindex = ETH1,
		.answer6 = { .error = -ENETUNREACH, .route.ifindex = ETH2 },
		.survey = { .links = links, .n_links = ARRAY_LEN(links) } };

	say(&facts, 2, "takes no ICMP redirects", NULL);
	facts.has_identity = false;
	say(&facts, 0, "", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redirects_are_told_with_what_ends_them),
		cmocka_unit_test(other_interfaces_are_left_out),
	};

	return cmocka_run_group_tests_name("checks_route", tests, NULL, NULL);
}
