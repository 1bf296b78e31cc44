/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line that both programs share: `PROGRAM [VERB] [OPTION…] [ARGUMENT…]`, options and
 * arguments of the verb in any order after it, one table of verbs for dispatch and --help.
 */
#pragma once

#include <jansson.h>

#include "common/control/control.h"
#include "common/util.h"

#define CLI_ARGS_MAX      8u
#define CLI_LINGER_MAX_US (3600 * US_PER_S)
#define CLI_NOT_RUNNING   3 /* exit status of `status` */

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
	const char *runtime_dir;      /* --runtime-dir, $RUNTIME_DIRECTORY, or the default */
	const char *state_dir;        /* --state-dir, $STATE_DIRECTORY, or the default */
	enum cli_json json;           /* --json[=short|pretty], -j */
	bool header;                  /* false with --no-header, --no-legend */
	bool color;                   /* --color=auto|always|never, NO_COLOR, a terminal */
	size_t columns;               /* of the terminal that is printed to; 0: it is none */
	bool wait;                    /* --wait[=TIME] */
	uint64_t wait_us;             /* 0 with wait: no limit */
	bool follow;                  /* -f */
	bool diff;                    /* --diff */
	bool no_keys;                 /* --no-keys */
	bool detach;                  /* --detach-on-exit */
	const char *format;           /* --format; NULL: not given */
	bool once;                    /* --once */
	bool stats, rate;             /* --stats, --rate */
	bool linger;                  /* --linger=TIME */
	uint64_t linger_us;           /* with linger; 0: not at all */
	const char *client, *backend; /* --client, --backend; NULL: not given */
	const char *limit;            /* --limit; NULL: not given */
	bool flush;                   /* --flush */
	struct cli_capture {
		const char *file, *count, *vip;
	} capture; /* -w, --count, --vip; NULL: not given */
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
	bool takes_wait, takes_follow, takes_check, takes_config, takes_detach;
	bool takes_format, takes_once, takes_rate, takes_linger, takes_capture, takes_flows;
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
/* The same for what control_call() or control_follow() returned: why, and what to do. */
int cli_fail_call(const struct cli *cli, int error, int unreachable_status);
/*
 * Calls the daemon; on a failure says so on stderr ("not running: no daemon serves DIR; start it
 * with …") and returns the exit status: `unreachable_status` (3 for status, else 69) or the daemon's.
 * 0 with `*ret_result` owned by the caller (may be NULL when the answer has none).
 */
int cli_call(const struct cli *cli, const char *verb, json_t *args, int unreachable_status,
	json_t **ret_result);
