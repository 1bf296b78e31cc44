/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the real kernel's neighbour table, in a network namespace of the test's own; ip(8) plays the administrator. */
#include "agent/registration/pins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <net/if.h>

#include "tests/unit/tools/namespace.h"

#define MAC_BALANCER "02:00:00:00:00:02"
#define MAC_MOVED    "02:00:00:00:00:03"
#define MAC_ADMIN    "02:00:00:00:00:04"
#define BALANCER     "192.0.2.2"
#define BALANCER6    "2001:db8:2::2"
#define OURS         "PERMANENT proto 218"

static bool permitted;

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* Whether the entry of the address has these words. */
static bool entry_says(const char *address, const char *words)
{
	char command[256];

	snprintf(command, sizeof(command), "ip neigh show to %s dev eth0 | grep -q -- '%s'",
		address, words);
	return system(command) == 0;
}

static struct addr addr(const char *text)
{
	struct addr result;

	assert_int_equal(addr_parse(text, &result), 0);
	return result;
}

static void hold(struct pins *pins, const char *balancer, const char *mac)
{
	struct addr address = addr(balancer);
	struct proto_place place = { 0 };

	if (mac)
		assert_int_equal(mac_parse(mac, &place.mac), 0);
	pins_hold(pins, &address, &place);
}

static enum pins_state state_of(const struct pins *pins, const char *balancer)
{
	struct addr address = addr(balancer);

	return pins_state(pins, &address);
}

static int setup(void **state)
{
	permitted = namespace_make();
	if (permitted)
		run("ip link add eth0 type veth peer name peer0 && ip link set eth0 up && "
		    "ip link set peer0 up && ip addr add 192.0.2.11/24 dev eth0 && "
		    "ip addr add 2001:db8:2::11/64 dev eth0 nodad");
	return 0;
}

static int teardown(void **state)
{
	return permitted && system("ip link del eth0") != 0 ? -1 : 0;
}

static struct pins *start(void)
{
	struct pins *pins = NULL;

	if (!permitted)
		skip();
	assert_int_equal(pins_new(&pins), 0);
	return pins;
}

static void pins_hold_an_entry_until_it_is_released(void **state)
{
	static const char *const balancers[] = { BALANCER, BALANCER6 };
	_cleanup_(pins_freep) struct pins *pins = start();

	for (size_t i = 0; i < ARRAY_LEN(balancers); i++) {
		const char *balancer = balancers[i];
		struct addr address = addr(balancer);

		assert_int_equal(state_of(pins, balancer), PINS_LEARNED);
		hold(pins, balancer, MAC_BALANCER);
		assert_true(entry_says(balancer, MAC_BALANCER " " OURS));
		assert_int_equal(state_of(pins, balancer), PINS_PINNED);
		hold(pins, balancer, MAC_MOVED);
		assert_true(entry_says(balancer, MAC_MOVED " " OURS));
		pins_release(pins, &address);
		assert_false(entry_says(balancer, "PERMANENT"));
		assert_int_equal(state_of(pins, balancer), PINS_LEARNED);
		pins_release(pins, &address);
	}
}

static void pins_are_made_again_where_they_vanished(void **state)
{
	_cleanup_(pins_freep) struct pins *pins = start();

	hold(pins, BALANCER, MAC_BALANCER);
	run("ip neigh flush dev eth0 nud permanent");
	assert_false(entry_says(BALANCER, "PERMANENT"));
	hold(pins, BALANCER, MAC_BALANCER);
	assert_true(entry_says(BALANCER, MAC_BALANCER " " OURS));
}

static void pins_end_where_the_balancer_says_no_mac(void **state)
{
	_cleanup_(pins_freep) struct pins *pins = start();

	hold(pins, BALANCER, MAC_BALANCER);
	hold(pins, BALANCER, NULL);
	assert_false(entry_says(BALANCER, "PERMANENT"));
}

