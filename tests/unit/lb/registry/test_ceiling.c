/* SPDX-License-Identifier: GPL-2.0-or-later */
/* max-connections: a backend that has as many takes no new flows, and is up all the same. */
#include "tests/unit/lb/registry/registry_world.h"

static void report(struct world *world, struct world_agent *agent, uint32_t established)
{
	agent->reg.status.vips[0].established = established;
	world_update(world, agent);
}

static void ceiling_of_an_agent_ends_new_flows_alone(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	const struct backend *backend;
	struct why why;

	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), 0);
	agent = world_agent(world, "web1", 11, "198.51.100.10");
	agent->reg.status.max_connections = 100;
	assert_int_equal(world_register(world, agent).r, 0);
	agent->answers = true;
	world_pass(world, MS(1000));
	backend = world_backend(world, "web1");
	report(world, agent, 99);
	assert_int_equal(backend->effective_weight, 1);
	report(world, agent, 100);
	assert_int_equal(backend->state, BACKEND_UP);
	assert_true(backend->takes_flows);
	assert_int_equal(backend->effective_weight, 0);
	assert_string_equal(backend->reason, "full: takes no new connections while it has 100");
	assert_int_equal(backend->max_connections, 100);
	report(world, agent, 99);
	assert_int_equal(backend->effective_weight, 1);
	assert_string_equal(backend->reason, "");
	/* Without a ceiling none is too many. */
	agent->reg.status.max_connections = 0;
	report(world, agent, 100000);
	assert_int_equal(backend->effective_weight, 1);
}

static void ceiling_of_a_static_counts_its_flows(void **state)
{
	struct world *world = *state;
	struct registry_static *line = world_static(world, "web", NULL, "192.0.2.50");
	const struct backend *backend;
	struct why why;

	line->max_connections = 10;
	line->no_check = true;
	line->mac = world_mac(50);
	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), 0);
	backend = world_backend(world, "192.0.2.50");
	assert_int_equal(backend->state, BACKEND_UP);
	registry_count(world->registry, backend->id, 9, world->now_us);
	assert_int_equal(backend->effective_weight, 1);
	registry_count(world->registry, backend->id, 10, world->now_us);
	assert_int_equal(backend->effective_weight, 0);
	assert_int_equal(backend->state, BACKEND_UP);
	registry_count(world->registry, backend->id, 3, world->now_us);
	assert_int_equal(backend->effective_weight, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ceiling_of_an_agent_ends_new_flows_alone),
		TEST(ceiling_of_a_static_counts_its_flows),
	};

	return cmocka_run_group_tests_name("ceiling", tests, NULL, NULL);
}
