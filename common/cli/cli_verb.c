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

static void cli_print_lacking(const char *mark, const json_t *lines, const json_t *others)
{
	const json_t *each;
	size_t idx;

	json_array_foreach (lines, idx, each) {
		if (!cli_has_line(others, json_string_value(each)))
			printf("%s%s\n", mark, json_string_value(each));
	}
}

int cli_diff(const struct cli *cli, struct ini_report *report)
{
	json_t *running = NULL;
	int status = cli_call(cli, CLI_CONFIG_VERB, NULL, CONTROL_UNAVAILABLE, &running);
	json_t *checked;
	const char *line;

	if (status != 0)
		return status;
	checked = json_array();
	for (size_t idx = 0; (line = ini_report_effective(report, idx)); idx++)
		(void)json_array_append_new(checked, json_string(line));
	cli_print_lacking("- ", running, checked);
	cli_print_lacking("+ ", checked, running);
	json_decref(running);
	json_decref(checked);
	return 0;
}