/* The answers to its probes go to another family's. */
static void pins_hold_the_balancers_other_addresses_too(void **state)
{
	_cleanup_(pins_freep) struct pins *pins = start();
	const struct addr balancer = addr(BALANCER), other = addr("192.0.2.3");
	struct proto_place place = { .n_addresses = 1, .addresses = { addr(BALANCER6) } };

	assert_int_equal(mac_parse(MAC_BALANCER, &place.mac), 0);
	pins_hold(pins, &balancer, &place);
	assert_true(entry_says(BALANCER, MAC_BALANCER " " OURS));
	assert_true(entry_says(BALANCER6, MAC_BALANCER " " OURS));
	pins_hold(pins, &other, &(struct proto_place){ .mac = place.mac });
	pins_release(pins, &other);
	assert_true(entry_says(BALANCER6, MAC_BALANCER " " OURS));
	place.n_addresses = 0;
	pins_hold(pins, &balancer, &place);
	assert_true(entry_says(BALANCER, MAC_BALANCER " " OURS));
	assert_false(entry_says(BALANCER6, "PERMANENT"));
}

static void pins_take_what_was_learned_and_leave_what_was_set(void **state)
{
	struct pins *pins = start();

	run("ip neigh replace " BALANCER " lladdr " MAC_ADMIN " dev eth0 nud reachable");
	run("ip neigh replace " BALANCER6 " lladdr " MAC_ADMIN " dev eth0 nud permanent");
	hold(pins, BALANCER, MAC_BALANCER);
	hold(pins, BALANCER6, MAC_BALANCER);
	assert_true(entry_says(BALANCER, MAC_BALANCER " " OURS));
	assert_true(entry_says(BALANCER6, MAC_ADMIN " PERMANENT"));
	assert_int_equal(state_of(pins, BALANCER6), PINS_FOREIGN);
	pins_free(pins);
	assert_false(entry_says(BALANCER, "PERMANENT"));
	assert_true(entry_says(BALANCER6, MAC_ADMIN " PERMANENT"));
	run("ip neigh del " BALANCER6 " dev eth0");
}

/* The kernel keeps our mark on an entry that an administrator writes over. */
static void pins_leave_what_somebody_wrote_over_them(void **state)
{
	struct pins *pins = start();

	hold(pins, BALANCER, MAC_BALANCER);
	run("ip neigh replace " BALANCER " lladdr " MAC_ADMIN " dev eth0 nud permanent");
	hold(pins, BALANCER, MAC_BALANCER);
	assert_true(entry_says(BALANCER, MAC_ADMIN " PERMANENT"));
	assert_int_equal(state_of(pins, BALANCER), PINS_FOREIGN);
	pins_free(pins);
	assert_true(entry_says(BALANCER, MAC_ADMIN " PERMANENT"));
	run("ip neigh del " BALANCER " dev eth0");
}

static void pins_of_a_killed_process_are_swept(void **state)
{
	struct pins *pins = start();

	run("ip neigh add " BALANCER " lladdr " MAC_MOVED " dev eth0 nud permanent protocol 218");
	run("ip neigh add " BALANCER6 " lladdr " MAC_MOVED " dev eth0 nud permanent protocol 218");
	run("ip neigh add 192.0.2.3 lladdr " MAC_MOVED " dev eth0 nud permanent protocol 217");
	run("ip neigh add 192.0.2.4 lladdr " MAC_MOVED " dev eth0 nud permanent");
	pins_free(pins);
	assert_true(entry_says(BALANCER, OURS));
	pins = start();
	assert_false(entry_says(BALANCER, "PERMANENT"));
	assert_false(entry_says(BALANCER6, "PERMANENT"));
	assert_true(entry_says("192.0.2.3", "PERMANENT"));
	assert_true(entry_says("192.0.2.4", "PERMANENT"));
	pins_free(pins);
}

static void pins_of_link_local_addresses_are_where_balancers_are(void **state)
{
	_cleanup_(pins_freep) struct pins *pins = start();

	hold(pins, "fe80::2", MAC_BALANCER);
	assert_int_equal(state_of(pins, "fe80::2"), PINS_LEARNED);
	pins_face(pins, if_nametoindex("eth0"));
	hold(pins, "fe80::2", MAC_BALANCER);
	assert_true(entry_says("fe80::2", MAC_BALANCER " " OURS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pins_hold_an_entry_until_it_is_released),
		TEST(pins_are_made_again_where_they_vanished),
		TEST(pins_end_where_the_balancer_says_no_mac),
		TEST(pins_hold_the_balancers_other_addresses_too),
		TEST(pins_take_what_was_learned_and_leave_what_was_set),
		TEST(pins_leave_what_somebody_wrote_over_them),
		TEST(pins_of_a_killed_process_are_swept),
		TEST(pins_of_link_local_addresses_are_where_balancers_are),
	};

	return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
