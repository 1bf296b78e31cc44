/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsr-agent.conf: defaults to the letter, every refusal with its place, and the shipped example. */
#include "agent/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MINIMAL "[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\n"

static int load(const char *text, struct config **ret_config, struct ini_report **ret_report)
{
	return config_load_text("t", text, strlen(text), ret_config, ret_report);
}

static void config_defaults_are_the_documented_ones(void **state)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	const struct addr_port *balancers;

	assert_int_equal(load(MINIMAL, &config, &report), 0);
	balancers = config->balancers.items;
	assert_int_equal(config->balancers.len, 1);
	assert_int_equal(balancers[0].port, 7377);
	assert_int_equal(config->vips.len, 1);
	assert_string_equal(config->key_file, "/etc/dsr-agent/key");
	assert_null(config->name);
	assert_null(config->interface);
	assert_int_equal(config->real_ip.family, AF_UNSPEC);
	assert_int_equal(config->listen, 7377);
	assert_string_equal(config->loopback, "lo");
	assert_int_equal(config->weight, 1);
	assert_int_equal(config->check_interval_us, 2 * US_PER_S);
	assert_int_equal(config->check_timeout_us, US_PER_S);
	assert_int_equal(config->check_fall, 3);
	assert_int_equal(config->check_rise, 2);
	assert_int_equal(config->drain_on_stop_us, 10 * US_PER_S);
	assert_int_equal(config->on_stop, CONFIG_WITHDRAW);
}

static void config_takes_every_key(void **state)
{
	static const char text[] =
		"[agent]\n"
		"balancer = 192.0.2.2, 192.0.2.3:7378\n"
		"vip = 198.51.100.10\nVIP = 2001:db8::10\n"
		"key_file = /tmp/key\nname = web-1.example\n"
		"real-ip = 192.0.2.11\ninterface = eth0\nlisten = 7400\n"
		"loopback = dummy0\nweight = auto\nunit = none\ncheck = none\n"
		"check-interval = 500ms\ncheck-timeout = 2\ncheck-fall = 1\n"
		"check-rise = 20\ndrain-on-stop = 1h\non-stop = keep\nsecond-chance = yes\n"
		"http-listen = [::1]:9378\narp-exempt = cali*, veth?\nmax-connections = 1M\n";
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	const struct addr_port *balancers;

	assert_int_equal(load(text, &config, &report), 0);
	balancers = config->balancers.items;
	assert_int_equal(config->balancers.len, 2);
	assert_true(config->second_chance);
	assert_int_equal(balancers[0].port, 7377);
	assert_int_equal(balancers[1].port, 7378);
	assert_int_equal(config->vips.len, 2);
	assert_string_equal(config->name, "web-1.example");
	assert_string_equal(config->interface, "eth0");
	assert_string_equal(config->loopback, "dummy0");
	assert_int_equal(config->real_ip.family, AF_INET);
	assert_int_equal(config->listen, 7400);
	assert_int_equal(config->weight, CONFIG_WEIGHT_AUTO);
	assert_int_equal(config->max_connections, 1 << 20);
	assert_int_equal(config->arp_exempt.len, 2);
	assert_string_equal(((char **)config->arp_exempt.items)[1], "veth?");
	assert_int_equal(config->drain_on_stop_us, 3600 * US_PER_S);
	assert_int_equal(config->on_stop, CONFIG_KEEP);
	assert_int_equal(config->check_interval_us, 500 * US_PER_MS);
}

static void config_refuses_with_place_and_hint(void **state)
{
	static const struct {
		const char *line;  /* the fourth, after MINIMAL */
		const char *error; /* its beginning */
	} cases[] = {
		{ "check = tcp:", "t:4: check: \"tcp:\" has no port" },
		{ "check = exec:check_disk",
			"t:4: check: \"exec:check_disk\" does not begin with" },
		{ "check = exec:/nonexistent, b", "t:4: check: cannot run /nonexistent,: No such" },
		{ "unit = nginx.conf", "t:4: unit: \"nginx.conf\" is no name of a systemd unit" },
		{ "check = http://www", "t:4: check: \"http://www\" has no path" },
		{ "http-listen = 9378", "t:4: http-listen: " },
		{ "http-listen = localhost:9378", "t:4: http-listen: " },
		{ "max-connections = 1048577", "t:4: max-connections: " },
		{ "weight = -1", "t:4: weight: " },
		{ "weight = 65536", "t:4: weight: " },
		{ "listen = 0", "t:4: listen: " },
		{ "listen = 65536", "t:4: listen: " },
		{ "drain-on-stop = 61min", "t:4: drain-on-stop: " },
		{ "on-stop = stay", "t:4: on-stop: " },
		{ "second-chance = perhaps", "t:4: second-chance: " },
		{ "name = -web", "t:4: name: no name for a backend" },
		{ "name = web 1", "t:4: name: no name for a backend" },
		{ "real-ip = 198.51.100.10", "t:4: real-ip: 198.51.100.10 is also a vip" },
		{ "real-ip = 2001:db8::1", "t:4: real-ip: 2001:db8::1 is of another family" },
		{ "real-ip = 224.0.0.1", "t:4: real-ip: 224.0.0.1 is no host's address" },
		{ "vip = 198.51.100.10", "t:4: vip: " },
		{ "vip = fe80::1", "t:4: vip: fe80::1 cannot be served" },
		{ "vip = 127.0.0.1", "t:4: vip: 127.0.0.1 cannot be served" },
		{ "vip = 0.0.0.0", "t:4: vip: 0.0.0.0 cannot be served" },
		{ "balancer = 192.0.2.2:7377", "t:4: balancer: 192.0.2.2 is given twice" },
		{ "balancer = 198.51.100.10", "t:4: balancer: 198.51.100.10 is also a vip" },
		{ "balancer = 2001:db8::2", "t:4: balancer: 2001:db8::2 is of another family" },
		{ "balancer = 255.255.255.255", "t:4: balancer: 255.255.255.255 is no host's" },
		{ "interface = lo", "t:3: loopback: " }, /* see below */
		{ "wieght = 2", "t:4: wieght: " },
		{ "loopback = a/b", "t:4: loopback: " },
		{ "check-fall = 21", "t:4: check-fall: " },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		_cleanup_(ini_report_freep) struct ini_report *report = NULL;
		struct config *config = NULL;
		char text[256];

		snprintf(text, sizeof(text), MINIMAL "%s\n", item->line);
		assert_int_equal(load(text, &config, &report), -EINVAL);
		assert_null(config);
		assert_int_equal(ini_report_len(report), 1);
		if (streq(item->line, "interface = lo")) {
			/* The place of a key that has its default is the section's. */
			assert_non_null(strstr(ini_report_line(report, 0), "loopback: lo is the"));
			continue;
		}
		if (strncmp(ini_report_line(report, 0), item->error, strlen(item->error)) != 0)
			fail_msg("%s gave: %s", item->line, ini_report_line(report, 0));
	}
}

