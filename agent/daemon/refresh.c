/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Called after each look at the host, each word of the administrator and each step of a stop. Must
 * not know why anything changed.
 */
#include "agent/daemon/refresh.h"

#include <assert.h>
#include <systemd/sd-daemon.h>

#include "agent/check/checks.h"
#include "agent/daemon/admin.h"
#include "agent/daemon/parting.h"
#include "agent/daemon/second_chance.h"
#include "agent/daemon/summary.h"
#include "agent/host/reconcile.h"
#include "agent/host/sockets.h"
#include "agent/registration/balancers.h"
#include "agent/registration/pins.h"
#include "common/events/events.h"
#include "common/proto/vips.h"
#include "common/log.h"

/* lc sends by these numbers: they are as old as this, or older where a count takes more than a twentieth of it. */
#define REFRESH_COUNTS_US (50 * US_PER_MS)

static_assert(HOST_VIPS_MAX == PROTO_VIPS_MAX, "what a host serves can be told");

/* ---- systemd and the log ---- */

void refresh_notify(struct agent *agent)
{
	struct why reason = { 0 };
	const char *state = summary_state(agent, &reason);
	char text[sizeof(agent->notified)];

	(void)snprintf(text, sizeof(text), "%s; registered with %zu of %zu balancers%s%.160s",
		state, balancers_registered(agent->balancers), balancers_len(agent->balancers),
		reason.text[0] ? ": " : "", reason.text);
	if (streq(text, agent->notified))
		return;
	memcpy(agent->notified, text, sizeof(text));
	(void)sd_notifyf(false, "STATUS=%s", text);
}

static void refresh_tell_state(const struct agent *agent, const struct proto_status *status)
{
	struct event event = {
		.message = EVENT_BACKEND_STATE,
		.level = LOG_LEVEL_WARNING,
		.backend = agent->settings->name,
		.reason = status->reason,
	};

	if (agent->has_status && agent->status.state == status->state &&
		streq(agent->status.reason, status->reason))
		return;
	event.old = agent->has_status ? proto_state_name(agent->status.state) : "";
	event.now = proto_state_name(status->state);
	if (status->state == PROTO_STATE_UP) {
		event.level = LOG_LEVEL_INFO;
		events_raise(agent->events, &event, "the host serves its VIPs");
	} else if (!reconcile_blocked(agent->reconcile)[0] && !agent->verdict.undecided) {
		/* What the reconciler cannot mend it has said itself; what has not been looked at yet is no news. */
		events_raise(agent->events, &event, "%s: %s", event.now, status->reason);
	}
}

/* ---- who we are ---- */

static void refresh_complain_identity(struct agent *agent, const char *why)
{
	if (strncmp(why, agent->identity_why, sizeof(agent->identity_why) - 1) == 0)
		return;
	snprintf(agent->identity_why, sizeof(agent->identity_why), "%s", why);
	log_warning("cannot speak to balancers: %s", why);
}

unsigned int refresh_scope(const struct agent *agent)
{
	return addr_is_link_local6(&agent->identity.real_ip) ? agent->identity.ifindex : 0;
}

/* The socket is made anew only when its address, or the interface that scopes it, is another. */
static void refresh_socket(struct agent *agent)
{
	struct addr_port local = { agent->identity.real_ip,
		(uint16_t)agent->settings->config->listen };
	unsigned int scope = refresh_scope(agent);
	char text[ADDR_PORT_STRLEN];
	struct why why = { 0 };
	int r;

	if (agent->net && net_local(agent->net)->port == local.port &&
		addr_equal(&net_local(agent->net)->addr, &local.addr) && agent->net_scope == scope)
		return;
	balancers_use_net(agent->balancers, NULL);
	agent->net = net_free(agent->net);
	r = net_open(agent->event,
		&(struct net_options){ .local = local,
			.scope_ifindex = scope,
			.receive = balancers_receive,
			.context = agent->balancers },
		&agent->net);
	if (r < 0) {
		why_set(&why, "cannot listen on %s: %s", addr_port_format(&local, text),
			strerror(-r));
		refresh_complain_identity(agent, why.text);
		return;
	}
	agent->net_scope = scope;
	balancers_use_net(agent->balancers, agent->net);
}

