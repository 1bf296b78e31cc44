/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of both programs: verbs, options, help, and the call to the daemon. Called by
 * their main.c; knows no verb but `version`, and no program.
 */
#include "common/cli/cli.h"

#include <stdarg.h>
#include <sys/ioctl.h>

#include "common/control/control_call.h"
#include "common/ini/ini_value.h"
#include "common/suggest.h"

/* A daemon that does not answer a verb within this time is stuck; --wait adds its own. */
#define CLI_CALL_US (30 * US_PER_S)

enum cli_option_id {
	CLI_HELP,
	CLI_VERSION,
	CLI_CONFIG,
	CLI_RUNTIME_DIR,
	CLI_STATE_DIR,
	CLI_JSON,
	CLI_NO_HEADER,
	CLI_COLOR,
	CLI_WAIT,
	CLI_FOLLOW,
	CLI_DIFF,
	CLI_NO_KEYS,
	CLI_DETACH,
	CLI_FORMAT,
	CLI_ONCE,
	CLI_STATS,
	CLI_RATE,
	CLI_LINGER,
	CLI_WRITE,
	CLI_COUNT,
	CLI_CLIENT,
	CLI_VIP,
	CLI_BACKEND,
	CLI_LIMIT,
	CLI_FLUSH,
};

enum cli_value {
	CLI_VALUE_NONE,
	CLI_VALUE_REQUIRED, /* `--x VALUE` or `--x=VALUE` */
	CLI_VALUE_OPTIONAL, /* only `--x=VALUE`, so that an argument may follow */
};

struct cli_option {
	const char *name; /* with its hyphens */
	enum cli_option_id id;
	enum cli_value value;
};

static const struct cli_option cli_options[] = {
	{ "--help", CLI_HELP, CLI_VALUE_NONE },
	{ "-h", CLI_HELP, CLI_VALUE_NONE },
	{ "--version", CLI_VERSION, CLI_VALUE_NONE },
	{ "--config", CLI_CONFIG, CLI_VALUE_REQUIRED },
	{ "--runtime-dir", CLI_RUNTIME_DIR, CLI_VALUE_REQUIRED },
	{ "--state-dir", CLI_STATE_DIR, CLI_VALUE_REQUIRED },
	{ "--json", CLI_JSON, CLI_VALUE_OPTIONAL },
	{ "-j", CLI_JSON, CLI_VALUE_OPTIONAL },
	{ "--no-header", CLI_NO_HEADER, CLI_VALUE_NONE },
	{ "--no-legend", CLI_NO_HEADER, CLI_VALUE_NONE },
	{ "--color", CLI_COLOR, CLI_VALUE_OPTIONAL },
	{ "--wait", CLI_WAIT, CLI_VALUE_OPTIONAL },
	{ "--follow", CLI_FOLLOW, CLI_VALUE_NONE },
	{ "-f", CLI_FOLLOW, CLI_VALUE_NONE },
	{ "--diff", CLI_DIFF, CLI_VALUE_NONE },
	{ "--no-keys", CLI_NO_KEYS, CLI_VALUE_NONE },
	{ "--detach-on-exit", CLI_DETACH, CLI_VALUE_NONE },
	{ "--format", CLI_FORMAT, CLI_VALUE_REQUIRED },
	{ "--once", CLI_ONCE, CLI_VALUE_NONE },
	{ "--stats", CLI_STATS, CLI_VALUE_NONE },
	{ "--rate", CLI_RATE, CLI_VALUE_NONE },
	{ "--linger", CLI_LINGER, CLI_VALUE_REQUIRED },
	{ "-w", CLI_WRITE, CLI_VALUE_REQUIRED },
	{ "--count", CLI_COUNT, CLI_VALUE_REQUIRED },
	{ "--client", CLI_CLIENT, CLI_VALUE_REQUIRED },
	{ "--vip", CLI_VIP, CLI_VALUE_REQUIRED },
	{ "--backend", CLI_BACKEND, CLI_VALUE_REQUIRED },
	{ "--limit", CLI_LIMIT, CLI_VALUE_REQUIRED },
	{ "--flush", CLI_FLUSH, CLI_VALUE_NONE },
};

