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
	assert_int_equal(keys_load(config, report, &ring), -ENOENT);
	assert_null(ring);
	assert_int_equal(ini_report_len(report), 1);
	assert_memory_equal(ini_report_line(report, 0), expected, strlen(expected));
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
		cmocka_unit_test(limits_are_those_of_the_manual),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
