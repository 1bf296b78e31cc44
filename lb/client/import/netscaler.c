/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that are about load balancing, into objects; whatever else a configuration says is named in a note.
 * See netscaler.h.
 */
#include "lb/client/import/netscaler.h"

#include <strings.h>

#include "lb/client/import/netscaler_farm.h"
#include "lb/client/import/netscaler_vserver.h"

static const char *const verbs[] = { "add", "set", "bind", "enable", "disable", "unset", "unbind",
	"rm", "rename", "link", "apply", "save", "show", NULL };
_Static_assert(ARRAY_LEN(verbs) == NETSCALER_VERB_N_ + 1, "every verb has a name");

/* ---- add server ---- */

static const char *const server_names[] = { "state", NULL };
static const char *const server_quiet[] = { "comment", NULL };

static int take_server_option(struct netscaler_reader *reader, struct netscaler_object *server,
	int idx, const struct netscaler_option *option)
{
	server->disabled = netscaler_is_off(option);
	return 0;
}

static int take_server(struct netscaler_reader *reader)
{
	struct netscaler_object *server = netscaler_object_add(
		&reader->objects, NETSCALER_SERVER, netscaler_argument(reader, 2), reader->line);

	if (!server)
		return -ENOMEM;
	if (addr_parse(netscaler_argument(reader, 3), &server->address) < 0)
		netscaler_note(reader, "a name: a real server is an address here");
	return netscaler_each_option(
		reader, server, server_names, server_quiet, take_server_option);
}

/* ---- services and service groups ---- */

enum service_option { SERVICE_USIP, SERVICE_MAX_CLIENT, SERVICE_MONITOR, SERVICE_STATE };
static const char *const service_names[] = { "usip", "maxClient", "healthMonitor", "state", NULL };
/* What is about connections of the appliance to the server, of which there are none in mode MAC. */
static const char *const service_quiet[] = { "cltTimeout", "svrTimeout", "comment",
	"CustomServerID", "appflowLog", "downStateFlush", "useproxyport", "processLocal",
	"serverID", "CKA", "TCPB", "gslb", "rtspSessionidRemap", "monConnectionClose", "autoScale",
	"memberPort", NULL };

static int take_service_option(struct netscaler_reader *reader, struct netscaler_object *service,
	int idx, const struct netscaler_option *option)
{
	switch ((enum service_option)idx) {
	case SERVICE_USIP:
		service->usip_said = true;
		service->usip = !netscaler_is_off(option);
		return 0;
	case SERVICE_MAX_CLIENT:
		netscaler_set_number(reader, option, &service->max_connections);
		return 0;
	case SERVICE_MONITOR:
		service->unmonitored = netscaler_is_off(option);
		return 0;
	case SERVICE_STATE:
		service->disabled = netscaler_is_off(option);
		return 0;
	}
	return 0;
}

/* A server's name, or an address. */
static int set_member(struct netscaler_reader *reader, struct netscaler_object *service,
	const char *host, const char *port, struct netscaler_member **ret_member)
{
	struct netscaler_member *member = netscaler_member_add(service, reader->line);
	const struct netscaler_object *server =
		netscaler_object_find(&reader->objects, NETSCALER_SERVER, host);

	if (!member)
		return -ENOMEM;
	if (server) {
		member->address = server->address;
		member->disabled = server->disabled;
		member->server = strdup(server->name);
		if (!member->server)
			return -ENOMEM;
	} else if (addr_parse(host, &member->address) < 0) {
		netscaler_note(reader, "there is no server %s", host);
	}
	member->port = netscaler_port(port);
	if (member->port == NETSCALER_PORT_NONE)
		netscaler_note(reader, "%s is no port", port);
	*ret_member = member;
	return 0;
}

static int take_service(struct netscaler_reader *reader)
{
	struct netscaler_object *service = netscaler_object_add(
		&reader->objects, NETSCALER_SERVICE, netscaler_argument(reader, 2), reader->line);
	struct netscaler_member *member;
	int r;

	if (!service)
		return -ENOMEM;
	if (reader->verb == NETSCALER_ADD && reader->command.n_args < 6) {
		netscaler_note(reader, "write NAME HOST TYPE PORT");
		return 0;
	}
	if (reader->verb == NETSCALER_ADD && service->n_members == 0) {
		r = netscaler_set_text(&service->type, netscaler_argument(reader, 4));
		if (r == 0)
			r = set_member(reader, service, netscaler_argument(reader, 3),
				netscaler_argument(reader, 5), &member);
		if (r < 0)
			return r;
	}
	return netscaler_each_option(
		reader, service, service_names, service_quiet, take_service_option);
}

