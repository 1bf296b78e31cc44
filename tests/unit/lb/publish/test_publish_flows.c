/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication and the flow table: rows settle by what its records say, and records are freed,
 * held and gathered.
 */
#include "publish_world.h"

#include "lb/fwd/hash.h"

/* Its flow table has a dense part. */
static int setup_large(void **state)
{
	return setup_for(state, 1 << 18);
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

/* A backend ceased to serve, and the balancer was killed before its records were freed: they do not stay for ever. */
static void publish_frees_records_that_were_void_before_a_restart(void **state)
{
	struct world *world = *state;
	struct backend backends[3];
	__u64 *gone, *stays;

	quieten(world, 3);
	for (size_t i = 0; i < 3; i++)
		backends[i] = *registry_backend_at(world->registry, i);
	put_record(world, 0, "b3");
	put_record(world, 1, "b1");
	assert_int_equal(
		registry_admin(world->registry, "b3", BACKEND_ADMIN_MAINT, START_US + S(20)), 0);
	world_build(world, START_US + S(20));
	backends[2] = *registry_find(world->registry, "b3");

	world_restart(world);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			registry_restore(world->registry, &backends[i], START_US + S(25)), 0);
	world_configure(world, 3, START_US + S(25));
	world_build(world, START_US + S(25));
	gone = &keep_flows(world->keep)->flow4[0].entries[0].meta;
	stays = &keep_flows(world->keep)->flow4[1].entries[0].meta;
	/* Who is about to register has its time. */
	tick(world, START_US + S(26));
	assert_int_equal(flow_meta_state(*gone), FLOW_TCP_ESTABLISHED);
	tick(world, START_US + S(40));
	assert_int_equal(flow_meta_state(*gone), FLOW_FREE);
	assert_int_equal(flow_meta_state(*stays), FLOW_TCP_ESTABLISHED);
}

static void publish_does_not_settle_by_what_another_table_saw(void **state)
{
	struct world *world = *state;
	size_t moving;

	quieten(world, 3);
	world_configure(world, 4, START_US + S(20));
	world_build(world, START_US + S(20));
	/* A walk begins, and before its end there are other tables. */
	publish_tick(world->publish, START_US + S(100));
	world_configure(world, 5, START_US + S(100));
	world_build(world, START_US + S(100));
	moving = publish_moving(world->publish, service_at(world, 0));
	walk(world, START_US + S(100));
	assert_int_not_equal(moving, 0);
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), moving);
	tick(world, START_US + S(200));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
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
	assert_true(snapshot_service(world->snapshot, 1)->flags & FWD_SERVICE_RECORD_ALL);
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

/* Records of a service in the dense part: of four entries `live`, the others over. */
static void fill_dense(struct world *world, unsigned int live)
{
	const uint32_t start_s = START_US / S(1);

	for (size_t i = 0; i < (size_t)FLOWS_DENSE_BUCKETS * FLOW4_PER_BUCKET; i++)
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

	for (size_t i = FLOWS_DENSE_BUCKETS; i < flows->n_flow4; i++)
		n_used += flows->flow4[i].entries[0].meta != 0;
	return n_used > (flows->n_flow4 - FLOWS_DENSE_BUCKETS) / 2;
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
	assert_int_equal(among[0], FLOWS_DENSE_BUCKETS);
	assert_int_equal(among[1], keep_flows(world->keep)->n_flow4);
	/* Half of it, of what lives: there is nothing to change. */
	fill_dense(world, 2);
	assert_false(tick(world, START_US + S(5)));
	/* Three quarters: looked for in the whole first, where they are by then. */
	fill_dense(world, 3);
	assert_true(tick(world, START_US + S(6)));
	world_build(world, START_US + S(6));
	among = snapshot_settings(world->snapshot)->flow4_among;
	assert_int_equal(among[0], keep_flows(world->keep)->n_flow4);
	assert_int_equal(among[1], FLOWS_DENSE_BUCKETS);
	assert_int_equal(snapshot_settings(world->snapshot)->flow6_among[0], FLOWS_DENSE_BUCKETS);
	assert_true(gathered(world));
	assert_false(tick(world, START_US + S(7)));
	/* It stays so until few are left. */
	memset(keep_flows(world->keep)->flow4, 0,
		keep_flows(world->keep)->n_flow4 * sizeof(struct flow4_bucket));
	assert_true(tick(world, START_US + S(8)));
	world_build(world, START_US + S(8));
	assert_int_equal(snapshot_settings(world->snapshot)->flow4_among[0], FLOWS_DENSE_BUCKETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(publish_does_not_settle_a_row_with_a_record_of_another),
		TEST(publish_frees_records_of_a_backend_that_is_gone),
		TEST(publish_frees_old_records_before_a_backend_returns),
		TEST(publish_frees_records_that_were_void_before_a_restart),
		TEST(publish_does_not_settle_by_what_another_table_saw),
		TEST(publish_holds_clients_whose_flows_live),
		cmocka_unit_test_setup_teardown(
			publish_looks_near_until_the_table_is_crowded, setup_large, teardown),
	};

	return cmocka_run_group_tests_name("publish flows", tests, NULL, NULL);
}
