/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports that nobody listens on: what an agent is asked, and what its answers do to its backend. */
#include "tests/unit/lb/registry/registry_world.h"

#include <netinet/in.h>

static const struct registry_port web_ports[] = { { 80, 80 }, { 443, 443 } };
static const struct registry_port ftp_ports[] = { { 21, 21 }, { 30000, 30100 } };
static const struct registry_port dns_ports[] = { { 53, 53 } };

static void serve_ports(
	struct world *world, size_t service, const struct registry_port *ports, size_t n_ports)
{
	world->services[service].tcp = true;
	world->services[service].ports = ports;
	world->services[service].n_ports = n_ports;
}

static void configure(struct world *world)
{
	struct why why;

	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), 0);
}

/* An agent that speaks `protocol`, and answers heartbeats. */
static struct world_agent *join(struct world *world, uint8_t protocol)
{
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");

	agent->protocol = protocol;
	assert_int_equal(world_register(world, agent).r, 0);
	agent->answers = true;
	return agent;
}

/* Answers what is asked now: the bits say on which items somebody listens. */
static void answer(
	struct world *world, struct world_agent *agent, uint32_t listening, const char *why)
{
	const struct ports *asked = registry_asked(world->registry, agent->id);
	struct proto_ports_status status = { .digest = asked->digest,
		.n_ports = (uint8_t)asked->len };

	for (size_t i = 0; i < asked->len; i++)
		status.items[i].listening = listening & 1u << i;
	snprintf(status.why, sizeof(status.why), "%s", why);
	ports_take_answer(registry_asked(world->registry, agent->id), &status);
	world_update(world, agent);
}

static void check_state(struct world *world, enum backend_state state, const char *reason)
{
	const struct backend *backend = world_backend(world, "web1");

	assert_int_equal(backend->state, state);
	assert_string_equal(backend->reason, reason);
}

static void ports_of_a_virtual_server_are_asked(void **state)
{
	struct world *world = *state;
	const struct ports *asked;

	world_service(world, 1, "quic", "198.51.100.10");
	serve_ports(world, 0, web_ports, 2);
	serve_ports(world, 1, dns_ports, 1);
	world->services[1].tcp = false;
	world->services[1].udp = true;
	configure(world);
	asked = registry_asked(world->registry, join(world, PROTO_VERSION)->id);
	assert_int_equal(asked->len, 3);
	assert_int_equal(asked->items[0].protocol, IPPROTO_TCP);
	assert_int_equal(asked->items[1].first, 443);
	assert_false(asked->items[1].counts);
	assert_int_equal(asked->items[2].protocol, IPPROTO_UDP);
	assert_false(ports_are_answered(asked));
}

/* Somebody may want TCP alone, or QUIC alone. */
static void ports_of_any_protocol_are_not_judged(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	serve_ports(world, 0, web_ports, 2);
	world->services[0].udp = true;
	configure(world);
	agent = join(world, PROTO_VERSION);
	assert_int_equal(registry_asked(world->registry, agent->id)->len, 2);
	answer(world, agent, 0, "");
	world_pass(world, MS(1000));
	check_state(world, BACKEND_UP, "");
}

/* What an agent cannot see is named to it, since its VIP is served, and asked of nobody. */
static void ports_of_sctp_are_not_judged(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	serve_ports(world, 0, dns_ports, 1);
	world->services[0].tcp = false;
	world->services[0].sctp = true;
	configure(world);
	agent = join(world, PROTO_VERSION);
	assert_int_equal(registry_asked(world->registry, agent->id)->len, 1);
	assert_true(registry_asked(world->registry, agent->id)->items[0].counts);
	answer(world, agent, 0, "");
	world_pass(world, MS(1000));
	check_state(world, BACKEND_UP, "");
}

static void ports_are_known_before_the_first_up(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	serve_ports(world, 0, web_ports, 2);
	configure(world);
	agent = join(world, PROTO_VERSION);
	world_pass(world, MS(2000));
	check_state(world, BACKEND_PENDING,
		"its agent has not said yet whether its ports are listened on");
	answer(world, agent, 3, "");
	check_state(world, BACKEND_UP, "");
}

static void ports_that_nobody_listens_on_keep_a_backend_out(void **state)
{
	static const char why[] =
		"nothing listens on 198.51.100.10:443 (nginx listens on 192.0.2.11:443 alone)";
	struct world *world = *state;
	struct world_agent *agent;

	serve_ports(world, 0, web_ports, 2);
	configure(world);
	agent = join(world, PROTO_VERSION);
	answer(world, agent, 1, why);
	world_pass(world, MS(2000));
	check_state(world, BACKEND_PENDING, why);
	answer(world, agent, 3, "");
	check_state(world, BACKEND_UP, "");
	answer(world, agent, 2, "");
	check_state(world, BACKEND_DOWN, "nothing listens on 198.51.100.10:80");
	assert_int_equal(world_effective(world, "web1"), 0);
	/* It is as good as before as soon as somebody listens. */
	answer(world, agent, 3, "");
	check_state(world, BACKEND_UP, "");
}

static void ports_of_agents_of_the_former_version_are_not_judged(void **state)
{
	struct world *world = *state;

	serve_ports(world, 0, web_ports, 2);
	configure(world);
	join(world, PROTO_VERSION_1);
	world_pass(world, MS(2000));
	check_state(world, BACKEND_UP, "");
}

