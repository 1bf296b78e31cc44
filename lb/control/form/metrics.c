/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function for each part of the document: see metrics.h. */
#include "lb/control/form/metrics.h"

#include "common/control/control_text.h"
#include "common/json_text.h"
#include "common/os/clock.h"
#include "lb/config/model.h"
#include "lb/daemon/balancer.h"
#include "lb/link/announce.h"
#include "lb/link/claims.h"
#include "lb/registry/registry.h"

#define METRICS(X) \
	X(BUILD_INFO, "dsr_build_info", GAUGE, "Version of this balancer.") \
	X(ENGINE_INFO, "dsr_engine_info", GAUGE, "How packets are forwarded, and where from.") \
	X(ACTIVE, "dsr_active", GAUGE, "Whether this balancer is active.") \
	X(READY, "dsr_ready", GAUGE, "Whether each virtual server can be served.") \
	X(RELOAD_OK, "dsr_config_last_reload_successful", GAUGE, \
		"Whether the last reload was taken; the start is one.") \
	X(RELOAD_TIME, "dsr_config_last_reload_success_timestamp_seconds", GAUGE, \
		"When a configuration was taken last.") \
	X(RECEIVED, "dsr_received_packets_total", COUNTER, \
		"Frames that arrived on the interface.") \
	X(FORWARDED, "dsr_forwarded_packets_total", COUNTER, "Frames sent to backends.") \
	X(PASSED, "dsr_passed_packets_total", COUNTER, "Frames left to the host.") \
	X(DROPPED, "dsr_dropped_packets_total", COUNTER, "Frames dropped, by reason.") \
	X(VS_PACKETS, "dsr_virtual_server_packets_total", COUNTER, "Frames forwarded.") \
	X(VS_BYTES, "dsr_virtual_server_bytes_total", COUNTER, \
		"Bytes forwarded, Ethernet headers included.") \
	X(VS_SYNS, "dsr_virtual_server_syns_total", COUNTER, "SYNs forwarded.") \
	X(VS_READY, "dsr_virtual_server_ready", GAUGE, "Whether it can be served.") \
	X(VS_MINIMUM, "dsr_virtual_server_minimum", GAUGE, \
		"Usable backends that it needs to be ready.") \
	X(VS_BACKENDS, "dsr_virtual_server_backends", GAUGE, "Backends, by state.") \
	X(TABLE_INFO, "dsr_table_info", GAUGE, "Digest of the table, the same on all balancers.") \
	X(MOVING_SLOTS, "dsr_moving_slots", GAUGE, \
		"Rows of the table that move between backends.") \
	X(FLOWS, "dsr_flows", GAUGE, "Flows that are recorded.") \
	X(FLOWS_MAX, "dsr_flows_max", GAUGE, "Flows that can be recorded.") \
	X(FLOW_EVICTIONS, "dsr_flow_evictions_total", COUNTER, \
		"Flow records that made room for others.") \
	X(FRAGMENTS_HELD, "dsr_fragments_held", GAUGE, "Fragments that wait for their first.") \
	X(BACKEND_PACKETS, "dsr_backend_packets_total", COUNTER, "Frames forwarded to it.") \
	X(BACKEND_BYTES, "dsr_backend_bytes_total", COUNTER, \
		"Bytes forwarded to it, Ethernet headers included.") \
	X(BACKEND_SYNS, "dsr_backend_syns_total", COUNTER, "SYNs forwarded to it.") \
	X(BACKEND_ACCEPTED, "dsr_backend_accepted_total", COUNTER, \
		"Connections that its kernel took, as its agent says.") \
	X(BACKEND_ESTABLISHED, "dsr_backend_established_connections", GAUGE, \
		"Connections that are open there, as its agent says.") \
	X(BACKEND_WEIGHT, "dsr_backend_weight", GAUGE, "Weight that it should have.") \
	X(BACKEND_EFFECTIVE, "dsr_backend_effective_weight", GAUGE, \
		"Weight for new flows: 0 unless it is usable.") \
	X(BACKEND_SHARE, "dsr_backend_share_ratio", GAUGE, "Its part of the table's rows.") \
	X(BACKEND_STATE, "dsr_backend_state", GAUGE, "1 for the state that it is in.") \
	X(BACKEND_CHANGES, "dsr_backend_state_changes_total", COUNTER, \
		"Changes of its state since this daemon knows it.") \
	X(BACKEND_SINCE, "dsr_backend_state_since_timestamp_seconds", GAUGE, \
		"When it came into its state.") \
	X(BACKEND_RTT, "dsr_backend_heartbeat_rtt_seconds", GAUGE, \
		"Round trip of its last heartbeat.") \
	X(BACKEND_MISSED, "dsr_backend_heartbeats_missed", GAUGE, \
		"Heartbeats in a row without an answer.") \
	X(BACKEND_INFO, "dsr_backend_info", GAUGE, \
		"Its address, MAC, and where it is known from.") \
	X(CLAIMS, "dsr_claims_total", COUNTER, \
		"ARP and ND of others who say that they have a VIP.") \
	X(CONTROL_MESSAGES, "dsr_control_messages_total", COUNTER, \
		"Messages of agents, by what became of them.")

