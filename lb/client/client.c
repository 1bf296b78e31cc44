/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of dsr-lb, each a request to the daemon. All looking verbs but `explain`, `flows` and
 * `ready` show parts of one document, so that they never disagree.
 */
#include "lb/client/client.h"

#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/cli/cli.h"
#include "common/cli/cli_events.h"
#include "common/cli/cli_table.h"
#include "common/cli/cli_verb.h"
#include "common/control/control_call.h"
#include "common/os/clock.h"
#include "lb/client/capture/capture.h"
#include "lb/client/import_config.h"
#include "lb/client/keygen.h"
#include "lb/client/print.h"
#include "lb/client/print_rates.h"
#include "lb/client/top.h"
#include "lb/client/token.h"
#include "lb/doctor/examine.h"

#define CLIENT_NOT_READY  1
#define CLIENT_WEIGHT_MAX 65535ul
#define CLIENT_FLOWS_MAX  4000000u /* listed at most: memory */

static int client_status(const struct cli *cli, void *context)
{
	return cli_status(cli, print_status);
}

/* As /metrics says it. */
static int client_metrics(const struct cli *cli, void *context)
{
	json_t *text = NULL;
	int status = cli_call(cli, "metrics", NULL, CONTROL_UNAVAILABLE, &text);

	if (status == 0)
		(void)fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	json_decref(text);
	return status;
}

static int client_virtual_servers(const struct cli *cli, void *context)
{
	json_t *document = NULL;
	int status = cli_call(cli, "status", NULL, CONTROL_UNAVAILABLE, &document);

	if (status != 0)
		return status;
	if (cli->json != CLI_JSON_OFF)
		cli_print_json(cli, json_object_get(document, "virtual_servers"));
	else
		print_virtual_servers(cli, document);
	json_decref(document);
	return 0;
}

static int client_fail_virtual_server(const struct cli *cli, const char *virtual_server)
{
	return cli_fail(cli, CONTROL_USAGE,
		"backends: no virtual server is named %s; `dsr-lb virtual-servers` lists them",
		virtual_server);
}

/* The backends of one virtual server or of all, each with the name of its virtual server. */
static int client_backends_json(
	const struct cli *cli, const json_t *document, const char *virtual_server)
{
	json_t *backends = json_array();
	bool found = !virtual_server;
	size_t server_idx, backend_idx;
	json_t *server, *backend;

	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		json_t *name = json_object_get(server, "name");

		if (virtual_server && !streq(virtual_server, json_string_value(name)))
			continue;
		found = true;
		json_array_foreach (json_object_get(server, "backends"), backend_idx, backend) {
			json_object_set(backend, "virtual_server", name);
			json_array_append(backends, backend);
		}
	}
	if (found)
		cli_print_json(cli, backends);
	json_decref(backends);
	return found ? 0 : -ENOENT;
}

/* Without --rate NULL: totals. A second is long enough for rates that mean something. */
static int client_sample(const struct cli *cli, json_t **ret_before, uint64_t *ret_us)
{
	const struct timespec second = { .tv_sec = 1 };
	int status = 0;

	if (!cli->rate)
		return 0;
	status = cli_call(cli, "status", NULL, CONTROL_UNAVAILABLE, ret_before);
	*ret_us = clock_now_us();
	if (status == 0)
		(void)nanosleep(&second, NULL);
	return status;
}

