/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files: what is read, what is refused, and with which words. */
#include "common/ini/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "tests/unit/tools/temp_dir.h"

#define SERVERS_MAX 16u

struct server {
	char *name;
	uint32_t weight;
	struct ini_list words;
	struct ini_list whole;
};

struct settings {
	char *interface;
	char *text;
	bool enabled;
	uint32_t number;
	uint64_t interval_us;
	uint64_t size_bytes;
	int mode;
	struct addr address;
	struct addr_port listen;
	struct ini_list addresses, prefixes, endpoints, words;
	struct server servers[SERVERS_MAX];
	size_t n_servers;
};

static const char *const mode_names[] = { "auto", "fast", "slow", NULL };

#define KEY(key_name, parser, member, ...) \
	{ \
		.name = key_name, .parse = parser, .offset = offsetof(struct settings, member), \
		__VA_ARGS__ \
	}
#define SERVER_KEY(key_name, parser, member, ...) \
	{ \
		.name = key_name, .parse = parser, .offset = offsetof(struct server, member), \
		__VA_ARGS__ \
	}

static const struct ini_key main_keys[] = {
	KEY("interface", ini_parse_interface, interface, .flags = INI_REQUIRED, .doc = "NAME"),
	KEY("text", ini_parse_text, text, .default_value = "none"),
	KEY("enabled", ini_parse_bool, enabled, .default_value = "yes"),
	KEY("number", ini_parse_u32, number, .min = 1, .max = 20, .default_value = "3"),
	KEY("heartbeat-interval", ini_parse_duration, interval_us, .min = 50 * US_PER_MS,
		.max = 60 * US_PER_S, .default_value = "300ms"),
	KEY("max-flows", ini_parse_size, size_bytes, .min = 1 << 10, .max = 64 << 20),
	KEY("mode", ini_parse_enum, mode, .data = mode_names, .default_value = "auto"),
	KEY("address", ini_parse_addr, address),
	KEY("listen", ini_parse_addr_port, listen),
	KEY("vip", ini_parse_addr_list, addresses, .flags = INI_LIST),
	KEY("allow", ini_parse_prefix_list, prefixes, .flags = INI_LIST),
	KEY("balancer", ini_parse_addr_port_list, endpoints, .flags = INI_LIST),
	KEY("check", ini_parse_string_list, words, .flags = INI_LIST,
		.default_value = "agent, path"),
};

static const struct ini_key server_keys[] = {
	SERVER_KEY("weight", ini_parse_u32, weight, .min = 0, .max = 100, .default_value = "7"),
	SERVER_KEY("word", ini_parse_string_list, words, .flags = INI_LIST),
	SERVER_KEY("whole", ini_parse_string_list, whole, .flags = INI_LIST | INI_WHOLE),
};

static void *open_main(void *context, const char *name, struct why *ret_why)
{
	return context;
}

static void *open_server(void *context, const char *name, struct why *ret_why)
{
	struct settings *settings = context;
	struct server *server;

	if (streq(name, "refused") || settings->n_servers == SERVERS_MAX) {
		why_set(ret_why, "no such name here; take another");
		errno = EINVAL;
		return NULL;
	}
	server = &settings->servers[settings->n_servers++];
	server->name = strdup(name);
	return server;
}

static const struct ini_section sections[] = {
	{ "balancer", false, main_keys, ARRAY_LEN(main_keys), open_main },
	{ "virtual-server", true, server_keys, ARRAY_LEN(server_keys), open_server },
};

static void settings_clear(struct settings *settings)
{
	free(settings->interface);
	free(settings->text);
	ini_list_clear(&settings->addresses);
	ini_list_clear(&settings->prefixes);
	ini_list_clear(&settings->endpoints);
	ini_list_clear_strings(&settings->words);
	ARRAY_FOREACH (server, settings->servers, settings->n_servers) {
		free(server->name);
		ini_list_clear_strings(&server->words);
		ini_list_clear_strings(&server->whole);
	}
	memset(settings, 0, sizeof(*settings));
}

