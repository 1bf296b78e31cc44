/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers for the values that only dsr-lb.conf has. Called by common/ini through the table in
 * config.c; each says what is wrong and what would be right.
 */
#include "lb/config/value.h"

#include <strings.h>

#include "common/proto/proto.h"
#include "common/search.h"
#include "lb/fwd/types.h"

/* ini_parse_enum() with a check of its own behind it, on the right type. */
static int parse_choice(
	const char *const *names, const char *value, int *ret_idx, struct why *ret_why)
{
	const struct ini_key key = { .data = names };

	return ini_parse_enum(&key, value, ret_idx, ret_why);
}

int config_parse_mode(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	static const char *const names[] = { "auto", "xdp", "tc", "packet", NULL };
	int idx = 0;
	int r = parse_choice(names, value, &idx, ret_why);

	if (r < 0)
		return r;
	*(enum config_mode *)target = (enum config_mode)idx;
	return 0;
}

int config_parse_workers(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (strcasecmp(value, "auto") != 0)
		return ini_parse_u32(key, value, target, ret_why);
	*(uint32_t *)target = 0;
	return 0;
}

int config_parse_listen(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct addr_port *endpoint = target;
	int r = ini_parse_addr_port(key, value, endpoint, ret_why);

	if (r == 0 && endpoint->port == 0)
		endpoint->port = PROTO_PORT;
	return r;
}

int config_parse_announce(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	static const char *const names[] = { "none", "self", "route", NULL };
	int idx = 0;
	int r = parse_choice(names, value, &idx, ret_why);

	if (r == 0)
		*(enum config_announce *)target = (enum config_announce)idx;
	return r;
}

int config_parse_active_when(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	static const char word[] = "address";
	struct addr addr = { .family = AF_UNSPEC };
	const char *rest = value + sizeof(word) - 1;

	if (strcasecmp(value, "always") == 0) {
		*(struct addr *)target = addr;
		return 0;
	}
	if (strncasecmp(value, word, sizeof(word) - 1) != 0 || (*rest != ' ' && *rest != '\t'))
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is not known; write always, or address IP", value);
	rest += strspn(rest, " \t");
	if (addr_parse(rest, &addr) < 0 || !addr_is_unicast(&addr))
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is no address of a host; write address 192.0.2.1", rest);
	*(struct addr *)target = addr;
	return 0;
}

int config_parse_log_level(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	static const char *const names[] = { "err", "warning", "info", "debug", NULL };
	int idx = 0;
	int r = parse_choice(names, value, &idx, ret_why);

	_Static_assert(ARRAY_LEN(names) - 1 == LOG_LEVEL_N_, "every level has a name");
	if (r == 0)
		*(enum log_level *)target = (enum log_level)idx;
	return r;
}

int config_parse_backend_interface(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	const struct ini_list *list = target;
	char *checked = NULL;
	int r;

	if (list->len == FWD_LINKS_MAX)
		return why_fail(
			ret_why, -EINVAL, "more than %u interfaces; remove some", FWD_LINKS_MAX);
	r = ini_parse_interface(key, value, &checked, ret_why);
	free(checked);
	return r < 0 ? r : ini_parse_string_list(key, value, target, ret_why);
}

int config_parse_vip(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct ini_list *list = target;
	struct addr addr;

	if (list->len == CONFIG_VIPS_MAX)
		return why_fail(ret_why, -EINVAL, "more than %u VIPs; use another virtual server",
			CONFIG_VIPS_MAX);
	if (addr_parse(value, &addr) == 0 &&
		(!addr_is_unicast(&addr) || addr_is_link_local6(&addr)))
		return why_fail(ret_why, -EINVAL,
			"'%.64s' cannot be a VIP; write a unicast address", value);
	return ini_parse_addr_list(key, value, target, ret_why);
}

/* Digits alone, 1–65535; `*ret_rest` is what follows them. */
static bool parse_port_number(const char *text, uint16_t *ret_port, const char **ret_rest)
{
	uint32_t number = 0;
	const char *next = text;

	while (*next >= '0' && *next <= '9' && number <= UINT16_MAX)
		number = number * 10 + (uint32_t)(*next++ - '0');
	if (next == text || number == 0 || number > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)number;
	*ret_rest = next;
	return true;
}

