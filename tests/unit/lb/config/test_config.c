/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every key of dsr-lb.conf: what is accepted, the ends of its range, one past each end, bad text;
 * and what several keys say together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/fwd/types.h"

#define BASE "[balancer]\ninterface = eth0\n"
#define WEB  "[virtual-server web]\nvip = 198.51.100.10\n"

static int load(const char *text, struct config **ret_config, struct ini_report **ret_report)
{
	return config_load_text("lb.conf", text, strlen(text), ret_config, ret_report);
}

static void print_report(const struct ini_report *report)
{
	for (size_t i = 0; i < ini_report_len(report); i++)
		print_message("%s\n", ini_report_line(report, i));
}

static struct config *load_good(const char *text)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *config = NULL;
	int r = load(text, &config, &report);

	if (r < 0)
		print_report(report);
	assert_int_equal(r, 0);
	return config;
}

/* Exactly one error, that begins with the place and holds the part. */
static void assert_error(const char *text, const char *place, const char *part)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *config = NULL;
	const char *line;

	if (load(text, &config, &report) != -EINVAL)
		fail_msg("accepted: %s", text);
	assert_null(config);
	if (ini_report_len(report) != 1)
		print_report(report);
	assert_int_equal(ini_report_len(report), 1);
	line = ini_report_line(report, 0);
	if (strncmp(line, place, strlen(place)) != 0 || !strstr(line, part))
		fail_msg("%s: expected %s … %s", line, place, part);
	/* "neither yes nor no" is its own mend. */
	if (!strstr(line, "; ") && !strstr(line, "neither"))
		fail_msg("%s: without a mend", line);
}

struct key_case {
	const char *key;
	const char *good[12];
	const char *bad[16];
};

static const struct key_case balancer_cases[] = {
	{ "backend-interface", { "eth1", "br-lan.7" }, { "an-interface-too-long", "a/b", "a b" } },
	{ "mode", { "auto", "xdp", "tc", "PACKET" }, { "generic", "fast" } },
	{ "workers", { "auto", "1", "64" }, { "0", "65", "-1", "many" } },
	{ "listen", { "1", "65535", "192.0.2.1:7377", "[2001:db8::1]:7377" },
		{ "0", "65536", "host:1", "192.0.2.1:0" } },
	{ "key-file", { "/keys" }, { "" } },
	{ "heartbeat-interval", { "50ms", "60s", "1" }, { "49ms", "61s", "60001ms", "soon" } },
	{ "heartbeat-fall", { "1", "20" }, { "0", "21", "x" } },
	{ "heartbeat-rise", { "1", "20" }, { "0", "21", "-" } },
	{ "max-flows", { "1k", "64M", "1024" }, { "1023", "65537k", "65M", "lots" } },
	{ "adopt", { "auto", "approve", "off" }, { "yes" } },
	{ "announce", { "self", "none", "route" }, { "vrrp", "routes" } },
	{ "linger", { "0", "1h" }, { "3601s", "-1", "for ever" } },
	{ "announce-refresh", { "0", "1h" }, { "3601s", "-1" } },
	{ "cluster-seed", { "a secret, with blanks" }, { "" } },
	{ "active-when", { "always", "address 192.0.2.9", "address 2001:db8::9" },
		{ "address", "address 0.0.0.0", "address224.0.0.1", "sometimes" } },
	{ "http-listen", { "off", "127.0.0.1:9377", "[::]:80" },
		{ "9377", "127.0.0.1", "on", "localhost:80", "127.0.0.1:0" } },
	{ "metrics-per-backend", { "yes", "no" }, { "some" } },
	{ "log-level", { "err", "warning", "info", "debug" }, { "error", "4" } },
};

