/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several keys or virtual servers say together: protocol by port, the same VIP and port twice,
 * port ranges of a VIP, one real server in two places. Called by config.c, also where single values were
 * refused: their keys are then not known, and no check goes by the default that stands in their place.
 */
#include "lb/config/check.h"

#include "lb/config/model.h"
#include "lb/fwd/types.h"
#include "lb/registry/registry.h"

#define SECTION "virtual-server"

_Static_assert(CONFIG_REAL_SERVERS_MAX == REGISTRY_BACKENDS_MAX, "one limit");
_Static_assert(CONFIG_REQUESTS_MAX == REGISTRY_REQUESTS_MAX, "one limit");

/* One VIP, protocol and port range of a virtual server. */
struct binding {
	const struct addr *vip;
	enum config_protocol protocol;
	bool any; /* port = any: beside the ports of others, which win */
	struct config_port port;
	const struct config_virtual_server *server;
};

/* One real-server line. */
struct line {
	const struct config_real_server *real_server;
	const struct config_virtual_server *server;
};

static int compare_bindings(const void *a, const void *b)
{
	const struct binding *left = a, *right = b;
	int order = addr_compare(left->vip, right->vip);

	if (order == 0)
		order = (int)left->protocol - (int)right->protocol;
	if (order == 0)
		order = left->any - right->any;
	return order ? order : left->port.first - right->port.first;
}

static int compare_addresses(const void *a, const void *b)
{
	const struct line *left = a, *right = b;
	int order = addr_compare(&left->real_server->address, &right->real_server->address);

	return order ? order : strcmp(left->server->name, right->server->name);
}

static int compare_names(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	return strcmp(left->real_server->name, right->real_server->name);
}

static bool is_known(const struct ini_report *report, const struct config_virtual_server *server,
	const char *key)
{
	return !ini_report_is_unknown(report, SECTION, server->name, key);
}

/* Whether it is known what it serves beside its VIPs. */
static bool knows_ports(const struct ini_report *report, const struct config_virtual_server *server)
{
	return is_known(report, server, "port") && is_known(report, server, "protocol");
}

/* `any` becomes the empty list, and protocol follows port where it was not given. */
static void settle_ports(struct config_virtual_server *server, const struct ini_report *report)
{
	const struct config_port *ports = server->ports.items;

	if (server->ports.len > 0 && ports[0].first == 0)
		ini_list_clear(&server->ports);
	if (!ini_report_is_set(report, SECTION, server->name, "protocol"))
		server->protocol = server->ports.len == 0 ? CONFIG_ANY : CONFIG_TCP;
}

/* What is said and expected by datagrams, where there are none. */
static void check_path(const struct config_virtual_server *server, struct ini_report *report)
{
	bool datagrams =
		server->check_path && server->protocol == CONFIG_UDP && server->ports.len > 0;

	if (!knows_ports(report, server) || !is_known(report, server, "check"))
		return;
	if (!datagrams && server->check_payload.data)
		ini_report_add(report, SECTION, server->name, "check-payload",
			"is for check = path of protocol = udp with ports; remove it");
	if (!datagrams && server->check_expect.data)
		ini_report_add(report, SECTION, server->name, "check-expect",
			"is for check = path of protocol = udp with ports; remove it");
}

/* Where every port is served there is no first one to ask. */
static void check_requests(const struct config_virtual_server *server, struct ini_report *report)
{
	const struct config_url *urls = server->check_http.items;

	if (!is_known(report, server, "port"))
		return;
	for (size_t i = 0; i < server->check_http.len && server->ports.len == 0; i++)
		if (urls[i].parts.port == 0)
			ini_report_add(report, SECTION, server->name, "check",
				"%.64s needs a port where port = any; write http://%.*s:80%.64s",
				urls[i].text, (int)MIN(urls[i].parts.authority_bytes, (size_t)64),
				urls[i].parts.authority, urls[i].parts.target);
}

