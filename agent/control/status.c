/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon as a document. Called by verbs.c and for sd_notify's STATUS. Changes nothing.
 */
#include "agent/control/status.h"

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

static void status_pending_reason(const struct daemon *daemon, char *ret_reason)
{
	if (daemon->identity_why[0])
		snprintf(ret_reason, STATUS_REASON_BYTES, "%s", daemon->identity_why);
	else if (balancers_len(daemon->balancers) > 0)
		snprintf(ret_reason, STATUS_REASON_BYTES, "%s",
			balancers_view(daemon->balancers, 0)->reason);
	else
		snprintf(ret_reason, STATUS_REASON_BYTES, "not started");
}

const char *status_state(const struct daemon *daemon, char *ret_reason)
{
	const struct proto_status *status = &daemon->status;

	if (daemon->has_status && status->state == PROTO_STATE_DOWN) {
		/* The whole complaint; the protocol's has less room. */
		const char *blocked = reconcile_blocked(daemon->reconcile);

		snprintf(ret_reason, STATUS_REASON_BYTES, "%s",
			blocked[0] ? blocked : status->reason);
		return "down";
	}
	if (!daemon->has_status || balancers_registered(daemon->balancers) == 0) {
		status_pending_reason(daemon, ret_reason);
		return "pending";
	}
	snprintf(ret_reason, STATUS_REASON_BYTES, "%s", status->reason);
	return proto_state_name(status->state);
}

enum status_health status_health(const struct daemon *daemon)
{
	if (balancers_registered(daemon->balancers) == 0)
		return STATUS_NO_BALANCER;
	if (daemon->status.state != PROTO_STATE_UP ||
		balancers_registered(daemon->balancers) < balancers_len(daemon->balancers))
		return STATUS_DEGRADED;
	return STATUS_WELL;
}

static json_t *status_vips(const struct daemon *daemon)
{
	const struct addr *vips = daemon->settings->config->vips.items;
	json_t *list = json_array();

	for (size_t idx = 0; idx < daemon->settings->config->vips.len; idx++) {
		const struct proto_vip_status *vip = &daemon->status.vips[idx];
		char text[ADDR_STRLEN];

		(void)json_array_append_new(list,
			json_pack("{s:s, s:b, s:b, s:I}", "address", addr_format(&vips[idx], text),
				"present", (int)vip->present, "silent", (int)vip->silent,
				"established", (json_int_t)vip->established));
	}
	return list;
}

/* Effective values: what the kernel goes by. */
static json_t *status_arp(const struct daemon *daemon)
{
	const struct host *host = reconcile_host(daemon->reconcile);
	/* Nobody asks by ARP for an IPv6 address: without an IPv4 VIP there is nothing to silence. */
	bool needed = host_wants_ipv4(reconcile_wanted(daemon->reconcile));
	json_t *list = json_array();

	ARRAY_FOREACH (link, host->links, host->n_links) {
		if (!link->arp || !link->has_inet)
			continue;
		(void)json_array_append_new(list,
			json_pack("{s:s, s:I, s:I, s:b}", "interface", link->name, "arp_ignore",
				(json_int_t)host_effective_ignore(host, link), "arp_announce",
				(json_int_t)host_effective_announce(host, link), "ok",
				(int)(!needed || host_link_is_silent(host, link))));
	}
	return list;
}

static json_t *status_balancers(const struct daemon *daemon)
{
	uint64_t now_us = daemon_now(daemon);
	json_t *list = json_array();

	for (size_t idx = 0; idx < balancers_len(daemon->balancers); idx++) {
		const struct register_view *view = balancers_view(daemon->balancers, idx);
		char text[ADDR_STRLEN];
		json_t *last = json_null();

		if (view->last_heartbeat_us)
			last = json_integer(
				(json_int_t)((now_us - view->last_heartbeat_us) / US_PER_MS));
		(void)json_array_append_new(list,
			json_pack("{s:s, s:i, s:s, s:s, s:f, s:o}", "address",
				addr_format(&view->balancer.addr, text), "port",
				(int)view->balancer.port, "state", status_balancer_state(view),
				"reason", view->reason, "since_s",
				(double)(now_us - view->since_us) / (double)US_PER_S,
				"last_heartbeat_ms", last));
	}
	return list;
}

static json_t *status_control(const struct daemon *daemon)
{
	struct balancers_counters counters;
	json_t *rejected = json_object();

	balancers_count(daemon->balancers, &counters);
	for (unsigned int refusal = REGISTER_ACCEPTED + 1; refusal < REGISTER_REFUSAL_N_;
		refusal++) {
		if (counters.rejected[refusal])
			(void)json_object_set_new(rejected, register_refusal_name(refusal),
				json_integer((json_int_t)counters.rejected[refusal]));
	}
	return json_pack("{s:I, s:I, s:o}", "received", (json_int_t)counters.received, "accepted",
		(json_int_t)counters.accepted, "rejected", rejected);
}

json_t *status_make(const struct daemon *daemon)
{
	uint64_t uptime_us = daemon_now(daemon) - daemon->started_us;
	char reason[STATUS_REASON_BYTES];
	char real_ip[ADDR_STRLEN] = "";
	const char *state = status_state(daemon, reason);

	if (daemon->has_identity)
		addr_format(&daemon->identity.real_ip, real_ip);
	return json_pack("{s:i, s:s, s:f, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, "
			 "s:o, s:[]}",
		"schema", STATUS_SCHEMA, "version", DSR_VERSION, "uptime_s",
		(double)uptime_us / (double)US_PER_S, "health", (int)status_health(daemon), "name",
		daemon->settings->name, "real_ip", real_ip, "interface", daemon->identity.interface,
		"state", state, "reason", reason, "admin", report_admin_name(daemon->admin),
		"weight", (int)daemon->settings->weight, "control", status_control(daemon), "vips",
		status_vips(daemon), "arp", status_arp(daemon), "balancers",
		status_balancers(daemon), "checks");
}
