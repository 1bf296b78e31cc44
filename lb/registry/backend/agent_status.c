/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See agent_status.h. Called by the registry for each REGISTER and each report. */
#include "lb/registry/backend/agent_status.h"

#include "common/proto/vips.h"

struct backend_vip *agent_status_vips(const struct addr *vips, size_t n_vips)
{
	struct backend_vip *made = calloc(n_vips + 1, sizeof(*made));

	for (size_t i = 0; made && i < n_vips; i++)
		made[i].address = vips[i];
	return made;
}

bool agent_status_has_vips(
	const struct backend_status *status, const struct addr *vips, size_t n_vips)
{
	if (status->n_vips != n_vips)
		return false;
	for (size_t i = 0; i < n_vips; i++)
		if (!addr_equal(&status->vips[i].address, &vips[i]))
			return false;
	return true;
}

const struct backend_vip *agent_status_vip(const struct backend_status *status, size_t idx)
{
	return idx < status->n_vips ? &status->vips[idx] : NULL;
}

static bool is_fit(const struct backend_status *status, size_t idx)
{
	return idx < status->n_vips && status->vips[idx].present && status->vips[idx].silent;
}

bool agent_status_is_worse(const struct backend_status *status, const struct proto_status *said)
{
	if (said->state > status->state || said->weight < status->weight ||
		said->second_chance < status->second_chance)
		return true;
	for (size_t i = 0; i < status->n_vips; i++)
		if (is_fit(status, i) && !vips_are_fit(said, i))
			return true;
	return false;
}

bool agent_status_is_better(const struct backend_status *status, const struct proto_status *said)
{
	if (said->state < status->state || said->weight > status->weight ||
		said->second_chance > status->second_chance)
		return true;
	for (size_t i = 0; i < said->n_vips; i++)
		if (vips_are_fit(said, i) && !is_fit(status, i))
			return true;
	return false;
}

/* What was judged of a VIP stays its own. Most are where they were: the search goes on from the last that was found. */
static void replace_vips(struct backend_status *status, struct backend_vip *vips, uint16_t n_vips)
{
	size_t at = 0;

	for (size_t i = 0; i < n_vips; i++) {
		for (size_t seen = 0; seen < status->n_vips; seen++) {
			const struct backend_vip *old = &status->vips[(at + seen) % status->n_vips];

			if (!addr_equal(&old->address, &vips[i].address))
				continue;
			vips[i].usable = old->usable;
			at += seen + 1;
			break;
		}
	}
	free(status->vips);
	status->vips = vips;
	status->n_vips = n_vips;
}

void agent_status_take(struct backend_status *status, const struct proto_status *said,
	struct backend_vip *vips, bool held)
{
	bool keeps = held && !vips;

	if (vips)
		replace_vips(status, vips, said->n_vips);
	if (!held || said->state >= status->state) {
		status->state = said->state;
		memcpy(status->reason, said->reason, sizeof(status->reason));
	}
	status->weight = held ? MIN(status->weight, said->weight) : said->weight;
	status->second_chance = said->second_chance && (!held || status->second_chance);
	status->max_connections = said->max_connections;
	for (size_t i = 0; i < status->n_vips; i++) {
		struct backend_vip *vip = &status->vips[i];

		vip->present = vips_are_present(said, i) && (!keeps || vip->present);
		vip->silent = vips_are_silent(said, i) && (!keeps || vip->silent);
		(void)vips_count(said, i, &vip->established);
	}
}

uint64_t agent_status_established(const struct backend_status *status)
{
	uint64_t established = 0;

	ARRAY_FOREACH (vip, status->vips, status->n_vips)
		established += vip->established;
	return established;
}

int agent_status_copy(const struct backend_status *status, struct backend_status *ret_status)
{
	struct backend_vip *vips = calloc((size_t)status->n_vips + 1, sizeof(*vips));

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < status->n_vips; i++)
		vips[i] = status->vips[i];
	*ret_status = *status;
	ret_status->vips = vips;
	return 0;
}

void agent_status_clear(struct backend_status *status)
{
	free(status->vips);
	*status = (struct backend_status){ 0 };
}