struct load {
	struct settings settings;
	struct ini_report *report;
	int result;
};

static void load_clear(struct load *load)
{
	ini_report_free(load->report);
	settings_clear(&load->settings);
}
#define _cleanup_load_ _cleanup_(load_clear)

static void load_bytes(struct load *load, const char *text, size_t size_bytes)
{
	load->result = ini_load_text("x.conf", text, size_bytes, sections, ARRAY_LEN(sections),
		&load->settings, &load->report);
}

static void load_text(struct load *load, const char *text)
{
	load_bytes(load, text, strlen(text));
}

/* Loads `text` after a sound [balancer] section of two lines, so that the next line is 3. */
static void load_more(struct load *load, const char *text)
{
	_cleanup_free_ char *all = NULL;

	assert_true(asprintf(&all, "[balancer]\ninterface = eth0\n%s", text) >= 0);
	load_text(load, all);
}

static void assert_only_error(const struct load *load, const char *line)
{
	assert_int_equal(load->result, -EINVAL);
	assert_string_equal(ini_report_line(load->report, 0), line);
	assert_int_equal(ini_report_len(load->report), 1);
}

static const char *word(const struct ini_list *list, size_t idx)
{
	assert_true(idx < list->len);
	return ((char **)list->items)[idx];
}

static void ini_fills_every_type(void **state)
{
	_cleanup_load_ struct load load = { 0 };
	struct settings *settings = &load.settings;
	char buffer[ADDR_PORT_STRLEN];

	load_more(&load,
		"# comment\n; comment\n\n   \t\ntext = a b\nenabled=no\nnumber = 20\n"
		"heartbeat-interval = 2s\nmax-flows = 64k\nmode = slow\n"
		"address = 2001:db8::1\nlisten = 7377\nvip = 192.0.2.1, 2001:db8::2\n"
		"allow = 192.0.2.0/24\nbalancer = 192.0.2.2, [2001:db8::3]:80\n");
	assert_int_equal(load.result, 0);
	assert_int_equal(ini_report_len(load.report), 0);
	assert_string_equal(settings->interface, "eth0");
	assert_string_equal(settings->text, "a b");
	assert_false(settings->enabled);
	assert_int_equal(settings->number, 20);
	assert_int_equal(settings->interval_us, 2000000);
	assert_int_equal(settings->size_bytes, 65536);
	assert_int_equal(settings->mode, 2);
	assert_string_equal(addr_format(&settings->address, buffer), "2001:db8::1");
	assert_string_equal(addr_port_format(&settings->listen, buffer), ":7377");
	assert_int_equal(settings->addresses.len, 2);
	assert_int_equal(settings->prefixes.len, 1);
	assert_int_equal(settings->endpoints.len, 2);
	assert_string_equal(
		addr_port_format((struct addr_port *)settings->endpoints.items + 1, buffer),
		"[2001:db8::3]:80");
}

static void ini_applies_defaults(void **state)
{
	_cleanup_load_ struct load load = { 0 };
	struct settings *settings = &load.settings;

	load_more(&load, "[virtual-server web]\n");
	assert_int_equal(load.result, 0);
	assert_string_equal(settings->text, "none");
	assert_true(settings->enabled);
	assert_int_equal(settings->number, 3);
	assert_int_equal(settings->interval_us, 300000);
	assert_string_equal(word(&settings->words, 0), "agent");
	assert_string_equal(word(&settings->words, 1), "path");
	assert_int_equal(settings->servers[0].weight, 7);
}

static void ini_list_default_gives_way(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_more(&load, "check = none\n");
	assert_int_equal(load.result, 0);
	assert_int_equal(load.settings.words.len, 1);
	assert_string_equal(word(&load.settings.words, 0), "none");
}

static void ini_keys_ignore_case_and_underscores(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_text(&load,
		"[BALANCER]\nInterFace = eth0\nHEARTBEAT_Interval = 1s\n"
		"[Virtual_Server Web]\nWEIGHT=1\n");
	assert_int_equal(load.result, 0);
	assert_int_equal(load.settings.interval_us, 1000000);
	assert_string_equal(load.settings.servers[0].name, "Web");
}