static const struct key_case virtual_server_cases[] = {
	{ "port", { "1", "65535", "80, 443", "any", "1-65535", "80, 8000-8100" },
		{ "0", "65536", "9-8", "8-8", "80,any", "80, 80", "http", "1-2-3" } },
	{ "protocol", { "tcp", "udp", "sctp", "any" }, { "icmp", "132" } },
	{ "scheduler", { "maglev", "source-hash", "rr", "lc" }, { "wlc", "" } },
	{ "hash", { "source-ip", "source-ip-port" }, { "port" } },
	{ "sessionless", { "yes", "no" }, { "maybe", "yes\nscheduler = rr" } },
	{ "persistence", { "0", "1s", "24h" }, { "86401s", "-1", "x", "1s\nsessionless = yes" } },
	{ "persistence-prefix", { "32, 128", "8", "24,64", "8, 8" },
		{ "7", "33", "32, 7", "32, 129", "32,", "32 128", "a" } },
	{ "tcp-timeout", { "1s", "24h" }, { "999ms", "86401s", "x" } },
	{ "fin-timeout", { "1s", "24h" }, { "999ms", "86401s", "x" } },
	{ "udp-timeout", { "1s", "24h" }, { "999ms", "86401s", "x" } },
	{ "drain-timeout", { "0", "24h" }, { "86401s", "-1s" } },
	{ "slow-start", { "0", "300ms", "1s", "1h" }, { "3601s", "-1s", "x" } },
	{ "on-all-down", { "keep", "drop" }, { "fail" } },
	{ "minimum", { "1", "4096", "1%", "100%" },
		{ "0", "4097", "0%", "101%", "-1", "", "%", "50%%", "50 %", "5%x", "x" } },
	{ "syn-rate", { "0", "1", "64k", "4294967295" }, { "4294967296", "4G", "-1", "x" } },
	{ "syn-rate-source", { "0", "1", "64k", "4294967295" }, { "4294967296", "4G", "-1", "x" } },
	{ "fragments", { "hash", "drop" }, { "pass" } },
	{ "check",
		{ "agent", "none", "tcp:1", "path", "agent, path, tcp:65535",
			"http://www.example.org/health, path, http://[::1]:8080/?a=%2C\nport = 80" },
		{ "http://x/\nport = any", "http://x", "https://x/", "tcp:0", "tcp:65536",
			"tcp:", "ping", "none, agent", "none, path" } },
	{ "check-payload",
		{ "hex:\nprotocol = udp\nport = 53\ncheck = path",
			"hex:00fF\nprotocol = udp\nport = 53\ncheck = path",
			"any text\nprotocol = udp\nport = 53\ncheck = path" },
		{ "hex:0\nprotocol = udp\nport = 53\ncheck = path",
			"hex:0g\nprotocol = udp\nport = 53\ncheck = path", "x\ncheck = path",
			"x\nprotocol = udp\nport = 53\ncheck = agent" } },
	{ "check-expect", { "hex:00fF\nprotocol = udp\nport = 53\ncheck = path" },
		{ "hex:zz\nprotocol = udp\nport = 53\ncheck = path", "x\nport = any\ncheck = path",
			"x\nprotocol = udp\nport = 53\ncheck = agent" } },
	{ "check-interval", { "100ms", "1h" }, { "99ms", "3601s", "x" } },
	{ "check-timeout", { "10ms", "1min" }, { "9ms", "61s", "x" } },
	{ "check-fall", { "1", "20" }, { "0", "21", "x" } },
	{ "check-rise", { "1", "20" }, { "0", "21", "x" } },
	{ "allow-clients",
		{ "192.0.2.0/24", "192.0.2.7", "0.0.0.0/0, ::/0", "192.0.2.0/25, 2001:db8::/64",
			"192.0.2.0/24\ndeny-clients = 192.0.2.0/25\nallow-clients = 192.0.2.0/26" },
		{ "192.0.2.1/24", "192.0.2.0/33", "2001:db8::1/64", "any",
			"192.0.2.0/24, 192.0.2.0/24", "192.0.2.7, 192.0.2.7/32" } },
	{ "deny-clients", { "192.0.2.0/24", "::/0" }, { "192.0.2.1/24", "x", "::/0, ::/0" } },
	{ "allow", { "192.0.2.0/24", "192.0.2.0/25, 2001:db8::/64" },
		{ "192.0.2.1/24", "192.0.2.0/33", "all" } },
	{ "real-server",
		{ "192.0.2.1", "192.0.2.1 weight=1", "192.0.2.1 weight=0",
			"192.0.2.1  weight=65535 name=win", "2001:db8::1 mac=02:00:00:00:00:01",
			"192.0.2.1 backup weight=2", "192.0.2.1 BACKUP",
			"192.0.2.1 max-connections=1\nscheduler = rr",
			"192.0.2.1 max-connections=1M\npersistence = 1min" },
		{ "192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1 name=192.0.2.2",
			"192.0.2.1 name=2001:db8::2", "192.0.2.1 weight=65536", "192.0.2.1 name=-x",
			"192.0.2.1 mac=01:00:5e:0:0:1", "192.0.2.1 up", "weight=1",
			"192.0.2.1 backup backup", "192.0.2.1 backup=yes", "backup",
			"192.0.2.1 max-connections=1",
			"192.0.2.1 max-connections=0\nscheduler = lc",
			"192.0.2.1 max-connections=1048577\nscheduler = lc" } },
};

