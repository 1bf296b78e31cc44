/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts without an agent: MACs, neighbour answers, tcp checks, reloads; agents that join into them.
 */
#include "registry_world.h"

static const struct mac no_mac;

static void neighbour(struct world *world, const char *address, const struct mac *mac)
{
	struct addr addr = world_addr(address);

	registry_neighbour(world->registry, &addr, mac, world->now_us);
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
}

#define assert_state(world, name, wanted) \
	assert_string_equal(backend_state_name(world_backend(world, name)->state), wanted)

static void registry_ups_a_static_when_its_mac_is_known(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(50);

	world_static(world, "web", "win", "192.0.2.50")->weight = 3;
	world_configure(world);
	world_pass(world, MS(5000));
	assert_state(world, "win", "pending");
	assert_in_range(world->n_probes, 3, 3);
	neighbour(world, "192.0.2.50", &mac);
	assert_state(world, "win", "up");
	assert_true(mac_equal(&world_backend(world, "win")->mac, &mac));
	assert_int_equal(world_effective(world, "win"), 3);
	assert_ptr_equal(world_backend(world, "win"), world_backend(world, "192.0.2.50"));
}

static void registry_ups_an_unchecked_static_with_a_mac_at_once(void **state)
{
	struct world *world = *state;
	struct registry_static *win = world_static(world, "web", "win", "192.0.2.50");
	struct registry_static *mac = world_static(world, "web", "mac", "192.0.2.51");

	win->no_check = true;
	win->mac = world_mac(50);
	mac->mac = world_mac(51);
	world_configure(world);
	assert_state(world, "win", "up");
	assert_state(world, "mac", "pending");
	world_pass(world, MS(1));
	assert_int_equal(world->n_probes, 1);
	neighbour(world, "192.0.2.51", &win->mac);
	assert_state(world, "mac", "up");
	assert_true(mac_equal(&world_backend(world, "mac")->mac, &mac->mac));
}

static void registry_goes_on_asking_where_an_unchecked_static_is(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(50), other = world_mac(60);

	world_static(world, "web", "win", "192.0.2.50")->no_check = true;
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac);
	assert_state(world, "win", "up");
	world->n_probes = 0;
	world_pass(world, MS(5000));
	assert_in_range(world->n_probes, 2, 3);
	/* Silence is nothing that it is judged by. */
	neighbour(world, "192.0.2.50", &no_mac);
	world_pass(world, MS(20000));
	assert_state(world, "win", "up");
	neighbour(world, "192.0.2.50", &other);
	assert_true(mac_equal(&world_backend(world, "win")->mac, &other));
}

static void registry_fails_a_static_that_does_not_answer(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(50), other = world_mac(51);

	world_static(world, "web", "win", "192.0.2.50");
	world_static(world, "web", "two", "192.0.2.51");
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac);
	neighbour(world, "192.0.2.51", &other);
	world_pass(world, MS(1000));
	neighbour(world, "192.0.2.50", &no_mac);
	assert_state(world, "win", "up");
	world_pass(world, MS(6000));
	assert_state(world, "win", "down");
	assert_string_equal(world_backend(world, "win")->reason, "no answer to ARP");
	neighbour(world, "192.0.2.50", &mac);
	assert_state(world, "win", "up");
}

static void registry_follows_a_new_mac_of_a_static(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(50), other = world_mac(60);

	world_static(world, "web", "win", "192.0.2.50");
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac);
	world->n_urgent = 0;
	neighbour(world, "192.0.2.50", &other);
	assert_int_equal(world->n_urgent, 1);
	assert_true(mac_equal(&world_backend(world, "win")->mac, &other));
}

static void registry_checks_by_tcp_with_fall_and_rise(void **state)
{
	static const uint16_t ports[] = { 80 };
	struct world *world = *state;
	const struct mac mac = world_mac(50);

	world->services[0].tcp_ports = ports;
	world->services[0].n_tcp_ports = 1;
	world_static(world, "web", "win", "192.0.2.50");
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac);
	assert_state(world, "win", "pending");
	assert_non_null(strstr(world_backend(world, "win")->reason, "tcp:80"));
	assert_int_equal(world->last_check_port, 80);
	registry_check_result(world->registry,
		&(struct registry_check_result){ .backend = world_backend(world, "win")->id,
			.port = 80,
			.outcome = REGISTRY_CHECK_OK },
		world->now_us);
	world_drain_actions(world);
	assert_state(world, "win", "up");
	world->checks_answer = true;
	world_pass(world, MS(4100));
	assert_state(world, "win", "up");
	world_pass(world, MS(2000));
	assert_state(world, "win", "down");
	assert_string_equal(world_backend(world, "win")->reason, "check tcp: connection refused");
	assert_false(world_backend(world, "win")->kept);
	world->check_outcome = REGISTRY_CHECK_OK;
	world_pass(world, MS(2000));
	assert_state(world, "win", "down");
	world_pass(world, MS(2000));
	assert_state(world, "win", "up");
}