static void config_reports_every_error_at_once(void **state)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *config = NULL;

	assert_int_equal(load("[agent]\nweight = x\nlisten = y\n", &config, &report), -EINVAL);
	assert_int_equal(ini_report_len(report), 4); /* and the two required keys */
}

static void config_takes_no_more_than_its_limits(void **state)
{
	for (unsigned int surplus = 0; surplus < 2; surplus++) {
		_cleanup_(ini_report_freep) struct ini_report *report = NULL;
		_cleanup_(config_freep) struct config *config = NULL;
		char text[65536];
		size_t len = 0;

		len += (size_t)snprintf(text, sizeof(text), "[agent]\n");
		for (unsigned int idx = 0; idx < PROTO_VIPS_MAX + surplus; idx++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
				"vip = 10.%u.%u.1\n", idx >> 8, idx & 0xff);
		for (unsigned int idx = 0; idx < CONFIG_BALANCERS_MAX + surplus; idx++)
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "balancer = 192.0.2.%u\n", idx + 1);
		for (unsigned int idx = 0; idx < CONFIG_EXEMPT_MAX + surplus; idx++)
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "arp-exempt = c%u\n", idx);
		for (unsigned int idx = 0; idx < CONFIG_CHECKS_MAX + surplus; idx++)
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "check = tcp:%u\n", idx + 1);
		assert_int_equal(load(text, &config, &report), surplus ? -EINVAL : 0);
		assert_int_equal(ini_report_len(report), surplus ? 4 : 0);
		/* [agent] is line 1. */
		if (surplus)
			assert_string_equal(ini_report_line(report, 0),
				"t:1026: vip: more than 1024 addresses; one agent serves at "
				"most so many, remove some");
	}
}

static void config_takes_checks_with_commas_once_each(void **state)
{
	static const char lines[] =
		MINIMAL "check = tcp:80\ncheck = exec:/bin/sh -c 'exit 1,2'\ncheck = file:/a, b\n"
			"unit = nginx, php-fpm.service\n";
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(ini_report_freep) struct ini_report *again = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	struct config *none = NULL;
	struct check_spec **specs;

	assert_int_equal(load(lines, &config, &report), 0);
	specs = config->checks.items;
	assert_int_equal(config->checks.len, 5);
	assert_int_equal(specs[4]->kind, CHECK_SPEC_UNIT);
	assert_string_equal(specs[3]->subject, "nginx.service");
	assert_int_equal(specs[0]->kind, CHECK_SPEC_TCP);
	assert_string_equal(specs[1]->argv[2], "exit 1,2");
	assert_string_equal(specs[2]->subject, "/a, b");
	assert_int_equal(load(MINIMAL "check = tcp:80\ncheck = tcp:80\n", &none, &again), -EINVAL);
	assert_string_equal(
		ini_report_line(again, 0), "t:5: check: \"tcp:80\" was given before; remove one");
}

static void config_example_loads(void **state)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;

	assert_int_equal(config_load("units/dsr-agent.conf", &config, &report), 0);
	assert_int_equal(ini_report_len(report), 0);
	assert_int_equal(config->vips.len, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_defaults_are_the_documented_ones),
		cmocka_unit_test(config_takes_every_key),
		cmocka_unit_test(config_refuses_with_place_and_hint),
		cmocka_unit_test(config_reports_every_error_at_once),
		cmocka_unit_test(config_takes_no_more_than_its_limits),
		cmocka_unit_test(config_takes_checks_with_commas_once_each),
		cmocka_unit_test(config_example_loads),
	};

	return cmocka_run_group_tests_name("agent/config", tests, NULL, NULL);
}
