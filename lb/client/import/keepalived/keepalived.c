/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual servers, their groups and their real servers, out of the tree of a keepalived.conf. See keepalived.h. */
#include "lb/client/import/keepalived/keepalived.h"

#include <strings.h>

#include "lb/client/import/ipvs.h"
#include "lb/client/import/keepalived/keepalived_check.h"

#define PERSISTENCE_S    360u /* keepalived.conf(5): six minutes */
#define RANGE_MAX        1024u
#define GROUP_PLACES_MAX 4096u

/* A virtual server that is being read: one statement may become several of ours, one for each port. */
struct service {
	struct farm *farm;
	struct farm_server *server;
	const char *method; /* of real servers that say none: keepalived's default is NAT */
	const struct keepalived_node *method_node; /* that says so; NULL: none */
	const char *sorry_method;
	struct ipvs_scheduling scheduling;
	struct keepalived_checking checking;
	uint64_t quorum;
	const struct keepalived_node *quorum_node, *granularity;
	bool inhibit;
};

struct reader {
	struct farm *farm;
	const struct keepalived_node *root;
	uint64_t timeouts_s[3]; /* tcp, tcpfin, udp; 0: not said */
	size_t n_places;
};

/* ---- real servers ---- */

/* Whether a MAC rewrite serves it; false with a note there, and where the method was said. */
static bool take_method(
	struct service *service, const struct keepalived_node *node, const char *method)
{
	bool nat = strcasecmp(method, "NAT") == 0;

	if (strcasecmp(method, "DR") == 0)
		return true;
	service->server->refused = true;
	keepalived_note(service->farm, node, "by %.32s%s: %s", method,
		nat && !service->method_node ? ", keepalived's default" : "",
		nat ? "nothing is translated here"
		    : "it must be on the balancer's segment here, packets are not wrapped");
	if (service->method_node && method == service->method)
		keepalived_note(service->farm, service->method_node,
			"real servers are reached by their MACs here (DR), and in no other way");
	return false;
}

/* "IP [PORT]" behind the first word: whether it can be served. */
static bool take_address(
	struct service *service, const struct keepalived_node *node, struct addr *ret_address)
{
	uint64_t port = 0;

	if (addr_parse(keepalived_argument(node), ret_address) < 0) {
		keepalived_note(service->farm, node, "that is no address");
		service->server->refused = true;
		return false;
	}
	if (node->n_words > 2 && !text_number(node->words[2], UINT16_MAX, &port)) {
		keepalived_note(service->farm, node, "that is no port");
		service->server->refused = true;
		return false;
	}
	if (port == 0 || port == service->server->port)
		return true;
	keepalived_note(service->farm, node,
		"its port is not the virtual server's; no port is translated here");
	service->server->refused = true;
	return false;
}

/* Statements of a real server that we can say, or that need no word; false: all others. */
static bool take_real_server_word(struct service *service, const struct keepalived_node *node,
	struct farm_real_server *real_server, struct keepalived_checking *checking)
{
	const char *word = node->words[0], *value = keepalived_argument(node);

	if (streq(word, "weight")) {
		if (!text_number(value, INT32_MAX, &real_server->weight))
			keepalived_note(service->farm, node, "that is no weight");
		return true;
	}
	if (streq(word, "uthreshold")) {
		if (!text_number(value, UINT32_MAX, &real_server->max_connections))
			keepalived_note(service->farm, node, "that is no number of connections");
		return true;
	}
	return keepalived_checking_set(service->farm, node, checking) ||
		streq(word, "lvs_method") || streq(word, "lb_kind") || streq(word, "snmp_name") ||
		streq(word, "inhibit_on_failure");
}

static void tell_word(struct farm *farm, const struct keepalived_node *node)
{
	static const struct {
		const char *word, *why;
	} words[] = {
		{ "lthreshold", "it gets new flows as soon as it is below max-connections" },
		{ "notify_up", "no script is run; follow dsr-lb events" },
		{ "notify_down", "no script is run; follow dsr-lb events" },
		{ "quorum_up", "no script is run; follow dsr-lb events" },
		{ "quorum_down", "no script is run; follow dsr-lb events" },
		{ "smtp_alert", "no mail is sent; follow dsr-lb events" },
		{ "ha_suspend", "checks go on everywhere; see active-when in dsr-lb.conf(5)" },
		{ "hysteresis", "minimum is one number, for better and for worse" },
		{ "sorry_server_inhibit", "what fails is out, and its connections move" },
		{ "persistence_engine", "clients are known by their addresses here" },
		{ "flag-3", "a flag of a scheduler that is not known here" },
	};

	ARRAY_FOREACH (each, words, ARRAY_LEN(words))
		if (streq(each->word, node->words[0])) {
			if (!streq(each->word, "smtp_alert") || keepalived_is_on(node))
				keepalived_note(farm, node, "%s", each->why);
			return;
		}
	keepalived_note(farm, node, "not known here");
}