/* What needs a record of each flow, where there is none. */
static void check_sessionless(const struct config_virtual_server *server, struct ini_report *report)
{
	if (!server->sessionless || !is_known(report, server, "sessionless"))
		return;
	if (server->persistence_us > 0 && is_known(report, server, "persistence"))
		ini_report_add(report, SECTION, server->name, "persistence",
			"a sessionless virtual server remembers no client; write 0, or scheduler = "
			"source-hash");
	if ((server->scheduler == CONFIG_RR || server->scheduler == CONFIG_LC) &&
		is_known(report, server, "scheduler"))
		ini_report_add(report, SECTION, server->name, "sessionless",
			"scheduler %s needs a record of each flow; choose maglev or source-hash",
			config_scheduler_name(server->scheduler));
}

static void check_alone(struct config_virtual_server *server, struct ini_report *report)
{
	const struct config_real_server *real_servers = server->real_servers.items;
	const struct addr *vips = server->vips.items;
	char text[ADDR_STRLEN];

	settle_ports(server, report);
	check_sessionless(server, report);
	check_path(server, report);
	check_requests(server, report);
	if (server->check_none &&
		(server->check_agent || server->check_path || server->check_tcp.len > 0 ||
			server->check_http.len > 0))
		ini_report_add(report, SECTION, server->name, "check",
			"none stands beside other checks; remove it, or them");
	for (size_t i = 0; i < server->real_servers.len; i++)
		for (size_t k = 0; k < server->vips.len; k++)
			if (addr_equal(&real_servers[i].address, &vips[k]))
				ini_report_add(report, SECTION, server->name, "real-server",
					"%s is the VIP; write the real server's own address",
					addr_format(&vips[k], text));
}

/* `any` are all that there are. */
static size_t protocols_of(const struct config_virtual_server *server)
{
	return server->protocol == CONFIG_ANY ? CONFIG_ANY : 1;
}

static size_t count_bindings(const struct config_virtual_server *server)
{
	return server->vips.len * MAX(server->ports.len, (size_t)1) * protocols_of(server);
}

static size_t add_bindings(const struct config_virtual_server *server, struct binding *bindings)
{
	const struct config_port *ports = server->ports.items;
	const struct addr *vips = server->vips.items;
	size_t len = 0;

	for (size_t i = 0; i < server->vips.len; i++)
		for (enum config_protocol protocol = CONFIG_TCP; protocol < CONFIG_ANY; protocol++)
			for (size_t k = 0; k < MAX(server->ports.len, (size_t)1); k++) {
				if (!config_serves(server, protocol))
					continue;
				bindings[len] = (struct binding){ .vip = &vips[i],
					.protocol = protocol,
					.any = server->ports.len == 0,
					.port = { 0, UINT16_MAX },
					.server = server };
				if (server->ports.len > 0)
					bindings[len].port = ports[k];
				len++;
			}
	return len;
}

/* Sorted by VIP, protocol and first port: who overlaps stands behind the one that reaches farthest. */
static void check_overlaps(const struct binding *bindings, size_t len, struct ini_report *report)
{
	const struct binding *farthest = NULL;
	char text[ADDR_STRLEN];

	for (const struct binding *binding = bindings; binding < bindings + len; binding++) {
		bool same = farthest && addr_equal(farthest->vip, binding->vip) &&
			farthest->protocol == binding->protocol && farthest->any == binding->any;

		if (same && binding->port.first <= farthest->port.last &&
			binding->server != farthest->server) {
			char port[sizeof("65535")] = "any";

			if (!binding->any)
				snprintf(port, sizeof(port), "%u", binding->port.first);
			ini_report_add(report, SECTION, binding->server->name,
				binding->any ? "vip" : "port",
				"%s %s port %s is served by virtual server %s already; remove it "
				"from one of the two",
				addr_format(binding->vip, text),
				config_protocol_name(binding->protocol), port,
				farthest->server->name);
		}
		if (!same || binding->port.last > farthest->port.last)
			farthest = binding;
	}
}

