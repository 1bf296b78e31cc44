/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication with the real registry, tables and kept files: sharing, moving, settling, restart.
 */
#include "publish_world.h"

#include <dirent.h>

#include "lb/fwd/image.h"
#include "lb/state/keep_rows.h"
#include "lb/table/table.h"

static void publish_shares_a_table_of_equal_members(void **state)
{
	struct world *world = *state;

	quieten(world, 3);
	assert_int_equal(snapshot_service(world->snapshot, service_at(world, 0))->table,
		snapshot_service(world->snapshot, service_at(world, 1))->table);
	assert_string_equal(publish_digest(world->publish, service_at(world, 0)),
		publish_digest(world->publish, service_at(world, 1)));
	assert_int_equal(publish_owned(world->publish, service_at(world, 0), id_of(world, "b1")) +
			publish_owned(world->publish, service_at(world, 0), id_of(world, "b2")) +
			publish_owned(world->publish, service_at(world, 0), id_of(world, "b3")),
		FWD_ROWS);
}

static bool records_syn(const struct world *world)
{
	return snapshot_service(world->snapshot, service_at(world, 0))->flags &
		FWD_SERVICE_RECORD_NEW;
}

static void publish_lets_bases_follow_until_membership_is_quiet(void **state)
{
	struct world *world = *state;
	const struct fwd_slot *rows;

	world_configure(world, 2, START_US);
	world_build(world, START_US);
	world_configure(world, 3, START_US + S(1));
	world_build(world, START_US + S(1));
	rows = rows_of(world, service_at(world, 0));
	for (size_t i = 0; i < FWD_ROWS; i++)
		assert_int_equal(rows[i].base, rows[i].owner);
	/* What begins meanwhile is recorded, and looked up: no row is settled yet. */
	assert_true(records_syn(world));
	assert_int_equal(publish_quiet_us(world->publish, START_US + S(3)), S(2));
	/* An agent that was refused may be silent for five seconds, and come then. */
	assert_false(tick(world, START_US + S(1) + S(6)));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), FWD_ROWS);

	assert_true(tick(world, START_US + S(10)));
	assert_true(publish_quiet_us(world->publish, START_US + S(10)) == UINT64_MAX);
	world_build(world, START_US + S(10));
	assert_false(records_syn(world));
	assert_false(tick(world, START_US + S(10)));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
	world_configure(world, 4, START_US + S(11));
	world_build(world, START_US + S(11));
	assert_int_not_equal(publish_moving(world->publish, service_at(world, 0)), 0);
	assert_true(publish_moving(world->publish, service_at(world, 0)) < FWD_ROWS / 2);
}

static void publish_moves_rows_to_a_joining_backend(void **state)
{
	struct world *world = *state;
	_cleanup_free_ struct fwd_slot *before = malloc(FWD_ROWS * sizeof(*before));
	const struct fwd_slot *after;
	size_t moving = 0;

	quieten(world, 3);
	memcpy(before, rows_of(world, service_at(world, 0)), FWD_ROWS * sizeof(*before));
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	after = rows_of(world, service_at(world, 0));
	for (size_t i = 0; i < FWD_ROWS; i++) {
		assert_int_equal(after[i].base, before[i].owner);
		moving += after[i].owner != after[i].base;
	}
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), moving);
	assert_true(moving > FWD_ROWS / 5);
}

static void publish_settles_after_the_timeout(void **state)
{
	struct world *world = *state;

	quieten(world, 3);
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	tick(world, START_US + S(20 + 50));
	assert_int_not_equal(publish_moving(world->publish, service_at(world, 0)), 0);
	tick(world, START_US + S(20 + 70));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
}

static void publish_makes_one_empty_table_for_nobody(void **state)
{
	struct world *world = *state;

	world_configure(world, 0, START_US);
	world_build(world, START_US);
	world_build(world, START_US + S(1));
	assert_int_equal(snapshot_service(world->snapshot, service_at(world, 1))->table, 0);
	assert_int_equal(rows_of(world, service_at(world, 0))[FWD_ROWS - 1].owner, 0);
	assert_int_equal(
		strlen(publish_digest(world->publish, service_at(world, 0))), TABLE_DIGEST_LEN - 1);
}