static void registry_asks_again_when_a_prober_never_answers(void **state)
{
	static const uint16_t ports[] = { 80 };
	struct world *world = *state;

	world->services[0].tcp_ports = ports;
	world->services[0].n_tcp_ports = 1;
	world_static(world, "web", "win", "192.0.2.50");
	world_configure(world);
	world_pass(world, MS(5900));
	assert_int_equal(world->n_checks, 1);
	world_pass(world, MS(200));
	assert_int_equal(world->n_checks, 2);
}

static void registry_serves_nobody_with_too_many_checks(void **state)
{
	static const uint16_t ports[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct world *world = *state;

	world->checks_answer = true;
	world->check_outcome = REGISTRY_CHECK_OK;
	world->services[0].tcp_ports = ports;
	world->services[0].n_tcp_ports = REGISTRY_CHECKS_MAX;
	world_configure(world);
	world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(1));
	assert_state(world, "web1", "up");
	world->services[0].n_tcp_ports = REGISTRY_CHECKS_MAX + 1;
	world_configure(world);
	assert_state(world, "web1", "down");
	assert_non_null(strstr(world_backend(world, "web1")->reason, "more than 8 checks"));
}

static void registry_takes_one_address_in_two_virtual_servers_as_one(void **state)
{
	struct world *world = *state;
	const struct backend *backend;

	world_service(world, 1, "mail", "198.51.100.20");
	world_service(world, 2, "web", "2001:db8:1::10");
	world_static(world, "web", NULL, "192.0.2.50");
	world_static(world, "mail", "win", "192.0.2.50");
	world_configure(world);
	assert_int_equal(registry_len(world->registry), 1);
	backend = world_backend(world, "win");
	for (size_t i = 0; i < 3; i++)
		assert_true(world_is_member(world, backend, &world->services[i]));
	assert_null(registry_backend_at(world->registry, 1));
}

static void registry_leaves_a_backend_alone_when_its_check_cannot_be_made(void **state)
{
	struct world *world = *state;
	const uint16_t ports[] = { 80 };
	struct mac mac = world_mac(50);
	uint32_t n_checks;

	world->services[0].tcp_ports = ports;
	world->services[0].n_tcp_ports = 1;
	world_static(world, "web", "win", "192.0.2.50");
	world->checks_answer = true;
	world->check_outcome = REGISTRY_CHECK_NOT_MADE;
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac);
	world_pass(world, MS(20000));
	/* It proves nothing, and is tried again at every interval. */
	assert_state(world, "win", "pending");
	assert_in_range(world->n_checks, 9, 12);
	world->check_outcome = REGISTRY_CHECK_OK;
	world_pass(world, MS(3000));
	assert_state(world, "win", "up");
	/* Two failures of the three that are wanted; what cannot be made is not the third. */
	world->check_outcome = REGISTRY_CHECK_FAILED;
	n_checks = world->n_checks;
	while (world->n_checks < n_checks + 2)
		world_pass(world, MS(100));
	world->check_outcome = REGISTRY_CHECK_NOT_MADE;
	world_pass(world, MS(20000));
	assert_state(world, "win", "up");
	world->check_outcome = REGISTRY_CHECK_FAILED;
	world_pass(world, MS(2100));
	assert_state(world, "win", "down");
}

static void assert_refused(struct world *world, const char *part)
{
	struct why why;
	size_t len = registry_len(world->registry);

	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), -EINVAL);
	assert_non_null(strstr(why.text, part));
	assert_int_equal(registry_len(world->registry), len);
}

static void registry_refuses_statics_that_collide(void **state)
{
	struct world *world = *state;

	world_configure(world);
	world_farm(world, 1);
	world_static(world, "web", NULL, "203.0.113.1");
	assert_refused(world, "not on the backend interface's link");
	world->config.n_statics = 0;
	world_static(world, "web", "a", "192.0.2.50");
	world_static(world, "web", "a", "192.0.2.51");
	assert_refused(world, "have the name a");
	world->config.n_statics = 0;
	world_static(world, "web", "a", "192.0.2.50");
	world_static(world, "web", "b", "192.0.2.50");
	assert_refused(world, "two names");
	world->config.n_statics = 0;
	world_static(world, "web", "web01", "192.0.2.50");
	assert_refused(world, "belongs to the agent");
	assert_state(world, "web01", "up");
}

