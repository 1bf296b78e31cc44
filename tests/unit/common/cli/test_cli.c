/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, tables and ages; standard output and error are caught in files. */
#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/cli/cli_verb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct seen {
	struct cli cli;
	char verb[64], args[4][64];
	char config[64], runtime_dir[64], state_dir[64];
	unsigned int n_runs;
	char output[4096], error[4096];
};

/* What cli points to ends with cli_main(): it is copied. */
static int seen_run(const struct cli *cli, void *context)
{
	struct seen *seen = context;

	seen->cli = *cli;
	snprintf(seen->verb, sizeof(seen->verb), "%s", cli->verb);
	for (size_t idx = 0; idx < cli->n_args; idx++)
		snprintf(seen->args[idx], sizeof(seen->args[idx]), "%s", cli->args[idx]);
	snprintf(seen->config, sizeof(seen->config), "%s", cli->config_path);
	snprintf(seen->runtime_dir, sizeof(seen->runtime_dir), "%s", cli->runtime_dir);
	snprintf(seen->state_dir, sizeof(seen->state_dir), "%s", cli->state_dir);
	seen->n_runs++;
	return 7;
}

static int call_run(const struct cli *cli, void *context)
{
	json_t *result;

	return cli_call(cli, "status", NULL, CLI_NOT_RUNNING, &result);
}

static int table_run(const struct cli *cli, void *context)
{
	static const struct cli_column columns[] = { { .title = "NAME" }, { "N", .right = true },
		{ .title = "STATE" }, { .title = "REASON" } };
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));

	cli_table_cell(table, "web1");
	cli_table_cell(table, "%d", 5);
	cli_table_state(table, "up");
	cli_table_cell(table, "%s", "");
	cli_table_cell(table, "web2");
	cli_table_cell(table, "%d", 12345);
	cli_table_state(table, "down");
	cli_table_cell(table, "%s", "no answer");
	cli_table_print(table);
	return 0;
}

static int json_run(const struct cli *cli, void *context)
{
	json_t *value = json_pack("{s:i}", "a", 1);

	cli_print_json(cli, value);
	json_decref(value);
	return 0;
}

static const struct cli_verb verbs[] = {
	{ .name = "status", .help = "what is", .run = seen_run },
	{ .name = "drain",
		.args_help = "BACKEND",
		.min_args = 1,
		.max_args = 1,
		.help = "drain",
		.run = seen_run,
		.takes_wait = true },
	{ .name = "weight",
		.args_help = "BACKEND N",
		.min_args = 2,
		.max_args = 2,
		.help = "set",
		.run = seen_run },
	{ .name = "run", .help = "serve", .run = seen_run, .takes_config = true },
	{ .name = "check-config",
		.help = "check",
		.run = seen_run,
		.takes_config = true,
		.takes_check = true },
	{ .name = "events", .help = "follow", .run = seen_run, .takes_follow = true },
	{ .name = "call", .help = "call", .run = call_run },
	{ .name = "table", .help = "table", .run = table_run },
	{ .name = "json", .help = "json", .run = json_run },
	{ .name = "top", .help = "later" },
	{ .name = "version", .help = "version" },
};

static const struct cli_program program = {
	.name = "dsr-lb",
	.summary = "A balancer.",
	.default_config = "/etc/dsr-lb/dsr-lb.conf",
	.default_runtime_dir = "/run/dsr-lb",
	.default_state_dir = "/var/lib/dsr-lb",
	.verbs = verbs,
	.n_verbs = ARRAY_LEN(verbs),
};

/* Redirects `stream` to a file; returns the descriptor to put back. */
static int catch_begin(FILE *stream, FILE *file)
{
	int kept = dup(fileno(stream));

	fflush(stream);
	dup2(fileno(file), fileno(stream));
	return kept;
}

static void catch_end(FILE *stream, FILE *file, int kept, char *ret_text, size_t size_bytes)
{
	fflush(stream);
	dup2(kept, fileno(stream));
	close(kept);
	rewind(file);
	ret_text[fread(ret_text, 1, size_bytes - 1, file)] = '\0';
	fclose(file);
}

/* Runs `dsr-lb WORDS…`, separated by blanks. */
static int run_words(struct seen *seen, const char *words)
{
	FILE *output = tmpfile(), *error = tmpfile();
	char *text = strdup(words), *state = NULL;
	char *argv[16] = { (char *)"dsr-lb" };
	int argc = 1, kept_output, kept_error, status;

	*seen = (struct seen){ 0 };
	for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
		argv[argc++] = word;
	kept_output = catch_begin(stdout, output);
	kept_error = catch_begin(stderr, error);
	status = cli_main(&program, argc, argv, seen);
	catch_end(stderr, error, kept_error, seen->error, sizeof(seen->error));
	catch_end(stdout, output, kept_output, seen->output, sizeof(seen->output));
	free(text);
	return status;
}

