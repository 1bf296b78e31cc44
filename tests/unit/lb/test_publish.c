/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication with the real registry, tables and kept files: sharing, moving, settling, restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>

#include "lb/fwd/hash.h"
#include "lb/publish.h"
#include "lb/table.h"

#define S(seconds) ((uint64_t)(seconds)*US_PER_S)
#define START_US   S(1000)

struct world {
	char directory[64];
	struct keep *keep;
	struct registry *registry;
	struct service_ids *ids;
	struct publish *publish;
	struct config *config;
	struct service_list *services;
	struct publish_links links;
	struct snapshot *snapshot;
	const char *check; /* NULL: none */
	const char *more;  /* lines of the virtual servers; NULL: none */
	uint64_t max_flows;
};

static const struct addr_prefix subnet = {
	.addr = { .family = AF_INET, .bytes = { 192, 0, 2, 0 } },
	.len = 24,
};

/* Two virtual servers with the first `n` of these real servers each. */
static void world_configure(struct world *world, unsigned int n, uint64_t now_us)
{
	struct registry_config config = {
		.subnets = &subnet, .n_subnets = 1, .interval_us = 300000, .fall = 3, .rise = 2
	};
	struct config *old_config = world->config;
	struct service_list *old_services = world->services;
	struct ini_report *report = NULL;
	char text[4096], why[REGISTRY_REASON_BYTES] = "";
	int length = snprintf(text, sizeof(text), "[balancer]\ninterface = eth0\n");

	for (unsigned int server = 0; server < 2; server++) {
		length += snprintf(text + length, sizeof(text) - (size_t)length,
			"[virtual-server s%u]\nvip = 198.51.100.%u\nport = 80\ncheck = %s\n"
			"tcp-timeout = 60\n%s",
			server, 10 + server, world->check ? world->check : "none",
			world->more ? world->more : "");
		for (unsigned int i = 1; i <= n; i++)
			length += snprintf(text + length, sizeof(text) - (size_t)length,
				"real-server = 192.0.2.%u mac=02:00:00:00:00:%02x name=b%u\n", i, i,
				i);
	}
	assert_int_equal(config_load_text("test", text, strlen(text), &world->config, &report), 0);
	ini_report_free(report);
	assert_int_equal(service_list_new(world->config, world->ids, &world->services), 0);
	config.services = world->services->registry;
	config.n_services = world->services->len;
	config.statics = world->services->statics;
	config.n_statics = world->services->n_statics;
	assert_int_equal(registry_configure(world->registry, &config, now_us, why), 0);
	registry_tick(world->registry, now_us);
	service_list_free(old_services);
	config_free(old_config);
}

static void world_build(struct world *world, uint64_t now_us)
{
	struct snapshot *snapshot = NULL;

	assert_int_equal(publish_build(world->publish, world->services, world->registry,
				 &world->links, now_us, &snapshot),
		0);
	snapshot_free(world->snapshot);
	world->snapshot = snapshot;
}

/* Housekeeping with all that it leaves for later turns of the loop. */
static bool tick(struct world *world, uint64_t now_us)
{
	bool again = publish_tick(world->publish, world->snapshot, now_us);

	while (publish_step(world->publish, world->snapshot, now_us))
		;
	return again;
}

static void world_open(struct world *world, bool expect_fresh)
{
	char why[256] = "";
	bool fresh;

	assert_int_equal(keep_open(world->directory, KEEP_FILES, world->max_flows, &world->keep,
				 &fresh, why),
		0);
	assert_int_equal(fresh, expect_fresh);
	world->registry = registry_new(7);
	world->ids = service_ids_new();
	world->publish = publish_new(world->keep, "", fresh);
	world->links = (struct publish_links){
		.own_mac = { { 2, 0, 0, 0, 1, 1 } },
		.out_mac = { { 2, 0, 0, 0, 1, 1 } },
		.mtu_bytes = 1500,
		.active = true,
	};
}

