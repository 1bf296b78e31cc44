/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs that both programs have: `status`, `config` and `check-config --diff`. Called by their clients; knows
 * of the daemon's answers only what both have in common.
 */
#include "common/cli/cli_verb.h"

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/ini/ini.h"

int cli_status(const struct cli *cli, cli_print_fn *print)
{
	json_t *document = NULL;
	int status = cli_call(cli, "status", NULL, CLI_NOT_RUNNING, &document);

	if (status != 0)
		return status;
	status = (int)json_integer_value(json_object_get(document, "health"));
	if (cli->json != CLI_JSON_OFF)
		cli_print_json(cli, document);
	else
		print(cli, document);
	json_decref(document);
	return status;
}

/* "FILE:LINE: [SECTION NAME] KEY = VALUE", as errors name a place; or "default: …". */
static void cli_print_key(const json_t *key)
{
	const char *file = json_string_value(json_object_get(key, "file"));
	const char *name = json_string_value(json_object_get(key, "name"));
	const char *value = json_string_value(json_object_get(key, "value"));

	if (file)
		printf("%s:%" JSON_INTEGER_FORMAT ": ", file,
			json_integer_value(json_object_get(key, "line")));
	else
		printf("default: ");
	printf("[%s%s%s] %s =%s%s\n", json_string_value(json_object_get(key, "section")),
		name ? " " : "", name ? name : "", json_string_value(json_object_get(key, "key")),
		value && value[0] ? " " : "", value ? value : "");
}

int cli_config(const struct cli *cli)
{
	json_t *keys = NULL;
	int status = cli_call(cli, CLI_CONFIG_KEYS_VERB, NULL, CONTROL_UNAVAILABLE, &keys);
	const json_t *key;
	size_t idx;

	if (status != 0)
		return status;
	if (cli->json != CLI_JSON_OFF)
		cli_print_json(cli, keys);
	else
		json_array_foreach (keys, idx, key)
			cli_print_key(key);
	json_decref(keys);
	return 0;
}

void cli_print_done(const struct cli *cli, const json_t *result)
{
	json_t *nothing = result ? NULL : json_object();

	if (cli->json != CLI_JSON_OFF)
		cli_print_json(cli, result ? result : nothing);
	json_decref(nothing);
}

static bool cli_has_line(const json_t *lines, const char *line)
{
	const json_t *each;
	size_t idx;

	json_array_foreach (lines, idx, each) {
		if (streq(json_string_value(each), line))
			return true;
	}
	return false;
}

const char *cli_lacking_line(const json_t *lines, const json_t *others)
{
	const json_t *each;
	size_t idx;

	if (!others)
		return NULL;
	json_array_foreach (lines, idx, each) {
		if (!cli_has_line(others, json_string_value(each)))
			return json_string_value(each);
	}
	return NULL;
}

/* Those of `lines` that `others` have not. The caller's. */
static json_t *cli_lacking(const json_t *lines, const json_t *others)
{
	json_t *lacking = json_array();
	const json_t *each;
	size_t idx;

	json_array_foreach (lines, idx, each) {
		if (!cli_has_line(others, json_string_value(each)))
			(void)json_array_append(lacking, (json_t *)each);
	}
	return lacking;
}

static void cli_print_lines(const char *mark, const json_t *lines)
{
	const json_t *line;
	size_t idx;

	json_array_foreach (lines, idx, line)
		printf("%s%s\n", mark, json_string_value(line));
}

int cli_diff(const struct cli *cli, struct ini_report *report)
{
	json_t *running = NULL;
	int status = cli_call(cli, CLI_CONFIG_VERB, NULL, CONTROL_UNAVAILABLE, &running);
	json_t *checked, *diff;
	const char *line;

	if (status != 0)
		return status;
	checked = json_array();
	for (size_t idx = 0; (line = ini_report_effective(report, idx)); idx++)
		(void)json_array_append_new(checked, json_string(line));
	diff = json_pack("{s:o, s:o}", "removed", cli_lacking(running, checked), "added",
		cli_lacking(checked, running));
	if (cli->json != CLI_JSON_OFF) {
		cli_print_json(cli, diff);
	} else {
		cli_print_lines("- ", json_object_get(diff, "removed"));
		cli_print_lines("+ ", json_object_get(diff, "added"));
	}
	json_decref(diff);
	json_decref(running);
	json_decref(checked);
	return 0;
}