static void publish_shares_tables_among_many_of_both_kinds(void **state)
{
	struct world *world = *state;

	quieten(world, 3);
	world_build(world, START_US + S(20));
	assert_int_equal(snapshot_service(world->snapshot, service_at(world, 0))->table, 0);
	assert_int_equal(snapshot_service(world->snapshot, service_at(world, 1))->table, 0);
	world_configure(world, 2, START_US + S(21));
	world_build(world, START_US + S(21));
	assert_int_equal(snapshot_service(world->snapshot, service_at(world, 1))->table, 0);
	assert_int_equal(
		owned(world, service_at(world, 0), "b1") + owned(world, service_at(world, 0), "b2"),
		FWD_ROWS);
	assert_int_equal(publish_owned(world->publish, service_at(world, 0), 999), 0);
}

static void publish_remembers_bases_over_a_restart(void **state)
{
	struct world *world = *state;
	_cleanup_free_ struct fwd_slot *before = malloc(FWD_ROWS * sizeof(*before));
	struct backend backends[4];
	size_t moving;

	quieten(world, 3);
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	moving = publish_moving(world->publish, service_at(world, 0));
	memcpy(before, rows_of(world, service_at(world, 0)), FWD_ROWS * sizeof(*before));
	for (size_t i = 0; i < 4; i++)
		backends[i] = *registry_backend_at(world->registry, i);

	world_restart(world);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			registry_restore(world->registry, &backends[i], START_US + S(25)), 0);
	world_configure(world, 4, START_US + S(25));
	world_build(world, START_US + S(25));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), moving);
	assert_memory_equal(
		before, rows_of(world, service_at(world, 0)), FWD_ROWS * sizeof(*before));
}

static void publish_binds_nothing_while_not_active(void **state)
{
	struct world *world = *state;
	struct fwd_addr vip;

	quieten(world, 2);
	snapshot_addr(&world->services->items[0].vip, &vip);
	assert_non_null(snapshot_vip(world->snapshot, &vip));
	world->links.active = false;
	world_build(world, START_US + S(20));
	assert_null(snapshot_vip(world->snapshot, &vip));
}

static void publish_holds_vips_back_from_the_host_without_serving_them(void **state)
{
	struct world *world = *state;
	const struct fwd_vip *held;
	struct fwd_addr vip;

	quieten(world, 2);
	snapshot_addr(&world->services->items[0].vip, &vip);
	world->links.active = false;
	world->links.holds_vips = true;
	world_build(world, START_US + S(20));
	held = snapshot_vip(world->snapshot, &vip);
	assert_non_null(held);
	assert_int_equal(held->any_tcp, 0);
	assert_int_equal(held->n_ranges, 0);
	assert_int_equal(snapshot_image(world->snapshot)->lens.bindings, 0);
}

static void publish_gives_a_new_backend_a_fifth_at_first(void **state)
{
	struct world *world = *state;
	char digest[TABLE_DIGEST_LEN];
	size_t before;

	world->more = "slow-start = 100\n";
	world_configure(world, 2, START_US);
	world_build(world, START_US);
	world_configure(world, 2, START_US + S(200));
	registry_tick(world->registry, START_US + S(200));
	world_build(world, START_US + S(200));
	snprintf(digest, sizeof(digest), "%s", publish_digest(world->publish, 1));
	world_configure(world, 3, START_US + S(200));
	world_build(world, START_US + S(200));
	/* A weight of 1 at 20 %, beside two of 1: 20 of 220. */
	assert_in_range(owned(world, 1, "b3"), FWD_ROWS * 20 / 220 - 1, FWD_ROWS * 20 / 220 + 1);
	before = owned(world, 1, "b3");
	for (unsigned int i = 1; i <= 20; i++) {
		registry_tick(world->registry, START_US + S(200 + 5 * i));
		world_build(world, START_US + S(200 + 5 * i));
		assert_true(owned(world, 1, "b3") > before);
		before = owned(world, 1, "b3");
	}
	assert_in_range(before, FWD_ROWS / 3 - 1, FWD_ROWS / 3 + 1);
	/* And then weights are what they were: the digest of two says so. */
	world_configure(world, 2, START_US + S(400));
	world_build(world, START_US + S(400));
	assert_string_equal(publish_digest(world->publish, 1), digest);
}