static void world_close(struct world *world)
{
	keep_preserve(world->keep);
	snapshot_free(world->snapshot);
	publish_free(world->publish);
	registry_free(world->registry);
	service_list_free(world->services);
	service_ids_free(world->ids);
	config_free(world->config);
	keep_free(world->keep);
	world->snapshot = NULL;
	world->services = NULL;
	world->config = NULL;
}

static size_t owned(const struct world *world, uint16_t service, const char *name)
{
	return publish_owned(world->publish, service, registry_find(world->registry, name)->id);
}

static int setup_for(void **state, uint64_t max_flows)
{
	struct world *world = calloc(1, sizeof(*world));

	world->max_flows = max_flows;
	snprintf(world->directory, sizeof(world->directory), "/tmp/test_publish.XXXXXX");
	if (!mkdtemp(world->directory))
		return -1;
	world_open(world, true);
	*state = world;
	return 0;
}

static int setup(void **state)
{
	return setup_for(state, 1024);
}

/* Its flow table has a near part. */
static int setup_large(void **state)
{
	return setup_for(state, 1 << 18);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct world *world = *state;

	world_close(world);
	nftw(world->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(world);
	return 0;
}

static uint16_t service_at(const struct world *world, size_t idx)
{
	return world->services->items[idx].id;
}

static const struct fwd_slot *rows_of(const struct world *world, uint16_t service)
{
	return snapshot_slot(world->snapshot, snapshot_service(world->snapshot, service)->table, 0);
}

static uint16_t id_of(const struct world *world, const char *name)
{
	return registry_find(world->registry, name)->id;
}

/* Lets the balancer out of the time in which bases follow owners. */
static void quieten(struct world *world, unsigned int n)
{
	world_configure(world, n, START_US);
	world_build(world, START_US);
	world_build(world, START_US + S(10));
	assert_false(tick(world, START_US + S(10)));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
}

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
		FWD_SERVICE_RECORD_SYN;
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
	assert_false(tick(world, START_US + S(3)));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), FWD_ROWS);

	assert_true(tick(world, START_US + S(10)));
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

static void publish_does_not_settle_a_row_with_a_record_of_another(void **state)
{
	struct world *world = *state;
	const struct flows_table *flows = keep_flows(world->keep);
	uint16_t service;

	quieten(world, 3);
	service = service_at(world, 0);
	/* Every bucket names a flow of b1, seen at the end: its rows, where b1 is not owner, stay. */
	for (uint32_t i = 0; i < flows->n_flow4; i++)
		flows->flow4[i].entries[0] = (struct flow4){
			.client = htobe32(0xc0000200 + i),
			.client_port = htobe16((uint16_t)(1024 + i)),
			.vip_port = htobe16(80),
			.meta = flow_meta(
				service, id_of(world, "b1"), FLOW_TCP_ESTABLISHED, 1000 + 85),
		};
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	tick(world, START_US + S(20 + 70));
	assert_int_not_equal(publish_moving(world->publish, service), 0);
	assert_true(publish_moving(world->publish, service) <= flows->n_flow4);
	tick(world, START_US + S(20 + 200));
	assert_int_equal(publish_moving(world->publish, service), 0);
}

static void publish_frees_records_of_a_backend_that_is_gone(void **state)
{
	struct world *world = *state;
	const struct flows_table *flows = keep_flows(world->keep);

	quieten(world, 3);
	flows->flow4[0].entries[0].meta =
		flow_meta(service_at(world, 0), id_of(world, "b3"), FLOW_TCP_ESTABLISHED, 1019);
	flows->flow4[1].entries[0].meta =
		flow_meta(service_at(world, 0), id_of(world, "b1"), FLOW_TCP_ESTABLISHED, 1019);
	world_configure(world, 2, START_US + S(20));
	world_build(world, START_US + S(20));
	/* Its own rows moved at once; next to none of the others' did. */
	assert_true(publish_moving(world->publish, service_at(world, 0)) < FWD_ROWS / 50);
	tick(world, START_US + S(21));
	assert_int_equal(flow_meta_state(flows->flow4[0].entries[0].meta), FLOW_FREE);
	assert_int_equal(flow_meta_state(flows->flow4[1].entries[0].meta), FLOW_TCP_ESTABLISHED);
}

