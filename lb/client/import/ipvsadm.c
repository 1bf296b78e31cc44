/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of ipvsadm(8), one a line, as `ipvsadm -S` prints them: -A adds a virtual service, -a a real server to
 * one. See ipvsadm.h.
 */
#include "lb/client/import/ipvsadm.h"

#include "lb/client/import/ipvs.h"

enum option_id {
	ADD_SERVICE,
	ADD_SERVER,
	EDIT_SERVICE,
	EDIT_SERVER,
	SET_TIMEOUTS,
	CLEAR,
	OTHER_COMMAND,
	TCP,
	UDP,
	SCTP,
	MARK,
	SCHEDULER,
	PERSISTENT,
	NETMASK,
	ENGINE,
	FLAGS,
	EACH_PACKET,
	REAL_SERVER,
	GATEWAYING,
	TUNNEL,
	MASQUERADING,
	WEIGHT,
	UPPER,
	LOWER,
	IGNORED,
};

enum option_value { NO_VALUE, VALUE, NUMBER_OR_NOTHING, THREE_VALUES };

struct option {
	char letter; /* 0: none */
	const char *name;
	enum option_id id;
	enum option_value value;
};

static const struct option options[] = {
	{ 'A', "add-service", ADD_SERVICE, NO_VALUE },
	{ 'a', "add-server", ADD_SERVER, NO_VALUE },
	{ 'E', "edit-service", EDIT_SERVICE, NO_VALUE },
	{ 'e', "edit-server", EDIT_SERVER, NO_VALUE },
	{ 0, "set", SET_TIMEOUTS, THREE_VALUES },
	{ 'C', "clear", CLEAR, NO_VALUE },
	{ 'D', "delete-service", OTHER_COMMAND, NO_VALUE },
	{ 'd', "delete-server", OTHER_COMMAND, NO_VALUE },
	{ 0, "start-daemon", OTHER_COMMAND, VALUE },
	{ 0, "stop-daemon", OTHER_COMMAND, VALUE },
	{ 'Z', "zero", CLEAR, NO_VALUE },
	{ 't', "tcp-service", TCP, VALUE },
	{ 'u', "udp-service", UDP, VALUE },
	{ 0, "sctp-service", SCTP, VALUE },
	{ 'f', "fwmark-service", MARK, VALUE },
	{ 's', "scheduler", SCHEDULER, VALUE },
	{ 'p', "persistent", PERSISTENT, NUMBER_OR_NOTHING },
	{ 'M', "netmask", NETMASK, VALUE },
	{ 0, "pe", ENGINE, VALUE },
	{ 'b', "sched-flags", FLAGS, VALUE },
	{ 'o', "ops", EACH_PACKET, NO_VALUE },
	{ 'r', "real-server", REAL_SERVER, VALUE },
	{ 'g', "gatewaying", GATEWAYING, NO_VALUE },
	{ 'i', "ipip", TUNNEL, NO_VALUE },
	{ 'm', "masquerading", MASQUERADING, NO_VALUE },
	{ 'w', "weight", WEIGHT, VALUE },
	{ 'x', "u-threshold", UPPER, VALUE },
	{ 'y', "l-threshold", LOWER, VALUE },
	{ 0, "tun-type", IGNORED, VALUE },
	{ 0, "tun-port", IGNORED, VALUE },
	{ 0, "tun-nocsum", IGNORED, NO_VALUE },
	{ 0, "tun-csum", IGNORED, NO_VALUE },
	{ 0, "tun-remcsum", IGNORED, NO_VALUE },
	{ 0, "mcast-interface", IGNORED, VALUE },
	{ 0, "syncid", IGNORED, VALUE },
	{ '6', "ipv6", IGNORED, NO_VALUE },
	{ 'n', "numeric", IGNORED, NO_VALUE },
	{ 0, "exact", IGNORED, NO_VALUE },
};

/* One line, as it stands there. */
struct command {
	enum option_id id;
	bool has_id;
	const char *protocol; /* NULL: fwmark, or none */
	const char *service, *mark, *real_server, *scheduler, *netmask, *engine, *flags;
	bool persistent, each_packet;
	uint64_t persistence_s;
	enum option_id method;
	bool has_weight;
	uint64_t weight, upper, lower;
	uint64_t timeouts_s[3];
};

struct reader {
	struct farm *farm;
	const struct import_names *names;
	unsigned int line;
	uint64_t timeouts_s[3];   /* tcp, tcpfin, udp; 0: not said */
	struct farm_server *last; /* which its real servers mostly follow */
};

