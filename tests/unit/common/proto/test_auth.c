/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tags, challenges, session keys and the replay window. The key file is test_keyring.c. */
#include "common/proto/auth.h"
#include "common/proto/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_US UINT64_C(1000000000)

static const uint8_t secret_a[AUTH_KEY_BYTES] = { 1 };
static const uint8_t secret_b[AUTH_KEY_BYTES] = { 2 };
static const uint8_t nonce_a[PROTO_NONCE_BYTES] = { 3 };
static const uint8_t nonce_b[PROTO_NONCE_BYTES] = { 4 };

static struct addr_port endpoint(const char *text)
{
	struct addr_port parsed;

	assert_int_equal(addr_port_parse(text, false, &parsed), 0);
	return parsed;
}

static void auth_opens_what_it_sealed(void **state)
{
	uint8_t data[100] = { 42 };

	auth_seal(data, sizeof(data), secret_a);
	assert_true(auth_open(data, sizeof(data), secret_a));
	assert_false(auth_open(data, sizeof(data), secret_b));
}

/* Computed by another implementation: python3 hashlib.blake2b(b"DSRP", key=…, digest_size=32). */
static void auth_tag_is_keyed_blake2b(void **state)
{
	static const uint8_t expected[] = { 0x0c, 0xb6, 0x29, 0x18, 0xfe, 0x43, 0x79, 0x73, 0xea,
		0x34, 0x03, 0xd9, 0xed, 0x6c, 0xe5, 0x07, 0x2c, 0x8e, 0x26, 0x13, 0x51, 0x9b, 0xcd,
		0x56, 0x13, 0xa7, 0xf7, 0x20, 0x6a, 0x77, 0xc2, 0x04 };
	uint8_t data[4 + PROTO_TAG_BYTES] = "DSRP";

	auth_seal(data, sizeof(data), secret_a);
	assert_memory_equal(data + 4, expected, sizeof(expected));
}

/* The same: hashlib.blake2b(b"dsr agent key 1\\0web1", key=…, digest_size=32). */
static void auth_derives_the_key_of_a_name(void **state)
{
	static const uint8_t expected[] = { 0xf4, 0x1e, 0x2a, 0xc0, 0x73, 0x8b, 0xe4, 0xa8, 0x03,
		0xd2, 0xc1, 0x3f, 0x47, 0xb1, 0x4d, 0x4f, 0x05, 0x48, 0x60, 0x63, 0x46, 0xc2, 0xfc,
		0x64, 0xae, 0xe0, 0xaf, 0xfc, 0x34, 0x21, 0xea, 0x12 };
	uint8_t web1[AUTH_KEY_BYTES], web2[AUTH_KEY_BYTES], other[AUTH_KEY_BYTES];

	auth_agent_derive(secret_a, "web1", web1);
	auth_agent_derive(secret_a, "web2", web2);
	auth_agent_derive(secret_b, "web1", other);
	assert_memory_equal(web1, expected, sizeof(expected));
	assert_memory_not_equal(web1, web2, sizeof(web1));
	assert_memory_not_equal(web1, other, sizeof(web1));
}

static void auth_refuses_every_flipped_bit(void **state)
{
	uint8_t data[70] = { 42 };

	auth_seal(data, sizeof(data), secret_a);
	for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_false(auth_open(data, sizeof(data), secret_a));
		data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

static void auth_refuses_less_than_a_tag(void **state)
{
	uint8_t data[PROTO_TAG_BYTES] = { 0 };

	assert_false(auth_open(data, sizeof(data) - 1, secret_a));
	assert_false(auth_open(data, 0, secret_a));
}

static void auth_challenge_holds_for_its_source_and_nonce_only(void **state)
{
	struct addr_port source = endpoint("192.0.2.1:7377"), other;
	uint8_t nonce[PROTO_NONCE_BYTES];
	uint64_t made_us = 0;

	auth_challenge_make(secret_a, &source, nonce_a, NOW_US, nonce);
	assert_true(auth_challenge_check(secret_a, &source, nonce_a, nonce, NOW_US, &made_us));
	assert_int_equal(made_us, NOW_US);
	assert_false(auth_challenge_check(secret_b, &source, nonce_a, nonce, NOW_US, &made_us));
	assert_false(auth_challenge_check(secret_a, &source, nonce_b, nonce, NOW_US, &made_us));
	other = endpoint("192.0.2.1:7378");
	assert_false(auth_challenge_check(secret_a, &other, nonce_a, nonce, NOW_US, &made_us));
	other = endpoint("192.0.2.2:7377");
	assert_false(auth_challenge_check(secret_a, &other, nonce_a, nonce, NOW_US, &made_us));
	for (size_t i = 0; i < sizeof(nonce); i++) {
		nonce[i] ^= 1;
		assert_false(
			auth_challenge_check(secret_a, &source, nonce_a, nonce, NOW_US, &made_us));
		nonce[i] ^= 1;
	}
}

static void auth_challenge_ages(void **state)
{
	struct addr_port source = endpoint("[2001:db8::1]:7377");
	const uint64_t last_us = NOW_US + AUTH_CHALLENGE_VALID_US;
	uint8_t nonce[PROTO_NONCE_BYTES];
	uint64_t made_us;

	auth_challenge_make(secret_a, &source, nonce_a, NOW_US, nonce);
	assert_true(auth_challenge_check(secret_a, &source, nonce_a, nonce, last_us, &made_us));
	assert_false(
		auth_challenge_check(secret_a, &source, nonce_a, nonce, last_us + 1, &made_us));
	assert_false(auth_challenge_check(secret_a, &source, nonce_a, nonce, NOW_US - 1, &made_us));
}

static void auth_session_keys_differ_by_every_input(void **state)
{
	struct auth_session_keys keys[5];

	auth_session_derive(secret_a, nonce_a, nonce_b, 1, &keys[0]);
	auth_session_derive(secret_b, nonce_a, nonce_b, 1, &keys[1]);
	auth_session_derive(secret_a, nonce_b, nonce_b, 1, &keys[2]);
	auth_session_derive(secret_a, nonce_a, nonce_a, 1, &keys[3]);
	auth_session_derive(secret_a, nonce_a, nonce_b, 2, &keys[4]);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		assert_memory_not_equal(keys[i].to_agent, keys[i].to_balancer, AUTH_KEY_BYTES);
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(keys[i].to_agent, keys[j].to_agent, AUTH_KEY_BYTES);
			assert_memory_not_equal(
				keys[i].to_balancer, keys[j].to_balancer, AUTH_KEY_BYTES);
		}
	}
}

