/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tags: long */
/*
 * Neighbours, links and routes against the real kernel: two network namespaces of the test's own,
 * joined by a veth pair, `lan0` here and `peer0` there; ip(8) plays the administrator.
 */
#include "lb/link/neigh/neigh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/os/nl.h"
#include "lb/link/neigh/neigh_model.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (8 * US_PER_S) /* the kernel gives a silent neighbour up after three */

#define MAC_HERE  "02:00:00:00:00:01"
#define MAC_PEER  "02:00:00:00:00:02"
#define MAC_OTHER "02:00:00:00:00:03"

static const struct mac nowhere;
static const char *missing; /* what this host does not allow; NULL: everything is there */
static int namespace_here = -1, namespace_peer = -1;

/* Runs a command, in the peer's namespace or here. */
static void run_in(int namespace, const char *command)
{
	int status;

	namespace_enter(namespace);
	status = system(command);
	namespace_enter(namespace_here);
	if (status != 0)
		fail_msg("failed: %s", command);
}

static void here(const char *command)
{
	run_in(namespace_here, command);
}

static void peer(const char *command)
{
	run_in(namespace_peer, command);
}

static int open_namespaces(void **state)
{
	if (system("command -v ip >/dev/null") != 0)
		missing = "ip(8)";
	else if (!namespace_make_two(&namespace_here, &namespace_peer))
		missing = "network namespaces (CAP_SYS_ADMIN)";
	return 0;
}

struct test {
	sd_event *event;
	struct neigh *neigh;
	/* What the callbacks were told last, and how often. */
	struct addr address;
	struct mac mac;
	unsigned int n_neighbours, n_links;
	/* The one that nothing may be told of. */
	struct addr unwanted;
	bool unwanted_told;
};

static void on_neighbour(const struct addr *address, const struct mac *mac, void *context)
{
	struct test *test = context;

	test->address = *address;
	test->mac = *mac;
	test->unwanted_told |= addr_equal(address, &test->unwanted) && !mac_is_zero(mac);
	test->n_neighbours++;
}

static void on_link(void *context)
{
	struct test *test = context;

	test->n_links++;
}

static struct addr addr(const char *text)
{
	struct addr result;

	assert_int_equal(addr_parse(text, &result), 0);
	return result;
}

static void make_lan(void)
{
	char command[256];

	snprintf(command, sizeof(command),
		"ip link add lan0 address " MAC_HERE " mtu 1400 type veth peer name peer0 "
		"address " MAC_PEER " && ip link set peer0 netns /proc/%d/fd/%d",
		getpid(), namespace_peer);
	here(command);
	here("ip addr add 192.0.2.1/24 dev lan0 && ip addr add 2001:db8::1/64 dev lan0 nodad && "
	     "ip link set lan0 up");
	peer("ip addr add 192.0.2.2/24 dev peer0 && ip addr add 2001:db8::2/64 dev peer0 nodad && "
	     "ip link set peer0 up");
}

static int setup(void **state)
{
	static const struct neigh_callbacks callbacks = { on_neighbour, on_link };
	struct test *test;

	if (missing)
		return 0;
	test = calloc(1, sizeof(*test));
	if (!test)
		return -1;
	*state = test;
	make_lan();
	if (sd_event_new(&test->event) < 0)
		return -1;
	return neigh_start(test->event, "lan0", "lan0", &callbacks, test, &test->neigh);
}

static int teardown(void **state)
{
	struct test *test = *state;

	if (!test)
		return 0;
	neigh_free(test->neigh);
	sd_event_unref(test->event);
	free(test);
	return system("ip link del lan0 2>/dev/null; ip link del other0 2>/dev/null; "
		      "ip route flush proto 217; ip -6 route flush proto 217; true");
}

static struct test *test_or_skip(void **state)
{
	if (missing) {
		print_message("skipped: needs %s\n", missing);
		skip();
	}
	return *state;
}

typedef bool condition_fn(const struct test *test, const void *argument);

