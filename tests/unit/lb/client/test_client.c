/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs' output against a sample document, and their exit statuses against a daemon's socket
 * that serves it from another process.
 */
#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/cli/cli_verb.h"
#include "lb/client/client.h"
#include "lb/client/print.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "common/ini/ini.h"
#include "tests/unit/tools/temp_dir.h"

static const char sample[] =
	"{\"schema\":1,\"version\":\"0.1.0\",\"uptime_s\":182.5,\"interface\":\"eth0\","
	"\"backend_interface\":\"eth1\",\"backend_interfaces\":[\"eth1\"],\"mode\":\"packet\",\"active\":true,"
	"\"config_generation\":3,\"health\":1,"
	"\"packets\":{\"received\":1234567,\"forwarded\":1234000,\"passed\":560,\"dropped\":7},"
	"\"drops\":{\"no-backend\":7,\"loop\":0},"
	"\"flow_table\":{\"entries\":12,\"capacity\":1048576,\"evictions\":0},"
	"\"control\":{\"received\":10,\"accepted\":8,\"rejected\":{\"tag\":2}},"
	"\"virtual_servers\":[{\"name\":\"web\",\"vip\":[\"198.51.100.10\",\"2001:db8::10\"],"
	"\"ports\":\"80, 443\",\"protocol\":\"tcp\",\"scheduler\":\"maglev\",\"sessionless\":false,"
	"\"ready\":true,\"ready_reason\":\"\",\"table_digest\":\"0123456789abcdef\","
	"\"packets\":1234000,\"bytes\":98765432,\"flows\":12,\"syns\":400,\"backends\":["
	"{\"name\":\"web1\",\"address\":\"192.0.2.11\",\"mac\":\"02:00:00:00:00:11\","
	"\"state\":\"up\",\"reason\":\"\",\"since_s\":170,\"source\":\"agent\",\"weight\":1,"
	"\"effective_weight\":1,\"share\":1.0,\"packets\":1234000,\"bytes\":98765432,\"flows\":12,"
	"\"established\":33,\"heartbeat_rtt_us\":412,\"heartbeats_missed\":0},"
	"{\"name\":\"web2\",\"address\":\"192.0.2.12\",\"mac\":\"\",\"state\":\"down\","
	"\"reason\":\"no heartbeat answered for 900 ms (3 missed); last heard 12 s ago from "
	"192.0.2.12\",\"since_s\":12,\"source\":\"agent\",\"weight\":2,\"effective_weight\":0,"
	"\"share\":0,\"packets\":0,\"bytes\":0,\"flows\":0,\"established\":0,"
	"\"heartbeat_rtt_us\":0,\"heartbeats_missed\":40}]}]}";

static const char sample_reason[] =
	"no heartbeat answered for 900 ms (3 missed); last heard 12 s ago from 192.0.2.12";

struct caught {
	char output[8192], error[1024];
};

static void caught_read(FILE *file, char *ret_text, size_t size_bytes)
{
	rewind(file);
	ret_text[fread(ret_text, 1, size_bytes - 1, file)] = '\0';
	fclose(file);
}

static void *numbers_open(void *context, const char *name, struct why *ret_why)
{
	return context;
}

/* check-config --diff against what the daemon's process has in force. */
static int run_diff(const struct cli *cli, void *context)
{
	static const struct ini_key keys[] = {
		{ .name = "same", .parse = ini_parse_u32, .max = 9 },
		{ .name = "other", .parse = ini_parse_u32, .max = 9 },
	};
	static const struct ini_section section = { "numbers", false, keys, ARRAY_LEN(keys),
		numbers_open };
	static const char text[] = "[numbers]\nsame = 1\nother = 3\n";
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	uint32_t number;

	assert_int_equal(
		ini_load_text("text", text, strlen(text), &section, 1, &number, &report), 0);
	return cli_diff(cli, report);
}

/* Runs `dsr-lb WORDS…` with its output caught. */
static int run_words(struct caught *caught, const char *words)
{
	FILE *output = tmpfile(), *error = tmpfile();
	int kept_output = dup(STDOUT_FILENO), kept_error = dup(STDERR_FILENO);
	char *text = strdup(words), *state = NULL;
	char *argv[16] = { (char *)"dsr-lb" };
	int argc = 1, status;

	for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
		argv[argc++] = word;
	fflush(stdout);
	dup2(fileno(output), STDOUT_FILENO);
	dup2(fileno(error), STDERR_FILENO);
	status = client_main(argc, argv, NULL, run_diff);
	fflush(stdout);
	dup2(kept_output, STDOUT_FILENO);
	dup2(kept_error, STDERR_FILENO);
	close(kept_output);
	close(kept_error);
	caught_read(output, caught->output, sizeof(caught->output));
	caught_read(error, caught->error, sizeof(caught->error));
	free(text);
	return status;
}