static int take_group(struct netscaler_reader *reader)
{
	struct netscaler_object *group = netscaler_object_add(
		&reader->objects, NETSCALER_SERVICE, netscaler_argument(reader, 2), reader->line);
	int r;

	if (!group)
		return -ENOMEM;
	if (reader->verb == NETSCALER_ADD) {
		r = netscaler_set_text(&group->type, netscaler_argument(reader, 3));
		if (r < 0)
			return r;
	}
	return netscaler_each_option(
		reader, group, service_names, service_quiet, take_service_option);
}

/* -monitorName of a binding; false: there is none, or no memory (r). */
static bool take_monitor_name(
	struct netscaler_reader *reader, struct netscaler_object *service, int *ret_r)
{
	*ret_r = 0;
	for (size_t i = 0; i < reader->command.n_options; i++) {
		const struct netscaler_option *option = &reader->command.options[i];

		if (!netscaler_is_short_for(option->name, "monitorName"))
			continue;
		*ret_r = netscaler_bind(service, netscaler_value(option), 0, reader->line);
		return true;
	}
	return false;
}

static int take_member_options(struct netscaler_reader *reader, struct netscaler_member *member)
{
	for (size_t i = 0; i < reader->command.n_options; i++) {
		const struct netscaler_option *option = &reader->command.options[i];

		if (netscaler_is_short_for(option->name, "weight"))
			netscaler_set_number(reader, option, &member->weight);
		else if (netscaler_is_short_for(option->name, "state"))
			member->disabled = netscaler_is_off(option);
		else if (!netscaler_is_short_for(option->name, "CustomServerID") &&
			!netscaler_is_short_for(option->name, "serverID") &&
			!netscaler_is_off(option))
			netscaler_note_option(reader, option, "not known here");
	}
	return 0;
}

static int bind_group(struct netscaler_reader *reader)
{
	struct netscaler_object *group = netscaler_object_find(
		&reader->objects, NETSCALER_SERVICE, netscaler_argument(reader, 2));
	struct netscaler_member *member = NULL;
	int r;

	if (!group) {
		netscaler_note(reader, "no line before adds it");
		return 0;
	}
	if (take_monitor_name(reader, group, &r))
		return r;
	if (reader->command.n_args < 5) {
		netscaler_note(reader, "write NAME HOST PORT");
		return 0;
	}
	r = set_member(reader, group, netscaler_argument(reader, 3), netscaler_argument(reader, 4),
		&member);
	return r < 0 ? r : take_member_options(reader, member);
}

static int bind_service(struct netscaler_reader *reader)
{
	struct netscaler_object *service = netscaler_object_find(
		&reader->objects, NETSCALER_SERVICE, netscaler_argument(reader, 2));
	int r;

	if (!service)
		netscaler_note(reader, "no line before adds it");
	else if (take_monitor_name(reader, service, &r))
		return r;
	else
		netscaler_note(reader, "of what is bound to a service monitors alone are read");
	return 0;
}

/* ---- monitors ---- */

enum monitor_option {
	MONITOR_INTERVAL,
	MONITOR_TIMEOUT,
	MONITOR_RETRIES,
	MONITOR_SUCCESSES,
	MONITOR_PORT,
	MONITOR_STATE,
	MONITOR_REQUEST,
	MONITOR_STATUS,
};
static const char *const monitor_names[] = { "interval", "resptimeout", "retries", "successRetries",
	"destPort", "state", "httpRequest", "respCode", NULL };
static const char *const monitor_quiet[] = { "LRTM", "alertRetries", NULL };

/* "5", "5 SEC", "500 MSEC", "1 MIN" */
static void set_time(
	struct netscaler_reader *reader, const struct netscaler_option *option, uint64_t *ret_ms)
{
	static const char *const units[] = { "SEC", "MSEC", "MIN", NULL };
	static const uint64_t unit_ms[] = { 1000, 1, 60000 };
	int unit = option->n_values > 1 ? netscaler_find(option->values[1], units) : 0;
	uint64_t number;

	if (unit >= 0 && text_number(netscaler_value(option), UINT32_MAX, &number))
		*ret_ms = number * unit_ms[unit];
	else
		netscaler_note_option(reader, option, "that is no time");
}

