/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A balancer's control plane over the real registry, and an agent played with proto and auth,
 * for test_session.c and test_session_limit.c.
 */
#pragma once

#include "lb/session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_US UINT64_C(5000000000)
#define STEP_US  UINT64_C(1000)

static const char keys[] =
	"web1 hex:0101010101010101010101010101010101010101010101010101010101010101\n"
	"bound hex:0202020202020202020202020202020202020202020202020202020202020202 "
	"agent=web2 max-weight=10\n";

/* The balancer, the last datagram it sent, and the last refusal it reported. */
struct bench {
	struct addr_prefix subnet;
	struct registry_service service;
	struct registry_config registry_config;
	struct registry *registry;
	struct sessions *sessions;
	uint64_t now_us;
	size_t n_sent;
	bool stop_after_first; /* the first of several is kept */
	struct session_path sent_path;
	uint8_t sent[PROTO_MESSAGE_MAX];
	size_t sent_size;
	size_t n_refused;
	enum session_refusal refused;
	struct why refused_words;
	struct mac mac_of_balancer;
	struct proto_table table; /* to tell, once; no name: none */
	struct proto_table told;  /* by another balancer */
	struct addr told_by;
	uint16_t told_backend; /* whose agent told it */
	size_t n_told;
	struct proto_place place; /* where the balancer is, as it is told */
	bool mac_differs;         /* frames come from another MAC than a REGISTER says */
};

/* An agent. */
struct agent {
	struct session_path path;
	unsigned int version; /* of the protocol */
	const char *name;
	const char *key_id;
	uint8_t secret[AUTH_KEY_BYTES];
	uint16_t weight;
	bool second_chance;
	uint8_t nonce[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	uint8_t hello[PROTO_MESSAGE_MAX], reg[PROTO_MESSAGE_MAX];
	size_t hello_size, reg_size;
	struct auth_session_keys session_keys;
	uint64_t session_id, sequence, echo;
};

_unused_ static size_t n_sessions(const struct bench *bench)
{
	size_t n = 0;

	for (uint16_t id = 1; id < 16; id++) {
		struct session_kept kept;

		n += session_export(bench->sessions, id, &kept) == 0;
	}
	return n;
}

_unused_ static int on_send(
	void *context, const struct session_path *path, const uint8_t *data, size_t size_bytes)
{
	struct bench *bench = context;

	bench->n_sent++;
	if (bench->stop_after_first && bench->n_sent > 1)
		return 0;
	bench->sent_path = *path;
	memcpy(bench->sent, data, size_bytes);
	bench->sent_size = size_bytes;
	return 0;
}

_unused_ static void on_refused(void *context, const struct addr_port *source,
	enum session_refusal refusal, const char *words)
{
	struct bench *bench = context;

	bench->n_refused++;
	bench->refused = refusal;
	why_set(&bench->refused_words, "%s", words);
}

/* What there is to tell, once; and what another balancer told. */
_unused_ static bool next_table(void *context, struct proto_table *ret_table)
{
	struct bench *bench = context;

	if (!bench->table.name[0])
		return false;
	*ret_table = bench->table;
	bench->table.name[0] = '\0';
	return true;
}

_unused_ static void on_told(
	void *context, uint16_t backend, const struct addr *other, const struct proto_table *table)
{
	struct bench *bench = context;

	bench->n_told++;
	bench->told_by = *other;
	bench->told_backend = backend;
	bench->told = *table;
}

_unused_ static const char *mac_owner(void *context, const struct mac *mac)
{
	const struct bench *bench = context;

	return mac_equal(mac, &bench->mac_of_balancer) ? "the balancer" : NULL;
}

_unused_ static void own_place(
	void *context, const struct session_path *path, struct proto_place *ret_place)
{
	*ret_place = ((const struct bench *)context)->place;
}

_unused_ static struct keyring *ring_of(const char *text)
{
	struct keyring *ring = NULL;
	struct why why = { 0 };

	assert_int_equal(keyring_parse("keys", text, strlen(text), true, &ring, &why), 0);
	return ring;
}

_unused_ static struct sessions *sessions_new(struct bench *bench, uint8_t seed)
{
	const struct session_calls calls = { on_send, on_refused, mac_owner, next_table, on_told,
		own_place, bench };
	struct session_config config = { .boot_id = 7, .interval_us = 300000, .multiplier = 3 };
	struct sessions *sessions;

	memset(config.seed, seed, sizeof(config.seed));
	sessions = session_new(&config, bench->registry, &calls);
	assert_non_null(sessions);
	session_configure(sessions, ring_of(keys), 300000, 3);
	return sessions;
}

_unused_ static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct why why = { 0 };

