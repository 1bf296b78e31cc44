/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of backends that are up, and odd. */
#include "registry_world.h"

#define assert_state(world, name, wanted) \
	assert_string_equal(backend_state_name(world_backend(world, name)->state), wanted)
#define assert_reason(world, name, part) \
	assert_non_null(strstr(world_backend(world, name)->reason, part))

static void health_names_twins(void **state)
{
	struct world *world = *state;
	struct world_agent *agent, *other;

	world_farm(world, 2);
	assert_string_equal(world_backend(world, "web01")->reason, "");
	/* A clone: another name and address, and the same network card. */
	agent = world_agent(world, "web3", 13, "198.51.100.10");
	agent->reg.mac = world_mac(11);
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1));
	assert_state(world, "web3", "up");
	assert_string_equal(world_backend(world, "web3")->reason,
		"shares its MAC 02:00:00:00:00:0b with web01 (192.0.2.11): a cloned machine? give it "
		"a MAC of its own");
	assert_reason(world, "web01", "shares its MAC 02:00:00:00:00:0b with web3 (192.0.2.13)");
	assert_string_equal(world_backend(world, "web02")->reason, "");
	assert_int_equal(world->n_remarks, 1);
	/* What frames that go to the other make of one is its reason, and so is the MAC. */
	agent->answers = false;
	world_pass(world, MS(2000));
	assert_state(world, "web3", "down");
	assert_reason(world, "web3", "no answer to 3 heartbeats; shares its MAC");
	/* A host may well have a backend of each family. */
	other = world_agent(world, "web4", 14, "198.51.100.10");
	other->reg.real_ip = world_addr("2001:db8::14");
	other->reg.mac = world_mac(12);
	assert_int_equal(world_register(world, other).r, 0);
	world_pass(world, MS(1));
	assert_string_equal(world_backend(world, "web4")->reason, "");
	/* Mended: by another MAC, or by its end. */
	registry_leave(world->registry, agent->id, world->now_us);
	world_drain_actions(world);
	world_pass(world, MS(1));
	assert_string_equal(world_backend(world, "web01")->reason, "");
}

static void health_names_a_vip_without_a_virtual_server(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");

	agent->reg.status.n_vips = 2;
	agent->reg.vips[1] = world_addr("198.51.100.77");
	agent->reg.status.vips[1] = agent->reg.status.vips[0];
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1));
	assert_state(world, "web1", "up");
	assert_true(world_serves(world, "web1", 0));
	assert_string_equal(world_backend(world, "web1")->reason,
		"no virtual server has its VIP 198.51.100.77");
	world_service(world, 1, "other", "198.51.100.77");
	world_configure(world);
	assert_string_equal(world_backend(world, "web1")->reason, "");
	/* It stays up, and is told of when it is new. */
	world->services[1].use_agents = false;
	assert_int_equal(world->n_remarks, 0);
	world_configure(world);
	assert_int_equal(world->n_remarks, 1);
	assert_state(world, "web1", "up");
	assert_string_equal(world_backend(world, "web1")->reason,
		"no virtual server with its VIP 198.51.100.77 takes it");
}

static void health_fails_whoever_answers_for_a_vip(void **state)
{
	struct world *world = *state;
	uint16_t id;

	world_farm(world, 2);
	id = world_backend(world, "web01")->id;
	registry_leaks(world->registry, id, "answers ARP for 198.51.100.10", world->now_us);
	world_drain_actions(world);
	assert_state(world, "web01", "down");
	assert_string_equal(world_backend(world, "web01")->reason, "answers ARP for 198.51.100.10");
	assert_state(world, "web02", "up");
	/* It has its own measure of when that is over, and needs no answers in a row besides. */
	registry_leaks(world->registry, id, "", world->now_us);
	world_drain_actions(world);
	assert_state(world, "web01", "up");
	assert_string_equal(world_backend(world, "web01")->reason, "");
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(health_names_twins),
		FACT(health_fails_whoever_answers_for_a_vip),
		FACT(health_names_a_vip_without_a_virtual_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