static int client_backends(const struct cli *cli, void *context)
{
	const char *virtual_server = cli->n_args > 0 ? cli->args[0] : NULL;
	json_t *before = NULL, *document = NULL;
	uint64_t before_us = 0;
	double seconds;
	int status, r = 0;

	if (cli->stats && cli->rate)
		return cli_fail(
			cli, CONTROL_USAGE, "backends: --stats and --rate exclude each other");
	status = client_sample(cli, &before, &before_us);
	if (status == 0)
		status = cli_call(cli, "status", NULL, CONTROL_UNAVAILABLE, &document);
	seconds = (double)(clock_now_us() - before_us) / (double)US_PER_S;
	if (status == 0 && cli->json != CLI_JSON_OFF) {
		if (cli->rate)
			print_rates_add(before, document, seconds);
		r = client_backends_json(cli, document, virtual_server);
	} else if (status == 0 && (cli->stats || cli->rate)) {
		r = print_rates(cli, before, document, seconds, virtual_server);
	} else if (status == 0) {
		r = print_backends(cli, document, virtual_server);
	}
	json_decref(before);
	json_decref(document);
	return r < 0 ? client_fail_virtual_server(cli, virtual_server) : status;
}

/* {"virtual_server": NAME}, or NULL where none was given. */
static json_t *client_virtual_server_args(const struct cli *cli)
{
	return cli->n_args > 0 ? json_pack("{s:s}", "virtual_server", cli->args[0]) : NULL;
}

struct client_flows {
	json_t *flows;    /* those that were collected */
	uint64_t n_flows; /* collected or flushed */
	uint64_t most;
};

/* What the daemon knows (is there such a backend) it refuses itself. */
static int client_flows_check(const struct cli *cli, uint64_t *ret_most)
{
	unsigned long long limit = CLIENT_FLOWS_MAX;
	struct addr_prefix prefix;
	char *end = NULL;

	if (cli->limit)
		limit = strtoull(cli->limit, &end, 10);
	if (cli->limit &&
		(cli->limit[0] < '0' || cli->limit[0] > '9' || *end || limit < 1 ||
			limit > CLIENT_FLOWS_MAX))
		return cli_fail(cli, CONTROL_USAGE,
			"flows: --limit: '%s' is not understood; a number of flows from 1 to %u",
			cli->limit, CLIENT_FLOWS_MAX);
	if (cli->client && addr_prefix_parse(cli->client, &prefix) < 0)
		return cli_fail(cli, CONTROL_USAGE,
			"flows: --client: '%s' is not understood; an address, or a prefix such as "
			"192.0.2.0/24",
			cli->client);
	*ret_most = cli->flush && !cli->limit ? INT64_MAX : limit;
	return 0;
}

/* One part of the answer, from `*from` on, which becomes the next, or negative: there is none. */
static int client_flows_part(const struct cli *cli, struct client_flows *flows, json_int_t *from)
{
	json_t *args = json_pack("{s:s*, s:s*, s:s*, s:I, s:I}", "virtual_server",
		cli->n_args > 0 ? cli->args[0] : NULL, "client", cli->client, "backend",
		cli->backend, "from", *from, "limit", (json_int_t)(flows->most - flows->n_flows));
	json_t *part = NULL, *next;
	int status = cli_call(
		cli, cli->flush ? "flows-flush" : "flows", args, CONTROL_UNAVAILABLE, &part);

	if (status != 0)
		return status;
	json_array_extend(flows->flows, json_object_get(part, "flows"));
	flows->n_flows += cli->flush
		? (uint64_t)json_integer_value(json_object_get(part, "flushed"))
		: json_array_size(json_object_get(part, "flows"));
	next = json_object_get(part, "next");
	*from = json_is_integer(next) && json_integer_value(next) > *from ? json_integer_value(next)
									  : -1;
	json_decref(part);
	return 0;
}

/*
 * The daemon answers with a part at a time, so that its heartbeats go on: asks until it says that
 * nothing is left. Flows that move meanwhile may be missing or there twice.
 */
static int client_collect_flows(const struct cli *cli, struct client_flows *flows)
{
	json_int_t from = 0;
	int status = 0;

	while (status == 0 && from >= 0 && flows->n_flows < flows->most)
		status = client_flows_part(cli, flows, &from);
	if (status == 0 && from >= 0 && !cli->limit)
		fprintf(stderr, "%s: flows: only the first %zu are listed\n", cli->program,
			json_array_size(flows->flows));
	return status;
}