static void try_case(
	const char *before, const char *section, unsigned int line, const struct key_case *test)
{
	char text[512], place[96];

	snprintf(place, sizeof(place), "lb.conf:%u: %s: ", line, test->key);
	for (size_t i = 0; i < ARRAY_LEN(test->good) && test->good[i]; i++) {
		snprintf(text, sizeof(text), "%s%s%s = %s\n", before, section, test->key,
			test->good[i]);
		config_free(load_good(text));
	}
	for (size_t i = 0; i < ARRAY_LEN(test->bad) && test->bad[i]; i++) {
		snprintf(text, sizeof(text), "%s%s%s = %s\n", before, section, test->key,
			test->bad[i]);
		assert_error(text, place, "");
	}
}

static void config_judges_every_key_of_balancer(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(balancer_cases); i++)
		try_case(BASE, "", 3, &balancer_cases[i]);
}

static void config_judges_every_key_of_virtual_servers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(virtual_server_cases); i++)
		try_case(BASE, WEB, 5, &virtual_server_cases[i]);
}

static bool is_tried(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(balancer_cases); i++)
		if (streq(balancer_cases[i].key, key))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(virtual_server_cases); i++)
		if (streq(virtual_server_cases[i].key, key))
			return true;
	/* These two are in every text, and have a test of their own. */
	return streq(key, "interface") || streq(key, "vip");
}

static void config_tests_leave_no_key_out(void **state)
{
	size_t n_sections;
	const struct ini_section *sections = config_sections(&n_sections);

	assert_int_equal(n_sections, 2);
	for (size_t i = 0; i < n_sections; i++)
		for (size_t k = 0; k < sections[i].n_keys; k++) {
			if (!is_tried(sections[i].keys[k].name))
				fail_msg("%s has no test", sections[i].keys[k].name);
			assert_non_null(sections[i].keys[k].doc);
		}
}

static void config_reads_bytes_of_datagrams(void **state)
{
	const char head[] =
		BASE "[virtual-server dns]\nvip = 198.51.100.10\nprotocol = udp\nport = 53\n"
		     "check = path\ncheck-payload = hex:00Ff10\n";
	_cleanup_(config_freep) struct config *config = NULL;
	char text[2048], long_text[CONFIG_CHECK_BYTES_MAX + 2];
	const struct config_virtual_server *dns;

	/* As much as there may be, and a byte more. */
	memset(long_text, 'x', sizeof(long_text));
	long_text[CONFIG_CHECK_BYTES_MAX] = '\0';
	snprintf(text, sizeof(text), "%scheck-expect = %s\n", head, long_text);
	config = load_good(text);
	dns = config_virtual_server_find(config, "dns");
	assert_int_equal(dns->check_payload.size_bytes, 3);
	assert_memory_equal(dns->check_payload.data, "\x00\xff\x10", 3);
	assert_int_equal(dns->check_expect.size_bytes, CONFIG_CHECK_BYTES_MAX);
	snprintf(text, sizeof(text), "%scheck-expect = x%s\n", head, long_text);
	assert_error(text, "lb.conf:9: check-expect: ", "has 513 bytes");
}