static int refresh_find(struct agent *agent, struct identity *ret_identity, struct why *ret_why)
{
	const struct config *config = agent->settings->config;
	struct identity_wanted wanted = {
		.balancer = ((const struct addr_port *)config->balancers.items)[0].addr,
		.real_ip = config->real_ip,
		.interface = config->interface,
		.vips = config->vips.items,
		.n_vips = config->vips.len,
	};

	return identity_find(
		agent->nl, reconcile_host(agent->reconcile), &wanted, ret_identity, ret_why);
}

/* While it cannot be found the previous one stays: what has gone may come back. */
static void refresh_identity(struct agent *agent)
{
	struct identity identity;
	struct why why = { 0 };

	if (refresh_find(agent, &identity, &why) < 0) {
		refresh_complain_identity(agent, why.text);
		return;
	}
	if (!agent->has_identity || !identity_equal(&identity, &agent->identity)) {
		char text[ADDR_STRLEN];
		char mac[MAC_STRLEN];

		log_info("real IP %s on %s (%s)", addr_format(&identity.real_ip, text),
			identity.interface, mac_format(&identity.mac, mac));
		agent->identity_is_told = false;
	}
	agent->identity = identity;
	agent->has_identity = true;
	reconcile_face(agent->reconcile, identity.ifindex);
	pins_face(agent->pins, identity.ifindex);
	refresh_socket(agent);
	if (agent->net)
		agent->identity_why[0] = '\0';
}

static void refresh_make_identity(const struct agent *agent, struct register_identity *identity)
{
	const struct config *config = agent->settings->config;

	memset(identity, 0, sizeof(*identity));
	snprintf(identity->name, sizeof(identity->name), "%s", agent->settings->name);
	snprintf(identity->version, sizeof(identity->version), "%s", DSR_VERSION);
	identity->real_ip = agent->identity.real_ip;
	identity->mac = agent->identity.mac;
	identity->n_vips = config->vips.len;
	memcpy(identity->vips, config->vips.items, config->vips.len * sizeof(struct addr));
	identity->key = agent->settings->keys->keys[0];
}

/* ---- how we are ---- */

static bool refresh_is_faulty(const struct report_facts *facts)
{
	return facts->blocked[0] || facts->fault[0];
}

/*
 * A balancer moves flows away from a host that says "down": what is mended in a moment must not be
 * worth that. What nobody but the administrator can mend is told at once, and so is a host that was
 * never seen to be right with these VIPs.
 */
static bool refresh_is_being_mended(struct agent *agent, const struct report_facts *facts)
{
	if (!refresh_is_faulty(facts)) {
		agent->fault_since_us = 0;
		return false;
	}
	if (agent->fault_since_us == 0)
		agent->fault_since_us = agent_now(agent);
	return agent->has_status && agent->status.state != PROTO_STATE_DOWN &&
		agent->identity_is_told && reconcile_can_mend(agent->reconcile) &&
		agent_now(agent) - agent->fault_since_us < REFRESH_MEND_US;
}

/* What checks found counts from the first moment that the VIPs are there. */
static void refresh_ask_checks(struct agent *agent, struct report_facts *facts)
{
	if (agent->fault_since_us == 0)
		checks_begin(agent->checks);
	checks_verdict(agent->checks, &agent->verdict);
	facts->failing = facts->leaving = "";
	if (agent->verdict.state >= CHECK_STATE_PENDING)
		facts->failing = agent->verdict.reason.text;
	else if (agent->verdict.state == CHECK_STATE_DRAIN)
		facts->leaving = agent->verdict.reason.text;
	if (!facts->failing[0])
		facts->failing = agent->dropped;
}

/* Each VIP, and what is wrong with the first that is not served rightly. */
static void refresh_look_at_vips(struct agent *agent, const struct host_wanted *wanted,
	struct report_vip *ret_vips, struct why *ret_fault)
{
	struct plan_verdict verdict = { 0 };
	struct plan_view view = { 0 };
	bool looked = plan_view_make(reconcile_host(agent->reconcile), wanted, &view) == 0;

