/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people see on terminals of every width, what scripts get, and all kinds of warnings, which come last. */
#include "lb/client/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/cli/cli.h"
#include "common/cli/cli_text.h"

#define WIDTH_MIN 40u

#define REASON   "no answer to 3 heartbeats; last heard 12 s ago from 192.0.2.12, its link is up"
#define UNSERVED "agent: nothing accepts on 198.51.100.10:80 (connection refused) and 1 more"
#define ODD      "has taken no connection since it came back, though it was sent 40"

static const char sample[] =
	"{\"version\":\"0.1.0\",\"uptime_s\":182.5,\"interface\":\"eth0\","
	"\"backend_interfaces\":[\"eth1\"],\"mode\":\"packet\",\"active\":true,"
	"\"reason\":\"eth1 gives frames of its neighbours away unsorted\","
	"\"config_generation\":3,\"health\":1,"
	"\"packets\":{\"received\":1234567,\"forwarded\":1234000,\"passed\":560,\"dropped\":7},"
	"\"drops\":{\"no-backend\":7,\"loop\":0},"
	"\"flow_table\":{\"entries\":12,\"capacity\":1048576,\"evictions\":0},"
	"\"control\":{\"rejected\":{\"tag\":2},\"listening_reason\":\"port 7377 is another program's\"},"
	"\"claims\":[{\"vip\":\"198.51.100.10\",\"mac\":\"02:00:00:00:00:99\",\"backend\":null,"
	"\"count\":7,\"last_s\":75},{\"vip\":\"2001:db8::10\",\"mac\":\"02:00:00:00:00:11\","
	"\"backend\":\"web1\",\"count\":1,\"last_s\":2}],"
	"\"refusals\":[{\"address\":\"192.0.2.77\",\"words\":\"its key 1 has other bytes than ours\","
	"\"count\":40,\"last_s\":3}],"
	"\"balancers\":[{\"address\":\"192.0.2.3\",\"differences\":[{\"virtual_server\":\"web\","
	"\"words\":\"has web3, which is not here\"}]}],"
	"\"virtual_servers\":[{\"name\":\"web\",\"vip\":[\"198.51.100.10\",\"2001:db8::10\"],"
	"\"ports\":\"80, 443\",\"protocol\":\"tcp\",\"scheduler\":\"maglev\",\"sessionless\":false,"
	"\"ready\":true,\"ready_reason\":\"\",\"table_digest\":\"0123456789abcdef\","
	"\"packets\":1234000,\"bytes\":98765432,\"flows\":12,\"syns\":400,\"backends\":["
	"{\"name\":\"web1\",\"address\":\"192.0.2.11\",\"mac\":\"02:00:00:00:00:11\","
	"\"state\":\"up\",\"reason\":\"" ODD "\",\"since_s\":170,\"source\":\"agent\",\"weight\":1,"
	"\"effective_weight\":1,\"share\":0.25,\"packets\":134000,\"bytes\":8765432,\"flows\":12,"
	"\"established\":33,\"heartbeat_rtt_us\":412,\"heartbeats_missed\":0},"
	"{\"name\":\"web2\",\"address\":\"192.0.2.12\",\"mac\":\"02:00:00:00:00:12\",\"state\":\"down\","
	"\"reason\":\"" REASON
	"\",\"since_s\":12,\"source\":\"agent\",\"weight\":2,\"effective_weight\":0,"
	"\"share\":0,\"packets\":0,\"bytes\":0,\"flows\":0,\"established\":0,"
	"\"heartbeat_rtt_us\":0,\"heartbeats_missed\":40},"
	"{\"name\":\"web3\",\"address\":\"192.0.2.13\",\"mac\":\"02:00:00:00:00:13\",\"state\":\"up\","
	"\"reason\":\"\",\"since_s\":4000,\"source\":\"static\",\"weight\":3,\"effective_weight\":3,"
	"\"share\":0.75,\"packets\":1100000,\"bytes\":90000000,\"flows\":0,\"established\":71,"
	"\"heartbeat_rtt_us\":0,\"heartbeats_missed\":0}]},"
	"{\"name\":\"a-virtual-server-with-a-name-of-as-many-letters-as-one-may-have\","
	"\"vip\":[\"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\"],"
	"\"ports\":\"any\",\"protocol\":\"any\",\"scheduler\":\"source-hash\",\"sessionless\":true,"
	"\"ready\":false,\"ready_reason\":\"none of its backends is usable\","
	"\"table_digest\":\"\",\"packets\":0,\"bytes\":0,\"flows\":0,\"syns\":0,\"backends\":["
	"{\"name\":\"web4\",\"address\":\"2001:db8:ffff:ffff:ffff:ffff:ffff:fffe\",\"mac\":\"\","
	"\"state\":\"pending\",\"reason\":\"" UNSERVED
	"\",\"since_s\":1,\"source\":\"agent\",\"backup\":true,\"weight\":65535,\"effective_weight\":65535,"
	"\"share\":0,\"packets\":0,\"bytes\":0,\"flows\":0,\"established\":0,"
	"\"heartbeat_rtt_us\":1200,\"heartbeats_missed\":0}]}]}";