static void publish_is_quiet_while_a_backend_starts_slowly(void **state)
{
	struct world *world = *state;

	world->more = "slow-start = 100\n";
	world_configure(world, 1, START_US);
	world_build(world, START_US);
	world_configure(world, 2, START_US + S(1));
	world_build(world, START_US + S(1));
	registry_tick(world->registry, START_US + S(4));
	world_build(world, START_US + S(4));
	assert_true(tick(world, START_US + S(9)));
}

static void publish_gives_rr_its_turns_and_keeps_their_number(void **state)
{
	struct world *world = *state;
	uint32_t *position;

	world->more = "scheduler = rr\n";
	world_configure(world, 3, START_US);
	world_build(world, START_US);
	assert_true(snapshot_service(world->snapshot, 1)->flags & FWD_SERVICE_RECORD_ALL);
	assert_int_equal(snapshot_service(world->snapshot, 1)->order_len, 3);
	position = snapshot_position(world->snapshot, 1);
	*position = 7;
	world_configure(world, 4, START_US + S(1));
	world_build(world, START_US + S(1));
	assert_int_equal(snapshot_service(world->snapshot, 1)->order_len, 4);
	assert_int_equal(*snapshot_position(world->snapshot, 1), 7);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_not_equal(image_order_backend(snapshot_image(world->snapshot),
					     snapshot_service(world->snapshot, 1), i),
			0);
	assert_null(snapshot_load(world->snapshot, 1, 1));
}

static void publish_stirs_rows_when_a_service_ceases_to_record(void **state)
{
	struct world *world = *state;

	quieten(world, 2);
	assert_int_equal(publish_moving(world->publish, 1), 0);
	world->more = "scheduler = rr\n";
	world_configure(world, 2, START_US + S(20));
	world_build(world, START_US + S(20));
	assert_int_equal(publish_moving(world->publish, 1), 0);
	/* Flows that rr recorded are not where the rows say: records are asked until they agree. */
	world->more = NULL;
	world_configure(world, 2, START_US + S(21));
	world_build(world, START_US + S(21));
	assert_int_equal(publish_moving(world->publish, 1), FWD_ROWS);
	assert_null(snapshot_position(world->snapshot, 1));
	world_build(world, START_US + S(22));
	tick(world, START_US + S(90));
	assert_int_equal(publish_moving(world->publish, 1), 0);
}

/* The flow table has just got its filter: who kept these rows recorded every UDP flow, wherever it was. */
static void publish_stirs_rows_of_a_build_that_recorded_udp(void **state)
{
	for (int is_new = 0; is_new < 2; is_new++) {
		struct world *world = *state;

		quieten(world, 2);
		assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
		if (is_new)
			memset(keep_flows(world->keep)->seen, 0,
				SEEN_CONTROL_WORDS * sizeof(__u64));
		world_restart(world);
		world_configure(world, 2, START_US + S(25));
		world_build(world, START_US + S(25));
		assert_int_equal(publish_moving(world->publish, service_at(world, 0)),
			is_new ? FWD_ROWS : 0);
	}
}

/* A row is asked for its base as long as any flow that it serves may be silent. */
static void publish_settles_rows_by_the_timeouts_of_their_protocols(void **state)
{
	static const struct {
		const char *lines;
		unsigned int quiet_s;
	} cases[] = {
		{ "protocol = tcp\nudp-timeout = 100\n", 60 },
		{ "protocol = udp\nudp-timeout = 100\n", 100 },
		{ "protocol = udp\nudp-timeout = 20\n", 20 },
		{ "protocol = any\nudp-timeout = 100\n", 100 },
		{ "protocol = any\nudp-timeout = 20\n", 60 },
	};
	struct world *world = *state;
	uint64_t now_us = START_US;

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		world->more = each->lines;
		now_us += S(300);
		world_configure(world, 2, now_us);
		world_build(world, now_us);
		now_us += S(300);
		tick(world, now_us);
		world_build(world, now_us);
		tick(world, now_us + S(10));
		now_us += S(300);
		world_configure(world, 3, now_us);
		world_build(world, now_us);
		assert_int_not_equal(publish_moving(world->publish, service_at(world, 0)), 0);
		tick(world, now_us + S(each->quiet_s));
		assert_int_not_equal(publish_moving(world->publish, service_at(world, 0)), 0);
		tick(world, now_us + S(each->quiet_s + 3));
		assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
	}
}