static const struct option *find_option(const char *word, const char **ret_attached)
{
	*ret_attached = NULL;
	if (word[0] != '-' || word[1] == '\0')
		return NULL;
	ARRAY_FOREACH (option, options, ARRAY_LEN(options)) {
		size_t size_bytes = strlen(option->name);

		if (word[1] == '-' && strncmp(word + 2, option->name, size_bytes) == 0 &&
			(word[2 + size_bytes] == '\0' || word[2 + size_bytes] == '=')) {
			if (word[2 + size_bytes] == '=')
				*ret_attached = word + 3 + size_bytes;
			return option;
		}
		if (word[1] == option->letter && option->letter) {
			if (word[2] != '\0')
				*ret_attached = word + 2;
			return option;
		}
	}
	return NULL;
}

static bool set_number(const char *value, uint64_t max, uint64_t *ret_number, struct why *ret_why)
{
	if (text_number(value, max, ret_number))
		return true;
	why_set(ret_why, "'%.64s' is no number up to %llu", value, (unsigned long long)max);
	return false;
}

static bool set_value(struct command *command, const struct option *option, const char *value,
	struct why *ret_why)
{
	switch (option->id) {
	case TCP:
	case UDP:
	case SCTP:
		command->protocol = option->id == TCP ? "tcp" : option->id == UDP ? "udp" : "sctp";
		command->service = value;
		return true;
	case MARK:
		command->mark = value;
		return true;
	case SCHEDULER:
		command->scheduler = value;
		return true;
	case PERSISTENT:
		command->persistent = true;
		command->persistence_s = IPVS_PERSISTENCE_S;
		return !value || set_number(value, UINT32_MAX, &command->persistence_s, ret_why);
	case NETMASK:
		command->netmask = value;
		return true;
	case ENGINE:
		command->engine = value;
		return true;
	case FLAGS:
		command->flags = value;
		return true;
	case EACH_PACKET:
		command->each_packet = true;
		return true;
	case REAL_SERVER:
		command->real_server = value;
		return true;
	case GATEWAYING:
	case TUNNEL:
	case MASQUERADING:
		command->method = option->id;
		return true;
	case WEIGHT:
		command->has_weight = true;
		return set_number(value, INT32_MAX, &command->weight, ret_why);
	case UPPER:
		return set_number(value, UINT32_MAX, &command->upper, ret_why);
	case LOWER:
		return set_number(value, UINT32_MAX, &command->lower, ret_why);
	default:
		return true;
	}
}

static int fail_command(struct why *ret_why)
{
	return why_fail(ret_why, -EINVAL, "two commands in one line");
}

/* The words behind an option that are its value; `*idx` stands at the option, and then at the last of them. */
static int take_option(struct command *command, const struct option *option, const char *attached,
	const struct text_words *words, size_t *idx, struct why *ret_why)
{
	const char *next = *idx + 1 < words->len ? words->items[*idx + 1] : NULL;
	const char *value = attached;

	if (option->id <= OTHER_COMMAND) {
		if (command->has_id)
			return fail_command(ret_why);
		command->has_id = true;
		command->id = option->id;
	}
	if (option->value == THREE_VALUES) {
		if (words->len - *idx < 4)
			return why_fail(ret_why, -EINVAL, "--%s needs three numbers", option->name);
		for (size_t i = 0; i < 3; i++)
			if (!set_number(words->items[++*idx], UINT32_MAX, &command->timeouts_s[i],
				    ret_why))
				return -EINVAL;
		return 0;
	}
	if (option->value == NO_VALUE && attached)
		return why_fail(ret_why, -EINVAL, "--%s has no value", option->name);
	if (!value && next &&
		(option->value == VALUE ||
			(option->value == NUMBER_OR_NOTHING && *next >= '0' && *next <= '9'))) {
		value = next;
		++*idx;
	}
	if (option->value == VALUE && !value)
		return why_fail(ret_why, -EINVAL, "--%s needs a value", option->name);
	return set_value(command, option, value, ret_why) ? 0 : -EINVAL;
}

static int take_words(struct command *command, const struct text_words *words, struct why *ret_why)
{
	size_t idx = streq(words->items[0], "ipvsadm") || streq(words->items[0], "/sbin/ipvsadm")
		? 1
		: 0;

	for (; idx < words->len; idx++) {
		const char *attached;
		const struct option *option = find_option(words->items[idx], &attached);
		int r;

		if (!option)
			return why_fail(ret_why, -EINVAL, "'%.64s' is no option of ipvsadm",
				words->items[idx]);
		r = take_option(command, option, attached, words, &idx, ret_why);
		if (r < 0)
			return r;
	}
	if (!command->has_id)
		return why_fail(ret_why, -EINVAL, "has no command, such as -A or -a");
	return 0;
}

