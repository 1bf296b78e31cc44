/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function for each step: see explain_story.h. */
#include "lb/control/explain_story.h"

#include <inttypes.h>
#include <stdarg.h>

struct story {
	const struct explain_facts *facts;
	json_t *steps;
};

_printf_(2, 3) static void tell(struct story *story, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	json_array_append_new(story->steps, json_string(text ? text : "out of memory"));
}

/* "15min", "2s": the largest whole unit. Returns `buffer` (of 32 bytes). */
static const char *time_format(uint64_t time_us, char *buffer)
{
	uint64_t seconds = time_us / US_PER_S;

	if (seconds > 0 && seconds % 3600 == 0)
		snprintf(buffer, 32, "%" PRIu64 "h", seconds / 3600);
	else if (seconds > 0 && seconds % 60 == 0)
		snprintf(buffer, 32, "%" PRIu64 "min", seconds / 60);
	else
		snprintf(buffer, 32, "%" PRIu64 "s", seconds);
	return buffer;
}

static const char *name_of(const struct backend *backend)
{
	return backend ? backend->name : "nobody";
}

static enum fwd_reason reason_of(const struct story *story)
{
	return (enum fwd_reason)story->facts->answer->result.reason;
}

static bool is_tcp(const struct story *story)
{
	return story->facts->question->proto == FWD_PROTO_TCP;
}

/* Of these syn-rate meters what begins. */
static bool is_metered(const struct story *story)
{
	return is_tcp(story) || story->facts->question->proto == FWD_PROTO_SCTP;
}

static bool is_sessionless(const struct story *story)
{
	return story->facts->service->virtual_server->sessionless;
}

/* What opens a flow of this protocol. */
static const char *packet_format(const struct explain_question *question, char *buffer)
{
	char proto[EXPLAIN_PROTO_BYTES];

	if (question->proto == FWD_PROTO_TCP)
		return "a TCP SYN";
	if (question->proto == FWD_PROTO_UDP)
		return "a UDP datagram";
	if (question->proto == FWD_PROTO_SCTP)
		return "an SCTP INIT";
	if (question->proto == FWD_PROTO_ICMP || question->proto == FWD_PROTO_ICMPV6)
		return "an echo request";
	snprintf(buffer, 64, "a packet of protocol %s", explain_proto_name(question->proto, proto));
	return buffer;
}

static void tell_packet(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	char client[ADDR_PORT_STRLEN], vip[ADDR_PORT_STRLEN], mac[MAC_STRLEN], packet[64];

	tell(story, "Packet: %s from %s to %s, received on %s for %s%s%s.",
		packet_format(facts->question, packet),
		addr_port_format(&facts->question->client, client),
		addr_port_format(&facts->question->vip, vip), facts->interface,
		mac_format(&facts->own_mac, mac),
		facts->question->client_port_assumed ? "; the client's port is assumed" : "",
		facts->port_assumed ? "; the VIP's port is assumed" : "");
}

/* False: the story ends here. */
static bool tell_vip(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	char vip[ADDR_STRLEN], mac[MAC_STRLEN];

	addr_format(&facts->question->vip.addr, vip);
	if (!facts->vip_is_known) {
		tell(story, "VIP: %s is none; the host's own stack gets the packet.", vip);
		return false;
	}
	if (facts->holder) {
		tell(story,
			"VIP: %s is one; but it is not announced, as %s has it: clients reach that host.",
			vip, mac_format(facts->holder, mac));
		return true;
	}
	tell(story, "VIP: %s is one%s%s.", vip,
		facts->inactive_reason[0]
			? "; but this balancer is not active and does not announce it: "
			: "",
		facts->inactive_reason);
	return true;
}

static bool tell_binding(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	const struct config_virtual_server *server;
	_cleanup_free_ char *ports = NULL;
	char proto[EXPLAIN_PROTO_BYTES];

	explain_proto_name(facts->question->proto, proto);
	if (!facts->service) {
		if (facts->question->vip.port)
			tell(story, "Binding: none for %s port %u at this VIP: %s.", proto,
				facts->question->vip.port, facts->answer->text);
		else
			tell(story, "Binding: none for %s at this VIP: %s.", proto,
				facts->answer->text);
		return false;
	}
	server = facts->service->virtual_server;
	ports = config_ports_format(server);
	tell(story, "Binding: virtual server %s, protocol %s, ports %s.", server->name,
		config_protocol_name(server->protocol), ports ? ports : "?");
	return true;
}