/* A record of a backend in the first virtual server, in a bucket of the test's choice. */
static __u64 *put_record(const struct world *world, size_t bucket, const char *backend)
{
	const struct flows_table *flows = keep_flows(world->keep);
	__u64 *meta = &flows->flow4[bucket].entries[0].meta;

	*meta = flow_meta(service_at(world, 0), id_of(world, backend), FLOW_TCP_ESTABLISHED, 1019);
	return meta;
}

static void publish_frees_old_records_before_a_backend_returns(void **state)
{
	struct world *world = *state;
	size_t last;
	__u64 *meta;

	quieten(world, 3);
	last = keep_flows(world->keep)->n_flow4 - 1;
	meta = put_record(world, last, "b3");
	assert_int_equal(
		registry_admin(world->registry, "b3", BACKEND_ADMIN_MAINT, START_US + S(20)), 0);
	world_build(world, START_US + S(20));
	assert_int_equal(flow_meta_state(*meta), FLOW_TCP_ESTABLISHED);
	/* Back before the walk has begun, or before it has come so far. */
	assert_int_equal(
		registry_admin(world->registry, "b3", BACKEND_ADMIN_NONE, START_US + S(20)), 0);
	world_build(world, START_US + S(20));
	assert_int_equal(flow_meta_state(*meta), FLOW_FREE);
	/* And what it gets from then on stays. */
	meta = put_record(world, last, "b3");
	tick(world, START_US + S(21));
	assert_int_equal(flow_meta_state(*meta), FLOW_TCP_ESTABLISHED);
}

static void publish_does_not_settle_by_what_another_table_saw(void **state)
{
	struct world *world = *state;
	size_t moving;

	quieten(world, 3);
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	/* A walk begins, and before its end there are other tables. */
	publish_tick(world->publish, world->snapshot, START_US + S(100));
	world_configure(world, 5, START_US + S(100));
	world_build(world, START_US + S(100));
	moving = publish_moving(world->publish, service_at(world, 0));
	while (publish_step(world->publish, world->snapshot, START_US + S(100)))
		;
	assert_int_not_equal(moving, 0);
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), moving);
	tick(world, START_US + S(200));
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
	json_t *tables, *ids;
	size_t moving;

	quieten(world, 3);
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	moving = publish_moving(world->publish, service_at(world, 0));
	memcpy(before, rows_of(world, service_at(world, 0)), FWD_ROWS * sizeof(*before));
	tables = publish_export(world->publish);
	ids = service_ids_export(world->ids);
	for (size_t i = 0; i < 4; i++)
		backends[i] = *registry_backend_at(world->registry, i);
	world_close(world);

	world_open(world, false);
	service_ids_import(world->ids, ids);
	publish_import(world->publish, tables);
	json_decref(tables);
	json_decref(ids);
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
	assert_true(tick(world, START_US + S(5)));
}