	if (!looked)
		why_set(ret_fault, "out of memory to look at VIPs");
	for (size_t idx = 0; idx < wanted->n_vips; idx++) {
		agent->established[idx] = sockets_established(agent->sockets, idx);
		if (looked)
			plan_verify(&view, &wanted->vips[idx], &verdict);
		ret_vips[idx] = (struct report_vip){
			.present = verdict.present,
			.silent = verdict.silent,
			.established = agent->established[idx],
		};
		if (!ret_fault->text[0])
			*ret_fault = verdict.reason;
	}
	plan_view_clear(&view);
}

/* `*ret_fit`: with VIPs that are served rightly, and nothing that is still to be found out. */
static void refresh_make_status(struct agent *agent, struct proto_status *ret_status, bool *ret_fit)
{
	const struct host_wanted *wanted = reconcile_wanted(agent->reconcile);
	struct report_vip vips[HOST_VIPS_MAX];
	struct why fault = { 0 };
	struct report_facts facts = {
		.vips = vips,
		.n_vips = wanted->n_vips,
		.fault = fault.text,
		.blocked = reconcile_blocked(agent->reconcile),
		.admin = agent->admin,
		.stopping = agent->phase != AGENT_SERVING,
		.weight = agent->settings->weight,
		.max_connections = (uint32_t)agent->settings->config->max_connections,
		.second_chance = agent->chance,
	};

	/* Counts that could not be taken stay those of the time before. */
	(void)sockets_refresh(agent->sockets, SOCKETS_CACHE_US, agent_now(agent));
	refresh_look_at_vips(agent, wanted, vips, &fault);
	facts.being_mended = refresh_is_being_mended(agent, &facts);
	refresh_ask_checks(agent, &facts);
	report_make(&facts, ret_status);
	*ret_fit = (agent->fault_since_us == 0 || facts.being_mended) && !agent->verdict.undecided;
}

/* A host whose checks fail registers too: the balancers shall say why it does not serve. */
static void refresh_announce(struct agent *agent, bool fit)
{
	if (!agent->identity_is_told) {
		struct register_identity identity;

		refresh_make_identity(agent, &identity);
		balancers_set_identity(agent->balancers, &identity, &agent->status);
		explicit_bzero(&identity, sizeof(identity));
		agent->identity_is_told = true;
	} else {
		balancers_set_status(agent->balancers, &agent->status);
	}
	/* The first registration waits for a host that was seen to be right. */
	if (fit && agent->phase == AGENT_SERVING)
		balancers_start(agent->balancers);
}

void refresh_all(struct agent *agent)
{
	struct proto_status status;
	bool fit;

	parting_go_on(agent);
	refresh_identity(agent);
	second_chance_go_on(agent);
	refresh_make_status(agent, &status, &fit);
	refresh_tell_state(agent, &status);
	agent->status = status;
	agent->has_status = true;
	if (agent->has_identity && agent->net && agent->phase != AGENT_LEAVING)
		refresh_announce(agent, fit);
	refresh_notify(agent);
}

void refresh_counts(struct agent *agent)
{
	bool changed = false;

	if (!agent->has_status || !agent->identity_is_told || agent->phase == AGENT_LEAVING ||
		sockets_refresh_cheaply(agent->sockets, REFRESH_COUNTS_US, agent_now(agent)) < 0)
		return;
	for (size_t i = 0; i < agent->status.n_vips; i++) {
		const struct proto_vip_status vip = { vips_are_present(&agent->status, i),
			vips_are_silent(&agent->status, i),
			sockets_established(agent->sockets, i) };

		changed |= agent->established[i] != vip.established;
		agent->established[i] = vip.established;
		vips_say(&agent->status, i, &vip);
	}
	if (changed)
		balancers_set_counts(agent->balancers, &agent->status);
}

int refresh_admin(struct agent *agent, enum report_admin admin)
{
	int r = admin_store(agent->runtime_dir, admin);

	if (r < 0)
		return r;
	agent->admin = admin;
	refresh_all(agent);
	return 0;
}