/* "HOST", "HOST:PORT", "[HOST]:PORT", and names of both; port 0: not given. False with a note. */
static bool read_endpoint(struct reader *reader, const char *text, const char *protocol,
	struct addr_port *ret_endpoint)
{
	_cleanup_free_ char *host = NULL;
	const char *colon = strrchr(text, ':');
	uint64_t port;

	*ret_endpoint = (struct addr_port){ 0 };
	if (addr_port_parse(text, false, ret_endpoint) == 0)
		return true;
	host = colon ? strndup(text[0] == '[' ? text + 1 : text,
			       (size_t)(colon - text) - (text[0] == '[' ? 1 : 0))
		     : strdup(text);
	if (!host) {
		reader->farm->failed = true;
		return false;
	}
	if (text[0] == '[' && strchr(host, ']'))
		*strchr(host, ']') = '\0';
	if (addr_parse(host, &ret_endpoint->addr) < 0 &&
		!reader->names->address(reader->names->context, host, &ret_endpoint->addr)) {
		farm_note(reader->farm, reader->line,
			"%s: a name that nobody here knows; ipvsadm -S -n prints addresses", text);
		return false;
	}
	if (!colon)
		return true;
	if (text_number(colon + 1, UINT16_MAX, &port))
		ret_endpoint->port = (uint16_t)port;
	else
		ret_endpoint->port =
			reader->names->port(reader->names->context, colon + 1, protocol);
	if (ret_endpoint->port > 0 || streq(colon + 1, "0"))
		return true;
	farm_note(reader->farm, reader->line,
		"%s: a service that nobody here knows; ipvsadm -S -n prints ports", text);
	return false;
}

static struct farm_server *find_server(
	struct reader *reader, const char *protocol, const struct addr_port *endpoint)
{
	struct farm *farm = reader->farm;

	for (size_t i = 0; i <= farm->n_servers; i++) {
		struct farm_server *server =
			i == 0 ? reader->last : farm->servers[farm->n_servers - i];

		if (server && server->n_vips > 0 && server->port == endpoint->port &&
			streq(server->protocol, protocol) &&
			addr_equal(&server->vips[0], &endpoint->addr))
			return server;
	}
	return NULL;
}

static void set_service(
	struct reader *reader, struct farm_server *server, const struct command *command)
{
	struct ipvs_scheduling scheduling = {
		.name = command->scheduler ? command->scheduler : "wlc",
		.each_packet = command->each_packet,
		.line = reader->line,
	};
	char flags[128] = "", *rest = flags, *flag;

	if (command->flags)
		(void)snprintf(flags, sizeof(flags), "%s", command->flags);
	while (rest && (flag = strsep(&rest, ","))) {
		if (streq(flag, "sh-port") || streq(flag, "mh-port") || streq(flag, "flag-2"))
			scheduling.with_port = true;
		else if (*flag && !streq(flag, "sh-fallback") && !streq(flag, "mh-fallback") &&
			!streq(flag, "flag-1"))
			farm_note(reader->farm, reader->line, "scheduler flag %s", flag);
	}
	ipvs_schedule(reader->farm, server, &scheduling);
	server->persistence_s = command->persistent ? command->persistence_s : 0;
	if (command->netmask)
		ipvs_granularity(reader->farm, server, command->netmask, reader->line);
	if (command->engine)
		farm_note(reader->farm, reader->line,
			"persistence engine %s: clients are known by their addresses here",
			command->engine);
}

static void add_service(struct reader *reader, const struct command *command)
{
	struct addr_port endpoint;
	struct farm_server *server;

	if (command->mark) {
		farm_note(reader->farm, reader->line,
			"a virtual service of firewall mark %s: here packets are told apart by VIP, "
			"protocol and port",
			command->mark);
		return;
	}
	if (!read_endpoint(reader, command->service, command->protocol, &endpoint))
		return;
	server = find_server(reader, command->protocol, &endpoint);
	if (command->id == ADD_SERVICE && server) {
		farm_note(reader->farm, reader->line, "%s stands in line %u already",
			command->service, server->line);
		return;
	}
	if (!server)
		server = farm_server_add(reader->farm, reader->line);
	if (!server)
		return;
	if (server->n_vips == 0)
		farm_vip_add(reader->farm, server, &endpoint.addr);
	server->port = endpoint.port;
	server->protocol = command->protocol;
	set_service(reader, server, command);
	reader->last = server;
}

/* Whether a MAC rewrite serves it; false with a note. */
static bool is_direct(struct reader *reader, const struct command *command,
	const struct farm_server *server, const struct addr_port *endpoint)
{
	struct farm *farm = reader->farm;

	if (command->method == MASQUERADING)
		farm_note(farm, reader->line,
			"real server %s by masquerading (-m): NAT; nothing is translated here",
			command->real_server);
	else if (command->method == TUNNEL)
		farm_note(farm, reader->line,
			"real server %s by a tunnel (-i): it must be on the balancer's segment here",
			command->real_server);
	else if (endpoint->port > 0 && endpoint->port != server->port)
		farm_note(farm, reader->line,
			"real server %s: its port is not the virtual service's; no port is "
			"translated here",
			command->real_server);
	else
		return true;
	return false;
}

