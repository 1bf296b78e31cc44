/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's key table and what a value must be beside its type. Called by main (check-config) and
 * by the daemon (start, reload). Must not know the host.
 */
#include "agent/config/config.h"

#define CONFIG_HOUR_US       ((int64_t)(3600 * US_PER_S))
#define CONFIG_SECTION       "agent"
#define CONFIG_PATTERN_BYTES 64u
#define KEY_OFFSET(name)     offsetof(struct config, name)

static const char *const config_on_stop_names[] = { "withdraw", "keep", NULL };

static int config_parse_weight(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (strcasecmp(value, "auto") == 0) {
		*(uint32_t *)target = CONFIG_WEIGHT_AUTO;
		return 0;
	}
	return ini_parse_u32(key, value, target, ret_why);
}

static int config_parse_name(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (!proto_name_is_valid(value))
		return why_fail(ret_why, -EINVAL,
			"no name for a backend; write 1 to %u letters, digits, '.', '-', '_'",
			PROTO_NAME_MAX);
	return ini_parse_text(key, value, target, ret_why);
}

/* fnmatch(3) against interface names, none of which is longer. */
static int config_parse_pattern(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (strlen(value) >= CONFIG_PATTERN_BYTES || strpbrk(value, "/ \t"))
		return why_fail(ret_why, -EINVAL,
			"no pattern of interface names; write one like cali* or veth*");
	return ini_parse_string_list(key, value, target, ret_why);
}

static bool config_has_check(const struct ini_list *list, const struct check_spec *wanted)
{
	struct check_spec *const *specs = list->items;

	for (size_t idx = 0; idx < list->len; idx++) {
		if (streq(specs[idx]->text, wanted->text))
			return true;
	}
	return false;
}

/* "none" is no check. */
static int config_add_check(struct ini_list *list, const char *value,
	int (*parse)(const char *, struct check_spec **, struct why *), struct why *ret_why)
{
	_cleanup_(check_spec_freep) struct check_spec *spec = NULL;
	struct check_spec **item;
	int r;

	if (strcasecmp(value, "none") == 0)
		return 0;
	r = parse(value, &spec, ret_why);
	if (r < 0)
		return r;
	if (config_has_check(list, spec))
		return why_fail(ret_why, -EINVAL, "\"%.64s\" was given before; remove one", value);
	if (list->len == CONFIG_CHECKS_MAX)
		return why_fail(ret_why, -EINVAL, "more than %u units and checks; remove some",
			CONFIG_CHECKS_MAX);
	item = ini_list_append(list, sizeof(struct check_spec *));
	if (!item)
		return -ENOMEM;
	*item = TAKE_PTR(spec);
	return 0;
}

static int config_parse_unit(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	return config_add_check(target, value, check_spec_parse_unit, ret_why);
}

static int config_parse_check(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	return config_add_check(target, value, check_spec_parse, ret_why);
}

static int config_parse_vip(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (((const struct ini_list *)target)->len == PROTO_VIPS_MAX)
		return why_fail(ret_why, -EINVAL,
			"more than %u addresses; one agent serves at most so many, remove some",
			PROTO_VIPS_MAX);
	return ini_parse_addr_list(key, value, target, ret_why);
}

