/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about what is said of interfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/why.h"
#include "lb/link/link_advice.h"
#include "lb/link/neigh/neigh_link.h"

/* `master` 1 is lo, on every host. */
static struct neigh_link link_of(
	const char *name, unsigned int ifindex, unsigned int master, const char *address)
{
	struct neigh_link link = { .ifindex = ifindex, .master = master };

	snprintf(link.name, sizeof(link.name), "%s", name);
	if (address)
		assert_int_equal(addr_parse(address, &link.addresses[link.n_subnets++]), 0);
	return link;
}

static struct {
	unsigned int ifindex, master, backend_ifindex, backend_master;
	const char *address;
	const char *advice; /* "": nothing is odd */
} const cases[] = {
	{ 7, 0, 8, 0, "192.0.2.2", "" },
	{ 7, 0, 8, 0, "2001:db8::1", "" },
	{ 7, 1, 8, 0, "192.0.2.2",
		"eth0 is a port of lo, to which its frames belong; write interface = lo" },
	{ 7, 0, 8, 1, "192.0.2.2",
		"eth1 is a port of lo, to which its frames belong; write backend-interface = lo" },
	{ 7, 0, 8, 0, NULL, "eth1 has no address" },
	{ 7, 0, 8, 0, "fe80::1", "eth1 has no address" },
	/* Not there: that is said elsewhere. */
	{ 0, 0, 0, 0, NULL, "" },
};

static void advice_names_what_is_odd(void **state)
{
	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		const struct neigh_link clients =
			link_of("eth0", each->ifindex, each->master, NULL);
		const struct neigh_link backends =
			link_of("eth1", each->backend_ifindex, each->backend_master, each->address);
		struct why why = { 0 };

		assert_int_equal(link_advice(&clients, &backends, &why), each->advice[0] != '\0');
		assert_int_equal(strncmp(why.text, each->advice, strlen(each->advice)), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advice_names_what_is_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