static void ini_keeps_values_whole(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_more(&load,
		"text = \"a\" ;b #c = d : e [f]\r\n[virtual-server w]\n"
		"whole = a, b ; c\nwhole = d\n");
	assert_int_equal(load.result, 0);
	assert_string_equal(load.settings.text, "\"a\" ;b #c = d : e [f]");
	assert_string_equal(word(&load.settings.servers[0].whole, 0), "a, b ; c");
	assert_string_equal(word(&load.settings.servers[0].whole, 1), "d");
}

static void ini_takes_lines_up_to_the_limit(void **state)
{
	char text[INI_LINE_MAX_BYTES + 2] = "text = ";
	size_t len = strlen(text);

	memset(text + len, 'x', INI_LINE_MAX_BYTES - len);
	{
		_cleanup_load_ struct load load = { 0 };

		load_more(&load, text);
		assert_int_equal(load.result, 0);
		assert_int_equal(strlen(load.settings.text), INI_LINE_MAX_BYTES - len);
	}
	{
		_cleanup_load_ struct load load = { 0 };

		text[INI_LINE_MAX_BYTES] = 'x';
		load_more(&load, text);
		assert_only_error(&load,
			"x.conf:3: line longer than 1024 bytes; repeat the key "
			"instead of a long list");
		assert_string_equal(load.settings.text, "none");
	}
}

static void ini_does_not_read_the_tail_of_a_long_line(void **state)
{
	char text[2 * INI_LINE_MAX_BYTES] = "";
	_cleanup_load_ struct load load = { 0 };

	snprintf(text, sizeof(text), "%-*snumber=9%100s\nnumber = 4\n", (int)INI_LINE_MAX_BYTES,
		"text=", "");
	load_more(&load, text);
	assert_int_equal(ini_report_len(load.report), 1);
	assert_int_equal(load.settings.number, 4);
}