static void cli_takes_options_and_arguments_in_any_order(void **state)
{
	static const char *const orders[] = {
		"weight web1 3 --json --no-header",
		"weight --json web1 --no-header 3",
		"weight -j --no-header -- web1 3",
		"weight --no-header --json=short web1 3",
	};
	struct seen seen;

	ARRAY_FOREACH (order, orders, ARRAY_LEN(orders)) {
		assert_int_equal(run_words(&seen, *order), 7);
		assert_string_equal(seen.verb, "weight");
		assert_int_equal(seen.cli.n_args, 2);
		assert_string_equal(seen.args[0], "web1");
		assert_string_equal(seen.args[1], "3");
		assert_int_equal(seen.cli.json, CLI_JSON_SHORT);
		assert_false(seen.cli.header);
	}
}

static void cli_runs_status_without_a_verb(void **state)
{
	struct seen seen;

	assert_int_equal(run_words(&seen, ""), 7);
	assert_string_equal(seen.verb, "status");
	assert_int_equal(run_words(&seen, "--json=pretty"), 7);
	assert_int_equal(seen.cli.json, CLI_JSON_PRETTY);
	assert_int_equal(run_words(&seen, "--json drain web1"), CONTROL_USAGE);
	assert_non_null(strstr(seen.error, "options come after the verb"));
}

static void cli_takes_values_in_both_forms(void **state)
{
	struct seen seen;

	assert_int_equal(run_words(&seen, "run --config /a --runtime-dir=/b --state-dir /c"), 7);
	assert_string_equal(seen.config, "/a");
	assert_string_equal(seen.runtime_dir, "/b");
	assert_string_equal(seen.state_dir, "/c");
	assert_int_equal(run_words(&seen, "run --config=/a"), 7);
	assert_string_equal(seen.config, "/a");
	assert_int_equal(run_words(&seen, "run"), 7);
	assert_string_equal(seen.config, "/etc/dsr-lb/dsr-lb.conf");
	assert_int_equal(run_words(&seen, "run --config"), CONTROL_USAGE);
	assert_string_equal(seen.error, "dsr-lb: --config needs a value\n");
	assert_int_equal(run_words(&seen, "run --config="), CONTROL_USAGE);
}

static void cli_takes_wait_with_and_without_a_time(void **state)
{
	struct seen seen;

	assert_int_equal(run_words(&seen, "drain --wait web1"), 7);
	assert_true(seen.cli.wait);
	assert_int_equal(seen.cli.wait_us, 0);
	assert_string_equal(seen.args[0], "web1");
	assert_int_equal(run_words(&seen, "drain web1 --wait=5min"), 7);
	assert_int_equal(seen.cli.wait_us, 300 * US_PER_S);
	assert_int_equal(run_words(&seen, "drain web1 --wait=soon"), CONTROL_USAGE);
	assert_int_equal(run_words(&seen, "drain web1 --wait=0"), CONTROL_USAGE);
}

static void cli_refuses_wrong_usage(void **state)
{
	static const struct {
		const char *words, *error;
	} cases[] = {
		{ "statsu", "dsr-lb: unknown verb 'statsu'; did you mean 'status'?\n" },
		{ "zzzzzz", "dsr-lb: unknown verb 'zzzzzz'; `dsr-lb --help` lists them\n" },
		{ "status --jsn", "dsr-lb: unknown option '--jsn'; did you mean '--json'?\n" },
		{ "status -x", "dsr-lb: unknown option '-x'; --help lists them\n" },
		{ "status --wait", "dsr-lb: status: --wait does not apply\n" },
		{ "status --config x", "dsr-lb: status: --config does not apply\n" },
		{ "status -f", "dsr-lb: status: -f does not apply\n" },
		{ "status --no-header=1", "dsr-lb: --no-header takes no value\n" },
		{ "status --json=long",
			"dsr-lb: --json: 'long' is not understood; short or pretty\n" },
		{ "status --color=red",
			"dsr-lb: --color: 'red' is not understood; auto, always or never\n" },
		{ "drain", "dsr-lb: drain: an argument is missing; usage: dsr-lb drain BACKEND\n" },
		{ "drain a b",
			"dsr-lb: drain: 'b' is one argument too many; usage: dsr-lb drain BACKEND\n" },
	};
	struct seen seen;

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		assert_int_equal(run_words(&seen, test->words), CONTROL_USAGE);
		assert_string_equal(seen.error, test->error);
		assert_string_equal(seen.output, "");
		assert_int_equal(seen.n_runs, 0);
	}
}

static void cli_says_what_is_not_available(void **state)
{
	struct seen seen;

	assert_int_equal(run_words(&seen, "top"), CONTROL_UNAVAILABLE);
	assert_string_equal(seen.error, "dsr-lb: top: not available in this version\n");
	assert_int_equal(run_words(&seen, "top -w file --strange"), CONTROL_UNAVAILABLE);
	assert_string_equal(seen.error, "dsr-lb: top: not available in this version\n");
}

