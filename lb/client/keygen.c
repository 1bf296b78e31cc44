/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for key files: see keygen.h. */
#include "lb/client/keygen.h"

#include <sodium.h>

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/proto/keyring.h"
#include "lb/config/config.h"
#include "lb/config/keys.h"

int keygen_load(const struct cli *cli, struct config **ret_config, struct keyring **ret_ring)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	int r = config_load(cli->config_path, &config, &report);

	if (r == 0)
		r = keys_load_for_verb(report, ret_ring);
	for (size_t i = 0; report && i < ini_report_len(report); i++)
		fprintf(stderr, "%s\n", ini_report_line(report, i));
	if (r == -EACCES)
		return CONTROL_PERMISSION;
	if (r < 0)
		return CONTROL_CONFIG;
	*ret_config = TAKE_PTR(config);
	return 0;
}

static int keygen_fail_id(const struct cli *cli, const char *id)
{
	return cli_fail(cli, CONTROL_USAGE,
		"%s: '%s' is no key ID; at most %u letters, digits, '.', '-' and '_'", cli->verb,
		id, PROTO_KEY_ID_MAX);
}

static void keygen_print(const struct cli *cli, const char *line, bool is_master)
{
	json_t *key;

	if (cli->json == CLI_JSON_OFF) {
		printf("%s\n", line);
		return;
	}
	key = json_pack("{s:s%, s:b, s:s}", "id", line, strcspn(line, " "), "master", is_master,
		"line", line);
	cli_print_json(cli, key);
	json_decref(key);
}

static int keygen_random(const struct cli *cli, const char *id, bool is_master)
{
	char line[KEYRING_LINE_BYTES];

	if (keyring_keygen(id, is_master, line) < 0)
		return keygen_fail_id(cli, id);
	keygen_print(cli, line, is_master);
	sodium_memzero(line, sizeof(line));
	return 0;
}

/* `word` is ID/NAME. */
static int keygen_derived(const struct cli *cli, const char *word)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	const char *name = strchr(word, '/') + 1;
	_cleanup_free_ char *id = strndup(word, (size_t)(name - 1 - word));
	char line[KEYRING_LINE_BYTES];
	const struct keyring_key *master;
	struct keyring_key key;
	int status;

	if (!id)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "out of memory");
	if (!proto_key_id_is_valid(id))
		return keygen_fail_id(cli, id);
	if (!proto_name_is_valid(name))
		return cli_fail(cli, CONTROL_USAGE,
			"keygen: '%s' is no name of an agent; use letters, digits, '.', '-' and '_'",
			name);
	status = keygen_load(cli, &config, &ring);
	if (status != 0)
		return status;
	master = keyring_find(ring, id);
	if (!master || !master->is_master)
		return cli_fail(cli, CONTROL_CONFIG,
			"keygen: %s has no line \"%s master\"; add one: dsr-lb keygen %s master >> "
			"%s",
			config->key_file, id, id, config->key_file);
	keyring_key_of_agent(master, name, &key);
	keyring_format(&key, line);
	keyring_key_wipe(&key);
	keygen_print(cli, line, false);
	sodium_memzero(line, sizeof(line));
	return 0;
}

int keygen(const struct cli *cli, void *context)
{
	const char *id = cli->n_args > 0 ? cli->args[0] : NULL;

	if (auth_init() < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "cannot initialise libsodium");
	if (cli->n_args > 1 && !streq(cli->args[1], "master"))
		return cli_fail(cli, CONTROL_USAGE,
			"keygen: '%s' after the ID; only \"master\" may stand there", cli->args[1]);
	if (id && strchr(id, '/') && cli->n_args == 1)
		return keygen_derived(cli, id);
	return keygen_random(cli, id, cli->n_args > 1);
}