struct cli_parser {
	const struct cli_program *program;
	const struct cli_verb *verb;
	struct cli *cli;
	char **next; /* of argv */
	bool help, version;
};

int cli_fail(const struct cli *cli, int status, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", cli->program, text ? text : "out of memory");
	return status;
}

static const struct cli_verb *cli_find_verb(const struct cli_program *program, const char *name)
{
	for (size_t idx = 0; idx < program->n_verbs; idx++)
		if (streq(program->verbs[idx].name, name))
			return &program->verbs[idx];
	return NULL;
}

/* `version` is served by cli_run() itself. */
static bool cli_is_available(const struct cli_verb *verb)
{
	return verb->run || streq(verb->name, "version");
}

static int cli_fail_verb(const struct cli_program *program, const struct cli *cli)
{
	size_t distance = suggest_limit(cli->verb);
	const char *nearest = NULL;

	for (size_t idx = 0; idx < program->n_verbs; idx++)
		if (suggest_is_nearer(cli->verb, program->verbs[idx].name, &distance))
			nearest = program->verbs[idx].name;
	if (nearest)
		return cli_fail(cli, CONTROL_USAGE, "unknown verb '%s'; did you mean '%s'?",
			cli->verb, nearest);
	return cli_fail(cli, CONTROL_USAGE, "unknown verb '%s'; `%s --help` lists them", cli->verb,
		program->name);
}

static void cli_print_help(const struct cli_program *program)
{
	bool missing = false;

	printf("Usage: %s [VERB] [OPTION…] [ARGUMENT…]\n\n%s\n\nVerbs (status when none is given):\n",
		program->name, program->summary);
	for (size_t idx = 0; idx < program->n_verbs; idx++) {
		const struct cli_verb *verb = &program->verbs[idx];
		const char *args = verb->args_help ? verb->args_help : "";
		int room = 38 - (int)strlen(verb->name);

		missing |= !cli_is_available(verb);
		if (!cli_is_available(verb))
			continue;
		if ((int)strlen(args) > room)
			printf("  %s %s\n%*s%s\n", verb->name, args, 42, "", verb->help);
		else
			printf("  %s %-*s %s\n", verb->name, room, args, verb->help);
	}
	printf("\nOptions, after the verb:\n"
	       "  --config FILE           configuration (default %s)\n"
	       "  --runtime-dir DIR       of the control socket (default %s)\n"
	       "  --state-dir DIR         of what is kept over a boot (default %s)\n"
	       "  --json[=short|pretty]   JSON instead of text; also -j\n"
	       "  --no-header             tables without their first line\n"
	       "  --color=auto|always|never  NO_COLOR is respected\n"
	       "  --help, --version\n",
		program->default_config, program->default_runtime_dir, program->default_state_dir);
	if (missing) {
		printf("\nNot available in this version:");
		for (size_t idx = 0; idx < program->n_verbs; idx++)
			if (!cli_is_available(&program->verbs[idx]))
				printf(" %s", program->verbs[idx].name);
		printf("\n");
	}
}

static int cli_print_version(const struct cli *cli)
{
	if (cli->json == CLI_JSON_OFF)
		printf("%s %s\n", cli->program, DSR_VERSION);
	else
		printf("{\"program\":\"%s\",\"version\":\"%s\"}\n", cli->program, DSR_VERSION);
	return 0;
}

static int cli_fail_value(
	const struct cli *cli, const char *option, const char *value, const char *wanted)
{
	return cli_fail(
		cli, CONTROL_USAGE, "%s: '%s' is not understood; %s", option, value, wanted);
}

static int cli_set_json(struct cli *cli, const char *value)
{
	if (!value || streq(value, "short"))
		cli->json = CLI_JSON_SHORT;
	else if (streq(value, "pretty"))
		cli->json = CLI_JSON_PRETTY;
	else
		return cli_fail_value(cli, "--json", value, "short or pretty");
	return 0;
}

static int cli_set_color(struct cli *cli, const char *value)
{
	/* As `ip -color` and `ls --color`: the bare option means always. */
	if (!value || streq(value, "always"))
		cli->color = true;
	else if (streq(value, "never"))
		cli->color = false;
	else if (!streq(value, "auto"))
		return cli_fail_value(cli, "--color", value, "auto, always or never");
	return 0;
}

