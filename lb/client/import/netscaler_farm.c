/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual servers of mode MAC with what is bound to them, in our words: see netscaler_farm.h. */
#include "lb/client/import/netscaler_farm.h"

#include <strings.h>

#include "lb/client/import/netscaler_command.h"

#define RANGE_MAX 254u

struct place {
	const struct netscaler_objects *objects;
	struct farm *farm;
	const struct netscaler_object *vserver;
	struct farm_server *server;
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* ---- monitors ---- */

static void apply(struct place *place, const struct netscaler_binding *binding, const char *key,
	uint64_t wanted, uint64_t *value)
{
	if (wanted == 0)
		return;
	if (*value != 0 && *value != wanted)
		farm_note(place->farm, binding->line,
			"monitor %s: %s is one for all checks of a virtual server here, and another "
			"was said before",
			binding->name, key);
	else
		*value = wanted;
}

static void apply_times(struct place *place, const struct netscaler_binding *binding,
	const struct netscaler_object *monitor)
{
	struct farm_server *server = place->server;
	uint64_t fall = server->check_fall, rise = server->check_rise;

	apply(place, binding, "check-interval", monitor->interval_ms, &server->check_interval_ms);
	apply(place, binding, "check-timeout", monitor->timeout_ms, &server->check_timeout_ms);
	apply(place, binding, "check-fall", monitor->retries, &fall);
	apply(place, binding, "check-rise", monitor->successes, &rise);
	server->check_fall = (unsigned int)fall;
	server->check_rise = (unsigned int)rise;
}

/* "HEAD /alive": the appliance asks so when nothing else is said; here it is GET. */
static void add_request(struct place *place, const struct netscaler_binding *binding,
	const struct netscaler_object *monitor)
{
	const char *request = monitor->request ? monitor->request : "HEAD /";
	const char *path = strchr(request, ' ');

	if (strncasecmp(request, "GET ", 4) != 0 && strncasecmp(request, "HEAD ", 5) != 0)
		farm_note(place->farm, binding->line, "monitor %s: %s: only GET is asked here",
			binding->name, request);
	else
		farm_request_add(place->farm, place->server, binding->line, NULL,
			monitor->check_port, path + strspn(path, " "));
}

static void add_monitor(struct place *place, const struct netscaler_binding *binding)
{
	static const struct netscaler_object built_in; /* ping, tcp, http: named as their types */
	const struct netscaler_object *monitor =
		netscaler_object_find(place->objects, NETSCALER_MONITOR, binding->name);
	const char *type = monitor ? or_empty(monitor->type) : binding->name;
	uint64_t port;

	monitor = monitor ? monitor : &built_in;
	if (monitor->disabled)
		return;
	port = monitor->check_port ? monitor->check_port : place->server->port;
	if (strcasecmp(type, "TCP") == 0 || strcasecmp(type, "tcp-default") == 0) {
		if (port > 0 && port <= UINT16_MAX)
			farm_check_add(place->farm, place->server, "tcp:%u", (unsigned int)port);
	} else if (strcasecmp(type, "HTTP") == 0) {
		add_request(place, binding, monitor);
	} else if (strcasecmp(type, "PING") != 0 && strcasecmp(type, "ping-default") != 0 &&
		strcasecmp(type, "ARP") != 0 && strcasecmp(type, "ND6") != 0) {
		farm_note(place->farm, binding->line,
			"monitor %s of type %s: path asks for an answer from the VIP; let the real "
			"server ask more, by check in its dsr-agent.conf",
			binding->name, type);
	}
	apply_times(place, binding, monitor);
}

/* ---- real servers ---- */

static bool is_reachable(struct place *place, const struct netscaler_object *service,
	const struct netscaler_member *member)
{
	char text[ADDR_STRLEN];

	if (member->address.family == AF_UNSPEC || member->port == NETSCALER_PORT_NONE)
		return false; /* a note was made where it stands */
	if (member->port == NETSCALER_PORT_ANY || place->server->port == 0 ||
		member->port == place->server->port)
		return true;
	farm_note(place->farm, member->line,
		"%s %s at %s: port %u is not the port of virtual server %s, %u; no port is translated "
		"here",
		service->n_members > 1 ? "a member of" : "service", service->name,
		addr_format(&member->address, text), member->port, place->vserver->name,
		place->server->port);
	return false;
}

static void add_member(struct place *place, const struct netscaler_object *service,
	const struct netscaler_member *member, uint64_t weight, bool backup)
{
	struct farm_real_server *real_server;

	if (!is_reachable(place, service, member)) {
		place->server->refused = true;
		return;
	}
	real_server =
		farm_real_server_add(place->farm, place->server, &member->address, member->line);
	if (!real_server)
		return;
	farm_name(or_empty(member->server), real_server->name);
	real_server->weight = member->weight * (weight ? weight : 1);
	if (member->disabled || service->disabled)
		real_server->weight = 0;
	real_server->max_connections = service->max_connections;
	real_server->backup = backup;
}

static void add_service(struct place *place, const struct netscaler_binding *binding, bool backup)
{
	const struct netscaler_object *service =
		netscaler_object_find(place->objects, NETSCALER_SERVICE, binding->name);

	if (!service) {
		farm_note(place->farm, binding->line, "there is no service %s", binding->name);
		place->server->refused = true;
		return;
	}
	if (service->usip_said ? !service->usip : !place->objects->usip)
		farm_note(place->farm, service->line,
			"%s has no -usip YES: the client's address would be translated; here servers "
			"see the client's own",
			service->name);
	if (service->type && strncasecmp(service->type, "SSL", 3) == 0 &&
		strcasecmp(service->type, "SSL_BRIDGE") != 0)
		farm_note(place->farm, service->line,
			"%s is of type %s: no TLS begins or ends here", service->name,
			service->type);
	ARRAY_FOREACH (each, service->members, service->n_members)
		add_member(place, service, each, binding->weight, backup);
	if (service->unmonitored)
		place->server->check_none = true;
	ARRAY_FOREACH (each, service->bindings, service->n_bindings)
		add_monitor(place, each);
}

/* ---- virtual servers ---- */

static const char *protocol_of(struct place *place)
{
	/* Types whose answers the appliance reads; a MAC rewrite looks at none of them. */
	static const char *const tcp[] = { "HTTP", "FTP", "RTSP", "DNS_TCP", "MYSQL", "MSSQL",
		"ORACLE", "SMPP", "DIAMETER", "SIP_TCP", "RDP", "PUSH", "NNTP", "MONGO", "MQTT" };
	static const char *const udp[] = { "DNS", "SIP_UDP", "RADIUS", "TFTP", "DHCPRA",
		"SYSLOGUDP", "QUIC_BRIDGE" };
	const char *type = or_empty(place->vserver->type), *protocol = NULL;

	if (strcasecmp(type, "ANY") == 0)
		return "any";
	if (strcasecmp(type, "TCP") == 0 || strcasecmp(type, "SSL_BRIDGE") == 0)
		return "tcp";
	if (strcasecmp(type, "UDP") == 0)
		return "udp";
	for (size_t i = 0; i < ARRAY_LEN(tcp); i++)
		if (strcasecmp(type, tcp[i]) == 0)
			protocol = "tcp";
	for (size_t i = 0; i < ARRAY_LEN(udp); i++)
		if (strcasecmp(type, udp[i]) == 0)
			protocol = "udp";
	if (protocol)
		farm_note(place->farm, place->vserver->line,
			"%s is of type %s: it becomes plain %s, whose content nobody looks at here",
			place->vserver->name, type, protocol);
	else
		farm_note(place->farm, place->vserver->line,
			"%s is of type %s, which ends or changes connections", place->vserver->name,
			type);
	return protocol;
}

static void set_method(struct place *place)
{
	static const struct {
		const char *name;
		enum config_scheduler scheduler;
		enum config_hash hash;
		const char *difference;
	} methods[] = {
		{ "LEASTCONNECTION", CONFIG_LC, CONFIG_SOURCE_IP_PORT, NULL },
		{ "ROUNDROBIN", CONFIG_RR, CONFIG_SOURCE_IP_PORT, NULL },
		{ "SOURCEIPHASH", CONFIG_SOURCE_HASH, CONFIG_SOURCE_IP, NULL },
		/* The destination is the VIP, the same for all. */
		{ "SRCIPDESTIPHASH", CONFIG_SOURCE_HASH, CONFIG_SOURCE_IP, NULL },
		{ "SRCIPSRCPORTHASH", CONFIG_MAGLEV, CONFIG_SOURCE_IP_PORT, NULL },
		{ "LEASTRESPONSETIME", CONFIG_LC, CONFIG_SOURCE_IP_PORT,
			"answers do not pass here; lc is written" },
		{ "LEASTBANDWIDTH", CONFIG_LC, CONFIG_SOURCE_IP_PORT,
			"answers do not pass here; lc is written" },
		{ "LEASTPACKETS", CONFIG_LC, CONFIG_SOURCE_IP_PORT,
			"answers do not pass here; lc is written" },
		{ "LRTM", CONFIG_LC, CONFIG_SOURCE_IP_PORT,
			"answers do not pass here; lc is written" },
		{ "CUSTOMLOAD", CONFIG_LC, CONFIG_SOURCE_IP_PORT,
			"lc is written; an agent may set its weight" },
	};
	const char *method = place->vserver->method ? place->vserver->method : "LEASTCONNECTION";

	ARRAY_FOREACH (each, methods, ARRAY_LEN(methods)) {
		if (strcasecmp(method, each->name) != 0)
			continue;
		place->server->scheduler = each->scheduler;
		place->server->hash = each->hash;
		if (each->difference)
			farm_note(place->farm, place->vserver->line, "%s: -lbMethod %s: %s",
				place->vserver->name, each->name, each->difference);
		return;
	}
	farm_note(place->farm, place->vserver->line,
		"%s: -lbMethod %s: not known here; maglev is written", place->vserver->name,
		method);
}

static void set_mask(struct place *place, const char *mask, unsigned int max, unsigned int *prefix)
{
	if (mask && (!farm_parse_mask(mask, prefix) || *prefix == 0 || *prefix > max)) {
		farm_note(place->farm, place->vserver->line,
			"%s: persistence mask %s is no mask that counts bits from the left",
			place->vserver->name, mask);
		*prefix = 0;
	}
}

static void set_persistence(struct place *place)
{
	const struct netscaler_object *vserver = place->vserver;
	const char *type = or_empty(vserver->persistence);

	if (*type == '\0' || strcasecmp(type, "NONE") == 0)
		return;
	/* By source and destination is by source: the destination is the VIP. */
	if (strcasecmp(type, "SOURCEIP") != 0 && strcasecmp(type, "SRCIPDESTIP") != 0) {
		farm_note(place->farm, vserver->line,
			"%s: -persistenceType %s: clients are known by their addresses here",
			vserver->name, type);
		return;
	}
	place->server->persistence_s = vserver->persistence_min * 60;
	if (vserver->persistence_min == 0)
		farm_note(place->farm, vserver->line, "%s: -timeout 0: persistence ends here",
			vserver->name);
	set_mask(place, vserver->mask4, 32, &place->server->prefix4);
	set_mask(place, vserver->mask6, 128, &place->server->prefix6);
}

static void set_times(struct place *place)
{
	uint64_t timeout_s = place->vserver->client_timeout_s;
	struct farm_server *server = place->server;

	if (!streq(server->protocol, "udp"))
		server->tcp_timeout_s = timeout_s;
	if (!streq(server->protocol, "tcp"))
		server->udp_timeout_s = timeout_s;
	if (place->vserver->health_threshold > 0) {
		server->minimum =
			(unsigned int)MIN(place->vserver->health_threshold, UINT64_C(100));
		server->minimum_percent = true;
	}
}

static void set_vips(struct place *place)
{
	const struct netscaler_object *vserver = place->vserver;
	struct addr address = vserver->address;

	if (vserver->range > RANGE_MAX)
		farm_note(place->farm, vserver->line, "%s: -range: more addresses than are read",
			vserver->name);
	for (uint64_t i = 0; i < MIN(MAX(vserver->range, UINT64_C(1)), (uint64_t)RANGE_MAX); i++) {
		farm_vip_add(place->farm, place->server, &address);
		for (size_t byte = addr_size_bytes(&address); byte-- > 0;)
			if (++address.bytes[byte] != 0)
				break;
	}
}

/* Whether it goes by MAC; false with a note. */
static bool is_direct(struct farm *farm, const struct netscaler_object *vserver)
{
	const char *mode = vserver->mode ? vserver->mode : "IP";

	if (strcasecmp(mode, "MAC") == 0)
		return true;
	farm_note(farm, vserver->line,
		"%s is of mode %s%s: %s; only -m MAC is Direct Server Return by MAC", vserver->name,
		mode, vserver->mode ? "" : " (the default)",
		strcasecmp(mode, "IP") == 0 ? "addresses are translated (NAT)"
					    : "packets are wrapped or marked");
	return false;
}

static bool is_backup(
	const struct netscaler_objects *objects, const struct netscaler_object *vserver)
{
	for (size_t i = 0; i < objects->n_items; i++)
		if (objects->items[i]->backup &&
			strcasecmp(objects->items[i]->backup, vserver->name) == 0)
			return true;
	return false;
}

static void add_backup(struct place *place)
{
	const struct netscaler_object *backup =
		netscaler_object_find(place->objects, NETSCALER_VSERVER, place->vserver->backup);

	if (!backup) {
		farm_note(place->farm, place->vserver->line, "%s: there is no virtual server %s",
			place->vserver->name, place->vserver->backup);
		return;
	}
	if (backup->backup)
		farm_note(place->farm, backup->line,
			"%s has a backup of its own; there is one tier of backups here",
			backup->name);
	if (!is_direct(place->farm, backup))
		return;
	ARRAY_FOREACH (each, backup->bindings, backup->n_bindings)
		add_service(place, each, true);
}

static void add_vserver(const struct netscaler_objects *objects, struct farm *farm,
	const struct netscaler_object *vserver)
{
	struct place place = { .objects = objects, .farm = farm, .vserver = vserver };
	bool no_address =
		vserver->address.family == AF_UNSPEC || !addr_is_unicast(&vserver->address);
	const char *protocol;

	/* Of itself it serves nobody: its services stand where it is the backup. */
	if (no_address && is_backup(objects, vserver))
		return;
	if (no_address || vserver->port == NETSCALER_PORT_NONE) {
		farm_note(
			farm, vserver->line, "%s has no address or port of its own", vserver->name);
		return;
	}
	if (vserver->disabled) {
		farm_note(farm, vserver->line, "%s is disabled", vserver->name);
		return;
	}
	if (!is_direct(farm, vserver))
		return;
	protocol = protocol_of(&place);
	place.server = protocol ? farm_server_add(farm, vserver->line) : NULL;
	if (!place.server)
		return;
	place.server->protocol = protocol;
	place.server->port = (uint16_t)vserver->port;
	place.server->sessionless = vserver->sessionless;
	farm_name(vserver->name, place.server->name);
	set_vips(&place);
	set_method(&place);
	set_persistence(&place);
	set_times(&place);
	ARRAY_FOREACH (each, vserver->bindings, vserver->n_bindings)
		add_service(&place, each, false);
	if (vserver->backup)
		add_backup(&place);
}

int netscaler_farm(const struct netscaler_objects *objects, struct farm *farm)
{
	for (size_t i = 0; i < objects->n_items; i++)
		if (objects->items[i]->kind == NETSCALER_VSERVER)
			add_vserver(objects, farm, objects->items[i]);
	return farm->failed ? -ENOMEM : 0;
}