static void tell_inhibit(struct farm *farm, const struct keepalived_node *node)
{
	keepalived_note(farm, node,
		"connections of a server that fails move to others here, where they end; none is "
		"kept for its return");
}

static void read_real_server(struct service *service, const struct keepalived_node *block)
{
	struct keepalived_checking checking = service->checking;
	const char *method = service->method;
	struct farm_real_server *real_server;
	struct addr address;

	for (size_t i = 0; i < block->n_children; i++)
		if (streq(block->children[i]->words[0], "lvs_method") ||
			streq(block->children[i]->words[0], "lb_kind"))
			method = keepalived_argument(block->children[i]);
	if (!take_method(service, block, method) || !take_address(service, block, &address))
		return;
	real_server =
		farm_real_server_add(service->farm, service->server, &address, block->place.line);
	if (!real_server)
		return;
	for (size_t i = 0; i < block->n_children; i++) {
		const struct keepalived_node *node = block->children[i];

		if (streq(node->words[0], "inhibit_on_failure") && keepalived_is_on(node) &&
			!service->inhibit)
			tell_inhibit(service->farm, node);
		if (take_real_server_word(service, node, real_server, &checking))
			continue;
		if (!node->is_block && !keepalived_is_checker(node))
			tell_word(service->farm, node);
	}
	/* Checkers last: what the real server says of checks is in force for all of them. */
	for (size_t i = 0; i < block->n_children; i++) {
		const struct keepalived_node *node = block->children[i];

		if (keepalived_is_checker(node))
			keepalived_check(service->farm, service->server, &address, node, checking);
		else if (node->is_block)
			tell_word(service->farm, node);
	}
}

static void read_sorry_server(struct service *service, const struct keepalived_node *node)
{
	struct farm_real_server *real_server;
	struct addr address;

	if (!take_method(service, node,
		    service->sorry_method ? service->sorry_method : service->method) ||
		!take_address(service, node, &address))
		return;
	real_server =
		farm_real_server_add(service->farm, service->server, &address, node->place.line);
	if (real_server)
		real_server->backup = true;
}

/* ---- virtual servers ---- */

static bool take_scheduling(struct service *service, const struct keepalived_node *node)
{
	const char *word = node->words[0];

	if (streq(word, "lvs_sched") || streq(word, "lb_algo")) {
		service->scheduling.name = keepalived_argument(node);
		service->scheduling.line = node->place.line;
		return true;
	}
	if (streq(word, "ops"))
		service->scheduling.each_packet = true;
	else if (streq(word, "sh-port") || streq(word, "mh-port") || streq(word, "flag-2"))
		service->scheduling.with_port = true;
	else
		return streq(word, "sh-fallback") || streq(word, "mh-fallback") ||
			streq(word, "flag-1") || streq(word, "hashed");
	return true;
}

static bool take_persistence(struct service *service, const struct keepalived_node *node)
{
	const char *word = node->words[0], *value = keepalived_argument(node);

	if (streq(word, "persistence_granularity")) {
		service->granularity = node;
		return true;
	}
	if (!streq(word, "persistence_timeout"))
		return false;
	service->server->persistence_s = PERSISTENCE_S;
	if (node->n_words > 1 && !text_number(value, UINT32_MAX, &service->server->persistence_s))
		keepalived_note(service->farm, node, "that is no number of seconds");
	return true;
}

static void set_protocol(struct service *service, const struct keepalived_node *node)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (strcasecmp(protocols[i], keepalived_argument(node)) == 0) {
			service->server->protocol = protocols[i];
			return;
		}
	keepalived_note(service->farm, node, "no such protocol");
}

