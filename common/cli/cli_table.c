/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the looking verbs print: tables by libsmartcols, JSON by jansson, ages. Called by the verbs;
 * knows no column's meaning but that of state words.
 */
#include "common/cli/cli_table.h"

#include <libsmartcols.h>
#include <stdarg.h>

#include "common/cli/cli.h"
#include "common/cli/cli_text.h"
#include "common/grow.h"

#define CLI_TABLE_INDENT   4u  /* of a line below its row */
#define CLI_TABLE_NAME_MIN 24u /* columns that a name has, however narrow the terminal is */

/* What a row has no room for. */
struct cli_table_text {
	const struct libscols_line *line;
	size_t column;
	char *text;
};

struct cli_table_texts {
	struct cli_table_text *items;
	size_t len;
};

struct cli_table_width {
	size_t whole, folded; /* of the longest cell; without those that go below */
	bool remains;         /* a cell has a text that does not go below */
	bool hidden;
};

struct cli_table {
	struct libscols_table *table;
	struct libscols_line *line; /* of the row that is being filled */
	const struct cli_column *columns;
	size_t n_columns;
	size_t column; /* the next cell's */
	size_t room;   /* columns of the terminal; 0: it is none */
	bool color;
	bool header;
	struct cli_table_width *widths; /* of each column */
	struct cli_table_texts words;   /* cells that may go below, row by row */
	bool failed;                    /* out of memory: said when it is printed */
};

static void cli_table_texts_clear(struct cli_table_texts *texts)
{
	ARRAY_FOREACH (item, texts->items, texts->len)
		free(item->text);
	free(texts->items);
}

static void cli_table_free(struct cli_table *table)
{
	struct libscols_iter *rows = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *line;

	while (rows && table->table && scols_table_next_line(table->table, rows, &line) == 0)
		free(scols_line_get_userdata(line));
	scols_free_iter(rows);
	scols_unref_table(table->table);
	cli_table_texts_clear(&table->words);
	free(table->widths);
	free(table);
}

static void cli_table_hide(struct cli_table *table, size_t column)
{
	table->widths[column].hidden = true;
	(void)scols_column_set_flags(scols_table_get_column(table->table, column), SCOLS_FL_HIDDEN);
}

struct cli_table *cli_table_new(
	const struct cli *cli, const struct cli_column *columns, size_t n_columns)
{
	struct cli_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->n_columns = n_columns;
	table->room = cli->columns;
	table->color = cli->color;
	table->header = cli->header;
	table->widths = calloc(n_columns, sizeof(*table->widths));
	table->table = scols_new_table();
	if (!table->table || !table->widths) {
		cli_table_free(table);
		return NULL;
	}
	scols_table_enable_colors(table->table, cli->color);
	scols_table_enable_noheadings(table->table, !cli->header);
	/* To a terminal it would cut what does not fit. */
	scols_table_set_termforce(table->table, SCOLS_TERMFORCE_NEVER);
	for (size_t idx = 0; idx < n_columns; idx++) {
		/* Also of a header that is not shown: libsmartcols keeps its room. */
		table->widths[idx].whole = table->widths[idx].folded =
			cli_text_columns(columns[idx].title);
		if (!scols_table_new_column(table->table, columns[idx].title, 0,
			    columns[idx].right ? SCOLS_FL_RIGHT : 0))
			table->failed = true;
		else if (columns[idx].extra && table->room == 0)
			cli_table_hide(table, idx);
	}
	return table;
}

static int cli_table_keep(struct cli_table_texts *texts, const struct libscols_line *line,
	size_t column, const char *text)
{
	struct cli_table_text *item;

	if (GROW(texts->items, texts->len) < 0)
		return -ENOMEM;
	item = &texts->items[texts->len];
	*item = (struct cli_table_text){ line, column, strdup(text) };
	if (!item->text)
		return -ENOMEM;
	texts->len++;
	return 0;
}

/* Gives the next cell its text; NULL when there is no memory. */
static struct libscols_cell *cli_table_next(struct cli_table *table, const char *text, bool words)
{
	size_t column = table->column, width = cli_text_columns(text);

