/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key file that cannot be read is an error at the line that names it; and the limits of the manual. */
#include "lb/config/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/ini/ini.h"
#include "lb/config/config.h"
#include "lb/fwd/types.h"

#define MANUAL_PAGE      "man/dsr-lb.conf.5.scd"
#define MANUAL_MAX_BYTES 65536u

static void keys_tell_the_line_that_names_the_file(void **state)
{
	static const char text[] = "[balancer]\ninterface = eth0\nkey-file = /nonexistent/keys\n"
				   "[virtual-server web]\nvip = 198.51.100.10\n";
	static const char expected[] = "lb.conf:3: key-file: /nonexistent/keys: cannot open";
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	struct keyring *ring = NULL;

	assert_int_equal(config_load_text("lb.conf", text, strlen(text), &config, &report), 0);
	assert_int_equal(keys_load(report, &ring), -ENOENT);
	assert_null(ring);
	assert_int_equal(ini_report_len(report), 1);
	assert_memory_equal(ini_report_line(report, 0), expected, strlen(expected));
}

/* `n_errors` in all, and the file's the last of them, or none of it. */
static void assert_keys_told(const char *text, size_t n_errors, const char *last)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *config = NULL;
	struct keyring *ring = NULL;
	const char *line;

	assert_int_equal(
		config_load_text("lb.conf", text, strlen(text), &config, &report), -EINVAL);
	assert_true(keys_load(report, &ring) < 0);
	assert_null(ring);
	assert_int_equal(ini_report_len(report), n_errors);
	line = ini_report_line(report, n_errors - 1);
	if (strncmp(line, last, strlen(last)) != 0)
		fail_msg("%s: expected %s", line, last);
}

static void keys_are_judged_beside_what_is_refused(void **state)
{
	assert_keys_told("[balancer]\ninterface = eth0\nkey-file = /nonexistent/keys\n"
			 "workers = 65\n[virtual-server web]\nvip = 198.51.100.10\n"
			 "real-server = 198.51.100.10\n",
		3, "lb.conf:3: key-file: /nonexistent/keys: cannot open");
}

/* The default's is not the file that was meant. */
static void keys_are_not_judged_where_their_file_is_not_known(void **state)
{
	static const char *const cases[][2] = {
		{ "[balancer]\ninterface = eth0\nkey-file =\n", "lb.conf:3: key-file: has no" },
		{ "[balancer]\ninterface = eth0\nkye-file = /nonexistent/keys\n",
			"lb.conf:3: kye-file: unknown" },
		{ "[balancer]\ninterface = eth0\n[blancer]\nkey-file = /nonexistent/keys\n",
			"lb.conf:3: unknown section" },
		{ "[balancer]\ninterface = eth0\n[virtual-server a]\nvip = 198.51.100.10\n"
		  "key-file = /nonexistent/keys\n",
			"lb.conf:5: key-file: unknown in" },
	};
	struct config *config = NULL;
	struct ini_report *report = NULL;
	struct keyring *ring = NULL;

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases))
		assert_keys_told((*each)[0], 1, (*each)[1]);
	assert_int_equal(config_load("/nonexistent/lb.conf", &config, &report), -EINVAL);
	assert_int_equal(keys_load(report, &ring), -EINVAL);
	assert_int_equal(ini_report_len(report), 1);
	assert_int_equal(ini_report_warnings_len(report), 0);
	ini_report_free(report);
}

static void limits_are_those_of_the_manual(void **state)
{
	const struct {
		unsigned int limit;
		const char *what;
	} limits[] = {
		{ CONFIG_VIRTUAL_SERVERS_MAX, "virtual servers" },
		{ FWD_SERVICES_MAX, "VIPs in all" },
		{ FWD_DOORS_MAX, "single ports of VIPs" },
		{ CONFIG_VIPS_MAX, "VIPs, " },
		{ CONFIG_PORTS_MAX, "ports and ranges" },
		{ CONFIG_REAL_SERVERS_MAX, "real servers" },
		{ CONFIG_CHECKS_MAX, "tcp checks" },
		{ CONFIG_CLIENTS_MAX, "networks together" },
		{ FWD_RANGES_MAX, "port ranges over all" },
		{ PROTO_VIPS_MAX, "VIPs. " },
		{ KEYRING_KEYS_MAX, "keys in" },
		{ KEYRING_FILE_MAX_BYTES, "bytes, and a key" },
		{ KEYRING_KEY_VIPS_MAX, "prefixes" },
		{ INI_LINE_MAX_BYTES, "bytes (lists" },
		{ INI_FILES_MAX, "files" },
	};
	_cleanup_fclose_ FILE *file = fopen(MANUAL_PAGE, "re");
	char *page = calloc(1, MANUAL_MAX_BYTES), wanted[128];
	const char *section;

	assert_non_null(file);
	assert_true(fread(page, 1, MANUAL_MAX_BYTES - 1, file) > 0);
	for (char *at = page; *at; at++)
		*at = *at == '\n' ? ' ' : *at;
	section = strstr(page, "# LIMITS");
	assert_non_null(section);
	ARRAY_FOREACH (limit, limits, ARRAY_LEN(limits)) {
		snprintf(wanted, sizeof(wanted), " %u %s", limit->limit, limit->what);
		if (!strstr(section, wanted))
			fail_msg("the manual does not say \"%s\"", wanted);
	}
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_tell_the_line_that_names_the_file),
		cmocka_unit_test(keys_are_judged_beside_what_is_refused),
		cmocka_unit_test(keys_are_not_judged_where_their_file_is_not_known),
		cmocka_unit_test(limits_are_those_of_the_manual),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