static int take_monitor_option(struct netscaler_reader *reader, struct netscaler_object *monitor,
	int idx, const struct netscaler_option *option)
{
	switch ((enum monitor_option)idx) {
	case MONITOR_INTERVAL:
		set_time(reader, option, &monitor->interval_ms);
		break;
	case MONITOR_TIMEOUT:
		set_time(reader, option, &monitor->timeout_ms);
		break;
	case MONITOR_RETRIES:
		netscaler_set_number(reader, option, &monitor->retries);
		break;
	case MONITOR_SUCCESSES:
		netscaler_set_number(reader, option, &monitor->successes);
		break;
	case MONITOR_PORT:
		netscaler_set_number(reader, option, &monitor->check_port);
		break;
	case MONITOR_STATE:
		monitor->disabled = netscaler_is_off(option);
		break;
	case MONITOR_REQUEST:
		return netscaler_set_text(&monitor->request, netscaler_value(option));
	case MONITOR_STATUS:
		netscaler_note_option(reader, option, "2xx and 3xx are well here, and no others");
		break;
	}
	return 0;
}

static int take_monitor(struct netscaler_reader *reader)
{
	struct netscaler_object *monitor = netscaler_object_add(
		&reader->objects, NETSCALER_MONITOR, netscaler_argument(reader, 3), reader->line);
	int r;

	if (!monitor)
		return -ENOMEM;
	r = netscaler_set_text(&monitor->type, netscaler_argument(reader, 4));
	if (r < 0)
		return r;
	return netscaler_each_option(
		reader, monitor, monitor_names, monitor_quiet, take_monitor_option);
}

/* The older form: "bind lb monitor MONITOR SERVICE". */
static int bind_monitor(struct netscaler_reader *reader)
{
	struct netscaler_object *service = netscaler_object_find(
		&reader->objects, NETSCALER_SERVICE, netscaler_argument(reader, 4));

	if (service)
		return netscaler_bind(service, netscaler_argument(reader, 3), 0, reader->line);
	netscaler_note(reader, "there is no service %s", netscaler_argument(reader, 4));
	return 0;
}

/* ---- enable and disable ---- */

static int set_state(struct netscaler_reader *reader, enum netscaler_kind kind, size_t name)
{
	struct netscaler_object *object =
		netscaler_object_find(&reader->objects, kind, netscaler_argument(reader, name));

	if (!object)
		netscaler_note(reader, "no line before adds it");
	else if (kind == NETSCALER_SERVER &&
		object->disabled != (reader->verb == NETSCALER_DISABLE))
		/* Members have looked at their servers already. */
		for (size_t i = 0; i < reader->objects.n_items; i++)
			ARRAY_FOREACH (each, reader->objects.items[i]->members,
				reader->objects.items[i]->n_members)
				if (each->server && strcasecmp(each->server, object->name) == 0)
					each->disabled = reader->verb == NETSCALER_DISABLE;
	if (object)
		object->disabled = reader->verb == NETSCALER_DISABLE;
	return 0;
}

static int state_of_server(struct netscaler_reader *reader)
{
	return set_state(reader, NETSCALER_SERVER, 2);
}

static int state_of_service(struct netscaler_reader *reader)
{
	return set_state(reader, NETSCALER_SERVICE, 2);
}

static int state_of_vserver(struct netscaler_reader *reader)
{
	return set_state(reader, NETSCALER_VSERVER, 3);
}

/* Modes and features ask for nothing by themselves; commands that use them are noted where they stand. */
static int take_mode(struct netscaler_reader *reader)
{
	for (size_t i = 3; i < reader->command.n_args; i++)
		if (strcasecmp(netscaler_argument(reader, i), "USIP") == 0)
			reader->objects.usip = reader->verb == NETSCALER_ENABLE;
	return 0;
}

static int take_nothing(struct netscaler_reader *reader)
{
	return 0;
}

/* ---- commands ---- */

struct handler {
	unsigned int verbs;         /* bits */
	const char *first, *second; /* words of the object; NULL: one word */
	size_t min_args;
	int (*take)(struct netscaler_reader *reader);
};

#define VERB(verb) (1u << (verb))

