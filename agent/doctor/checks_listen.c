/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets against the VIPs. Called by examine.c. */
#include "agent/doctor/checks_listen.h"

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

#define CHECKS_SSH_PORT 22u /* is on every host, and no service of a VIP */

static bool checks_is_heard(
	const struct facts *facts, const struct addr *vip, uint16_t port, uint8_t protocol)
{
	ARRAY_FOREACH (listener, facts->listeners, facts->n_listeners) {
		if (listener->port == port && listener->protocol == protocol &&
			listener_takes(listener, vip))
			return true;
	}
	return false;
}

/* A service that was told to listen on the real IP, as it was before there was a VIP. */
static bool checks_is_misplaced(const struct facts *facts, const struct listener *listener)
{
	const struct addr *vips = facts->config->vips.items;

	if (listener->protocol != IPPROTO_TCP || listener->port == CHECKS_SSH_PORT ||
		!addr_equal(&listener->address, &facts->identity.real_ip))
		return false;
	ARRAY_FOREACH (vip, vips, facts->config->vips.len) {
		if (vip->family == listener->address.family &&
			!checks_is_heard(facts, vip, listener->port, listener->protocol))
			return true;
	}
	return false;
}

static bool checks_vip_is_heard(const struct facts *facts, const struct addr *vip)
{
	ARRAY_FOREACH (listener, facts->listeners, facts->n_listeners) {
		if (listener->port != CHECKS_SSH_PORT && listener_takes(listener, vip))
			return true;
	}
	return false;
}

void checks_filter(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	char text[ADDR_PORT_STRLEN];
	bool found = false;

	if (facts->answers_error < 0) {
		service_warn_hidden(&facts->service, doctor, "requests",
			"this user may not look whether requests for the VIPs are answered");
		return;
	}
	ARRAY_FOREACH (place, facts->answers, facts->n_answers) {
		if (!place->is_asked || place->is_answered)
			continue;
		found = true;
		doctor_fail(doctor, addr_port_format(&place->place, text),
			"requests for it come in, somebody listens, and none is answered: a packet filter of "
			"this host drops them (see `nft list ruleset`), or the listener's queue is full");
	}
	if (!found)
		doctor_ok(
			doctor, "requests", "none for a VIP comes in and stays without an answer");
}

void checks_listener(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct addr *vips;
	char text[ADDR_STRLEN];

	if (!facts->config || facts->host_error < 0)
		return;
	if (facts->listeners_error < 0) {
		service_warn_hidden(&facts->service, doctor, "sockets",
			"who listens on this host cannot be looked at");
		return;
	}
	ARRAY_FOREACH (listener, facts->listeners, facts->n_listeners) {
		if (facts->has_identity && checks_is_misplaced(facts, listener))
			doctor_warn(doctor, addr_format(&listener->address, text),
				"somebody listens on port %u of this address alone: who asks for it at a "
				"VIP is refused; let it listen on the VIPs or on any address",
				listener->port);
	}
	vips = facts->config->vips.items;
	ARRAY_FOREACH (vip, vips, facts->config->vips.len) {
		if (checks_vip_is_heard(facts, vip))
			doctor_ok(doctor, addr_format(vip, text), "somebody listens there");
		else
			doctor_warn(doctor, addr_format(vip, text),
				"nobody listens there, on whatever port");
	}
}
