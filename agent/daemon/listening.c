/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets to balancers: see listening.h. */
#include "agent/daemon/listening.h"

#include <netinet/in.h>

#include "agent/daemon/refresh.h"
#include "agent/daemon/way_back.h"
#include "agent/host/listeners.h"
#include "agent/registration/balancers.h"
#include "common/log.h"

/* However long check-interval is. */
#define LISTENING_LOOK_US (1 * US_PER_S)

/* A port where nobody need listen is not looked at. */
static bool listening_is_heard(const struct agent *agent, const struct proto_port *port)
{
	const struct config *config = agent->settings->config;
	struct addr_port place = { .port = port->first };

	if (port->vip >= config->vips.len || port->counts)
		return false;
	place.addr = ((const struct addr *)config->vips.items)[port->vip];
	return listeners_have(agent->listeners, &place, port->protocol);
}

static struct accepts_place listening_place(
	const struct agent *agent, const struct proto_port *port)
{
	const struct addr *vips = agent->settings->config->vips.items;

	return (struct accepts_place){ vips[port->vip], port->first, port->last };
}

/* Connections are those of TCP. */
static bool listening_counts(const struct agent *agent, const struct proto_port *port)
{
	return port->protocol == IPPROTO_TCP && port->vip < agent->settings->config->vips.len;
}

/* What balancers connect from is no client: the address at which each is known, and those that it tells. */
static void listening_exempt(struct agent *agent)
{
	struct addr exempt[ACCEPTS_EXEMPT_MAX];
	size_t len = 0;

	for (size_t idx = 0; idx < balancers_len(agent->balancers); idx++) {
		const struct ports *asked = balancers_asked(agent->balancers, idx);

		if (len + 1 + asked->n_sources > ACCEPTS_EXEMPT_MAX)
			break;
		exempt[len++] = balancers_view(agent->balancers, idx)->balancer.addr;
		for (size_t i = 0; i < asked->n_sources; i++)
			exempt[len++] = asked->sources[i];
	}
	accepts_exempt(agent->accepts, exempt, len);
}

/* All that any balancer asks about is counted, what several ask about once for each. */
static void listening_watch(struct agent *agent)
{
	struct accepts_place places[ACCEPTS_MAX];
	size_t len = 0;
	int r;

	listening_exempt(agent);
	for (size_t idx = 0; idx < balancers_len(agent->balancers); idx++) {
		const struct ports *asked = balancers_asked(agent->balancers, idx);

		for (size_t i = 0; i < asked->len && len < ACCEPTS_MAX; i++)
			if (listening_counts(agent, &asked->items[i]))
				places[len++] = listening_place(agent, &asked->items[i]);
	}
	r = accepts_watch(agent->accepts, places, len);
	if (r < 0 && r != agent->accepts_error)
		log_info("connections are not counted: %s", strerror(-r));
	agent->accepts_error = r;
}

static void listening_say(
	const struct agent *agent, const struct proto_port *port, struct why *ret_why)
{
	const struct addr *vips = agent->settings->config->vips.items;
	struct addr_port place = { vips[port->vip], port->first };

	listeners_say(agent->listeners, &place, port->protocol, ret_why);
}

/* What is answered to one balancer; the words are looked for when there is something new to say. */
static void listening_answer(
	const struct agent *agent, const struct ports *asked, struct proto_ports_status *ret_answer)
{
	struct proto_ports_status answer = { .digest = asked->digest,
		.n_ports = (uint8_t)asked->len };
	const struct proto_port *missed = NULL;
	struct why why = { 0 };

	for (size_t i = 0; i < asked->len; i++) {
		const struct proto_port *port = &asked->items[i];

		answer.items[i].listening = listening_is_heard(agent, port);
		if (listening_counts(agent, port)) {
			const struct accepts_place place = listening_place(agent, port);

			answer.items[i].counted =
				accepts_count(agent->accepts, &place, &answer.items[i].accepted);
		}
		if (!missed && !answer.items[i].listening && !port->counts &&
			port->vip < agent->settings->config->vips.len)
			missed = port;
	}
	memcpy(answer.why, asked->answer.why, sizeof(answer.why));
	if (!missed) {
		answer.why[0] = '\0';
	} else if (!answer.why[0] || ports_answer_differs(&answer, &asked->answer)) {
		listening_say(agent, missed, &why);
		snprintf(answer.why, sizeof(answer.why), "%.*s", (int)PROTO_REASON_MAX, why.text);
	}
	*ret_answer = answer;
}