/* Only where there are lists. */
static bool tell_clients(struct story *story)
{
	bool is_denied = reason_of(story) == FWD_REASON_CLIENT_DENIED;

	if (story->facts->service->virtual_server->clients.len > 0)
		tell(story, "Clients: allow-clients and deny-clients %s this client.",
			is_denied ? "do not take" : "take");
	return !is_denied;
}

static bool tell_limits(struct story *story)
{
	const struct config_virtual_server *server = story->facts->service->virtual_server;
	enum fwd_reason reason = reason_of(story);

	if (!is_metered(story) || (!server->syn_rate && !server->syn_rate_source))
		tell(story, "Limits: none%s.", is_metered(story) ? ", syn-rate is off" : "");
	else
		tell(story,
			"Limits: syn-rate %" PRIu64 " and syn-rate-source %" PRIu64
			" SYNs a second (0: off); at this moment %s.",
			server->syn_rate, server->syn_rate_source,
			reason == FWD_REASON_SYN_RATE ? "the virtual server has had its share"
				: reason == FWD_REASON_SYN_RATE_SOURCE
				? "the client's network has had its share"
				: "it is let through");
	return reason == FWD_REASON_FORWARDED || reason == FWD_REASON_NO_BACKEND;
}

/* What the frame of a segment says that may be of either server. */
static void tell_second_chance(struct story *story)
{
	const struct explain_facts *facts = story->facts;

	if (!is_tcp(story) || !facts->base || !facts->owner || facts->base == facts->owner)
		return;
	tell(story, "Second chance: %s.",
		facts->base->status.second_chance
			? "segments without a record name the owner in their source MAC, and the "
			  "base passes on what it has no socket for"
			: "none, as the base's agent passes nothing on (second-chance = no)");
}

/* How rows move, and when this one is settled. */
static void tell_row(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	const struct explain_answer *answer = facts->answer;
	const struct config_virtual_server *server = facts->service->virtual_server;
	const char *by = server->hash == CONFIG_SOURCE_IP || !facts->question->vip.port
		? "the client's address"
		: "the client's address and port";
	char timeout[32];

	if (!answer->has_slot) {
		tell(story, "Row: the virtual server has no table.");
		return;
	}
	tell(story, "Row: %u of %u, by %s; its owner is %s%s.", answer->result.slot, FWD_ROWS, by,
		name_of(facts->owner), answer->moving ? "" : ", and it is settled");
	if (answer->moving && !is_sessionless(story))
		tell(story,
			"Base: %s. The row is moving until nothing has come for its base for %s; the "
			"last came %us ago. Meanwhile flows without a record stay at the base.",
			name_of(facts->base), time_format(server->tcp_timeout_us, timeout),
			answer->base_idle_s);
	if (answer->moving && !is_sessionless(story))
		tell_second_chance(story);
	else if (answer->moving)
		tell(story, "Base: none counts, as the virtual server is sessionless.");
}

static void tell_record(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	const struct config_virtual_server *server = facts->service->virtual_server;

	switch (facts->answer->result.how) {
	case FWD_HOW_FLOW:
		tell(story, "Record: this flow has one, at %s; it comes before the row.",
			name_of(facts->backend));
		break;
	case FWD_HOW_PERSISTENCE:
		tell(story, "Record: none of this flow; the client's own, of persistence, says %s.",
			name_of(facts->backend));
		break;
	case FWD_HOW_NONE:
		if (facts->backend)
			tell(story, "Record: none yet; the next in turn of scheduler %s is %s.",
				config_scheduler_name(server->scheduler), facts->backend->name);
		break;
	default:
		tell(story, "Record: %s.",
			is_sessionless(story) ? "a sessionless virtual server keeps none"
					      : "none of this flow");
	}
}

