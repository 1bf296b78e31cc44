/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registration and a balancer that is played with proto and auth, for the tests of register.c. Time
 * is a number: every test moves from deadline to deadline.
 */
#pragma once

#include "agent/registration/register.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_US    UINT64_C(1000000)
#define INTERVAL_US UINT64_C(300000)
#define SENT_MAX    64u

/* The played balancer, the wire to it, and the agent under test. */
struct bench {
	struct registration *registration;
	struct register_identity identity;
	struct proto_status status;
	struct addr_port balancer;
	unsigned int version; /* that the balancer speaks */
	uint64_t now_us;
	struct sent {
		uint64_t at_us;
		uint8_t data[PROTO_MESSAGE_MAX];
		size_t size;
		struct proto_message message;
	} sent[SENT_MAX];
	size_t n_sent, n_taken;
	struct proto_register reg; /* the newest REGISTER taken */
	struct auth_session_keys keys;
	uint64_t session_id, sequence;
};

_unused_ static void on_send(
	void *context, const struct addr_port *balancer, const uint8_t *data, size_t size_bytes)
{
	struct bench *bench = context;
	struct sent *sent = &bench->sent[bench->n_sent++];

	assert_true(bench->n_sent <= SENT_MAX);
	assert_int_equal(balancer->port, bench->balancer.port);
	sent->at_us = bench->now_us;
	sent->size = size_bytes;
	memcpy(sent->data, data, size_bytes);
	assert_int_equal(proto_parse(data, size_bytes, &sent->message), PROTO_OK);
}

_unused_ static int setup(void **state)
{
	static const uint8_t seed[REGISTER_SEED_BYTES] = { 9 };
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	assert_int_equal(auth_init(), 0);
	assert_int_equal(addr_port_parse("192.0.2.2:7377", false, &bench->balancer), 0);
	bench->now_us = START_US;
	bench->version = PROTO_VERSION;
	bench->identity = (struct register_identity){ .name = "web1",
		.version = "0.1.0",
		.mac = { { 2, 0, 0, 0, 0, 1 } },
		.n_vips = 1,
		.key = { .id = "k", .secret = { 1 } } };
	assert_int_equal(addr_parse("192.0.2.11", &bench->identity.real_ip), 0);
	assert_int_equal(addr_parse("198.51.100.10", &bench->identity.vips[0]), 0);
	bench->status =
		(struct proto_status){ .weight = 1, .n_vips = 1, .vips = { { true, true, 0 } } };
	bench->registration = register_new(&bench->balancer, seed, on_send, bench, bench->now_us);
	assert_non_null(bench->registration);
	*state = bench;
	return 0;
}

_unused_ static int teardown(void **state)
{
	struct bench *bench = *state;
	const struct register_view *view = register_view(bench->registration);
	uint64_t sum = view->accepted;

	ARRAY_FOREACH (rejected, view->rejected, REGISTER_REFUSAL_N_)
		sum += *rejected;
	assert_int_equal(sum, view->received);
	register_free(bench->registration);
	free(bench);
	return 0;
}

/* ---- playing the balancer ---- */

_unused_ static const struct sent *take(struct bench *bench, enum proto_type type)
{
	const struct sent *sent = &bench->sent[bench->n_taken];

	assert_true(bench->n_taken < bench->n_sent);
	assert_int_equal(sent->message.type, type);
	bench->n_taken++;
	if (bench->n_taken == bench->n_sent)
		bench->n_taken = bench->n_sent = 0;
	return sent;
}

_unused_ static void take_nothing(const struct bench *bench)
{
	assert_int_equal(bench->n_sent, bench->n_taken);
}

_unused_ static enum register_refusal deliver_bytes(
	struct bench *bench, const void *data, size_t size)
{
	struct register_datagram datagram = { bench->balancer, PROTO_TTL, data, size };

	return register_receive(bench->registration, &datagram, bench->now_us);
}

_unused_ static size_t build(
	const struct proto_message *message, const uint8_t *secret, uint8_t *buffer)
{
	int size = proto_write(message, buffer);

	assert_true(size > 0);
	if (secret)
		auth_seal(buffer, (size_t)size, secret);
	return (size_t)size;
}