static void registry_adds_changes_and_removes_statics(void **state)
{
	struct world *world = *state;
	uint16_t id;

	world_static(world, "web", "a", "192.0.2.50");
	world_static(world, "web", "b", "192.0.2.51");
	world_configure(world);
	id = world_backend(world, "a")->id;
	/* Names change places, c comes. */
	world->config.n_statics = 0;
	world_static(world, "web", "b", "192.0.2.50");
	world_static(world, "web", "a", "192.0.2.51");
	world_static(world, "web", "c", "192.0.2.52");
	world_configure(world);
	assert_int_equal(world_backend(world, "b")->id, id);
	assert_int_equal(registry_len(world->registry), 3);
	world->config.n_statics = 1;
	world_configure(world);
	assert_int_equal(registry_len(world->registry), 1);
	assert_int_equal(world->n_forgotten, 2);
	assert_ptr_equal(world_backend(world, "192.0.2.50"), world_backend(world, "b"));
}

static void registry_refuses_one_static_too_many(void **state)
{
	struct world *world = *state;
	struct registry_static *statics = calloc(REGISTRY_BACKENDS_MAX + 1, sizeof(*statics));
	struct why why;

	assert_non_null(statics);
	for (size_t i = 0; i <= REGISTRY_BACKENDS_MAX; i++) {
		statics[i].address = world_addr("2001:db8::1:0");
		statics[i].address.bytes[14] = (uint8_t)(i >> 8);
		statics[i].address.bytes[15] = (uint8_t)i;
		addr_format(&statics[i].address, statics[i].name);
		statics[i].weight = 1;
		statics[i].virtual_server = "web";
	}
	world->config.statics = statics;
	world->config.n_statics = REGISTRY_BACKENDS_MAX + 1;
	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), -ENOSPC);
	world->config.n_statics = REGISTRY_BACKENDS_MAX;
	world_configure(world);
	assert_int_equal(registry_len(world->registry), REGISTRY_BACKENDS_MAX);
	world->config.n_statics = 0;
	world_configure(world);
	assert_int_equal(world->n_forgotten, REGISTRY_BACKENDS_MAX);
	free(statics);
	world->config.statics = world->statics;
}

static struct world_agent *join_bound(struct world *world, const char *name, uint8_t host)
{
	struct world_agent *agent = world_agent(world, name, host, "198.51.100.10");

	agent->key_id = name;
	agent->key_bound = true;
	assert_int_equal(world_register(world, agent).r, 0);
	return agent;
}

static void assert_no_stand_in(
	struct world *world, const char *name, bool key_bound, enum proto_reject code)
{
	struct world_agent *agent = world_agent(world, name, 11, "198.51.100.10");
	struct world_answer answer;

	agent->key_bound = key_bound;
	answer = world_register(world, agent);
	assert_int_equal(answer.r, -EPERM);
	assert_int_equal(answer.code, code);
	assert_int_equal(registry_find(world->registry, "192.0.2.11")->source, BACKEND_STATIC);
}

static void registry_lets_an_agent_stand_in_by_name_and_bound_key_alone(void **state)
{
	struct world *world = *state;
	struct registry_static *line = world_static(world, "web", NULL, "192.0.2.11");

	world_configure(world);
	assert_no_stand_in(world, "host", true, PROTO_REJECT_NOT_ALLOWED);
	snprintf(line->name, sizeof(line->name), "win");
	world_configure(world);
	assert_no_stand_in(world, "host", true, PROTO_REJECT_NOT_ALLOWED);
	assert_no_stand_in(world, "win", false, PROTO_REJECT_KEY_BINDING);
	world->config.adopt = REGISTRY_ADOPT_OFF;
	world_configure(world);
	assert_no_stand_in(world, "win", true, PROTO_REJECT_NOT_ALLOWED);
	world->config.adopt = REGISTRY_ADOPT_AUTO;
	world_configure(world);
	(void)join_bound(world, "win", 11);
	assert_int_equal(world_backend(world, "win")->source, BACKEND_AGENT);
}

