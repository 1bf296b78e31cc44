/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pool.h. */
#include "lb/publish/pool.h"

#include <endian.h>

#include "common/search.h"

struct pool *pool_new(void)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool)
		pool->refs = 1;
	return pool;
}

struct pool *pool_ref(struct pool *pool)
{
	pool->refs++;
	return pool;
}

struct pool *pool_unref(struct pool *pool)
{
	if (!pool || --pool->refs > 0)
		return NULL;
	pool_unref(pool->parent);
	keep_rows_unref(pool->rows);
	free(pool->members);
	free(pool->alive);
	free(pool->shares);
	free(pool->disagrees);
	free(pool);
	return NULL;
}

void pool_alive(const struct pool *pool, struct table_ids *ret_ids)
{
	memset(ret_ids, 0, sizeof(*ret_ids));
	for (size_t i = 0; i < pool->n_alive; i++)
		table_ids_add(ret_ids, pool->alive[i]);
}

const char *pool_digest(struct pool *pool)
{
	/* Made when somebody asks: not while clients wait for the table. */
	if (pool->digest[0] == '\0' && pool->known)
		(void)table_digest(pool->members, pool->n_members,
			keep_rows_table(pool->rows)->rows, pool->digest);
	return pool->digest;
}

void pool_marks(const struct pool *pool, uint32_t *ret_members, uint32_t *ret_weights)
{
	uint32_t members = UTIL_FNV_32_BASIS, weights = UTIL_FNV_32_BASIS;

	ARRAY_FOREACH (member, pool->members, pool->n_members) {
		size_t size_bytes = addr_size_bytes(&member->address);
		uint32_t weight = htobe32(member->weight);

		members = util_fnv_32(members, member->address.bytes, size_bytes);
		weights = util_fnv_32(weights, member->address.bytes, size_bytes);
		weights = util_fnv_32(weights, &weight, sizeof(weight));
	}
	*ret_members = members;
	*ret_weights = weights;
}

/* Owners do not change while a table lives, so rows are counted once. */
static int pool_share_out(struct pool *pool)
{
	_cleanup_free_ uint32_t *n_owned = calloc(FWD_ID_MAX + 1, sizeof(*n_owned));
	size_t len = 0;

	if (!n_owned)
		return -ENOMEM;
	table_count(keep_rows_table(pool->rows)->rows, n_owned);
	for (size_t id = 1; id <= FWD_ID_MAX; id++)
		len += n_owned[id] > 0;
	pool->shares = calloc(len + 1, sizeof(*pool->shares));
	if (!pool->shares)
		return -ENOMEM;
	for (size_t id = 1; id <= FWD_ID_MAX; id++)
		if (n_owned[id] > 0)
			pool->shares[pool->n_shares++] =
				(struct pool_share){ n_owned[id], (uint16_t)id };
	return 0;
}

static int pool_share_compare(const void *a, const void *b)
{
	const struct pool_share *left = a, *right = b;

	return (int)left->id - (int)right->id;
}

size_t pool_owned(struct pool *pool, uint16_t backend)
{
	const struct pool_share key = { .id = backend };
	size_t at;

	if (!pool->shares && pool_share_out(pool) < 0)
		return 0;
	return search_find(&key, pool->shares, pool->n_shares, sizeof(key), pool_share_compare, &at)
		? pool->shares[at].n_rows
		: 0;
}

static int pool_service_compare(const void *a, const void *b)
{
	const struct pool_service *left = a, *right = b;

	return (int)left->id - (int)right->id;
}

void pool_services_sort(struct pool_service *services, size_t len)
{
	qsort(services, len, sizeof(*services), pool_service_compare);
}

void pool_services_free(struct pool_service *services, size_t len)
{
	for (size_t i = 0; services && i < len; i++) {
		pool_unref(services[i].pool);
		scheduler_unref(services[i].scheduler);
	}
	free(services);
}

const struct pool_service *pool_service_find(const struct pools *pools, uint16_t service)
{
	struct pool_service key = { .id = service };
	size_t at;

	return search_find(&key, pools->services, pools->n_services, sizeof(key),
		       pool_service_compare, &at)
		? &pools->services[at]
		: NULL;
}
