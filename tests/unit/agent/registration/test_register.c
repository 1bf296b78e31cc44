/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registration against a played balancer (register_bench.h). */
#include "tests/unit/agent/registration/register_bench.h"

/* ---- the handshake ---- */

static void register_waits_until_it_is_started(void **state)
{
	struct bench *bench = *state;

	assert_true(tick(bench) == REGISTER_NEVER_US);
	register_start(bench->registration, bench->now_us);
	take_nothing(bench); /* nothing to say yet */
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	take_nothing(bench);
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	take(bench, PROTO_HELLO);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
}

static void register_says_who_it_is(void **state)
{
	struct bench *bench = *state;

	join(bench);
	assert_string_equal(bench->reg.name, "web1");
	assert_string_equal(bench->reg.key_id, "k");
	assert_true(addr_equal(&bench->reg.real_ip, &bench->identity.real_ip));
	assert_true(addr_equal(&bench->reg.vips[0], &bench->identity.vips[0]));
	assert_string_equal(register_view(bench->registration)->reason, "");
	assert_true(register_view(bench->registration)->boot_id == 77);
}

static void register_tries_at_once_then_ever_slower_then_for_ever(void **state)
{
	struct bench *bench = *state;
	uint64_t before_us = START_US, gap_us = 0;

	start(bench);
	assert_true(take(bench, PROTO_HELLO)->at_us == START_US);
	for (int i = 0; i < 40; i++) {
		pass(bench);
		take(bench, PROTO_HELLO);
		gap_us = bench->now_us - before_us;
		before_us = bench->now_us;
		if (i == 0)
			assert_in_range(gap_us, REGISTER_RETRY_FIRST_US * 3 / 4,
				REGISTER_RETRY_FIRST_US * 5 / 4 + 1);
		assert_true(gap_us <= REGISTER_RETRY_MAX_US * 5 / 4);
	}
	assert_true(gap_us >= REGISTER_RETRY_MAX_US * 3 / 4);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	assert_string_equal(register_view(bench->registration)->reason,
		"no answer from 192.0.2.2 (unreachable, or the key differs)");
	assert_true(register_view(bench->registration)->since_us == START_US);
}

/* The ACCEPT may be lost: the same bytes again get the same ACCEPT again. */
static void register_repeats_the_same_register_before_a_new_hello(void **state)
{
	struct bench *bench = *state;
	struct sent first;

	start(bench);
	challenge(bench);
	first = *take(bench, PROTO_REGISTER);
	for (int i = 0; i < 2; i++) {
		const struct sent *again;

		pass(bench);
		again = take(bench, PROTO_REGISTER);
		assert_int_equal(again->size, first.size);
		assert_memory_equal(again->data, first.data, first.size);
	}
	pass(bench);
	take(bench, PROTO_HELLO);
}

static void register_uses_a_nonce_once(void **state)
{
	struct bench *bench = *state;
	uint8_t nonce[PROTO_NONCE_BYTES];

	start(bench);
	memcpy(nonce, take(bench, PROTO_HELLO)->message.hello.nonce_agent, sizeof(nonce));
	pass(bench);
	assert_memory_not_equal(
		take(bench, PROTO_HELLO)->message.hello.nonce_agent, nonce, sizeof(nonce));
}

static void register_takes_answers_to_its_own_questions_only(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .version = bench->version, .type = PROTO_CHALLENGE };

	start(bench);
	assert_int_equal(deliver(bench, &message, NULL), REGISTER_NONCE);
	challenge(bench);
	take_register(bench);
	message = accept_of(bench);
	message.accept.nonce_agent[0] ^= 1;
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_NONCE);
	message.accept.nonce_agent[0] ^= 1;
	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_TAG);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_ACCEPTED);
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_NONCE);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
}