	if (table->failed)
		return NULL;
	table->widths[column].whole = MAX(table->widths[column].whole, width);
	if (!words) {
		table->widths[column].folded = MAX(table->widths[column].folded, width);
		table->widths[column].remains |= width > 0;
	}
	if (column == 0)
		table->line = scols_table_new_line(table->table, NULL);
	table->column = (column + 1) % table->n_columns;
	if (!table->line || scols_line_set_data(table->line, column, text) < 0 ||
		(words && cli_table_keep(&table->words, table->line, column, text) < 0)) {
		table->failed = true;
		return NULL;
	}
	return scols_line_get_cell(table->line, column);
}

static _printf_(3, 0) void cli_table_add(
	struct cli_table *table, bool words, const char *format, va_list arguments)
{
	_cleanup_free_ char *text = NULL;

	if (!table)
		return;
	if (vasprintf(&text, format, arguments) < 0)
		table->failed = true;
	else
		(void)cli_table_next(table, text, words);
}

void cli_table_cell(struct cli_table *table, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cli_table_add(table, false, format, arguments);
	va_end(arguments);
}

void cli_table_words(struct cli_table *table, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cli_table_add(table, true, format, arguments);
	va_end(arguments);
}

void cli_table_state(struct cli_table *table, const char *state)
{
	struct libscols_cell *cell = table ? cli_table_next(table, state, false) : NULL;
	const char *color = "yellow";

	if (streq(state, "up") || streq(state, "ready"))
		color = "green";
	else if (streq(state, "down") || streq(state, "not ready"))
		color = "red";
	if (cell && table->color)
		(void)scols_cell_set_color(cell, color);
}

/* Of a row, with one blank between columns. */
static size_t cli_table_width(const struct cli_table *table, bool folded)
{
	size_t width = 0;

	ARRAY_FOREACH (each, table->widths, table->n_columns)
		if (!each->hidden)
			width += (folded ? each->folded : each->whole) + 1;
	return width - 1;
}

/* The next column to be left out; `n_columns`: there is none. */
static size_t cli_table_dispensable(const struct cli_table *table)
{
	size_t found = table->n_columns;
	unsigned int drop = 0;

	for (size_t idx = 0; idx < table->n_columns; idx++)
		if (!table->widths[idx].hidden && table->columns[idx].drop > drop) {
			drop = table->columns[idx].drop;
			found = idx;
		}
	return found;
}

static const char *cli_table_text(struct libscols_line *line, size_t column)
{
	const char *text = scols_cell_get_data(scols_line_get_cell(line, column));

	return text ? text : "";
}

/* The first column that is shown. */
static size_t cli_table_first(const struct cli_table *table)
{
	size_t idx = 0;

	while (idx + 1 < table->n_columns && table->widths[idx].hidden)
		idx++;
	return idx;
}

/* Gives a line of its own, above what else its row holds, to what the first column has no `room` for. */
static void cli_table_lift(struct cli_table *table, size_t room)
{
	struct libscols_iter *rows = scols_new_iter(SCOLS_ITER_FORWARD);
	size_t first = cli_table_first(table);
	size_t width = cli_text_columns(table->columns[first].title);
	struct libscols_line *line;

	while (rows && scols_table_next_line(table->table, rows, &line) == 0) {
		const char *text = cli_table_text(line, first);
		char *lifted;

		if (cli_text_columns(text) <= room || scols_line_get_userdata(line)) {
			width = MAX(width, cli_text_columns(text));
			continue;
		}
		lifted = strdup(text);
		(void)scols_line_set_userdata(line, lifted);
		if (!lifted || scols_line_set_data(line, first, "") < 0)
			table->failed = true;
	}
	table->widths[first].folded = width;
	scols_free_iter(rows);
}

static void cli_table_leave_out(struct cli_table *table)
{
	while (cli_table_width(table, true) > table->room) {
		size_t column = cli_table_dispensable(table);

		if (column == table->n_columns)
			return;
		cli_table_hide(table, column);
	}
}