static void registry_makes_a_stand_in_static_again_when_it_is_silent(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(77);
	struct world_agent *agent;

	world_static(world, "web", "win", "192.0.2.11");
	world_configure(world);
	agent = join_bound(world, "win", 11);
	agent->host_answers = false;
	world_pass(world, MS(1000));
	assert_state(world, "win", "up");
	/* While it is heard, no ARP reply counts. */
	neighbour(world, "192.0.2.11", &mac);
	assert_int_equal(world_backend(world, "win")->source, BACKEND_AGENT);
	agent->answers = false;
	world->n_probes = 0;
	world_pass(world, MS(3000));
	assert_true(world->n_probes > 0);
	neighbour(world, "192.0.2.11", &mac);
	assert_int_equal(world_backend(world, "win")->source, BACKEND_STATIC);
	assert_state(world, "win", "up");
	assert_true(mac_equal(&world_backend(world, "win")->mac, &mac));
	world_configure(world);
	assert_state(world, "win", "up");
	/* A host that does not answer ARP either is a static that is down. */
	agent->answers = true;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	agent->answers = false;
	world_pass(world, MS(2000));
	neighbour(world, "192.0.2.11", &(struct mac){ 0 });
	world_pass(world, MS(8000));
	assert_int_equal(world_backend(world, "win")->source, BACKEND_STATIC);
	assert_state(world, "win", "down");
	neighbour(world, "192.0.2.11", &mac);
	assert_state(world, "win", "up");
}

static void registry_ends_a_stand_in_that_a_reload_does_not_want(void **state)
{
	struct world *world = *state;

	world_static(world, "web", "win", "192.0.2.11");
	world_configure(world);
	(void)join_bound(world, "win", 11);
	world_pass(world, MS(1000));
	assert_int_equal(world_backend(world, "win")->source, BACKEND_AGENT);
	world->config.adopt = REGISTRY_ADOPT_OFF;
	world_configure(world);
	assert_int_equal(world_backend(world, "win")->source, BACKEND_STATIC);
	assert_state(world, "win", "up");
	/* So over a restart: the agent that was kept may not be there. */
	world->config.adopt = REGISTRY_ADOPT_AUTO;
	world_configure(world);
	(void)join_bound(world, "win", 11);
	world_pass(world, MS(1000));
	{
		struct registry *former = world->registry;
		struct backend kept = *world_backend(world, "win");

		kept.key_bound = false;
		world->registry = registry_new(7);
		assert_int_equal(registry_restore(world->registry, &kept, world->now_us), 0);
		registry_free(former);
		world_configure(world);
	}
	assert_int_equal(world_backend(world, "win")->source, BACKEND_STATIC);
}

static void registry_joins_an_agent_into_its_static(void **state)
{
	struct world *world = *state;
	const struct mac mac = world_mac(11);
	struct world_agent *agent;
	uint16_t id;

	world_service(world, 1, "mail", "198.51.100.20");
	world_static(world, "mail", "win", "192.0.2.11");
	world_configure(world);
	neighbour(world, "192.0.2.11", &mac);
	id = world_backend(world, "win")->id;
	agent = join_bound(world, "win", 11);
	assert_int_equal(agent->id, id);
	world_pass(world, MS(1));
	assert_int_equal(registry_len(world->registry), 1);
	assert_state(world, "win", "up");
	assert_int_equal(world_backend(world, "win")->source, BACKEND_AGENT);
	for (size_t i = 0; i < 2; i++)
		assert_true(world_serves(world, "win", i));
	/* It leaves: what is left is the static. */
	registry_leave(world->registry, id, world->now_us);
	world_drain_actions(world);
	assert_int_equal(world_backend(world, "win")->source, BACKEND_STATIC);
	assert_state(world, "win", "pending");
	assert_false(world_is_member(world, world_backend(world, "win"), &world->services[0]));
	neighbour(world, "192.0.2.11", &mac);
	assert_state(world, "win", "up");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)
		FACT(registry_ups_a_static_when_its_mac_is_known),
		FACT(registry_ups_an_unchecked_static_with_a_mac_at_once),
		FACT(registry_goes_on_asking_where_an_unchecked_static_is),
		FACT(registry_fails_a_static_that_does_not_answer),
		FACT(registry_follows_a_new_mac_of_a_static),
		FACT(registry_checks_by_tcp_with_fall_and_rise),
		FACT(registry_asks_again_when_a_prober_never_answers),
		FACT(registry_serves_nobody_with_too_many_checks),
		FACT(registry_takes_one_address_in_two_virtual_servers_as_one),
		FACT(registry_refuses_statics_that_collide),
		FACT(registry_adds_changes_and_removes_statics),
		FACT(registry_leaves_a_backend_alone_when_its_check_cannot_be_made),
		FACT(registry_refuses_one_static_too_many),
		FACT(registry_joins_an_agent_into_its_static),
		FACT(registry_lets_an_agent_stand_in_by_name_and_bound_key_alone),
		FACT(registry_makes_a_stand_in_static_again_when_it_is_silent),
		FACT(registry_ends_a_stand_in_that_a_reload_does_not_want),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
