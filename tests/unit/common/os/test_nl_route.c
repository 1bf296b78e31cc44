/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real kernel's answers, in a network namespace of the test's own. Skipped where none may be made. */
#include "common/os/nl_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/tools/namespace.h"

static int is_local(struct nl *nl, const char *text)
{
	struct addr address;

	assert_int_equal(addr_parse(text, &address), 0);
	return nl_route_is_local(nl, &address);
}

static void an_address_of_this_host_is_local(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;

	if (!namespace_make())
		skip();
	assert_int_equal(nl_open(NETLINK_ROUTE, &nl), 0);
	assert_int_equal(system("ip link set lo up && ip address add 198.51.100.10/32 dev lo"), 0);
	assert_int_equal(is_local(nl, "198.51.100.10"), 1);
	assert_int_equal(is_local(nl, "127.0.0.1"), 1);
	assert_int_equal(is_local(nl, "::1"), 1);
	assert_int_equal(is_local(nl, "198.51.100.11"), 0);
	assert_int_equal(is_local(nl, "2001:db8::1"), 0);
}

/* Somebody has a way to everywhere: that is no address of his. */
static void a_route_elsewhere_is_not_local(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;

	if (!namespace_make())
		skip();
	assert_int_equal(nl_open(NETLINK_ROUTE, &nl), 0);
	assert_int_equal(
		system("ip link add eth0 up type veth peer peer0 && ip link set peer0 up && "
		       "ip route add default dev eth0 && ip -6 route add default dev eth0"),
		0);
	assert_int_equal(is_local(nl, "198.51.100.10"), 0);
	assert_int_equal(is_local(nl, "2001:db8:f::10"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_of_this_host_is_local),
		cmocka_unit_test(a_route_elsewhere_is_not_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