static void listening_tell(struct agent *agent, const char *why)
{
	if (streq(why, agent->unheard))
		return;
	if (why[0])
		log_warning("%s", why);
	else
		log_info("somebody listens on every port that balancers ask about");
	snprintf(agent->unheard, sizeof(agent->unheard), "%s", why);
	refresh_notify(agent);
}

static bool listening_is_served(const struct ports *asked, size_t vip)
{
	ARRAY_FOREACH (port, asked->items, asked->len)
		if (port->vip == vip)
			return true;
	return false;
}

/*
 * The first VIP that this host has for nothing, if each balancer that it is registered with has told all of its ports:
 * one of the former version tells none, and one with too many leaves some out.
 */
static const struct addr *listening_unserved(const struct agent *agent)
{
	const struct config *config = agent->settings->config;
	size_t n_telling = 0;

	for (size_t i = 0; i < config->vips.len; i++) {
		bool served = false;

		n_telling = 0;
		for (size_t idx = 0; idx < balancers_len(agent->balancers); idx++) {
			const struct ports *asked = balancers_asked(agent->balancers, idx);

			if (balancers_view(agent->balancers, idx)->state != REGISTER_REGISTERED)
				continue;
			if (asked->len == 0 || asked->len == PROTO_PORTS_MAX)
				return NULL;
			n_telling++;
			served |= listening_is_served(asked, i);
		}
		if (!served && n_telling > 0)
			return &((const struct addr *)config->vips.items)[i];
	}
	return NULL;
}

/* It serves its other VIPs: that is for the administrator to know, and for nobody to act on. */
static void listening_tell_unserved(struct agent *agent)
{
	const struct addr *vip = listening_unserved(agent);
	char text[ADDR_STRLEN], why[PROTO_REASON_MAX + 1] = "";

	if (vip)
		snprintf(why, sizeof(why), "VIP %s: no balancer has a port for this VIP",
			addr_format(vip, text));
	if (streq(why, agent->unserved))
		return;
	if (why[0])
		log_warning("%s", why);
	snprintf(agent->unserved, sizeof(agent->unserved), "%s", why);
}

void listening_look(struct agent *agent)
{
	char why[PROTO_REASON_MAX + 1] = "";

	/* What was seen before stands until it can be looked at again. */
	if (listeners_refresh(agent->listeners) < 0)
		return;
	listening_watch(agent);
	for (size_t idx = 0; idx < balancers_len(agent->balancers); idx++) {
		const struct ports *asked = balancers_asked(agent->balancers, idx);
		struct proto_ports_status answer;

		if (asked->len == 0)
			continue;
		listening_answer(agent, asked, &answer);
		if (!why[0])
			memcpy(why, answer.why, sizeof(why));
		balancers_set_ports(agent->balancers, idx, &answer);
	}
	listening_tell(agent, why);
	listening_tell_unserved(agent);
}

static int listening_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	struct agent *agent = context;

	/* Counts are told as seldom as those of sockets, listening sockets looked for no less often. */
	listening_look(agent);
	way_back_look(agent);
	(void)sd_event_source_set_time(source,
		agent_now(agent) +
			MIN(agent->settings->config->check_interval_us, LISTENING_LOOK_US));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void listening_on_asked(void *context)
{
	listening_look(context);
}

int listening_start(struct agent *agent)
{
	agent->accepts = accepts_new(agent->event);
	if (!agent->accepts)
		return -ENOMEM;
	balancers_on_asked(agent->balancers, listening_on_asked);
	return sd_event_add_time(agent->event, &agent->listen_timer, CLOCK_MONOTONIC,
		agent_now(agent), US_PER_MS, listening_on_timer, agent);
}