static void publish_turns_the_filter_after_the_longest_timeout(void **state)
{
	struct world *world = *state;
	const __u64 *seen = keep_flows(world->keep)->seen;

	world->more = "udp-timeout = 100\n";
	quieten(world, 2);
	tick(world, START_US + S(20));
	assert_int_not_equal(seen[SEEN_STARTED_S], 0);
	for (unsigned int second = 21; second < 100; second++)
		tick(world, START_US + S(second));
	assert_int_equal(seen[SEEN_GENERATION], 0);
	for (unsigned int second = 100; second < 130; second++)
		tick(world, START_US + S(second));
	assert_int_equal(seen[SEEN_GENERATION], 1);
}

static void say_weight(struct world *world, const char *virtual_server, uint32_t number)
{
	struct weight_word word = { WEIGHT_NUMBER, number };

	assert_int_equal(
		registry_weight(world->registry, "b1", virtual_server, &word, START_US), 0);
	world_build(world, START_US);
}

static void publish_gives_each_virtual_server_its_weights(void **state)
{
	struct world *world = *state;
	uint16_t id;

	world_configure(world, 2, START_US);
	world_build(world, START_US);
	id = id_of(world, "b1");
	assert_string_equal(publish_digest(world->publish, 1), publish_digest(world->publish, 2));
	assert_int_equal(snapshot_backend(world->snapshot, id)->flags & FWD_BACKEND_NEW_SOME, 0);
	say_weight(world, "s0", 3);
	assert_in_range(owned(world, 1, "b1"), FWD_ROWS * 3 / 4 - 1, FWD_ROWS * 3 / 4 + 1);
	assert_in_range(owned(world, 2, "b1"), FWD_ROWS / 2 - 1, FWD_ROWS / 2 + 1);
	assert_string_not_equal(
		publish_digest(world->publish, 1), publish_digest(world->publish, 2));
	/* Of weight 0 in one alone: new flows of persistent clients are for the other. */
	say_weight(world, "s0", 0);
	assert_int_equal(owned(world, 1, "b1"), 0);
	assert_int_equal(snapshot_backend(world->snapshot, id)->flags &
			(FWD_BACKEND_NEW | FWD_BACKEND_NEW_SOME),
		FWD_BACKEND_NEW | FWD_BACKEND_NEW_SOME);
	assert_false(snapshot_takes_new(world->snapshot, 1, id));
	assert_true(snapshot_takes_new(world->snapshot, 2, id));
	say_weight(world, NULL, 0);
	assert_int_equal(snapshot_backend(world->snapshot, id)->flags & FWD_BACKEND_NEW, 0);
	say_weight(world, NULL, 1);
	assert_string_equal(publish_digest(world->publish, 1), publish_digest(world->publish, 2));
}

/* Tables that there are, in force and before. */
static size_t n_tables(const struct world *world)
{
	DIR *folder = opendir(world->directory);
	size_t n = 0;

	assert_non_null(folder);
	for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		n += keep_rows_is_name(entry->d_name);
	closedir(folder);
	return n;
}

