/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts → status. Called by the daemon after each look at the host and each word of the
 * administrator. Pure: must not know of balancers.
 */
#include "agent/registration/report.h"

#include <assert.h>

#include "common/proto/vips.h"

static const char *const report_admin_names[] = {
	[REPORT_ENABLED] = "enabled",
	[REPORT_DRAIN] = "drain",
	[REPORT_MAINT] = "maint",
};
static_assert(ARRAY_LEN(report_admin_names) == REPORT_ADMIN_N_, "a name for each");

const char *report_admin_name(enum report_admin admin)
{
	return report_admin_names[admin];
}

int report_admin_parse(const char *text, enum report_admin *ret_admin)
{
	for (unsigned int admin = 0; admin < REPORT_ADMIN_N_; admin++) {
		if (streq(text, report_admin_names[admin])) {
			*ret_admin = admin;
			return 0;
		}
	}
	return -EINVAL;
}

static void report_decide(
	const struct report_facts *facts, const char *fault, struct proto_status *status)
{
	const char *reason = "";

	if (fault[0]) {
		status->state = PROTO_STATE_DOWN;
		reason = fault;
	} else if (facts->admin == REPORT_MAINT) {
		status->state = PROTO_STATE_MAINT;
		reason = "disabled by the administrator";
	} else if (facts->failing[0]) {
		status->state = PROTO_STATE_DOWN;
		reason = facts->failing;
	} else if (facts->stopping) {
		status->state = PROTO_STATE_DRAIN;
		reason = "the agent stops";
	} else if (facts->admin == REPORT_DRAIN) {
		status->state = PROTO_STATE_DRAIN;
		reason = "drained by the administrator";
	} else if (facts->leaving[0]) {
		status->state = PROTO_STATE_DRAIN;
		reason = facts->leaving;
	} else {
		status->state = PROTO_STATE_UP;
	}
	snprintf(status->reason, sizeof(status->reason), "%s", reason);
}

void report_make(const struct report_facts *facts, struct proto_status *ret_status)
{
	struct proto_status status = { .weight = facts->weight,
		.max_connections = facts->max_connections,
		.second_chance = facts->second_chance,
		.n_vips = (uint16_t)facts->n_vips };
	const char *fault = facts->blocked[0] ? facts->blocked : facts->fault;

	for (size_t idx = 0; idx < facts->n_vips; idx++) {
		const struct report_vip *vip = &facts->vips[idx];
		const struct proto_vip_status said = {
			.present = vip->present || facts->being_mended,
			.silent = vip->silent || facts->being_mended,
			.established = vip->established,
		};

		vips_say(&status, idx, &said);
	}
	report_decide(facts, facts->being_mended ? "" : fault, &status);
	*ret_status = status;
}

void report_fit(struct proto_status *status, unsigned int version)
{
	if (version == PROTO_VERSION_1)
		status->max_connections = 0;
	if (version < PROTO_VERSION_PEERS)
		status->second_chance = false;
}

/* The counts change all the time, and ride on the next ANSWER. */
bool report_differs(const struct proto_status *a, const struct proto_status *b)
{
	if (a->state != b->state || a->weight != b->weight || a->n_vips != b->n_vips ||
		a->max_connections != b->max_connections || a->second_chance != b->second_chance ||
		!streq(a->reason, b->reason))
		return true;
	for (size_t i = 0; i < a->n_vips; i++)
		if (vips_are_present(a, i) != vips_are_present(b, i) ||
			vips_are_silent(a, i) != vips_are_silent(b, i))
			return true;
	return false;
}

bool report_can_be_sent(const struct proto_status *status)
{
	struct proto_message probe = { .version = PROTO_VERSION, .type = PROTO_UPDATE };
	uint8_t buffer[PROTO_MESSAGE_MAX];

	probe.report.session = (struct proto_session){ 1, 1, 1 };
	probe.report.status = *status;
	return proto_write(&probe, buffer) > 0;
}
