/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a backend is to one virtual server alone: weight, backup; and how many of them are enough. */
#include "tests/unit/lb/registry/registry_world.h"

/* web and mail on hosts without an agent, up as soon as they are configured. */
static struct registry_static *add(
	struct world *world, const char *virtual_server, const char *name, uint8_t host)
{
	struct registry_static *line = world_static(world, virtual_server, name, "192.0.2.0");

	line->address.bytes[3] = host;
	line->mac = world_mac(host);
	line->no_check = true;
	return line;
}

static struct registry_tier tier(const struct world *world, size_t service)
{
	return registry_tier(world->registry, &world->services[service]);
}

static void maint(struct world *world, const char *name)
{
	assert_int_equal(
		registry_admin(world->registry, name, BACKEND_ADMIN_MAINT, world->now_us), 0);
	world_drain_actions(world);
}

static void enable(struct world *world, const char *name)
{
	assert_int_equal(
		registry_admin(world->registry, name, BACKEND_ADMIN_NONE, world->now_us), 0);
	world_drain_actions(world);
}

static void tier_weight_is_of_each_virtual_server(void **state)
{
	struct world *world = *state;
	uint32_t n_urgent;

	world_service(world, 1, "mail", "198.51.100.11");
	add(world, "web", "a", 11)->weight = 3;
	add(world, "mail", "a", 11)->weight = 5;
	world_configure(world);
	assert_int_equal(world_weight(world, "a"), 3);
	assert_int_equal(world_member(world, "a", 1).effective_weight, 5);
	assert_int_equal(world_say_weight(world, "a", NULL, "200%"), 0);
	assert_int_equal(world_weight(world, "a"), 6);
	assert_int_equal(world_member(world, "a", 1).weight, 10);
	n_urgent = world->n_urgent;
	assert_int_equal(world_say_weight(world, "a", "mail", "0"), 0);
	world_drain_actions(world);
	assert_int_equal(world->n_urgent, n_urgent + 1);
	assert_int_equal(world_weight(world, "a"), 6);
	assert_int_equal(world_member(world, "a", 1).effective_weight, 0);
	assert_true(world_backend(world, "a")->takes_new);
	assert_int_equal(world_say_weight(world, "a", "mail", "configured"), 0);
	assert_int_equal(world_member(world, "a", 1).weight, 5);
	assert_int_equal(world_say_weight(world, "a", "dns", "1"), -ESRCH);
	/* A line that changes is in force where nothing was said. */
	world->statics[1].weight = 8;
	world_configure(world);
	assert_int_equal(world_member(world, "a", 1).weight, 8);
	assert_int_equal(world_weight(world, "a"), 6);
}

static void tier_weight_that_was_said_outlives_leaving(void **state)
{
	struct world *world = *state;

	world_service(world, 1, "mail", "198.51.100.11");
	add(world, "web", "a", 11);
	add(world, "mail", "a", 11);
	world_configure(world);
	assert_int_equal(world_say_weight(world, "a", "mail", "9"), 0);
	world->config.n_statics = 0;
	world_configure(world);
	assert_int_equal(registry_overrides_len(world->registry), 1);
	assert_int_equal(world_say_weight(world, "a", "web", "4"), 0);
	world->config.n_statics = 2;
	world_configure(world);
	assert_int_equal(world_weight(world, "a"), 4);
	assert_int_equal(world_member(world, "a", 1).weight, 9);
	assert_int_equal(registry_overrides_len(world->registry), 0);
}

static void tier_backup_waits_for_want_of_others(void **state)
{
	struct world *world = *state;

	add(world, "web", "a", 11);
	add(world, "web", "b", 12);
	add(world, "web", "spare", 13)->is_backup = true;
	world_configure(world);
	assert_true(world_member(world, "spare", 0).is_backup);
	assert_int_equal(world_effective(world, "spare"), 0);
	assert_int_equal(world_weight(world, "spare"), 1);
	assert_true(world_backend(world, "spare")->takes_flows);
	maint(world, "a");
	assert_int_equal(world_effective(world, "spare"), 0);
	assert_true(tier(world, 0).is_enough);
	maint(world, "b");
	assert_false(tier(world, 0).is_enough);
	assert_int_equal(world_effective(world, "spare"), 1);
	assert_int_equal(tier(world, 0).n_backups, 1);
	enable(world, "a");
	assert_int_equal(world_effective(world, "spare"), 0);
	/* Neither weight 0 nor a drain is usable. */
	assert_int_equal(world_say_weight(world, "a", "web", "0"), 0);
	assert_int_equal(world_effective(world, "spare"), 1);
	assert_int_equal(world_say_weight(world, "a", "web", "1"), 0);
	assert_int_equal(world_effective(world, "spare"), 0);
	assert_int_equal(
		registry_admin(world->registry, "a", BACKEND_ADMIN_DRAIN, world->now_us), 0);
	assert_int_equal(world_effective(world, "spare"), 1);
	assert_true(world_backend(world, "a")->takes_flows);
}

static void tier_backup_may_be_none_elsewhere(void **state)
{
	struct world *world = *state;

	world_service(world, 1, "mail", "198.51.100.11");
	add(world, "web", "a", 11);
	add(world, "web", "b", 12)->is_backup = true;
	add(world, "mail", "b", 12);
	world_configure(world);
	assert_int_equal(world_effective(world, "b"), 0);
	assert_int_equal(world_member(world, "b", 1).effective_weight, 1);
	assert_false(world_member(world, "b", 1).is_backup);
}