static void config_has_the_defaults_of_the_page(void **state)
{
	_cleanup_(config_freep) struct config *config = load_good(BASE WEB);
	const struct config_virtual_server *web = config->virtual_servers[0];

	assert_string_equal(config->interface, "eth0");
	assert_int_equal(config->backend_interfaces.len, 1);
	assert_string_equal(config_backend_interface(config, 0), "eth0");
	assert_int_equal(config->mode, CONFIG_MODE_AUTO);
	assert_int_equal(config->workers, 0);
	assert_int_equal(config->listen.addr.family, AF_UNSPEC);
	assert_int_equal(config->listen.port, 7377);
	assert_string_equal(config->key_file, "/etc/dsr-lb/keys");
	assert_int_equal(config->heartbeat_interval_us, 300 * US_PER_MS);
	assert_int_equal(config->heartbeat_fall, 3);
	assert_int_equal(config->heartbeat_rise, 2);
	assert_int_equal(config->max_flows, 1 << 20);
	assert_int_equal(config->adopt, CONFIG_ADOPT_AUTO);
	assert_int_equal(config->announce, CONFIG_ANNOUNCE_SELF);
	assert_int_equal(config->announce_refresh_us, 60 * US_PER_S);
	assert_int_equal(config->linger_us, 120 * US_PER_S);
	assert_string_equal(config->cluster_seed, "");
	assert_int_equal(config->active_when.family, AF_UNSPEC);
	assert_int_equal(config->http_listen.addr.family, AF_INET);
	assert_int_equal(config->http_listen.port, 9377);
	assert_true(config->metrics_per_backend);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(web->ports.len, 0);
	assert_int_equal(web->protocol, CONFIG_ANY);
	assert_int_equal(web->scheduler, CONFIG_MAGLEV);
	assert_int_equal(web->hash, CONFIG_SOURCE_IP_PORT);
	assert_false(web->sessionless);
	assert_int_equal(web->persistence_prefix4, 32);
	assert_int_equal(web->persistence_prefix6, 128);
	assert_int_equal(web->tcp_timeout_us, 900 * US_PER_S);
	assert_int_equal(web->fin_timeout_us, 120 * US_PER_S);
	assert_int_equal(web->udp_timeout_us, 300 * US_PER_S);
	assert_int_equal(web->drain_timeout_us, 300 * US_PER_S);
	assert_false(web->drop_on_all_down);
	assert_false(web->drop_fragments);
	assert_true(web->check_agent && web->check_path);
	assert_false(web->check_none);
	assert_int_equal(web->check_interval_us, 2 * US_PER_S);
	assert_int_equal(web->check_timeout_us, US_PER_S);
	assert_int_equal(web->check_fall, 3);
	assert_int_equal(web->check_rise, 2);
	assert_int_equal(web->allow.len, 0);
}

static void config_takes_a_list_of_interfaces_to_backends(void **state)
{
	static const char *const names[] = { "eth1", "eth2", "vlan.30", "eth0" };
	_cleanup_(config_freep) struct config *config = load_good(
		BASE "backend-interface = eth1, eth2\nbackend-interface = vlan.30, eth0\n" WEB);
	char text[512] = BASE "backend-interface = e1";

	assert_int_equal(config->backend_interfaces.len, ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_string_equal(config_backend_interface(config, i), names[i]);
	assert_error(BASE "backend-interface = eth1, eth2, eth1\n" WEB,
		"lb.conf:3: backend-interface: ", "in the list twice");
	assert_error(BASE "backend-interface = eth1, a/b\n" WEB,
		"lb.conf:3: backend-interface: ", "no interface name");
	for (unsigned int i = 2; i <= FWD_LINKS_MAX + 1; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", e%u", i);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "\n" WEB);
	assert_error(text, "lb.conf:3: backend-interface: ", "more than 16 interfaces");
}