static void ports_of_a_range_are_not_judged(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	serve_ports(world, 0, ftp_ports, 2);
	configure(world);
	agent = join(world, PROTO_VERSION);
	answer(world, agent, 1, "");
	world_pass(world, MS(1000));
	check_state(world, BACKEND_UP, "");
	serve_ports(world, 0, NULL, 0); /* any */
	configure(world);
	answer(world, agent, 0, "");
	check_state(world, BACKEND_UP, "");
}

static void ports_of_one_service_do_not_end_the_others(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	const struct backend *backend;

	world_service(world, 1, "dns", "198.51.100.10");
	serve_ports(world, 0, web_ports, 2);
	serve_ports(world, 1, dns_ports, 1);
	configure(world);
	agent = join(world, PROTO_VERSION);
	answer(world, agent, 7, "");
	world_pass(world, MS(1000));
	check_state(world, BACKEND_UP, "");
	answer(world, agent, 6, "nothing listens on 198.51.100.10:53");
	check_state(world, BACKEND_UP, "nothing listens on 198.51.100.10:53");
	backend = world_backend(world, "web1");
	assert_true(registry_membership(world->registry, backend, 0).serves);
	assert_false(registry_membership(world->registry, backend, 1).serves);
	answer(world, agent, 0, "");
	check_state(world, BACKEND_DOWN, "nothing listens on 198.51.100.10:80");
}

/* What its agent says of them makes few tables, however fast it changes; who restarts a service twice does not wait. */
static void ports_that_flap_make_few_tables(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;
	const struct backend *backend;

	serve_ports(world, 0, web_ports, 2);
	configure(world);
	agent = join(world, PROTO_VERSION);
	answer(world, agent, 3, "");
	world_pass(world, MS(1000));
	backend = world_backend(world, "web1");
	for (unsigned int i = 0; i < 2; i++) {
		answer(world, agent, 1, "");
		check_state(world, BACKEND_DOWN, "nothing listens on 198.51.100.10:443");
		answer(world, agent, 3, "");
		check_state(world, BACKEND_UP, "");
	}
	world->n_changed = world->n_urgent = world->n_states = 0;
	for (unsigned int i = 0; i < 1000; i++) {
		answer(world, agent, i % 2 == 0 ? 1 : 3, "");
		world_pass(world, MS(2));
	}
	assert_in_range(world->n_urgent, 1, 8);
	assert_in_range(world->n_changed, 1, 8);
	assert_in_range(world->n_states, 1, 8);
	answer(world, agent, 3, "");
	check_state(world, BACKEND_DOWN, "nothing listened on its ports a moment ago: it flapped");
	/* Nor is it believed for registering anew, or after a reload. */
	assert_int_equal(world_register(world, agent).r, 0);
	configure(world);
	answer(world, agent, 3, "");
	check_state(world, BACKEND_DOWN, "nothing listened on its ports a moment ago: it flapped");
	/* The last word wins in the end, and flaps are forgiven. */
	world_pass(world, MS(9000));
	check_state(world, BACKEND_UP, "");
	world_pass(world, REGISTRY_FLAPS_MAX * (REGISTRY_FLAP_FADE_US + MS(1)));
	assert_int_equal(backend->flaps, 0);
	answer(world, agent, 1, "");
	check_state(world, BACKEND_DOWN, "nothing listens on 198.51.100.10:443");
	answer(world, agent, 3, "");
	check_state(world, BACKEND_UP, "");
}

static void ports_that_come_with_a_reload_do_not_stop_a_proven_backend(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	serve_ports(world, 0, web_ports, 1);
	configure(world);
	agent = join(world, PROTO_VERSION);
	answer(world, agent, 1, "");
	world_pass(world, MS(1000));
	serve_ports(world, 0, web_ports, 2);
	configure(world);
	assert_false(ports_are_answered(registry_asked(world->registry, agent->id)));
	world_pass(world, MS(1000));
	check_state(world, BACKEND_UP, "");
	answer(world, agent, 1, "");
	check_state(world, BACKEND_DOWN, "nothing listens on 198.51.100.10:443");
}

static void ports_beyond_the_list_are_not_asked(void **state)
{
	static struct registry_port many[PROTO_PORTS_MAX + 1];
	struct world *world = *state;
	struct world_agent *agent;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i].first = many[i].last = (uint16_t)(1000 + i);
	serve_ports(world, 0, many, ARRAY_LEN(many));
	configure(world);
	agent = join(world, PROTO_VERSION);
	assert_int_equal(registry_asked(world->registry, agent->id)->len, PROTO_PORTS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ports_of_a_virtual_server_are_asked),
		TEST(ports_of_any_protocol_are_not_judged),
		TEST(ports_of_sctp_are_not_judged),
		TEST(ports_are_known_before_the_first_up),
		TEST(ports_that_nobody_listens_on_keep_a_backend_out),
		TEST(ports_of_agents_of_the_former_version_are_not_judged),
		TEST(ports_of_a_range_are_not_judged),
		TEST(ports_of_one_service_do_not_end_the_others),
		TEST(ports_that_flap_make_few_tables),
		TEST(ports_that_come_with_a_reload_do_not_stop_a_proven_backend),
		TEST(ports_beyond_the_list_are_not_asked),
	};

	return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