/* Runs the loop until something holds. */
static void wait_for(struct test *test, condition_fn *condition, const void *argument)
{
	LOOP_UNTIL(test->event, DEADLINE_US, condition(test, argument));
}

static bool told_of(const struct test *test, const void *address)
{
	return test->n_neighbours > 0 && addr_equal(&test->address, address);
}

static bool told_of_mac(const struct test *test, const void *mac)
{
	return test->n_neighbours > 0 && mac_equal(&test->mac, mac);
}

static void wait_for_mac(struct test *test, const char *text)
{
	struct mac mac = { 0 };

	if (text)
		assert_int_equal(mac_parse(text, &mac), 0);
	wait_for(test, told_of_mac, &mac);
}

/* The dump that the start schedules has been made when a neighbour set before it was told. */
static void settle(struct test *test)
{
	struct addr marker = addr("192.0.2.99");

	here("ip neigh add 192.0.2.99 lladdr 02:00:00:00:00:63 dev lan0 nud permanent");
	wait_for(test, told_of, &marker);
	here("ip neigh del 192.0.2.99 dev lan0");
	wait_for_mac(test, NULL);
	test->n_neighbours = 0;
	test->n_links = 0;
}

static void neigh_knows_the_link(void **state)
{
	struct test *test = test_or_skip(state);
	const struct neigh_link *link = neigh_backend_link(test->neigh);
	struct addr own = addr("192.0.2.1"), own6 = addr("2001:db8::1"), alien = addr("192.0.2.2");
	char mac[MAC_STRLEN], subnet[ADDR_STRLEN];

	assert_int_not_equal(link->ifindex, 0);
	assert_string_equal(link->name, "lan0");
	assert_string_equal(mac_format(&link->mac, mac), MAC_HERE);
	assert_int_equal(link->mtu_bytes, 1400);
	assert_true(link->running);
	assert_true(link->n_subnets >= 2);
	assert_string_equal(addr_format(&link->subnets[0].addr, subnet), "192.0.2.0");
	assert_int_equal(link->subnets[0].len, 24);
	assert_true(addr_equal(&link->addresses[0], &own));
	assert_true(neigh_has_address(test->neigh, &own));
	assert_true(neigh_has_address(test->neigh, &own6));
	assert_false(neigh_has_address(test->neigh, &alien));
	assert_int_equal(test->n_links + test->n_neighbours, 0);
}

static void neigh_resolves_the_unknown(void **state)
{
	static const char *const addresses[] = { "192.0.2.2", "2001:db8::2" };
	struct test *test = test_or_skip(state);

	settle(test);
	ARRAY_FOREACH (text, addresses, ARRAY_LEN(addresses)) {
		struct addr wanted = addr(*text);

		test->n_neighbours = 0;
		assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
		assert_int_equal(test->n_neighbours, 0);
		wait_for(test, told_of, &wanted);
		wait_for_mac(test, MAC_PEER);
	}
}

static void neigh_confirms_the_known(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr wanted = addr("192.0.2.2");

	settle(test);
	for (unsigned int idx = 0; idx < 5; idx++) {
		test->n_neighbours = 0;
		assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
		wait_for_mac(test, MAC_PEER);
	}
}

static void neigh_tells_of_silence(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr absent = addr("192.0.2.77");

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &absent, &nowhere), 0);
	wait_for(test, told_of, &absent);
	assert_true(mac_is_zero(&test->mac));
}