static int cli_set_wait(struct cli *cli, const char *value)
{
	cli->wait = true;
	if (!value)
		return 0;
	if (ini_duration_parse(value, &cli->wait_us) < 0 || cli->wait_us == 0)
		return cli_fail_value(cli, "--wait", value,
			"a time such as 30s, 5min, or nothing to wait without end");
	return 0;
}

static int cli_set_linger(struct cli *cli, const char *value)
{
	cli->linger = true;
	if (ini_duration_parse(value, &cli->linger_us) < 0 || cli->linger_us > CLI_LINGER_MAX_US)
		return cli_fail_value(
			cli, "--linger", value, "a time of at most 1h, such as 30s, or 0");
	return 0;
}

/* Options that only some verbs take would otherwise be ignored in silence. */
static bool cli_verb_takes(const struct cli_verb *verb, enum cli_option_id id)
{
	switch (id) {
	case CLI_WAIT:
		return verb->takes_wait;
	case CLI_FOLLOW:
		return verb->takes_follow;
	case CLI_DIFF:
	case CLI_NO_KEYS:
		return verb->takes_check;
	case CLI_DETACH:
		return verb->takes_detach;
	case CLI_FORMAT:
		return verb->takes_format;
	case CLI_ONCE:
		return verb->takes_once;
	case CLI_STATS:
	case CLI_RATE:
		return verb->takes_rate;
	case CLI_LINGER:
		return verb->takes_linger;
	case CLI_WRITE:
	case CLI_COUNT:
	case CLI_VIP:
		return verb->takes_capture;
	case CLI_CLIENT:
	case CLI_BACKEND:
		return verb->takes_capture || verb->takes_flows;
	case CLI_LIMIT:
	case CLI_FLUSH:
		return verb->takes_flows;
	case CLI_CONFIG:
		return verb->takes_config;
	default:
		return true;
	}
}

/* Where an option's text goes that is not understood here. */
static const char **cli_text_option(struct cli *cli, enum cli_option_id id)
{
	switch (id) {
	case CLI_RUNTIME_DIR:
		return &cli->runtime_dir;
	case CLI_STATE_DIR:
		return &cli->state_dir;
	case CLI_WRITE:
		return &cli->capture.file;
	case CLI_COUNT:
		return &cli->capture.count;
	case CLI_VIP:
		return &cli->capture.vip;
	case CLI_CLIENT:
		return &cli->client;
	case CLI_BACKEND:
		return &cli->backend;
	case CLI_LIMIT:
		return &cli->limit;
	default:
		return &cli->format;
	}
}

static int cli_set_option(
	struct cli_parser *parser, const struct cli_option *option, const char *value)
{
	struct cli *cli = parser->cli;

	if (!cli_verb_takes(parser->verb, option->id))
		return cli_fail(
			cli, CONTROL_USAGE, "%s: %s does not apply", cli->verb, option->name);
	switch (option->id) {
	case CLI_HELP:
		parser->help = true;
		return 0;
	case CLI_VERSION:
		parser->version = true;
		return 0;
	case CLI_CONFIG:
		cli->config_path = value;
		cli->config_given = true;
		return 0;
	case CLI_JSON:
		return cli_set_json(cli, value);
	case CLI_NO_HEADER:
		cli->header = false;
		return 0;
	case CLI_COLOR:
		return cli_set_color(cli, value);
	case CLI_WAIT:
		return cli_set_wait(cli, value);
	case CLI_FOLLOW:
		cli->follow = true;
		return 0;
	case CLI_DIFF:
		cli->diff = true;
		return 0;
	case CLI_NO_KEYS:
		cli->no_keys = true;
		return 0;
	case CLI_DETACH:
		cli->detach = true;
		return 0;
	case CLI_ONCE:
		cli->once = true;
		return 0;
	case CLI_STATS:
		cli->stats = true;
		return 0;
	case CLI_RATE:
		cli->rate = true;
		return 0;
	case CLI_LINGER:
		return cli_set_linger(cli, value);
	case CLI_FLUSH:
		cli->flush = true;
		return 0;
	case CLI_RUNTIME_DIR:
	case CLI_STATE_DIR:
	case CLI_FORMAT:
	case CLI_WRITE:
	case CLI_COUNT:
	case CLI_CLIENT:
	case CLI_VIP:
	case CLI_BACKEND:
	case CLI_LIMIT:
		*cli_text_option(cli, option->id) = value;
		return 0;
	}
	return 0;
}