enum metrics_family {
#define METRICS_ENUM(id, name, kind, help) METRICS_##id,
	METRICS(METRICS_ENUM)
#undef METRICS_ENUM
		METRICS_N_
};

static const struct exposition_family families[] = {
#define METRICS_FAMILY(id, name, kind, help) { name, help, EXPOSITION_##kind },
	METRICS(METRICS_FAMILY)
#undef METRICS_FAMILY
};

static const struct exposition_label no_label = { NULL, NULL };

struct metrics {
	struct exposition *exposition;
	bool per_backend;
};

const struct exposition_family *metrics_families(size_t *ret_len)
{
	*ret_len = ARRAY_LEN(families);
	return families;
}

static void metrics_add_number(struct exposition *exposition, enum metrics_family family,
	const struct exposition_label *labels, const json_t *number)
{
	if (json_is_integer(number))
		exposition_count(exposition, family, labels, (uint64_t)json_integer_value(number));
	else if (json_is_real(number))
		exposition_measure(exposition, family, labels, json_real_value(number));
	else if (json_is_boolean(number))
		exposition_count(exposition, family, labels, json_is_true(number));
}

/* Members of an object, each a sample. */
struct metrics_member {
	const char *name;
	enum metrics_family family;
};

static void metrics_add_members(struct exposition *exposition,
	const struct exposition_label *labels, const json_t *object,
	const struct metrics_member *members, size_t n_members)
{
	ARRAY_FOREACH (member, members, n_members)
		metrics_add_number(
			exposition, member->family, labels, json_object_get(object, member->name));
}

static void metrics_add_results(struct exposition *exposition, const json_t *control)
{
	const json_t *rejected = json_object_get(control, "rejected");
	struct exposition_label labels[] = { { "result", "accepted" }, no_label };
	const char *reason;
	json_t *count;

	metrics_add_number(
		exposition, METRICS_CONTROL_MESSAGES, labels, json_object_get(control, "accepted"));
	json_object_foreach ((json_t *)(uintptr_t)rejected, reason, count) {
		labels[0].value = reason;
		metrics_add_number(exposition, METRICS_CONTROL_MESSAGES, labels, count);
	}
}

static void metrics_add_drops(struct exposition *exposition, const json_t *drops)
{
	struct exposition_label labels[] = { { "reason", NULL }, no_label };
	const char *reason;
	json_t *count;

	json_object_foreach ((json_t *)(uintptr_t)drops, reason, count) {
		labels[0].value = reason;
		metrics_add_number(exposition, METRICS_DROPPED, labels, count);
	}
}