static bool parse_port_range(const char *text, struct config_port *ret_port)
{
	const char *rest;

	if (!parse_port_number(text, &ret_port->first, &rest))
		return false;
	ret_port->last = ret_port->first;
	if (*rest != '-')
		return *rest == '\0';
	return parse_port_number(rest + 1, &ret_port->last, &rest) && *rest == '\0' &&
		ret_port->first < ret_port->last;
}

int config_parse_port(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct ini_list *list = target;
	struct config_port port = { 0, UINT16_MAX };
	struct config_port *items = list->items;

	if (strcasecmp(value, "any") != 0 && !parse_port_range(value, &port))
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is no port; write 1 to 65535, a rising range like 8000-8100, or any",
			value);
	if (list->len == CONFIG_PORTS_MAX)
		return why_fail(ret_why, -EINVAL,
			"more than %u ports and ranges; join some to ranges", CONFIG_PORTS_MAX);
	for (size_t i = 0; i < list->len; i++) {
		if (items[i].first == 0 || port.first == 0)
			return why_fail(ret_why, -EINVAL,
				"any stands alone; remove it, or the other ports");
		if (port.first <= items[i].last && items[i].first <= port.last)
			return why_fail(ret_why, -EINVAL,
				"'%.64s' was given before; remove one of the two", value);
	}
	items = ini_list_append(list, sizeof(port));
	if (!items)
		return -ENOMEM;
	*items = port;
	return 0;
}

int config_parse_prefix(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct config_virtual_server *server = target;
	uint16_t prefix4, prefix6 = 128;
	const char *rest;

	if (!parse_port_number(value, &prefix4, &rest))
		goto bad;
	rest += strspn(rest, " \t");
	if (*rest == ',') {
		rest++;
		rest += strspn(rest, " \t");
		if (!parse_port_number(rest, &prefix6, &rest))
			goto bad;
	}
	if (*rest != '\0' || prefix4 < 8 || prefix4 > 32 || prefix6 < 8 || prefix6 > 128)
		goto bad;
	server->persistence_prefix4 = prefix4;
	server->persistence_prefix6 = prefix6;
	return 0;
bad:
	return why_fail(
		ret_why, -EINVAL, "'%.64s' are no prefix lengths; write 8 to 32, 8 to 128", value);
}

int config_parse_drop(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	int idx = 0;
	int r = parse_choice(key->data, value, &idx, ret_why);

	if (r == 0)
		*(bool *)target = idx == 1;
	return r;
}

static int compare_clients(const void *key, const void *element)
{
	return addr_prefix_compare(key, &((const struct config_client *)element)->prefix);
}

/* Both lists are one, in which the longest prefix that holds an address speaks for it. */
static int parse_client(struct ini_list *list, const char *value, bool denied, struct why *ret_why)
{
	struct config_client client = { .denied = denied }, *items = list->items;
	size_t at;

	if (addr_prefix_parse(value, &client.prefix) < 0)
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is no network; write one like 192.0.2.0/24, without host bits",
			value);
	if (search_find(&client.prefix, items, list->len, sizeof(client), compare_clients, &at))
		return why_fail(ret_why, -EINVAL, "'%.64s' is in %s already; remove one", value,
			items[at].denied ? "deny-clients" : "allow-clients");
	if (list->len == CONFIG_CLIENTS_MAX)
		return why_fail(
			ret_why, -EINVAL, "more than %u networks; join some", CONFIG_CLIENTS_MAX);
	if (!ini_list_append(list, sizeof(client)))
		return -ENOMEM;
	items = list->items;
	memmove(&items[at + 1], &items[at], (list->len - 1 - at) * sizeof(client));
	items[at] = client;
	return 0;
}

int config_parse_allow_client(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	return parse_client(target, value, false, ret_why);
}

int config_parse_deny_client(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	return parse_client(target, value, true, ret_why);
}

static int parse_tcp_check(
	struct config_virtual_server *server, const char *text, struct why *ret_why)
{
	const uint16_t *known = server->check_tcp.items;
	const char *rest;
	uint16_t port, *item;

