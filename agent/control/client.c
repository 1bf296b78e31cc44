/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of dsr-agent. Called by main. Knows the daemon by its control socket only.
 */
#include "agent/control/client.h"

#include "agent/config/settings.h"
#include "agent/control/join.h"
#include "agent/doctor/examine.h"
#include "common/proto/auth.h"
#include "common/cli/cli.h"
#include "common/cli/cli_events.h"
#include "common/cli/cli_table.h"
#include "common/cli/cli_text.h"
#include "common/cli/cli_verb.h"

#define CLIENT_VIPS_MAX 64u /* one line each */

static const char *client_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t client_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- status ---- */

static bool client_vip_is_well(const json_t *vip)
{
	return json_is_true(json_object_get(vip, "present")) &&
		json_is_true(json_object_get(vip, "silent"));
}

/* Of more than a screen has, those that are well are one line. */
static void client_print_vips(const struct cli *cli, const json_t *document)
{
	const json_t *vips = json_object_get(document, "vips");
	bool folds = json_array_size(vips) > CLIENT_VIPS_MAX;
	size_t n_folded = 0;
	json_int_t established = 0;
	static const struct cli_column columns[] = { { .title = "VIP" }, { .title = "PRESENT" },
		{ .title = "SILENT" }, { "ESTABLISHED", .right = true, .drop = 1 } };
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	const json_t *vip;
	size_t idx;

	json_array_foreach (vips, idx, vip) {
		if (folds && client_vip_is_well(vip)) {
			established += client_integer(vip, "established");
			n_folded++;
			continue;
		}
		cli_table_cell(table, "%s", client_text(vip, "address"));
		cli_table_cell(
			table, "%s", json_is_true(json_object_get(vip, "present")) ? "yes" : "no");
		cli_table_cell(
			table, "%s", json_is_true(json_object_get(vip, "silent")) ? "yes" : "no");
		cli_table_cell(table, "%" JSON_INTEGER_FORMAT, client_integer(vip, "established"));
	}
	if (n_folded > 0) {
		cli_table_cell(table, "%zu VIPs", n_folded);
		cli_table_cell(table, "yes");
		cli_table_cell(table, "yes");
		cli_table_cell(table, "%" JSON_INTEGER_FORMAT, established);
	}
	cli_table_print(table);
}

static void client_print_balancers(const struct cli *cli, const json_t *document)
{
	static const struct cli_column columns[] = { { .title = "BALANCER" }, { .title = "STATE" },
		{ "SINCE", .right = true, .drop = 1 }, { "HEARTBEAT", .right = true, .drop = 2 },
		{ .title = "REASON" } };
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	const json_t *balancer;
	size_t idx;

	json_array_foreach (json_object_get(document, "balancers"), idx, balancer) {
		const json_t *heartbeat = json_object_get(balancer, "last_heartbeat_ms");
		char age[CLI_AGE_BYTES];

		cli_table_cell(table, "%s", client_text(balancer, "address"));
		cli_table_state(table, client_text(balancer, "state"));
		cli_table_cell(table, "%s",
			cli_format_age(json_real_value(json_object_get(balancer, "since_s")), age));
		if (json_is_integer(heartbeat))
			cli_table_cell(table, "%" JSON_INTEGER_FORMAT " ms ago",
				json_integer_value(heartbeat));
		else
			cli_table_cell(table, "never");
		cli_table_cell(table, "%s", client_text(balancer, "reason"));
	}
	cli_table_print(table);
}

static void client_print_checks(const struct cli *cli, const json_t *document)
{
	static const struct cli_column columns[] = { { .title = "CHECK" }, { "VIP", .drop = 1 },
		{ .title = "STATE" }, { "SINCE", .right = true, .drop = 2 },
		{ "TOOK", .right = true, .drop = 3 }, { .title = "REASON" } };
	const json_t *checks = json_object_get(document, "checks");
	struct cli_table *table;
	const json_t *check;
	size_t idx;

	if (json_array_size(checks) == 0)
		return;
	table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	json_array_foreach (checks, idx, check) {
		const json_t *took = json_object_get(check, "took_ms");
		const char *vip = client_text(check, "vip");
		char age[CLI_AGE_BYTES];

		cli_table_cell(table, "%s", client_text(check, "name"));
		cli_table_cell(table, "%s", vip[0] ? vip : "-");
		cli_table_state(table, client_text(check, "state"));
		cli_table_cell(table, "%s",
			cli_format_age(json_real_value(json_object_get(check, "since_s")), age));
		if (json_is_real(took))
			cli_table_cell(table, "%.1f ms", json_real_value(took));
		else
			cli_table_cell(table, "-");
		cli_table_cell(table, "%s%s",
			json_is_true(json_object_get(check, "warning")) ? "warning: " : "",
			client_text(check, "reason"));
	}
	printf("\n");
	cli_table_print(table);
}

/* Only interfaces that are not as they should be: the others are no news. */
static void client_warn_of_arp(const struct cli *cli, const json_t *document)
{
	const json_t *link;
	size_t idx;

	json_array_foreach (json_object_get(document, "arp"), idx, link) {
		if (json_is_true(json_object_get(link, "ok")))
			continue;
		cli_text_say(cli,
			"warning: %s answers ARP for VIPs: arp_ignore %" JSON_INTEGER_FORMAT
			", arp_announce %" JSON_INTEGER_FORMAT,
			client_text(link, "interface"), client_integer(link, "arp_ignore"),
			client_integer(link, "arp_announce"));
	}
}