static void register_shows_a_signed_refusal_and_retries_slowly(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .version = bench->version, .type = PROTO_REJECT };
	uint64_t refused_us;

	start(bench);
	challenge(bench);
	take_register(bench);
	memcpy(message.rejected.nonce_agent, bench->reg.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(message.rejected.nonce_balancer, bench->reg.nonce_balancer, PROTO_NONCE_BYTES);
	message.rejected.code = PROTO_REJECT_NO_VIP;
	snprintf(message.rejected.reason, sizeof(message.rejected.reason), "%s",
		"no virtual server has 198.51.100.10");
	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_TAG);
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_ACCEPTED);
	assert_int_equal(state_of(bench), REGISTER_REFUSED);
	assert_string_equal(register_view(bench->registration)->reason,
		"192.0.2.2 refused: no virtual server has 198.51.100.10");
	refused_us = bench->now_us;
	pass(bench);
	take(bench, PROTO_HELLO);
	assert_true(bench->now_us - refused_us >= REGISTER_REFUSED_RETRY_US * 3 / 4);
	assert_int_equal(state_of(bench), REGISTER_REFUSED);
	pass(bench); /* and no answer */
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
}

/* An interface that was replaced: the balancer still hears of its old MAC, but not for long. */
static void register_taken_for_a_clone_retries_soon(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .version = bench->version, .type = PROTO_REJECT };
	uint64_t refused_us;

	start(bench);
	challenge(bench);
	take_register(bench);
	memcpy(message.rejected.nonce_agent, bench->reg.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(message.rejected.nonce_balancer, bench->reg.nonce_balancer, PROTO_NONCE_BYTES);
	message.rejected.code = PROTO_REJECT_CLONE;
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_ACCEPTED);
	refused_us = bench->now_us;
	pass(bench);
	take(bench, PROTO_HELLO);
	assert_true(bench->now_us - refused_us <= REGISTER_CLONE_RETRY_US * 5 / 4);
}

/* ---- heartbeats ---- */

static void register_answers_heartbeats_at_once(void **state)
{
	struct bench *bench = *state;
	const struct sent *sent;

	join(bench);
	bench->status.vips[0].established = 12;
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	take_nothing(bench); /* counts alone are no news */
	for (int i = 0; i < 3; i++) {
		bench->now_us += INTERVAL_US;
		assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
		sent = take(bench, PROTO_ANSWER);
		assert_true(auth_open(sent->data, sent->size, bench->keys.to_balancer));
		assert_true(sent->message.session.echo == bench->sequence);
		assert_int_equal(sent->message.report.status.vips[0].established, 12);
	}
	assert_true(register_view(bench->registration)->last_heartbeat_us == bench->now_us);
}

static void register_begins_anew_when_heartbeats_stop(void **state)
{
	struct bench *bench = *state;
	uint64_t heard_us;

	join(bench);
	bench->now_us += INTERVAL_US;
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	heard_us = bench->now_us;
	fall_silent(bench);
	take(bench, PROTO_HELLO);
	assert_true(bench->now_us - heard_us >= 3 * INTERVAL_US);
	assert_true(bench->now_us - heard_us < 4 * INTERVAL_US);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	assert_string_equal(register_view(bench->registration)->reason,
		"no heartbeat from 192.0.2.2 for 1050 ms");
}

