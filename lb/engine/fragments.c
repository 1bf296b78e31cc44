/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fragment table: buckets of four records, a mutex for each stripe of buckets. */
#include "lb/engine/fragments.h"

#include <pthread.h>

#include "lb/fwd/hash.h"

#define FRAGMENTS_PER_BUCKET 4u
#define FRAGMENTS_STRIPES    64u

struct record {
	struct fwd_fragment_key key;
	struct fwd_fragment fragment; /* neither service nor reason: free */
};

struct bucket {
	struct record records[FRAGMENTS_PER_BUCKET];
};

struct fragments {
	__u64 seed[2];
	uint32_t n_buckets;
	struct bucket *buckets;
	pthread_mutex_t stripes[FRAGMENTS_STRIPES];
};

int fragments_new(uint32_t n_records, const __u64 seed[2], struct fragments **ret_fragments)
{
	_cleanup_free_ struct fragments *fragments = NULL;

	if (n_records == 0 || n_records > FRAGMENTS_MAX)
		return -EINVAL;
	fragments = calloc(1, sizeof(*fragments));
	if (!fragments)
		return -ENOMEM;
	memcpy(fragments->seed, seed, sizeof(fragments->seed));
	fragments->n_buckets = (n_records + FRAGMENTS_PER_BUCKET - 1) / FRAGMENTS_PER_BUCKET;
	fragments->buckets = calloc(fragments->n_buckets, sizeof(*fragments->buckets));
	if (!fragments->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < FRAGMENTS_STRIPES; i++)
		pthread_mutex_init(&fragments->stripes[i], NULL);
	*ret_fragments = TAKE_PTR(fragments);
	return 0;
}

struct fragments *fragments_free(struct fragments *fragments)
{
	if (!fragments)
		return NULL;
	for (size_t i = 0; i < FRAGMENTS_STRIPES; i++)
		pthread_mutex_destroy(&fragments->stripes[i]);
	free(fragments->buckets);
	free(fragments);
	return NULL;
}

static bool fragments_is_free(const struct record *record)
{
	return !record->fragment.service && !record->fragment.reason;
}

static uint32_t fragments_bucket(
	const struct fragments *fragments, const struct fwd_fragment_key *key)
{
	uint64_t hash = hash_addr(fragments->seed, &key->source, key->id);

	hash = hash_addr(fragments->seed, &key->vip, hash ^ key->proto);
	return hash_reduce(hash, fragments->n_buckets);
}

bool fragments_get(struct fragments *fragments, const struct fwd_fragment_key *key,
	struct fwd_fragment *ret_fragment)
{
	uint32_t idx = fragments_bucket(fragments, key);
	pthread_mutex_t *stripe = &fragments->stripes[idx % FRAGMENTS_STRIPES];
	struct bucket *bucket = &fragments->buckets[idx];
	bool found = false;

	pthread_mutex_lock(stripe);
	ARRAY_FOREACH (record, bucket->records, FRAGMENTS_PER_BUCKET) {
		if (fragments_is_free(record) || memcmp(&record->key, key, sizeof(*key)) != 0)
			continue;
		*ret_fragment = record->fragment;
		found = true;
		break;
	}
	pthread_mutex_unlock(stripe);
	return found;
}

/* The key's own record, else a free one, else the oldest. Times wrap: compared by difference. */
static struct record *fragments_place(
	struct bucket *bucket, const struct fwd_fragment_key *key, uint32_t now_s)
{
	struct record *place = NULL;

	ARRAY_FOREACH (record, bucket->records, FRAGMENTS_PER_BUCKET)
		if (!fragments_is_free(record) && memcmp(&record->key, key, sizeof(*key)) == 0)
			return record;
	ARRAY_FOREACH (record, bucket->records, FRAGMENTS_PER_BUCKET) {
		if (fragments_is_free(record))
			return record;
		if (!place || now_s - record->fragment.seen_s > now_s - place->fragment.seen_s)
			place = record;
	}
	return place;
}

void fragments_put(struct fragments *fragments, const struct fwd_fragment_key *key,
	const struct fwd_fragment *fragment)
{
	uint32_t idx = fragments_bucket(fragments, key);
	pthread_mutex_t *stripe = &fragments->stripes[idx % FRAGMENTS_STRIPES];
	struct record *record;

	pthread_mutex_lock(stripe);
	record = fragments_place(&fragments->buckets[idx], key, fragment->seen_s);
	record->key = *key;
	record->fragment = *fragment;
	pthread_mutex_unlock(stripe);
}