static void set_real_server(struct reader *reader, const struct farm_server *server,
	struct farm_real_server *real_server, const struct command *command)
{
	if (command->has_weight)
		real_server->weight = command->weight;
	real_server->max_connections = command->upper;
	if (command->lower > 0)
		farm_note(reader->farm, reader->line,
			"lower threshold %llu of real server %s: it gets new flows as soon as it is "
			"below max-connections",
			(unsigned long long)command->lower, command->real_server);
}

static void add_real_server(struct reader *reader, const struct command *command)
{
	struct farm_real_server *real_server = NULL;
	struct addr_port service, endpoint;
	struct farm_server *server;

	if (command->mark) {
		farm_note(reader->farm, reader->line,
			"real server %s of the virtual service of firewall mark %s",
			command->real_server, command->mark);
		return;
	}
	if (!read_endpoint(reader, command->service, command->protocol, &service))
		return;
	server = find_server(reader, command->protocol, &service);
	if (!server) {
		farm_note(reader->farm, reader->line,
			"real server %s: no line before adds the virtual service %s",
			command->real_server, command->service);
		return;
	}
	server->last_line = MAX(server->last_line, reader->line);
	if (!read_endpoint(reader, command->real_server, command->protocol, &endpoint) ||
		!is_direct(reader, command, server, &endpoint)) {
		server->refused = true;
		return;
	}
	if (command->id == EDIT_SERVER)
		ARRAY_FOREACH (each, server->real_servers, server->n_real_servers)
			if (addr_equal(&each->address, &endpoint.addr))
				real_server = each;
	if (!real_server)
		real_server =
			farm_real_server_add(reader->farm, server, &endpoint.addr, reader->line);
	if (real_server)
		set_real_server(reader, server, real_server, command);
}

static int run_command(struct reader *reader, const struct command *command, struct why *ret_why)
{
	bool server = command->id == ADD_SERVER || command->id == EDIT_SERVER;

	switch (command->id) {
	case ADD_SERVICE:
	case EDIT_SERVICE:
	case ADD_SERVER:
	case EDIT_SERVER:
		if (!command->service && !command->mark)
			return why_fail(ret_why, -EINVAL, "names no virtual service (-t, -u, -f)");
		if (server && !command->real_server)
			return why_fail(ret_why, -EINVAL, "names no real server (-r)");
		if (server)
			add_real_server(reader, command);
		else
			add_service(reader, command);
		return 0;
	case SET_TIMEOUTS:
		memcpy(reader->timeouts_s, command->timeouts_s, sizeof(reader->timeouts_s));
		return 0;
	case CLEAR:
		return 0;
	default:
		farm_note(reader->farm, reader->line,
			"a command that neither adds nor changes; a saved table has none of them");
		return 0;
	}
}

static int read_line(
	struct reader *reader, const char *line, size_t size_bytes, struct why *ret_why)
{
	_cleanup_(text_words_clearp) struct text_words words = { 0 };
	struct command command = { .method = GATEWAYING };
	int r = text_split(line, size_bytes, &words, ret_why);

	if (r < 0 || words.len == 0 || words.items[0][0] == '#')
		return r;
	r = take_words(&command, &words, ret_why);
	return r < 0 ? r : run_command(reader, &command, ret_why);
}

int ipvsadm_read(const char *data, size_t size_bytes, const struct import_names *names,
	struct farm *farm, struct why *ret_why)
{
	struct reader reader = { .farm = farm, .names = names };
	struct text_lines lines = text_lines(data, size_bytes);
	struct why why = { 0 };
	size_t line_bytes;
	const char *line;

	while (text_next_line(&lines, &line, &line_bytes, &why)) {
		int r;

		reader.line = lines.number;
		r = read_line(&reader, line, line_bytes, &why);
		if (r == -EINVAL)
			return why_fail(ret_why, r, "line %u: %s", lines.number, why.text);
		if (r < 0)
			return r;
	}
	if (why.text[0]) {
		*ret_why = why;
		return -EINVAL;
	}
	for (size_t i = 0; i < farm->n_servers; i++) {
		farm->servers[i]->tcp_timeout_s = reader.timeouts_s[0];
		farm->servers[i]->fin_timeout_s = reader.timeouts_s[1];
		farm->servers[i]->udp_timeout_s = reader.timeouts_s[2];
	}
	return farm->failed ? -ENOMEM : 0;
}
