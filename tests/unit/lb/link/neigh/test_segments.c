/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of two interfaces reaches an address, in a network namespace of the test's own. */
#include "lb/link/neigh/segments.h"

#include "common/why.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)

/* As the kernel makes it of a router advertisement, and a client of DHCP of a lease. */
#define LIFETIME " valid_lft 1000 preferred_lft 500"

struct test {
	sd_event *event;
	struct segments *segments;
	size_t places[2]; /* of first0 and second0 */
};

static void host(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void on_neighbour(const struct addr *address, const struct mac *mac, void *context)
{
}

static void on_link(void *context)
{
}

static size_t find(const struct test *test, const char *text)
{
	struct addr address;

	assert_int_equal(addr_parse(text, &address), 0);
	return segments_find(test->segments, &address);
}

static bool knows(const struct test *test, size_t idx, const char *text)
{
	const struct neigh_link *link = segments_link(test->segments, test->places[idx]);
	struct addr address;

	assert_int_equal(addr_parse(text, &address), 0);
	for (size_t i = 0; i < link->n_subnets; i++)
		if (addr_equal(&link->addresses[i], &address))
			return true;
	return false;
}

/* The interface has the address, and the daemon knows. */
static void add(struct test *test, size_t idx, const char *address, const char *rest)
{
	_cleanup_free_ char *text = strdup(address);
	char command[256];

	assert_non_null(text);
	snprintf(command, sizeof(command), "ip addr add %s dev %s %s%s", address,
		idx == 0 ? "first0" : "second0", strchr(address, ':') ? "nodad" : "", rest);
	host(command);
	*strchr(text, '/') = '\0';
	LOOP_UNTIL(test->event, DEADLINE_US, knows(test, idx, text));
}

static int setup(void **state)
{
	static const struct segments_callbacks callbacks = { on_neighbour, on_link };
	static char first[] = "first0", second[] = "second0";
	char *const names[] = { first, second };
	struct test *test = calloc(1, sizeof(*test));

	assert_non_null(test);
	*state = test;
	if (system("command -v ip >/dev/null") != 0 || !namespace_make())
		return 0;
	host("ip link add first0 type veth peer name second0 && ip link set first0 up && "
	     "ip link set second0 up");
	assert_true(sd_event_new(&test->event) >= 0);
	assert_int_equal(
		segments_start(test->event, "first0", &callbacks, test, &test->segments), 0);
	assert_int_equal(segments_prepare(test->segments, names, ARRAY_LEN(names)), 0);
	segments_commit(test->segments);
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (segments_link(test->segments, i))
			test->places[!streq(segments_link(test->segments, i)->name, "first0")] = i;
	return 0;
}

static int teardown(void **state)
{
	struct test *test = *state;

	segments_free(test->segments);
	sd_event_unref(test->event);
	free(test);
	return 0;
}

static struct test *test_or_skip(void **state)
{
	struct test *test = *state;

	if (!test->segments) {
		print_message("skipped: needs ip(8) and network namespaces (CAP_SYS_ADMIN)\n");
		skip();
	}
	return test;
}

static void segments_believe_no_advertisement_of_anothers_subnet(void **state)
{
	struct test *test = test_or_skip(state);
	struct why why = { 0 };

	add(test, 0, "2001:db8:a::1/64", "");
	add(test, 1, "2001:db8:b::1/64", "");
	add(test, 1, "2001:db8:c::1/56", "");
	assert_int_equal(find(test, "2001:db8:b::11"), test->places[1]);
	assert_false(segments_overlap(test->segments, &why));

	add(test, 0, "2001:db8:b::bad/64", LIFETIME);
	assert_int_equal(find(test, "2001:db8:b::11"), test->places[1]);
	assert_true(segments_overlap(test->segments, &why));
	assert_non_null(strstr(why.text, "reached by second0 alone"));
	/* Nor of a part of it. */
	add(test, 0, "2001:db8:c::bad/64", LIFETIME);
	assert_int_equal(find(test, "2001:db8:c::11"), test->places[1]);

	/* The administrator's word is another thing: of two, the first interface's counts. */
	host("ip addr change 2001:db8:b::bad/64 dev first0 valid_lft forever preferred_lft forever");
	LOOP_UNTIL(test->event, DEADLINE_US, find(test, "2001:db8:b::11") == test->places[0]);
}

/* Where there is nothing else, advertisements say where everybody is. */
static void segments_go_by_advertisements_where_there_is_nothing_else(void **state)
{
	struct test *test = test_or_skip(state);

	add(test, 0, "2001:db8:a::1/64", LIFETIME);
	add(test, 1, "2001:db8:b::1/64", LIFETIME);
	assert_int_equal(find(test, "2001:db8:a::11"), test->places[0]);
	assert_int_equal(find(test, "2001:db8:b::11"), test->places[1]);
}

static void segments_go_by_leases_of_longer_prefixes(void **state)
{
	struct test *test = test_or_skip(state);

	add(test, 0, "10.0.0.1/8", "");
	add(test, 1, "10.1.0.1/16", LIFETIME);
	assert_int_equal(find(test, "10.1.0.11"), test->places[1]);
	add(test, 0, "172.16.0.9/16", LIFETIME);
	add(test, 1, "172.16.0.1/16", "");
	assert_int_equal(find(test, "172.16.0.11"), test->places[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_believe_no_advertisement_of_anothers_subnet),
		TEST(segments_go_by_advertisements_where_there_is_nothing_else),
		TEST(segments_go_by_leases_of_longer_prefixes),
	};

	return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