	if (!parse_port_number(text, &port, &rest) || *rest != '\0')
		return why_fail(ret_why, -EINVAL, "'tcp:%.64s' has no port; write tcp:80", text);
	if (server->check_tcp.len == CONFIG_CHECKS_MAX)
		return why_fail(ret_why, -EINVAL, "more than %u tcp checks; remove some",
			CONFIG_CHECKS_MAX);
	for (size_t i = 0; i < server->check_tcp.len; i++)
		if (known[i] == port)
			return why_fail(ret_why, -EINVAL,
				"'tcp:%u' was given before; remove one of the two", port);
	item = ini_list_append(&server->check_tcp, sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = port;
	return 0;
}

static int parse_http_check(
	struct config_virtual_server *server, const char *text, struct why *ret_why)
{
	const struct config_url *known = server->check_http.items;
	_cleanup_free_ char *copy = NULL;
	struct config_url *item;
	struct url url;
	int r;

	if (strlen(text) > CONFIG_URL_MAX)
		return why_fail(ret_why, -EINVAL, "'%.32s…' is longer than %u bytes; shorten it",
			text, CONFIG_URL_MAX);
	if (server->check_http.len == CONFIG_REQUESTS_MAX)
		return why_fail(ret_why, -EINVAL, "more than %u http checks; remove some",
			CONFIG_REQUESTS_MAX);
	for (size_t i = 0; i < server->check_http.len; i++)
		if (strcmp(known[i].text, text) == 0)
			return why_fail(ret_why, -EINVAL,
				"'%.64s' was given before; remove one of the two", text);
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	r = url_parse(copy, &url, ret_why);
	if (r < 0)
		return r;
	item = ini_list_append(&server->check_http, sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = (struct config_url){ TAKE_PTR(copy), url };
	return 0;
}

int config_parse_check(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct config_virtual_server *server = target;

	if (strcasecmp(value, "agent") == 0) {
		server->check_agent = true;
		return 0;
	}
	if (strcasecmp(value, "none") == 0) {
		server->check_none = true;
		return 0;
	}
	if (strncasecmp(value, "tcp:", 4) == 0)
		return parse_tcp_check(server, value + 4, ret_why);
	if (strcasecmp(value, "path") == 0) {
		server->check_path = true;
		return 0;
	}
	if (strncasecmp(value, "http://", 7) == 0)
		return parse_http_check(server, value, ret_why);
	return why_fail(ret_why, -EINVAL,
		"'%.64s' is no check; write agent, path, tcp:PORT, http://HOST/PATH or none",
		value);
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Pairs of digits alone. -EINVAL. */
static int parse_hex(const char *text, size_t length, uint8_t *data)
{
	if (length % 2 != 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		data[i / 2] = (uint8_t)(high * 16 + low);
	}
	return 0;
}

int config_parse_bytes(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	bool hex = strncasecmp(value, "hex:", 4) == 0;
	const char *text = hex ? value + 4 : value;
	size_t length = strlen(text), size_bytes = hex ? length / 2 : length;
	struct config_bytes *bytes = target;
	uint8_t *data;

	if (size_bytes > CONFIG_CHECK_BYTES_MAX)
		return why_fail(ret_why, -EINVAL, "has %zu bytes; write %u at most", size_bytes,
			CONFIG_CHECK_BYTES_MAX);
	data = malloc(size_bytes + 1);
	if (!data)
		return -ENOMEM;
	if (!hex) {
		memcpy(data, text, size_bytes);
	} else if (parse_hex(text, length, data) < 0) {
		free(data);
		return why_fail(ret_why, -EINVAL,
			"'%.64s' are no pairs of hex digits; write hex:00ff, or text", text);
	}
	free(bytes->data);
	*bytes = (struct config_bytes){ data, size_bytes };
	return 0;
}

int config_parse_minimum(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct config_minimum minimum = { .is_percent = strchr(value, '%') != NULL };
	const struct ini_key number_key = { .min = 1,
		.max = minimum.is_percent ? 100 : CONFIG_MINIMUM_MAX };
	_cleanup_free_ char *number = strndup(value, strcspn(value, "%"));
	int r;

	if (!number)
		return -ENOMEM;
	if (minimum.is_percent && value[strlen(number) + 1] != '\0')
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is no number of backends and no share of them; write 2, or 50%%",
			value);
	r = ini_parse_u32(&number_key, number, &minimum.number, ret_why);
	if (r == 0)
		*(struct config_minimum *)target = minimum;
	return r;
}

#define REAL_SERVER_FORM "IP [weight=N] [name=X] [mac=M] [backup] [max-connections=N]"
#define NO_WEIGHT        UINT32_MAX /* none was given */

/* One "word=value" behind the address. */
static int parse_real_server_word(
	struct config_real_server *server, const char *word, struct why *ret_why)
{
	static const struct ini_key weight_key = { .max = UINT16_MAX };
	static const struct ini_key connections_key = { .min = 1, .max = PROTO_CONNECTIONS_MAX };
	struct addr address;
	uint64_t connections;
	int r;

