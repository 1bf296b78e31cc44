/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See status_warnings.h. */
#include "lb/control/status_warnings.h"

#include "common/os/clock.h"
#include "lb/config/model.h"
#include "lb/daemon/balancer.h"
#include "lb/link/announce.h"
#include "lb/link/claims.h"
#include "lb/registry/registry.h"
#include "lb/session/session.h"

static double status_warnings_age_s(uint64_t then_us, uint64_t now_us)
{
	return (double)(now_us - MIN(now_us, then_us)) / (double)US_PER_S;
}

bool status_warnings_held(const struct balancer *balancer,
	const struct config_virtual_server *virtual_server, struct why *ret_why)
{
	const struct addr *vips = virtual_server->vips.items;
	char vip[ADDR_STRLEN], mac[MAC_STRLEN];

	for (size_t i = 0; i < virtual_server->vips.len; i++) {
		const struct mac *holder = announce_holder(balancer->announce, &vips[i]);

		if (!holder)
			continue;
		why_set(ret_why, "%s is not announced: %s has it", addr_format(&vips[i], vip),
			mac_format(holder, mac));
		return true;
	}
	return false;
}

void status_warnings_unserved(
	const char *virtual_server, const struct registry_tier *tier, struct why *ret_why)
{
	if (tier->n_full == 0)
		why_set(ret_why, "virtual server %s has no usable backend", virtual_server);
	else if (tier->n_counted == 0)
		why_set(ret_why, "virtual server %s has no usable backend: %u full", virtual_server,
			tier->n_full);
	else
		why_set(ret_why,
			"virtual server %s has no usable backend: %u full, %u of them by the flow table, "
			"which goes by clients' frames, and these can be forged",
			virtual_server, tier->n_full, tier->n_counted);
}

json_t *status_warnings_announced(
	const struct balancer *balancer, const struct config_virtual_server *virtual_server)
{
	const struct addr *vips = virtual_server->vips.items;
	uint64_t now_us = clock_now_us();
	json_t *array = json_array();
	char vip[ADDR_STRLEN], asker[ADDR_STRLEN];

	for (size_t i = 0; i < virtual_server->vips.len; i++) {
		const struct announce_asked *asked = announce_asked(balancer->announce, &vips[i]);

		if (!asked)
			continue;
		(void)json_array_append_new(array,
			json_pack("{s:s, s:f, s:o, s:s?}", "vip", addr_format(&vips[i], vip),
				"since_s", status_warnings_age_s(asked->since_us, now_us),
				"asked_s",
				asked->asked_us
					? json_real(status_warnings_age_s(asked->asked_us, now_us))
					: json_null(),
				"asker",
				asked->asked_us ? addr_format(&asked->asker, asker) : NULL));
	}
	return array;
}

/* The name of the backend with this MAC; NULL: none. */
static const char *status_warnings_owner(const struct balancer *balancer, const struct mac *mac)
{
	for (size_t i = 0; i < registry_len(balancer->registry); i++)
		if (mac_equal(&registry_backend_at(balancer->registry, i)->mac, mac))
			return registry_backend_at(balancer->registry, i)->name;
	return NULL;
}

json_t *status_warnings_claims(const struct balancer *balancer)
{
	const struct claims *claims = announce_claims(balancer->announce);
	uint64_t now_us = clock_now_us();
	json_t *array = json_array();
	char vip[ADDR_STRLEN], mac[MAC_STRLEN];

	ARRAY_FOREACH (claim, claims->items, claims->len)
		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:s?, s:I, s:f}", "vip",
				addr_format(&claim->vip, vip), "mac", mac_format(&claim->mac, mac),
				"backend", status_warnings_owner(balancer, &claim->mac), "count",
				(json_int_t)claim->count, "last_s",
				status_warnings_age_s(claim->last_us, now_us)));
	return array;
}

json_t *status_warnings_refusals(const struct balancer *balancer)
{
	uint64_t now_us = clock_now_us();
	const struct session_refusals *refusals = session_refused(balancer->sessions, now_us);
	json_t *array = json_array();
	char address[ADDR_STRLEN];

	ARRAY_FOREACH (refused, refusals->items, refusals->len)
		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:s, s:I, s:f}", "address",
				addr_format(&refused->source, address), "reason",
				session_refusals_name(refused->refusal), "words", refused->words,
				"count", (json_int_t)refused->count, "last_s",
				status_warnings_age_s(refused->last_us, now_us)));
	return array;
}

json_t *status_warnings_balancers(const struct balancer *balancer)
{
	const struct session_others *others = session_others(balancer->sessions, clock_now_us());
	json_t *array = json_array();
	char address[ADDR_STRLEN];

	ARRAY_FOREACH (other, others->items, others->len) {
		json_t *names = json_array(), *differences = json_array();

		ARRAY_FOREACH (table, other->tables, other->n_tables) {
			if (!table->stands)
				continue;
			(void)json_array_append_new(names, json_string(table->name));
			(void)json_array_append_new(differences,
				json_pack("{s:s, s:s}", "virtual_server", table->name, "words",
					session_difference_words(table->difference)));
		}
		(void)json_array_append_new(array,
			json_pack("{s:s, s:s?, s:o, s:o}", "address",
				addr_format(&other->balancer.address, address), "name",
				other->balancer.name[0] ? other->balancer.name : NULL,
				"table_digests_differ", names, "differences", differences));
	}
	return array;
}
