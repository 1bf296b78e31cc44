/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of ports that a balancer asks about. What a SERVE may be, test_proto.c shows. */
#include "common/proto/ports.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void ports_tells_lists_apart(void **state)
{
	const struct proto_port ports[] = { { 0, IPPROTO_TCP, 80, 80, false },
		{ 0, IPPROTO_TCP, 443, 443, false } };
	struct proto_port other[] = { ports[0], ports[1] };
	struct addr source;

	assert_int_equal(addr_parse("192.0.2.2", &source), 0);
	assert_int_equal(ports_digest(ports, 0, NULL, 0), 0);
	assert_int_not_equal(ports_digest(ports, 1, NULL, 0), 0);
	assert_int_not_equal(ports_digest(ports, 1, NULL, 0), ports_digest(ports, 2, NULL, 0));
	assert_int_equal(ports_digest(other, 2, NULL, 0), ports_digest(ports, 2, NULL, 0));
	assert_int_not_equal(ports_digest(ports, 2, &source, 1), ports_digest(ports, 2, NULL, 0));
	assert_int_equal(ports_digest(ports, 0, &source, 1), 0);
	other[1].vip = 1;
	assert_int_not_equal(ports_digest(other, 2, NULL, 0), ports_digest(ports, 2, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_tells_lists_apart),
	};

	return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