/* The table that both had stays in force for the one that does not change. */
static void publish_keeps_few_tables_of_one_that_changes_beside_another(void **state)
{
	struct world *world = *state;
	uint64_t now_us = START_US;

	/* What is let go is removed, as after a start that succeeded. */
	keep_rows_list_preserve(keep_rows_list(world->keep), false);
	world_configure(world, 2, now_us);
	world_build(world, now_us);
	for (unsigned int i = 0; i < 20; i++) {
		say_weight(world, "s0", 2 + i % 2);
		now_us += S(1);
		tick(world, now_us);
		assert_in_range(n_tables(world), 2, 3);
	}
	/* When that one changes, too, each has its own, and nothing is left of the first. */
	say_weight(world, "s1", 7);
	for (unsigned int i = 0; i < 3; i++)
		tick(world, now_us += S(1));
	assert_int_equal(n_tables(world), 2);
}

/* What is the first one's table by now was settled for its flows, which the second one's know nothing of. */
static void publish_hands_no_service_what_another_has_settled(void **state)
{
	struct world *world = *state;
	struct fwd_slot *before = calloc(FWD_ROWS, sizeof(*before));
	uint64_t now_us = START_US;
	const struct fwd_slot *after;
	size_t n_moved = 0;

	assert_non_null(before);
	world_configure(world, 2, now_us);
	world_build(world, now_us);
	for (uint32_t number = 1; number <= 3; number++) {
		if (number > 1)
			say_weight(world, "s0", number);
		for (unsigned int i = 0; i < 200; i++)
			tick(world, now_us += S(1));
		world_build(world, now_us);
	}
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
	assert_int_equal(publish_moving(world->publish, service_at(world, 1)), 0);
	memcpy(before, rows_of(world, service_at(world, 1)), FWD_ROWS * sizeof(*before));
	say_weight(world, "s1", 3);
	after = rows_of(world, service_at(world, 1));
	for (size_t i = 0; i < FWD_ROWS; i++) {
		assert_int_equal(after[i].base, before[i].owner);
		n_moved += after[i].owner != before[i].owner;
	}
	assert_in_range(n_moved, FWD_ROWS / 5, FWD_ROWS / 3);
	free(before);
}

/* An agent that passes on, and one whose place agents are told; of a static server nobody proved where it is. */
static void publish_knows_who_passes_on(void **state)
{
	struct world *world = *state;
	struct proto_register reg = { .name = "w9",
		.version = "1",
		.mac = { { 2, 0, 0, 0, 0, 99 } },
		.status = { .weight = 1, .n_vips = 1, .vips = { { true, true, 0 } } } };
	struct registry_registration request = { .reg = &reg, .session_id = 9, .key_id = "k" };
	struct registry_answer answer;
	const uint8_t both = FWD_BACKEND_PASSES_ON | FWD_BACKEND_NAMED;

	assert_int_equal(addr_parse("192.0.2.99", &reg.real_ip), 0);
	world->check = "agent";
	world_configure(world, 1, START_US);
	reg.vips[0] = world->services->items[0].vip;
	request.source = reg.real_ip;
	request.challenge_us = START_US;
	assert_int_equal(registry_register(world->registry, &request, START_US, &answer), 0);
	world_build(world, START_US);
	assert_int_equal(snapshot_backend(world->snapshot, id_of(world, "b1"))->flags & both, 0);
	assert_int_equal(
		snapshot_backend(world->snapshot, answer.backend)->flags & both, FWD_BACKEND_NAMED);
	reg.status.second_chance = true;
	registry_report(world->registry, answer.backend, &reg.status, 1, START_US);
	world_build(world, START_US);
	assert_int_equal(snapshot_backend(world->snapshot, answer.backend)->flags & both, both);
}

/* In the table only while it is needed; what it has it keeps. */
static void publish_has_backups_in_the_table_for_want_of_others(void **state)
{
	struct world *world = *state;

	world->more = "real-server = 192.0.2.100 mac=02:00:00:00:00:64 name=spare backup\n";
	world_configure(world, 2, START_US);
	world_build(world, START_US);
	assert_int_equal(owned(world, 1, "spare"), 0);
	assert_int_equal(snapshot_backend(world->snapshot, id_of(world, "spare"))->flags &
			(FWD_BACKEND_FLOWS | FWD_BACKEND_NEW),
		FWD_BACKEND_FLOWS);
	world_configure(world, 0, START_US + S(1));
	world_build(world, START_US + S(1));
	assert_int_equal(owned(world, 1, "spare"), FWD_ROWS);
	world_configure(world, 2, START_US + S(2));
	world_build(world, START_US + S(2));
	assert_int_equal(owned(world, 1, "spare"), 0);
}

