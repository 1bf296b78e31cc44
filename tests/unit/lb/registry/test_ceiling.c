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
	world_pass(world, MS(1000));
	backend = world_backend(world, "web1");
	report(world, agent, 99);
	assert_int_equal(world_effective(world, "web1"), 1);
	report(world, agent, 100);
	assert_int_equal(backend->state, BACKEND_UP);
	assert_true(backend->takes_flows);
	assert_int_equal(world_effective(world, "web1"), 0);
	assert_string_equal(backend->reason, "full: takes no new connections while it has 100");
	assert_int_equal(world_member(world, "web1", 0).max_connections, 100);
	report(world, agent, 99);
	assert_int_equal(world_effective(world, "web1"), 1);
	assert_string_equal(backend->reason, "");
	/* Without a ceiling none is too many. */
	agent->reg.status.max_connections = 0;
	report(world, agent, 100000);
	assert_int_equal(world_effective(world, "web1"), 1);
}

/* Has no room, and has some again with the next word. */
static void fill_and_empty(struct world *world, struct world_agent *agent)
{
	report(world, agent, 100);
	assert_int_equal(world_effective(world, "web1"), 0);
	report(world, agent, 99);
}

/* Only the room of one that had room again a moment ago waits; whichever word made it. */
static void ceiling_of_an_agent_waits_where_it_flaps_alone(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	const struct backend *backend;

	world_configure(world);
	agent = world_agent(world, "web1", 11, "198.51.100.10");
	agent->reg.status.max_connections = 100;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	backend = world_backend(world, "web1");
	fill_and_empty(world, agent);
	assert_int_equal(world_effective(world, "web1"), 1);
	world_pass(world, MS(8000));
	fill_and_empty(world, agent);
	world_pass(world, MS(990));
	assert_int_equal(world_effective(world, "web1"), 0);
	assert_string_equal(backend->reason, "full: takes no new connections while it has 100");
	world_pass(world, MS(10));
	assert_int_equal(world_effective(world, "web1"), 1);
	assert_string_equal(backend->reason, "");
	/* Quiet for long enough since that ended. */
	world_pass(world, MS(10000));
	report(world, agent, 100);
	assert_int_equal(world_effective(world, "web1"), 0);
	agent->reg.status.max_connections = 200;
	report(world, agent, 100);
	assert_int_equal(world_effective(world, "web1"), 1);
	report(world, agent, 200);
	agent->reg.status.max_connections = 0;
	report(world, agent, 200);
	assert_int_equal(world_effective(world, "web1"), 0);
	world_pass(world, MS(1000));
	assert_int_equal(world_effective(world, "web1"), 1);
}

/* So many words a second, every other one of which says that there is no room; ends with one that says that there is. */
static void alternate(struct world *world, struct world_agent *agent, unsigned int n, uint64_t us)
{
	world->n_changed = world->n_urgent = world->n_remarks = 0;
	for (unsigned int i = 0; i < n; i++) {
		agent->reg.status.max_connections = i % 2 == 0 ? 1 : 1000000;
		agent->reg.status.vips[0].established = 1;
		world_update(world, agent);
		world_pass(world, us);
	}
}

/* What its agent says of its connections makes few tables, however it goes up and down. */
static void ceiling_of_an_agent_that_flaps_makes_few_tables(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	const struct backend *backend;

	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(1000));
	backend = world_backend(world, "web1");
	alternate(world, agent, 1000, MS(2));
	assert_int_equal(world->n_changed, 3);
	assert_int_equal(world->n_urgent, 2);
	assert_in_range(world->n_remarks, 1, 4);
	assert_int_equal(world_effective(world, "web1"), 0);
	world_pass(world, MS(1000));
	assert_int_equal(world->n_changed, 4);
	assert_int_equal(world->n_urgent, 2);
	assert_int_equal(world_effective(world, "web1"), 1);
	assert_string_equal(backend->reason, "");
	/* One that hovers there goes in and out no faster: 100 words in 30 seconds, then 20 in 26. Each ten have their first. */
	alternate(world, agent, 100, MS(300));
	assert_in_range(world->n_changed, 5, 7);
	world_pass(world, MS(1000));
	alternate(world, agent, 20, MS(1300));
	assert_int_equal(world->n_urgent, 10);
	assert_in_range(world->n_changed, 19, 20);
}

/* The same by registering anew, which says all that an UPDATE does. */
static void ceiling_of_an_agent_holds_over_sessions(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(1000));
	world->n_urgent = 0;
	for (unsigned int i = 0; i < 100; i++) {
		agent->reg.status.max_connections = i % 2 == 0 ? 1 : 0;
		agent->reg.status.vips[0].established = 1;
		assert_int_equal(world_register(world, agent).r, 0);
		world_pass(world, MS(10));
		assert_int_equal(world_effective(world, "web1"), i == 1);
	}
	assert_int_equal(world->n_urgent, 2);
	world_pass(world, MS(1000));
	assert_int_equal(world_effective(world, "web1"), 1);
}

static void count(
	struct world *world, const struct backend *backend, size_t service, uint32_t connections)
{
	registry_count(world->registry, backend->id, world->services[service].id, connections);
	registry_counted(world->registry, backend->id, world->now_us);
	world_drain_actions(world);
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
	count(world, backend, 0, 9);
	assert_int_equal(world_effective(world, "192.0.2.50"), 1);
	count(world, backend, 0, 10);
	assert_int_equal(world_effective(world, "192.0.2.50"), 0);
	assert_int_equal(backend->state, BACKEND_UP);
	assert_string_equal(backend->reason, "full: takes no new connections while it has 10");
	count(world, backend, 0, 3);
	assert_int_equal(world_effective(world, "192.0.2.50"), 1);
}

/* Of the VIPs of one virtual server together, and of no other virtual server. */
static void ceiling_of_a_static_is_of_one_virtual_server(void **state)
{
	struct world *world = *state;
	struct registry_static *line = world_static(world, "web", "win", "192.0.2.50");
	const struct backend *backend;

	line->max_connections = 10;
	world_static(world, "mail", "win", "192.0.2.50");
	for (size_t i = 0; i < 2; i++) {
		world->statics[i].no_check = true;
		world->statics[i].mac = world_mac(50);
	}
	world_service(world, 1, "web", "198.51.100.11");
	world_service(world, 2, "mail", "198.51.100.12");
	world_configure(world);
	backend = world_backend(world, "win");
	assert_int_equal(world_member(world, "win", 0).max_connections, 10);
	assert_int_equal(world_member(world, "win", 2).max_connections, 0);
	count(world, backend, 2, 1000);
	count(world, backend, 0, 5);
	assert_int_equal(world_effective(world, "win"), 1);
	count(world, backend, 1, 5);
	assert_int_equal(world_effective(world, "win"), 0);
	assert_int_equal(world_member(world, "win", 1).effective_weight, 0);
	assert_int_equal(world_member(world, "win", 2).effective_weight, 1);
	assert_string_equal(backend->reason,
		"full in virtual server web: takes no new connections while it has 10");
	/* A reload does not forget what it has. */
	world_configure(world);
	assert_int_equal(world_effective(world, "win"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ceiling_of_an_agent_ends_new_flows_alone),
		TEST(ceiling_of_an_agent_waits_where_it_flaps_alone),
		TEST(ceiling_of_an_agent_that_flaps_makes_few_tables),
		TEST(ceiling_of_an_agent_holds_over_sessions),
		TEST(ceiling_of_a_static_counts_its_flows),
		TEST(ceiling_of_a_static_is_of_one_virtual_server),
	};

	return cmocka_run_group_tests_name("ceiling", tests, NULL, NULL);
}