static void tier_minimum_counts_those_that_are_usable(void **state)
{
	struct world *world = *state;

	add(world, "web", "a", 11);
	add(world, "web", "b", 12);
	add(world, "web", "c", 13);
	add(world, "web", "spare", 14)->is_backup = true;
	world->services[0].minimum = 2;
	world_configure(world);
	maint(world, "a");
	assert_true(tier(world, 0).is_enough);
	maint(world, "b");
	assert_false(tier(world, 0).is_enough);
	assert_int_equal(tier(world, 0).n_usable, 1);
	assert_int_equal(world_effective(world, "spare"), 1);
	assert_int_equal(world_effective(world, "c"), 1);
	/* Of three that are known, 67 % are three. */
	world->services[0].minimum = 67;
	world->services[0].is_minimum_percent = true;
	world_configure(world);
	assert_int_equal(tier(world, 0).minimum, 3);
	enable(world, "a");
	assert_false(tier(world, 0).is_enough);
	world->services[0].minimum = 66;
	world_configure(world);
	assert_int_equal(tier(world, 0).minimum, 2);
	assert_true(tier(world, 0).is_enough);
	world->config.n_statics = 0;
	world_configure(world);
	assert_int_equal(tier(world, 0).minimum, 1);
	assert_false(tier(world, 0).is_enough);
}

/* By whom it was counted is told, as clients' frames can be forged; one that is not usable otherwise is not full. */
static void tier_tells_who_is_full(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	for (uint8_t host = 11; host <= 13; host++) {
		char name[] = { (char)('a' + host - 11), '\0' };

		add(world, "web", name, host)->max_connections = 10;
	}
	add(world, "web", "spare", 14)->is_backup = true;
	world_configure(world);
	agent = world_agent(world, "web1", 21, "198.51.100.10");
	agent->reg.status.max_connections = 10;
	agent->reg.status.vips[0].established = 10;
	assert_int_equal(world_register(world, agent).r, 0);
	agent->answers = true;
	world_pass(world, MS(1000));
	assert_int_equal(tier(world, 0).n_usable, 3);
	assert_int_equal(tier(world, 0).n_full, 1);
	assert_int_equal(tier(world, 0).n_counted, 0);
	for (uint8_t host = 11; host <= 12; host++) {
		char name[] = { (char)('a' + host - 11), '\0' };
		uint16_t id = world_backend(world, name)->id;

		registry_count(world->registry, id, world->services[0].id, 10);
		registry_counted(world->registry, id, world->now_us);
	}
	world_drain_actions(world);
	assert_int_equal(tier(world, 0).n_usable, 1);
	assert_int_equal(tier(world, 0).n_full, 3);
	assert_int_equal(tier(world, 0).n_counted, 2);
	maint(world, "a");
	assert_int_equal(tier(world, 0).n_full, 2);
	assert_int_equal(tier(world, 0).n_counted, 1);
	assert_int_equal(world_say_weight(world, "b", NULL, "0"), 0);
	assert_int_equal(tier(world, 0).n_full, 1);
	assert_int_equal(tier(world, 0).n_counted, 0);
}

/* An agent is one more of whom a share is needed, and its line says that it is a backup. */
static void tier_counts_agents_too(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world->services[0].minimum = 100;
	world->services[0].is_minimum_percent = true;
	add(world, "web", "a", 11);
	add(world, "web", "spare", 13)->is_backup = true;
	world_configure(world);
	assert_true(tier(world, 0).is_enough);
	agent = world_agent(world, "b", 12, "198.51.100.10");
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(tier(world, 0).minimum, 2);
	assert_int_equal(world_effective(world, "spare"), 1);
	world_pass(world, MS(1000));
	assert_true(tier(world, 0).is_enough);
	assert_int_equal(world_effective(world, "spare"), 0);
	agent = world_agent(world, "spare", 13, "198.51.100.10");
	agent->key_bound = true;
	agent->reg.status.weight = 6;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	assert_int_equal(world_backend(world, "spare")->source, BACKEND_AGENT);
	assert_int_equal(world_weight(world, "spare"), 6);
	assert_int_equal(world_effective(world, "spare"), 0);
	maint(world, "a");
	assert_int_equal(world_effective(world, "spare"), 6);
}

/* Silent ones that are kept get clients for want of a better, and are not up: backups come in beside them. */
static void tier_kept_backends_are_not_usable(void **state)
{
	struct world *world = *state;

	add(world, "web", "spare", 50)->is_backup = true;
	world_configure(world);
	world_farm(world, 2);
	assert_int_equal(world_effective(world, "spare"), 0);
	for (size_t i = 0; i < 2; i++)
		world->agents[i].answers = false;
	for (size_t i = 0; i < 200 && !world_backend(world, "web01")->kept; i++)
		world_pass(world, MS(10));
	assert_true(world_backend(world, "web01")->kept);
	world_pass(world, MS(300));
	assert_false(tier(world, 0).is_enough);
	assert_int_equal(world_effective(world, "spare"), 1);
	for (size_t i = 0; i < 2; i++)
		world->agents[i].answers = true;
	world_pass(world, MS(3000));
	assert_int_equal(world_effective(world, "spare"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tier_weight_is_of_each_virtual_server),
		TEST(tier_weight_that_was_said_outlives_leaving),
		TEST(tier_backup_waits_for_want_of_others),
		TEST(tier_backup_may_be_none_elsewhere),
		TEST(tier_minimum_counts_those_that_are_usable),
		TEST(tier_tells_who_is_full),
		TEST(tier_counts_agents_too),
		TEST(tier_kept_backends_are_not_usable),
	};

	return cmocka_run_group_tests_name("tier", tests, NULL, NULL);
}
