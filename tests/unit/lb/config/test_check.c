/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several keys say together is told beside what was refused alone, and nothing that only follows from that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lb/config/config.h"

#define BASE "[balancer]\ninterface = eth0\n"
#define WEB  "[virtual-server web]\nvip = 198.51.100.10\n"
#define MAIL "[virtual-server mail]\nvip = 198.51.100.10\n"

#define ERRORS_MAX 4u

/* Exactly these errors in this order, each by its beginning and a part behind it. */
static void assert_errors(const char *text, const char *const expected[ERRORS_MAX][2])
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *config = NULL;
	size_t len = 0;

	assert_int_equal(
		config_load_text("lb.conf", text, strlen(text), &config, &report), -EINVAL);
	assert_null(config);
	assert_int_equal(ini_report_warnings_len(report), 0);
	for (; len < ERRORS_MAX && expected[len][0]; len++) {
		const char *line = len < ini_report_len(report) ? ini_report_line(report, len) : "";

		if (strncmp(line, expected[len][0], strlen(expected[len][0])) != 0 ||
			!strstr(line, expected[len][1]))
			fail_msg("%s\n\"%s\" instead of %s … %s", text, line, expected[len][0],
				expected[len][1]);
	}
	if (ini_report_len(report) != len)
		fail_msg("%s\n%s", text, ini_report_line(report, len));
}

struct case_of_errors {
	const char *text;
	const char *expected[ERRORS_MAX][2];
};

static void check_is_told_beside_what_is_refused(void **state)
{
	static const struct case_of_errors cases[] = {
		{ BASE "workers = 65\n" WEB "port = 80\n" MAIL "port = 80\n",
			{ { "lb.conf:3: workers: ", "out of range" },
				{ "lb.conf:6: port: ", "is served by virtual server mail" } } },
		{ BASE WEB "scheduler = rr\nsessionless = yes\ntcp-timeout = soon\n",
			{ { "lb.conf:7: tcp-timeout: ", "is no time" },
				{ "lb.conf:6: sessionless: ", "needs a record of each flow" } } },
		{ "[balancer]\n" WEB "real-server = 198.51.100.10\n",
			{ { "lb.conf:1: interface: ", "missing" },
				{ "lb.conf:4: real-server: ", "is the VIP" } } },
		/* Of a list what is right counts. */
		{ BASE WEB "vip = nonsense\nreal-server = 198.51.100.10\n",
			{ { "lb.conf:5: vip: ", "nonsense" },
				{ "lb.conf:6: real-server: ", "is the VIP" } } },
	};

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases))
		assert_errors(each->text, each->expected);
}

static void check_says_nothing_that_follows_from_what_is_refused(void **state)
{
	static const struct case_of_errors cases[] = {
		{ BASE "[virtual-server web]\nvip = nonsense\n", { { "lb.conf:4: vip: ", "" } } },
		{ BASE "[virtual-server web]\nvip =\n", { { "lb.conf:4: vip: ", "" } } },
		/* Without its port it would be every port, which the other has. */
		{ BASE MAIL WEB "port = 0\n", { { "lb.conf:7: port: ", "" } } },
		{ BASE MAIL WEB "prt = 80\n", { { "lb.conf:7: prt: ", "did you mean port" } } },
		{ BASE MAIL WEB " port = 80\n", { { "lb.conf:7: indented", "" } } },
		{ BASE MAIL "port = 80\n" WEB "port = 80\nprotocol = icmp\n",
			{ { "lb.conf:9: protocol: ", "" } } },
		/* maglev, the default, knows of no connections. */
		{ BASE WEB "scheduler = lcc\nreal-server = 192.0.2.1 max-connections=9\n",
			{ { "lb.conf:5: scheduler: ", "" } } },
		{ BASE WEB "persistence = long\nreal-server = 192.0.2.1 max-connections=9\n",
			{ { "lb.conf:5: persistence: ", "" } } },
		{ BASE WEB "protocol = upd\nport = 53\ncheck-payload = x\n",
			{ { "lb.conf:5: protocol: ", "" } } },
		{ BASE WEB "protocol = udp\nport = 53\ncheck = pth\ncheck-expect = x\n",
			{ { "lb.conf:7: check: ", "" } } },
		{ BASE WEB "port = 80, 80\ncheck = http://a/b\nport = 0x\n",
			{ { "lb.conf:5: port: ", "" }, { "lb.conf:7: port: ", "" } } },
		{ BASE WEB "sessionless = yes\nscheduler = rr\nscheduler = maglev\n",
			{ { "lb.conf:7: scheduler: ", "set before" } } },
		/* Nor that there is none, where one was refused. */
		{ BASE "[virtual-server a/b]\nvip = 198.51.100.10\n", { { "lb.conf:3: ", "" } } },
	};

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases))
		assert_errors(each->text, each->expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_is_told_beside_what_is_refused),
		cmocka_unit_test(check_says_nothing_that_follows_from_what_is_refused),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