void metrics_add_document(struct exposition *exposition, const json_t *document)
{
	static const struct metrics_member packets[] = {
		{ "received", METRICS_RECEIVED },
		{ "forwarded", METRICS_FORWARDED },
		{ "passed", METRICS_PASSED },
	};
	static const struct metrics_member flows[] = {
		{ "entries", METRICS_FLOWS },
		{ "capacity", METRICS_FLOWS_MAX },
		{ "evictions", METRICS_FLOW_EVICTIONS },
	};
	static const struct metrics_member reload[] = {
		{ "successful", METRICS_RELOAD_OK },
		{ "success_time_s", METRICS_RELOAD_TIME },
	};
	const struct exposition_label version[] = {
		{ "version", json_text(document, "version") },
		no_label,
	};
	const struct exposition_label engine[] = {
		{ "mode", json_text(document, "mode") },
		{ "interface", json_text(document, "interface") },
		no_label,
	};

	exposition_count(exposition, METRICS_BUILD_INFO, version, 1);
	exposition_count(exposition, METRICS_ENGINE_INFO, engine, 1);
	metrics_add_number(exposition, METRICS_ACTIVE, NULL, json_object_get(document, "active"));
	metrics_add_number(exposition, METRICS_READY, NULL, json_object_get(document, "ready"));
	metrics_add_members(exposition, NULL, json_object_get(document, "config_last_reload"),
		reload, ARRAY_LEN(reload));
	metrics_add_members(exposition, NULL, json_object_get(document, "packets"), packets,
		ARRAY_LEN(packets));
	metrics_add_drops(exposition, json_object_get(document, "drops"));
	metrics_add_members(
		exposition, NULL, json_object_get(document, "flow_table"), flows, ARRAY_LEN(flows));
	metrics_add_number(exposition, METRICS_FRAGMENTS_HELD, NULL,
		json_object_get(json_object_get(document, "fragments"), "held"));
	metrics_add_results(exposition, json_object_get(document, "control"));
}

/* A backend in a virtual server. */
static void metrics_add_share(
	struct exposition *exposition, const char *server, const json_t *backend)
{
	static const struct metrics_member members[] = {
		{ "packets", METRICS_BACKEND_PACKETS },
		{ "bytes", METRICS_BACKEND_BYTES },
		{ "syns", METRICS_BACKEND_SYNS },
		{ "accepted", METRICS_BACKEND_ACCEPTED },
		{ "established", METRICS_BACKEND_ESTABLISHED },
		{ "weight", METRICS_BACKEND_WEIGHT },
		{ "effective_weight", METRICS_BACKEND_EFFECTIVE },
		{ "share", METRICS_BACKEND_SHARE },
	};
	const struct exposition_label labels[] = {
		{ "virtual_server", server },
		{ "backend", json_text(backend, "name") },
		no_label,
	};

	metrics_add_members(exposition, labels, backend, members, ARRAY_LEN(members));
}

static void metrics_add_states(
	struct exposition *exposition, const char *server, const json_t *backends)
{
	struct exposition_label labels[] = {
		{ "virtual_server", server },
		{ "state", NULL },
		no_label,
	};

	for (enum backend_state state = 0; state < BACKEND_STATE_N_; state++) {
		uint64_t n = 0;
		const json_t *backend;
		size_t idx;

		labels[1].value = backend_state_name(state);
		json_array_foreach (backends, idx, backend)
			n += streq(json_text(backend, "state"), labels[1].value);
		exposition_count(exposition, METRICS_VS_BACKENDS, labels, n);
	}
}