/* Each is one bad line after a sound section, and all that is said of it. */
static void ini_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ " number = 4\n", "3: indented; a key begins its line, no value is continued" },
		{ "number\n", "3: \"number\" is no setting; write KEY = VALUE" },
		{ "number: 4\n", "3: \"number: 4\" is no setting; write KEY = VALUE" },
		{ "= 4\n", "3: no key before `=`; write KEY = VALUE" },
		{ "a b = 4\n", "3: \"a b\" is no key; a key is letters and hyphens" },
		{ "number =\n", "3: number: has no value; write one, or remove the line" },
		{ "numbr = 4\n", "3: numbr: unknown key; did you mean number?" },
		{ "hearbeat_intreval = 4\n",
			"3: hearbeat-intreval: unknown key; did you mean heartbeat-interval?" },
		{ "weight = 4\n",
			"3: weight: unknown in [balancer]; it belongs in [virtual-server NAME]" },
		{ "[virtual-server w]\nzzzz = 4\n",
			"4: zzzz: unknown key; [virtual-server] has weight, word, whole" },
		{ "number = 4\nnumber = 5\n",
			"4: number: set before in line 3; remove one of the two" },
		{ "number = 21\n", "3: number: \"21\" is out of range; write 1 to 20" },
		{ "number = 0\n", "3: number: \"0\" is out of range; write 1 to 20" },
		{ "number = 4294967297\n",
			"3: number: \"4294967297\" is out of range; write 1 to 20" },
		{ "number = 99999999999999999999\n",
			"3: number: \"99999999999999999999\" is out of range; write 1 to 20" },
		{ "number = -1\n", "3: number: \"-1\" is no number; write 1 to 20" },
		{ "number = 4 ; four\n", "3: number: \"4 ; four\" is no number; write 1 to 20" },
		{ "enabled = maybe\n", "3: enabled: \"maybe\" is neither yes nor no" },
		{ "mode = warp\n", "3: mode: \"warp\" is not known; write auto, fast or slow" },
		{ "heartbeat-interval = 49ms\n",
			"3: heartbeat-interval: \"49ms\" is out of range; write 50ms to 1min" },
		{ "heartbeat-interval = 3 parsec\n",
			"3: heartbeat-interval: \"3 parsec\" is no time; write 300ms, 2s, 5min or "
			"1h" },
		{ "max-flows = 65M\n", "3: max-flows: \"65M\" is out of range; write 1k to 64M" },
		{ "address = web1\n",
			"3: address: \"web1\" is no address; write one like 192.0.2.1 or "
			"2001:db8::1" },
		{ "vip = 192.0.2.1, 192.0.2.1\n",
			"3: vip: \"192.0.2.1\" is in the list twice; remove one" },
		{ "vip = 192.0.2.1\nvip = 192.0.2.1\n",
			"4: vip: \"192.0.2.1\" is in the list twice; remove one" },
		{ "vip = 192.0.2.1,,192.0.2.2\n",
			"3: vip: an element of the list is empty; remove the comma" },
		{ "vip = 192.0.2.1,\n",
			"3: vip: an element of the list is empty; remove the comma" },
		{ "allow = 192.0.2.1/24\n",
			"3: allow: \"192.0.2.1/24\" is no network; write one like 192.0.2.0/24, "
			"without host bits" },
		{ "[balancer]\nnumber = 4\n",
			"3: [balancer]: section repeated, it begins in line 1; write its keys "
			"there" },
		{ "[virtual-server w]\n[virtual-server w]\n",
			"4: [virtual-server w]: section repeated, it begins in line 3; write its "
			"keys there" },
		{ "[virtual-server]\nweight = 1\n",
			"3: [virtual-server] needs a name; write [virtual-server NAME]" },
		{ "[balancer x]\n", "3: [balancer x]: this section has no name; write [balancer]" },
		{ "[virtual-servers w]\nanything = 1\n",
			"3: unknown section [virtual-servers]; did you mean [virtual-server "
			"NAME]?" },
		{ "[virtual-server a b]\n",
			"3: [virtual-server a b]: a name has no blank in it; write [virtual-server "
			"NAME]" },
		{ "[virtual-server refused]\nweight = 1000\n",
			"3: [virtual-server refused]: no such name here; take another" },
		{ "[virtual-server w] # web\n",
			"3: \"[virtual-server w] # web\" is no section; a line with `[` holds "
			"nothing but [SECTION]" },
		{ "[virtual-server w\n",
			"3: \"[virtual-server w\" is no section; a line with `[` holds nothing but "
			"[SECTION]" },
		{ " [virtual-server w]\n",
			"3: indented; a key begins its line, no value is continued" },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		_cleanup_load_ struct load load = { 0 };
		_cleanup_free_ char *error = NULL;

		load_more(&load, item->text);
		assert_true(asprintf(&error, "x.conf:%s", item->error) >= 0);
		assert_only_error(&load, error);
	}
}

static void ini_needs_required_keys(void **state)
{
	_cleanup_load_ struct load nothing = { 0 };
	_cleanup_load_ struct load section = { 0 };

	load_text(&nothing, "");
	assert_only_error(
		&nothing, "x.conf: interface: missing in [balancer]; write interface = NAME");
	load_text(&section, "\n[balancer]\n");
	assert_only_error(
		&section, "x.conf:2: interface: missing in [balancer]; write interface = NAME");
}

static void ini_does_not_call_a_bad_key_missing(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_text(&load, "[balancer]\ninterface = a/b\n");
	assert_only_error(&load,
		"x.conf:2: interface: \"a/b\" is no interface name; write 1 to 15 "
		"characters without blank, / or :");
}

static void ini_wants_a_section_first(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_text(&load, "number = 4\n[balancer]\ninterface = eth0\n");
	assert_only_error(
		&load, "x.conf:1: number: stands before any section; write [balancer] above it");
}

