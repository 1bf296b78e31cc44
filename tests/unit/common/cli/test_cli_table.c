/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables in a terminal's width: what goes below, what is left out, and what never is. */
#include "common/cli/cli_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/cli/cli.h"

static const struct cli_column columns[] = {
	{ .title = "NAME" },
	{ "SERVES", .drop = 2 },
	{ .title = "STATE" },
	{ "COUNT", .right = true, .drop = 1 },
	{ "EXTRA", .right = true, .extra = true, .drop = 3 },
	{ .title = "REASON" },
};

static void fill(struct cli_table *table)
{
	cli_table_cell(table, "web");
	cli_table_words(table, "198.51.100.10 port 80");
	cli_table_state(table, "ready");
	cli_table_cell(table, "%d", 12345);
	cli_table_cell(table, "%s", "");
	cli_table_cell(table, "%s", "");
	cli_table_cell(table, "  web1");
	cli_table_cell(table, "192.0.2.11");
	cli_table_state(table, "down");
	cli_table_cell(table, "%d", 5);
	cli_table_cell(table, "7%%");
	cli_table_cell(table, "no answer to 3 heartbeats");
}

/* By these settings; `name` one more row with a name of its own, or NULL. */
static void assert_table(const struct cli *cli, const char *name, const char *expected)
{
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	FILE *output = tmpfile();
	int kept = dup(STDOUT_FILENO);
	char text[4096];

	fill(table);
	if (name) {
		cli_table_cell(table, "%s", name);
		for (size_t i = 1; i < ARRAY_LEN(columns); i++)
			cli_table_cell(table, "x");
	}
	fflush(stdout);
	dup2(fileno(output), STDOUT_FILENO);
	cli_table_print(table);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	rewind(output);
	text[fread(text, 1, sizeof(text) - 1, output)] = '\0';
	fclose(output);
	assert_string_equal(text, expected);
}

static void table_without_a_terminal_is_whole(void **state)
{
	assert_table(&(struct cli){ .header = true }, NULL,
		"NAME   SERVES                STATE COUNT REASON\n"
		"web    198.51.100.10 port 80 ready 12345 \n"
		"  web1 192.0.2.11            down      5 no answer to 3 heartbeats\n");
	assert_table(&(struct cli){ 0 }, NULL,
		"web    198.51.100.10 port 80 ready 12345 \n"
		"  web1 192.0.2.11            down      5 no answer to 3 heartbeats\n");
}

static void table_that_fits_is_whole_with_its_extras(void **state)
{
	assert_table(&(struct cli){ .header = true, .columns = 72 }, NULL,
		"NAME   SERVES                STATE COUNT EXTRA REASON\n"
		"web    198.51.100.10 port 80 ready 12345       \n"
		"  web1 192.0.2.11            down      5    7% no answer to 3 heartbeats\n");
}

static void table_puts_words_below_before_it_leaves_columns_out(void **state)
{
	assert_table(&(struct cli){ .header = true, .columns = 71 }, NULL,
		"NAME   SERVES     STATE COUNT EXTRA\n"
		"web               ready 12345\n"
		"    198.51.100.10 port 80\n"
		"  web1 192.0.2.11 down      5    7%\n"
		"      no answer to 3 heartbeats\n");
	assert_table(&(struct cli){ .header = true, .columns = 29 }, NULL,
		"NAME   SERVES     STATE COUNT\n"
		"web               ready 12345\n"
		"    198.51.100.10 port 80\n"
		"  web1 192.0.2.11 down      5\n"
		"      no answer to 3\n"
		"      heartbeats\n");
	assert_table(&(struct cli){ .columns = 18 }, NULL,
		"web    ready 12345\n"
		"    198.51.100.10\n"
		"      port 80\n"
		"  web1 down      5\n"
		"      no answer to\n"
		"      3 heartbeats\n");
}

static void table_gives_a_long_name_a_line_of_its_own(void **state)
{
	assert_table(&(struct cli){ .header = true, .columns = 40 },
		"  a-name-of-some-forty-letters-that-is-long",
		"NAME   SERVES     STATE COUNT EXTRA\n"
		"web               ready 12345\n"
		"    198.51.100.10 port 80\n"
		"  web1 192.0.2.11 down      5    7%\n"
		"      no answer to 3 heartbeats\n"
		"  a-name-of-some-forty-letters-that-is-l\n"
		"    ong\n"
		"       x          x         x     x\n"
		"      x\n");
}

static void table_keeps_colours_where_it_is_folded(void **state)
{
	assert_table(&(struct cli){ .header = true, .color = true, .columns = 29 }, NULL,
		"NAME   SERVES     STATE COUNT\n"
		"web               \033[32mready\033[0m 12345\n"
		"    198.51.100.10 port 80\n"
		"  web1 192.0.2.11 \033[31mdown \033[0m     5\n"
		"      no answer to 3\n"
		"      heartbeats\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_without_a_terminal_is_whole),
		cmocka_unit_test(table_that_fits_is_whole_with_its_extras),
		cmocka_unit_test(table_puts_words_below_before_it_leaves_columns_out),
		cmocka_unit_test(table_gives_a_long_name_a_line_of_its_own),
		cmocka_unit_test(table_keeps_colours_where_it_is_folded),
	};

	return cmocka_run_group_tests_name("cli_table", tests, NULL, NULL);
}