/* Makes rows as narrow as the terminal. False: they are, with everything in them. */
static bool cli_table_fold(struct cli_table *table)
{
	size_t last = table->n_columns - 1, others;

	if (table->room == 0 || cli_table_width(table, false) <= table->room)
		return false;
	if (!table->columns[last].right)
		cli_table_hide(table, last);
	ARRAY_FOREACH (item, table->words.items, table->words.len)
		if (!table->widths[item->column].remains)
			cli_table_hide(table, item->column);
	/* One long name must not cost all others their columns. */
	if (cli_table_width(table, true) > table->room)
		cli_table_lift(table, MAX(table->room / 3, (size_t)CLI_TABLE_NAME_MIN));
	cli_table_leave_out(table);
	ARRAY_FOREACH (item, table->words.items, table->words.len)
		if (scols_line_set_data((struct libscols_line *)item->line, item->column, "") < 0)
			table->failed = true;
	others = cli_table_width(table, true) - table->widths[cli_table_first(table)].folded;
	if (cli_table_width(table, true) > table->room)
		cli_table_lift(table, table->room - MIN(table->room, others));
	return true;
}

/* Words from `indent` on, behind the blanks that they begin with. */
static void cli_table_print_text(
	const struct cli_table *table, const char *text, size_t indent, size_t more)
{
	size_t blanks = strspn(text, " ");

	cli_text_print(stdout, table->room, (unsigned int)(blanks + indent),
		(unsigned int)(blanks + indent + more), text + blanks);
}

/* What has a line below this row; `*at` moves on. */
static void cli_table_print_words(
	const struct cli_table *table, const struct libscols_line *line, size_t indent, size_t *at)
{
	for (; *at < table->words.len && table->words.items[*at].line == line; (*at)++)
		cli_table_print_text(table, table->words.items[*at].text, indent, 2);
}

/* The next line of what was rendered, without the blanks at its end; what follows it. */
static const char *cli_table_print_line(const char *rendered)
{
	size_t size_bytes = strcspn(rendered, "\n"), shown = size_bytes;

	while (shown > 0 && rendered[shown - 1] == ' ')
		shown--;
	printf("%.*s\n", (int)shown, rendered);
	return rendered + size_bytes + (rendered[size_bytes] == '\n');
}

/* `rendered` is a line for each row, behind that of the header. */
static void cli_table_print_rows(struct cli_table *table, const char *rendered)
{
	struct libscols_iter *rows = scols_new_iter(SCOLS_ITER_FORWARD);
	size_t first = cli_table_first(table), last = table->n_columns - 1, at_words = 0;
	struct libscols_line *line;

	if (table->header)
		rendered = cli_table_print_line(rendered);
	while (rows && scols_table_next_line(table->table, rows, &line) == 0) {
		const char *lifted = scols_line_get_userdata(line);
		const char *name = lifted ? lifted : cli_table_text(line, first);
		size_t indent = CLI_TABLE_INDENT + strspn(name, " ");

		if (lifted)
			cli_table_print_text(table, lifted, 0, 2);
		rendered = cli_table_print_line(rendered);
		cli_table_print_words(table, line, indent, &at_words);
		if (table->widths[last].hidden && !table->columns[last].right)
			cli_table_print_text(table, cli_table_text(line, last), indent, 0);
	}
	scols_free_iter(rows);
}

static void cli_table_print_folded(struct cli_table *table)
{
	_cleanup_free_ char *rendered = NULL;
	size_t size_bytes = 0;
	FILE *stream = open_memstream(&rendered, &size_bytes);

	if (stream) {
		(void)scols_table_set_stream(table->table, stream);
		(void)scols_print_table(table->table);
		if (fclose(stream) < 0)
			table->failed = true;
	}
	if (stream && rendered && !table->failed)
		cli_table_print_rows(table, rendered);
	else
		fprintf(stderr, "out of memory\n");
}

void cli_table_print_or(struct cli_table *table, const char *words)
{
	if (!table || table->failed) {
		fprintf(stderr, "out of memory\n");
	} else if (scols_table_get_nlines(table->table) > 0) {
		if (cli_table_fold(table))
			cli_table_print_folded(table);
		else
			(void)scols_print_table(table->table);
	} else if (words && table->header) {
		cli_text_print(stdout, table->room, 0, 0, words);
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
