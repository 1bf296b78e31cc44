/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of either version of the protocol, and what the newest asks. */
#include "tests/unit/lb/session/session_bench.h"

static void session_keeps_its_version(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	for (agent.version = PROTO_VERSION_1; agent.version <= PROTO_VERSION; agent.version++) {
		join(bench, &agent);
		take_heartbeat(bench, &agent);
		assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
		unsigned int version = agent.version;

		agent.version = version == PROTO_VERSION ? PROTO_VERSION_1 : PROTO_VERSION;
		assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_VERSION);
		agent.version = version;
		assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_ACCEPTED);
	}
}

/* The newest two datagrams: a SERVE if it is asked, then the heartbeat. */
static size_t asked_by_heartbeat(struct bench *bench, struct agent *agent)
{
	bench->n_sent = 0;
	bench->now_us += STEP_US;
	assert_int_equal(
		session_heartbeat(bench->sessions, backend_of(bench, agent)->id, bench->now_us), 0);
	return bench->n_sent - 1;
}

static void session_asks_about_ports_until_it_is_answered(void **state)
{
	static const struct registry_port port = { 80, 80 };
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message = { .version = PROTO_VERSION, .type = PROTO_UPDATE };
	struct proto_ports_status *ports = &message.report.ports;
	uint8_t data[PROTO_MESSAGE_MAX];
	struct why why;
	int size;

	bench->service.tcp = true;
	bench->service.ports = &port;
	bench->service.n_ports = 1;
	assert_int_equal(
		registry_configure(bench->registry, &bench->registry_config, bench->now_us, &why),
		0);
	join(bench, &agent);
	assert_int_equal(asked_by_heartbeat(bench, &agent), 1);
	assert_int_equal(asked_by_heartbeat(bench, &agent), 1);
	message.report.session = (struct proto_session){ agent.session_id, 1, agent.echo };
	message.report.status = status_of(&agent);
	ports->digest = registry_asked(bench->registry, backend_of(bench, &agent)->id)->digest;
	ports->n_ports = 1;
	ports->items[0].listening = true;
	size = proto_write(&message, data);
	auth_seal(data, (size_t)size, agent.session_keys.to_balancer);
	assert_int_equal(deliver(bench, &agent, data, (size_t)size), SESSION_ACCEPTED);
	assert_int_equal(asked_by_heartbeat(bench, &agent), 0);
	/* One of the former version is asked nothing. */
	agent.version = PROTO_VERSION_1;
	join(bench, &agent);
	assert_int_equal(asked_by_heartbeat(bench, &agent), 0);
}

/* An agent that serves another balancer is told our tables, and tells us the other's. */
static enum session_refusal say_other(struct bench *bench, struct agent *agent,
	const struct addr *other, const struct proto_table *relayed)
{
	struct proto_message message = { .version = agent->version,
		.type = relayed ? PROTO_RELAY : PROTO_ANSWER };
	uint8_t data[PROTO_MESSAGE_MAX];
	int size;

	if (relayed) {
		message.told.other = *other;
		message.told.table = *relayed;
	} else {
		message.report.status = status_of(agent);
		message.report.other.address = *other;
	}
	message.session =
		(struct proto_session){ agent->session_id, ++agent->sequence, agent->echo };
	size = proto_write(&message, data);
	assert_true(size > 0);
	auth_seal(data, (size_t)size, agent->session_keys.to_balancer);
	return deliver(bench, agent, data, (size_t)size);
}

static void session_tells_tables_where_there_is_another_balancer(void **state)
{
	const struct proto_table table = {
		.name = "web", .digest = 5, .members = 6, .weights = 7, .version = "1.2.3"
	};
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;
	struct addr other;

	assert_int_equal(addr_parse("192.0.2.3", &other), 0);
	bench->table = table;
	join(bench, &agent);
	take_heartbeat(bench, &agent);
	assert_int_equal(say_other(bench, &agent, &other, NULL), SESSION_ACCEPTED);
	/* Of the two that go out now this is the first. */
	bench->n_sent = 0;
	bench->stop_after_first = true;
	assert_int_equal(session_heartbeat(bench->sessions, backend_of(bench, &agent)->id,
				 bench->now_us + STEP_US),
		0);
	bench->stop_after_first = false;
	assert_int_equal(bench->n_sent, 2);
	bench->n_sent = 1;
	message = take(bench, PROTO_TABLE, agent.session_keys.to_agent);
	assert_memory_equal(&message.told.table, &table, sizeof(table));

	assert_int_equal(say_other(bench, &agent, &other, &table), SESSION_ACCEPTED);
	assert_int_equal(bench->n_told, 1);
	assert_true(addr_equal(&bench->told_by, &other));
	assert_int_equal(bench->told_backend, backend_of(bench, &agent)->id);
	assert_memory_equal(&bench->told, &table, sizeof(table));
}

static void session_tells_no_table_to_a_former_version(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct addr other;

	assert_int_equal(addr_parse("192.0.2.3", &other), 0);
	agent.version = PROTO_VERSION_SERVE;
	join(bench, &agent);
	take_heartbeat(bench, &agent);
	assert_int_equal(say_other(bench, &agent, &other, NULL), SESSION_ACCEPTED);
	snprintf(bench->table.name, sizeof(bench->table.name), "%s", "web");
	take_heartbeat(bench, &agent);
	assert_string_equal(bench->table.name, "web");
}

/* In the ACCEPT, and in each heartbeat as it is then; and nothing of it in a former version. */
static void session_tells_where_the_balancer_is(void **state)
{
	const struct mac first = { { 2, 0, 0, 0, 0, 1 } }, second = { { 2, 0, 0, 0, 0, 2 } };
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	bench->place.mac = first;
	join(bench, &agent);
	message = take(bench, PROTO_ACCEPT, agent.secret);
	assert_true(mac_equal(&message.accept.place.mac, &first));
	bench->place.mac = second;
	take_heartbeat(bench, &agent);
	message = take(bench, PROTO_HEARTBEAT, agent.session_keys.to_agent);
	assert_true(mac_equal(&message.heartbeat.place.mac, &second));
	bench->place.mac = (struct mac){ 0 };
	take_heartbeat(bench, &agent);
	message = take(bench, PROTO_HEARTBEAT, agent.session_keys.to_agent);
	assert_true(mac_is_zero(&message.heartbeat.place.mac));
	bench->place.mac = first;
	agent.version = PROTO_VERSION_TABLE;
	join(bench, &agent);
	take_heartbeat(bench, &agent);
	message = take(bench, PROTO_HEARTBEAT, agent.session_keys.to_agent);
	assert_true(mac_is_zero(&message.heartbeat.place.mac));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(session_keeps_its_version),
		BENCH_TEST(session_asks_about_ports_until_it_is_answered),
		BENCH_TEST(session_tells_tables_where_there_is_another_balancer),
		BENCH_TEST(session_tells_no_table_to_a_former_version),
		BENCH_TEST(session_tells_where_the_balancer_is),
	};

	return cmocka_run_group_tests_name("session_versions", tests, NULL, NULL);
}
