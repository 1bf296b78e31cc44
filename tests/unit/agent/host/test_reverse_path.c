/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reverse_path.c against the running kernel, in a network namespace of its own. */
#include "agent/host/reverse_path.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "tests/unit/agent/host/netns.h"

#define VIP    "198.51.100.10"
#define CLIENT "203.0.113.2"

static void set_filter(const char *interface, const char *value)
{
	char path[128];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", interface);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
}

static void run(const char *command)
{
	/* NOLINTNEXTLINE(cert-env33-c): fixed words, in a namespace of its own */
	assert_int_equal(system(command), 0);
}

/* eth0 is where requests come; peer0 is the other interface. */
static int make_namespace(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	netns_set_up("lo");
	netns_add_veth();
	netns_add_address("lo", VIP, 32);
	netns_add_address("eth0", "192.0.2.11", 24);
	netns_add_address("peer0", "192.0.3.11", 24);
	netns_set_up("eth0");
	netns_set_up("peer0");
	set_filter("all", "0");
	set_filter("eth0", "1");
	return 0;
}

static int drops_of(const char *client, const char *vip, unsigned int *ret_ifindex)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct addr from = netns_addr(client), to = netns_addr(vip);

	*ret_ifindex = 0;
	assert_int_equal(nl_open(NETLINK_ROUTE, &nl), 0);
	return reverse_path_drops(nl, &from, &to, if_nametoindex("eth0"), ret_ifindex);
}

static int drops(unsigned int *ret_ifindex)
{
	return drops_of(CLIENT, VIP, ret_ifindex);
}

static void reverse_path_follows_the_way_back(void **state)
{
	unsigned int ifindex;

	assert_int_equal(drops(&ifindex), 0); /* there is none at all */
	run("ip route add default via 192.0.3.1");
	assert_int_equal(drops(&ifindex), 1);
	assert_int_equal(ifindex, if_nametoindex("peer0"));
	assert_int_equal(drops_of("192.0.2.2", VIP, &ifindex), 0); /* a balancer on the link */
	run("ip route add 203.0.113.0/24 via 192.0.2.1");
	assert_int_equal(drops(&ifindex), 0);
	/* A network of its own, whose name anybody can take: no word about others. */
	run("ip route replace 203.0.113.0/24 via 192.0.3.1");
	assert_int_equal(drops(&ifindex), 0);
	assert_int_equal(drops_of("192.0.3.2", VIP, &ifindex), 0);
	run("ip route del 203.0.113.0/24 && ip route replace unreachable default");
	assert_int_equal(drops(&ifindex), 0);
}

static void reverse_path_is_content_with_one_of_several_hops(void **state)
{
	unsigned int ifindex;

	run("ip route add default nexthop via 192.0.3.1 nexthop via 192.0.2.1 nexthop via 192.0.3.2");
	assert_int_equal(drops(&ifindex), 0);
	run("ip route replace default nexthop via 192.0.3.1 nexthop via 192.0.3.2");
	assert_int_equal(drops(&ifindex), 1);
	assert_int_equal(ifindex, if_nametoindex("peer0"));
}

static void reverse_path_knows_rules_of_the_vip(void **state)
{
	unsigned int ifindex;

	run("ip route add default via 192.0.3.1");
	run("ip route add default via 192.0.2.1 table 7 && ip rule add from " VIP " lookup 7");
	assert_int_equal(drops(&ifindex), 0);
	run("ip rule del from " VIP " lookup 7");
	assert_int_equal(drops(&ifindex), 1);
}

static void reverse_path_obeys_the_larger_setting(void **state)
{
	unsigned int ifindex;

	run("ip route add default via 192.0.3.1");
	set_filter("eth0", "2");
	assert_int_equal(drops(&ifindex), 0);
	set_filter("eth0", "0");
	assert_int_equal(drops(&ifindex), 0);
	set_filter("all", "1");
	assert_int_equal(drops(&ifindex), 1);
	set_filter("all", "2");
	set_filter("eth0", "1");
	assert_int_equal(drops(&ifindex), 0);
}

static void reverse_path_says_what_it_cannot_know(void **state)
{
	unsigned int ifindex;

	assert_int_equal(drops_of("2001:db8::1", "2001:db8:f::10", &ifindex), 0);
	netns_change_link("eth0", NULL, -1);
	assert_true(drops(&ifindex) < 0);
}

#define TEST(name) cmocka_unit_test_setup(name, make_namespace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reverse_path_follows_the_way_back),
		TEST(reverse_path_is_content_with_one_of_several_hops),
		TEST(reverse_path_knows_rules_of_the_vip),
		TEST(reverse_path_obeys_the_larger_setting),
		TEST(reverse_path_says_what_it_cannot_know),
	};

	return cmocka_run_group_tests_name("reverse_path", tests, NULL, NULL);
}