static void config_chooses_protocol_by_port(void **state)
{
	struct config *config = load_good(BASE WEB "port = 80\n");

	assert_int_equal(config->virtual_servers[0]->protocol, CONFIG_TCP);
	config_free(config);
	config = load_good(BASE WEB "protocol = udp\n");
	assert_int_equal(config->virtual_servers[0]->protocol, CONFIG_UDP);
	config_free(config);
}

static void config_wants_interface_and_vip(void **state)
{
	assert_error("[balancer]\nmode = packet\n" WEB, "lb.conf:1: interface: ", "missing");
	assert_error(BASE "[virtual-server web]\nport = 80\n", "lb.conf:3: vip: ", "missing");
	assert_error("[balancer]\ninterface = this-is-too-long-a-name\n" WEB,
		"lb.conf:2: interface: ", "");
}

static void config_wants_unicast_vips(void **state)
{
	static const char *const bad[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
		"::", "::1", "ff02::1", "fe80::1", "web.example", "198.51.100.10/32",
		"198.51.100.10:80" };
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), BASE "[virtual-server web]\nvip = %s\n", bad[i]);
		assert_error(text, "lb.conf:4: vip: ", "");
	}
	config_free(load_good(BASE "[virtual-server web]\nvip = 198.51.100.10, 2001:db8:1::10\n"));
	assert_error(BASE WEB "vip = 198.51.100.10\n", "lb.conf:5: vip: ", "");
}

static void config_limits_the_items_of_a_list(void **state)
{
	char text[65536];
	size_t used = (size_t)snprintf(text, sizeof(text), BASE WEB);

	for (size_t i = 1; i < CONFIG_VIPS_MAX; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "vip = 203.0.113.%zu\n", i);
	config_free(load_good(text));
	snprintf(text + used, sizeof(text) - used, "vip = 203.0.113.200\n");
	assert_error(text, "lb.conf:68: vip: ", "more than 64");

	used = (size_t)snprintf(text, sizeof(text), BASE WEB);
	for (size_t i = 1; i <= CONFIG_PORTS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "port = %zu\n", i);
	config_free(load_good(text));
	snprintf(text + used, sizeof(text) - used, "port = 1000\n");
	assert_error(text, "lb.conf:69: port: ", "more than 64");

	used = (size_t)snprintf(text, sizeof(text), BASE WEB);
	for (size_t i = 1; i <= CONFIG_CHECKS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "check = tcp:%zu\n", i);
	config_free(load_good(text));
	snprintf(text + used, sizeof(text) - used, "check = tcp:1000\n");
	assert_error(text, "lb.conf:13: check: ", "more than 8");

	used = (size_t)snprintf(text, sizeof(text), BASE WEB);
	for (size_t i = 1; i <= CONFIG_REQUESTS_MAX; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "check = http://a:1/%zu\n", i);
	config_free(load_good(text));
	snprintf(text + used, sizeof(text) - used, "check = http://a:1/x\n");
	assert_error(text, "lb.conf:9: check: ", "more than 4");
	snprintf(text, sizeof(text), BASE WEB "check = http://a:1/%0*d\n",
		(int)(CONFIG_URL_MAX - strlen("http://a:1/")), 7);
	config_free(load_good(text));
	snprintf(text, sizeof(text), BASE WEB "check = http://a:1/%0*d\n",
		(int)(CONFIG_URL_MAX + 1 - strlen("http://a:1/")), 7);
	assert_error(text, "lb.conf:5: check: ", "longer than 384 bytes");
	assert_error(BASE WEB "check = http://a:1/b, http://a:1/b\n",
		"lb.conf:5: check: ", "was given before");
	assert_error(BASE "[virtual-server a]\nvip = 198.51.100.10\ncheck = http://a/b\n",
		"lb.conf:5: check: ",
		"http://a/b needs a port where port = any; write http://a:80/b");
}

