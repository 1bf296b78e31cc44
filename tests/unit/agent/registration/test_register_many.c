/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent of more VIPs than one message tells: what it says, to whom, again, and with whom it does not register. */
#include "common/proto/vips.h"
#include "tests/unit/agent/registration/register_bench.h"

static void have(struct bench *bench, size_t n_vips)
{
	bench->identity.n_vips = n_vips;
	for (size_t i = 0; i < n_vips; i++) {
		struct addr *vip = &bench->identity.vips[i];

		assert_int_equal(addr_parse(i % 2 ? "2001:db8::" : "10.1.0.0", vip), 0);
		vip->bytes[addr_size_bytes(vip) - 2] = (uint8_t)(i >> 8);
		vip->bytes[addr_size_bytes(vip) - 1] = (uint8_t)(i | 1);
	}
	bench->status = (struct proto_status){ .weight = 1, .n_vips = (uint16_t)n_vips };
	for (size_t i = 0; i < n_vips; i++)
		vips_say(&bench->status, i, &(struct proto_vip_status){ true, true, 0 });
}

/* All PARTs with all VIPs in their order, and then the REGISTER with the same nonces. */
static void take_registration(struct bench *bench)
{
	struct proto_part parts[PROTO_PARTS_MAX];
	size_t n_parts = vips_parts(bench->identity.n_vips);

	for (size_t i = 0; i < n_parts; i++) {
		const struct sent *sent = take(bench, PROTO_PART);

		assert_true(auth_open(sent->data, sent->size, bench->identity.key.secret));
		assert_int_equal(sent->message.version, bench->version);
		parts[i] = sent->message.part;
		assert_int_equal(parts[i].part, i);
		assert_int_equal(parts[i].n_vips, bench->identity.n_vips);
		assert_string_equal(parts[i].name, bench->identity.name);
		for (size_t k = 0; k < vips_in_part(bench->identity.n_vips, i); k++)
			assert_true(addr_equal(
				&parts[i].vips[k], &bench->identity.vips[i * PROTO_VIPS_PART + k]));
	}
	take_register(bench);
	assert_int_equal(bench->reg.status.n_vips, bench->identity.n_vips);
	for (size_t i = 0; i < n_parts; i++) {
		assert_memory_equal(
			parts[i].nonce_agent, bench->reg.nonce_agent, PROTO_NONCE_BYTES);
		assert_memory_equal(
			parts[i].nonce_balancer, bench->reg.nonce_balancer, PROTO_NONCE_BYTES);
	}
}

static void join_many(struct bench *bench, size_t n_vips)
{
	have(bench, n_vips);
	start(bench);
	challenge(bench);
	take_registration(bench);
	take_nothing(bench);
	admit(bench);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
}

static void register_says_many_vips_in_parts(void **state)
{
	struct bench *bench = *state;

	join_many(bench, PROTO_VIPS_WHOLE + 1);
	/* The same identity once more is none. */
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	take_nothing(bench);
}

static void register_says_the_most_there_is(void **state)
{
	join_many(*state, PROTO_VIPS_MAX);
}

/* What gets lost of it comes with the next try, to the byte. */
static void register_repeats_its_parts_to_the_byte(void **state)
{
	struct bench *bench = *state;
	static struct sent first[PROTO_PARTS_MAX + 1];
	size_t len;

	have(bench, 100);
	start(bench);
	challenge(bench);
	len = bench->n_sent - bench->n_taken;
	assert_int_equal(len, 3);
	for (size_t i = 0; i < len; i++)
		first[i] = bench->sent[bench->n_taken + i];
	take_registration(bench);
	for (unsigned int tries = 0; tries < 2; tries++) {
		pass(bench);
		assert_int_equal(bench->n_sent, len);
		for (size_t i = 0; i < len; i++) {
			assert_int_equal(bench->sent[i].size, first[i].size);
			assert_memory_equal(bench->sent[i].data, first[i].data, first[i].size);
		}
		take_registration(bench);
	}
	pass(bench);
	take(bench, PROTO_HELLO);
}