static void check_ranges(const struct binding *bindings, size_t len, struct ini_report *report)
{
	size_t ranges = 0;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && !addr_equal(bindings[i].vip, bindings[i - 1].vip))
			ranges = 0;
		if (bindings[i].any || bindings[i].port.first == bindings[i].port.last)
			continue;
		if (++ranges == FWD_RANGES_MAX + 1)
			ini_report_add(report, SECTION, bindings[i].server->name, "port",
				"VIP %s has more than %u port ranges (protocol any counts three times); "
				"join some",
				addr_format(bindings[i].vip, text), FWD_RANGES_MAX);
	}
}

/* Of each VIP, protocol and port that stands alone there is a binding. */
static void check_doors(const struct config *config, struct ini_report *report)
{
	size_t n_doors = 0;

	for (size_t i = 0; i < config->n_virtual_servers; i++) {
		const struct config_virtual_server *server = config->virtual_servers[i];
		const struct config_port *ports = server->ports.items;
		size_t n_exact = 0, before = n_doors;

		ARRAY_FOREACH (port, ports, server->ports.len)
			n_exact += port->first == port->last;
		n_doors += n_exact * server->vips.len * protocols_of(server);
		if (before <= FWD_DOORS_MAX && n_doors > FWD_DOORS_MAX)
			ini_report_add(report, SECTION, server->name, "port",
				"more than %u VIPs and ports together (protocol any counts three "
				"times); join ports to ranges, or remove some",
				FWD_DOORS_MAX);
	}
}

static int check_bindings(const struct config *config, struct ini_report *report)
{
	_cleanup_free_ struct binding *bindings = NULL;
	size_t n_services = 0, room = 1, len = 0;

	for (size_t i = 0; i < config->n_virtual_servers; i++) {
		room += count_bindings(config->virtual_servers[i]);
		n_services += config->virtual_servers[i]->vips.len;
	}
	if (n_services > FWD_SERVICES_MAX)
		ini_report_add(report, "balancer", NULL, "interface",
			"the virtual servers have %zu VIPs together; %u are the most", n_services,
			FWD_SERVICES_MAX);
	bindings = calloc(room, sizeof(*bindings));
	if (!bindings)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_virtual_servers; i++)
		if (knows_ports(report, config->virtual_servers[i]))
			len += add_bindings(config->virtual_servers[i], bindings + len);
	qsort(bindings, len, sizeof(*bindings), compare_bindings);
	check_overlaps(bindings, len, report);
	check_ranges(bindings, len, report);
	check_doors(config, report);
	return 0;
}

static bool is_named(const struct config_real_server *real_server)
{
	char text[ADDR_STRLEN];

	return !streq(real_server->name, addr_format(&real_server->address, text));
}

/* What lines of one address have said so far; NULL: nothing. */
struct agreement {
	const struct line *last, *named, *with_mac;
};

static void say_contradiction(const struct line *line, const struct line *other, const char *what,
	struct ini_report *report)
{
	char text[ADDR_STRLEN];

	ini_report_add(report, SECTION, line->server->name, "real-server",
		"%s has another %s in virtual server %s; a backend is one thing in all of them, "
		"write the same",
		addr_format(&line->real_server->address, text), what, other->server->name);
}

/* Lines of one address are one backend: name and MAC agree; weight, backup and ceiling are of each alone. */
static void check_agreement(
	struct agreement *agreement, const struct line *line, struct ini_report *report)
{
	const struct config_real_server *real_server = line->real_server;
	const struct line *named = agreement->named, *with_mac = agreement->with_mac;
	char text[ADDR_STRLEN];

	if (agreement->last && agreement->last->server == line->server)
		ini_report_add(report, SECTION, line->server->name, "real-server",
			"%s was given before; remove one of the two",
			addr_format(&real_server->address, text));
	else if (named && is_named(real_server) &&
		!streq(named->real_server->name, real_server->name))
		say_contradiction(line, named, "name", report);
	else if (with_mac && !mac_is_zero(&real_server->mac) &&
		!mac_equal(&with_mac->real_server->mac, &real_server->mac))
		say_contradiction(line, with_mac, "MAC", report);
	agreement->last = line;
	if (!named && is_named(real_server))
		agreement->named = line;
	if (!with_mac && !mac_is_zero(&real_server->mac))
		agreement->with_mac = line;
}