static void tell_backend(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	const struct backend *backend = facts->backend;
	char address[ADDR_STRLEN], mac[MAC_STRLEN], out[MAC_STRLEN];

	if (!backend) {
		tell(story, "Backend: none: %s.", facts->answer->text);
		return;
	}
	tell(story, "Backend: %s, %s, %s%s%s.", backend->name,
		addr_format(&backend->address, address), backend_state_name(backend->state),
		backend->reason[0] ? ": " : "", backend->reason);
	tell(story, "MAC: the destination becomes %s, the source %s; nothing else is changed.",
		mac_format(&facts->answer->mac, mac), mac_format(&facts->out_mac, out));
	tell(story, "Interface: out of %s.", facts->backend_interface);
}

static void tell_verdict(struct story *story)
{
	const struct explain_answer *answer = story->facts->answer;

	tell(story, "Verdict: %s, reason %s (%s).", answer->verdict, answer->reason, answer->text);
}

/* ---- what would change it ---- */

static void tell_change_of_flow(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	const char *name = name_of(facts->backend);
	char timeout[32];

	tell(story,
		"Change: a drain of %s, another weight or a new backend would not move this flow; "
		"`dsr-lb disable %s` or its failure would, at the next packet. Its record ends "
		"after %s of silence.",
		name, name,
		time_format(facts->question->proto == FWD_PROTO_UDP
				? facts->service->virtual_server->udp_timeout_us
				: facts->service->virtual_server->tcp_timeout_us,
			timeout));
}

static void tell_change_of_new(struct story *story)
{
	const struct explain_facts *facts = story->facts;
	const char *name = name_of(facts->backend);

	if (is_sessionless(story))
		tell(story,
			"Change: whatever gives the row another owner (a drain of %s, its failure, "
			"another weight) moves this flow with it, as the virtual server is sessionless.",
			name);
	else if (facts->answer->result.how == FWD_HOW_PERSISTENCE)
		tell(story,
			"Change: the client stays at %s while it persists; a drain or weight 0 sends "
			"its new flows elsewhere, `dsr-lb disable %s` or its failure all of them.",
			name, name);
	else if (facts->answer->result.how == FWD_HOW_NONE)
		tell(story,
			"Change: each new flow takes the next turn; once it has begun, a drain of %s "
			"does not move it, `dsr-lb disable %s` or its failure does.",
			name, name);
	else
		tell(story,
			"Change: a drain of %s or another weight sends new flows of this row elsewhere "
			"and leaves those that stand; `dsr-lb disable %s` or its failure moves all.",
			name, name);
}

static const char *change_of_reason(enum fwd_reason reason)
{
	switch (reason) {
	case FWD_REASON_NOT_VIP:
		return "a virtual server whose vips has this address";
	case FWD_REASON_NO_SERVICE:
		return "a virtual server with this VIP, protocol and port; `dsr-lb virtual-servers` "
		       "lists what there is";
	case FWD_REASON_NOT_FORWARDED_ICMP:
		return "only echo requests, and errors about a flow of ours, go on";
	case FWD_REASON_CLIENT_DENIED:
		return "allow-clients or deny-clients of the virtual server, and a reload";
	case FWD_REASON_SYN_RATE:
	case FWD_REASON_SYN_RATE_SOURCE:
		return "fewer SYNs, or a larger rate; ask again in a second";
	case FWD_REASON_NO_BACKEND:
		return "a usable backend; `dsr-lb backends` says of each why it is none";
	case FWD_REASON_LAND:
		return "another client: a packet from the VIP to itself is forged";
	default:
		return "what the reason names";
	}
}

static void tell_change(struct story *story)
{
	if (reason_of(story) != FWD_REASON_FORWARDED)
		tell(story, "Change: %s.", change_of_reason(reason_of(story)));
	else if (story->facts->answer->result.how == FWD_HOW_FLOW)
		tell_change_of_flow(story);
	else
		tell_change_of_new(story);
}

json_t *explain_story(const struct explain_facts *facts)
{
	struct story story = { .facts = facts, .steps = json_array() };

	if (!story.steps)
		return NULL;
	tell_packet(&story);
	if (tell_vip(&story) && tell_binding(&story) && tell_clients(&story) &&
		tell_limits(&story)) {
		tell_row(&story);
		tell_record(&story);
		tell_backend(&story);
	}
	tell_verdict(&story);
	tell_change(&story);
	return story.steps;
}