/* Each has its turn; one that goes bad is said at once. */
static void register_counts_many_in_turns(void **state)
{
	uint32_t established[PROTO_VIPS_MAX], count;
	bool told[PROTO_VIPS_MAX] = { 0 };
	struct bench *bench = *state;
	size_t n_told = 0, n_answers = 0;

	for (size_t i = 0; i < PROTO_VIPS_MAX; i++)
		established[i] = (uint32_t)i + 5;
	register_use_counts(bench->registration, established, NULL);
	join_many(bench, PROTO_VIPS_MAX);
	while (n_told < PROTO_VIPS_MAX) {
		const struct sent *sent;

		bench->now_us += INTERVAL_US;
		assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
		sent = take(bench, PROTO_ANSWER);
		for (size_t i = 0; i < PROTO_VIPS_MAX; i++) {
			assert_true(vips_are_fit(&sent->message.report.status, i));
			if (!vips_count(&sent->message.report.status, i, &count))
				continue;
			assert_int_equal(count, i + 5);
			n_told += !told[i];
			told[i] = true;
		}
		n_answers++;
	}
	assert_int_equal(n_answers, PROTO_VIPS_MAX / PROTO_COUNTS_MAX);
	vips_say(&bench->status, 777, &(struct proto_vip_status){ false, true, 0 });
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	assert_false(vips_are_present(&take(bench, PROTO_UPDATE)->message.report.status, 777));
}

/* A HELLO, which a balancer of this version answers if it knows the HELLO's. */
static void answer_hello(struct bench *bench, unsigned int version)
{
	const struct proto_message hello = take(bench, PROTO_HELLO)->message;
	struct proto_message message = { .version = hello.version, .type = PROTO_CHALLENGE };

	assert_int_equal(hello.version, version);
	if (version > bench->version)
		return;
	memcpy(message.challenge.nonce_agent, hello.hello.nonce_agent, PROTO_NONCE_BYTES);
	assert_int_equal(deliver(bench, &message, NULL), REGISTER_ACCEPTED);
}

static const char too_old[] = "192.0.2.2 speaks version 4 of the protocol, which "
			      "has no more than 40 VIPs, and this agent has 41";

/* A balancer that has no place for them is told of as such; it is asked again, and served when it has been upgraded. */
static void register_does_not_serve_some_of_many(void **state)
{
	struct bench *bench = *state;
	const struct register_view *view = register_view(bench->registration);

	bench->version = PROTO_VERSION_VIPS - 1;
	have(bench, PROTO_VIPS_WHOLE + 1);
	start(bench);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int version = PROTO_VERSION; version >= PROTO_VERSION_1; version--) {
			/* While it is asked on, that is what is known of it. */
			assert_int_equal(
				view->state, round == 0 ? REGISTER_CONNECTING : REGISTER_REFUSED);
			answer_hello(bench, version);
			take_nothing(bench); /* no REGISTER */
			pass(bench);
		}
		take_nothing(bench);
		assert_int_equal(view->state, REGISTER_REFUSED);
		assert_non_null(strstr(view->reason, too_old));
		pass(bench);
	}
	assert_true(bench->now_us - START_US < 30 * US_PER_S);
	bench->version = PROTO_VERSION;
	challenge(bench);
	take_registration(bench);
	admit(bench);
	assert_int_equal(view->state, REGISTER_REGISTERED);
	assert_string_equal(view->reason, "");
}

/* One that has vanished meanwhile is not for ever called too old. */
static void register_forgets_that_a_silent_balancer_was_too_old(void **state)
{
	struct bench *bench = *state;

	bench->version = PROTO_VERSION_VIPS - 1;
	have(bench, PROTO_VIPS_WHOLE + 1);
	start(bench);
	for (unsigned int version = PROTO_VERSION; version >= PROTO_VERSION_1; version--) {
		answer_hello(bench, version);
		pass(bench);
	}
	assert_int_equal(state_of(bench), REGISTER_REFUSED);
	for (unsigned int i = 0; i <= PROTO_VERSION; i++) {
		pass(bench);
		take(bench, PROTO_HELLO);
	}
	assert_int_equal(state_of(bench), REGISTER_CONNECTING);
}

/* Nobody's word but the balancer's ends a session, and while any version may yet be answered nothing is said. */
static void register_is_not_kept_off_by_a_forged_older_version(void **state)
{
	struct bench *bench = *state;

	bench->version = PROTO_VERSION_VIPS;
	join_many(bench, PROTO_VIPS_WHOLE + 1);
	fall_silent(bench);
	for (unsigned int version = PROTO_VERSION; version >= PROTO_VERSION_1; version--) {
		assert_int_equal(state_of(bench), REGISTER_CONNECTING);
		bench->version = PROTO_VERSION_VIPS - 1;
		answer_hello(bench, version);
		take_nothing(bench);
		pass(bench);
	}
	bench->version = PROTO_VERSION;
	assert_int_equal(state_of(bench), REGISTER_REFUSED);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
}

