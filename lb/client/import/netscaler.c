/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that are about load balancing, into objects; whatever else a configuration says is named in a note.
 * See netscaler.h.
 */
#include "lb/client/import/netscaler.h"

#include <strings.h>

#include "lb/client/import/netscaler_command.h"
#include "lb/client/import/netscaler_farm.h"

enum verb {
	ADD,
	SET,
	BIND,
	ENABLE,
	DISABLE,
	UNSET,
	UNBIND,
	REMOVE,
	RENAME,
	LINK,
	APPLY,
	SAVE,
	SHOW,
	VERB_N_
};

static const char *const verbs[] = { "add", "set", "bind", "enable", "disable", "unset", "unbind",
	"rm", "rename", "link", "apply", "save", "show", NULL };
_Static_assert(ARRAY_LEN(verbs) == VERB_N_ + 1, "every verb has a name");

struct reader {
	struct farm *farm;
	struct netscaler_objects objects;
	struct netscaler_command command; /* of the line that is being read */
	unsigned int line;
	enum verb verb;
};

typedef int option_fn(struct reader *reader, struct netscaler_object *object, int idx,
	const struct netscaler_option *option);

static const char *argument(const struct reader *reader, size_t idx)
{
	return idx < reader->command.n_args ? reader->command.words.items[idx] : "";
}

/* The command, as far as a note needs it. */
_printf_(2, 3) static void note(struct reader *reader, const char *format, ...)
{
	_cleanup_(text_clearp) struct text words = { 0 };
	_cleanup_free_ char *text = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0) {
		text = NULL;
		reader->farm->failed = true;
		return;
	}
	for (size_t i = 0; i < reader->command.n_args && i < 5; i++)
		text_format(&words, "%s%s", i ? " " : "", reader->command.words.items[i]);
	farm_note(reader->farm, reader->line, "%s: %s", words.data ? words.data : "", text);
}

static void note_option(
	struct reader *reader, const struct netscaler_option *option, const char *why)
{
	note(reader, "-%s %s: %s", option->name, netscaler_value(option), why);
}

static int set_text(char **target, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*target);
	*target = copy;
	return 0;
}

/* A number, or a note. */
static void set_number(
	struct reader *reader, const struct netscaler_option *option, uint64_t *target)
{
	if (!text_number(netscaler_value(option), UINT32_MAX, target))
		note_option(reader, option, "that is no number");
}

/*
 * Calls `take` for each option with its index in `names`. What is not there and asks for something is a note; `quiet`
 * are those that need no word here.
 */