static void ini_reports_every_error_in_order(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_text(&load, "[balancer]\nnumber = x\nfoo\nmode = warp\n");
	assert_int_equal(load.result, -EINVAL);
	assert_int_equal(ini_report_len(load.report), 4);
	assert_string_equal(ini_report_line(load.report, 0),
		"x.conf:2: number: \"x\" is no number; write 1 to 20");
	assert_string_equal(ini_report_line(load.report, 3),
		"x.conf:1: interface: missing in [balancer]; write interface = NAME");
}

static void ini_counts_errors_beyond_the_limit(void **state)
{
	_cleanup_load_ struct load load = { 0 };
	static const char line[2] = { 'x', '\n' };
	char text[(INI_REPORT_MAX + 3) * 4] = "";

	for (size_t idx = 0; idx < INI_REPORT_MAX; idx++)
		memcpy(&text[2 * idx], line, sizeof(line));
	load_more(&load, text);
	assert_int_equal(ini_report_len(load.report), INI_REPORT_MAX);
	ini_report_add(load.report, "balancer", NULL, "number", "late");
	assert_int_equal(ini_report_len(load.report), INI_REPORT_MAX + 1);
	assert_string_equal(ini_report_line(load.report, INI_REPORT_MAX), "and 1 more");
}

static void ini_refuses_nul_bytes(void **state)
{
	static const char text[] = "[balancer]\ninterface = eth0\0 x\n";
	_cleanup_load_ struct load load = { 0 };

	load_bytes(&load, text, sizeof(text) - 1);
	assert_string_equal(ini_report_line(load.report, 0),
		"x.conf:2: the line holds a NUL byte; this is no text file");
}

static void ini_passes_a_byte_order_mark(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_text(&load, "\xef\xbb\xbf[balancer]\ninterface = eth0");
	assert_int_equal(load.result, 0);
}

static void ini_prints_no_control_codes(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_more(&load, "enabled = \x1b[2J\n");
	assert_only_error(&load, "x.conf:3: enabled: \"?[2J\" is neither yes nor no");
}

static void ini_later_checks_point_at_the_key(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_more(&load, "number = 4\n\n[virtual-server web]\nword = a\nword = b\n");
	assert_int_equal(load.result, 0);
	ini_report_add(load.report, "balancer", NULL, "number", "too %s", "odd");
	ini_report_add(load.report, "virtual-server", "web", "word", "no");
	ini_report_add(load.report, "virtual-server", "web", "weight", "no");
	ini_report_add(load.report, "virtual-server", "web", NULL, "no");
	ini_report_add(load.report, "virtual-server", "none", "weight", "no");
	ini_report_warn(load.report, "balancer", NULL, "interface", "is not there");
	assert_int_equal(ini_report_len(load.report), 5);
	assert_string_equal(ini_report_line(load.report, 0), "x.conf:3: number: too odd");
	assert_string_equal(ini_report_line(load.report, 1), "x.conf:7: word: no");
	assert_string_equal(ini_report_line(load.report, 2), "x.conf:5: weight: no");
	assert_string_equal(ini_report_line(load.report, 3), "x.conf:5: [virtual-server web]: no");
	assert_string_equal(ini_report_line(load.report, 4), "x.conf: weight: no");
	assert_int_equal(ini_report_warnings_len(load.report), 1);
	assert_string_equal(
		ini_report_warning(load.report, 0), "x.conf:2: interface: is not there");
}

static void ini_knows_what_was_set(void **state)
{
	_cleanup_load_ struct load load = { 0 };

	load_more(&load, "[virtual-server web]\nweight = 1\n");
	assert_true(ini_report_is_set(load.report, "balancer", NULL, "interface"));
	assert_false(ini_report_is_set(load.report, "balancer", NULL, "number"));
	assert_true(ini_report_is_set(load.report, "virtual-server", "web", "weight"));
	assert_false(ini_report_is_set(load.report, "virtual-server", "web", "word"));
	assert_false(ini_report_is_set(load.report, "virtual-server", "other", "weight"));
}

