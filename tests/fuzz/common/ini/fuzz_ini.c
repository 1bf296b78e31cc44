/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a configuration file: the load ends, says something exactly when it refuses, in one
 * line without control codes, and what it accepts is inside its range.
 */
#include "common/ini/ini.h"

#include <stddef.h>

struct settings {
	char *text;
	bool enabled;
	uint32_t number;
	uint64_t duration_us, size_bytes;
	int mode;
	struct addr address;
	struct addr_port listen;
	char *interface;
	struct ini_list addresses, prefixes, endpoints, words, whole;
	struct settings *next;
};

static const char *const mode_names[] = { "auto", "fast", NULL };

#define KEY(key_name, parser, member, ...) \
	{ \
		.name = key_name, .parse = parser, .offset = offsetof(struct settings, member), \
		__VA_ARGS__ \
	}

static const struct ini_key keys[] = {
	KEY("text", ini_parse_text, text, .default_value = "x"),
	KEY("enabled", ini_parse_bool, enabled),
	KEY("number", ini_parse_u32, number, .min = 1, .max = 20, .default_value = "3"),
	KEY("heartbeat-interval", ini_parse_duration, duration_us, .max = INT64_MAX),
	KEY("max-flows", ini_parse_size, size_bytes, .min = 1024, .max = INT64_MAX),
	KEY("mode", ini_parse_enum, mode, .data = mode_names),
	KEY("address", ini_parse_addr, address),
	KEY("listen", ini_parse_addr_port, listen),
	KEY("interface", ini_parse_interface, interface),
	KEY("vip", ini_parse_addr_list, addresses, .flags = INI_LIST),
	KEY("allow", ini_parse_prefix_list, prefixes, .flags = INI_LIST),
	KEY("balancer", ini_parse_addr_port_list, endpoints, .flags = INI_LIST),
	KEY("check", ini_parse_string_list, words, .flags = INI_LIST, .default_value = "a, b"),
	KEY("exec", ini_parse_string_list, whole, .flags = INI_LIST | INI_WHOLE),
};

static void *open_main(void *context, const char *name, struct why *ret_why)
{
	return context;
}

static void *open_named(void *context, const char *name, struct why *ret_why)
{
	struct settings *settings = context, *added;

	if (name[0] == '-') {
		why_set(ret_why, "not this one");
		errno = EINVAL;
		return NULL;
	}
	added = calloc(1, sizeof(*added));
	if (added) {
		added->next = settings->next;
		settings->next = added;
	}
	return added;
}

static const struct ini_section sections[] = {
	{ "balancer", false, keys, ARRAY_LEN(keys), open_main },
	{ "virtual-server", true, keys, ARRAY_LEN(keys), open_named },
};

static void settings_clear(struct settings *settings)
{
	free(settings->text);
	free(settings->interface);
	ini_list_clear(&settings->addresses);
	ini_list_clear(&settings->prefixes);
	ini_list_clear(&settings->endpoints);
	ini_list_clear_strings(&settings->words);
	ini_list_clear_strings(&settings->whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct settings settings = { 0 };
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	int r;

	r = ini_load_text("fuzz.conf", (const char *)data, size_bytes, sections,
		ARRAY_LEN(sections), &settings, &report);
	if (r != 0 && r != -EINVAL)
		abort();
	if ((r == 0) != (ini_report_len(report) == 0))
		abort();
	for (size_t idx = 0; idx < ini_report_len(report); idx++)
		if (strpbrk(ini_report_line(report, idx), "\n\x1b"))
			abort();
	for (size_t idx = 0; ini_report_effective(report, idx); idx++)
		;
	if (r == 0 && (settings.number < 1 || settings.number > 20 || !settings.text))
		abort();
	settings_clear(&settings);
	while (settings.next) {
		struct settings *first = settings.next;

		settings.next = first->next;
		settings_clear(first);
		free(first);
	}
	return 0;
}
