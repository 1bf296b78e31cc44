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

/* The pair that was silent the longest, of strangers' or of all; NULL: there is none. */
static struct claim *claims_oldest(struct claims *claims, bool of_strangers)
{
	struct claim *oldest = NULL;

	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (!(of_strangers && claim->is_known) &&
			(!oldest || claim->last_us < oldest->last_us))
			oldest = claim;
	return oldest;
}

static bool claim_has_ended(const struct claim *claim, uint64_t now_us)
{
	return now_us - claim->last_us >= CLAIMS_SAY_US;
}

/* A free place, else that of another pair; NULL: they stay. */
static struct claim *claims_room(struct claims *claims, bool is_known, uint64_t now_us)
{
	struct claim *oldest = claims_oldest(claims, true);

	if (claims->len < CLAIMS_MAX)
		return &claims->items[claims->len];
	if (oldest && (is_known || claim_has_ended(oldest, now_us)))
		return oldest;
	oldest = claims_oldest(claims, false);
	return claim_has_ended(oldest, now_us) ? oldest : NULL;
}

static bool claims_ask(struct claims *claims, const struct claimant *claimant, uint64_t now_us)
{
	if (!claimant->is_known)
		return false;
	if (now_us - claims->asking_us >= CLAIMS_ASK_US) {
		claims->asking_us = now_us;
		claims->n_asked = 0;
	}
	return claims->n_asked++ < CLAIMS_ASK_MAX &&
		claimant->is_known(&claimant->mac, claimant->context);
}

bool claims_add(struct claims *claims, const struct addr *vip, const struct claimant *claimant,
	uint64_t now_us)
{
	const struct mac *mac = &claimant->mac;
	struct claim *claim = claims_find(claims, vip, mac);
	bool is_new = !claim;

	claims->seen++;
	if (is_new) {
		bool is_known;

		if (!claims_room(claims, true, now_us))
			return false;
		is_known = claims_ask(claims, claimant, now_us);
		claim = claims_room(claims, is_known, now_us);
		if (!claim)
			return false;
		if (claim == &claims->items[claims->len])
			claims->len++;
		*claim = (struct claim){ .vip = *vip, .mac = *mac, .is_known = is_known };
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