static void ini_lists_what_is_in_effect(void **state)
{
	static const char *const lines[] = {
		"[balancer] interface = eth0",
		"[balancer] text = none",
		"[balancer] enabled = yes",
		"[balancer] number = 3",
		"[balancer] heartbeat-interval = 300ms",
		"[balancer] mode = auto",
		"[balancer] vip = 192.0.2.1, 192.0.2.2",
		"[balancer] check = agent, path",
		"[virtual-server web] weight = 9",
	};
	_cleanup_load_ struct load load = { 0 };

	load_more(&load, "vip = 192.0.2.1\nvip = 192.0.2.2\n[virtual-server web]\nweight = 9\n");
	for (size_t idx = 0; idx < ARRAY_LEN(lines); idx++)
		assert_string_equal(ini_report_effective(load.report, idx), lines[idx]);
	assert_null(ini_report_effective(load.report, ARRAY_LEN(lines)));
}

/* A directory with dsr.conf and conf.d, gone after the test. */
struct tree {
	char directory[TEMP_DIR_BYTES];
	char main_path[128];
};

static int tree_setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	char path[128];

	if (!tree)
		return -1;
	*state = tree;
	temp_dir_make(tree->directory);
	snprintf(tree->main_path, sizeof(tree->main_path), "%s/dsr.conf", tree->directory);
	snprintf(path, sizeof(path), "%s/conf.d", tree->directory);
	return mkdir(path, 0700);
}

static int tree_teardown(void **state)
{
	struct tree *tree = *state;

	temp_dir_remove(tree->directory);
	free(tree);
	return 0;
}

static void tree_write(const struct tree *tree, const char *name, const char *text)
{
	temp_dir_write(tree->directory, name, text);
}

static void tree_load(const struct tree *tree, struct load *load)
{
	load->result = ini_load(
		tree->main_path, sections, ARRAY_LEN(sections), &load->settings, &load->report);
}

static void ini_later_files_extend_and_override(void **state)
{
	const struct tree *tree = *state;
	_cleanup_load_ struct load load = { 0 };

	tree_write(tree, "dsr.conf",
		"[balancer]\ninterface = eth0\nnumber = 4\nvip = 192.0.2.1\n"
		"[virtual-server web]\nweight = 1\n");
	tree_write(tree, "conf.d/20.conf",
		"[balancer]\nnumber = 6\nvip = 192.0.2.2\n"
		"[virtual-server mail]\nweight = 2\n");
	tree_write(tree, "conf.d/10.conf",
		"[balancer]\nnumber = 5\nenabled = no\n"
		"[virtual-server web]\nweight = 3\n");
	tree_write(tree, "conf.d/.hidden.conf", "x\n");
	tree_write(tree, "conf.d/30.conf.dpkg-old", "x\n");
	tree_load(tree, &load);
	assert_int_equal(load.result, 0);
	assert_int_equal(load.settings.number, 6);
	assert_false(load.settings.enabled);
	assert_int_equal(load.settings.addresses.len, 2);
	assert_int_equal(load.settings.n_servers, 2);
	assert_int_equal(load.settings.servers[0].weight, 3);
	assert_string_equal(load.settings.servers[1].name, "mail");
}

static void ini_names_the_file_of_an_error(void **state)
{
	const struct tree *tree = *state;
	_cleanup_load_ struct load load = { 0 };
	char error[256];

	tree_write(tree, "dsr.conf", "[balancer]\ninterface = eth0\n");
	tree_write(tree, "conf.d/a.conf", "\n[balancer]\nnumber = x\n");
	tree_load(tree, &load);
	snprintf(error, sizeof(error),
		"%s/conf.d/a.conf:3: number: \"x\" is no number; write 1 to 20", tree->directory);
	assert_only_error(&load, error);
	ini_report_add(load.report, "balancer", NULL, "number", "again");
	snprintf(error, sizeof(error), "%s/conf.d/a.conf:3: number: again", tree->directory);
	assert_string_equal(ini_report_line(load.report, 1), error);
}