static void auth_replay_takes_each_sequence_once(void **state)
{
	struct auth_replay window = { 0 };

	assert_false(auth_replay_is_new(&window, 0));
	for (uint64_t sequence = 1; sequence < 200; sequence++) {
		assert_true(auth_replay_is_new(&window, sequence));
		assert_true(auth_replay_is_new(&window, sequence)); /* looking moves nothing */
		auth_replay_move(&window, sequence);
		assert_false(auth_replay_is_new(&window, sequence));
	}
}

static void auth_replay_takes_reordered_ones_within_the_window(void **state)
{
	struct auth_replay window = { 0 };
	const uint64_t newest = 1000;

	auth_replay_move(&window, newest);
	for (uint64_t age = AUTH_REPLAY_WINDOW - 1; age > 0; age--) {
		assert_true(auth_replay_is_new(&window, newest - age));
		auth_replay_move(&window, newest - age);
		assert_false(auth_replay_is_new(&window, newest - age));
	}
	assert_false(auth_replay_is_new(&window, newest - AUTH_REPLAY_WINDOW));
	assert_false(auth_replay_is_new(&window, newest - AUTH_REPLAY_WINDOW - 1));
}

static void auth_replay_survives_leaps(void **state)
{
	struct auth_replay window = { 0 };

	auth_replay_move(&window, 1);
	auth_replay_move(&window, 1 + AUTH_REPLAY_WINDOW - 1);
	assert_false(auth_replay_is_new(&window, 1));
	auth_replay_move(&window, 1 + AUTH_REPLAY_WINDOW);
	assert_false(auth_replay_is_new(&window, 1));
	assert_true(auth_replay_is_new(&window, 2));
	auth_replay_move(&window, UINT64_MAX);
	assert_false(auth_replay_is_new(&window, UINT64_MAX));
	assert_true(auth_replay_is_new(&window, UINT64_MAX - 1));
	assert_false(auth_replay_is_new(&window, 2));
	auth_replay_move(&window, 2); /* too old: nothing happens */
	assert_true(window.newest == UINT64_MAX);
}

static void auth_fingerprint_tells_keys_apart(void **state)
{
	struct keyring_key a = { .id = "a", .secret = { 1 } }, b = a;

	assert_true(auth_fingerprint(a.secret, a.id) == auth_fingerprint(b.secret, b.id));
	b.secret[31] = 1;
	assert_true(auth_fingerprint(a.secret, a.id) != auth_fingerprint(b.secret, b.id));
	b = a;
	snprintf(b.id, sizeof(b.id), "%s", "b");
	assert_true(auth_fingerprint(a.secret, a.id) != auth_fingerprint(b.secret, b.id));
}

static int setup(void **state)
{
	return auth_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_opens_what_it_sealed),
		cmocka_unit_test(auth_tag_is_keyed_blake2b),
		cmocka_unit_test(auth_derives_the_key_of_a_name),
		cmocka_unit_test(auth_refuses_every_flipped_bit),
		cmocka_unit_test(auth_refuses_less_than_a_tag),
		cmocka_unit_test(auth_challenge_holds_for_its_source_and_nonce_only),
		cmocka_unit_test(auth_challenge_ages),
		cmocka_unit_test(auth_session_keys_differ_by_every_input),
		cmocka_unit_test(auth_replay_takes_each_sequence_once),
		cmocka_unit_test(auth_replay_takes_reordered_ones_within_the_window),
		cmocka_unit_test(auth_replay_survives_leaps),
		cmocka_unit_test(auth_fingerprint_tells_keys_apart),
	};

	return cmocka_run_group_tests_name("auth", tests, setup, NULL);
}