/* Of a host without an agent nothing but the flow table tells how many connections it has. */
static void check_ceilings(const struct config_virtual_server *server, struct ini_report *report)
{
	const struct config_real_server *items = server->real_servers.items;
	char text[ADDR_STRLEN];

	if (server->scheduler == CONFIG_RR || server->scheduler == CONFIG_LC ||
		server->persistence_us > 0 || !is_known(report, server, "scheduler") ||
		!is_known(report, server, "persistence"))
		return;
	for (size_t i = 0; i < server->real_servers.len; i++)
		if (items[i].max_connections > 0)
			ini_report_add(report, SECTION, server->name, "real-server",
				"%s has max-connections, and its connections are not known here; use "
				"scheduler = lc or rr, or persistence, or an agent",
				addr_format(&items[i].address, text));
}

static int check_real_servers(const struct config *config, struct ini_report *report)
{
	_cleanup_free_ struct line *lines = NULL;
	size_t room = 1, len = 0, n_backends = 0;
	struct agreement agreement = { 0 };

	for (size_t i = 0; i < config->n_virtual_servers; i++)
		room += config->virtual_servers[i]->real_servers.len;
	lines = calloc(room, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_virtual_servers; i++) {
		const struct config_virtual_server *server = config->virtual_servers[i];
		const struct config_real_server *items = server->real_servers.items;

		check_ceilings(server, report);
		for (size_t k = 0; k < server->real_servers.len; k++)
			lines[len++] = (struct line){ &items[k], server };
	}
	qsort(lines, len, sizeof(*lines), compare_addresses);
	for (size_t i = 0; i < len; i++) {
		bool is_new = i == 0 ||
			!addr_equal(
				&lines[i - 1].real_server->address, &lines[i].real_server->address);

		if (is_new)
			agreement = (struct agreement){ 0 };
		check_agreement(&agreement, &lines[i], report);
		if (is_new && ++n_backends == REGISTRY_BACKENDS_MAX + 1)
			ini_report_add(report, SECTION, lines[i].server->name, "real-server",
				"more than %u real servers together; remove some",
				REGISTRY_BACKENDS_MAX);
	}
	qsort(lines, len, sizeof(*lines), compare_names);
	for (size_t i = 1; i < len; i++)
		if (streq(lines[i - 1].real_server->name, lines[i].real_server->name) &&
			!addr_equal(
				&lines[i - 1].real_server->address, &lines[i].real_server->address))
			ini_report_add(report, SECTION, lines[i].server->name, "real-server",
				"name %s belongs to two addresses; give each its own",
				lines[i].real_server->name);
	return 0;
}

static void check_clients(const struct config *config, struct ini_report *report)
{
	size_t len = 0;

	for (size_t i = 0; i < config->n_virtual_servers; i++) {
		const struct config_virtual_server *server = config->virtual_servers[i];
		bool fit = len <= CONFIG_CLIENTS_MAX;
		const char *key = ini_report_is_set(report, SECTION, server->name, "deny-clients")
			? "deny-clients"
			: "allow-clients";

		len += server->clients.len;
		if (fit && len > CONFIG_CLIENTS_MAX)
			ini_report_add(report, SECTION, server->name, key,
				"the virtual servers up to this one have %zu networks of clients "
				"together; %u are the most, join some",
				len, CONFIG_CLIENTS_MAX);
	}
}

int config_check(struct config *config, struct ini_report *report)
{
	int r;

	for (size_t i = 0; i < config->n_virtual_servers; i++)
		check_alone(config->virtual_servers[i], report);
	check_clients(config, report);
	r = check_bindings(config, report);
	if (r == 0)
		r = check_real_servers(config, report);
	if (r == 0 && config->n_virtual_servers == 0 && ini_report_len(report) == 0)
		ini_report_warn(report, "balancer", NULL, "interface",
			"there is no virtual server; add [virtual-server NAME]");
	return r;
}