/* In two parts, as a daemon with many flows answers. */
static void daemon_flows(struct control_request *request, json_int_t from)
{
	json_t *flow = json_pack("{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:i}", "client",
		from ? "203.0.113.9" : "2001:db8::7", "client_port", 4711, "vip", "198.51.100.10",
		"vip_port", 80, "protocol", "tcp", "virtual_server", "web", "backend", "web1",
		"state", "established", "idle_s", 75);

	control_reply(request, 0,
		json_pack("{s:[o], s:o}", "flows", flow, "next",
			from ? json_null() : json_integer(70000)));
}

/* The daemon's process: serves the sample, and answers other verbs with what was asked. */
static void daemon_verb(struct control_request *request, const char *verb, json_t *args,
	bool may_change, void *context)
{
	const char *vs = json_string_value(json_object_get(args, "virtual_server"));

	if (streq(verb, "status"))
		control_reply(request, 0, json_loads(sample, 0, NULL));
	else if (streq(verb, "ready"))
		control_reply(request, 0,
			json_pack(
				"{s:b, s:s}", "ready", vs == NULL, "reason", "no usable backend"));
	else if (streq(verb, "flows"))
		daemon_flows(request, json_integer_value(json_object_get(args, "from")));
	else if (streq(verb, "explain"))
		control_reply(request, 0,
			json_pack("{s:s, s:[s, s]}", "verdict", "forward", "story",
				"Packet: a TCP SYN.", "Verdict: forward."));
	else if (streq(verb, "config"))
		control_reply(request, 0,
			json_pack("[s, s]", "[numbers] same = 1", "[numbers] other = 2"));
	else if (streq(verb, "config-keys"))
		control_reply(request, 0,
			json_pack(
				"[{s:s, s:n, s:s, s:s, s:s, s:i}, {s:s, s:s, s:s, s:n, s:n, s:n}]",
				"section", "numbers", "name", "key", "same", "value", "1", "file",
				"/etc/a.conf", "line", 2, "section", "virtual-server", "name",
				"web", "key", "allow", "value", "file", "line"));
	else if (streq(verb, "enable"))
		control_fail(request, CONTROL_USAGE, "enable: no backend is named web9");
	else
		control_reply(request, 0, json_incref(args));
}

struct served {
	char directory[TEMP_DIR_BYTES];
	pid_t pid;
};

static void daemon_main(const char *directory, int ready_fd)
{
	struct control *control = NULL;
	sd_event *event = NULL;

	if (sd_event_new(&event) < 0 ||
		control_listen(event, directory, daemon_verb, NULL, &control) < 0)
		_exit(1);
	close(ready_fd);
	(void)sd_event_loop(event);
	_exit(1);
}

static int served_setup(void **state)
{
	struct served *served = calloc(1, sizeof(*served));
	int ready[2];
	char byte;

	temp_dir_make(served->directory);
	assert_int_equal(pipe(ready), 0);
	served->pid = fork();
	if (served->pid == 0) {
		close(ready[0]);
		daemon_main(served->directory, ready[1]);
	}
	close(ready[1]);
	/* The end of the pipe says that the socket listens. */
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	setenv("RUNTIME_DIRECTORY", served->directory, 1);
	*state = served;
	return 0;
}

static int served_teardown(void **state)
{
	struct served *served = *state;

	kill(served->pid, SIGKILL);
	waitpid(served->pid, NULL, 0);
	temp_dir_remove(served->directory);
	unsetenv("RUNTIME_DIRECTORY");
	free(served);
	return 0;
}

static void client_status_shows_all_at_a_glance(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "status"), 1);
	assert_string_equal(caught.output,
		"Degraded: 1 of 2 backends are not up; web2 is down (no heartbeat answered for 900 ms (3 missed); "
		"last heard 12 s ago from 192.0.2.12). `dsr-lb doctor` says what mends it.\n"
		"dsr-lb 0.1.0, mode packet on eth0 (backends on eth1), active, up 3min 2s, "
		"configuration 3\n"
		"packets: 1234567 received, 1234000 forwarded, 560 passed, 7 dropped\n"
		"dropped: no-backend 7\n"
		"flows: 12 of 1048576 recorded, 0 evicted\n"
		"refused messages: tag 2\n"
		"\n"
		"NAME   ADDRESS                                             STATE    SINCE WEIGHT  SHARE "
		"FLOWS ESTABLISHED PACKETS BYTES REASON\n"
		"web    198.51.100.10, 2001:db8::10 port 80, 443 tcp maglev ready                        "
		"   12                1.2M   99M \n"
		"  web1 192.0.2.11                                          up    2min 50s      1 100.0% "
		"   12          33    1.2M   99M \n"
		"  web2 192.0.2.12                                          down       12s  2 (0)   0.0% "
		"    0           0       0     0 no heartbeat answered for 900 ms (3 missed); last heard "
		"12 s ago from 192.0.2.12\n");
}