_unused_ static enum register_refusal deliver(
	struct bench *bench, const struct proto_message *message, const uint8_t *secret)
{
	uint8_t buffer[PROTO_MESSAGE_MAX];

	return deliver_bytes(bench, buffer, build(message, secret, buffer));
}

_unused_ static uint64_t tick(struct bench *bench)
{
	return register_run_due(bench->registration, bench->now_us);
}

/* To the next deadline, and what is due then. */
_unused_ static void pass(struct bench *bench)
{
	uint64_t deadline_us = tick(bench);

	assert_true(deadline_us != REGISTER_NEVER_US && deadline_us > bench->now_us);
	bench->now_us = deadline_us;
	tick(bench);
}

_unused_ static void start(struct bench *bench)
{
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	register_start(bench->registration, bench->now_us);
}

_unused_ static void challenge(struct bench *bench)
{
	const struct proto_message hello = take(bench, PROTO_HELLO)->message;
	struct proto_message message = { .version = bench->version, .type = PROTO_CHALLENGE };

	assert_string_equal(hello.hello.key_id, bench->identity.key.id);
	memcpy(message.challenge.nonce_agent, hello.hello.nonce_agent, PROTO_NONCE_BYTES);
	memset(message.challenge.nonce_balancer, 0x42, PROTO_NONCE_BYTES);
	assert_int_equal(deliver(bench, &message, NULL), REGISTER_ACCEPTED);
}

_unused_ static void take_register(struct bench *bench)
{
	const struct sent *sent = take(bench, PROTO_REGISTER);

	assert_true(auth_open(sent->data, sent->size, bench->identity.key.secret));
	bench->reg = sent->message.reg;
}

_unused_ static struct proto_message accept_of(struct bench *bench)
{
	struct proto_message message = { .version = bench->version, .type = PROTO_ACCEPT };

	memcpy(message.accept.nonce_agent, bench->reg.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(message.accept.nonce_balancer, bench->reg.nonce_balancer, PROTO_NONCE_BYTES);
	message.accept.session_id = ++bench->session_id;
	message.accept.boot_id = 77;
	message.accept.sequence = ++bench->sequence;
	message.accept.interval_us = (uint32_t)INTERVAL_US;
	message.accept.multiplier = 3;
	auth_session_derive(bench->identity.key.secret, bench->reg.nonce_agent,
		bench->reg.nonce_balancer, bench->session_id, &bench->keys);
	return message;
}

/* The answer to the REGISTER that was taken. */
_unused_ static void admit(struct bench *bench)
{
	const struct proto_message message = accept_of(bench);

	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_ACCEPTED);
}

_unused_ static void join(struct bench *bench)
{
	start(bench);
	challenge(bench);
	take_register(bench);
	admit(bench);
	assert_int_equal(register_view(bench->registration)->state, REGISTER_REGISTERED);
	take_nothing(bench);
}

_unused_ static struct proto_message session_message(
	struct bench *bench, enum proto_type type, uint64_t echo)
{
	struct proto_message message = { .version = bench->version, .type = type };

	message.session = (struct proto_session){ bench->session_id, ++bench->sequence, echo };
	return message;
}

_unused_ static enum register_refusal heartbeat(struct bench *bench)
{
	struct proto_message message = session_message(bench, PROTO_HEARTBEAT, 0);

	return deliver(bench, &message, bench->keys.to_agent);
}

_unused_ static void acknowledge(struct bench *bench, const struct sent *sent)
{
	struct proto_message message =
		session_message(bench, PROTO_ACK, sent->message.session.sequence);

	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_ACCEPTED);
}

_unused_ static enum register_state state_of(const struct bench *bench)
{
	return register_view(bench->registration)->state;
}

/* Until it has been too long; what is said when heartbeats are late is taken. */
_unused_ static void fall_silent(struct bench *bench)
{
	pass(bench);
	while (state_of(bench) == REGISTER_REGISTERED) {
		take(bench, PROTO_UPDATE);
		pass(bench);
	}
}
