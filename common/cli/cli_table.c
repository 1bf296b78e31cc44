/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the looking verbs print: tables by libsmartcols, JSON by jansson, ages. Called by the verbs;
 * knows no column's meaning but that of state words.
 */
#include "common/cli/cli_table.h"

#include <libsmartcols.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "common/cli/cli.h"

#define CLI_TABLE_LAST_MIN 24u /* columns of the terminal, for text that is wrapped */

struct cli_table {
	struct libscols_table *table;
	struct libscols_line *line; /* of the row that is being filled */
	size_t n_columns;
	size_t column; /* the next cell's */
	bool color;
	bool header;
	size_t *widths; /* of each column, in bytes: what its longest cell needs */
	bool wraps;     /* the last column is one of text */
	bool failed;    /* out of memory: said when it is printed */
};

static void cli_table_free(struct cli_table *table)
{
	scols_unref_table(table->table);
	free(table->widths);
	free(table);
}

struct cli_table *cli_table_new(
	const struct cli *cli, const struct cli_column *columns, size_t n_columns)
{
	struct cli_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->n_columns = n_columns;
	table->color = cli->color;
	table->header = cli->header;
	table->widths = calloc(n_columns, sizeof(*table->widths));
	table->wraps = !columns[n_columns - 1].right;
	table->table = scols_new_table();
	if (!table->table || !table->widths) {
		cli_table_free(table);
		return NULL;
	}
	scols_table_enable_colors(table->table, cli->color);
	scols_table_enable_noheadings(table->table, !cli->header);
	/* To a terminal it would cut what does not fit; a reason must never be lost. */
	scols_table_set_termforce(table->table, SCOLS_TERMFORCE_NEVER);
	for (size_t idx = 0; idx < n_columns; idx++) {
		table->widths[idx] = strlen(columns[idx].title);
		if (!scols_table_new_column(table->table, columns[idx].title, 0,
			    columns[idx].right             ? SCOLS_FL_RIGHT
				    : idx + 1 == n_columns ? SCOLS_FL_WRAP
							   : 0))
			table->failed = true;
	}
	return table;
}

/* Gives the next cell its text; NULL when there is no memory. */
static struct libscols_cell *cli_table_next(struct cli_table *table, const char *text)
{
	size_t column = table->column;

	if (table->failed)
		return NULL;
	table->widths[column] = MAX(table->widths[column], strlen(text));
	if (column == 0)
		table->line = scols_table_new_line(table->table, NULL);
	table->column = (column + 1) % table->n_columns;
	if (!table->line || scols_line_set_data(table->line, column, text) < 0) {
		table->failed = true;
		return NULL;
	}
	return scols_line_get_cell(table->line, column);
}

void cli_table_cell(struct cli_table *table, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	if (!table)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		table->failed = true;
	else
		(void)cli_table_next(table, text);
	va_end(arguments);
}

void cli_table_state(struct cli_table *table, const char *state)
{
	struct libscols_cell *cell = table ? cli_table_next(table, state) : NULL;
	const char *color = "yellow";

	if (streq(state, "up") || streq(state, "ready"))
		color = "green";
	else if (streq(state, "down") || streq(state, "not ready"))
		color = "red";
	if (cell && table->color)
		(void)scols_cell_set_color(cell, color);
}

/*
 * A terminal's width is for the last column to be wrapped in. Where the others leave it too little, the table is wider than
 * the terminal: libsmartcols would cut them.
 */
static void cli_table_fit(struct cli_table *table)
{
	struct winsize size;
	size_t others = 0;

	if (!table->wraps || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return;
	for (size_t idx = 0; idx + 1 < table->n_columns; idx++)
		others += table->widths[idx] + 1;
	(void)scols_table_set_termforce(table->table, SCOLS_TERMFORCE_ALWAYS);
	(void)scols_table_set_termwidth(
		table->table, MAX((size_t)size.ws_col, others + CLI_TABLE_LAST_MIN));
}

void cli_table_print_or(struct cli_table *table, const char *words)
{
	if (!table || table->failed) {
		fprintf(stderr, "out of memory\n");
	} else if (scols_table_get_nlines(table->table) > 0) {
		cli_table_fit(table);
		(void)scols_print_table(table->table);
	} else if (words && table->header) {
		printf("%s\n", words);
	}
	if (table)
		cli_table_free(table);
}

void cli_table_print(struct cli_table *table)
{
	cli_table_print_or(table, NULL);
}

void cli_print_json(const struct cli *cli, const json_t *value)
{
	size_t flags = cli->json == CLI_JSON_PRETTY ? JSON_INDENT(2) : JSON_COMPACT;

	if (json_dumpf(value, stdout, flags | JSON_ENCODE_ANY) == 0)
		putchar('\n');
}

const char *cli_format_age(double seconds, char *buffer)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	/* At most 10,000 years; what is no number compares as false. */
	uint64_t left = seconds > 3.15e11 ? UINT64_C(315000000000)
		: seconds > 0             ? (uint64_t)seconds
					  : 0;
	size_t idx = 0;

	while (idx + 1 < ARRAY_LEN(units) && left < units[idx].seconds)
		idx++;
	if (idx + 1 == ARRAY_LEN(units) || left % units[idx].seconds < units[idx + 1].seconds)
		snprintf(buffer, CLI_AGE_BYTES, "%llu%s",
			(unsigned long long)(left / units[idx].seconds), units[idx].name);
	else
		snprintf(buffer, CLI_AGE_BYTES, "%llu%s %llu%s",
			(unsigned long long)(left / units[idx].seconds), units[idx].name,
			(unsigned long long)(left % units[idx].seconds / units[idx + 1].seconds),
			units[idx + 1].name);
	return buffer;
}