static void config_keeps_clients_in_order(void **state)
{
	static const struct {
		const char *prefix;
		bool denied;
	} expected[] = { { "10.0.0.0/8", false }, { "192.0.2.0/24", true },
		{ "192.0.2.0/25", false }, { "2001:db8::/32", true } };
	_cleanup_(config_freep) struct config *config =
		load_good(BASE WEB "deny-clients = 2001:db8::/32, 192.0.2.0/24\n"
				   "allow-clients = 192.0.2.0/25\nallow-clients = 10.0.0.0/8\n");
	const struct config_client *clients = config->virtual_servers[0]->clients.items;

	assert_int_equal(config->virtual_servers[0]->clients.len, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		struct addr_prefix prefix;

		assert_int_equal(addr_prefix_parse(expected[i].prefix, &prefix), 0);
		assert_int_equal(addr_prefix_compare(&clients[i].prefix, &prefix), 0);
		assert_int_equal(clients[i].denied, expected[i].denied);
	}
	assert_error(BASE WEB "allow-clients = ::/0\ndeny-clients = ::/0\n",
		"lb.conf:6: deny-clients: ", "'::/0' is in allow-clients already");
	assert_error(BASE WEB "deny-clients = 192.0.2.7/24\n",
		"lb.conf:5: deny-clients: ", "'192.0.2.7/24' is no network");
}

/* `len` addresses from that number on, ten a line. */
static size_t print_clients(char *text, size_t room, const char *key, uint32_t number, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%s10.%zu.%zu.%zu%s",
			i % 10 ? "" : key, i % 10 ? ", " : " = ", (number + i) >> 16,
			(number + i) >> 8 & 255, (number + i) & 255,
			i % 10 == 9 || i + 1 == len ? "\n" : "");
	return used;
}

static void config_limits_the_clients_of_all_virtual_servers(void **state)
{
	size_t room = (size_t)CONFIG_CLIENTS_MAX * 32, used;
	_cleanup_free_ char *text = malloc(room);

	assert_non_null(text);
	used = (size_t)snprintf(text, room, BASE WEB);
	used += print_clients(text + used, room - used, "allow-clients", 0, CONFIG_CLIENTS_MAX);
	config_free(load_good(text));
	snprintf(text + used, room - used, "deny-clients = 192.0.2.1\n");
	assert_error(text, "lb.conf:1644: deny-clients: ", "more than 16384 networks");

	used = (size_t)snprintf(text, room, BASE WEB);
	used += print_clients(text + used, room - used, "allow-clients", 0, CONFIG_CLIENTS_MAX - 1);
	used += (size_t)snprintf(text + used, room - used,
		"[virtual-server x]\nvip = 198.51.100.99\ndeny-clients = 192.0.2.1\n");
	config_free(load_good(text));
	snprintf(text + used, room - used, "deny-clients = 192.0.2.2\n");
	assert_error(
		text, "lb.conf:1647: deny-clients: ", "have 16385 networks of clients together");
}

static void config_limits_port_ranges_of_a_vip(void **state)
{
	char text[4096];
	size_t used = (size_t)snprintf(text, sizeof(text), BASE WEB);

	for (size_t i = 1; i <= FWD_RANGES_MAX; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "port = %zu-%zu\n", 10 * i, 10 * i + 1);
	config_free(load_good(text));
	snprintf(text + used, sizeof(text) - used,
		"[virtual-server b]\nvip = 198.51.100.10\nport = 2-3\n");
	assert_error(text, "lb.conf:28: port: ", "more than 24 port ranges");
}

