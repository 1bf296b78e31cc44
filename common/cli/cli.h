/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line that both programs share: `PROGRAM [VERB] [OPTION…] [ARGUMENT…]`, options and
 * arguments of the verb in any order after it, one table of verbs for dispatch and --help; and the
 * output of the looking verbs: tables by libsmartcols, JSON by jansson.
 */
#pragma once

#include <jansson.h>

#include "common/control/control.h"
#include "common/util.h"

#define CLI_ARGS_MAX    8u
#define CLI_AGE_BYTES   32u
#define CLI_NOT_RUNNING 3 /* exit status of `status` */

enum cli_json {
	CLI_JSON_OFF,
	CLI_JSON_SHORT,
	CLI_JSON_PRETTY,
};

struct cli {
	const char *program;
	const char *verb; /* "status" when none was given */
	const char *args[CLI_ARGS_MAX];
	size_t n_args;
	const char *config_path; /* --config, or the program's default */
	bool config_given;
	const char *runtime_dir; /* --runtime-dir, $RUNTIME_DIRECTORY, or the default */
	const char *state_dir;   /* --state-dir, $STATE_DIRECTORY, or the default */
	enum cli_json json;      /* --json[=short|pretty], -j */
	bool header;             /* false with --no-header */
	bool color;              /* --color=auto|always|never, NO_COLOR, a terminal */
	bool wait;               /* --wait[=TIME] */
	uint64_t wait_us;        /* 0 with wait: no limit */
	bool follow;             /* -f */
	bool diff;               /* --diff */
	bool detach;             /* --detach-on-exit */
};

struct cli_verb {
	const char *name;
	const char *args_help; /* "BACKEND N" */
	size_t min_args, max_args;
	const char *help; /* one line */
	/*
	 * NULL: known, but not part of this version: status 69 (but for `version`, which cli_main
	 * serves itself).
	 */
	int (*run)(const struct cli *cli, void *context);
	bool takes_wait, takes_follow, takes_diff, takes_config, takes_detach;
};

struct cli_program {
	const char *name;    /* "dsr-lb" */
	const char *summary; /* one line for --help */
	const char *default_config;
	const char *default_runtime_dir;
	const char *default_state_dir;
	const struct cli_verb *verbs;
	size_t n_verbs;
};

/* Parses and runs; handles --help, --version, `version`; returns the exit status. */
int cli_main(const struct cli_program *program, int argc, char **argv, void *context);

/* One line on stderr: "PROGRAM: …". Returns `status`: `return cli_fail(cli, 64, "…");` */
int cli_fail(const struct cli *cli, int status, const char *format, ...) _printf_(3, 4);
/*
 * Calls the daemon; on a failure says so on stderr ("not running: no daemon serves DIR; start it
 * with …") and returns the exit status: `unreachable_status` (3 for status, else 69) or the daemon's.
 * 0 with `*ret_result` owned by the caller (may be NULL when the answer has none).
 */
int cli_call(const struct cli *cli, const char *verb, json_t *args, int unreachable_status,
	json_t **ret_result);
/*
 * The verb `status`: the daemon's document as JSON or by `print`. Returns the exit status: the
 * document's `health`, CLI_NOT_RUNNING or as of cli_call().
 */
typedef void cli_print_fn(const struct cli *cli, const json_t *document);
int cli_status(const struct cli *cli, cli_print_fn *print);
/*
 * For check-config --diff: prints the lines of the configuration in force, for which `verb` asks,
 * that the checked one lacks, each after old_mark, then its new ones, each after new_mark. Returns
 * the exit status.
 */
struct ini_report;
int cli_diff(const struct cli *cli, const char *verb, const char *old_mark, const char *new_mark,
	struct ini_report *report);
/* Prints JSON as asked for by --json (and a newline). */
void cli_print_json(const struct cli *cli, const json_t *value);

/* A table: columns, rows of text, printed with or without its header. */
struct cli_table;
struct cli_column {
	const char *title;
	bool right; /* numbers */
};
/* NULL when out of memory, which the functions below take, and the last one says. */
struct cli_table *cli_table_new(
	const struct cli *cli, const struct cli_column *columns, size_t n_columns);
/* Next cell of the current row, left to right; a new row begins by itself. */
void cli_table_cell(struct cli_table *table, const char *format, ...) _printf_(2, 3);
/* The same in a colour where colours are on: a state word ("up", "ready" green, "down", "not ready"
 * red, others yellow). */
void cli_table_state(struct cli_table *table, const char *state);
/* Prints (nothing, when there is no row) and frees. */
void cli_table_print(struct cli_table *table);

/* "3s", "5min 2s", "2h", "4d 7h" into `buffer` (CLI_AGE_BYTES): the largest two units at most. */
const char *cli_format_age(double seconds, char *buffer);
