/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See session_parts.h. */
#include "lb/session/session_parts.h"

#include "common/proto/auth.h"
#include "common/proto/vips.h"

struct session_parts_item {
	char key_id[PROTO_KEY_ID_MAX + 1];
	char name[PROTO_NAME_MAX + 1];
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	uint64_t made_us;   /* its challenge */
	uint32_t have;      /* a bit for each part */
	uint16_t n_vips;    /* in all */
	struct addr vips[]; /* so many */
};
_Static_assert(PROTO_PARTS_MAX <= 32, "a bit for each part");

/* Where what is gathered under this name stands; len: nothing is. */
static size_t find(const struct session_parts *parts, const char *key_id, const char *name)
{
	size_t at = 0;

	while (at < parts->len &&
		!(streq(parts->items[at]->key_id, key_id) && streq(parts->items[at]->name, name)))
		at++;
	return at;
}

static void drop(struct session_parts *parts, size_t at)
{
	free(parts->items[at]);
	parts->items[at] = parts->items[--parts->len];
}

static bool is_of(const struct session_parts_item *item, const uint8_t *nonce_agent,
	const uint8_t *nonce_balancer, uint16_t n_vips)
{
	return item->n_vips == n_vips &&
		memcmp(item->nonce_agent, nonce_agent, PROTO_NONCE_BYTES) == 0 &&
		memcmp(item->nonce_balancer, nonce_balancer, PROTO_NONCE_BYTES) == 0;
}

static bool is_whole(const struct session_parts_item *item)
{
	return item->have == (UINT32_C(1) << vips_parts(item->n_vips)) - 1;
}

static int begin(struct session_parts *parts, const struct proto_part *part, uint64_t made_us,
	struct session_parts_item **ret_item)
{
	struct session_parts_item *item;

	if (parts->len == SESSION_PARTS_MAX)
		return -ENOSPC;
	item = calloc(1, sizeof(*item) + part->n_vips * sizeof(item->vips[0]));
	if (!item)
		return -ENOMEM;
	memcpy(item->key_id, part->key_id, sizeof(item->key_id));
	memcpy(item->name, part->name, sizeof(item->name));
	memcpy(item->nonce_agent, part->nonce_agent, PROTO_NONCE_BYTES);
	memcpy(item->nonce_balancer, part->nonce_balancer, PROTO_NONCE_BYTES);
	item->made_us = made_us;
	item->n_vips = part->n_vips;
	parts->items[parts->len++] = item;
	*ret_item = item;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* No VIP is named twice, in whichever parts. */
static int check_distinct(const struct session_parts_item *item)
{
	_cleanup_free_ struct addr *sorted = calloc(item->n_vips, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, item->vips, item->n_vips * sizeof(*sorted));
	qsort(sorted, item->n_vips, sizeof(*sorted), compare);
	for (size_t i = 1; i < item->n_vips; i++)
		if (addr_equal(&sorted[i - 1], &sorted[i]))
			return -EINVAL;
	return 0;
}

int session_parts_add(struct session_parts *parts, const struct proto_part *part, uint64_t made_us)
{
	size_t at = find(parts, part->key_id, part->name);
	struct session_parts_item *item = at < parts->len ? parts->items[at] : NULL;
	int r = 0;

	if (item && !is_of(item, part->nonce_agent, part->nonce_balancer, part->n_vips)) {
		/* The agent began anew; what is older than that was held up on its way, or is said again by somebody. */
		if (made_us < item->made_us)
			return -ESTALE;
		drop(parts, at);
		item = NULL;
	}
	if (!item)
		r = begin(parts, part, made_us, &item);
	if (r < 0 || item->have & UINT32_C(1) << part->part)
		return r;
	memcpy(&item->vips[(size_t)part->part * PROTO_VIPS_PART], part->vips,
		vips_in_part(part->n_vips, part->part) * sizeof(part->vips[0]));
	item->have |= UINT32_C(1) << part->part;
	r = is_whole(item) ? check_distinct(item) : 0;
	if (r < 0)
		drop(parts, find(parts, part->key_id, part->name));
	return r;
}

const struct addr *session_parts_whole(
	const struct session_parts *parts, const struct proto_register *reg)
{
	size_t at = find(parts, reg->key_id, reg->name);
	const struct session_parts_item *item = at < parts->len ? parts->items[at] : NULL;

	if (!item || !is_whole(item) ||
		!is_of(item, reg->nonce_agent, reg->nonce_balancer, reg->status.n_vips))
		return NULL;
	return item->vips;
}

void session_parts_drop(struct session_parts *parts, const struct proto_register *reg)
{
	size_t at = find(parts, reg->key_id, reg->name);

	if (at < parts->len &&
		is_of(parts->items[at], reg->nonce_agent, reg->nonce_balancer, reg->status.n_vips))
		drop(parts, at);
}

void session_parts_expire(struct session_parts *parts, uint64_t now_us)
{
	for (size_t i = parts->len; i-- > 0;)
		if (now_us - MIN(parts->items[i]->made_us, now_us) > AUTH_CHALLENGE_VALID_US)
			drop(parts, i);
}

void session_parts_clear(struct session_parts *parts)
{
	while (parts->len > 0)
		drop(parts, 0);
}