static void client_never_loses_the_reason(void **state)
{
	struct caught caught;

	setenv("COLUMNS", "20", 1);
	assert_int_equal(run_words(&caught, "status --color=always"), 1);
	assert_non_null(strstr(caught.output, sample_reason));
	assert_int_equal(run_words(&caught, "backends"), 0);
	assert_non_null(strstr(caught.output, sample_reason));
	unsetenv("COLUMNS");
}

static void client_status_prints_the_document_as_json(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "status --json"), 1);
	caught.output[strlen(caught.output) - 1] = '\0';
	assert_string_equal(caught.output, sample);
}

static void client_status_tells_not_running_by_3(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "status --runtime-dir /nonexistent"), 3);
	assert_int_equal(run_words(&caught, "backends --runtime-dir /nonexistent"), 69);
	assert_int_equal(run_words(&caught, "drain --runtime-dir /nonexistent web1"), 69);
	assert_int_equal(run_words(&caught, "ready --runtime-dir /nonexistent"), 1);
}

static void client_prints_the_configuration_in_force(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "config"), 0);
	assert_string_equal(caught.output,
		"/etc/a.conf:2: [numbers] same = 1\ndefault: [virtual-server web] allow =\n");
	assert_int_equal(run_words(&caught, "config -j"), 0);
	assert_non_null(strstr(caught.output, "\"file\":\"/etc/a.conf\",\"line\":2}"));
	assert_non_null(strstr(caught.output, "\"value\":null,\"file\":null,\"line\":null}"));
}

static void client_prints_only_lines_that_differ(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "check-config --diff"), 0);
	assert_string_equal(caught.output, "- [numbers] other = 2\n+ [numbers] other = 3\n");
	assert_int_equal(run_words(&caught, "check-config --diff --runtime-dir /nonexistent"), 69);
	assert_string_equal(caught.output, "");
}

static void client_lists_virtual_servers_and_backends(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "virtual-servers --no-header"), 0);
	assert_non_null(strstr(caught.output, "0123456789abcdef"));
	assert_non_null(strstr(caught.output, "1/2"));
	assert_int_equal(run_words(&caught, "backends web"), 0);
	assert_non_null(strstr(caught.output, "02:00:00:00:00:11"));
	assert_int_equal(run_words(&caught, "backends nope"), CONTROL_USAGE);
	assert_string_equal(caught.output, "");
	assert_non_null(strstr(caught.error, "no virtual server is named nope"));
	assert_int_equal(run_words(&caught, "backends web -j"), 0);
	assert_non_null(strstr(caught.output, "\"virtual_server\":\"web\""));
	assert_int_equal(run_words(&caught, "backends nope -j"), CONTROL_USAGE);
}

static void client_shows_flows_and_explains(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "flows --no-header"), 0);
	assert_non_null(strstr(caught.output, "[2001:db8::7]:4711"));
	assert_non_null(strstr(caught.output, "203.0.113.9:4711"));
	assert_non_null(strstr(caught.output, "1min 15s"));
	assert_int_equal(run_words(&caught, "explain 192.0.2.7:1 198.51.100.10:80"), 0);
	assert_string_equal(caught.output,
		" 1. Packet: a TCP SYN.\n"
		" 2. Verdict: forward.\n");
}

static void client_ready_is_yes_or_no(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "ready"), 0);
	assert_string_equal(caught.output, "ready\n");
	assert_int_equal(run_words(&caught, "ready web"), 1);
	assert_string_equal(caught.output, "not ready: no usable backend\n");
}

static void client_sends_what_was_asked(void **state)
{
	static const struct {
		const char *words, *args;
	} cases[] = {
		{ "drain web1 -j", "{\"backend\":\"web1\"}\n" },
		{ "drain web1 --wait=2s -j",
			"{\"backend\":\"web1\",\"wait\":true,\"wait_us\":2000000}\n" },
		{ "drain --wait web1 -j", "{\"backend\":\"web1\",\"wait\":true,\"wait_us\":0}\n" },
		{ "weight web1 3 -j", "{\"backend\":\"web1\",\"weight\":3}\n" },
		{ "weight web1 50% -j", "{\"backend\":\"web1\",\"weight\":\"50%\"}\n" },
		{ "weight web1 configured -j",
			"{\"backend\":\"web1\",\"weight\":\"configured\"}\n" },
		{ "weight web1 3 web -j",
			"{\"backend\":\"web1\",\"weight\":3,\"virtual_server\":\"web\"}\n" },
		{ "reload -j", "{}\n" },
		{ "reload", "" },
		{ "disable web1", "" },
	};
	struct caught caught;

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		assert_int_equal(run_words(&caught, test->words), 0);
		assert_string_equal(caught.output, test->args);
		assert_string_equal(caught.error, "");
	}
	assert_int_equal(run_words(&caught, "enable web9"), CONTROL_USAGE);
	assert_string_equal(caught.error, "dsr-lb: enable: no backend is named web9\n");
}