void metrics_add_server(struct exposition *exposition, const json_t *server, bool per_backend)
{
	static const struct metrics_member members[] = {
		{ "packets", METRICS_VS_PACKETS },
		{ "bytes", METRICS_VS_BYTES },
		{ "syns", METRICS_VS_SYNS },
		{ "ready", METRICS_VS_READY },
		{ "minimum", METRICS_VS_MINIMUM },
		{ "moving_slots", METRICS_MOVING_SLOTS },
	};
	const char *name = json_text(server, "name");
	const struct exposition_label labels[] = { { "virtual_server", name }, no_label };
	const struct exposition_label digest[] = {
		{ "virtual_server", name },
		{ "digest", json_text(server, "table_digest") },
		no_label,
	};
	const json_t *backends = json_object_get(server, "backends"), *backend;
	size_t idx;

	metrics_add_members(exposition, labels, server, members, ARRAY_LEN(members));
	exposition_count(exposition, METRICS_TABLE_INFO, digest, 1);
	metrics_add_states(exposition, name, backends);
	json_array_foreach (backends, idx, backend)
		if (per_backend)
			metrics_add_share(exposition, name, backend);
}

void metrics_add_backend(struct exposition *exposition, const struct backend *backend,
	uint64_t now_us, uint64_t realtime_us)
{
	char address[ADDR_STRLEN], mac[MAC_STRLEN];
	struct exposition_label labels[] = { { "backend", backend->name }, no_label, no_label };
	const struct exposition_label info[] = {
		{ "backend", backend->name },
		{ "address", addr_format(&backend->address, address) },
		{ "mac", mac_is_zero(&backend->mac) ? "" : mac_format(&backend->mac, mac) },
		{ "source", backend_source_name(backend->source) },
		no_label,
	};
	uint64_t age_us = now_us - MIN(backend->since_us, now_us);
	uint64_t since_ms = (realtime_us - MIN(age_us, realtime_us)) / US_PER_MS;

	exposition_count(exposition, METRICS_BACKEND_CHANGES, labels, backend->n_state_changes);
	exposition_measure(exposition, METRICS_BACKEND_SINCE, labels, (double)since_ms / 1000);
	exposition_count(exposition, METRICS_BACKEND_INFO, info, 1);
	if (backend->source == BACKEND_AGENT) {
		exposition_count(
			exposition, METRICS_BACKEND_MISSED, labels, backend->heartbeats_missed);
		if (backend->rtt_us > 0)
			exposition_measure(exposition, METRICS_BACKEND_RTT, labels,
				(double)backend->rtt_us / (double)US_PER_S);
	}
	labels[1].name = "state";
	for (enum backend_state state = 0; state < BACKEND_STATE_N_; state++) {
		labels[1].value = backend_state_name(state);
		exposition_count(
			exposition, METRICS_BACKEND_STATE, labels, state == backend->state);
	}
}

static void metrics_free(void *context)
{
	struct metrics *metrics = context;

	exposition_free(metrics->exposition);
	free(metrics);
}

static void *metrics_begin(const struct balancer *balancer, const json_t *document)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	uint64_t now_us = clock_now_us(), realtime_us = clock_realtime_us();

	if (!metrics)
		return NULL;
	metrics->per_backend = balancer->config->metrics_per_backend;
	metrics->exposition = exposition_new(families, ARRAY_LEN(families));
	if (!metrics->exposition) {
		free(metrics);
		return NULL;
	}
	metrics_add_document(metrics->exposition, document);
	exposition_count(metrics->exposition, METRICS_CLAIMS, NULL,
		announce_claims(balancer->announce)->seen);
	for (size_t i = 0; metrics->per_backend && i < registry_len(balancer->registry); i++)
		metrics_add_backend(metrics->exposition, registry_backend_at(balancer->registry, i),
			now_us, realtime_us);
	return metrics;
}

static int metrics_add(void *context, const json_t *server)
{
	const struct metrics *metrics = context;

	metrics_add_server(metrics->exposition, server, metrics->per_backend);
	return 0;
}

static struct control_text *metrics_end(void *context)
{
	const struct metrics *metrics = context;
	size_t size_bytes;
	char *text = exposition_take(metrics->exposition, &size_bytes);

	return text ? control_text_new(text, size_bytes) : NULL;
}

const struct status_form metrics_form = {
	.begin = metrics_begin,
	.add = metrics_add,
	.end = metrics_end,
	.free = metrics_free,
};
