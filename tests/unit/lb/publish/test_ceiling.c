/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows of a static backend with a ceiling are counted, and told at once when all are. */
#include "lb/publish/ceiling.h"

#include "lb/table/flow_walk.h"
#include "tests/unit/lb/registry/registry_world.h"

#define NOW_S   1000u
#define BUCKETS (2 * FLOW_WALK_PART_BUCKETS + 8)
#define MOST    10u

static struct flow4_bucket flow4[BUCKETS];
static struct flows_table table = { .flow4 = flow4, .n_flow4 = BUCKETS };
static const struct fwd_service service = {
	.id = 1, .tcp_timeout_s = 60, .fin_timeout_s = 60, .udp_timeout_s = 60
};

static const struct fwd_service *find_service(uint16_t id, void *context)
{
	return id == service.id ? &service : NULL;
}

static const char *effective(struct world *world)
{
	return world_effective(world, "192.0.2.50") == 0 ? "full" : "has room";
}

/* All over the table; in the last bucket, too. */
static void flows_begin(uint16_t backend, unsigned int n, enum flow_state state)
{
	for (unsigned int i = 0; i < n; i++)
		flow4[BUCKETS - 1 - i * (BUCKETS / MOST / 2)].entries[0].meta =
			flow_meta(service.id, backend, state, NOW_S);
}

/* As the main loop does; whether it was told. */
static bool count(struct world *world, struct ceiling *ceiling, struct flow_walk *walk)
{
	bool waits, told;

	ceiling_check(ceiling);
	do {
		waits = flow_walk_step(walk, NOW_S);
		told = ceiling_tell(ceiling, world->now_us);
		assert_true(!told || !waits);
	} while (waits);
	world_drain_actions(world);
	return told;
}

static uint16_t configure(struct world *world, uint32_t most)
{
	struct why why;

	world->statics[0].max_connections = most;
	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), 0);
	return world_backend(world, "192.0.2.50")->id;
}

static void ceiling_is_told_when_all_is_counted(void **state)
{
	struct world *world = *state;
	struct registry_static *line = world_static(world, "web", NULL, "192.0.2.50");
	_cleanup_(flow_walk_freep) struct flow_walk *walk =
		flow_walk_new(&table, find_service, NULL, NULL);
	struct ceiling *ceiling = ceiling_new(world->registry, walk);
	uint16_t id;

	assert_non_null(ceiling);
	line->no_check = true;
	line->mac = world_mac(50);
	id = configure(world, MOST);
	memset(flow4, 0, sizeof(flow4));
	flows_begin(id, MOST - 1, FLOW_TCP_ESTABLISHED);
	assert_true(count(world, ceiling, walk));
	assert_string_equal(effective(world), "has room");
	flows_begin(id, MOST, FLOW_TCP_ESTABLISHED);
	assert_string_equal(effective(world), "has room");
	assert_true(count(world, ceiling, walk));
	assert_string_equal(effective(world), "full");
	/* One that said its farewell is none. */
	flows_begin(id, 1, FLOW_TCP_FIN);
	assert_true(count(world, ceiling, walk));
	assert_string_equal(effective(world), "has room");
	/* Nobody has a ceiling: nothing is counted. */
	configure(world, 0);
	assert_false(count(world, ceiling, walk));
	ceiling_free(ceiling);
}

/* Nobody has seen its server's answer. A datagram has reached who listens, whoever sent it. */
static void ceiling_is_filled_by_no_syn_alone(void **state)
{
	static const struct {
		enum flow_state state;
		const char *effective;
	} cases[] = {
		{ FLOW_TCP_SYN, "has room" },
		{ FLOW_SCTP_INIT, "has room" },
		{ FLOW_TCP_ESTABLISHED, "full" },
		{ FLOW_SCTP_ESTABLISHED, "full" },
		{ FLOW_UDP_NEW, "full" },
	};
	struct world *world = *state;
	struct registry_static *line = world_static(world, "web", NULL, "192.0.2.50");
	_cleanup_(flow_walk_freep) struct flow_walk *walk =
		flow_walk_new(&table, find_service, NULL, NULL);
	struct ceiling *ceiling = ceiling_new(world->registry, walk);
	uint16_t id;

	assert_non_null(ceiling);
	line->no_check = true;
	line->mac = world_mac(50);
	id = configure(world, MOST);
	memset(flow4, 0, sizeof(flow4));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		flows_begin(id, MOST, cases[i].state);
		assert_true(count(world, ceiling, walk));
		assert_string_equal(effective(world), cases[i].effective);
	}
	/* Beside those that are established they take no room, either. */
	flows_begin(id, MOST, FLOW_TCP_SYN);
	flows_begin(id, MOST - 1, FLOW_TCP_ESTABLISHED);
	assert_true(count(world, ceiling, walk));
	assert_string_equal(effective(world), "has room");
	ceiling_free(ceiling);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			ceiling_is_told_when_all_is_counted, world_setup_bare, world_teardown),
		cmocka_unit_test_setup_teardown(
			ceiling_is_filled_by_no_syn_alone, world_setup_bare, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
