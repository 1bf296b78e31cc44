/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The output of the looking verbs: tables by libsmartcols, JSON by jansson, ages. */
#pragma once

#include <jansson.h>

#include "common/util.h"

struct cli;

#define CLI_AGE_BYTES 32u

/* Prints JSON as asked for by --json (and a newline). */
void cli_print_json(const struct cli *cli, const json_t *value);

/* A table: columns, rows of text, printed with or without its header. */
struct cli_table;
struct cli_column {
	const char *title;
	bool right;        /* numbers */
	bool extra;        /* on terminals alone: what scripts read stays as it is */
	unsigned int drop; /* where a terminal is too narrow the highest goes first; 0: never */
};
/*
 * On a terminal nothing is wider than it, and no word is cut or lost: where a row has no room, the last column, if it is
 * one of text, is wrapped in lines below it, and then columns are left out. `columns` must outlive the table.
 * NULL when out of memory, which the functions below take, and the last one says.
 */
struct cli_table *cli_table_new(
	const struct cli *cli, const struct cli_column *columns, size_t n_columns);
/* Next cell of the current row, left to right; a new row begins by itself. */
void cli_table_cell(struct cli_table *table, const char *format, ...) _printf_(2, 3);
/* The same, of words that stand in a line below where the row has no room for them. */
void cli_table_words(struct cli_table *table, const char *format, ...) _printf_(2, 3);
/* The same in a colour where colours are on: a state word ("up", "ready" green, "down", "not ready"
 * red, others yellow). */
void cli_table_state(struct cli_table *table, const char *state);
/* Prints (nothing, when there is no row) and frees. */
void cli_table_print(struct cli_table *table);
/* The same; without a row these words, where there would be a header. NULL: none. */
void cli_table_print_or(struct cli_table *table, const char *words);

/* "3s", "5min 2s", "2h", "4d 7h" into `buffer` (CLI_AGE_BYTES): the largest two units at most. */
const char *cli_format_age(double seconds, char *buffer);