static void take_word(struct service *service, const struct keepalived_node *node)
{
	const char *word = node->words[0];

	if (streq(word, "real_server") || streq(word, "sorry_server") || streq(word, "alpha") ||
		streq(word, "omega") || streq(word, "ip_family") || streq(word, "snmp_name") ||
		take_scheduling(service, node) || take_persistence(service, node) ||
		keepalived_checking_set(service->farm, node, &service->checking))
		return;
	if (streq(word, "lvs_method") || streq(word, "lb_kind")) {
		service->method = keepalived_argument(node);
		service->method_node = node;
	} else if (streq(word, "sorry_server_lvs_method")) {
		service->sorry_method = keepalived_argument(node);
	} else if (streq(word, "protocol")) {
		set_protocol(service, node);
	} else if (streq(word, "quorum")) {
		service->quorum_node = node;
		if (!text_number(keepalived_argument(node), UINT32_MAX, &service->quorum))
			keepalived_note(service->farm, node, "that is no number");
	} else if (streq(word, "inhibit_on_failure")) {
		service->inhibit = keepalived_is_on(node);
		if (service->inhibit)
			tell_inhibit(service->farm, node);
	} else {
		tell_word(service->farm, node);
	}
}

/* keepalived counts weights, and we backends: the same where all weights are. */
static void settle_quorum(struct service *service)
{
	const struct farm_server *server = service->server;
	uint64_t weight = 0;

	if (service->quorum <= 1)
		return;
	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers) {
		if (each->backup || each->weight == weight)
			continue;
		if (weight > 0 || each->weight == 0) {
			keepalived_note(service->farm, service->quorum_node,
				"counts weights, and these differ; minimum counts real servers");
			return;
		}
		weight = each->weight;
	}
	if (weight > 0)
		service->server->minimum = (unsigned int)MIN(
			(service->quorum + weight - 1) / weight, (uint64_t)UINT32_MAX);
}

/* One virtual server of ours, at VIPs and a port that are set, from the statement. */
static void read_service(
	struct reader *reader, const struct keepalived_node *block, struct farm_server *server)
{
	struct service service = {
		.farm = reader->farm,
		.server = server,
		.method = "NAT",
		.scheduling = { .name = "wlc", .line = block->place.line },
		.checking = KEEPALIVED_CHECKING_UNSAID,
	};

	server->last_line = block->last_line;
	server->tcp_timeout_s = reader->timeouts_s[0];
	server->fin_timeout_s = reader->timeouts_s[1];
	server->udp_timeout_s = reader->timeouts_s[2];
	for (size_t i = 0; i < block->n_children; i++)
		take_word(&service, block->children[i]);
	if (service.granularity)
		ipvs_granularity(reader->farm, server, keepalived_argument(service.granularity),
			service.granularity->place.line);
	for (size_t i = 0; i < block->n_children; i++)
		if (streq(block->children[i]->words[0], "real_server"))
			read_real_server(&service, block->children[i]);
	for (size_t i = 0; i < block->n_children; i++)
		if (streq(block->children[i]->words[0], "sorry_server"))
			read_sorry_server(&service, block->children[i]);
	ipvs_schedule(reader->farm, server, &service.scheduling);
	settle_quorum(&service);
	keepalived_checking_apply(reader->farm, server, block, &service.checking);
}

/* ---- groups ---- */

/* The last address of a range "192.0.2.1-10", "192.0.2.1-192.0.2.10" or "192.0.2.0/29"; `text` is cut to the first. */
static bool parse_range(char *text, struct addr *ret_first, struct addr *ret_last)
{
	char *mark = strpbrk(text, "-/");
	size_t last_byte;
	uint64_t number;
	bool prefix = mark && *mark == '/';

	if (mark)
		*mark++ = '\0';
	if (addr_parse(text, ret_first) < 0)
		return false;
	*ret_last = *ret_first;
	if (!mark || (!prefix && addr_parse(mark, ret_last) == 0))
		return ret_last->family == ret_first->family;
	last_byte = addr_size_bytes(ret_first) - 1;
	if (prefix) {
		if (!text_number(mark, 8 * (last_byte + 1), &number))
			return false;
		for (size_t bit = number; bit < 8 * (last_byte + 1); bit++)
			ret_last->bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		return true;
	}
	if (ret_first->family != AF_INET) {
		char *end;

		number = strtoul(mark, &end, 16);
		if (end == mark || *end || number > UINT16_MAX)
			return false;
		ret_last->bytes[last_byte - 1] = (uint8_t)(number >> 8);
	} else if (!text_number(mark, UINT8_MAX, &number)) {
		return false;
	}
	ret_last->bytes[last_byte] = (uint8_t)number;
	return true;
}

static void next_address(struct addr *address)
{
	for (size_t i = addr_size_bytes(address); i-- > 0;)
		if (++address->bytes[i] != 0)
			return;
}

