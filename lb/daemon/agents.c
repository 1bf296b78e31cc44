/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between sockets and sessions: see agents.h. */
#include "lb/daemon/agents.h"

#include "common/os/clock.h"
#include "common/events/events.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "lb/config/model.h"
#include "lb/daemon/actions.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/path_checks.h"
#include "lb/daemon/update.h"
#include "lb/link/neigh/segments.h"
#include "lb/link/reminder.h"
#include "lb/publish/publish.h"
#include "lb/session/session_socket.h"
#include "lb/watch/tables.h"

/* On one interface to backends. */
struct agents_link {
	struct agents *agents;
	size_t place;                  /* among segments */
	struct session_socket *socket; /* NULL while the interface is not there */
	unsigned int ifindex;
	struct why reason; /* why there are no sockets; "": there are, or nobody has the place */
	bool failed;       /* and it was said */
};

struct agents {
	struct balancer *balancer;
	struct tables tables;
	struct agents_link links[SEGMENTS_MAX];
	int reminder_fd;           /* -1 until it is needed */
	struct log_limit refusals; /* what was logged of them */
};

struct agents *agents_new(struct balancer *balancer)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	if (!agents)
		return NULL;
	agents->balancer = balancer;
	agents->reminder_fd = -1;
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		agents->links[i] = (struct agents_link){ .agents = agents, .place = i };
	return agents;
}

struct agents *agents_free(struct agents *agents)
{
	if (!agents)
		return NULL;
	ARRAY_FOREACH (link, agents->links, SEGMENTS_MAX)
		session_socket_free(link->socket);
	util_close(agents->reminder_fd);
	free(agents);
	return NULL;
}

static void agents_on_datagram(
	const struct udp_datagram *datagram, bool mac_is_source, void *context)
{
	const struct agents_link *link = context;
	struct agents *agents = link->agents;
	struct balancer *balancer = agents->balancer;
	const struct session_arrival arrived = {
		.path = { datagram->source, datagram->local },
		.hop_limit = datagram->hop_limit,
		/* It must be reached by the interface of its address, and at that MAC. */
		.mac_is_source = mac_is_source &&
			segments_find(balancer->segments, &datagram->source.addr) == link->place,
		.data = datagram->data,
		.size_bytes = datagram->size_bytes,
	};
	struct neigh *neigh = segments_neigh_at(balancer->segments, link->place);
	const struct backend *backend =
		registry_find_address(balancer->registry, &datagram->source.addr);
	enum session_refusal refusal;
	uint64_t sessions_before = session_changes(balancer->sessions);
	uint64_t now_us = clock_now_us();

	/* It may have another network card now, and must be reached there; heartbeats go to the old one. */
	if (backend && neigh && registry_is_overdue(balancer->registry, backend, now_us))
		neigh_unpin(neigh, &datagram->source.addr);
	refusal = session_receive(balancer->sessions, &arrived, now_us);
	if (session_changes(balancer->sessions) != sessions_before)
		update_mark_save(balancer->update);
	/* Where a clone is suspected, the original is asked. */
	if (refusal != SESSION_ACCEPTED && refusal != SESSION_POLICY_0 + PROTO_REJECT_CLONE)
		return;
	backend = registry_find_address(balancer->registry, &datagram->source.addr);
	if (backend)
		publish_report(balancer->publish, balancer->registry, backend);
	/* By its own authenticated word: anybody can say HELLO. */
	if (backend && backend->heard_us == now_us)
		path_checks_heard(balancer->path_checks, backend->id);
	actions_run(balancer->actions);
}

/* The sockets are bound to the interface by its index: one that is made anew needs new ones. */
static int agents_listen_on(struct agents_link *agents_link, const struct neigh_link *link)
{
	const struct balancer *balancer = agents_link->agents->balancer;
	const struct session_socket_config config = {
		.interface = link ? link->name : "",
		.listen = &balancer->config->listen,
		.fn = agents_on_datagram,
		.context = agents_link,
	};
	int r;

	if (link && link->ifindex != 0 && agents_link->ifindex == link->ifindex)
		return 0;
	agents_link->socket = session_socket_free(agents_link->socket);
	agents_link->ifindex = 0;
	if (!link || link->ifindex == 0) {
		agents_link->reason = (struct why){ 0 };
		if (link)
			why_set(&agents_link->reason, "interface %s is not there", link->name);
		return 0;
	}
	r = session_socket_open(
		balancer->event, &config, &agents_link->socket, &agents_link->reason);
	if (r < 0 && !agents_link->failed)
		(void)log_errno(r, "%s", agents_link->reason.text);
	agents_link->failed = r < 0;
	/* As an interface, an address may come later. */
	if (r < 0)
		return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
	agents_link->ifindex = link->ifindex;
	agents_link->reason = (struct why){ 0 };
	return 0;
}

int agents_listen(struct agents *agents)
{
	int result = 0;

	ARRAY_FOREACH (link, agents->links, SEGMENTS_MAX) {
		int r = agents_listen_on(
			link, segments_link(agents->balancer->segments, link->place));

		result = result < 0 ? result : r;
	}
	return result;
}

bool agents_are_crowded(const struct agents *agents)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (agents->links[i].socket && session_socket_is_crowded(agents->links[i].socket))
			return true;
	return false;
}

struct agents_status agents_status(const struct agents *agents)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (agents->links[i].reason.text[0])
			return (struct agents_status){ false, agents->links[i].reason.text };
	return (struct agents_status){ true, "" };
}

