/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words in lines of a width: none is lost, and none is cut that has room. */
#include "common/cli/cli_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/cli/cli.h"

static void text_has_as_many_columns_as_characters(void **state)
{
	assert_int_equal(cli_text_columns(""), 0);
	assert_int_equal(cli_text_columns("abc"), 3);
	assert_int_equal(cli_text_columns("a…ü"), 3);
}

static void line_ends_where_a_word_does(void **state)
{
	static const struct {
		const char *text;
		size_t columns, size_bytes;
	} cases[] = {
		{ "", 5, 0 },
		{ "abc def", 7, 7 },
		{ "abc def", 6, 3 },
		{ "abc def", 3, 3 },
		{ "abc def", 4, 3 },
		{ "abcdef", 4, 4 },  /* what there is room for */
		{ "a bcdef", 4, 1 }, /* the next line has more */
		{ "…… ab", 3, 6 },   /* three bytes each */
		{ "………", 2, 6 },     /* never within a character */
		{ "…", 0, 3 },       /* at least one */
		{ "ab", 0, 1 },
	};

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases))
		assert_int_equal(cli_text_line(each->text, each->columns), each->size_bytes);
}

static void assert_printed(size_t columns, unsigned int first, unsigned int others,
	const char *text, const char *expected)
{
	_cleanup_free_ char *printed = NULL;
	size_t size_bytes = 0;
	FILE *out = open_memstream(&printed, &size_bytes);

	assert_non_null(out);
	cli_text_print(out, columns, first, others, text);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(printed, expected);
}

static void text_is_wrapped_behind_its_indents(void **state)
{
	assert_printed(20, 2, 4, "one two three four five six",
		"  one two three four\n"
		"    five six\n");
	assert_printed(20, 2, 4, "", "");
	assert_printed(0, 2, 4, "one two three four five six", "one two three four five six\n");
	/* A terminal of a few columns gets lines that are too long, and all words. */
	assert_printed(3, 2, 4, "one two three", "  one two\n    three\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_as_many_columns_as_characters),
		cmocka_unit_test(line_ends_where_a_word_does),
		cmocka_unit_test(text_is_wrapped_behind_its_indents),
	};

	return cmocka_run_group_tests_name("cli_text", tests, NULL, NULL);
}
