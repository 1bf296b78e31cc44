/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving flow records between tables; see keep_flows.h. Called before workers run; but a program in
 * the kernel may go on with a table that is read here, so that much keeps to the protocol of
 * lb/fwd/flow.h.
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

	return state > FLOW_FREE && state <= FLOW_PERSIST;
}

/* A record that is written to again and again while we read it. */
#define READ_ATTEMPTS 4u

/* Copies an entry that is a record, whole. */
static bool read_record(const struct bucket_view *bucket, size_t idx, __u64 *ret_words)
{
	const __u64 *words = (const __u64 *)key_at(bucket, idx);
	size_t n_key_words = bucket->key_bytes / sizeof(*words);

	for (unsigned int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		__u64 meta = FWD_LOAD(meta_at(bucket, idx));

		if (!is_record(meta))
			return false;
		for (size_t word = 0; word < n_key_words; word++)
			ret_words[word] = FWD_LOAD(&words[word]);
		ret_words[n_key_words] = meta;
		if (FWD_LOAD(meta_at(bucket, idx)) == meta)
			return true;
	}
	return false;
}

/* How gladly an entry is given up; 0: not at all, as it is no older than the record to be put. */
static uint64_t rank(uint64_t meta, uint64_t record_meta)
{
	uint8_t state = flow_meta_state(meta);
	uint64_t age_s = flow_meta_age_s(meta, (uint32_t)record_meta & FLOW_TIME_MASK);

	if (state == FLOW_FREE)
		return UINT64_MAX;
	if (state == FLOW_TCP_SYN || state == FLOW_UDP_NEW || state == FLOW_PERSIST_NEW)
		return age_s + FLOW_TIME_MASK;
	return age_s;
}

/* Where the bucket has the flow already, or nothing to give up for it, nothing changes. */
static void put(const struct bucket_view *bucket, const uint8_t *key, uint64_t record_meta)
{
	uint64_t best = 0;
	size_t place = 0;

	for (size_t idx = 0; idx < bucket->n_entries; idx++) {
		uint64_t meta = *meta_at(bucket, idx);
		uint64_t value = rank(meta, record_meta);

		if (is_record(meta) && flow_meta_service(meta) == flow_meta_service(record_meta) &&
			memcmp(key_at(bucket, idx), key, bucket->key_bytes) == 0)
			return;
		if (value > best) {
			best = value;
			place = idx;
		}
	}
	if (best == 0)
		return;
	memcpy(key_at(bucket, place), key, bucket->key_bytes);
	*meta_at(bucket, place) = record_meta;
}

static void move4(const struct flows_table *to, const struct bucket_view *from,
	const struct fwd_settings *settings)
{
	struct fwd_addr client = { { 0, 0, htobe32(0xffff), 0 } };

	for (size_t idx = 0; idx < from->n_entries; idx++) {
		struct bucket_view bucket;
		union {
			struct flow4 flow;
			__u64 words[FLOW4_KEY_WORDS + 1];
		} entry;
		uint64_t hash;

		if (!read_record(from, idx, entry.words))
			continue;
		client.word[3] = entry.flow.client;
		hash = hash_flow(settings, &client, entry.flow.client_port, entry.flow.vip_port,
			flow_meta_service(entry.flow.meta));
		bucket = view4(to, hash_reduce(hash, to->n_flow4));
		put(&bucket, (const uint8_t *)&entry.flow, entry.flow.meta);
	}
}

static void move6(const struct flows_table *to, const struct bucket_view *from,
	const struct fwd_settings *settings)
{
	struct fwd_addr client;

	for (size_t idx = 0; idx < from->n_entries; idx++) {
		struct bucket_view bucket;
		union {
			struct flow6 flow;
			__u64 words[FLOW6_KEY_WORDS + 1];
		} entry;
		uint64_t hash;

		if (!read_record(from, idx, entry.words))
			continue;
		memcpy(client.word, entry.flow.client, sizeof(client.word));
		hash = hash_flow(settings, &client, entry.flow.client_port, entry.flow.vip_port,
			flow_meta_service(entry.flow.meta));
		bucket = view6(to, hash_reduce(hash, to->n_flow6));
		put(&bucket, (const uint8_t *)&entry.flow, entry.flow.meta);
	}
}

void keep_flows_move(
	const struct flows_table *to, const struct flows_table *from, const uint64_t seed[2])
{
	struct fwd_settings settings = { .flow_seed = { seed[0], seed[1] } };

	for (uint32_t idx = 0; to->n_flow4 > 0 && idx < from->n_flow4; idx++) {
		struct bucket_view bucket = view4(from, idx);

		move4(to, &bucket, &settings);
	}
	for (uint32_t idx = 0; to->n_flow6 > 0 && idx < from->n_flow6; idx++) {
		struct bucket_view bucket = view6(from, idx);

		move6(to, &bucket, &settings);
	}
}

static void mend(const struct bucket_view *bucket, bool is_shared)
{
	for (size_t idx = 0; idx < bucket->n_entries; idx++) {
		__u64 meta = FWD_LOAD(meta_at(bucket, idx));

		if (meta != 0 && !is_record(meta) &&
			!(is_shared && flow_meta_state(meta) == FLOW_BUSY))
			__atomic_compare_exchange_n(meta_at(bucket, idx), &meta, 0, false,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

void keep_flows_mend(const struct flows_table *table, bool is_shared)
{
	for (uint32_t idx = 0; idx < table->n_flow4; idx++) {
		struct bucket_view bucket = view4(table, idx);

		mend(&bucket, is_shared);
	}
	for (uint32_t idx = 0; idx < table->n_flow6; idx++) {
		struct bucket_view bucket = view6(table, idx);

		mend(&bucket, is_shared);
	}
}