static int cli_fail_option(const struct cli *cli, const char *word, size_t name_bytes)
{
	_cleanup_free_ char *name = strndup(word, name_bytes);
	size_t distance = name ? suggest_limit(name) : 0;
	const char *nearest = NULL;

	ARRAY_FOREACH (option, cli_options, ARRAY_LEN(cli_options))
		if (name && name_bytes > 2 && suggest_is_nearer(name, option->name, &distance))
			nearest = option->name;
	return cli_fail(cli, CONTROL_USAGE, "unknown option '%s'; %s%s%s", name ? name : word,
		nearest ? "did you mean '" : "--help lists them", nearest ? nearest : "",
		nearest ? "'?" : "");
}

/* One word that begins with a hyphen; takes the next as its value where one is needed. */
static int cli_parse_option(struct cli_parser *parser, const char *word)
{
	size_t name_bytes = strcspn(word, "=");
	const char *value = word[name_bytes] ? word + name_bytes + 1 : NULL;

	ARRAY_FOREACH (option, cli_options, ARRAY_LEN(cli_options)) {
		if (strlen(option->name) != name_bytes ||
			strncmp(option->name, word, name_bytes) != 0)
			continue;
		if (option->value == CLI_VALUE_NONE && value)
			return cli_fail(
				parser->cli, CONTROL_USAGE, "%s takes no value", option->name);
		if (option->value == CLI_VALUE_REQUIRED && !value && *parser->next)
			value = *parser->next++;
		if (option->value == CLI_VALUE_REQUIRED && (!value || value[0] == '\0'))
			return cli_fail(
				parser->cli, CONTROL_USAGE, "%s needs a value", option->name);
		return cli_set_option(parser, option, value);
	}
	return cli_fail_option(parser->cli, word, name_bytes);
}

static int cli_add_argument(struct cli_parser *parser, const char *word, bool verb_given)
{
	struct cli *cli = parser->cli;

	if (!verb_given && cli_find_verb(parser->program, word))
		return cli_fail(cli, CONTROL_USAGE, "options come after the verb: %s %s --…",
			cli->program, word);
	if (cli->n_args >= MIN(parser->verb->max_args, (size_t)CLI_ARGS_MAX))
		return cli_fail(cli, CONTROL_USAGE,
			"%s: '%s' is one argument too many; usage: %s %s %s", cli->verb, word,
			cli->program, cli->verb,
			parser->verb->args_help ? parser->verb->args_help : "");
	cli->args[cli->n_args++] = word;
	return 0;
}

static int cli_parse_words(struct cli_parser *parser, bool verb_given)
{
	bool options_ended = false;
	int status = 0;

	while (status == 0 && *parser->next) {
		const char *word = *parser->next++;

		if (!options_ended && streq(word, "--"))
			options_ended = true;
		else if (!options_ended && word[0] == '-' && word[1] != '\0')
			status = cli_parse_option(parser, word);
		else
			status = cli_add_argument(parser, word, verb_given);
	}
	return status;
}

/* systemd separates several directories by colons; the first is ours. NULL: not given, or no memory. */
static char *cli_directory_from(const char *variable)
{
	const char *value = getenv(variable);
	size_t size_bytes = value ? strcspn(value, ":") : 0;

	return size_bytes > 0 ? strndup(value, size_bytes) : NULL;
}

/* https://no-color.org: any value but the empty one. */
static bool cli_color_by_default(void)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return (!no_color || no_color[0] == '\0') && (!terminal || !streq(terminal, "dumb")) &&
		isatty(STDOUT_FILENO);
}

/* 0: standard output is no terminal, or one that does not say. */
static size_t cli_terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

