/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tables.c over real tables of the registry's backends: what is told of them, and what another's words come to. */
#include "lb/watch/tables.h"

#include "common/events/events.h"
#include "lb/session/session.h"
#include "tests/unit/lb/publish/publish_world.h"

#define OTHER       "192.0.2.3"
#define INTERVAL_US UINT64_C(300000)

static const char keys[] =
	"web1 hex:0101010101010101010101010101010101010101010101010101010101010101\n";

struct balancer {
	struct world *world;
	struct sessions *sessions;
	struct events *events;
	struct tables tables;
	uint64_t now_us;
	uint64_t sequence; /* of the last event that was looked at */
};

static struct addr address_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct tables_parts parts_of(const struct balancer *balancer)
{
	return (struct tables_parts){ balancer->world->services, balancer->world->publish,
		balancer->sessions, balancer->events, INTERVAL_US };
}

/* With so many real servers in each of its virtual servers. */
static struct balancer *balancer_new(unsigned int n, const char *more)
{
	const struct session_calls calls = { 0 };
	const struct session_config config = {
		.boot_id = 7, .interval_us = INTERVAL_US, .multiplier = 3
	};
	struct balancer *balancer = calloc(1, sizeof(*balancer));
	struct keyring *ring = NULL;
	struct why why = { 0 };
	void *state;

	assert_non_null(balancer);
	assert_int_equal(setup(&state), 0);
	balancer->world = state;
	balancer->world->more = more;
	balancer->now_us = START_US;
	world_configure(balancer->world, n, START_US);
	world_build(balancer->world, START_US);
	assert_int_equal(keyring_parse("keys", keys, strlen(keys), true, &ring, &why), 0);
	balancer->sessions = session_new(&config, balancer->world->registry, &calls);
	assert_non_null(balancer->sessions);
	session_configure(balancer->sessions, ring, INTERVAL_US, 3);
	balancer->events = events_new(balancer->world->directory);
	assert_non_null(balancer->events);
	return balancer;
}

static void balancer_free(struct balancer *balancer)
{
	void *state = balancer->world;

	events_free(balancer->events);
	session_free(balancer->sessions);
	assert_int_equal(teardown(&state), 0);
	free(balancer);
}

/* An agent of ours says that it serves that balancer, too. */
static void is_named(struct balancer *balancer)
{
	const struct proto_other named = { .address = address_of(OTHER), .name = "lb2" };

	session_others_take(
		session_others(balancer->sessions, balancer->now_us), &named, balancer->now_us);
}

static struct proto_table next(struct balancer *balancer)
{
	const struct tables_parts parts = parts_of(balancer);
	struct proto_table table = { 0 };

	balancer->now_us += S(1);
	assert_true(tables_next(&balancer->tables, &parts, balancer->now_us, &table));
	return table;
}

/* The other one says so, and again when it is no change on its way any more. */
static void told(struct balancer *balancer, const struct proto_table *table)
{
	const struct tables_parts parts = parts_of(balancer);
	const struct addr other = address_of(OTHER);

	is_named(balancer);
	for (unsigned int i = 0; i < 2; i++) {
		balancer->now_us += INTERVAL_US;
		tables_told(&balancer->tables, &parts, "web1", &other, table, balancer->now_us);
	}
}

static bool differs(struct balancer *balancer)
{
	return session_others_differ(session_others(balancer->sessions, balancer->now_us));
}

/* The one event since the last look has these words; "": there was none. */
static void expect_event(struct balancer *balancer, const char *virtual_server, const char *words)
{
	uint64_t sequence = 0;
	const char *event = events_next(balancer->events, balancer->sequence, &sequence);

	if (!words[0]) {
		assert_null(event);
		return;
	}
	assert_non_null(event);
	assert_non_null(strstr(event, virtual_server));
	assert_non_null(strstr(event, OTHER));
	assert_non_null(strstr(event, words));
	balancer->sequence = sequence;
	assert_null(events_next(balancer->events, sequence, &sequence));
}

static void tables_are_told_in_turn(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	const struct tables_parts parts = parts_of(ours);
	struct proto_table first = next(ours), second = next(ours), third = next(ours);
	struct proto_table early;

	assert_string_equal(first.name, "s0");
	assert_string_equal(second.name, "s1");
	assert_string_equal(first.version, DSR_VERSION);
	assert_memory_equal(&third, &first, sizeof(first));
	/* The same members make the same table, at whatever VIP. */
	assert_int_equal(first.digest, second.digest);
	assert_int_not_equal(first.digest, 0);
	assert_false(tables_next(&ours->tables, &parts, ours->now_us + 1, &early));
	balancer_free(ours);
}

