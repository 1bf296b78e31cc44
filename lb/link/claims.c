/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded table of claims; see claims.h. Knows no frame and no list of VIPs. */
#include "lb/link/claims.h"

static struct claim *claims_find(
	struct claims *claims, const struct addr *vip, const struct mac *mac)
{
	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (mac_equal(&claim->mac, mac) && addr_equal(&claim->vip, vip))
			return claim;
	return NULL;
}

/* A free place, else that of the pair that was silent the longest; NULL: all of them go on. */
static struct claim *claims_room(struct claims *claims, uint64_t now_us)
{
	struct claim *oldest = claims->items;

	if (claims->len < CLAIMS_MAX)
		return &claims->items[claims->len++];
	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (claim->last_us < oldest->last_us)
			oldest = claim;
	return now_us - oldest->last_us >= CLAIMS_SAY_US ? oldest : NULL;
}

bool claims_add(
	struct claims *claims, const struct addr *vip, const struct mac *mac, uint64_t now_us)
{
	struct claim *claim = claims_find(claims, vip, mac);
	bool is_new = !claim;

	claims->seen++;
	if (is_new) {
		claim = claims_room(claims, now_us);
		if (!claim)
			return false;
		*claim = (struct claim){ .vip = *vip, .mac = *mac };
	}
	claim->count++;
	claim->last_us = now_us;
	if (!is_new && now_us - claim->said_us < CLAIMS_SAY_US)
		return false;
	claim->said_us = now_us;
	return true;
}

void claims_expire(struct claims *claims, uint64_t now_us)
{
	size_t len = 0;

	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (now_us - claim->last_us < CLAIMS_KEEP_US)
			claims->items[len++] = *claim;
	claims->len = len;
}

void claims_keep(struct claims *claims, bool (*keep)(const struct addr *vip, const void *context),
	const void *context)
{
	size_t len = 0;

	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (keep(&claim->vip, context))
			claims->items[len++] = *claim;
	claims->len = len;
}

bool claims_live(const struct claims *claims, uint64_t now_us)
{
	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (now_us - claim->last_us < CLAIMS_LIVE_US)
			return true;
	return false;
}