static void ini_says_which_file_is_unreadable(void **state)
{
	const struct tree *tree = *state;
	_cleanup_load_ struct load missing = { 0 };
	_cleanup_load_ struct load directory = { 0 };
	char path[160], error[256];

	tree_load(tree, &missing);
	snprintf(error, sizeof(error),
		"%s: cannot open: No such file or directory; write it, or name another with --config",
		tree->main_path);
	assert_only_error(&missing, error);

	tree_write(tree, "dsr.conf", "[balancer]\ninterface = eth0\n");
	snprintf(path, sizeof(path), "%s/conf.d/x.conf", tree->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	tree_load(tree, &directory);
	snprintf(error, sizeof(error), "%s: cannot read: Is a directory", path);
	assert_only_error(&directory, error);
}

static void ini_waits_for_nobody(void **state)
{
	const struct tree *tree = *state;
	_cleanup_load_ struct load pipe = { 0 };
	_cleanup_load_ struct load null = { 0 };
	_cleanup_load_ struct load zero = { 0 };
	char path[160], error[256];

	tree_write(tree, "dsr.conf", "[balancer]\ninterface = eth0\n");
	snprintf(path, sizeof(path), "%s/conf.d/x.conf", tree->directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	tree_load(tree, &pipe);
	assert_int_equal(pipe.result, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	tree_load(tree, &null);
	assert_int_equal(null.result, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	tree_load(tree, &zero);
	snprintf(error, sizeof(error), "%s: cannot open: it is a device", path);
	assert_only_error(&zero, error);
}

static void ini_reads_a_limited_number_of_files(void **state)
{
	const struct tree *tree = *state;
	_cleanup_load_ struct load most = { 0 };
	_cleanup_load_ struct load too_many = { 0 };
	char name[64], error[256];

	tree_write(tree, "dsr.conf", "[balancer]\ninterface = eth0\n");
	for (unsigned int idx = 0; idx < INI_FILES_MAX; idx++) {
		snprintf(name, sizeof(name), "conf.d/%03u.conf", idx);
		tree_write(tree, name, "");
	}
	tree_load(tree, &most);
	assert_int_equal(most.result, 0);
	tree_write(tree, "conf.d/last.conf", "");
	tree_load(tree, &too_many);
	snprintf(error, sizeof(error), "%s: %s/conf.d holds 257 files; at most 256 are read",
		tree->main_path, tree->directory);
	assert_only_error(&too_many, error);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ini_fills_every_type),
		cmocka_unit_test(ini_applies_defaults),
		cmocka_unit_test(ini_list_default_gives_way),
		cmocka_unit_test(ini_keys_ignore_case_and_underscores),
		cmocka_unit_test(ini_keeps_values_whole),
		cmocka_unit_test(ini_takes_lines_up_to_the_limit),
		cmocka_unit_test(ini_does_not_read_the_tail_of_a_long_line),
		cmocka_unit_test(ini_says_what_is_wrong),
		cmocka_unit_test(ini_needs_required_keys),
		cmocka_unit_test(ini_does_not_call_a_bad_key_missing),
		cmocka_unit_test(ini_wants_a_section_first),
		cmocka_unit_test(ini_reports_every_error_in_order),
		cmocka_unit_test(ini_counts_errors_beyond_the_limit),
		cmocka_unit_test(ini_refuses_nul_bytes),
		cmocka_unit_test(ini_passes_a_byte_order_mark),
		cmocka_unit_test(ini_prints_no_control_codes),
		cmocka_unit_test(ini_later_checks_point_at_the_key),
		cmocka_unit_test(ini_knows_what_was_set),
		cmocka_unit_test(ini_lists_what_is_in_effect),
		cmocka_unit_test_setup_teardown(
			ini_later_files_extend_and_override, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(
			ini_names_the_file_of_an_error, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(
			ini_says_which_file_is_unreadable, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(ini_waits_for_nobody, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(
			ini_reads_a_limited_number_of_files, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests_name("ini", tests, NULL, NULL);
}