static void tables_of_turns_are_not_told(void **state)
{
	struct balancer *ours = balancer_new(3, "scheduler = rr\n");
	const struct tables_parts parts = parts_of(ours), none = { 0 };
	struct proto_table table;

	assert_false(tables_next(&ours->tables, &parts, ours->now_us + S(1), &table));
	assert_false(tables_next(&ours->tables, &none, ours->now_us + S(2), &table));
	balancer_free(ours);
}

/* After a reload that leaves fewer. */
static void tables_go_on_after_a_reload(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);

	ours->tables.next = 1000;
	assert_string_equal(next(ours).name, "s0");
	ours->tables.next = 1;
	assert_string_equal(next(ours).name, "s1");
	balancer_free(ours);
}

static void another_with_the_same_members_is_the_same(void **state)
{
	struct balancer *ours = balancer_new(3, NULL), *theirs = balancer_new(3, NULL);
	struct proto_table table = next(theirs);

	told(ours, &table);
	assert_false(differs(ours));
	expect_event(ours, "s0", "");
	balancer_free(theirs);
	balancer_free(ours);
}

static void other_members_are_named_until_they_are_the_same(void **state)
{
	struct balancer *ours = balancer_new(3, NULL), *theirs = balancer_new(4, NULL);
	struct proto_table table = next(theirs);

	told(ours, &table);
	assert_true(differs(ours));
	expect_event(ours, "s0", "has other usable real servers");
	told(ours, &table); /* once */
	expect_event(ours, "s0", "");
	world_configure(ours->world, 4, ours->now_us);
	world_build(ours->world, ours->now_us);
	told(ours, &table);
	assert_false(differs(ours));
	expect_event(ours, "s0", "is the same");
	balancer_free(theirs);
	balancer_free(ours);
}

static void the_first_difference_is_the_one_that_is_named(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	const struct proto_table same = next(ours);
	static const struct {
		bool name, members, weights, version;
		const char *words;
	} cases[] = {
		{ true, true, true, true, "is not configured here" },
		{ false, true, true, true, "has other usable real servers" },
		{ false, false, true, true, "has other weights" },
		{ false, false, false, true, "another version" },
		{ false, false, false, false, "cluster-seed" },
	};

	ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
		struct proto_table table = same;

		table.digest ^= 1;
		table.members ^= one->members;
		table.weights ^= one->weights;
		if (one->version)
			snprintf(table.version, sizeof(table.version), "0.0.1");
		if (one->name)
			snprintf(table.name, sizeof(table.name), "s9");
		told(ours, &table);
		expect_event(ours, table.name, one->words);
		told(ours, one->name ? &table : &same);
		if (!one->name)
			expect_event(ours, "s0", "is the same");
		ours->now_us += TABLES_SAID_US;
	}
	balancer_free(ours);
}

/* Where the rows are alike, whoever made them and out of what does not matter. */
static void the_same_rows_are_the_same(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	struct proto_table table = next(ours);

	table.members ^= 1;
	table.weights ^= 1;
	snprintf(table.version, sizeof(table.version), "0.0.1");
	told(ours, &table);
	assert_false(differs(ours));
	expect_event(ours, "s0", "");
	balancer_free(ours);
}

static void a_change_on_its_way_is_no_difference(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	const struct tables_parts parts = parts_of(ours);
	const struct addr other = address_of(OTHER);
	struct proto_table table = next(ours);

	table.digest ^= 1;
	is_named(ours);
	tables_told(&ours->tables, &parts, "web1", &other, &table, ours->now_us);
	tables_told(&ours->tables, &parts, "web1", &other, &table, ours->now_us + INTERVAL_US - 1);
	assert_false(differs(ours));
	expect_event(ours, "s0", "");
	tables_told(&ours->tables, &parts, "web1", &other, &table, ours->now_us + INTERVAL_US);
	assert_true(differs(ours));
	balancer_free(ours);
}

static void who_is_not_named_by_an_agent_says_nothing(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	const struct tables_parts parts = parts_of(ours);
	const struct addr other = address_of(OTHER);
	struct proto_table table = next(ours);
	struct tables_parts early = parts;

	table.digest ^= 1;
	for (unsigned int i = 0; i < 3; i++)
		tables_told(&ours->tables, &parts, "web1", &other, &table, ours->now_us + S(i));
	early.services = NULL; /* not configured yet */
	is_named(ours);
	for (unsigned int i = 0; i < 3; i++)
		tables_told(&ours->tables, &early, "web1", &other, &table, ours->now_us + S(i));
	assert_false(differs(ours));
	expect_event(ours, "s0", "");
	balancer_free(ours);
}