static void publish_gives_rr_its_turns_and_keeps_their_number(void **state)
{
	struct world *world = *state;
	uint32_t *turn;

	world->more = "scheduler = rr\n";
	world_configure(world, 3, START_US);
	world_build(world, START_US);
	assert_true(snapshot_service(world->snapshot, 1)->flags & FWD_SERVICE_RECORD_TCP);
	assert_int_equal(snapshot_service(world->snapshot, 1)->n_turns, 3);
	turn = snapshot_turn(world->snapshot, 1);
	*turn = 7;
	world_configure(world, 4, START_US + S(1));
	world_build(world, START_US + S(1));
	assert_int_equal(snapshot_service(world->snapshot, 1)->n_turns, 4);
	assert_int_equal(*snapshot_turn(world->snapshot, 1), 7);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_not_equal(snapshot_turn_backend(world->snapshot, 1, i), 0);
	assert_int_equal(snapshot_turn_backend(world->snapshot, 1, 4), 0);
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
	assert_null(snapshot_turn(world->snapshot, 1));
	world_build(world, START_US + S(22));
	tick(world, START_US + S(90));
	assert_int_equal(publish_moving(world->publish, 1), 0);
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

static void publish_takes_what_agents_report_for_lc(void **state)
{
	struct world *world = *state;
	struct proto_register reg = { .name = "agent1",
		.real_ip = { .family = AF_INET, .bytes = { 192, 0, 2, 9 } },
		.mac = { { 2, 0, 0, 0, 0, 9 } } };
	const struct backend *backend;
	enum proto_reject code;
	bool repeated;
	char why[REGISTRY_REASON_BYTES];
	struct fwd_load *load;
	uint16_t id;

	world->check = "agent";
	world->more = "scheduler = lc\n";
	world_configure(world, 0, START_US);
	reg.vips[0] = world->services->items[0].vip;
	reg.status = (struct proto_status){ .state = PROTO_STATE_UP, .weight = 3, .n_vips = 1 };
	reg.status.vips[0] =
		(struct proto_vip_status){ .present = true, .silent = true, .established = 12 };
	assert_int_equal(registry_register(world->registry, &reg, &reg.real_ip, START_US, 1,
				 START_US, &id, &repeated, &code, why),
		0);
	registry_report(world->registry, id, &reg.status, 100, START_US + S(1));
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

/* Bucket and words of one record each, in tables of their own size. */
static __u64 *first_entry(const struct world *world, uint64_t hash)
{
	const struct flows_table *flows = keep_flows(world->keep);

	return flows->flow4[hash_reduce(hash, flows->n_flow4)].words;
}

static void publish_holds_clients_whose_flows_live(void **state)
{
	struct world *world = *state;
	const uint32_t start_s = START_US / S(1);
	const struct fwd_settings *settings;
	struct fwd_addr client = { .word = { 0, 0, htonl(0xffff), htonl(0xcb007107) } };
	struct flow4 flow = { .client = client.word[3], .client_port = 1, .vip_port = 2 };
	struct flow4 persist = { .client = client.word[3] };
	__u64 *at;

	world->more = "persistence = 30\n";
	world_configure(world, 2, START_US);
	world_build(world, START_US);
	assert_true(snapshot_service(world->snapshot, 1)->flags & FWD_SERVICE_RECORD_TCP);
	assert_int_equal(snapshot_service(world->snapshot, 1)->persistence_s, 30);
	settings = snapshot_settings(world->snapshot);
	flow.meta = flow_meta(1, 1, FLOW_TCP_ESTABLISHED, start_s);
	persist.meta = flow_meta(1, 1, FLOW_PERSIST, start_s);
	memcpy(first_entry(world, hash_flow(settings, &client, 1, 2, 1)), &flow, sizeof(flow));
	at = first_entry(world, hash_flow(settings, &client, 0, 0, 1));
	memcpy(at, &persist, sizeof(persist));
	/* Its time is what the last connection left, until that would run out. */
	tick(world, START_US + S(20));
	assert_int_equal(at[1], persist.meta);
	for (uint32_t second = 22; second <= 56; second += 2)
		tick(world, START_US + S(second));
	assert_in_range(flow_meta_age_s(at[1], start_s + 56), 20, 28);
	assert_int_equal(flow_meta_state(at[1]), FLOW_PERSIST);
	/* The flow is over: so, soon, is persistence. */
	tick(world, START_US + S(62));
	assert_true(flow_meta_age_s(at[1], start_s + 70) > 30);
}

/* Records of a service in the near part: of four entries `live`, the others over. */
static void fill_near(struct world *world, unsigned int live)
{
	const uint32_t start_s = START_US / S(1);

	for (size_t i = 0; i < (size_t)FLOWS_NEAR_BUCKETS * FLOW4_PER_BUCKET; i++)
		keep_flows(world->keep)->flow4[i / FLOW4_PER_BUCKET].entries[i % FLOW4_PER_BUCKET] =
			(struct flow4){
				.client = htobe32((uint32_t)i),
				.meta = flow_meta(1, 1, FLOW_TCP_ESTABLISHED,
					i % 4 < live ? start_s : start_s - 100000),
			};
}

/* Whether most of the whole table's part behind near has records. */
static bool gathered(struct world *world)
{
	const struct flows_table *flows = keep_flows(world->keep);
	size_t n_used = 0;

	for (size_t i = FLOWS_NEAR_BUCKETS; i < flows->n_flow4; i++)
		n_used += flows->flow4[i].entries[0].meta != 0;
	return n_used > (flows->n_flow4 - FLOWS_NEAR_BUCKETS) / 2;
}

static void publish_looks_near_until_the_table_is_crowded(void **state)
{
	struct world *world = *state;
	const __u32 *among;

	world_configure(world, 2, START_US);
	world_build(world, START_US);
	tick(world, START_US + S(4));
	world_build(world, START_US + S(4));
	among = snapshot_settings(world->snapshot)->flow4_among;
	assert_int_equal(among[0], FLOWS_NEAR_BUCKETS);
	assert_int_equal(among[1], keep_flows(world->keep)->n_flow4);
	/* Half of it, of what lives: there is nothing to change. */
	fill_near(world, 2);
	assert_false(tick(world, START_US + S(5)));
	/* Three quarters: looked for in the whole first, where they are by then. */
	fill_near(world, 3);
	assert_true(tick(world, START_US + S(6)));
	world_build(world, START_US + S(6));
	among = snapshot_settings(world->snapshot)->flow4_among;
	assert_int_equal(among[0], keep_flows(world->keep)->n_flow4);
	assert_int_equal(among[1], FLOWS_NEAR_BUCKETS);
	assert_int_equal(snapshot_settings(world->snapshot)->flow6_among[0], FLOWS_NEAR_BUCKETS);
	assert_true(gathered(world));
	assert_false(tick(world, START_US + S(7)));
	/* It stays so until few are left. */
	memset(keep_flows(world->keep)->flow4, 0,
		keep_flows(world->keep)->n_flow4 * sizeof(struct flow4_bucket));
	assert_true(tick(world, START_US + S(8)));
	world_build(world, START_US + S(8));
	assert_int_equal(snapshot_settings(world->snapshot)->flow4_among[0], FLOWS_NEAR_BUCKETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(publish_shares_a_table_of_equal_members),
		TEST(publish_lets_bases_follow_until_membership_is_quiet),
		TEST(publish_moves_rows_to_a_joining_backend),
		TEST(publish_settles_after_the_timeout),
		TEST(publish_does_not_settle_a_row_with_a_record_of_another),
		TEST(publish_frees_records_of_a_backend_that_is_gone),
		TEST(publish_frees_old_records_before_a_backend_returns),
		TEST(publish_does_not_settle_by_what_another_table_saw),
		TEST(publish_makes_one_empty_table_for_nobody),
		TEST(publish_shares_tables_among_many_of_both_kinds),
		TEST(publish_remembers_bases_over_a_restart),
		TEST(publish_binds_nothing_while_not_active),
		TEST(publish_gives_a_new_backend_a_fifth_at_first),
		TEST(publish_is_quiet_while_a_backend_starts_slowly),
		TEST(publish_gives_rr_its_turns_and_keeps_their_number),
		TEST(publish_stirs_rows_when_a_service_ceases_to_record),
		TEST(publish_counts_what_statics_hold_for_lc),
		TEST(publish_takes_what_agents_report_for_lc),
		TEST(publish_holds_clients_whose_flows_live),
		cmocka_unit_test_setup_teardown(
			publish_looks_near_until_the_table_is_crowded, setup_large, teardown),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