static int each_option(struct reader *reader, struct netscaler_object *object,
	const char *const *names, const char *const *quiet, option_fn *take)
{
	for (size_t i = 0; i < reader->command.n_options; i++) {
		const struct netscaler_option *option = &reader->command.options[i];
		int idx = netscaler_find(option->name, names);
		int r = 0;

		if (idx >= 0)
			r = take(reader, object, idx, option);
		else if (netscaler_find(option->name, quiet) < 0 && !netscaler_is_off(option))
			note_option(reader, option, "not known here");
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- add server ---- */

static const char *const server_names[] = { "state", NULL };
static const char *const server_quiet[] = { "comment", NULL };

static int take_server_option(struct reader *reader, struct netscaler_object *server, int idx,
	const struct netscaler_option *option)
{
	server->disabled = netscaler_is_off(option);
	return 0;
}

static int take_server(struct reader *reader)
{
	struct netscaler_object *server = netscaler_object_add(
		&reader->objects, NETSCALER_SERVER, argument(reader, 2), reader->line);

	if (!server)
		return -ENOMEM;
	if (addr_parse(argument(reader, 3), &server->address) < 0)
		note(reader, "a name: a real server is an address here");
	return each_option(reader, server, server_names, server_quiet, take_server_option);
}

/* ---- services and service groups ---- */

enum service_option { SERVICE_USIP, SERVICE_MAX_CLIENT, SERVICE_MONITOR, SERVICE_STATE };
static const char *const service_names[] = { "usip", "maxClient", "healthMonitor", "state", NULL };
/* What is about connections of the appliance to the server, of which there are none in mode MAC. */
static const char *const service_quiet[] = { "cltTimeout", "svrTimeout", "comment",
	"CustomServerID", "appflowLog", "downStateFlush", "useproxyport", "processLocal",
	"serverID", "CKA", "TCPB", "gslb", "rtspSessionidRemap", "monConnectionClose", "autoScale",
	"memberPort", NULL };

static int take_service_option(struct reader *reader, struct netscaler_object *service, int idx,
	const struct netscaler_option *option)
{
	switch ((enum service_option)idx) {
	case SERVICE_USIP:
		service->usip_said = true;
		service->usip = !netscaler_is_off(option);
		return 0;
	case SERVICE_MAX_CLIENT:
		set_number(reader, option, &service->max_connections);
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

static uint32_t parse_port(const char *text)
{
	uint64_t port;

	if (streq(text, "*") || streq(text, "65535"))
		return NETSCALER_PORT_ANY;
	return text_number(text, UINT16_MAX, &port) && port > 0 ? (uint32_t)port
								: NETSCALER_PORT_NONE;
}

/* A server's name, or an address. */
static int set_member(struct reader *reader, struct netscaler_object *service, const char *host,
	const char *port, struct netscaler_member **ret_member)
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
		note(reader, "there is no server %s", host);
	}
	member->port = parse_port(port);
	if (member->port == NETSCALER_PORT_NONE)
		note(reader, "%s is no port", port);
	*ret_member = member;
	return 0;
}

static int take_service(struct reader *reader)
{
	struct netscaler_object *service = netscaler_object_add(
		&reader->objects, NETSCALER_SERVICE, argument(reader, 2), reader->line);
	struct netscaler_member *member;
	int r;

	if (!service)
		return -ENOMEM;
	if (reader->verb == ADD && reader->command.n_args < 6) {
		note(reader, "write NAME HOST TYPE PORT");
		return 0;
	}
	if (reader->verb == ADD && service->n_members == 0) {
		r = set_text(&service->type, argument(reader, 4));
		if (r == 0)
			r = set_member(
				reader, service, argument(reader, 3), argument(reader, 5), &member);
		if (r < 0)
			return r;
	}
	return each_option(reader, service, service_names, service_quiet, take_service_option);
}

static int take_group(struct reader *reader)
{
	struct netscaler_object *group = netscaler_object_add(
		&reader->objects, NETSCALER_SERVICE, argument(reader, 2), reader->line);
	int r;

	if (!group)
		return -ENOMEM;
	if (reader->verb == ADD) {
		r = set_text(&group->type, argument(reader, 3));
		if (r < 0)
			return r;
	}
	return each_option(reader, group, service_names, service_quiet, take_service_option);
}

/* -monitorName of a binding; false: there is none, or no memory (r). */
static bool take_monitor_name(struct reader *reader, struct netscaler_object *service, int *ret_r)
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

static int take_member_options(struct reader *reader, struct netscaler_member *member)
{
	for (size_t i = 0; i < reader->command.n_options; i++) {
		const struct netscaler_option *option = &reader->command.options[i];

		if (netscaler_is_short_for(option->name, "weight"))
			set_number(reader, option, &member->weight);
		else if (netscaler_is_short_for(option->name, "state"))
			member->disabled = netscaler_is_off(option);
		else if (!netscaler_is_short_for(option->name, "CustomServerID") &&
			!netscaler_is_short_for(option->name, "serverID") &&
			!netscaler_is_off(option))
			note_option(reader, option, "not known here");
	}
	return 0;
}

static int bind_group(struct reader *reader)
{
	struct netscaler_object *group =
		netscaler_object_find(&reader->objects, NETSCALER_SERVICE, argument(reader, 2));
	struct netscaler_member *member = NULL;
	int r;

	if (!group) {
		note(reader, "no line before adds it");
		return 0;
	}
	if (take_monitor_name(reader, group, &r))
		return r;
	if (reader->command.n_args < 5) {
		note(reader, "write NAME HOST PORT");
		return 0;
	}
	r = set_member(reader, group, argument(reader, 3), argument(reader, 4), &member);
	return r < 0 ? r : take_member_options(reader, member);
}

static int bind_service(struct reader *reader)
{
	struct netscaler_object *service =
		netscaler_object_find(&reader->objects, NETSCALER_SERVICE, argument(reader, 2));
	int r;

	if (!service)
		note(reader, "no line before adds it");
	else if (take_monitor_name(reader, service, &r))
		return r;
	else
		note(reader, "of what is bound to a service monitors alone are read");
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
};
static const char *const monitor_names[] = { "interval", "resptimeout", "retries", "successRetries",
	"destPort", "state", NULL };
static const char *const monitor_quiet[] = { "LRTM", "respCode", "httpRequest", "alertRetries",
	NULL };

/* "5", "5 SEC", "500 MSEC", "1 MIN" */
static void set_time(struct reader *reader, const struct netscaler_option *option, uint64_t *ret_ms)
{
	static const char *const units[] = { "SEC", "MSEC", "MIN", NULL };
	static const uint64_t unit_ms[] = { 1000, 1, 60000 };
	int unit = option->n_values > 1 ? netscaler_find(option->values[1], units) : 0;
	uint64_t number;

	if (unit >= 0 && text_number(netscaler_value(option), UINT32_MAX, &number))
		*ret_ms = number * unit_ms[unit];
	else
		note_option(reader, option, "that is no time");
}

static int take_monitor_option(struct reader *reader, struct netscaler_object *monitor, int idx,
	const struct netscaler_option *option)
{
	switch ((enum monitor_option)idx) {
	case MONITOR_INTERVAL:
		set_time(reader, option, &monitor->interval_ms);
		break;
	case MONITOR_TIMEOUT:
		set_time(reader, option, &monitor->timeout_ms);
		break;
	case MONITOR_RETRIES:
		set_number(reader, option, &monitor->retries);
		break;
	case MONITOR_SUCCESSES:
		set_number(reader, option, &monitor->successes);
		break;
	case MONITOR_PORT:
		set_number(reader, option, &monitor->check_port);
		break;
	case MONITOR_STATE:
		monitor->disabled = netscaler_is_off(option);
		break;
	}
	return 0;
}

static int take_monitor(struct reader *reader)
{
	struct netscaler_object *monitor = netscaler_object_add(
		&reader->objects, NETSCALER_MONITOR, argument(reader, 3), reader->line);
	int r;

	if (!monitor)
		return -ENOMEM;
	r = set_text(&monitor->type, argument(reader, 4));
	if (r < 0)
		return r;
	return each_option(reader, monitor, monitor_names, monitor_quiet, take_monitor_option);
}

/* The older form: "bind lb monitor MONITOR SERVICE". */
static int bind_monitor(struct reader *reader)
{
	struct netscaler_object *service =
		netscaler_object_find(&reader->objects, NETSCALER_SERVICE, argument(reader, 4));

	if (service)
		return netscaler_bind(service, argument(reader, 3), 0, reader->line);
	note(reader, "there is no service %s", argument(reader, 4));
	return 0;
}

/* ---- virtual servers ---- */

enum vserver_option {
	VSERVER_MODE,
	VSERVER_METHOD,
	VSERVER_SESSIONLESS,
	VSERVER_FAILOVER,
	VSERVER_PERSISTENCE,
	VSERVER_TIMEOUT,
	VSERVER_PERSIST_MASK,
	VSERVER_PERSIST_MASK6,
	VSERVER_BACKUP,
	VSERVER_HEALTH,
	VSERVER_CLIENT_TIMEOUT,
	VSERVER_STATE,
	VSERVER_RANGE,
	VSERVER_NETMASK,
	VSERVER_NETMASK6,
};
static const char *const vserver_names[] = { "m", "lbMethod", "sessionless", "connfailover",
	"persistenceType", "timeout", "persistMask", "v6persistmasklen", "backupVServer",
	"healthThreshold", "cltTimeout", "state", "range", "netmask", "v6netmasklen", NULL };
static const char *const vserver_quiet[] = { "comment", "appflowLog", "downStateFlush", "cacheable",
	"icmpVsrResponse", "processLocal", "soPersistenceTimeOut", "backupPersistenceTimeout",
	"persistenceBackup", "disablePrimaryOnDown", "l2Conn", "hashLength", NULL };

static int take_vserver_text(struct reader *reader, struct netscaler_object *vserver,
	enum vserver_option which, const struct netscaler_option *option)
{
	const char *value = netscaler_value(option);

	switch (which) {
	case VSERVER_MODE:
		return set_text(&vserver->mode, value);
	case VSERVER_METHOD:
		return set_text(&vserver->method, value);
	case VSERVER_PERSISTENCE:
		return set_text(&vserver->persistence, value);
	case VSERVER_PERSIST_MASK:
		return set_text(&vserver->mask4, value);
	case VSERVER_PERSIST_MASK6:
		return set_text(&vserver->mask6, value);
	case VSERVER_BACKUP:
		return set_text(&vserver->backup, value);
	case VSERVER_FAILOVER:
		if (!netscaler_is_off(option) && !netscaler_is_short_for(value, "STATELESS"))
			note_option(reader, option,
				"balancers share no connections; those with the same table choose "
				"alike");
		return 0;
	default:
		if (!streq(value, "255.255.255.255") && !streq(value, "128"))
			note_option(reader, option, "the whole address is hashed here");
		return 0;
	}
}

static int take_vserver_option(struct reader *reader, struct netscaler_object *vserver, int idx,
	const struct netscaler_option *option)
{
	switch ((enum vserver_option)idx) {
	case VSERVER_SESSIONLESS:
		vserver->sessionless = !netscaler_is_off(option);
		return 0;
	case VSERVER_STATE:
		vserver->disabled = netscaler_is_off(option);
		return 0;
	case VSERVER_TIMEOUT:
		set_number(reader, option, &vserver->persistence_min);
		return 0;
	case VSERVER_HEALTH:
		set_number(reader, option, &vserver->health_threshold);
		return 0;
	case VSERVER_CLIENT_TIMEOUT:
		set_number(reader, option, &vserver->client_timeout_s);
		return 0;
	case VSERVER_RANGE:
		set_number(reader, option, &vserver->range);
		return 0;
	default:
		return take_vserver_text(reader, vserver, (enum vserver_option)idx, option);
	}
}

static int take_vserver(struct reader *reader)
{
	struct netscaler_object *vserver = netscaler_object_add(
		&reader->objects, NETSCALER_VSERVER, argument(reader, 3), reader->line);
	int r;

	if (!vserver)
		return -ENOMEM;
	if (reader->verb == ADD) {
		vserver->persistence_min = 2; /* when no -timeout is given */
		vserver->range = 1;
		vserver->port = parse_port(argument(reader, 6));
		if (addr_parse(argument(reader, 5), &vserver->address) < 0)
			vserver->address = (struct addr){ .family = AF_UNSPEC };
		r = set_text(&vserver->type, argument(reader, 4));
		if (r < 0)
			return r;
	}
	return each_option(reader, vserver, vserver_names, vserver_quiet, take_vserver_option);
}

static int bind_vserver(struct reader *reader)
{
	struct netscaler_object *vserver =
		netscaler_object_find(&reader->objects, NETSCALER_VSERVER, argument(reader, 3));
	uint64_t weight = 0;

	if (!vserver) {
		note(reader, "no line before adds it");
		return 0;
	}
	if (reader->command.n_args < 5) {
		note(reader, "of what is bound to a virtual server services alone are read");
		return 0;
	}
	for (size_t i = 0; i < reader->command.n_options; i++) {
		if (netscaler_is_short_for(reader->command.options[i].name, "weight"))
			set_number(reader, &reader->command.options[i], &weight);
		else
			note_option(reader, &reader->command.options[i], "not known here");
	}
	return netscaler_bind(vserver, argument(reader, 4), weight, reader->line);
}

/* ---- enable and disable ---- */

static int set_state(struct reader *reader, enum netscaler_kind kind, size_t name)
{
	struct netscaler_object *object =
		netscaler_object_find(&reader->objects, kind, argument(reader, name));

	if (!object)
		note(reader, "no line before adds it");
	else if (kind == NETSCALER_SERVER && object->disabled != (reader->verb == DISABLE))
		/* Members have looked at their servers already. */
		for (size_t i = 0; i < reader->objects.n_items; i++)
			ARRAY_FOREACH (each, reader->objects.items[i]->members,
				reader->objects.items[i]->n_members)
				if (each->server && strcasecmp(each->server, object->name) == 0)
					each->disabled = reader->verb == DISABLE;
	if (object)
		object->disabled = reader->verb == DISABLE;
	return 0;
}

static int state_of_server(struct reader *reader)
{
	return set_state(reader, NETSCALER_SERVER, 2);
}

static int state_of_service(struct reader *reader)
{
	return set_state(reader, NETSCALER_SERVICE, 2);
}

static int state_of_vserver(struct reader *reader)
{
	return set_state(reader, NETSCALER_VSERVER, 3);
}

/* Modes and features ask for nothing by themselves; commands that use them are noted where they stand. */
static int take_mode(struct reader *reader)
{
	for (size_t i = 3; i < reader->command.n_args; i++)
		if (strcasecmp(argument(reader, i), "USIP") == 0)
			reader->objects.usip = reader->verb == ENABLE;
	return 0;
}

static int take_nothing(struct reader *reader)
{
	return 0;
}

/* ---- commands ---- */

struct handler {
	unsigned int verbs;         /* bits */
	const char *first, *second; /* words of the object; NULL: one word */
	size_t min_args;
	int (*take)(struct reader *reader);
};

#define VERB(verb) (1u << (verb))

static const struct handler handlers[] = {
	{ VERB(ADD), "server", NULL, 4, take_server },
	{ VERB(ADD) | VERB(SET), "service", NULL, 3, take_service },
	{ VERB(ADD) | VERB(SET), "serviceGroup", NULL, 3, take_group },
	{ VERB(BIND), "service", NULL, 3, bind_service },
	{ VERB(BIND), "serviceGroup", NULL, 3, bind_group },
	{ VERB(ADD) | VERB(SET), "lb", "monitor", 5, take_monitor },
	{ VERB(BIND), "lb", "monitor", 5, bind_monitor },
	{ VERB(ADD), "lb", "vserver", 7, take_vserver },
	{ VERB(SET), "lb", "vserver", 4, take_vserver },
	{ VERB(BIND), "lb", "vserver", 4, bind_vserver },
	{ VERB(ENABLE) | VERB(DISABLE), "server", NULL, 3, state_of_server },
	{ VERB(ENABLE) | VERB(DISABLE), "service", NULL, 3, state_of_service },
	{ VERB(ENABLE) | VERB(DISABLE), "serviceGroup", NULL, 3, state_of_service },
	{ VERB(ENABLE) | VERB(DISABLE), "lb", "vserver", 4, state_of_vserver },
	{ VERB(ENABLE) | VERB(DISABLE), "ns", "mode", 4, take_mode },
	{ VERB(ENABLE) | VERB(DISABLE), "ns", "feature", 4, take_nothing },
	{ VERB(SAVE), "ns", "config", 3, take_nothing },
	{ VERB(SAVE), "config", NULL, 2, take_nothing },
};

/* The handler whose words are named; of shortened ones the first. */
static const struct handler *find_handler(const struct reader *reader)
{
	const struct handler *found = NULL;

	ARRAY_FOREACH (each, handlers, ARRAY_LEN(handlers)) {
		if (!(each->verbs & VERB(reader->verb)) ||
			!netscaler_is_short_for(argument(reader, 1), each->first) ||
			(each->second &&
				!netscaler_is_short_for(argument(reader, 2), each->second)))
			continue;
		if (strcasecmp(argument(reader, 1), each->first) == 0 && !each->second)
			return each;
		found = found ? found : each;
	}
	return found;
}

static int take_command(struct reader *reader)
{
	const struct handler *handler = find_handler(reader);

	if (handler && handler->take && reader->command.n_args >= handler->min_args)
		return handler->take(reader);
	if (handler && handler->take)
		note(reader, "words are missing");
	else
		note(reader, "nothing here is about that");
	return 0;
}

static int read_line(struct reader *reader, const char *line, size_t size_bytes, bool *known,
	struct why *ret_why)
{
	int verb, r;

	netscaler_command_clear(&reader->command);
	r = netscaler_command_parse(line, size_bytes, &reader->command, ret_why);
	if (r < 0 || reader->command.words.len == 0)
		return r;
	verb = netscaler_find(argument(reader, 0), verbs);
	if (verb < 0 || reader->command.n_args < 2) {
		note(reader, "no command that is known here");
		return 0;
	}
	*known = true;
	reader->verb = (enum verb)verb;
	return take_command(reader);
}

int netscaler_read(const char *data, size_t size_bytes, struct farm *farm, struct why *ret_why)
{
	_cleanup_(netscaler_objects_clear) struct netscaler_objects objects = { 0 };
	struct reader reader = { .farm = farm };
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