static void cli_helps_and_tells_its_version(void **state)
{
	struct seen seen;

	assert_int_equal(run_words(&seen, "--help"), 0);
	assert_non_null(strstr(seen.output, "Usage: dsr-lb"));
	assert_non_null(strstr(seen.output, "weight BACKEND N"));
	assert_non_null(strstr(seen.output, "Not available in this version: top\n"));
	/* Help is for those who do not know the arguments. */
	assert_int_equal(run_words(&seen, "drain --help"), 0);
	assert_int_equal(run_words(&seen, "--version"), 0);
	assert_string_equal(seen.output, "dsr-lb " DSR_VERSION "\n");
	assert_int_equal(run_words(&seen, "version"), 0);
	assert_string_equal(seen.output, "dsr-lb " DSR_VERSION "\n");
	assert_int_equal(run_words(&seen, "version --json"), 0);
	assert_string_equal(
		seen.output, "{\"program\":\"dsr-lb\",\"version\":\"" DSR_VERSION "\"}\n");
	assert_int_equal(seen.n_runs, 0);
}

static void cli_takes_directories_from_the_environment(void **state)
{
	struct seen seen;

	setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
	setenv("STATE_DIRECTORY", "/state", 1);
	assert_int_equal(run_words(&seen, "status"), 7);
	assert_string_equal(seen.runtime_dir, "/run/one");
	assert_string_equal(seen.state_dir, "/state");
	assert_int_equal(run_words(&seen, "status --runtime-dir /x"), 7);
	assert_string_equal(seen.runtime_dir, "/x");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("STATE_DIRECTORY");
	assert_int_equal(run_words(&seen, "status"), 7);
	assert_string_equal(seen.runtime_dir, "/run/dsr-lb");
	assert_string_equal(seen.state_dir, "/var/lib/dsr-lb");
}

static void cli_colours_only_where_asked(void **state)
{
	struct seen seen;

	/* Standard output is a file here. */
	run_words(&seen, "table");
	assert_null(strchr(seen.output, '\033'));
	setenv("NO_COLOR", "1", 1);
	run_words(&seen, "table --color=always");
	assert_non_null(strchr(seen.output, '\033'));
	run_words(&seen, "table --color=auto");
	assert_null(strchr(seen.output, '\033'));
	unsetenv("NO_COLOR");
	run_words(&seen, "table --color=never");
	assert_null(strchr(seen.output, '\033'));
}

static void cli_prints_tables(void **state)
{
	struct seen seen;

	run_words(&seen, "table");
	assert_string_equal(seen.output,
		"NAME     N STATE REASON\n"
		"web1     5 up    \n"
		"web2 12345 down  no answer\n");
	run_words(&seen, "table --no-header");
	assert_string_equal(seen.output,
		"web1     5 up    \n"
		"web2 12345 down  no answer\n");
}

static void cli_prints_json(void **state)
{
	struct seen seen;

	run_words(&seen, "json --json");
	assert_string_equal(seen.output, "{\"a\":1}\n");
	run_words(&seen, "json --json=pretty");
	assert_string_equal(seen.output, "{\n  \"a\": 1\n}\n");
}

static void cli_says_that_nobody_serves(void **state)
{
	struct seen seen;

	assert_int_equal(run_words(&seen, "call --runtime-dir /nonexistent"), 3);
	assert_string_equal(seen.error,
		"dsr-lb: not running: no daemon serves /nonexistent; start it with `systemctl start "
		"dsr-lb`, or name its directory with --runtime-dir\n");
}

static void cli_formats_ages_with_two_units_at_most(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ -5, "0s" },
		{ 0.9, "0s" },
		{ 59, "59s" },
		{ 60, "1min" },
		{ 62, "1min 2s" },
		{ 3599, "59min 59s" },
		{ 3600, "1h" },
		{ 3659, "1h" },
		{ 3660, "1h 1min" },
		{ 86400, "1d" },
		{ 90000.5, "1d 1h" },
		{ 8640000, "100d" },
		{ 1e300, "3645833d 8h" },
		{ __builtin_nan(""), "0s" },
	};
	char buffer[CLI_AGE_BYTES];

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases))
		assert_string_equal(cli_format_age(test->seconds, buffer), test->text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cli_takes_options_and_arguments_in_any_order),
		cmocka_unit_test(cli_runs_status_without_a_verb),
		cmocka_unit_test(cli_takes_values_in_both_forms),
		cmocka_unit_test(cli_takes_wait_with_and_without_a_time),
		cmocka_unit_test(cli_refuses_wrong_usage),
		cmocka_unit_test(cli_says_what_is_not_available),
		cmocka_unit_test(cli_helps_and_tells_its_version),
		cmocka_unit_test(cli_takes_directories_from_the_environment),
		cmocka_unit_test(cli_colours_only_where_asked),
		cmocka_unit_test(cli_prints_tables),
		cmocka_unit_test(cli_prints_json),
		cmocka_unit_test(cli_says_that_nobody_serves),
		cmocka_unit_test(cli_formats_ages_with_two_units_at_most),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