static const struct handler handlers[] = {
	{ VERB(NETSCALER_ADD), "server", NULL, 4, take_server },
	{ VERB(NETSCALER_ADD) | VERB(NETSCALER_SET), "service", NULL, 3, take_service },
	{ VERB(NETSCALER_ADD) | VERB(NETSCALER_SET), "serviceGroup", NULL, 3, take_group },
	{ VERB(NETSCALER_BIND), "service", NULL, 3, bind_service },
	{ VERB(NETSCALER_BIND), "serviceGroup", NULL, 3, bind_group },
	{ VERB(NETSCALER_ADD) | VERB(NETSCALER_SET), "lb", "monitor", 5, take_monitor },
	{ VERB(NETSCALER_BIND), "lb", "monitor", 5, bind_monitor },
	{ VERB(NETSCALER_ADD), "lb", "vserver", 7, netscaler_take_vserver },
	{ VERB(NETSCALER_SET), "lb", "vserver", 4, netscaler_take_vserver },
	{ VERB(NETSCALER_BIND), "lb", "vserver", 4, netscaler_bind_vserver },
	{ VERB(NETSCALER_ENABLE) | VERB(NETSCALER_DISABLE), "server", NULL, 3, state_of_server },
	{ VERB(NETSCALER_ENABLE) | VERB(NETSCALER_DISABLE), "service", NULL, 3, state_of_service },
	{ VERB(NETSCALER_ENABLE) | VERB(NETSCALER_DISABLE), "serviceGroup", NULL, 3,
		state_of_service },
	{ VERB(NETSCALER_ENABLE) | VERB(NETSCALER_DISABLE), "lb", "vserver", 4, state_of_vserver },
	{ VERB(NETSCALER_ENABLE) | VERB(NETSCALER_DISABLE), "ns", "mode", 4, take_mode },
	{ VERB(NETSCALER_ENABLE) | VERB(NETSCALER_DISABLE), "ns", "feature", 4, take_nothing },
	{ VERB(NETSCALER_SAVE), "ns", "config", 3, take_nothing },
	{ VERB(NETSCALER_SAVE), "config", NULL, 2, take_nothing },
};

/* The handler whose words are named; of shortened ones the first. */
static const struct handler *find_handler(const struct netscaler_reader *reader)
{
	const struct handler *found = NULL;

	ARRAY_FOREACH (each, handlers, ARRAY_LEN(handlers)) {
		if (!(each->verbs & VERB(reader->verb)) ||
			!netscaler_is_short_for(netscaler_argument(reader, 1), each->first) ||
			(each->second &&
				!netscaler_is_short_for(
					netscaler_argument(reader, 2), each->second)))
			continue;
		if (strcasecmp(netscaler_argument(reader, 1), each->first) == 0 && !each->second)
			return each;
		found = found ? found : each;
	}
	return found;
}

static int take_command(struct netscaler_reader *reader)
{
	const struct handler *handler = find_handler(reader);

	if (handler && handler->take && reader->command.n_args >= handler->min_args)
		return handler->take(reader);
	if (handler && handler->take)
		netscaler_note(reader, "words are missing");
	else
		netscaler_note(reader, "nothing here is about that");
	return 0;
}

static int read_line(struct netscaler_reader *reader, const char *line, size_t size_bytes,
	bool *known, struct why *ret_why)
{
	int verb, r;

	netscaler_command_clear(&reader->command);
	r = netscaler_command_parse(line, size_bytes, &reader->command, ret_why);
	if (r < 0 || reader->command.words.len == 0)
		return r;
	verb = netscaler_find(netscaler_argument(reader, 0), verbs);
	if (verb < 0 || reader->command.n_args < 2) {
		netscaler_note(reader, "no command that is known here");
		return 0;
	}
	*known = true;
	reader->verb = (enum netscaler_verb)verb;
	return take_command(reader);
}

int netscaler_read(const char *data, size_t size_bytes, struct farm *farm, struct why *ret_why)
{
	_cleanup_(netscaler_objects_clear) struct netscaler_objects objects = { 0 };
	struct netscaler_reader reader = { .farm = farm };
	struct text_lines lines = text_lines(data, size_bytes);
	unsigned int first_unknown = 0;
	struct why why = { 0 };
	bool any = false;
	size_t line_bytes;
	const char *line;
	int r = 0;

	while (r == 0 && text_next_line(&lines, &line, &line_bytes, &why)) {
		size_t n_notes = farm->n_notes;
		bool known = false;

		reader.line = lines.number;
		r = read_line(&reader, line, line_bytes, &known, &why);
		if (r == -EINVAL)
			why_set(ret_why, "line %u: %s", lines.number, why.text);
		any |= known;
		if (!known && farm->n_notes > n_notes && first_unknown == 0)
			first_unknown = lines.number;
	}
	objects = reader.objects;
	netscaler_command_clear(&reader.command);
	if (r < 0)
		return r;
	if (why.text[0]) {
		*ret_why = why;
		return -EINVAL;
	}
	if (first_unknown > 0 && !any)
		return why_fail(ret_why, -EINVAL,
			"line %u: no command of a NetScaler, and no other line is one",
			first_unknown);
	return netscaler_farm(&objects, farm);
}