static const char warnings[] =
	"warning: eth1 gives frames of its neighbours away unsorted\n"
	"warning: agents are not heard: port 7377 is another program's\n"
	"warning: 198.51.100.10 is claimed by 02:00:00:00:00:99 (not a backend), 7 times, last 1min 15s ago\n"
	"warning: 2001:db8::10 is claimed by 02:00:00:00:00:11 (web1), 1 times, last 2s ago\n"
	"warning: backend web1: " ODD "\n"
	"warning: 192.0.2.77: its key 1 has other bytes than ours (40 times, last 3s ago)\n"
	"warning: virtual server web: the table of the balancer 192.0.2.3 has web3, which is not here\n";

enum view { STATUS, BACKENDS, VIRTUAL_SERVERS, FLOWS, VIEW_N_ };

/* To free. */
static char *show(enum view view, const json_t *document, size_t columns, bool header)
{
	const struct cli cli = { .header = header, .columns = columns };
	FILE *output = tmpfile();
	int kept = dup(STDOUT_FILENO);
	char *text = calloc(1, 65536);

	assert_non_null(text);
	fflush(stdout);
	dup2(fileno(output), STDOUT_FILENO);
	if (view == STATUS)
		print_status(&cli, document);
	else if (view == BACKENDS)
		assert_int_equal(print_backends(&cli, document, NULL), 0);
	else if (view == VIRTUAL_SERVERS)
		print_virtual_servers(&cli, document);
	else
		print_flows(&cli, json_object_get(document, "flows"));
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	rewind(output);
	text[fread(text, 1, 65535, output)] = '\0';
	fclose(output);
	return text;
}