static void client_print_second_chance(const struct cli *cli, const json_t *document)
{
	const json_t *chance = json_object_get(document, "second_chance");

	if (json_is_true(json_object_get(chance, "on")))
		cli_text_say(cli,
			"second chance: %" JSON_INTEGER_FORMAT " taken, %" JSON_INTEGER_FORMAT
			" passed on",
			json_integer_value(json_object_get(chance, "taken")),
			json_integer_value(json_object_get(chance, "passed_on")));
}

/* Behind everything else, where they are seen. */
static void client_print_warnings(const struct cli *cli, const json_t *document)
{
	const json_t *chance = json_object_get(document, "second_chance");

	if (!json_is_true(json_object_get(chance, "on")) && client_text(chance, "reason")[0])
		cli_text_say(cli, "warning: no second chance: %s", client_text(chance, "reason"));
	client_warn_of_arp(cli, document);
}

static void client_print_status(const struct cli *cli, const json_t *document)
{
	const char *reason = client_text(document, "reason");
	char age[CLI_AGE_BYTES];

	cli_text_say(cli, "%s: %s%s%s", client_text(document, "name"),
		client_text(document, "state"), reason[0] ? ": " : "", reason);
	printf("%s\n",
		client_integer(document, "health") == 0
			? "All is well."
			: "Not all is well: `dsr-agent doctor` says what mends it.");
	cli_text_say(cli, "real IP %s on %s, weight %" JSON_INTEGER_FORMAT ", running for %s",
		client_text(document, "real_ip"), client_text(document, "interface"),
		client_integer(document, "weight"),
		cli_format_age(json_real_value(json_object_get(document, "uptime_s")), age));
	client_print_second_chance(cli, document);
	printf("\n");
	client_print_vips(cli, document);
	printf("\n");
	client_print_balancers(cli, document);
	client_print_checks(cli, document);
	client_print_warnings(cli, document);
}

static int client_status(const struct cli *cli, void *context)
{
	return cli_status(cli, client_print_status);
}

/* ---- verbs that change ---- */

static int client_change(const struct cli *cli, void *context)
{
	json_t *result = NULL;
	int status = cli_call(cli, cli->verb, NULL, CONTROL_UNAVAILABLE, &result);

	/* A reload may answer with warnings. */
	if (status == 0 && json_is_string(result))
		fprintf(stderr, "%s\n", json_string_value(result));
	if (status == 0)
		cli_print_done(cli, NULL);
	json_decref(result);
	return status;
}

static int client_drain(const struct cli *cli, void *context)
{
	json_t *arguments = json_pack("{s:b, s:I}", "wait", (int)cli->wait, "wait_us",
		(json_int_t)MIN(cli->wait_us, (uint64_t)INT64_MAX));
	json_t *result = NULL;
	int status = cli_call(cli, cli->verb, arguments, CONTROL_UNAVAILABLE, &result);

	if (status == 0)
		cli_print_done(cli, NULL);
	json_decref(result);
	return status;
}

/* ---- check-config ---- */

static int client_check_config(const struct cli *cli, void *context)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	if (auth_init() < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "cannot initialise libsodium");
	r = settings_load(cli->config_path, cli->no_keys ? SETTINGS_NO_KEYS : SETTINGS_CHECK,
		&settings, &text);
	if (text)
		fprintf(stderr, "%s\n", text);
	if (r == -ENOMEM)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "out of memory");
	if (r < 0)
		return CONTROL_CONFIG;
	if (cli->diff)
		return cli_diff(cli, settings->report);
	cli_print_done(cli, NULL);
	return 0;
}

static int client_config(const struct cli *cli, void *context)
{
	return cli_config(cli);
}

static int client_events(const struct cli *cli, void *context)
{
	return cli_events(cli);
}

/* ---- the table ---- */

/* What main handed in: the daemon is none of the client's business. */
static int client_run(const struct cli *cli, void *context)
{
	client_run_fn *const *run = context;

	return (*run)(cli);
}

static const struct cli_verb client_verbs[] = {
	{ .name = "run",
		.help = "serve; what the unit starts",
		.run = client_run,
		.takes_config = true },
	{ .name = "status", .help = "everything at a glance", .run = client_status },
	{ .name = "drain",
		.args_help = "[--wait[=TIME]]",
		.help = "keep the connections, take no new ones",
		.run = client_drain,
		.takes_wait = true },
	{ .name = "enable", .help = "undo drain and disable", .run = client_change },
	{ .name = "disable",
		.help = "give connections up now (maintenance)",
		.run = client_change },
	{ .name = "reload",
		.help = "apply the configuration, whole or not at all",
		.run = client_change },
	{ .name = "check-config",
		.args_help = "[--diff] [--no-keys]",
		.help = "validate the configuration",
		.run = client_check_config,
		.takes_config = true,
		.takes_check = true },
	{ .name = "config", .help = "the configuration in force", .run = client_config },
	{ .name = "doctor",
		.help = "look for what is wrong",
		.run = examine,
		.takes_config = true },
	{ .name = "join",
		.args_help = "TOKEN",
		.min_args = 1,
		.max_args = 1,
		.help = "become a real server, by a token of the balancer (-: from stdin)",
		.run = join,
		.takes_config = true },
	{ .name = "events",
		.args_help = "[-f]",
		.help = "what happened, and what happens",
		.run = client_events,
		.takes_follow = true },
	{ .name = "version", .help = "the version" },
};

int client_main(int argc, char **argv, client_run_fn *run)
{
	static const struct cli_program program = {
		.name = "dsr-agent",
		.summary = "Real server's half of Direct Server Return: holds VIPs in silence.",
		.default_config = CONFIG_DEFAULT_PATH,
		.default_runtime_dir = "/run/dsr-agent",
		.default_state_dir = "/var/lib/dsr-agent",
		.verbs = client_verbs,
		.n_verbs = ARRAY_LEN(client_verbs),
	};

	return cli_main(&program, argc, argv, &run);
}
