/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving flow records between tables; see keep_flows.h. Writes entries by the protocol of
 * lb/fwd/flow.h, so that workers may use the table meanwhile: claim by compare-and-swap, write
 * the key, publish.
 */
#include "lb/keep_flows.h"

#include <endian.h>

#include "lb/fwd/hash.h"

/* The entries of one bucket of either family, as keys and metas. */
struct bucket_view {
	uint8_t *entries;
	size_t n_entries;
	size_t entry_bytes;
	size_t key_bytes;
};

static struct bucket_view view4(const struct flows_table *table, uint32_t idx)
{
	return (struct bucket_view){ (uint8_t *)table->flow4[idx].entries, FLOW4_PER_BUCKET,
		sizeof(struct flow4), offsetof(struct flow4, meta) };
}

static struct bucket_view view6(const struct flows_table *table, uint32_t idx)
{
	return (struct bucket_view){ (uint8_t *)table->flow6[idx].entries, FLOW6_PER_BUCKET,
		sizeof(struct flow6), offsetof(struct flow6, meta) };
}

static uint8_t *key_at(const struct bucket_view *bucket, size_t idx)
{
	return bucket->entries + idx * bucket->entry_bytes;
}

static __u64 *meta_at(const struct bucket_view *bucket, size_t idx)
{
	return (__u64 *)(key_at(bucket, idx) + bucket->key_bytes);
}

static bool is_record(uint64_t meta)
{
	uint8_t state = flow_meta_state(meta);

	return state > FLOW_FREE && state <= FLOW_UDP_ESTABLISHED;
}

/* How gladly an entry is given up; 0: not at all, as it is no older than the record to be put. */
static uint64_t rank(uint64_t meta, uint64_t record_meta)
{
	uint8_t state = flow_meta_state(meta);
	uint64_t age_s = flow_meta_age_s(meta, (uint32_t)record_meta & FLOW_TIME_MASK);

	if (state == FLOW_FREE)
		return UINT64_MAX;
	if (state == FLOW_BUSY)
		return 0;
	if (state == FLOW_TCP_SYN || state == FLOW_UDP_NEW)
		return age_s + FLOW_TIME_MASK;
	return age_s;
}

/* Whether the bucket has a record of this flow already; else the place to put it, if any. */
static bool find_place(const struct bucket_view *bucket, const uint8_t *key, uint64_t record_meta,
	size_t *ret_idx, uint64_t *ret_meta)
{
	uint64_t best = 0;

	for (size_t idx = 0; idx < bucket->n_entries; idx++) {
		uint64_t meta = __atomic_load_n(meta_at(bucket, idx), __ATOMIC_ACQUIRE);
		uint64_t value = rank(meta, record_meta);

		if (is_record(meta) && flow_meta_service(meta) == flow_meta_service(record_meta) &&
			memcmp(key_at(bucket, idx), key, bucket->key_bytes) == 0)
			return false;
		if (value > best) {
			best = value;
			*ret_idx = idx;
			*ret_meta = meta;
		}
	}
	return best > 0;
}

static void put(
	const struct bucket_view *bucket, const uint8_t *key, uint64_t record_meta, uint32_t now_s)
{
	/* Another writer may come first; then there are at most as many tries as entries. */
	for (size_t attempt = 0; attempt < bucket->n_entries; attempt++) {
		__u64 claim = flow_meta(0, 0, FLOW_BUSY, now_s);
		uint64_t meta = 0;
		size_t idx = 0;
		__u64 expected;

		if (!find_place(bucket, key, record_meta, &idx, &meta))
			return;
		expected = meta;
		if (!__atomic_compare_exchange_n(meta_at(bucket, idx), &expected, claim, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		memcpy(key_at(bucket, idx), key, bucket->key_bytes);
		__atomic_store_n(meta_at(bucket, idx), record_meta, __ATOMIC_RELEASE);
		return;
	}
}

/* Copies an entry out; false when it holds no record or was changed meanwhile. */
static bool get(const struct bucket_view *bucket, size_t idx, void *ret_key, uint64_t *ret_meta)
{
	uint64_t meta = __atomic_load_n(meta_at(bucket, idx), __ATOMIC_ACQUIRE);

	if (!is_record(meta))
		return false;
	memcpy(ret_key, key_at(bucket, idx), bucket->key_bytes);
	*ret_meta = meta;
	/* Adds nothing: a read-modify-write, unlike a load, stays behind the reads of the key. */
	return __atomic_fetch_add(meta_at(bucket, idx), 0, __ATOMIC_ACQ_REL) == meta;
}

static void move4(const struct flows_table *to, const struct bucket_view *from,
	const struct fwd_settings *settings, uint32_t now_s)
{
	struct fwd_addr client = { { 0, 0, htobe32(0xffff), 0 } };
	struct flow4 flow = { 0 };

	for (size_t idx = 0; idx < from->n_entries; idx++) {
		struct bucket_view bucket;
		uint64_t meta;
		uint64_t hash;

		if (!get(from, idx, &flow, &meta))
			continue;
		client.word[3] = flow.client;
		hash = hash_flow(settings, &client, flow.client_port, flow.vip_port,
			flow_meta_service(meta));
		bucket = view4(to, hash_reduce(hash, to->n_flow4));
		put(&bucket, (uint8_t *)&flow, meta, now_s);
	}
}

static void move6(const struct flows_table *to, const struct bucket_view *from,
	const struct fwd_settings *settings, uint32_t now_s)
{
	struct flow6 flow = { 0 };
	struct fwd_addr client;

	for (size_t idx = 0; idx < from->n_entries; idx++) {
		struct bucket_view bucket;
		uint64_t meta;
		uint64_t hash;

		if (!get(from, idx, &flow, &meta))
			continue;
		memcpy(client.word, flow.client, sizeof(client.word));
		hash = hash_flow(settings, &client, flow.client_port, flow.vip_port,
			flow_meta_service(meta));
		bucket = view6(to, hash_reduce(hash, to->n_flow6));
		put(&bucket, (uint8_t *)&flow, meta, now_s);
	}
}

void keep_flows_move(const struct flows_table *to, const struct flows_table *from,
	const uint64_t seed[2], uint32_t now_s)
{
	struct fwd_settings settings = { .flow_seed = { seed[0], seed[1] } };

	for (uint32_t idx = 0; to->n_flow4 > 0 && idx < from->n_flow4; idx++) {
		struct bucket_view bucket = view4(from, idx);

		move4(to, &bucket, &settings, now_s);
	}
	for (uint32_t idx = 0; to->n_flow6 > 0 && idx < from->n_flow6; idx++) {
		struct bucket_view bucket = view6(from, idx);

		move6(to, &bucket, &settings, now_s);
	}
}

static void mend(const struct bucket_view *bucket)
{
	for (size_t idx = 0; idx < bucket->n_entries; idx++)
		if (!is_record(*meta_at(bucket, idx)))
			*meta_at(bucket, idx) = 0;
}

void keep_flows_mend(const struct flows_table *table)
{
	for (uint32_t idx = 0; idx < table->n_flow4; idx++) {
		struct bucket_view bucket = view4(table, idx);

		mend(&bucket);
	}
	for (uint32_t idx = 0; idx < table->n_flow6; idx++) {
		struct bucket_view bucket = view6(table, idx);

		mend(&bucket);
	}
}
