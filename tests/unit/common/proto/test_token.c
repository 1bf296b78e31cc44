/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The token: one form, a checksum, and words for what is wrong. */
#include "common/proto/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Made by another implementation: python3, base64.urlsafe_b64encode(body + blake2b(body, digest_size=16)[:8]). */
static const char known[] =
	"dsr1-BG1haW4Ed2ViMQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAQTAAAICHNECBMYzZAoGIAENuAAPAAAAAAAAAAAAEJCCoZZHc0iS";

static struct token token_make(size_t n_balancers, size_t n_vips)
{
	struct token token = { .n_balancers = n_balancers, .n_vips = n_vips };

	memset(token.key.id, 'i', PROTO_KEY_ID_MAX);
	memset(token.key.agent, 'n', PROTO_NAME_MAX);
	memset(token.key.secret, 7, AUTH_KEY_BYTES);
	ARRAY_FOREACH (balancer, token.balancers, MIN(n_balancers, (size_t)TOKEN_BALANCERS_MAX))
		assert_int_equal(addr_port_parse("[2001:db8::2]:65535", false, balancer), 0);
	ARRAY_FOREACH (vip, token.vips, MIN(n_vips, (size_t)PROTO_VIPS_WHOLE))
		assert_int_equal(addr_parse("2001:db8:f::10", vip), 0);
	return token;
}

static void token_reads_a_known_one(void **state)
{
	struct token token;
	struct why why = { 0 };
	char text[TOKEN_BYTES], address[ADDR_STRLEN];

	assert_int_equal(token_parse(known, &token, &why), 0);
	assert_string_equal(token.key.id, "main");
	assert_string_equal(token.key.agent, "web1");
	assert_int_equal(token.key.secret[31], 31);
	assert_int_equal(token.n_balancers, 1);
	assert_int_equal(token.balancers[0].port, 7377);
	assert_string_equal(addr_format(&token.balancers[0].addr, address), "192.0.2.2");
	assert_int_equal(token.n_vips, 2);
	assert_string_equal(addr_format(&token.vips[1], address), "2001:db8:f::10");
	assert_int_equal(token_format(&token, text), 0);
	assert_string_equal(text, known);
}

static void token_may_be_as_long_as_can_be(void **state)
{
	struct token token = token_make(TOKEN_BALANCERS_MAX, PROTO_VIPS_WHOLE), again;
	struct why why = { 0 };
	char text[TOKEN_BYTES];

	assert_int_equal(token_format(&token, text), 0);
	assert_int_equal(token_parse(text, &again, &why), 0);
	assert_memory_equal(&again, &token, sizeof(token));
	token = token_make(TOKEN_BALANCERS_MAX + 1, 1);
	assert_int_equal(token_format(&token, text), -EINVAL);
	token = token_make(1, PROTO_VIPS_WHOLE + 1);
	assert_int_equal(token_format(&token, text), -EINVAL);
	token = token_make(0, 1);
	assert_int_equal(token_format(&token, text), -EINVAL);
	token = token_make(1, 0);
	assert_int_equal(token_format(&token, text), -EINVAL);
}

static void token_is_refused_at_every_change(void **state)
{
	struct token token;
	char text[sizeof(known)];

	for (size_t i = 0; i < sizeof(known) - 1; i++) {
		struct why why = { 0 };

		memcpy(text, known, sizeof(known));
		text[i] = text[i] == 'A' ? 'B' : 'A';
		assert_int_equal(token_parse(text, &token, &why), -EINVAL);
		assert_int_not_equal(why.text[0], 0);
		text[i] = '\0'; /* cut short */
		assert_int_equal(token_parse(text, &token, &why), -EINVAL);
	}
}

static void token_says_what_is_wrong(void **state)
{
	const struct {
		const char *text;
		const char *why; /* a part */
	} cases[] = {
		{ "", "does not begin with dsr1-" },
		{ "dsr1-", "does not begin with dsr1-" },
		{ "web1 hex:00", "does not begin with dsr1-" },
		{ "dsr2-AAAA", "another version" },
		{ "dsr1-A A", "none of a token's" },
		{ "dsr1-AAAAAAAAAAAAAAAA", "checksum" },
	};
	static char endless[2 * TOKEN_BYTES] = "dsr1-";
	struct token token;
	struct why why = { 0 };

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		assert_int_equal(token_parse(item->text, &token, &why), -EINVAL);
		assert_non_null(strstr(why.text, item->why));
	}
	memset(endless + 5, 'A', sizeof(endless) - 6);
	assert_int_equal(token_parse(endless, &token, &why), -EINVAL);
	assert_non_null(strstr(why.text, "too long"));
}

static int setup(void **state)
{
	return auth_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_reads_a_known_one),
		cmocka_unit_test(token_may_be_as_long_as_can_be),
		cmocka_unit_test(token_is_refused_at_every_change),
		cmocka_unit_test(token_says_what_is_wrong),
	};

	return cmocka_run_group_tests_name("token", tests, setup, NULL);
}
