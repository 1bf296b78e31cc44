/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of weights: as text, for all virtual servers and for single ones. */
#include "lb/registry/backend/weight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void weight_text_comes_back_as_it_was(void **state)
{
	static const char *const good[] = { "0", "1", "65535", "0%", "50%", "6553500%",
		"configured" };
	static const char *const bad[] = { "", "%", "-1", "+1", "65536", "6553501%", "1 ", "5%%",
		"5%x", "0x5", "configure", "99999999999999999999", "99999999999999999999%" };
	char text[WEIGHT_TEXT_BYTES];
	struct weight_word word;

	ARRAY_FOREACH (each, good, ARRAY_LEN(good)) {
		assert_int_equal(weight_parse(*each, &word), 0);
		assert_string_equal(weight_format(word, text), *each);
	}
	ARRAY_FOREACH (each, bad, ARRAY_LEN(bad))
		assert_int_equal(weight_parse(*each, &word), -EINVAL);
}

static void say(struct weight_words *words, const char *virtual_server, const char *text)
{
	struct weight_word word;

	assert_int_equal(weight_parse(text, &word), 0);
	assert_int_equal(weight_say(words, virtual_server, &word), 0);
}

static void weight_of_a_virtual_server_goes_before_that_of_all(void **state)
{
	struct weight_words words = { 0 };

	assert_int_equal(weight_of(&words, "web", 3), 3);
	assert_false(weight_is_said(&words));
	say(&words, NULL, "200%");
	say(&words, "web", "7");
	say(&words, "mail", "configured");
	assert_int_equal(weight_of(&words, "web", 3), 7);
	assert_int_equal(weight_of(&words, "mail", 3), 3);
	assert_int_equal(weight_of(&words, "dns", 3), 6);
	assert_true(weight_is_said(&words));
	/* What is said of all is said of each. */
	say(&words, NULL, "configured");
	assert_int_equal(weight_of(&words, "web", 3), 3);
	assert_false(weight_is_said(&words));
	say(&words, "web", "configured");
	assert_false(weight_is_said(&words));
	say(&words, "web", "1");
	assert_true(weight_is_said(&words));
	weight_clear(&words);
}

static void weight_share_is_rounded_and_nothing_only_of_nothing(void **state)
{
	static const struct {
		const char *share;
		uint32_t configured, weight;
	} cases[] = { { "50%", 10, 5 }, { "50%", 5, 3 }, { "1%", 10, 1 }, { "0%", 10, 0 },
		{ "50%", 0, 0 }, { "6553500%", 1, 65535 }, { "200%", 65535, 65535 } };

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		struct weight_words words = { 0 };

		say(&words, NULL, each->share);
		assert_int_equal(weight_of(&words, "web", each->configured), each->weight);
	}
}

static void weight_has_room_for_so_many_virtual_servers(void **state)
{
	struct weight_word word = { WEIGHT_NUMBER, 2 };
	struct weight_words words = { 0 }, copy = { 0 };
	char name[WEIGHT_NAME_BYTES];

	for (size_t i = 0; i < WEIGHT_NAMED_MAX; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		assert_int_equal(weight_say(&words, name, &word), 0);
	}
	assert_int_equal(weight_say(&words, "one-more", &word), -ENOSPC);
	word.number = 3;
	assert_int_equal(weight_say(&words, "17", &word), 0);
	assert_int_equal(weight_copy(&words, &copy), 0);
	weight_clear(&words);
	assert_int_equal(weight_of(&copy, "17", 1), 3);
	assert_int_equal(weight_of(&copy, "18", 1), 2);
	assert_int_equal(weight_of(&copy, "one-more", 1), 1);
	weight_clear(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weight_text_comes_back_as_it_was),
		cmocka_unit_test(weight_of_a_virtual_server_goes_before_that_of_all),
		cmocka_unit_test(weight_share_is_rounded_and_nothing_only_of_nothing),
		cmocka_unit_test(weight_has_room_for_so_many_virtual_servers),
	};

	return cmocka_run_group_tests_name("weight", tests, NULL, NULL);
}