/* The virtual server of a group's port: of those that this statement has begun. */
static struct farm_server *server_of_port(
	struct reader *reader, size_t first, const struct keepalived_node *block, uint16_t port)
{
	struct farm_server *server;

	for (size_t i = first; i < reader->farm->n_servers; i++)
		if (reader->farm->servers[i]->port == port &&
			reader->farm->servers[i]->n_vips < CONFIG_VIPS_MAX)
			return reader->farm->servers[i];
	server = farm_server_add(reader->farm, block->place.line);
	if (server)
		server->port = port;
	return server;
}

static void add_places(struct reader *reader, size_t first, const struct keepalived_node *block,
	const struct keepalived_node *node)
{
	struct addr address, last;
	uint64_t port = 0;
	size_t count = 0;

	if (streq(node->words[0], "fwmark")) {
		keepalived_note(reader->farm, node,
			"a firewall mark: here packets are told apart by VIP, protocol and port");
		return;
	}
	if (!parse_range(node->words[0], &address, &last) ||
		(node->n_words > 1 && !text_number(node->words[1], UINT16_MAX, &port))) {
		keepalived_note(reader->farm, node, "no address or range with a port");
		return;
	}
	for (;; next_address(&address)) {
		struct farm_server *server;

		if (++count > RANGE_MAX || ++reader->n_places > GROUP_PLACES_MAX) {
			keepalived_note(reader->farm, node, "more addresses than are read");
			return;
		}
		server = server_of_port(reader, first, block, (uint16_t)port);
		if (!server)
			return;
		farm_vip_add(reader->farm, server, &address);
		if (addr_equal(&address, &last))
			return;
	}
}

static void read_group(struct reader *reader, const struct keepalived_node *block)
{
	const char *name = block->n_words > 2 ? block->words[2] : "";
	const struct keepalived_node *group = NULL;
	size_t first = reader->farm->n_servers, n;

	for (size_t i = 0; i < reader->root->n_children; i++)
		if (streq(reader->root->children[i]->words[0], "virtual_server_group") &&
			streq(keepalived_argument(reader->root->children[i]), name))
			group = reader->root->children[i];
	if (!group) {
		keepalived_note(reader->farm, block, "there is no virtual_server_group %s", name);
		return;
	}
	for (size_t i = 0; i < group->n_children; i++)
		add_places(reader, first, block, group->children[i]);
	n = reader->farm->n_servers - first;
	for (size_t i = first; i < first + n; i++) {
		farm_name(name, reader->farm->servers[i]->name);
		read_service(reader, block, reader->farm->servers[i]);
	}
}

static void read_virtual_server(struct reader *reader, const struct keepalived_node *block)
{
	const char *first = keepalived_argument(block);
	struct farm_server *server;
	struct addr address;
	uint64_t port = 0;

	if (streq(first, "group")) {
		read_group(reader, block);
		return;
	}
	if (streq(first, "fwmark")) {
		keepalived_note(reader->farm, block,
			"a firewall mark: here packets are told apart by VIP, protocol and port");
		return;
	}
	if (addr_parse(first, &address) < 0 ||
		(block->n_words > 2 && !text_number(block->words[2], UINT16_MAX, &port))) {
		keepalived_note(reader->farm, block, "no address with a port");
		return;
	}
	server = farm_server_add(reader->farm, block->place.line);
	if (!server)
		return;
	server->port = (uint16_t)port;
	farm_vip_add(reader->farm, server, &address);
	read_service(reader, block, server);
}

/* ---- the file ---- */

static void read_global(struct reader *reader, const struct keepalived_node *node)
{
	/* Of keepalived's own process: nothing of them is about the traffic. */
	static const char *const quiet[] = { "router_id", "script_user", "enable_script_security",
		"lvs_flush", "lvs_flush_onstop", "process_names", "checker_priority",
		"checker_no_swap", "use_pid_dir", "max_auto_priority", "dynamic_interfaces",
		"vrrp_priority", "vrrp_no_swap", "log_unknown_vrids", "nftables", "vrrp_version",
		"vrrp_strict", "vrrp_skip_check_adv_addr", "vrrp_garp_interval",
		"vrrp_gna_interval", "vrrp_garp_master_delay", "vrrp_garp_master_repeat" };
	static const char *const timeouts[] = { "tcp", "tcpfin", "udp" };

	for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
		if (streq(quiet[i], node->words[0]))
			return;
	if (!streq(node->words[0], "lvs_timeouts")) {
		keepalived_note(reader->farm, node, "a setting of keepalived itself");
		return;
	}
	for (size_t word = 1; word + 1 < node->n_words; word += 2)
		for (size_t i = 0; i < ARRAY_LEN(timeouts); i++)
			if (streq(node->words[word], timeouts[i]) &&
				!text_number(
					node->words[word + 1], UINT32_MAX, &reader->timeouts_s[i]))
				keepalived_note(reader->farm, node, "that is no number of seconds");
}