/* It speaks the newest version too, and says nothing more: that is no matter of versions. */
static void register_takes_no_balancer_with_another_key_for_too_old(void **state)
{
	struct bench *bench = *state;

	have(bench, PROTO_VIPS_WHOLE + 1);
	start(bench);
	for (unsigned int version = PROTO_VERSION; version >= PROTO_VERSION_1; version--) {
		answer_hello(bench, version);
		for (unsigned int tries = 0; version >= PROTO_VERSION_VIPS && tries < 3; tries++) {
			take_registration(bench);
			if (tries < 2)
				pass(bench);
		}
		pass(bench);
		assert_int_equal(state_of(bench), REGISTER_CONNECTING);
	}
	assert_int_equal(take(bench, PROTO_HELLO)->message.version, PROTO_VERSION);
	assert_string_equal(register_view(bench->registration)->reason,
		"no answer from 192.0.2.2 (unreachable, or the key differs)");
}

/* Each CHALLENGE is answered in full, with its own nonce, and so it is repeated. */
static void register_answers_several_challenges_with_all_its_parts(void **state)
{
	struct bench *bench = *state;
	struct proto_message hello;

	have(bench, 100);
	start(bench);
	hello = take(bench, PROTO_HELLO)->message;
	for (uint8_t byte = 1; byte <= 2; byte++) {
		struct proto_message message = { .version = bench->version,
			.type = PROTO_CHALLENGE };

		memcpy(message.challenge.nonce_agent, hello.hello.nonce_agent, PROTO_NONCE_BYTES);
		memset(message.challenge.nonce_balancer, byte, PROTO_NONCE_BYTES);
		assert_int_equal(deliver(bench, &message, NULL), REGISTER_ACCEPTED);
		take_registration(bench);
		assert_int_equal(bench->reg.nonce_balancer[0], byte);
		take_nothing(bench);
	}
	pass(bench);
	for (uint8_t byte = 1; byte <= 2; byte++) {
		take_registration(bench);
		assert_int_equal(bench->reg.nonce_balancer[0], byte);
	}
	take_nothing(bench);
	admit(bench);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
}

/* The version that it spoke with few has no place for many: that is not the one to begin with. */
static void register_asks_for_many_in_the_newest_version_first(void **state)
{
	struct bench *bench = *state;

	start(bench);
	take(bench, PROTO_HELLO);
	pass(bench);
	bench->version = PROTO_VERSION - 1;
	challenge(bench);
	take_register(bench);
	admit(bench);
	have(bench, PROTO_VIPS_WHOLE + 1);
	register_set_identity(bench->registration, &bench->identity, bench->now_us);
	assert_int_equal(
		register_set_status(bench->registration, &bench->status, bench->now_us), 0);
	assert_int_equal(take(bench, PROTO_HELLO)->message.version, PROTO_VERSION);
}

/* As many as an older version has are told in it. */
static void register_serves_an_older_balancer_with_few(void **state)
{
	struct bench *bench = *state;

	bench->version = PROTO_VERSION_VIPS - 1;
	have(bench, PROTO_VIPS_WHOLE);
	start(bench);
	take(bench, PROTO_HELLO);
	pass(bench);
	challenge(bench);
	take_register(bench);
	admit(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_int_equal(take(bench, PROTO_ANSWER)->message.version, PROTO_VERSION_VIPS - 1);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(register_says_many_vips_in_parts),
		FACT(register_says_the_most_there_is),
		FACT(register_repeats_its_parts_to_the_byte),
		FACT(register_counts_many_in_turns),
		FACT(register_does_not_serve_some_of_many),
		FACT(register_forgets_that_a_silent_balancer_was_too_old),
		FACT(register_is_not_kept_off_by_a_forged_older_version),
		FACT(register_takes_no_balancer_with_another_key_for_too_old),
		FACT(register_answers_several_challenges_with_all_its_parts),
		FACT(register_asks_for_many_in_the_newest_version_first),
		FACT(register_serves_an_older_balancer_with_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
