/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that both programs have: `status`, `config` and `check-config --diff`; and what those that change print. */
#pragma once

#include <jansson.h>

struct cli;
struct ini_report;

/* What both daemons answer with the lines of ini_report_effective(). */
#define CLI_CONFIG_VERB "config"
/* And with ini_document(). */
#define CLI_CONFIG_KEYS_VERB "config-keys"

/*
 * The verb `status`: the daemon's document as JSON or by `print`. Returns the exit status: the
 * document's `health`, CLI_NOT_RUNNING or as of cli_call().
 */
typedef void cli_print_fn(const struct cli *cli, const json_t *document);
int cli_status(const struct cli *cli, cli_print_fn *print);
/* The verb `config`: the configuration in force, one line a key, with its place. Returns the exit status. */
int cli_config(const struct cli *cli);
/*
 * For check-config --diff: prints the lines of the configuration in force that the checked one lacks,
 * each after "- ", then its new ones, each after "+ "; as JSON {removed: [], added: []}. Returns the exit status.
 */
int cli_diff(const struct cli *cli, struct ini_report *report);
/* With --json, of a verb that has nothing to show: what the daemon answered, or {}. `result` may be NULL. */
void cli_print_done(const struct cli *cli, const json_t *result);
/* The first of `lines` that `others` have not; NULL: none, or one of them is NULL. Borrowed from `lines`. */
const char *cli_lacking_line(const json_t *lines, const json_t *others);