	if (strncasecmp(word, "weight=", 7) == 0 && server->weight == NO_WEIGHT)
		return ini_parse_u32(&weight_key, word + 7, &server->weight, ret_why);
	if (strcasecmp(word, "backup") == 0 && !server->is_backup) {
		server->is_backup = true;
		return 0;
	}
	if (strncasecmp(word, "max-connections=", 16) == 0 && server->max_connections == 0) {
		r = ini_parse_size(&connections_key, word + 16, &connections, ret_why);
		if (r == 0)
			server->max_connections = (uint32_t)connections;
		return r;
	}
	if (strncasecmp(word, "name=", 5) == 0 && !server->name) {
		if (!proto_name_is_valid(word + 5))
			return why_fail(ret_why, -EINVAL,
				"'%.64s' is no name; write 1 to %u letters, digits, '.', '-' or '_'",
				word + 5, PROTO_NAME_MAX);
		if (addr_parse(word + 5, &address) == 0)
			return why_fail(ret_why, -EINVAL,
				"'%.64s' is an address and no name; leave it out, or write another",
				word + 5);
		server->name = strdup(word + 5);
		return server->name ? 0 : -ENOMEM;
	}
	if (strncasecmp(word, "mac=", 4) == 0 && mac_is_zero(&server->mac)) {
		if (mac_parse(word + 4, &server->mac) == 0)
			return 0;
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is no MAC of a host; write mac=02:00:00:00:00:01", word + 4);
	}
	return why_fail(ret_why, -EINVAL,
		"'%.64s' is not known or given twice; write " REAL_SERVER_FORM, word);
}

static int parse_real_server_addr(const char *word, struct addr *ret_addr, struct why *ret_why)
{
	struct addr_port endpoint;

	if (addr_parse(word, ret_addr) == 0) {
		if (addr_is_unicast(ret_addr))
			return 0;
		return why_fail(ret_why, -EINVAL,
			"'%.64s' is no address of a host; write a unicast address", word);
	}
	if (addr_port_parse(word, false, &endpoint) == 0 && endpoint.port > 0)
		return why_fail(ret_why, -EINVAL,
			"'%.64s' has a port: DSR cannot translate ports; write the "
			"address alone",
			word);
	return why_fail(ret_why, -EINVAL, "'%.64s' is no address; write " REAL_SERVER_FORM, word);
}

static int parse_real_server_text(
	char *text, struct config_real_server *server, struct why *ret_why)
{
	char *rest = text, *word;
	bool first = true;

	while ((word = strsep(&rest, " \t"))) {
		int r;

		if (*word == '\0')
			continue;
		r = first ? parse_real_server_addr(word, &server->address, ret_why)
			  : parse_real_server_word(server, word, ret_why);
		if (r < 0)
			return r;
		first = false;
	}
	if (first)
		return why_fail(ret_why, -EINVAL, "has no address; write " REAL_SERVER_FORM);
	return 0;
}

int config_parse_real_server(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	_cleanup_free_ char *text = strdup(value);
	struct config_real_server server = { .weight = NO_WEIGHT };
	struct config_real_server *items;
	struct ini_list *list = target;
	char address[ADDR_STRLEN];
	int r = -ENOMEM;

	if (text && list->len < CONFIG_REAL_SERVERS_MAX)
		r = parse_real_server_text(text, &server, ret_why);
	else if (text)
		r = why_fail(ret_why, -EINVAL, "more than %u real-servers; remove some",
			CONFIG_REAL_SERVERS_MAX);
	if (r == 0 && !server.name) {
		server.name = strdup(addr_format(&server.address, address));
		r = server.name ? 0 : -ENOMEM;
	}
	if (server.weight == NO_WEIGHT)
		server.weight = 1;
	items = r == 0 ? ini_list_append(list, sizeof(server)) : NULL;
	if (!items) {
		free(server.name);
		return r < 0 ? r : -ENOMEM;
	}
	*items = server;
	return 0;
}