/* How many there were since the last look. */
static unsigned int count_events(struct balancer *balancer)
{
	unsigned int n = 0;

	while (events_next(balancer->events, balancer->sequence, &balancer->sequence))
		n++;
	return n;
}

/* One agent tells of a balancer that differs and does not, 1,000 times in ten minutes: each minute a few of each are said. */
static void a_table_that_flaps_is_said_a_few_times_a_minute(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	const struct proto_table same = next(ours);
	struct proto_table table = same;

	table.digest ^= 1;
	for (unsigned int i = 0; i < 1000; i++) {
		told(ours, i % 2 == 0 ? &table : &same);
	}
	assert_in_range(
		count_events(ours), 10 * TABLES_SAID_EACH_MAX, 2 * 11 * TABLES_SAID_EACH_MAX);
	/* It differs now, and that is said when it may be. */
	told(ours, &table);
	ours->now_us += TABLES_SAID_US;
	ours->sequence = events_last(ours->events);
	told(ours, &table);
	expect_event(ours, "s0", "has other rows: the cluster-seed differs (says web1)");
	balancer_free(ours);
}

/* It tells so of 32 balancers that it made up, with 32 tables each: few are said, and an event before them is kept. */
static void tables_of_balancers_that_are_made_up_push_out_nothing(void **state)
{
	const struct event before = { .message = EVENT_ENGINE_ENDED, .level = LOG_LEVEL_WARNING };
	struct balancer *ours = balancer_new(3, NULL);
	const struct tables_parts parts = parts_of(ours);
	uint64_t begin_us, sequence = 0;
	struct proto_table table = next(ours);
	const char *first;

	events_raise(ours->events, &before, "the engine has ended");
	begin_us = ours->now_us;
	for (unsigned int i = 0; i < 1000; i++) {
		for (unsigned int k = 0; k < SESSION_OTHERS_MAX; k++) {
			struct proto_other named = { .address = address_of(OTHER), .name = "x" };

			named.address.bytes[3] = (uint8_t)(100 + k);
			session_others_take(
				session_others(ours->sessions, ours->now_us), &named, ours->now_us);
			snprintf(table.name, sizeof(table.name), "made-up-%u", i % 64 / 2);
			tables_told(&ours->tables, &parts, "web1", &named.address, &table,
				ours->now_us);
		}
		ours->now_us += INTERVAL_US;
	}
	assert_in_range(count_events(ours), 2,
		1 + TABLES_SAID_MAX * (1 + (ours->now_us - begin_us) / TABLES_SAID_US));
	for (unsigned int i = 0; i < 2000; i++)
		events_raise(ours->events,
			&(struct event){ .message = EVENT_TABLES, .level = LOG_LEVEL_INFO },
			"a table differs");
	first = events_next(ours->events, 0, &sequence);
	assert_non_null(first);
	assert_non_null(strstr(first, "the engine has ended"));
	balancer_free(ours);
}

static void what_is_remembered_is_bounded_and_ends(void **state)
{
	struct balancer *ours = balancer_new(3, NULL);
	struct proto_table table = next(ours);
	struct session_others *others;

	for (unsigned int i = 0; i < SESSION_OTHERS_TABLES_MAX + 8; i++) {
		snprintf(table.name, sizeof(table.name), "unknown-%u", i);
		told(ours, &table);
	}
	others = session_others(ours->sessions, ours->now_us);
	assert_int_equal(others->len, 1);
	assert_in_range(others->items[0].n_tables, 1, SESSION_OTHERS_TABLES_MAX);
	assert_true(differs(ours));
	ours->now_us += SESSION_OTHERS_KEEP_US;
	assert_false(differs(ours));
	assert_int_equal(session_others(ours->sessions, ours->now_us)->len, 0);
	balancer_free(ours);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tables_are_told_in_turn),
		TEST(tables_of_turns_are_not_told),
		TEST(tables_go_on_after_a_reload),
		TEST(another_with_the_same_members_is_the_same),
		TEST(other_members_are_named_until_they_are_the_same),
		TEST(the_first_difference_is_the_one_that_is_named),
		TEST(the_same_rows_are_the_same),
		TEST(a_change_on_its_way_is_no_difference),
		TEST(who_is_not_named_by_an_agent_says_nothing),
		TEST(a_table_that_flaps_is_said_a_few_times_a_minute),
		TEST(tables_of_balancers_that_are_made_up_push_out_nothing),
		TEST(what_is_remembered_is_bounded_and_ends),
	};

	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
