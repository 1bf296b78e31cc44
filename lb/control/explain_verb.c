/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See explain_verb.h. */
#include "lb/control/explain_verb.h"

#include "common/control/control.h"
#include "common/os/clock.h"
#include "lb/config/service.h"
#include "lb/control/explain.h"
#include "lb/control/explain_story.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/daemon/role.h"
#include "lb/fwd/image.h"
#include "lb/link/announce.h"
#include "lb/link/neigh/segments.h"
#include "lb/registry/registry.h"

#define EXPLAIN_ANY_PORT 80u /* where every port is served, or none */

static const char *name_of(const struct balancer *balancer, uint16_t id)
{
	const struct backend *backend = registry_backend(balancer->registry, id);

	return backend ? backend->name : "";
}

static bool serves(const struct config_virtual_server *server, uint8_t proto)
{
	return (proto == FWD_PROTO_TCP && config_serves(server, CONFIG_TCP)) ||
		(proto == FWD_PROTO_UDP && config_serves(server, CONFIG_UDP)) ||
		(proto == FWD_PROTO_SCTP && config_serves(server, CONFIG_SCTP));
}

/* A VIP without a port: the first that is served there. True: it was guessed. */
static bool guess_port(const struct balancer *balancer, struct explain_question *question)
{
	if (!explain_has_ports(question->proto) || question->vip.port)
		return false;
	question->vip.port = EXPLAIN_ANY_PORT;
	for (size_t i = 0; i < balancer->services->len; i++) {
		const struct service *service = &balancer->services->items[i];
		const struct config_port *ports = service->virtual_server->ports.items;

		if (!addr_equal(&service->vip, &question->vip.addr) ||
			!serves(service->virtual_server, question->proto) ||
			service->virtual_server->ports.len == 0)
			continue;
		question->vip.port = ports[0].first;
		break;
	}
	return true;
}

static bool vip_is_known(const struct balancer *balancer, const struct addr *vip)
{
	for (size_t i = 0; i < balancer->services->len; i++)
		if (addr_equal(&balancer->services->items[i].vip, vip))
			return true;
	return false;
}

static json_t *make_story(const struct balancer *balancer, const struct explain_question *question,
	const struct explain_answer *answer, bool port_assumed)
{
	const struct snapshot *snapshot = dataplane_snapshot(balancer->dataplane);
	const struct fwd_settings *settings = snapshot_settings(snapshot);
	const struct backend *backend =
		registry_backend(balancer->registry, answer->result.backend);
	const struct neigh_link *link =
		backend ? segments_link_of(balancer->segments, &backend->address) : NULL;
	struct explain_facts facts = {
		.question = question,
		.answer = answer,
		.interface = balancer->config->interface,
		.backend_interface = link ? link->name : "",
		.inactive_reason = role_status(balancer->role).reason,
		.holder = announce_holder(balancer->announce, &question->vip.addr),
		.vip_is_known = vip_is_known(balancer, &question->vip.addr),
		.port_assumed = port_assumed,
		.service = service_list_find(balancer->services, answer->result.service),
		.backend = backend,
	};

	memcpy(facts.own_mac.bytes, settings->own_mac, sizeof(facts.own_mac.bytes));
	memcpy(facts.out_mac.bytes,
		image_link(snapshot_image(snapshot), answer->result.backend)->mac,
		sizeof(facts.out_mac.bytes));
	if (answer->has_slot) {
		facts.owner = registry_backend(balancer->registry, answer->owner);
		facts.base = registry_backend(balancer->registry, answer->base);
	}
	return explain_story(&facts);
}

static json_t *make_answer(const struct balancer *balancer, const struct explain_answer *answer)
{
	const struct service *service =
		service_list_find(balancer->services, answer->result.service);
	uint16_t other = explain_alternative(answer);
	char mac[MAC_STRLEN];
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "verdict", answer->verdict,
		"reason", answer->reason, "text", answer->text, "virtual_server",
		service ? service->virtual_server->name : "", "backend",
		name_of(balancer, answer->result.backend), "mac",
		mac_is_zero(&answer->mac) ? "" : mac_format(&answer->mac, mac), "how", answer->how);

	json_object_set_new(
		json, "alternative", other ? json_string(name_of(balancer, other)) : json_null());
	json_object_set_new(
		json, "slot", answer->has_slot ? json_integer(answer->result.slot) : json_null());
	if (answer->moving) {
		json_object_set_new(
			json, "slot_owner", json_string(name_of(balancer, answer->owner)));
		json_object_set_new(
			json, "slot_base", json_string(name_of(balancer, answer->base)));
	}
	return json;
}

void explain_verb_serve(
	const struct balancer *balancer, struct control_request *request, const json_t *args)
{
	const char *client = json_string_value(json_object_get(args, "client"));
	const char *vip = json_string_value(json_object_get(args, "vip"));
	const char *protocol = json_string_value(json_object_get(args, "protocol"));
	const struct dataplane *dataplane = balancer->dataplane;
	struct explain_question question = { 0 };
	struct explain_answer answer;
	char why[EXPLAIN_WHY_BYTES] = "";
	bool port_assumed;
	json_t *json;

	if (explain_parse(client ? client : "", vip ? vip : "", protocol ? protocol : "tcp",
		    &question, why) < 0) {
		control_fail(request, CONTROL_USAGE, "explain: %s", why);
		return;
	}
	if (!dataplane_status(dataplane).is_running) {
		control_fail(request, CONTROL_UNAVAILABLE, "no packet engine: %s",
			dataplane_status(dataplane).reason);
		return;
	}
	port_assumed = guess_port(balancer, &question);
	explain_run(dataplane_snapshot(dataplane), dataplane_rates(dataplane), &question,
		clock_now_us(), &answer);
	json = make_answer(balancer, &answer);
	json_object_set_new(json, "story", make_story(balancer, &question, &answer, port_assumed));
	control_reply(request, CONTROL_OK, json);
}