/* Whether the word is one of keepalived's at the top level. */
static bool read_other(struct reader *reader, const struct keepalived_node *node)
{
	static const struct {
		const char *word, *why;
	} others[] = {
		{ "vrrp_instance",
			"VRRP stays with keepalived; see active-when in dsr-lb.conf(5)" },
		{ "vrrp_sync_group",
			"VRRP stays with keepalived; see active-when in dsr-lb.conf(5)" },
		{ "vrrp_script", "VRRP stays with keepalived; dsr-lb ready is such a script" },
		{ "vrrp_track_process", "VRRP stays with keepalived" },
		{ "vrrp_track_file", "VRRP stays with keepalived" },
		{ "track_process", "VRRP stays with keepalived" },
		{ "track_file", "VRRP stays with keepalived" },
		{ "bfd_instance", "BFD stays with keepalived" },
		{ "static_ipaddress",
			"addresses stay with keepalived, or with the host's network" },
		{ "static_routes", "routes stay with keepalived, or with the host's network" },
		{ "static_rules", "rules stay with keepalived, or with the host's network" },
		{ "static_track_group", "VRRP stays with keepalived" },
		{ "interface_up_down_delays", "a setting of keepalived itself" },
		{ "linkbeat_interfaces", "a setting of keepalived itself" },
		{ "linkbeat_use_polling", "a setting of keepalived itself" },
		{ "garp_group", "see announce-refresh in dsr-lb.conf(5)" },
		{ "SSL", "TLS is not asked; path asks for a connection" },
		{ "net_namespace", "start dsr-lb in that namespace" },
		{ "namespace_with_ipsets", "a setting of keepalived itself" },
		{ "instance", "a setting of keepalived itself" },
		{ "use_pid_dir", "a setting of keepalived itself" },
		{ "child_wait_time", "a setting of keepalived itself" },
		{ "include_check", "a setting of keepalived itself" },
		{ "config_save_dir", "a setting of keepalived itself" },
		{ "global_tracking", "a setting of keepalived itself" },
	};

	ARRAY_FOREACH (each, others, ARRAY_LEN(others))
		if (streq(each->word, node->words[0])) {
			keepalived_note(reader->farm, node, "%s", each->why);
			return true;
		}
	return false;
}

/* Global settings first: virtual servers stand under them wherever they are. */
static bool read_globals(struct reader *reader)
{
	bool known = false;

	for (size_t i = 0; i < reader->root->n_children; i++) {
		const struct keepalived_node *node = reader->root->children[i];

		if (!streq(node->words[0], "global_defs"))
			continue;
		known = true;
		for (size_t k = 0; k < node->n_children; k++)
			read_global(reader, node->children[k]);
	}
	return known;
}

int keepalived_read(const char *data, size_t size_bytes, const struct keepalived_outside *outside,
	struct farm *farm, struct why *ret_why)
{
	_cleanup_(keepalived_node_freep) struct keepalived_node *root = NULL;
	struct reader reader = { .farm = farm };
	const struct keepalived_node *unknown = NULL;
	bool known;
	int r = keepalived_tree(data, size_bytes, outside, farm, &root, ret_why);

	if (r < 0)
		return r;
	reader.root = root;
	known = read_globals(&reader);
	for (size_t i = 0; i < root->n_children; i++) {
		const struct keepalived_node *node = root->children[i];
		const char *word = node->words[0];

		if (streq(word, "virtual_server"))
			read_virtual_server(&reader, node);
		if (streq(word, "virtual_server") || streq(word, "virtual_server_group") ||
			streq(word, "global_defs") || read_other(&reader, node)) {
			known = true;
			continue;
		}
		keepalived_note(farm, node, "not known here");
		unknown = unknown ? unknown : node;
	}
	if (unknown && !known)
		return why_fail(ret_why, -EINVAL,
			"line %u: '%.64s' is no word of a keepalived.conf, and there is no other",
			unknown->place.line, unknown->words[0]);
	return farm->failed ? -ENOMEM : 0;
}
