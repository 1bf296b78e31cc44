/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent as a document. Called by verbs.c. Changes nothing.
 */
#include "agent/control/status.h"

#include <netinet/in.h>

#include "agent/chance/chance.h"
#include "agent/check/checks.h"
#include "agent/daemon/summary.h"
#include "agent/host/listeners.h"
#include "agent/host/reconcile.h"
#include "agent/registration/balancers.h"
#include "agent/registration/pins.h"
#include "common/proto/vips.h"

#define STATUS_SCHEMA 1

/* The words of backends, for what a balancer thinks of us as far as we know. */
static const char *status_balancer_state(const struct register_view *view)
{
	switch (view->state) {
	case REGISTER_REGISTERED:
		return "up";
	case REGISTER_REFUSED:
		return "down";
	case REGISTER_LEAVING:
	case REGISTER_LEFT:
		return "drain";
	default:
		return "pending";
	}
}

static json_t *status_vips(const struct agent *agent)
{
	const struct addr *vips = agent->settings->config->vips.items;
	json_t *list = json_array();

	for (size_t idx = 0; idx < agent->settings->config->vips.len; idx++) {
		char text[ADDR_STRLEN];

		(void)json_array_append_new(list,
			json_pack("{s:s, s:b, s:b, s:I}", "address", addr_format(&vips[idx], text),
				"present", (int)vips_are_present(&agent->status, idx), "silent",
				(int)vips_are_silent(&agent->status, idx), "established",
				(json_int_t)agent->established[idx]));
	}
	return list;
}

/* Effective values: what the kernel goes by. */
static json_t *status_arp(const struct agent *agent)
{
	const struct host *host = reconcile_host(agent->reconcile);
	/* Nobody asks by ARP for an IPv6 address: without an IPv4 VIP there is nothing to silence. */
	bool needed = host_wants_ipv4(reconcile_wanted(agent->reconcile));
	json_t *list = json_array();

	ARRAY_FOREACH (link, host->links, host->n_links) {
		json_t *object;

		if (!link->arp || !link->has_inet)
			continue;
		object = json_pack("{s:s, s:I, s:I, s:b}", "interface", link->name, "arp_ignore",
			(json_int_t)host_effective_ignore(host, link), "arp_announce",
			(json_int_t)host_effective_announce(host, link), "ok",
			(int)(!needed || host_link_is_silent(host, link)));
		if (link->exempt)
			(void)json_object_set_new(object, "exempt", json_true());
		(void)json_array_append_new(list, object);
	}
	return list;
}

static json_t *status_balancers(const struct agent *agent)
{
	uint64_t now_us = agent_now(agent);
	json_t *list = json_array();

	for (size_t idx = 0; idx < balancers_len(agent->balancers); idx++) {
		const struct register_view *view = balancers_view(agent->balancers, idx);
		char text[ADDR_STRLEN], mac[MAC_STRLEN];
		json_t *last = json_null();

		if (view->last_heartbeat_us)
			last = json_integer(
				(json_int_t)((now_us - view->last_heartbeat_us) / US_PER_MS));
		(void)json_array_append_new(list,
			json_pack("{s:s, s:i, s:s, s:s, s:f, s:o, s:s?, s:s}", "address",
				addr_format(&view->balancer.addr, text), "port",
				(int)view->balancer.port, "state", status_balancer_state(view),
				"reason", view->reason, "since_s",
				(double)(now_us - view->since_us) / (double)US_PER_S,
				"last_heartbeat_ms", last, "mac",
				mac_is_zero(&view->place.mac) ? NULL
							      : mac_format(&view->place.mac, mac),
				"neighbour",
				pins_state_name(pins_state(agent->pins, &view->balancer.addr))));
	}
	return list;
}

/* A check that has not run yet took no time. */
static json_t *status_checks(const struct agent *agent)
{
	uint64_t now_us = agent_now(agent);
	json_t *list = json_array();

	for (size_t idx = 0; idx < checks_len(agent->checks); idx++) {
		struct checks_view view = checks_view(agent->checks, idx);
		const struct check_health *health = view.health;
		char vip[ADDR_STRLEN] = "";

		if (view.vip)
			addr_format(view.vip, vip);
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s?, s:s, s:b, s:s, s:f, s:o}", "name", view.name, "vip",
				view.vip ? vip : NULL, "state", check_state_name(health->state),
				"warning", (int)health->warns, "reason", health->reason, "since_s",
				(double)(now_us - MIN(health->since_us, now_us)) / (double)US_PER_S,
				"took_ms",
				view.has_run ? json_real((double)view.took_us / (double)US_PER_MS)
					     : json_null()));
	}
	return list;
}

