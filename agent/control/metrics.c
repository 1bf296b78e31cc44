/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See metrics.h. Called by paths.c. */
#include "agent/control/metrics.h"

#include <string.h>

#include "common/json_text.h"

#define METRICS(X) \
	X(BUILD_INFO, "dsr_agent_build_info", GAUGE, "Version of this agent.") \
	X(UP, "dsr_agent_up", GAUGE, "Whether this host takes new connections.") \
	X(STATE, "dsr_agent_state", GAUGE, "1 for the state that this host is in.") \
	X(VIP_PRESENT, "dsr_agent_vip_present", GAUGE, "Whether this host has the VIP.") \
	X(ESTABLISHED, "dsr_agent_established_connections", GAUGE, \
		"Connections that are open at the VIP.") \
	X(REPAIRS, "dsr_agent_repairs_total", COUNTER, \
		"Times that somebody had changed the host, and it was put right.") \
	X(CHECK_UP, "dsr_agent_check_up", GAUGE, "Whether the check says that the service works.")

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

const struct exposition_family *metrics_families(size_t *ret_len)
{
	*ret_len = ARRAY_LEN(families);
	return families;
}

static void metrics_add_states(struct exposition *exposition, const char *now)
{
	static const char *const states[] = { "pending", "up", "drain", "maint", "down" };

	ARRAY_FOREACH (state, states, ARRAY_LEN(states)) {
		const struct exposition_label labels[] = { { "state", *state }, no_label };

		exposition_count(exposition, METRICS_STATE, labels, streq(*state, now));
	}
	exposition_count(exposition, METRICS_UP, NULL, streq(now, "up"));
}

static void metrics_add_vips(struct exposition *exposition, const json_t *vips)
{
	const json_t *vip;
	size_t idx;

	json_array_foreach (vips, idx, vip) {
		const struct exposition_label labels[] = {
			{ "vip", json_text(vip, "address") },
			no_label,
		};

		exposition_count(exposition, METRICS_VIP_PRESENT, labels,
			json_is_true(json_object_get(vip, "present")));
		exposition_count(exposition, METRICS_ESTABLISHED, labels,
			(uint64_t)json_integer_value(json_object_get(vip, "established")));
	}
}

/* One that is asked at each VIP has a sample for each. */
static void metrics_add_checks(struct exposition *exposition, const json_t *checks)
{
	const json_t *check;
	size_t idx;

	json_array_foreach (checks, idx, check) {
		const char *vip = json_string_value(json_object_get(check, "vip"));
		const struct exposition_label labels[] = {
			{ "check", json_text(check, "name") },
			{ vip ? "vip" : NULL, vip },
			no_label,
		};

		exposition_count(exposition, METRICS_CHECK_UP, labels,
			streq(json_text(check, "state"), "up"));
	}
}

char *metrics_make(const json_t *document, size_t *ret_bytes)
{
	_cleanup_(exposition_freep) struct exposition *exposition =
		exposition_new(families, ARRAY_LEN(families));
	const struct exposition_label version[] = {
		{ "version", json_text(document, "version") },
		no_label,
	};

	if (!exposition)
		return NULL;
	exposition_count(exposition, METRICS_BUILD_INFO, version, 1);
	metrics_add_states(exposition, json_text(document, "state"));
	metrics_add_vips(exposition, json_object_get(document, "vips"));
	exposition_count(exposition, METRICS_REPAIRS, NULL,
		(uint64_t)json_integer_value(json_object_get(document, "repairs")));
	metrics_add_checks(exposition, json_object_get(document, "checks"));
	return exposition_take(exposition, ret_bytes);
}