static void config_refuses_the_same_port_twice(void **state)
{
	static const char other[] = "[virtual-server b]\nvip = 198.51.100.10\n";
	static const struct {
		const char *web, *b, *error;
	} cases[] = {
		{ "port = 80\n", "port = 443\n", NULL },
		{ "port = 80\n", "port = 80\n", "port 80 is served by virtual server b" },
		{ "port = 80\n", "port = 79-81\n", "served by virtual server" },
		{ "port = 8000-8100\n", "port = 8100-8200\n", "port 8100" },
		{ "port = 1-100, 200\n", "port = 50-60\n", "port 50" },
		{ "port = 80\n", "port = 80\nprotocol = udp\n", NULL },
		{ "port = 80\n", "port = any\n", NULL },
		{ "port = any\n", "protocol = tcp\n", "port any" },
		{ "protocol = tcp\n", "protocol = udp\n", NULL },
		{ "port = 80\nprotocol = sctp\n", "port = 80\nprotocol = udp\n", NULL },
		{ "port = 80\nprotocol = sctp\n", "port = 80\nprotocol = any\n",
			"sctp port 80 is served by virtual server" },
	};
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), BASE WEB "%s%s%s", cases[i].web, other, cases[i].b);
		if (cases[i].error)
			assert_error(text, "lb.conf:", cases[i].error);
		else
			config_free(load_good(text));
	}
}

static void config_parses_real_servers(void **state)
{
	_cleanup_(config_freep) struct config *config = load_good(
		BASE WEB "real-server = 192.0.2.1\n"
			 "real-server = 192.0.2.2 weight=5 name=win mac=02:00:00:00:00:0a\n");
	const struct config_real_server *items = config->virtual_servers[0]->real_servers.items;

	assert_int_equal(config->virtual_servers[0]->real_servers.len, 2);
	assert_string_equal(items[0].name, "192.0.2.1");
	assert_int_equal(items[0].weight, 1);
	assert_true(mac_is_zero(&items[0].mac));
	assert_string_equal(items[1].name, "win");
	assert_int_equal(items[1].weight, 5);
	assert_int_equal(items[1].mac.bytes[5], 10);
	assert_error(BASE WEB "real-server = 192.0.2.1:80\n",
		"lb.conf:5: real-server: ", "DSR cannot translate ports");
}

static void config_takes_a_real_server_as_one_thing(void **state)
{
	static const char *const bad[][2] = {
		{ "192.0.2.1 name=a", "192.0.2.1 name=b" },
		{ "192.0.2.1 mac=02:00:00:00:00:01", "192.0.2.1 mac=02:00:00:00:00:02" },
		{ "192.0.2.1 name=a", "192.0.2.2 name=a" },
		{ "198.51.100.10", "192.0.2.1" },
	};
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text),
			BASE WEB
			"real-server = %s\n[virtual-server x]\nvip = 198.51.100.11\nreal-server = %s\n",
			bad[i][0], bad[i][1]);
		assert_error(text, "lb.conf:", "real-server: ");
	}
	assert_error(BASE WEB "real-server = 192.0.2.1\nreal-server = 192.0.2.1\n",
		"lb.conf:6: real-server: ", "given before");
	config_free(load_good(BASE WEB "real-server = 192.0.2.1 name=a\n"
				       "[virtual-server x]\nvip = 198.51.100.11\n"
				       "real-server = 192.0.2.1\n"));
	/* What a line between them leaves open does not join two that contradict each other. */
	assert_error(BASE WEB "real-server = 192.0.2.1 name=a\n"
			      "[virtual-server x]\nvip = 198.51.100.11\nreal-server = 192.0.2.1\n"
			      "[virtual-server y]\nvip = 198.51.100.12\n"
			      "real-server = 192.0.2.1 name=b\n",
		"lb.conf:11: real-server: ", "another name in virtual server web");
}

