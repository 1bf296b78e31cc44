/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb, from the token to a host that serves: see join.h. */
#include "agent/control/join.h"

#include <sodium.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "agent/config/config.h"
#include "agent/control/join_files.h"
#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/control/control_call.h"
#include "common/os/clock.h"
#include "common/proto/token.h"

#define JOIN_UNIT    "dsr-agent.service"
#define JOIN_ASK_US  (5 * US_PER_S)
#define JOIN_EACH_US (100 * US_PER_MS)

extern char **environ;

/* ---- the token ---- */

/* As an argument it is seen by whoever may list processes; "-" reads it from stdin. */
static int join_read(const struct cli *cli, char ret_text[TOKEN_BYTES + 1])
{
	size_t length;

	if (!streq(cli->args[0], "-")) {
		snprintf(ret_text, TOKEN_BYTES + 1, "%s", cli->args[0]);
		return 0;
	}
	length = fread(ret_text, 1, TOKEN_BYTES, stdin);
	if (ferror(stdin))
		return cli_fail(
			cli, CONTROL_CONFIG, "join: cannot read the token: %s", strerror(errno));
	ret_text[length] = '\0';
	ret_text[strcspn(ret_text, " \t\r\n")] = '\0';
	return 0;
}

static int join_take(const struct cli *cli, struct token *ret_token)
{
	char text[TOKEN_BYTES + 1];
	struct why why = { 0 };
	int status = join_read(cli, text);

	if (status == 0 && token_parse(text, ret_token, &why) < 0)
		status = cli_fail(cli, CONTROL_CONFIG, "join: bad token: %s", why.text);
	sodium_memzero(text, sizeof(text));
	return status;
}

/* ---- the unit ---- */

/* Nothing of what it prints is hidden; the exit status, or negative errno. */
static int join_systemctl(void)
{
	/* Of these posix_spawn(3) changes nothing, though its type does not say so. */
	static char program[] = "systemctl", enable[] = "enable", now[] = "--now",
		    unit[] = JOIN_UNIT;
	char *const command[] = { program, enable, now, unit, NULL };
	int r, status = 0;
	pid_t pid;

	r = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return util_negative_errno();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static int join_start(const struct cli *cli, const struct join_files *files)
{
	int r;

	if (!streq(files->config_path, CONFIG_DEFAULT_PATH))
		return cli_fail(cli, CONTROL_UNAVAILABLE,
			"join: %s and %s are written; the unit reads %s: start it yourself: dsr-agent "
			"run --config %s",
			files->config_path, files->key_path, CONFIG_DEFAULT_PATH,
			files->config_path);
	if (sd_booted() <= 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE,
			"join: %s and %s are written; no systemd runs here to start it: start it "
			"yourself: dsr-agent run",
			files->config_path, files->key_path);
	r = join_systemctl();
	if (r == 0)
		return 0;
	return cli_fail(cli, CONTROL_UNAVAILABLE,
		"join: %s and %s are written, but the unit does not start (%s); look at: systemctl "
		"status %s",
		files->config_path, files->key_path, r < 0 ? strerror(-r) : "systemctl says why",
		JOIN_UNIT);
}

/* ---- whether it serves ---- */

/* Asks the agent once: whether it is up; else what it says. */
static bool join_serves(const struct cli *cli, struct why *ret_why)
{
	_cleanup_free_ char *error = NULL;
	json_t *document = NULL;
	int r = control_call(cli->runtime_dir, "status", NULL, JOIN_ASK_US, &document, &error);
	const char *state = json_string_value(json_object_get(document, "state"));
	const char *reason = json_string_value(json_object_get(document, "reason"));
	bool up = r == 0 && state && streq(state, "up");

	if (r < 0)
		why_set(ret_why, "the agent does not answer: %s", strerror(-r));
	else
		why_set(ret_why, "%s: %s", state ? state : "no state", reason ? reason : "");
	json_decref(document);
	return up;
}

static void join_tell(const struct cli *cli, const struct token *token)
{
	json_t *joined;

	if (cli->json == CLI_JSON_OFF) {
		printf("%s serves %zu VIP%s\n", token->key.agent, token->n_vips,
			token->n_vips == 1 ? "" : "s");
		return;
	}
	joined = json_pack(
		"{s:s, s:I}", "name", token->key.agent, "vips", (json_int_t)token->n_vips);
	cli_print_json(cli, joined);
	json_decref(joined);
}

static int join_wait(const struct cli *cli, const struct token *token)
{
	uint64_t end_us = clock_now_us() + JOIN_WAIT_S * US_PER_S;
	struct why why = { 0 };

	while (!join_serves(cli, &why)) {
		if (clock_now_us() > end_us)
			return cli_fail(cli, CONTROL_TIMEOUT,
				"join: %s is written and started, but does not serve after %u s: %s; look "
				"at: dsr-agent doctor",
				token->key.agent, JOIN_WAIT_S, why.text);
		usleep(JOIN_EACH_US);
	}
	join_tell(cli, token);
	return 0;
}

/* ---- the verb ---- */

static int join_write(
	const struct cli *cli, const struct join_files *files, const struct token *token)
{
	struct why why = { 0 };
	int r = join_files_check(files, &why);

	if (r == 0)
		r = join_files_write(files, token, &why);
	if (r == 0)
		return 0;
	return cli_fail(cli,
		r == -EACCES || r == -EPERM || r == -EROFS ? CONTROL_PERMISSION : CONTROL_CONFIG,
		"join: %s", why.text);
}

int join(const struct cli *cli, void *context)
{
	struct join_files files = { 0 };
	struct token token = { 0 };
	int status;

	if (auth_init() < 0 || join_files_init(cli->config_path, &files) < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "out of memory");
	status = join_take(cli, &token);
	if (status == 0)
		status = join_write(cli, &files, &token);
	if (status == 0)
		status = join_start(cli, &files);
	if (status == 0)
		status = join_wait(cli, &token);
	keyring_key_wipe(&token.key);
	join_files_clear(&files);
	return status;
}