static int setup(void **state)
{
	*state = json_loads(sample, 0, NULL);
	return *state
		? json_object_set_new(*state, "flows",
			  json_pack("[{s:s, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:i}]", "protocol",
				  "tcp", "client", "2001:db8:ffff:ffff:ffff:ffff:ffff:7",
				  "client_port", 60000, "vip", "2001:db8::10", "vip_port", 443,
				  "virtual_server", "web", "backend", "web1", "state",
				  "established", "idle_s", 75))
		: -1;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

/* Without the virtual server of the longest name. */
static void assert_shown(enum view view, json_t *document, size_t columns, const char *expected)
{
	_cleanup_free_ char *text = NULL;

	json_array_remove(json_object_get(document, "virtual_servers"), 1);
	text = show(view, document, columns, true);
	assert_string_equal(text, expected);
}

static void status_fits_80_columns(void **state)
{
	assert_shown(STATUS, *state, 80,
		"Degraded: 1 of 3 backends are not up; web2 is down (no answer to 3 heartbeats;\n"
		"    last heard 12 s ago from 192.0.2.12, its link is up). `dsr-lb doctor` says\n"
		"    what mends it.\n"
		"dsr-lb 0.1.0, mode packet on eth0 (backends on eth1), active, up 3min 2s,\n"
		"    configuration 3\n"
		"packets: 1234567 received, 1234000 forwarded, 560 passed, 7 dropped\n"
		"dropped: no-backend 7\n"
		"flows: 12 of 1048576 recorded, 0 evicted\n"
		"refused messages: tag 2\n"
		"\n"
		"NAME   ADDRESS    STATE    SINCE WEIGHT SHARE FLOWS ESTABLISHED PACKETS BYTES\n"
		"web               ready                          12                1.2M   99M\n"
		"    198.51.100.10, 2001:db8::10 port 80, 443 tcp maglev\n"
		"  web1 192.0.2.11 up    2min 50s      1 25.0%    12          33    134k  8.8M\n"
		"      has taken no connection since it came back, though it was sent 40\n"
		"  web2 192.0.2.12 down       12s  2 (0)  0.0%     0           0       0     0\n"
		"      no answer to 3 heartbeats; last heard 12 s ago from 192.0.2.12, its link\n"
		"      is up\n"
		"  web3 192.0.2.13 up     1h 6min      3 75.0%     0          71    1.1M   90M\n"
		"warning: eth1 gives frames of its neighbours away unsorted\n"
		"warning: agents are not heard: port 7377 is another program's\n"
		"warning: 198.51.100.10 is claimed by 02:00:00:00:00:99 (not a backend), 7 times,\n"
		"    last 1min 15s ago\n"
		"warning: 2001:db8::10 is claimed by 02:00:00:00:00:11 (web1), 1 times, last 2s\n"
		"    ago\n"
		"warning: backend web1: has taken no connection since it came back, though it was\n"
		"    sent 40\n"
		"warning: 192.0.2.77: its key 1 has other bytes than ours (40 times, last 3s ago)\n"
		"warning: virtual server web: the table of the balancer 192.0.2.3 has web3, which\n"
		"    is not here\n");
}

static void status_compares_traffic_with_weight_where_there_is_room(void **state)
{
	assert_shown(STATUS, *state, 110,
		"Degraded: 1 of 3 backends are not up; web2 is down (no answer to 3 heartbeats; last heard 12 s ago from\n"
		"    192.0.2.12, its link is up). `dsr-lb doctor` says what mends it.\n"
		"dsr-lb 0.1.0, mode packet on eth0 (backends on eth1), active, up 3min 2s, configuration 3\n"
		"packets: 1234567 received, 1234000 forwarded, 560 passed, 7 dropped\n"
		"dropped: no-backend 7\n"
		"flows: 12 of 1048576 recorded, 0 evicted\n"
		"refused messages: tag 2\n"
		"\n"
		"NAME   ADDRESS    STATE    SINCE WEIGHT WEIGHT% TRAFFIC% SHARE FLOWS ESTABLISHED PACKETS BYTES\n"
		"web               ready                                           12                1.2M   99M\n"
		"    198.51.100.10, 2001:db8::10 port 80, 443 tcp maglev\n"
		"  web1 192.0.2.11 up    2min 50s      1   25.0%    10.9% 25.0%    12          33    134k  8.8M\n"
		"      has taken no connection since it came back, though it was sent 40\n"
		"  web2 192.0.2.12 down       12s  2 (0)    0.0%     0.0%  0.0%     0           0       0     0\n"
		"      no answer to 3 heartbeats; last heard 12 s ago from 192.0.2.12, its link is up\n"
		"  web3 192.0.2.13 up     1h 6min      3   75.0%    89.1% 75.0%     0          71    1.1M   90M\n"
		"warning: eth1 gives frames of its neighbours away unsorted\n"
		"warning: agents are not heard: port 7377 is another program's\n"
		"warning: 198.51.100.10 is claimed by 02:00:00:00:00:99 (not a backend), 7 times, last 1min 15s ago\n"
		"warning: 2001:db8::10 is claimed by 02:00:00:00:00:11 (web1), 1 times, last 2s ago\n"
		"warning: backend web1: has taken no connection since it came back, though it was sent 40\n"
		"warning: 192.0.2.77: its key 1 has other bytes than ours (40 times, last 3s ago)\n"
		"warning: virtual server web: the table of the balancer 192.0.2.3 has web3, which is not here\n");
}

static void backends_have_two_levels_on_80_columns(void **state)
{
	assert_shown(BACKENDS, *state, 80,
		"BACKEND   ADDRESS    STATE    SINCE WEIGHT TRAFFIC% SHARE FLOWS ESTABLISHED\n"
		"web                  ready                                   12\n"
		"    198.51.100.10, 2001:db8::10 port 80, 443 tcp maglev\n"
		"  -> web1 192.0.2.11 up    2min 50s      1    10.9% 25.0%    12          33\n"
		"      has taken no connection since it came back, though it was sent 40\n"
		"  -> web2 192.0.2.12 down       12s  2 (0)     0.0%  0.0%     0           0\n"
		"      no answer to 3 heartbeats; last heard 12 s ago from 192.0.2.12, its link\n"
		"      is up\n"
		"  -> web3 192.0.2.13 up     1h 6min      3    89.1% 75.0%     0          71\n");
}

static void backends_fill_a_wide_terminal(void **state)
{
	assert_shown(BACKENDS, *state, 240,
		"BACKEND   ADDRESS    MAC               SOURCE STATE    SINCE WEIGHT WEIGHT% TRAFFIC% SHARE FLOWS ESTABLISHED   RTT MISSED\n"
		"web                                           ready                                           12\n"
		"    198.51.100.10, 2001:db8::10 port 80, 443 tcp maglev\n"
		"  -> web1 192.0.2.11 02:00:00:00:00:11 agent  up    2min 50s      1   25.0%    10.9% 25.0%    12          33 0.4ms      0\n"
		"      has taken no connection since it came back, though it was sent 40\n"
		"  -> web2 192.0.2.12 02:00:00:00:00:12 agent  down       12s  2 (0)    0.0%     0.0%  0.0%     0           0     -     40\n"
		"      no answer to 3 heartbeats; last heard 12 s ago from 192.0.2.12, its link is up\n"
		"  -> web3 192.0.2.13 02:00:00:00:00:13 static up     1h 6min      3   75.0%    89.1% 75.0%     0          71     -      0\n");
}

static void virtual_servers_fit_80_columns(void **state)
{
	assert_shown(VIRTUAL_SERVERS, *state, 80,
		"NAME PORT    PROTOCOL SCHEDULER STATE  UP FLOWS PACKETS BYTES DIGEST\n"
		"web  80, 443 tcp      maglev    ready 2/3    12    1.2M   99M 0123456789abcdef\n"
		"    198.51.100.10, 2001:db8::10\n");
}

/* What scripts read has one line a backend, and nothing that depends on a terminal. */
static void without_a_terminal_a_backend_is_a_line(void **state)
{
	assert_shown(BACKENDS, *state, 0,
		"VIRTUAL SERVER BACKEND ADDRESS    MAC               SOURCE STATE    SINCE WEIGHT SHARE FLOWS ESTABLISHED   RTT MISSED REASON\n"
		"web            web1    192.0.2.11 02:00:00:00:00:11 agent  up    2min 50s      1 25.0%    12          33 0.4ms      0 has taken no connection since it came back, though it was sent 40\n"
		"web            web2    192.0.2.12 02:00:00:00:00:12 agent  down       12s  2 (0)  0.0%     0           0     -     40 no answer to 3 heartbeats; last heard 12 s ago from 192.0.2.12, its link is up\n"
		"web            web3    192.0.2.13 02:00:00:00:00:13 static up     1h 6min      3 75.0%     0          71     -      0 \n");
}

static void warnings_come_last_a_line_each(void **state)
{
	_cleanup_free_ char *text = show(STATUS, *state, 0, true);
	const char *first = strstr(text, "warning: ");

	assert_non_null(first);
	assert_string_equal(first, warnings);
	assert_memory_equal(text, "Degraded: ", strlen("Degraded: "));
}

static void without_a_header_there_are_rows_alone(void **state)
{
	_cleanup_free_ char *text = show(STATUS, *state, 80, false);

	assert_memory_equal(text, "web ", strlen("web "));
	assert_null(strstr(text, "warning: "));
}

/* Why it is not active stands in the head, and is no warning. */
static void what_the_head_says_is_no_warning(void **state)
{
	_cleanup_free_ char *text = NULL;

	json_object_set_new(*state, "active", json_false());
	json_object_set_new(*state, "state", json_string("standby"));
	json_object_set_new(*state, "inactive_reason", json_string("by an administrator"));
	json_object_set_new(*state, "reason", json_string("by an administrator"));
	text = show(STATUS, *state, 0, true);
	assert_non_null(strstr(text, ", not active (by an administrator), up "));
	assert_null(strstr(text, "warning: by an administrator"));
}

/* As one reads it: the lines of a paragraph are one. */
static void unwrap(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\n' || *from == ' ') {
			from += strspn(from, " \n") - 1;
			*to++ = ' ';
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

static void assert_fits(enum view view, const json_t *document, size_t columns, bool header)
{
	_cleanup_free_ char *text = show(view, document, columns, header);
	_cleanup_free_ char *lines = strdup(text);
	char *rest = lines, *line;

	while ((line = strsep(&rest, "\n")))
		if (cli_text_columns(line) > columns)
			fail_msg("%zu columns: %s\n%s", columns, line, text);
	unwrap(text);
	if (view == VIRTUAL_SERVERS || view == FLOWS)
		return;
	if (!strstr(text, REASON) || !strstr(text, UNSERVED) || !strstr(text, ODD) ||
		!strstr(text, " none of its backends is usable "))
		fail_msg("%zu columns: a reason is not whole: %s", columns, text);
}

static void every_width_holds_every_reason(void **state)
{
	for (size_t columns = WIDTH_MIN; columns < 400; columns++)
		for (enum view view = 0; view < VIEW_N_; view++) {
			assert_fits(view, *state, columns, true);
			assert_fits(view, *state, columns, false);
		}
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(status_fits_80_columns),
		FACT(status_compares_traffic_with_weight_where_there_is_room),
		FACT(backends_have_two_levels_on_80_columns),
		FACT(backends_fill_a_wide_terminal),
		FACT(virtual_servers_fit_80_columns),
		FACT(without_a_terminal_a_backend_is_a_line),
		FACT(warnings_come_last_a_line_each),
		FACT(without_a_header_there_are_rows_alone),
		FACT(what_the_head_says_is_no_warning),
		FACT(every_width_holds_every_reason),
	};

	return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