/* Whether any balancer has it in a virtual server; `vip` is a position. */
static bool status_is_asked(const struct agent *agent, size_t vip, const struct listener *listener)
{
	for (size_t idx = 0; idx < balancers_len(agent->balancers); idx++) {
		const struct ports *asked = balancers_asked(agent->balancers, idx);

		ARRAY_FOREACH (port, asked->items, asked->len)
			if (port->vip == vip && port->protocol == listener->protocol &&
				port->first <= listener->port && listener->port <= port->last)
				return true;
	}
	return false;
}

static json_t *status_listener(
	const struct agent *agent, size_t vip, const struct listener *listener)
{
	const struct addr *vips = agent->settings->config->vips.items;
	char text[ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:s, s:b}", "vip", addr_format(&vips[vip], text), "port",
		(int)listener->port, "protocol", listener->protocol == IPPROTO_UDP ? "udp" : "tcp",
		"asked", status_is_asked(agent, vip, listener));
}

/* Who would answer at each VIP. Several sockets may share a port. */
static json_t *status_listeners(const struct agent *agent)
{
	const struct addr *vips = agent->settings->config->vips.items;
	size_t len;
	const struct listener *listeners = listeners_all(agent->listeners, &len);
	json_t *list = json_array();

	ARRAY_FOREACH (vip, vips, agent->settings->config->vips.len) {
		const struct listener *last = NULL;

		ARRAY_FOREACH (listener, listeners, len) {
			if (!listener_takes(listener, vip) ||
				(last && last->port == listener->port &&
					last->protocol == listener->protocol))
				continue;
			last = listener;
			(void)json_array_append_new(
				list, status_listener(agent, (size_t)(vip - vips), listener));
		}
	}
	return list;
}

static json_t *status_control(const struct agent *agent)
{
	struct balancers_counters counters;
	json_t *rejected = json_object();

	balancers_count(agent->balancers, &counters);
	for (unsigned int refusal = REGISTER_ACCEPTED + 1; refusal < REGISTER_REFUSAL_N_;
		refusal++) {
		if (counters.rejected[refusal])
			(void)json_object_set_new(rejected, register_refusal_name(refusal),
				json_integer((json_int_t)counters.rejected[refusal]));
	}
	return json_pack("{s:I, s:I, s:o}", "received", (json_int_t)counters.received, "accepted",
		(json_int_t)counters.accepted, "rejected", rejected);
}

static json_t *status_second_chance(const struct agent *agent)
{
	uint64_t taken = 0, passed_on = 0;

	if (agent->chance)
		chance_count(agent->chance, &taken, &passed_on);
	return json_pack("{s:b, s:s, s:i, s:I, s:I}", "on", (int)(agent->chance != NULL), "reason",
		agent->chance_why, "peers", agent->chance ? (int)chance_n_peers(agent->chance) : 0,
		"taken", (json_int_t)taken, "passed_on", (json_int_t)passed_on);
}

json_t *status_make(const struct agent *agent)
{
	uint64_t uptime_us = agent_now(agent) - agent->started_us;
	struct why reason = { 0 };
	char real_ip[ADDR_STRLEN] = "";
	const char *state = summary_state(agent, &reason);

	if (agent->has_identity)
		addr_format(&agent->identity.real_ip, real_ip);
	return json_pack(
		"{s:i, s:s, s:i, s:s, s:f, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:I}",
		"schema", STATUS_SCHEMA, "version", DSR_VERSION, "pid", (int)getpid(),
		"config_file", agent->config_path, "uptime_s", (double)uptime_us / (double)US_PER_S,
		"health", (int)summary_health(agent), "name", agent->settings->name, "real_ip",
		real_ip, "interface", agent->identity.interface, "state", state, "reason",
		reason.text, "admin", report_admin_name(agent->admin), "weight",
		(int)agent->settings->weight, "control", status_control(agent), "vips",
		status_vips(agent), "arp", status_arp(agent), "balancers", status_balancers(agent),
		"checks", status_checks(agent), "listeners", status_listeners(agent),
		"second_chance", status_second_chance(agent), "repairs",
		(json_int_t)reconcile_repairs(agent->reconcile));
}