static void publish_counts_what_statics_hold_for_lc(void **state)
{
	struct world *world = *state;
	const struct flows_table *flows;
	const struct fwd_load *load;
	uint16_t id;

	world->more = "scheduler = lc\n";
	world_configure(world, 2, START_US);
	world_build(world, START_US);
	id = registry_find(world->registry, "b2")->id;
	load = snapshot_load(world->snapshot, 1, id);
	assert_non_null(load);
	assert_int_equal(load->weight, 1);
	flows = keep_flows(world->keep);
	for (uint16_t i = 0; i < 4; i++)
		flows->flow4[i].entries[0] = (struct flow4){ .client_port = htons(i),
			.meta = flow_meta(
				1, id, i ? FLOW_TCP_ESTABLISHED : FLOW_TCP_FIN, START_US / S(1)) };
	tick(world, START_US + S(2));
	assert_int_equal(load->established, 3);
	/* It begins from nothing where it is new. */
	world_configure(world, 1, START_US + S(3));
	world_build(world, START_US + S(3));
	world_configure(world, 2, START_US + S(4));
	world_build(world, START_US + S(4));
	id = registry_find(world->registry, "b2")->id;
	assert_int_equal(snapshot_load(world->snapshot, 1, id)->established, 0);
}

static const struct mac agent_mac = { { 2, 0, 0, 0, 0, 9 } };

/* An agent that serves the first virtual server, by heartbeats alone; returns its id. */
static uint16_t register_agent(struct world *world, const char *more)
{
	struct proto_register reg = { .name = "agent1",
		.real_ip = { .family = AF_INET, .bytes = { 192, 0, 2, 9 } },
		.mac = agent_mac };
	struct registry_answer answer = { 0 };

	world->check = "agent";
	world->more = more;
	world_configure(world, 0, START_US);
	reg.vips[0] = world->services->items[0].vip;
	reg.status = (struct proto_status){ .state = PROTO_STATE_UP, .weight = 3, .n_vips = 1 };
	reg.status.vips[0] =
		(struct proto_vip_status){ .present = true, .silent = true, .established = 12 };
	assert_int_equal(registry_register(world->registry,
				 &(struct registry_registration){ .reg = &reg,
					 .key_id = "k",
					 .source = reg.real_ip,
					 .challenge_us = START_US,
					 .session_id = 1 },
				 START_US, &answer),
		0);
	registry_report(world->registry, answer.backend, &reg.status, 100, START_US + S(1));
	return answer.backend;
}

static void publish_takes_what_agents_report_for_lc(void **state)
{
	struct world *world = *state;
	const struct backend *backend;
	struct fwd_load *load;
	uint16_t id;

	id = register_agent(world, "scheduler = lc\n");
	backend = registry_backend(world->registry, id);
	assert_int_equal(backend->state, BACKEND_UP);
	world_build(world, START_US + S(1));
	load = snapshot_load(world->snapshot, 1, id);
	assert_int_equal(load->weight, 3);
	load->sent = 5;
	publish_report(world->publish, world->registry, backend);
	assert_int_equal(load->established, 12);
	assert_int_equal(load->sent, 0);
	/* The table does not count whom an agent speaks for. */
	load->sent = 5;
	tick(world, START_US + S(4));
	assert_int_equal(load->established, 12);
	assert_int_equal(load->sent, 5);
	/* The VIP of the other virtual server is not its own. */
	assert_null(snapshot_load(world->snapshot, 2, id));
}

static unsigned int kind_of(const struct world *world, const struct mac *mac)
{
	return image_mac(snapshot_image(world->snapshot), mac->bytes).kind;
}