static const struct ini_key config_keys[] = {
	{ "balancer", ini_parse_addr_port_list, KEY_OFFSET(balancers), 0, 0, NULL, NULL,
		INI_LIST | INI_REQUIRED, "addresses of the balancers to register with" },
	{ "vip", config_parse_vip, KEY_OFFSET(vips), 0, 0, NULL, NULL, INI_LIST | INI_REQUIRED,
		"virtual addresses that this host serves" },
	{ "key-file", ini_parse_text, KEY_OFFSET(key_file), 0, 0, CONFIG_DEFAULT_KEY_FILE, NULL, 0,
		"key shared with the balancers, mode 0600 or stricter" },
	{ "name", config_parse_name, KEY_OFFSET(name), 0, 0, NULL, NULL, 0,
		"name of this backend on the balancers; the host name when not given" },
	{ "real-ip", ini_parse_addr, KEY_OFFSET(real_ip), 0, 0, NULL, NULL, 0,
		"this host's own address; that of the route to the first balancer" },
	{ "interface", ini_parse_interface, KEY_OFFSET(interface), 0, 0, NULL, NULL, 0,
		"interface on the balancers' link; that of the route to the first balancer" },
	{ "listen", ini_parse_u32, KEY_OFFSET(listen), 1, 65535, "7377", NULL, 0,
		"UDP port on the real IP" },
	{ "loopback", ini_parse_interface, KEY_OFFSET(loopback), 0, 0, "lo", NULL, 0,
		"interface that holds the VIPs" },
	{ "arp-exempt", config_parse_pattern, KEY_OFFSET(arp_exempt), 0, 0, NULL, NULL, INI_LIST,
		"interfaces whose ARP settings are left alone" },
	{ "max-connections", ini_parse_size, KEY_OFFSET(max_connections), 0, PROTO_CONNECTIONS_MAX,
		"0", NULL, 0,
		"established connections above which no new ones are wanted; 0: none" },
	{ "weight", config_parse_weight, KEY_OFFSET(weight), 0, 65535, "1", NULL, 0,
		"share of new flows, 0 for none; auto is the number of CPUs" },
	{ "unit", config_parse_unit, KEY_OFFSET(checks), 0, 0, NULL, NULL, INI_LIST,
		"systemd units that must be active" },
	{ "check", config_parse_check, KEY_OFFSET(checks), 0, 0, NULL, NULL, INI_LIST | INI_WHOLE,
		"local checks of the service" },
	{ "check-interval", ini_parse_duration, KEY_OFFSET(check_interval_us), 50000,
		CONFIG_HOUR_US, "2s", NULL, 0, "time between two runs of a check" },
	{ "check-timeout", ini_parse_duration, KEY_OFFSET(check_timeout_us), 50000, CONFIG_HOUR_US,
		"1s", NULL, 0, "time after which a check has failed" },
	{ "check-fall", ini_parse_u32, KEY_OFFSET(check_fall), 1, 20, "3", NULL, 0,
		"failures in a row until down" },
	{ "check-rise", ini_parse_u32, KEY_OFFSET(check_rise), 1, 20, "2", NULL, 0,
		"successes in a row until up" },
	{ "drain-on-stop", ini_parse_duration, KEY_OFFSET(drain_on_stop_us), 0, CONFIG_HOUR_US,
		"10s", NULL, 0, "how long a stop waits for open connections" },
	{ "on-stop", ini_parse_enum, KEY_OFFSET(on_stop), 0, 0, "withdraw", config_on_stop_names, 0,
		"what a stop does to the VIPs and ARP settings" },
	{ "second-chance", ini_parse_bool, KEY_OFFSET(second_chance), 0, 0, "no", NULL, 0,
		"pass segments of flows on to the server that has them" },
	{ "http-listen", ini_parse_listen, KEY_OFFSET(http_listen), 0, 0, "off", NULL, 0,
		"address:port where HTTP answers, or off" },
};

static void *config_open(void *context, const char *name, struct why *ret_why)
{
	return context;
}

static const struct ini_section config_section = {
	.name = CONFIG_SECTION,
	.keys = config_keys,
	.n_keys = ARRAY_LEN(config_keys),
	.open = config_open,
};

const struct ini_section *config_sections(size_t *ret_n_sections)
{
	*ret_n_sections = 1;
	return &config_section;
}

static void config_check_vips(const struct config *config, struct ini_report *report)
{
	const struct addr *vips = config->vips.items;
	char text[ADDR_STRLEN];

	ARRAY_FOREACH (vip, vips, config->vips.len) {
		if (!addr_is_unicast(vip) || addr_is_link_local6(vip))
			ini_report_add(report, CONFIG_SECTION, NULL, "vip",
				"%s cannot be served; give a unicast address that routers know",
				addr_format(vip, text));
		if (addr_equal(vip, &config->real_ip))
			ini_report_add(report, CONFIG_SECTION, NULL, "real-ip",
				"%s is also a vip; the real IP is the host's own address",
				addr_format(vip, text));
	}
}

static bool config_is_vip(const struct config *config, const struct addr *addr)
{
	const struct addr *vips = config->vips.items;

	ARRAY_FOREACH (vip, vips, config->vips.len) {
		if (addr_equal(vip, addr))
			return true;
	}
	return false;
}