	assert_non_null(bench);
	assert_int_equal(auth_init(), 0);
	assert_int_equal(addr_prefix_parse("192.0.2.0/24", &bench->subnet), 0);
	bench->service = (struct registry_service){ .id = 1,
		.virtual_server = "web",
		.use_agents = true,
		.check_interval_us = 2 * US_PER_S,
		.check_timeout_us = US_PER_S,
		.check_fall = 3,
		.check_rise = 2,
		.drain_timeout_us = 300 * US_PER_S };
	assert_int_equal(addr_parse("198.51.100.10", &bench->service.vip), 0);
	bench->registry_config = (struct registry_config){ .services = &bench->service,
		.n_services = 1,
		.subnets = &bench->subnet,
		.n_subnets = 1,
		.interval_us = 300000,
		.fall = 3,
		.rise = 2,
		.adopt = REGISTRY_ADOPT_AUTO };
	bench->now_us = START_US;
	bench->registry = registry_new(1);
	assert_non_null(bench->registry);
	assert_int_equal(
		registry_configure(bench->registry, &bench->registry_config, bench->now_us, &why),
		0);
	bench->sessions = sessions_new(bench, 1);
	*state = bench;
	return 0;
}

_unused_ static int teardown(void **state)
{
	struct bench *bench = *state;
	const struct session_counters *counters = session_counters(bench->sessions);
	uint64_t sum = counters->accepted;

	/* Of every test: nothing is lost between the counters. */
	ARRAY_FOREACH (rejected, counters->rejected, SESSION_REFUSAL_N_)
		sum += *rejected;
	assert_int_equal(sum, counters->received);
	assert_int_equal(counters->rejected[SESSION_ACCEPTED], 0);
	session_free(bench->sessions);
	registry_free(bench->registry);
	free(bench);
	return 0;
}

/* ---- playing an agent ---- */

_unused_ static struct agent agent_make(const char *address)
{
	struct agent agent = {
		.version = PROTO_VERSION, .name = "web1", .key_id = "web1", .weight = 1
	};

	assert_int_equal(addr_port_parse(address, false, &agent.path.remote), 0);
	assert_int_equal(addr_parse("192.0.2.2", &agent.path.local), 0);
	memset(agent.secret, 1, sizeof(agent.secret));
	return agent;
}

_unused_ static enum session_refusal deliver(
	struct bench *bench, const struct agent *agent, const void *data, size_t size)
{
	struct registry_action action;
	enum session_refusal refusal;

	bench->now_us += STEP_US;
	bench->n_sent = 0;
	bench->n_refused = 0;
	refusal = session_receive(bench->sessions,
		&(struct session_arrival){ .path = agent->path,
			.hop_limit = PROTO_TTL,
			.mac_is_source = !bench->mac_differs,
			.data = data,
			.size_bytes = size },
		bench->now_us);
	while (registry_next_action(bench->registry, &action))
		if (action.type == REGISTRY_FORGOTTEN)
			session_forget(bench->sessions, action.backend);
	assert_int_equal(bench->n_refused, refusal != SESSION_ACCEPTED);
	assert_true(bench->n_sent <= 1);
	return refusal;
}

_unused_ static struct proto_message take(
	struct bench *bench, enum proto_type type, const uint8_t *secret)
{
	struct proto_message message;

	assert_int_equal(bench->n_sent, 1);
	assert_int_equal(proto_parse(bench->sent, bench->sent_size, &message), PROTO_OK);
	assert_int_equal(message.type, type);
	if (secret)
		assert_true(auth_open(bench->sent, bench->sent_size, secret));
	return message;
}

_unused_ static enum session_refusal say_hello(struct bench *bench, struct agent *agent)
{
	struct proto_message message = { .version = agent->version, .type = PROTO_HELLO };

	agent->nonce[0]++;
	memcpy(message.hello.nonce_agent, agent->nonce, PROTO_NONCE_BYTES);
	snprintf(message.hello.key_id, sizeof(message.hello.key_id), "%s", agent->key_id);
	agent->hello_size = (size_t)proto_write(&message, agent->hello);
	return deliver(bench, agent, agent->hello, agent->hello_size);
}