static void client_print_flushed(const struct cli *cli, uint64_t n_flows)
{
	if (cli->json == CLI_JSON_OFF) {
		printf("%llu flow%s flushed\n", (unsigned long long)n_flows,
			n_flows == 1 ? "" : "s");
	} else {
		json_t *answer = json_pack("{s:I}", "flushed", (json_int_t)n_flows);

		cli_print_json(cli, answer);
		json_decref(answer);
	}
}

static int client_flows(const struct cli *cli, void *context)
{
	struct client_flows flows = { .flows = json_array() };
	int status = client_flows_check(cli, &flows.most);

	if (status == 0)
		status = client_collect_flows(cli, &flows);
	if (status == 0 && cli->flush)
		client_print_flushed(cli, flows.n_flows);
	else if (status == 0 && cli->json != CLI_JSON_OFF)
		cli_print_json(cli, flows.flows);
	else if (status == 0)
		print_flows(cli, flows.flows);
	json_decref(flows.flows);
	return status;
}

static int client_explain(const struct cli *cli, void *context)
{
	json_t *answer = NULL;
	json_t *args = json_pack("{s:s, s:s, s:s}", "client", cli->args[0], "vip", cli->args[1],
		"protocol", cli->n_args > 2 ? cli->args[2] : "tcp");
	int status = cli_call(cli, "explain", args, CONTROL_UNAVAILABLE, &answer);

	if (status != 0)
		return status;
	if (cli->json != CLI_JSON_OFF)
		cli_print_json(cli, answer);
	else
		print_explain(cli, answer);
	json_decref(answer);
	return 0;
}

static int client_ready(const struct cli *cli, void *context)
{
	json_t *answer = NULL;
	int status =
		cli_call(cli, "ready", client_virtual_server_args(cli), CLIENT_NOT_READY, &answer);
	const char *reason = json_string_value(json_object_get(answer, "reason"));
	bool ready = json_is_true(json_object_get(answer, "ready"));

	/* It never answers "degraded", and what cannot be asked cannot serve; wrong usage stays so. */
	if (status != 0)
		return status == CONTROL_USAGE || status == CONTROL_PERMISSION ? status
									       : CLIENT_NOT_READY;
	if (cli->json != CLI_JSON_OFF)
		cli_print_json(cli, answer);
	else if (ready)
		printf("ready\n");
	else
		printf("not ready: %s\n", reason ? reason : "no reason was given");
	json_decref(answer);
	return ready ? 0 : CLIENT_NOT_READY;
}

/* Verbs that change: silent when done, like those of `ip`; steals args. */
static int client_change_with(const struct cli *cli, json_t *args)
{
	json_t *result = NULL;
	int status = cli_call(cli, cli->verb, args, CONTROL_UNAVAILABLE, &result);

	if (status == 0)
		cli_print_done(cli, result);
	json_decref(result);
	return status;
}

static int client_change(const struct cli *cli, void *context)
{
	return client_change_with(cli, NULL);
}

static int client_standby(const struct cli *cli, void *context)
{
	json_t *args = NULL;

	if (cli->linger)
		args = json_pack("{s:I}", "linger_us", (json_int_t)cli->linger_us);
	return client_change_with(cli, args);
}

static int client_change_backend(const struct cli *cli, void *context)
{
	return client_change_with(cli, json_pack("{s:s}", "backend", cli->args[0]));
}

/*
 * On a terminal: drains, then waits a second at a time, and tells after each what is left. What the daemon says
 * at the end is said as ever.
 */