static void neigh_asks_again_after_a_failure(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr late = addr("192.0.2.3");

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &late, &nowhere), 0);
	wait_for_mac(test, NULL);
	peer("ip addr add 192.0.2.3/24 dev peer0");
	test->n_neighbours = 0;
	assert_int_equal(neigh_probe(test->neigh, &late, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
}

static void neigh_notices_that_a_neighbour_died(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr wanted = addr("192.0.2.2");

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
	peer("ip link set peer0 arp off");
	test->n_neighbours = 0;
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
	wait_for(test, told_of, &wanted);
	assert_true(mac_is_zero(&test->mac));
}

static void neigh_follows_a_new_mac_at_once(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr wanted = addr("192.0.2.2");

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
	/* The new MAC makes itself known by asking; nobody probes. */
	peer("ip link set peer0 address " MAC_OTHER);
	here("ip neigh replace 192.0.2.2 lladdr " MAC_OTHER " dev lan0 nud stale");
	wait_for_mac(test, MAC_OTHER);
}

static void neigh_does_not_believe_a_stale_entry(void **state)
{
	struct test *test = test_or_skip(state);

	settle(test);
	test->unwanted = addr("192.0.2.50");
	here("ip neigh add 192.0.2.50 lladdr 02:00:00:00:00:32 dev lan0 nud stale");
	here("ip neigh add 192.0.2.51 lladdr 02:00:00:00:00:33 dev lan0 nud permanent");
	wait_for_mac(test, "02:00:00:00:00:33");
	assert_false(test->unwanted_told);
}

static void neigh_keeps_a_permanent_entry(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr wanted = addr("192.0.2.51");

	settle(test);
	here("ip neigh add 192.0.2.51 lladdr 02:00:00:00:00:33 dev lan0 nud permanent");
	wait_for_mac(test, "02:00:00:00:00:33");
	test->n_neighbours = 0;
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
	wait_for_mac(test, "02:00:00:00:00:33");
	here("ip neigh show 192.0.2.51 dev lan0 | grep -q PERMANENT");
}

#define OURS "PERMANENT proto 217"

static struct mac mac(const char *text)
{
	struct mac result;

	assert_int_equal(mac_parse(text, &result), 0);
	return result;
}

static void neigh_pins_against_arp(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr peer4 = addr("192.0.2.2"), peer6 = addr("2001:db8::2");
	struct mac first = mac(MAC_PEER), second = mac(MAC_OTHER);

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &peer4, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
	assert_int_equal(neigh_pin(test->neigh, &peer4, &first), 0);
	assert_int_equal(neigh_pin(test->neigh, &peer6, &first), 0);
	here("ip neigh show 192.0.2.2 dev lan0 | grep -q 'lladdr " MAC_PEER " " OURS "'");
	here("ip neigh show 2001:db8::2 dev lan0 | grep -q 'lladdr " MAC_PEER " " OURS "'");
	/* The host itself says that it has another MAC: so could anybody. */
	peer("ip link set peer0 down && ip link set peer0 address " MAC_OTHER " && "
	     "ip link set peer0 up && sysctl -qw net.ipv4.conf.peer0.arp_notify=1 && "
	     "ip link set peer0 down && ip link set peer0 up");
	here("ip neigh show 192.0.2.2 dev lan0 | grep -q 'lladdr " MAC_PEER " " OURS "'");
	/* Who registers it anew is believed. */
	assert_int_equal(neigh_pin(test->neigh, &peer4, &second), 0);
	here("ip neigh show 192.0.2.2 dev lan0 | grep -q 'lladdr " MAC_OTHER " " OURS "'");
	neigh_unpin(test->neigh, &peer4);
	here("! ip neigh show 192.0.2.2 dev lan0 | grep -q PERMANENT");
	assert_int_equal(neigh_probe(test->neigh, &peer4, &nowhere), 0);
	wait_for_mac(test, MAC_OTHER);
	/* What is pinned at the end does not outlive us. */
	test->neigh = neigh_free(test->neigh);
	here("! ip neigh show 2001:db8::2 dev lan0 | grep -q PERMANENT");
}

static bool told_of_none(const struct test *test, const void *argument)
{
	return test->n_neighbours > 0 && mac_is_zero(&test->mac);
}

static void neigh_pins_again_what_was_deleted(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr address = addr("192.0.2.2");
	struct mac first = mac(MAC_PEER);

	settle(test);
	assert_int_equal(neigh_pin(test->neigh, &address, &first), 0);
	wait_for_mac(test, MAC_PEER);
	test->n_neighbours = 0;
	here("ip neigh del 192.0.2.2 dev lan0");
	wait_for(test, told_of_none, NULL);
	assert_int_equal(neigh_pin(test->neigh, &address, &first), 0);
	here("ip neigh show 192.0.2.2 dev lan0 | grep -q '" OURS "'");
}

static void neigh_pins_no_administrators_entry(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr address = addr("192.0.2.51");
	struct mac first = mac(MAC_PEER);

	settle(test);
	here("ip neigh add 192.0.2.51 lladdr 02:00:00:00:00:33 dev lan0 nud permanent");
	assert_int_equal(neigh_pin(test->neigh, &address, &first), 0);
	neigh_unpin(test->neigh, &address);
	assert_int_equal(neigh_pin(test->neigh, &address, &first), 0);
	test->neigh = neigh_free(test->neigh);
	here("ip neigh show 192.0.2.51 dev lan0 | grep -q 'lladdr 02:00:00:00:00:33 PERMANENT'");
}

/* Whoever has a key may say that it is there; where this host's own frames go is not for it to say. */
static void neigh_pins_no_gateway(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr address = addr("192.0.2.254");
	struct mac first = mac(MAC_PEER);

	settle(test);
	here("ip route add 203.0.113.0/24 via 192.0.2.254 dev lan0");
	assert_int_equal(neigh_pin(test->neigh, &address, &first), -EPERM);
	here("! ip neigh show 192.0.2.254 dev lan0 | grep -q PERMANENT");
	here("ip route del 203.0.113.0/24");
}

static bool pin_is_swept(const struct test *test, const void *argument)
{
	return system("ip neigh show 192.0.2.61 dev lan0 | grep -q PERMANENT") != 0;
}

/* As after SIGKILL. */
static void neigh_deletes_pins_of_a_killed_process(void **state)
{
	struct test *test = test_or_skip(state);
	static const struct neigh_callbacks callbacks = { on_neighbour, on_link };
	struct addr wanted = addr("192.0.2.62");
	struct mac first = mac(MAC_PEER);

	test->neigh = neigh_free(test->neigh);
	here("ip neigh add 192.0.2.61 lladdr " MAC_PEER " dev lan0 nud permanent protocol 217");
	here("ip neigh add 192.0.2.62 lladdr " MAC_PEER " dev lan0 nud permanent protocol 217");
	assert_int_equal(
		neigh_start(test->event, "lan0", "lan0", &callbacks, test, &test->neigh), 0);
	assert_int_equal(neigh_pin(test->neigh, &wanted, &first), 0);
	wait_for(test, pin_is_swept, NULL);
	here("ip neigh show 192.0.2.62 dev lan0 | grep -q '" OURS "'");
}

static bool link_is_absent(const struct test *test, const void *argument)
{
	return neigh_backend_link(test->neigh)->ifindex == 0;
}

static bool link_is_running(const struct test *test, const void *argument)
{
	return neigh_backend_link(test->neigh)->running;
}

static bool link_is_not_running(const struct test *test, const void *argument)
{
	return !neigh_backend_link(test->neigh)->running;
}

static void neigh_follows_link_state(void **state)
{
	struct test *test = test_or_skip(state);

	settle(test);
	here("ip link set lan0 down");
	wait_for(test, link_is_not_running, NULL);
	assert_true(test->n_links > 0);
	here("ip link set lan0 up");
	wait_for(test, link_is_running, NULL);
}

static void neigh_follows_the_name_over_deletion(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr wanted = addr("192.0.2.2");
	unsigned int before = neigh_backend_link(test->neigh)->ifindex;

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
	test->n_links = 0;
	here("ip link del lan0");
	wait_for(test, link_is_absent, NULL);
	wait_for_mac(test, NULL);
	assert_true(test->n_links > 0);
	assert_int_equal(neigh_backend_link(test->neigh)->n_subnets, 0);
	assert_false(neigh_has_address(test->neigh, &(struct addr){ AF_UNSPEC }));
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), -ENODEV);

	make_lan();
	wait_for(test, link_is_running, NULL);
	assert_int_not_equal(neigh_backend_link(test->neigh)->ifindex, before);
	test->n_neighbours = 0;
	assert_int_equal(neigh_probe(test->neigh, &wanted, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
}

static void neigh_follows_the_name_over_renaming(void **state)
{
	struct test *test = test_or_skip(state);
	unsigned int before = neigh_backend_link(test->neigh)->ifindex;

	settle(test);
	here("ip link set lan0 down && ip link set lan0 name other0");
	wait_for(test, link_is_absent, NULL);
	here("ip link set other0 name lan0 && ip link set lan0 up");
	wait_for(test, link_is_running, NULL);
	assert_int_equal(neigh_backend_link(test->neigh)->ifindex, before);
	assert_true(neigh_backend_link(test->neigh)->n_subnets >= 1);
}

/* A stranger says that the gateway is where a real server is that nobody has seen yet. */
static void neigh_finds_a_newcomer_whose_mac_is_said_to_be_a_gateways(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr first = addr("192.0.2.2");

	settle(test);
	here("ip route add 203.0.113.0/24 via 192.0.2.254 dev lan0 && "
	     "ip neigh replace 192.0.2.254 lladdr " MAC_PEER " dev lan0 nud stale");
	assert_int_equal(neigh_probe(test->neigh, &first, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
	here("ip route del 203.0.113.0/24");
}

static bool has_address(const struct test *test, const void *address)
{
	return neigh_has_address(test->neigh, address);
}

static bool has_no_address(const struct test *test, const void *address)
{
	return !neigh_has_address(test->neigh, address);
}

static void neigh_follows_addresses(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr vip = addr("198.51.100.10"), own = addr("192.0.2.9");
	size_t n_subnets = neigh_backend_link(test->neigh)->n_subnets;

	settle(test);
	here("ip addr add 198.51.100.10/32 dev lo");
	wait_for(test, has_address, &vip);
	/* A VIP on any interface ends activity: it is told of at once. */
	assert_true(test->n_links > 0);
	here("ip addr del 198.51.100.10/32 dev lo");
	wait_for(test, has_no_address, &vip);
	here("ip addr add 192.0.2.9/24 dev lan0");
	wait_for(test, has_address, &own);
	assert_true(test->n_links > 0);
	assert_int_equal(neigh_backend_link(test->neigh)->n_subnets, n_subnets + 1);
}

/* More changes than the socket's buffer holds, while nobody reads. */
static void neigh_recovers_from_lost_events(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr first = addr("192.0.2.2"), kept = addr("203.0.113.200");

	settle(test);
	assert_int_equal(neigh_probe(test->neigh, &first, &nowhere), 0);
	wait_for_mac(test, MAC_PEER);
	here("for round in 1 2 3 4 5 6 7 8 9 10 11 12; do for i in $(seq 200); do "
	     "echo addr add 203.0.113.$i/32 dev lo; done; for i in $(seq 199); do "
	     "echo addr del 203.0.113.$i/32 dev lo; done; "
	     "echo addr del 203.0.113.200/32 dev lo; done > /tmp/test_neigh.$PPID; "
	     "echo neigh del 192.0.2.2 dev lan0 >> /tmp/test_neigh.$PPID; "
	     "echo addr add 203.0.113.200/32 dev lo >> /tmp/test_neigh.$PPID; "
	     "ip -batch /tmp/test_neigh.$PPID; r=$?; rm /tmp/test_neigh.$PPID; exit $r");
	test->n_neighbours = 0;
	wait_for(test, has_address, &kept);
	wait_for(test, told_of, &first);
	assert_true(mac_is_zero(&test->mac));
}

static void neigh_blackholes_come_and_go(void **state)
{
	static const char *const vips[] = { "198.51.100.10", "2001:db8:1::10" };
	struct test *test = test_or_skip(state);

	ARRAY_FOREACH (text, vips, ARRAY_LEN(vips)) {
		struct addr vip = addr(*text);
		char command[128];

		assert_int_equal(neigh_blackhole_add(test->neigh, &vip), 0);
		snprintf(command, sizeof(command),
			"ip %s route show table main proto 217 | grep -q 'blackhole %s '",
			vip.family == AF_INET ? "-4" : "-6", *text);
		here(command);
		assert_int_equal(neigh_blackhole_add(test->neigh, &vip), 0);
		assert_int_equal(neigh_blackhole_remove(test->neigh, &vip), 0);
		snprintf(command, sizeof(command), "! ip %s route show table main | grep -q '%s '",
			vip.family == AF_INET ? "-4" : "-6", *text);
		here(command);
		assert_int_equal(neigh_blackhole_remove(test->neigh, &vip), 0);
	}
}

static void neigh_leaves_foreign_routes_alone(void **state)
{
	struct test *test = test_or_skip(state);
	struct addr blackhole = addr("198.51.100.11"), way = addr("198.51.100.12");

	here("ip route add blackhole 198.51.100.11 && ip route add 198.51.100.12 via 192.0.2.2");
	assert_int_equal(neigh_blackhole_add(test->neigh, &blackhole), 0);
	assert_int_equal(neigh_blackhole_add(test->neigh, &way), -EEXIST);
	assert_int_equal(neigh_blackhole_remove(test->neigh, &blackhole), 0);
	assert_int_equal(neigh_blackhole_remove(test->neigh, &way), 0);
	here("ip route show 198.51.100.11 | grep -q blackhole && "
	     "ip route show 198.51.100.12 | grep -q via");
	here("ip route del blackhole 198.51.100.11");
}

static void neigh_starts_without_its_interface(void **state)
{
	static const struct neigh_callbacks callbacks = { on_neighbour, on_link };
	_cleanup_(neigh_freep) struct neigh *neigh = NULL;
	struct test *test = test_or_skip(state);

	assert_int_equal(neigh_start(test->event, "lan0", "absent0", &callbacks, test, &neigh), 0);
	assert_int_equal(neigh_backend_link(neigh)->ifindex, 0);
	assert_string_equal(neigh_backend_link(neigh)->name, "absent0");
	assert_int_not_equal(neigh_client_link(neigh)->ifindex, 0);
}

#define neigh_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		neigh_test(neigh_knows_the_link),
		neigh_test(neigh_resolves_the_unknown),
		neigh_test(neigh_confirms_the_known),
		neigh_test(neigh_tells_of_silence),
		neigh_test(neigh_asks_again_after_a_failure),
		neigh_test(neigh_notices_that_a_neighbour_died),
		neigh_test(neigh_follows_a_new_mac_at_once),
		neigh_test(neigh_does_not_believe_a_stale_entry),
		neigh_test(neigh_keeps_a_permanent_entry),
		neigh_test(neigh_pins_against_arp),
		neigh_test(neigh_pins_again_what_was_deleted),
		neigh_test(neigh_pins_no_administrators_entry),
		neigh_test(neigh_pins_no_gateway),
		neigh_test(neigh_deletes_pins_of_a_killed_process),
		neigh_test(neigh_follows_link_state),
		neigh_test(neigh_follows_the_name_over_deletion),
		neigh_test(neigh_follows_the_name_over_renaming),
		neigh_test(neigh_finds_a_newcomer_whose_mac_is_said_to_be_a_gateways),
		neigh_test(neigh_follows_addresses),
		neigh_test(neigh_recovers_from_lost_events),
		neigh_test(neigh_blackholes_come_and_go),
		neigh_test(neigh_leaves_foreign_routes_alone),
		neigh_test(neigh_starts_without_its_interface),
	};

	return cmocka_run_group_tests_name("neigh", tests, open_namespaces, NULL);
}