_unused_ static void take_challenge(struct bench *bench, struct agent *agent)
{
	struct proto_message message = take(bench, PROTO_CHALLENGE, NULL);

	assert_memory_equal(message.challenge.nonce_agent, agent->nonce, PROTO_NONCE_BYTES);
	memcpy(agent->nonce_balancer, message.challenge.nonce_balancer, PROTO_NONCE_BYTES);
}

_unused_ static struct proto_status status_of(const struct agent *agent)
{
	return (struct proto_status){ .weight = agent->weight,
		.second_chance = agent->second_chance,
		.n_vips = 1,
		.vips = { { true, true, 3 } } };
}

_unused_ static struct proto_message register_of(const struct agent *agent)
{
	struct proto_message message = { .version = agent->version, .type = PROTO_REGISTER };
	struct proto_register *reg = &message.reg;

	memcpy(reg->nonce_agent, agent->nonce, PROTO_NONCE_BYTES);
	memcpy(reg->nonce_balancer, agent->nonce_balancer, PROTO_NONCE_BYTES);
	snprintf(reg->key_id, sizeof(reg->key_id), "%s", agent->key_id);
	snprintf(reg->name, sizeof(reg->name), "%s", agent->name);
	snprintf(reg->version, sizeof(reg->version), "%s", "0.1.0");
	reg->real_ip = agent->path.remote.addr;
	reg->mac = (struct mac){ { 2, 0, 0, 0, 0, agent->path.remote.addr.bytes[3] } };
	reg->vips[0] = (struct addr){ 0 };
	assert_int_equal(addr_parse("198.51.100.10", &reg->vips[0]), 0);
	reg->status = status_of(agent);
	return message;
}

_unused_ static enum session_refusal send_register(
	struct bench *bench, struct agent *agent, const struct proto_message *message)
{
	int size = proto_write(message, agent->reg);

	assert_true(size > 0);
	agent->reg_size = (size_t)size;
	auth_seal(agent->reg, agent->reg_size, agent->secret);
	return deliver(bench, agent, agent->reg, agent->reg_size);
}

_unused_ static void take_accept(struct bench *bench, struct agent *agent)
{
	struct proto_message message = take(bench, PROTO_ACCEPT, agent->secret);

	assert_memory_equal(message.accept.nonce_agent, agent->nonce, PROTO_NONCE_BYTES);
	agent->session_id = message.accept.session_id;
	agent->echo = message.accept.sequence;
	agent->sequence = 0;
	auth_session_derive(agent->secret, agent->nonce, agent->nonce_balancer, agent->session_id,
		&agent->session_keys);
}

_unused_ static void join(struct bench *bench, struct agent *agent)
{
	struct proto_message message;

	assert_int_equal(say_hello(bench, agent), SESSION_ACCEPTED);
	take_challenge(bench, agent);
	message = register_of(agent);
	assert_int_equal(send_register(bench, agent, &message), SESSION_ACCEPTED);
	take_accept(bench, agent);
}

static const struct backend *backend_of(struct bench *bench, const struct agent *agent)
{
	return registry_find(bench->registry, agent->name);
}

_unused_ static void take_heartbeat(struct bench *bench, struct agent *agent)
{
	struct proto_message message;

	bench->n_sent = 0;
	bench->now_us += STEP_US;
	assert_int_equal(
		session_heartbeat(bench->sessions, backend_of(bench, agent)->id, bench->now_us), 0);
	message = take(bench, PROTO_HEARTBEAT, agent->session_keys.to_agent);
	assert_true(message.session.sequence > agent->echo);
	agent->echo = message.session.sequence;
}

_unused_ static size_t session_message(struct agent *agent, enum proto_type type, uint8_t *buffer)
{
	struct proto_message message = { .version = agent->version, .type = type };
	int size;

	if (type != PROTO_LEAVE)
		message.report.status = status_of(agent);
	message.session =
		(struct proto_session){ agent->session_id, ++agent->sequence, agent->echo };
	size = proto_write(&message, buffer);
	assert_true(size > 0);
	auth_seal(buffer, (size_t)size, agent->session_keys.to_balancer);
	return (size_t)size;
}

_unused_ static enum session_refusal say(
	struct bench *bench, struct agent *agent, enum proto_type type)
{
	uint8_t buffer[PROTO_MESSAGE_MAX];
	size_t size = session_message(agent, type, buffer);

	return deliver(bench, agent, buffer, size);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
