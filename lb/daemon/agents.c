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
#include "lb/daemon/update.h"
#include "lb/link/neigh/neigh.h"
#include "lb/link/reminder.h"
#include "lb/publish/publish.h"
#include "lb/session/session_socket.h"
#include "lb/watch/tables.h"

struct agents {
	struct balancer *balancer;
	struct tables tables;
	struct session_socket *socket; /* NULL while the backend interface is not there */
	unsigned int ifindex;
	int reminder_fd;           /* -1 until it is needed */
	struct why reason;         /* why there are no sockets */
	bool failed;               /* and it was said */
	struct log_limit refusals; /* what was logged of them */
};

struct agents *agents_new(struct balancer *balancer)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	if (!agents)
		return NULL;
	agents->balancer = balancer;
	agents->reminder_fd = -1;
	return agents;
}

struct agents *agents_free(struct agents *agents)
{
	if (!agents)
		return NULL;
	session_socket_free(agents->socket);
	util_close(agents->reminder_fd);
	free(agents);
	return NULL;
}

static void agents_on_datagram(
	const struct udp_datagram *datagram, bool mac_is_source, void *context)
{
	struct agents *agents = context;
	struct balancer *balancer = agents->balancer;
	const struct session_arrival arrived = {
		.path = { datagram->source, datagram->local },
		.hop_limit = datagram->hop_limit,
		.mac_is_source = mac_is_source,
		.data = datagram->data,
		.size_bytes = datagram->size_bytes,
	};
	const struct backend *backend =
		registry_find_address(balancer->registry, &datagram->source.addr);
	enum session_refusal refusal;
	size_t sessions_before = session_len(balancer->sessions);
	uint64_t now_us = clock_now_us();

	/* It may have another network card now, and must be reached there; heartbeats go to the old one. */
	if (backend && registry_is_overdue(balancer->registry, backend, now_us))
		neigh_unpin(balancer->neigh, &datagram->source.addr);
	refusal = session_receive(balancer->sessions, &arrived, now_us);
	if (session_len(balancer->sessions) != sessions_before)
		update_mark_save(balancer->update);
	/* Where a clone is suspected, the original is asked. */
	if (refusal != SESSION_ACCEPTED && refusal != SESSION_POLICY_0 + PROTO_REJECT_CLONE)
		return;
	backend = registry_find_address(balancer->registry, &datagram->source.addr);
	if (backend)
		publish_report(balancer->publish, balancer->registry, backend);
	actions_run(balancer->actions);
}

/* The sockets are bound to the interface by its index: one that is made anew needs new ones. */
int agents_listen(struct agents *agents)
{
	const struct balancer *balancer = agents->balancer;
	const struct neigh_link *link = neigh_backend_link(balancer->neigh);
	const struct session_socket_config config = {
		.interface = link->name,
		.listen = &balancer->config->listen,
		.fn = agents_on_datagram,
		.context = agents,
	};
	int r;

	if (agents->ifindex == link->ifindex)
		return 0;
	agents->socket = session_socket_free(agents->socket);
	agents->ifindex = 0;
	if (link->ifindex == 0) {
		why_set(&agents->reason, "interface %s is not there", link->name);
		return 0;
	}
	r = session_socket_open(balancer->event, &config, &agents->socket, &agents->reason);
	if (r < 0 && !agents->failed)
		(void)log_errno(r, "%s", agents->reason.text);
	agents->failed = r < 0;
	/* As an interface, an address may come later. */
	if (r < 0)
		return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
	agents->ifindex = link->ifindex;
	agents->reason = (struct why){ 0 };
	return 0;
}

bool agents_are_crowded(const struct agents *agents)
{
	return agents->socket && session_socket_is_crowded(agents->socket);
}

struct agents_status agents_status(const struct agents *agents)
{
	return (struct agents_status){ agents->socket, agents->reason.text };
}

/*
 * Who was told that the balancer is elsewhere hears its heartbeats, and its answers go astray: a forged frame
 * would fail it. So before another heartbeat it is told the truth, where its REGISTER said that it is.
 */
static void agents_remind(struct agents *agents, const struct session_path *path)
{
	const struct balancer *balancer = agents->balancer;
	const struct neigh_link *link = neigh_backend_link(balancer->neigh);
	const struct backend *backend =
		registry_find_address(balancer->registry, &path->remote.addr);
	int r = 0;

	if (!backend || mac_is_zero(&backend->mac) || link->ifindex == 0 ||
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
	char text[ADDR_PORT_STRLEN];
	int r = -ENETDOWN;

	if (proto_peek_type(data, size_bytes, &type) == PROTO_OK && type == PROTO_HEARTBEAT)
		agents_remind(agents, path);
	if (agents->socket)
		r = session_socket_send(
			agents->socket, &path->local, &path->remote, data, size_bytes);
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
	const struct neigh *neigh = ((struct agents *)context)->balancer->neigh;

	if (mac_equal(&neigh_client_link(neigh)->mac, mac) ||
		mac_equal(&neigh_backend_link(neigh)->mac, mac))
		return "the balancer";
	return NULL;
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

static void agents_told(void *context, const struct addr *other, const struct proto_table *table)
{
	const struct agents *agents = context;
	const struct tables_parts parts = agents_tables_parts(agents->balancer);

	tables_told(&parts, other, table, clock_now_us());
}

struct session_calls agents_calls(struct agents *agents)
{
	return (struct session_calls){
		.send = agents_send,
		.refused = agents_refused,
		.mac_owner = agents_mac_owner,
		.table = agents_table,
		.told = agents_told,
		.context = agents,
	};
}