static void client_refuses_weights_out_of_range(void **state)
{
	static const char *const words[] = { "weight web1 65536", "weight web1 x", "weight web1 3x",
		"weight web1 +3", "weight web1 99999999999999999999" };
	struct caught caught;

	ARRAY_FOREACH (word, words, ARRAY_LEN(words))
		assert_int_equal(run_words(&caught, *word), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "weight web1 65535"), 0);
}

static void client_makes_keys(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "keygen web"), 0);
	assert_ptr_equal(strstr(caught.output, "web hex:"), caught.output);
	assert_int_equal(strlen(caught.output), strlen("web hex:") + 64 + 1);
	assert_int_equal(run_words(&caught, "keygen main master"), 0);
	assert_ptr_equal(strstr(caught.output, "main master hex:"), caught.output);
	assert_int_equal(run_words(&caught, "keygen main slave"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "keygen a:b"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "keygen a/"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "keygen /web1"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "keygen a/b --config /nonexistent"), CONTROL_CONFIG);
}

static void client_imports_by_exit_status(void **state)
{
	static const struct {
		const char *file;
		int status;
		const char *output, *error;
	} cases[] = {
		{ "import netscaler tests/unit/lb/client/import/netscaler/dsr.conf", 0,
			"\n[virtual-server vserver_DSR]\n", "" },
		{ "import netscaler tests/unit/lb/client/import/netscaler/nat.conf", 1,
			"\n# not translated: 10: ", "" },
		{ "import keepalived tests/unit/lb/client/import/keepalived/include.conf", 1,
			"\n[virtual-server udp-198.51.100.20-53]\n", "" },
		{ "import ipvsadm tests/unit/lb/client/import/ipvsadm/empty.conf", 0, "#", "" },
		{ "import ipvsadm tests/unit/lb/client/import/netscaler/dsr.conf", CONTROL_CONFIG,
			"", "dsr.conf: line 1: 'enable'" },
		{ "import ipvsadm /dev/null/x", CONTROL_CONFIG, "", "cannot read /dev/null/x" },
		{ "import ipvsadm .", CONTROL_CONFIG, "", "cannot read ." },
		{ "import ipvsadm /dev/zero", CONTROL_CONFIG, "",
			"/dev/zero is larger than 4 MiB" },
		{ "import haproxy x", CONTROL_USAGE, "", "write netscaler, keepalived or ipvsadm" },
		{ "import ipvsadm", CONTROL_USAGE, "", "an argument is missing" },
	};
	struct caught caught;

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		assert_int_equal(run_words(&caught, each->file), each->status);
		if (!strstr(caught.output, each->output) || !strstr(caught.error, each->error))
			fail_msg("%s: %s%s", each->file, caught.output, caught.error);
		if (each->status > 1)
			assert_string_equal(caught.output, "");
	}
}

static void client_makes_no_token_without_a_configuration(void **state)
{
	struct caught caught;

	assert_int_equal(run_words(&caught, "token"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "token a/b"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "token 192.0.2.11"), CONTROL_USAGE);
	assert_int_equal(run_words(&caught, "token web1 --config /nonexistent"), CONTROL_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_status_shows_all_at_a_glance),
		cmocka_unit_test(client_never_loses_the_reason),
		cmocka_unit_test(client_status_prints_the_document_as_json),
		cmocka_unit_test(client_status_tells_not_running_by_3),
		cmocka_unit_test(client_prints_the_configuration_in_force),
		cmocka_unit_test(client_prints_only_lines_that_differ),
		cmocka_unit_test(client_lists_virtual_servers_and_backends),
		cmocka_unit_test(client_shows_flows_and_explains),
		cmocka_unit_test(client_ready_is_yes_or_no),
		cmocka_unit_test(client_sends_what_was_asked),
		cmocka_unit_test(client_refuses_weights_out_of_range),
		cmocka_unit_test(client_makes_keys),
		cmocka_unit_test(client_imports_by_exit_status),
		cmocka_unit_test(client_makes_no_token_without_a_configuration),
	};

	return cmocka_run_group_tests_name("client", tests, served_setup, served_teardown);
}