/* Weight, backup and ceiling belong to the line of one virtual server. */
static void config_takes_weights_of_each_virtual_server(void **state)
{
	_cleanup_(config_freep) struct config *config =
		load_good(BASE WEB "scheduler = rr\nminimum = 50%\n"
				   "real-server = 192.0.2.1 weight=2 max-connections=7\n"
				   "[virtual-server x]\nvip = 198.51.100.11\nminimum = 3\n"
				   "real-server = 192.0.2.1 weight=5 backup\n");
	const struct config_virtual_server *web = config->virtual_servers[0],
					   *x = config->virtual_servers[1];
	const struct config_real_server *first = web->real_servers.items,
					*second = x->real_servers.items;

	assert_int_equal(first->weight, 2);
	assert_int_equal(first->max_connections, 7);
	assert_false(first->is_backup);
	assert_int_equal(second->weight, 5);
	assert_int_equal(second->max_connections, 0);
	assert_true(second->is_backup);
	assert_int_equal(web->minimum.number, 50);
	assert_true(web->minimum.is_percent);
	assert_int_equal(x->minimum.number, 3);
	assert_false(x->minimum.is_percent);
}

static void config_reports_every_error(void **state)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *config = NULL;

	assert_int_equal(
		load("[balancer]\nworkers = 65\nmod = x\n" WEB "port = 0\n", &config, &report),
		-EINVAL);
	assert_int_equal(ini_report_len(report), 4);
}

static void config_sorts_virtual_servers_by_name(void **state)
{
	_cleanup_(config_freep) struct config *config =
		load_good(BASE "[virtual-server b]\nvip = 198.51.100.2\n"
			       "[virtual-server a]\nvip = 198.51.100.1\n"
			       "[virtual-server c]\nvip = 198.51.100.3\n");

	assert_string_equal(config->virtual_servers[0]->name, "a");
	assert_string_equal(config->virtual_servers[2]->name, "c");
	assert_error(BASE "[virtual-server a/b]\nvip = 198.51.100.1\n", "lb.conf:3: ", "name");
}

static void config_formats_ports(void **state)
{
	_cleanup_(config_freep) struct config *config =
		load_good(BASE WEB "port = 80, 443, 8000-8100\n"
				   "[virtual-server z]\nvip = 198.51.100.3\n");
	_cleanup_free_ char *ports = config_ports_format(config->virtual_servers[0]);
	_cleanup_free_ char *any = config_ports_format(config->virtual_servers[1]);

	assert_string_equal(ports, "80, 443, 8000-8100");
	assert_string_equal(any, "any");
	assert_string_equal(config_scheduler_name(CONFIG_SOURCE_HASH), "source-hash");
	assert_string_equal(config_protocol_name(CONFIG_UDP), "udp");
}

static void config_loads_the_example(void **state)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	int r = config_load("units/dsr-lb.conf", &config, &report);

	if (r < 0)
		print_report(report);
	assert_int_equal(r, 0);
	assert_int_equal(config->n_virtual_servers, 1);
	assert_int_equal(ini_report_warnings_len(report), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_judges_every_key_of_balancer),
		cmocka_unit_test(config_judges_every_key_of_virtual_servers),
		cmocka_unit_test(config_tests_leave_no_key_out),
		cmocka_unit_test(config_reads_bytes_of_datagrams),
		cmocka_unit_test(config_has_the_defaults_of_the_page),
		cmocka_unit_test(config_takes_a_list_of_interfaces_to_backends),
		cmocka_unit_test(config_chooses_protocol_by_port),
		cmocka_unit_test(config_wants_interface_and_vip),
		cmocka_unit_test(config_wants_unicast_vips),
		cmocka_unit_test(config_limits_the_items_of_a_list),
		cmocka_unit_test(config_keeps_clients_in_order),
		cmocka_unit_test(config_limits_the_clients_of_all_virtual_servers),
		cmocka_unit_test(config_limits_port_ranges_of_a_vip),
		cmocka_unit_test(config_refuses_the_same_port_twice),
		cmocka_unit_test(config_parses_real_servers),
		cmocka_unit_test(config_takes_a_real_server_as_one_thing),
		cmocka_unit_test(config_takes_weights_of_each_virtual_server),
		cmocka_unit_test(config_reports_every_error),
		cmocka_unit_test(config_sorts_virtual_servers_by_name),
		cmocka_unit_test(config_formats_ports),
		cmocka_unit_test(config_loads_the_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
