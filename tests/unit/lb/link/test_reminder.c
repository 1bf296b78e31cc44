/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that believes that the balancer is elsewhere is told where it is, over a veth pair whose two ends
 * are in a network namespace of the test's own: web0 is the real server's.
 */
#include "lb/link/reminder.h"

#include <net/if.h>

#include "common/os/clock.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)

static const struct mac lb = { { 2, 0, 0, 0, 0, 1 } }, web = { { 2, 0, 0, 0, 0, 2 } };

static void reminder_corrects_what_was_forged(void **state)
{
	static const char *const balancers[] = { "192.0.2.2", "2001:db8::2" };
	_cleanup_close_ int fd = -1;
	char command[256];

	if (!namespace_make() ||
		system("ip link add lb0 address 02:00:00:00:00:01 type veth "
		       "peer name web0 address 02:00:00:00:00:02 && "
		       "ip addr add 192.0.2.11/24 dev web0 && "
		       "ip addr add 2001:db8::11/64 dev web0 nodad && "
		       "ip link set lb0 up && ip link set web0 up") != 0)
		skip();
	namespace_wait_up("lb0");
	assert_int_equal(reminder_open(&fd), 0);
	ARRAY_FOREACH (balancer, balancers, ARRAY_LEN(balancers)) {
		uint64_t deadline_us = clock_now_us() + DEADLINE_US;
		struct addr address;

		assert_int_equal(addr_parse(*balancer, &address), 0);
		snprintf(command, sizeof(command),
			"ip neigh replace %s lladdr 02:00:00:00:00:66 dev web0 nud reachable",
			*balancer);
		assert_int_equal(system(command), 0);
		assert_int_equal(reminder_send(fd, if_nametoindex("lb0"), &address, &lb, &web), 0);
		snprintf(command, sizeof(command),
			"ip neigh show %s dev web0 | grep -q 'lladdr 02:00:00:00:00:01 '",
			*balancer);
		while (system(command) != 0)
			assert_true(clock_now_us() < deadline_us);
	}
}

static void reminder_says_that_it_cannot(void **state)
{
	const struct addr address = { .family = AF_INET };

	assert_int_equal(reminder_send(-1, 1, &address, &lb, &web), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reminder_corrects_what_was_forged),
		cmocka_unit_test(reminder_says_that_it_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