static int cli_run(struct cli_parser *parser, void *context)
{
	const struct cli_verb *verb = parser->verb;
	struct cli *cli = parser->cli;

	if (parser->help) {
		cli_print_help(parser->program);
		return 0;
	}
	if (parser->version || streq(verb->name, "version"))
		return cli_print_version(cli);
	if (cli->n_args < verb->min_args)
		return cli_fail(cli, CONTROL_USAGE, "%s: an argument is missing; usage: %s %s %s",
			cli->verb, cli->program, cli->verb, verb->args_help ? verb->args_help : "");
	return verb->run(cli, context);
}

int cli_main(const struct cli_program *program, int argc, char **argv, void *context)
{
	_cleanup_free_ char *runtime_dir = cli_directory_from("RUNTIME_DIRECTORY");
	_cleanup_free_ char *state_dir = cli_directory_from("STATE_DIRECTORY");
	bool verb_given = argc > 1 && argv[1][0] != '-';
	struct cli cli = {
		.program = program->name,
		.verb = verb_given ? argv[1] : "status",
		.config_path = program->default_config,
		.runtime_dir = runtime_dir ? runtime_dir : program->default_runtime_dir,
		.state_dir = state_dir ? state_dir : program->default_state_dir,
		.header = true,
		.color = cli_color_by_default(),
		.columns = cli_terminal_columns(),
	};
	struct cli_parser parser = {
		.program = program,
		.verb = cli_find_verb(program, cli.verb),
		.cli = &cli,
	};
	int status;

	parser.next = argv + MIN(argc, verb_given ? 2 : 1);
	if (!parser.verb)
		return cli_fail_verb(program, &cli);
	/* Before its options are looked at, which this version may not know either. */
	if (!cli_is_available(parser.verb))
		return cli_fail(
			&cli, CONTROL_UNAVAILABLE, "%s: not available in this version", cli.verb);
	status = cli_parse_words(&parser, verb_given);
	if (status == 0)
		status = cli_run(&parser, context);
	/* A full disk must not pass for an answer. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
		status = cli_fail(&cli, CONTROL_UNAVAILABLE, "%s: cannot write the output: %s",
			cli.verb, strerror(errno));
	return status;
}

int cli_fail_call(const struct cli *cli, int error, int unreachable_status)
{
	const char *directory = cli->runtime_dir;

	switch (error) {
	case -ECONNREFUSED:
	case -ENOENT:
		return cli_fail(cli, unreachable_status,
			"not running: no daemon serves %s; start it with `systemctl start %s`, or name "
			"its directory with --runtime-dir",
			directory, cli->program);
	case -EACCES:
	case -EPERM:
		return cli_fail(cli, CONTROL_PERMISSION,
			"%s: not permitted: %s/%s is for root and its group; use sudo, or join the group",
			cli->verb, directory, CONTROL_SOCKET_NAME);
	case -ETIMEDOUT:
		return cli_fail(cli, cli->wait ? CONTROL_TIMEOUT : CONTROL_UNAVAILABLE,
			"%s: the daemon of %s did not answer in time", cli->verb, directory);
	case -EINVAL:
		return cli_fail(cli, CONTROL_USAGE, "%s: an argument is not UTF-8", cli->verb);
	default:
		return cli_fail(cli, unreachable_status, "%s: cannot talk to the daemon of %s: %s",
			cli->verb, directory, strerror(-error));
	}
}

int cli_call(const struct cli *cli, const char *verb, json_t *args, int unreachable_status,
	json_t **ret_result)
{
	_cleanup_free_ char *error = NULL;
	uint64_t timeout_us = CLI_CALL_US;
	json_t *result = NULL;
	int r;

	if (cli->wait)
		timeout_us = cli->wait_us ? cli->wait_us + CLI_CALL_US : 0;
	r = control_call(cli->runtime_dir, verb, args, timeout_us, &result, &error);
	if (r < 0)
		return cli_fail_call(cli, r, unreachable_status);
	if (r > 0) {
		json_decref(result);
		return cli_fail(
			cli, r, "%s", error[0] ? error : "the daemon refused without a reason");
	}
	*ret_result = result;
	return 0;
}