/* A switch that learned wrongly where this host is learns anew by that; and a heartbeat comes again. */
static void register_speaks_up_when_a_heartbeat_is_late(void **state)
{
	struct bench *bench = *state;
	unsigned int n_said = 0;

	join(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	bench->now_us += INTERVAL_US;
	tick(bench);
	take_nothing(bench);
	bench->now_us += INTERVAL_US / 4;
	tick(bench);
	take(bench, PROTO_UPDATE);
	assert_true(register_is_settled(bench->registration));
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	bench->now_us += INTERVAL_US;
	tick(bench);
	take_nothing(bench);
	for (pass(bench); state_of(bench) == REGISTER_REGISTERED; pass(bench), n_said++)
		take(bench, PROTO_UPDATE);
	assert_in_range(n_said, 3, 10);
}

/* Heartbeats that are lost are no silence of a balancer that acknowledges what is said. */
static void register_stays_with_a_balancer_that_acknowledges(void **state)
{
	struct bench *bench = *state;
	uint64_t heard_us;

	join(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	heard_us = bench->now_us;
	while (bench->now_us - heard_us < 10 * INTERVAL_US) {
		pass(bench);
		acknowledge(bench, take(bench, PROTO_UPDATE));
		assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	}
	heard_us = bench->now_us;
	fall_silent(bench);
	assert_true(bench->now_us - heard_us >= 3 * INTERVAL_US);
}

static void register_goes_on_when_the_balancer_was_only_stopped(void **state)
{
	struct bench *bench = *state;

	join(bench);
	fall_silent(bench);
	take(bench, PROTO_HELLO);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	assert_true(tick(bench) > bench->now_us + INTERVAL_US);
	take_nothing(bench);
}

/* The balancer is back while a REGISTER is on its way: its ACCEPT ends the session that went on. */
static void register_takes_the_session_of_a_register_that_was_on_its_way(void **state)
{
	struct bench *bench = *state;

	join(bench);
	fall_silent(bench);
	challenge(bench);
	take_register(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	admit(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
}

static void register_takes_no_refusal_of_a_session_beside_its_own(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .version = bench->version, .type = PROTO_REJECT };

	join(bench);
	fall_silent(bench);
	challenge(bench);
	take_register(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	message.rejected.code = PROTO_REJECT_CLONE;
	memcpy(message.rejected.nonce_agent, bench->reg.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(message.rejected.nonce_balancer, bench->reg.nonce_balancer, PROTO_NONCE_BYTES);
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_NONCE);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
}

/* What a count costs this host nobody chooses but a balancer that has the key. */
static void count_one_more(void *context)
{
	struct bench *bench = context;

	bench->status.vips[0].established++;
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
}

static void register_counts_for_authentic_heartbeats_alone(void **state)
{
	struct bench *bench = *state;
	struct proto_message message;
	uint8_t buffer[PROTO_MESSAGE_MAX];
	size_t size;

	register_use_counts(bench->registration, NULL, count_one_more);
	join(bench);
	message = session_message(bench, PROTO_HEARTBEAT, 0);
	size = build(&message, bench->keys.to_agent, buffer);
	assert_int_equal(deliver_bytes(bench, "junk", 4), REGISTER_SHORT);
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_TAG);
	assert_int_equal(
		register_receive(bench->registration,
			&(struct register_datagram){ bench->balancer, PROTO_TTL - 1, buffer, size },
			bench->now_us),
		REGISTER_TTL);
	assert_int_equal(bench->status.vips[0].established, 0);
	take_nothing(bench);

	/* The answer tells the count that it had made. */
	assert_int_equal(deliver_bytes(bench, buffer, size), REGISTER_ACCEPTED);
	assert_int_equal(bench->status.vips[0].established, 1);
	assert_int_equal(take(bench, PROTO_ANSWER)->message.report.status.vips[0].established, 1);
	take_nothing(bench);
	assert_int_equal(deliver_bytes(bench, buffer, size), REGISTER_REPLAY);
	message = session_message(bench, PROTO_ACK, 1);
	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_ACCEPTED);
	assert_int_equal(bench->status.vips[0].established, 1);
}

static void register_refuses_replays(void **state)
{
	struct bench *bench = *state;
	uint8_t buffer[PROTO_MESSAGE_MAX];
	struct proto_message message;
	size_t size;

	join(bench);
	message = session_message(bench, PROTO_HEARTBEAT, 0);
	size = build(&message, bench->keys.to_agent, buffer);
	assert_int_equal(deliver_bytes(bench, buffer, size), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	assert_int_equal(deliver_bytes(bench, buffer, size), REGISTER_REPLAY);
	take_nothing(bench);
}

/* ---- updates ---- */

static void change(struct bench *bench, enum proto_state to, const char *reason)
{
	bench->status.state = to;
	snprintf(bench->status.reason, sizeof(bench->status.reason), "%s", reason);
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
}

static void register_tells_a_change_at_once_and_again_until_acknowledged(void **state)
{
	struct bench *bench = *state;
	uint64_t changed_us;
	struct sent sent;

	join(bench);
	changed_us = bench->now_us;
	change(bench, PROTO_STATE_DOWN, "nginx is gone");
	assert_true(take(bench, PROTO_UPDATE)->at_us == changed_us);
	assert_false(register_is_settled(bench->registration));
	pass(bench);
	take(bench, PROTO_UPDATE);
	pass(bench);
	sent = *take(bench, PROTO_UPDATE);
	assert_true(bench->now_us - changed_us <= 100 * US_PER_MS); /* twice more in 100 ms */
	assert_string_equal(sent.message.report.status.reason, "nginx is gone");
	acknowledge(bench, &sent);
	assert_true(register_is_settled(bench->registration));
	assert_true(tick(bench) > bench->now_us + INTERVAL_US / 2);
	take_nothing(bench);
}

static void register_takes_no_acknowledgement_of_something_older(void **state)
{
	struct bench *bench = *state;
	struct sent first, second;

	join(bench);
	change(bench, PROTO_STATE_DRAIN, "drained");
	first = *take(bench, PROTO_UPDATE);
	change(bench, PROTO_STATE_DOWN, "nginx is gone");
	second = *take(bench, PROTO_UPDATE);
	acknowledge(bench, &first);
	assert_false(register_is_settled(bench->registration));
	acknowledge(bench, &second);
	assert_true(register_is_settled(bench->registration));
}

static void register_tells_what_changed_during_the_handshake(void **state)
{
	struct bench *bench = *state;

	start(bench);
	challenge(bench);
	take_register(bench);
	change(bench, PROTO_STATE_DRAIN, "drained");
	take_nothing(bench);
	admit(bench);
	assert_int_equal(take(bench, PROTO_UPDATE)->message.report.status.state, PROTO_STATE_DRAIN);
}

static void register_refuses_a_status_that_cannot_be_sent(void **state)
{
	struct bench *bench = *state;
	struct proto_status status = bench->status;

	join(bench);
	status.state = PROTO_STATE_DOWN; /* without a reason */
	assert_int_equal(register_set_status(bench->registration, &status, bench->now_us), -EINVAL);
	status = bench->status;
	status.n_vips = 2;
	assert_int_equal(register_set_status(bench->registration, &status, bench->now_us), -EINVAL);
	take_nothing(bench);
}

static void register_tells_a_weight_of_nothing(void **state)
{
	struct bench *bench = *state;
	struct proto_status status = bench->status;

	join(bench);
	status.weight = 0;
	assert_int_equal(register_set_status(bench->registration, &status, bench->now_us), 0);
	assert_int_equal(take(bench, PROTO_UPDATE)->message.report.status.weight, 0);
}

static void register_begins_anew_with_another_identity(void **state)
{
	struct bench *bench = *state;

	join(bench);
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	take_nothing(bench); /* the same one */
	bench->identity.mac.bytes[5] = 2;
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	take(bench, PROTO_HELLO);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
}

/* A reload that adds a VIP: the status for two of them has to come first. */
static void register_waits_for_the_status_of_new_vips(void **state)
{
	struct bench *bench = *state;

	join(bench);
	bench->identity.n_vips = 2;
	assert_int_equal(addr_parse("198.51.100.11", &bench->identity.vips[1]), 0);
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	take_nothing(bench);
	assert_true(tick(bench) == REGISTER_NEVER_US);
	bench->status.n_vips = 2;
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	challenge(bench);
	take_register(bench);
	assert_int_equal(bench->reg.status.n_vips, 2);
}

/* ---- leaving ---- */

static void register_leaves_until_acknowledged(void **state)
{
	struct bench *bench = *state;
	struct sent sent;

	join(bench);
	register_leave(bench->registration, bench->now_us);
	take(bench, PROTO_LEAVE);
	assert_int_equal(state_of(bench), REGISTER_LEAVING);
	pass(bench);
	sent = *take(bench, PROTO_LEAVE);
	assert_true(auth_open(sent.data, sent.size, bench->keys.to_balancer));
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED); /* one that was on its way */
	take_nothing(bench);
	acknowledge(bench, &sent);
	assert_int_equal(state_of(bench), REGISTER_LEFT);
	assert_true(register_is_settled(bench->registration));
	assert_true(tick(bench) == REGISTER_NEVER_US);
	register_start(bench->registration, bench->now_us);
	take(bench, PROTO_HELLO);
}

static void register_gives_up_leaving(void **state)
{
	struct bench *bench = *state;

	join(bench);
	register_leave(bench->registration, bench->now_us);
	for (unsigned int i = 0; i < REGISTER_LEAVE_TRIES; i++) {
		take(bench, PROTO_LEAVE);
		pass(bench);
	}
	take_nothing(bench);
	assert_int_equal(state_of(bench), REGISTER_LEFT);
	assert_true(bench->now_us - START_US < 3 * US_PER_S);
}

static void register_leaves_nobody_without_a_session(void **state)
{
	struct bench *bench = *state;

	start(bench);
	take(bench, PROTO_HELLO);
	register_leave(bench->registration, bench->now_us);
	take_nothing(bench);
	assert_int_equal(state_of(bench), REGISTER_LEFT);
	assert_true(tick(bench) == REGISTER_NEVER_US);
}

/* ---- what is not from our balancer ---- */

static void register_refuses_other_sources_and_routers(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .version = bench->version, .type = PROTO_CHALLENGE };
	uint8_t buffer[PROTO_MESSAGE_MAX];
	struct register_datagram datagram = { bench->balancer, PROTO_TTL, buffer,
		build(&message, NULL, buffer) };

	start(bench);
	datagram.source.addr.bytes[3]++;
	assert_int_equal(
		register_receive(bench->registration, &datagram, bench->now_us), REGISTER_SOURCE);
	datagram.source = bench->balancer;
	datagram.hop_limit = 254;
	assert_int_equal(
		register_receive(bench->registration, &datagram, bench->now_us), REGISTER_TTL);
	assert_int_equal(deliver_bytes(bench, buffer, 3), REGISTER_SHORT);
	assert_int_equal(
		deliver_bytes(bench, bench->sent[0].data, bench->sent[0].size), REGISTER_TYPE);
}

static void register_survives_every_flipped_bit(void **state)
{
	struct bench *bench = *state;
	uint8_t buffer[PROTO_MESSAGE_MAX];
	struct proto_message message;
	size_t size;

	join(bench);
	message = session_message(bench, PROTO_HEARTBEAT, 0);
	size = build(&message, bench->keys.to_agent, buffer);
	for (size_t bit = 0; bit < size * 8; bit++) {
		buffer[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_not_equal(deliver_bytes(bench, buffer, size), REGISTER_ACCEPTED);
		buffer[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	take_nothing(bench);
	assert_int_equal(deliver_bytes(bench, buffer, size), REGISTER_ACCEPTED);
}

static void register_names_every_refusal(void **state)
{
	for (unsigned int i = 0; i < REGISTER_REFUSAL_N_; i++)
		assert_string_not_equal(register_refusal_name(i), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A balancer that comes back must soon know its servers. */
static void register_asks_a_known_balancer_every_second(void **state)
{
	struct bench *bench = *state;
	uint64_t before_us;

	join(bench);
	fall_silent(bench);
	take(bench, PROTO_HELLO);
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	before_us = bench->now_us;
	for (int i = 0; i < 40; i++) {
		pass(bench);
		take(bench, PROTO_HELLO);
		assert_true(bench->now_us - before_us <= US_PER_S);
		before_us = bench->now_us;
	}
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(register_asks_a_known_balancer_every_second),
		TEST(register_waits_until_it_is_started),
		TEST(register_says_who_it_is),
		TEST(register_tries_at_once_then_ever_slower_then_for_ever),
		TEST(register_repeats_the_same_register_before_a_new_hello),
		TEST(register_uses_a_nonce_once),
		TEST(register_takes_answers_to_its_own_questions_only),
		TEST(register_shows_a_signed_refusal_and_retries_slowly),
		TEST(register_taken_for_a_clone_retries_soon),
		TEST(register_answers_heartbeats_at_once),
		TEST(register_begins_anew_when_heartbeats_stop),
		TEST(register_speaks_up_when_a_heartbeat_is_late),
		TEST(register_stays_with_a_balancer_that_acknowledges),
		TEST(register_goes_on_when_the_balancer_was_only_stopped),
		TEST(register_takes_the_session_of_a_register_that_was_on_its_way),
		TEST(register_takes_no_refusal_of_a_session_beside_its_own),
		TEST(register_counts_for_authentic_heartbeats_alone),
		TEST(register_refuses_replays),
		TEST(register_tells_a_change_at_once_and_again_until_acknowledged),
		TEST(register_takes_no_acknowledgement_of_something_older),
		TEST(register_tells_what_changed_during_the_handshake),
		TEST(register_refuses_a_status_that_cannot_be_sent),
		TEST(register_tells_a_weight_of_nothing),
		TEST(register_begins_anew_with_another_identity),
		TEST(register_waits_for_the_status_of_new_vips),
		TEST(register_leaves_until_acknowledged),
		TEST(register_gives_up_leaving),
		TEST(register_leaves_nobody_without_a_session),
		TEST(register_refuses_other_sources_and_routers),
		TEST(register_survives_every_flipped_bit),
		cmocka_unit_test(register_names_every_refusal),
	};

	return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