static int client_drain_telling(const struct cli *cli)
{
	struct cli once = *cli;
	uint64_t end_us = cli->wait_us ? clock_now_us() + cli->wait_us : UINT64_MAX;
	int status;

	once.wait = false;
	status = client_change_with(&once, json_pack("{s:s}", "backend", cli->args[0]));
	while (status == 0) {
		uint64_t left_us = end_us - MIN(end_us, clock_now_us());
		json_t *args = json_pack("{s:s, s:b, s:b, s:I}", "backend", cli->args[0], "wait", 1,
			"drains", 1, "wait_us", (json_int_t)MIN(left_us, (uint64_t)US_PER_S) + 1);
		_cleanup_free_ char *left = NULL;
		json_t *result = NULL;
		int r;

		if (left_us <= US_PER_S) {
			once.wait = true;
			once.wait_us = left_us + 1;
			return client_change_with(&once, args);
		}
		r = control_call(cli->runtime_dir, "drain", args, 0, &result, &left);
		json_decref(result);
		if (r == 0)
			return 0;
		if (r != CONTROL_TIMEOUT)
			return r < 0 ? cli_fail(cli, CONTROL_UNAVAILABLE, "drain: %s", strerror(-r))
				     : cli_fail(cli, r, "%s", left ? left : "");
		fprintf(stderr, "%s\n", left ? left : "");
	}
	return status;
}

static int client_drain(const struct cli *cli, void *context)
{
	json_t *args;

	if (cli->wait && cli->json == CLI_JSON_OFF && isatty(STDERR_FILENO))
		return client_drain_telling(cli);
	args = json_pack("{s:s}", "backend", cli->args[0]);

	if (cli->wait) {
		json_object_set_new(args, "wait", json_true());
		json_object_set_new(args, "wait_us", json_integer((json_int_t)cli->wait_us));
	}
	return client_change_with(cli, args);
}

static int client_weight(const struct cli *cli, void *context)
{
	const char *text = cli->args[1];
	bool is_number, is_word;
	unsigned long weight;
	char *end;

	errno = 0;
	weight = strtoul(text, &end, 10);
	is_number =
		text[0] >= '0' && text[0] <= '9' && !*end && !errno && weight <= CLIENT_WEIGHT_MAX;
	is_word =
		streq(text, "configured") || (text[0] >= '0' && text[0] <= '9' && streq(end, "%"));
	if (!is_number && !is_word)
		return cli_fail(cli, CONTROL_USAGE,
			"weight: '%s' is no number from 0 to %lu, no share (50%%), and not "
			"\"configured\"",
			text, CLIENT_WEIGHT_MAX);
	return client_change_with(cli,
		json_pack("{s:s, s:o, s:s*}", "backend", cli->args[0], "weight",
			is_number ? json_integer((json_int_t)weight) : json_string(text),
			"virtual_server", cli->n_args > 2 ? cli->args[2] : NULL));
}

static int client_config(const struct cli *cli, void *context)
{
	return cli_config(cli);
}

static int client_events(const struct cli *cli, void *context)
{
	return cli_events(cli);
}

#define CLIENT_VERB(verb, callback, low, high, args, text) \
	{ \
		.name = (verb), .args_help = (args), .min_args = (low), .max_args = (high), \
		.help = (text), .run = (callback) \
	}
/* One that reads the configuration itself. */
#define CLIENT_FILES(verb, callback, low, high, args, text) \
	{ \
		.name = (verb), .args_help = (args), .min_args = (low), .max_args = (high), \
		.help = (text), .run = (callback), .takes_config = true \
	}
