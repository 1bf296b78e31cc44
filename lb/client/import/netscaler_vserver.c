/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of virtual servers: see netscaler_vserver.h. */
#include "lb/client/import/netscaler_vserver.h"

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

static int take_vserver_text(struct netscaler_reader *reader, struct netscaler_object *vserver,
	enum vserver_option which, const struct netscaler_option *option)
{
	const char *value = netscaler_value(option);

	switch (which) {
	case VSERVER_MODE:
		return netscaler_set_text(&vserver->mode, value);
	case VSERVER_METHOD:
		return netscaler_set_text(&vserver->method, value);
	case VSERVER_PERSISTENCE:
		return netscaler_set_text(&vserver->persistence, value);
	case VSERVER_PERSIST_MASK:
		return netscaler_set_text(&vserver->mask4, value);
	case VSERVER_PERSIST_MASK6:
		return netscaler_set_text(&vserver->mask6, value);
	case VSERVER_BACKUP:
		return netscaler_set_text(&vserver->backup, value);
	case VSERVER_FAILOVER:
		if (!netscaler_is_off(option) && !netscaler_is_short_for(value, "STATELESS"))
			netscaler_note_option(reader, option,
				"balancers share no connections; those with the same table choose "
				"alike");
		return 0;
	default:
		if (!streq(value, "255.255.255.255") && !streq(value, "128"))
			netscaler_note_option(reader, option, "the whole address is hashed here");
		return 0;
	}
}

static int take_vserver_option(struct netscaler_reader *reader, struct netscaler_object *vserver,
	int idx, const struct netscaler_option *option)
{
	switch ((enum vserver_option)idx) {
	case VSERVER_SESSIONLESS:
		vserver->sessionless = !netscaler_is_off(option);
		return 0;
	case VSERVER_STATE:
		vserver->disabled = netscaler_is_off(option);
		return 0;
	case VSERVER_TIMEOUT:
		netscaler_set_number(reader, option, &vserver->persistence_min);
		return 0;
	case VSERVER_HEALTH:
		netscaler_set_number(reader, option, &vserver->health_threshold);
		return 0;
	case VSERVER_CLIENT_TIMEOUT:
		netscaler_set_number(reader, option, &vserver->client_timeout_s);
		return 0;
	case VSERVER_RANGE:
		netscaler_set_number(reader, option, &vserver->range);
		return 0;
	default:
		return take_vserver_text(reader, vserver, (enum vserver_option)idx, option);
	}
}

int netscaler_take_vserver(struct netscaler_reader *reader)
{
	struct netscaler_object *vserver = netscaler_object_add(
		&reader->objects, NETSCALER_VSERVER, netscaler_argument(reader, 3), reader->line);
	int r;

	if (!vserver)
		return -ENOMEM;
	if (reader->verb == NETSCALER_ADD) {
		vserver->persistence_min = 2; /* when no -timeout is given */
		vserver->range = 1;
		vserver->port = netscaler_port(netscaler_argument(reader, 6));
		if (addr_parse(netscaler_argument(reader, 5), &vserver->address) < 0)
			vserver->address = (struct addr){ .family = AF_UNSPEC };
		r = netscaler_set_text(&vserver->type, netscaler_argument(reader, 4));
		if (r < 0)
			return r;
	}
	return netscaler_each_option(
		reader, vserver, vserver_names, vserver_quiet, take_vserver_option);
}

int netscaler_bind_vserver(struct netscaler_reader *reader)
{
	struct netscaler_object *vserver = netscaler_object_find(
		&reader->objects, NETSCALER_VSERVER, netscaler_argument(reader, 3));
	uint64_t weight = 0;

	if (!vserver) {
		netscaler_note(reader, "no line before adds it");
		return 0;
	}
	if (reader->command.n_args < 5) {
		netscaler_note(
			reader, "of what is bound to a virtual server services alone are read");
		return 0;
	}
	for (size_t i = 0; i < reader->command.n_options; i++) {
		if (netscaler_is_short_for(reader->command.options[i].name, "weight"))
			netscaler_set_number(reader, &reader->command.options[i], &weight);
		else
			netscaler_note_option(
				reader, &reader->command.options[i], "not known here");
	}
	return netscaler_bind(vserver, netscaler_argument(reader, 4), weight, reader->line);
}