static void publish_takes_a_gateways_frames_for_no_agents(void **state)
{
	struct world *world = *state;

	register_agent(world, NULL);
	world_build(world, START_US + S(1));
	assert_int_equal(kind_of(world, &agent_mac), FWD_MAC_BACKEND);
	/* It has registered what ARP says to be the gateway's MAC. */
	world->links.gateways[world->links.n_gateways++] = agent_mac;
	world_build(world, START_US + S(2));
	assert_int_equal(kind_of(world, &agent_mac), FWD_MAC_UNKNOWN);
}

static void publish_believes_a_configured_mac_whatever_arp_says(void **state)
{
	static const struct mac first = { { 2, 0, 0, 0, 0, 1 } };
	struct world *world = *state;

	world->links.gateways[world->links.n_gateways++] = first;
	world_configure(world, 1, START_US);
	world_build(world, START_US);
	assert_int_equal(kind_of(world, &first), FWD_MAC_BACKEND);
}

static void publish_knows_the_link_of_each_backend(void **state)
{
	static const struct mac second = { { 2, 0, 0, 0, 2, 2 } };
	struct world *world = *state;
	const struct fwd_settings *settings;

	world->second_link_from = 2;
	world->links.out[1] = (struct publish_link){ 7, second, 1400 };
	world_configure(world, 2, START_US);
	world_build(world, START_US);
	settings = snapshot_settings(world->snapshot);
	assert_int_equal(snapshot_backend(world->snapshot, id_of(world, "b1"))->link, 0);
	assert_int_equal(snapshot_backend(world->snapshot, id_of(world, "b2"))->link, 1);
	assert_int_equal(settings->links[1].ifindex, 7);
	assert_int_equal(settings->links[1].mtu_bytes, 1400);
	assert_memory_equal(settings->links[1].mac, second.bytes, MAC_LEN);
	assert_int_equal(settings->mtu_bytes, 1400);
	assert_int_equal(settings->mtus_differ, 1);
	assert_int_equal(kind_of(world, &second), FWD_MAC_BALANCER);
	/* Nothing can go to who is on a link that is not there. */
	world->links.out[1] = (struct publish_link){ 0 };
	world_build(world, START_US + S(1));
	settings = snapshot_settings(world->snapshot);
	assert_non_null(snapshot_backend(world->snapshot, id_of(world, "b1")));
	assert_null(snapshot_backend(world->snapshot, id_of(world, "b2")));
	assert_int_equal(settings->mtu_bytes, 1500);
	assert_int_equal(settings->mtus_differ, 0);
	assert_int_equal(kind_of(world, &second), FWD_MAC_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(publish_shares_a_table_of_equal_members),
		TEST(publish_lets_bases_follow_until_membership_is_quiet),
		TEST(publish_moves_rows_to_a_joining_backend),
		TEST(publish_settles_after_the_timeout),
		TEST(publish_makes_one_empty_table_for_nobody),
		TEST(publish_shares_tables_among_many_of_both_kinds),
		TEST(publish_remembers_bases_over_a_restart),
		TEST(publish_binds_nothing_while_not_active),
		TEST(publish_holds_vips_back_from_the_host_without_serving_them),
		TEST(publish_gives_a_new_backend_a_fifth_at_first),
		TEST(publish_gives_each_virtual_server_its_weights),
		TEST(publish_keeps_few_tables_of_one_that_changes_beside_another),
		TEST(publish_hands_no_service_what_another_has_settled),
		TEST(publish_knows_who_passes_on),
		TEST(publish_has_backups_in_the_table_for_want_of_others),
		TEST(publish_is_quiet_while_a_backend_starts_slowly),
		TEST(publish_gives_rr_its_turns_and_keeps_their_number),
		TEST(publish_stirs_rows_when_a_service_ceases_to_record),
		TEST(publish_stirs_rows_of_a_build_that_recorded_udp),
		TEST(publish_settles_rows_by_the_timeouts_of_their_protocols),
		TEST(publish_turns_the_filter_after_the_longest_timeout),
		TEST(publish_counts_what_statics_hold_for_lc),
		TEST(publish_takes_what_agents_report_for_lc),
		TEST(publish_takes_a_gateways_frames_for_no_agents),
		TEST(publish_believes_a_configured_mac_whatever_arp_says),
		TEST(publish_knows_the_link_of_each_backend),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