/* main hands in what runs here. */
static const struct cli_verb client_verbs[] = {
	{ .name = "run",
		.args_help = "[--detach-on-exit]",
		.help = "serve; what the unit starts",
		.takes_config = true,
		.takes_detach = true },
	CLIENT_VERB("status", client_status, 0, 0, NULL, "everything at a glance"),
	CLIENT_VERB("virtual-servers", client_virtual_servers, 0, 0, NULL,
		"virtual servers, one a line"),
	{ .name = "backends",
		.args_help = "[VS] [--stats|--rate]",
		.max_args = 1,
		.help = "backends with state and reason, or their counters",
		.run = client_backends,
		.takes_rate = true },
	{ .name = "flows",
		.args_help = "[VS] [--client CIDR] [--backend NAME] [--limit N] [--flush]",
		.max_args = 1,
		.help = "flows that are recorded now, or forgets them",
		.run = client_flows,
		.takes_flows = true },
	CLIENT_VERB("explain", client_explain, 2, 3, "CLIENT[:PORT] VIP[:PORT] [PROTOCOL]",
		"where this packet would go, and why"),
	{ .name = "drain",
		.args_help = "BACKEND [--wait[=TIME]]",
		.min_args = 1,
		.max_args = 1,
		.help = "keep its flows, give it no new ones",
		.run = client_drain,
		.takes_wait = true },
	CLIENT_VERB("enable", client_change_backend, 1, 1, "BACKEND", "undo drain and disable"),
	CLIENT_VERB("disable", client_change_backend, 1, 1, "BACKEND", "move its flows away now"),
	CLIENT_VERB("weight", client_weight, 2, 3, "BACKEND N|N%|configured [VS]",
		"set its weight, in all virtual servers or one"),
	CLIENT_VERB("adopt", client_change_backend, 1, 1, "BACKEND", "admit it (adopt = approve)"),
	CLIENT_VERB("reject", client_change_backend, 1, 1, "BACKEND", "refuse it from now on"),
	CLIENT_VERB("ready", client_ready, 0, 1, "[VS]", "exit 0 if this balancer can serve"),
	CLIENT_VERB("active", client_change, 0, 0, NULL, "announce and forward"),
	{ .name = "standby",
		.args_help = "[--linger=TIME]",
		.help = "announce nothing, and soon forward nothing",
		.run = client_standby,
		.takes_linger = true },
	CLIENT_VERB("reload", client_change, 0, 0, NULL,
		"apply the configuration, whole or not at all"),
	{ .name = "check-config",
		.args_help = "[--diff] [--no-keys]",
		.help = "validate the configuration",
		.takes_config = true,
		.takes_check = true },
	CLIENT_VERB("config", client_config, 0, 0, NULL, "the configuration in force"),
	CLIENT_FILES(
		"keygen", keygen, 0, 2, "[ID [master]|ID/NAME]", "print a line for a key file"),
	CLIENT_FILES("token", token_print, 1, 1, "NAME",
		"an invitation for an agent, one word and a secret"),
	{ .name = "top",
		.args_help = "[--once]",
		.help = "live view",
		.run = top,
		.takes_once = true },
	{ .name = "events",
		.args_help = "[-f] [--format=text|keepalived]",
		.help = "what happened, and what happens",
		.run = client_events,
		.takes_follow = true,
		.takes_format = true },
	{ .name = "capture",
		.args_help = "[-w FILE|-] [--count N] [--client CIDR] [--vip IP] [--backend NAME]",
		.help = "frames that are received and sent",
		.run = capture,
		.takes_capture = true },
	CLIENT_VERB("metrics", client_metrics, 0, 0, NULL, "the metrics, as Prometheus reads them"),
	CLIENT_FILES("doctor", examine, 0, 0, NULL, "look for what is wrong"),
	CLIENT_VERB("import", import_config, 2, 2, IMPORT_ARGS, "as our configuration"),
	CLIENT_VERB("version", NULL, 0, 0, NULL, "the version"),
};

int client_main(int argc, char **argv, client_verb_fn *run, client_verb_fn *check_config)
{
	struct cli_verb verbs[ARRAY_LEN(client_verbs)];
	const struct cli_program program = {
		.name = "dsr-lb",
		.summary = "Load balancer for Direct Server Return: rewrites only MAC addresses.",
		.default_config = "/etc/dsr-lb/dsr-lb.conf",
		.default_runtime_dir = "/run/dsr-lb",
		.default_state_dir = "/var/lib/dsr-lb",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
	};

	memcpy(verbs, client_verbs, sizeof(verbs));
	ARRAY_FOREACH (verb, verbs, ARRAY_LEN(verbs)) {
		if (streq(verb->name, "run"))
			verb->run = run;
		else if (streq(verb->name, "check-config"))
			verb->run = check_config;
	}
	return cli_main(&program, argc, argv, NULL);
}