/*
 * Who was told that the balancer is elsewhere hears its heartbeats, and its answers go astray: a forged frame
 * would fail it. So before another heartbeat it is told the truth, where its REGISTER said that it is.
 */
static void agents_remind(struct agents *agents, const struct session_path *path)
{
	const struct balancer *balancer = agents->balancer;
	const struct neigh_link *link = segments_link_of(balancer->segments, &path->remote.addr);
	const struct backend *backend =
		registry_find_address(balancer->registry, &path->remote.addr);
	int r = 0;

	if (!backend || mac_is_zero(&backend->mac) || !link || link->ifindex == 0 ||
		!registry_is_overdue(balancer->registry, backend, clock_now_us()))
		return;
	if (agents->reminder_fd < 0)
		r = reminder_open(&agents->reminder_fd);
	if (r >= 0)
		r = reminder_send(agents->reminder_fd, link->ifindex, &path->local, &link->mac,
			&backend->mac);
	if (r < 0)
		log_debug("cannot tell %s where this balancer is: %s", backend->name,
			strerrordesc_np(-r));
}

static int agents_send(
	void *context, const struct session_path *path, const uint8_t *data, size_t size_bytes)
{
	struct agents *agents = context;
	enum proto_type type = PROTO_HELLO;
	size_t place = segments_find(agents->balancer->segments, &path->remote.addr);
	struct session_socket *socket = place < SEGMENTS_MAX ? agents->links[place].socket : NULL;
	char text[ADDR_PORT_STRLEN];
	int r = -ENETDOWN;

	if (proto_peek_type(data, size_bytes, &type) == PROTO_OK && type == PROTO_HEARTBEAT)
		agents_remind(agents, path);
	if (socket)
		r = session_socket_send(socket, &path->local, &path->remote, data, size_bytes);
	if (r < 0)
		log_debug("cannot send to %s: %s", addr_port_format(&path->remote, text),
			strerror(-r));
	return r;
}

static void agents_refused(void *context, const struct addr_port *source,
	enum session_refusal refusal, const char *words)
{
	struct agents *agents = context;
	uint64_t silenced = 0;
	bool overflow = false;
	char text[ADDR_PORT_STRLEN], address[ADDR_STRLEN];
	const struct event event = {
		.message = EVENT_REFUSED,
		.level = LOG_LEVEL_WARNING,
		.address = addr_format(&source->addr, address),
		.now = session_refusals_name(refusal),
		.reason = words[0] ? words : session_refusals_name(refusal),
	};

	if (!log_limit_is_due(
		    &agents->refusals, &source->addr, clock_now_us(), &silenced, &overflow))
		return;
	events_raise(agents->balancer->events, &event,
		"message from %s refused: %s%s%s (%llu more since the last such line)%s",
		addr_port_format(source, text), session_refusals_name(refusal),
		words[0] ? ": " : "", words, (unsigned long long)silenced,
		overflow ? "; many sources at once" : "");
}

static const char *agents_mac_owner(void *context, const struct mac *mac)
{
	const struct balancer *balancer = ((struct agents *)context)->balancer;

	if (mac_equal(&neigh_client_link(balancer->neigh)->mac, mac))
		return "the balancer";
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_link(balancer->segments, i);

		if (link && mac_equal(&link->mac, mac))
			return "the balancer";
	}
	return NULL;
}

/* Its answers go to the address that it is spoken to from, and to those that its VIPs are probed from. */
static void agents_place(
	void *context, const struct session_path *path, struct proto_place *ret_place)
{
	const struct balancer *balancer = ((const struct agents *)context)->balancer;
	const struct neigh_link *link = segments_link_of(balancer->segments, &path->remote.addr);
	static const sa_family_t families[] = { AF_INET, AF_INET6 };
	struct proto_place place = { 0 };

	if (!link || link->ifindex == 0 || mac_is_zero(&link->mac))
		return;
	place.mac = link->mac;
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		const struct addr *source =
			path_checks_source(balancer->path_checks, &path->remote.addr, *family);

		if (source && !addr_equal(source, &path->local))
			place.addresses[place.n_addresses++] = *source;
	}
	*ret_place = place;
}

static struct tables_parts agents_tables_parts(const struct balancer *balancer)
{
	return (struct tables_parts){ balancer->services, balancer->publish, balancer->sessions,
		balancer->events, balancer->config->heartbeat_interval_us };
}

static bool agents_table(void *context, struct proto_table *ret_table)
{
	struct agents *agents = context;
	const struct tables_parts parts = agents_tables_parts(agents->balancer);

	return tables_next(&agents->tables, &parts, clock_now_us(), ret_table);
}

static void agents_told(
	void *context, uint16_t id, const struct addr *other, const struct proto_table *table)
{
	struct agents *agents = context;
	const struct backend *backend = registry_backend(agents->balancer->registry, id);
	const struct tables_parts parts = agents_tables_parts(agents->balancer);

	tables_told(&agents->tables, &parts, backend ? backend->name : "an agent that has left",
		other, table, clock_now_us());
}

struct session_calls agents_calls(struct agents *agents)
{
	return (struct session_calls){
		.send = agents_send,
		.refused = agents_refused,
		.mac_owner = agents_mac_owner,
		.table = agents_table,
		.told = agents_told,
		.place = agents_place,
		.context = agents,
	};
}