/* One real IP answers all balancers, so that they are of its family. */
static void config_check_balancers(struct config *config, struct ini_report *report)
{
	struct addr_port *balancers = config->balancers.items;
	char text[ADDR_STRLEN];

	if (config->balancers.len > CONFIG_BALANCERS_MAX)
		ini_report_add(report, CONFIG_SECTION, NULL, "balancer",
			"%zu addresses; one agent registers with at most %u", config->balancers.len,
			CONFIG_BALANCERS_MAX);
	ARRAY_FOREACH (balancer, balancers, config->balancers.len) {
		addr_format(&balancer->addr, text);
		if (balancer->port == 0)
			balancer->port = PROTO_PORT;
		if (!addr_is_unicast(&balancer->addr))
			ini_report_add(report, CONFIG_SECTION, NULL, "balancer",
				"%s is no host's address; give the balancer's real IP", text);
		if (config_is_vip(config, &balancer->addr))
			ini_report_add(report, CONFIG_SECTION, NULL, "balancer",
				"%s is also a vip; give the balancer's real IP", text);
		if (balancer->addr.family != balancers[0].addr.family)
			ini_report_add(report, CONFIG_SECTION, NULL, "balancer",
				"%s is of another family than the first; one real IP answers all",
				text);
		ARRAY_FOREACH (previous, balancers, (size_t)(balancer - balancers)) {
			if (addr_equal(&previous->addr, &balancer->addr))
				ini_report_add(report, CONFIG_SECTION, NULL, "balancer",
					"%s is given twice", text);
		}
	}
}

static void config_check_real_ip(const struct config *config, struct ini_report *report)
{
	const struct addr_port *balancers = config->balancers.items;
	char text[ADDR_STRLEN];

	if (config->real_ip.family == AF_UNSPEC)
		return;
	if (!addr_is_unicast(&config->real_ip))
		ini_report_add(report, CONFIG_SECTION, NULL, "real-ip",
			"%s is no host's address; give the one on the balancers' link",
			addr_format(&config->real_ip, text));
	if (config->balancers.len && balancers[0].addr.family != config->real_ip.family)
		ini_report_add(report, CONFIG_SECTION, NULL, "real-ip",
			"%s is of another family than the balancers",
			addr_format(&config->real_ip, text));
}

static void config_check(struct config *config, struct ini_report *report)
{
	config_check_vips(config, report);
	config_check_balancers(config, report);
	config_check_real_ip(config, report);
	if (config->arp_exempt.len > CONFIG_EXEMPT_MAX)
		ini_report_add(report, CONFIG_SECTION, NULL, "arp-exempt",
			"%zu patterns; one agent takes at most %u", config->arp_exempt.len,
			CONFIG_EXEMPT_MAX);
	if (config->loopback && config->interface && streq(config->loopback, config->interface))
		ini_report_add(report, CONFIG_SECTION, NULL, "loopback",
			"%s is the interface on the balancers' link, where a VIP would answer ARP; use lo",
			config->loopback);
}

/* `text` NULL: from files. */
static int config_load_any(const char *path, const char *text, size_t size_bytes,
	struct config **ret_config, struct ini_report **ret_report)
{
	_cleanup_(config_freep) struct config *config = calloc(1, sizeof(*config));
	struct ini_report *report = NULL;
	int r;

	if (!config)
		return -ENOMEM;
	if (text)
		r = ini_load_text(path, text, size_bytes, &config_section, 1, config, &report);
	else
		r = ini_load(path, &config_section, 1, config, &report);
	if (r == -ENOMEM)
		return r;
	config_check(config, report);
	*ret_report = report;
	if (r < 0 || ini_report_len(report) > 0)
		return -EINVAL;
	*ret_config = TAKE_PTR(config);
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct ini_report **ret_report)
{
	return config_load_any(path, NULL, 0, ret_config, ret_report);
}

int config_load_text(const char *name, const char *text, size_t size_bytes,
	struct config **ret_config, struct ini_report **ret_report)
{
	return config_load_any(name, text, size_bytes, ret_config, ret_report);
}

struct config *config_free(struct config *config)
{
	struct check_spec **specs;

	if (!config)
		return NULL;
	ini_list_clear(&config->balancers);
	ini_list_clear(&config->vips);
	ini_list_clear_strings(&config->arp_exempt);
	specs = config->checks.items;
	for (size_t idx = 0; idx < config->checks.len; idx++)
		check_spec_free(specs[idx]);
	ini_list_clear(&config->checks);
	free(config->key_file);
	free(config->name);
	free(config->interface);
	free(config->loopback);
	free(config);
	return NULL;
}
