/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of services that are configured no more are freed, and then their ids are void; others stay. */
#include "lb/publish/gone_services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "lb/config/service_ids.h"
#include "lb/engine/snapshot.h"
#include "lb/table/flow_walk.h"

#define NOW_S   1000u
#define BUCKETS (2 * FLOW_WALK_PART_BUCKETS + 8)

static struct flow4_bucket flow4[BUCKETS];
static struct flows_table table = { .flow4 = flow4, .n_flow4 = BUCKETS };

struct world {
	struct service_ids *ids;
	struct flow_walk *walk;
	struct gone_services *gone;
	struct snapshot *snapshot; /* empty: of a configuration without services */
	uint16_t stays, goes;
};

static const struct fwd_service *find_service(uint16_t service, void *context)
{
	return NULL;
}

static uint16_t id_of(struct world *world, const char *name)
{
	const struct addr vip = { .family = AF_INET, .bytes = { 198, 51, 100, 10 } };
	uint16_t id = 0;

	assert_int_equal(service_ids_get(world->ids, name, &vip, &id), 0);
	return id;
}

static void set_in_force(struct world *world, bool both)
{
	bool in_force[FWD_ID_MAX + 1] = { false };

	in_force[world->stays] = true;
	in_force[world->goes] = both;
	service_ids_set_in_force(world->ids, in_force);
}

static unsigned int records_of(uint16_t service)
{
	unsigned int n = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		for (size_t k = 0; k < FLOW4_PER_BUCKET; k++)
			n += flow_meta_state(flow4[i].entries[k].meta) != FLOW_FREE &&
				flow_meta_service(flow4[i].entries[k].meta) == service;
	return n;
}

static bool is_gone(const struct world *world, uint16_t id)
{
	bool gone[FWD_ID_MAX + 1] = { false };

	service_ids_list_gone(world->ids, gone);
	return gone[id];
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	const struct fwd_settings settings = { 0 };

	if (!world)
		return -1;
	world->ids = service_ids_new();
	world->walk = flow_walk_new(&table, find_service, NULL, NULL);
	world->gone = gone_services_new(world->walk, world->ids);
	assert_int_equal(snapshot_new(&settings, &table, &world->snapshot), 0);
	service_ids_begin(world->ids);
	world->stays = id_of(world, "stays");
	world->goes = id_of(world, "goes");
	set_in_force(world, true);
	memset(flow4, 0, sizeof(flow4));
	for (size_t i = 0; i < BUCKETS; i++) {
		flow4[i].entries[0].meta = flow_meta(world->stays, 1, FLOW_TCP_ESTABLISHED, NOW_S);
		flow4[i].entries[1].meta = flow_meta(world->goes, 1, FLOW_TCP_ESTABLISHED, NOW_S);
	}
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	gone_services_free(world->gone);
	flow_walk_free(world->walk);
	service_ids_free(world->ids);
	snapshot_free(world->snapshot);
	free(world);
	return 0;
}

static void gone_services_lose_their_records(void **state)
{
	struct world *world = *state;

	gone_services_look(world->gone, world->snapshot);
	assert_false(flow_walk_step(world->walk, NOW_S)); /* nobody has gone */
	set_in_force(world, false);
	gone_services_look(world->gone, NULL); /* nothing is in force yet */
	assert_false(flow_walk_step(world->walk, NOW_S));
	gone_services_look(world->gone, world->snapshot);
	while (flow_walk_step(world->walk, NOW_S))
		assert_true(is_gone(world, world->goes));
	assert_int_equal(records_of(world->goes), 0);
	assert_int_equal(records_of(world->stays), BUCKETS);
	assert_false(is_gone(world, world->goes)); /* void */
}

static void gone_services_that_come_back_keep_what_is_new(void **state)
{
	struct world *world = *state;
	unsigned int left;

	set_in_force(world, false);
	gone_services_look(world->gone, world->snapshot);
	assert_true(flow_walk_step(world->walk, NOW_S));
	set_in_force(world, true);
	left = records_of(world->goes);
	assert_int_not_equal(left, 0);
	while (flow_walk_step(world->walk, NOW_S))
		;
	assert_int_equal(records_of(world->goes), left);
	assert_false(is_gone(world, world->goes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gone_services_lose_their_records, setup, teardown),
		cmocka_unit_test_setup_teardown(
			gone_services_that_come_back_keep_what_is_new, setup, teardown),
	};

	return cmocka_run_group_tests_name("gone_services", tests, NULL, NULL);
}
