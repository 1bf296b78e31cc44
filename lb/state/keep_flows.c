/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving flow records between tables; see keep_flows.h. Called before workers run; but a program in
 * the kernel may go on with a table that is read here, so that much keeps to the protocol of
 * lb/fwd/flow.h.
 */
#include "lb/state/keep_flows.h"

#include <endian.h>

#include "lb/fwd/hash.h"

/* The entries of one bucket of either family, as keys and metas. */
struct bucket_view {
	uint8_t *entries;
	size_t n_entries;
	size_t entry_bytes;
	size_t key_bytes;
};

typedef struct bucket_view view_fn(const struct flows_table *table, uint32_t idx);

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
	if (flow_state_plain(state) == FLOW_TCP_SYN || state == FLOW_UDP_NEW ||
		state == FLOW_PERSIST_NEW)
		return age_s + FLOW_TIME_MASK;
	return age_s;
}

static bool is_same(const struct bucket_view *bucket, size_t idx, const uint8_t *key, uint64_t meta)
{
	uint64_t other = *meta_at(bucket, idx);

	return is_record(other) && flow_meta_service(other) == flow_meta_service(meta) &&
		flows_protocol_name(flow_meta_state(other)) ==
		flows_protocol_name(flow_meta_state(meta)) &&
		memcmp(key_at(bucket, idx), key, bucket->key_bytes) == 0;
}

/* The place of a record in a group: where its flow has one already, else what is given up for it. */
struct place {
	uint8_t *key; /* NULL: there is none */
	__u64 *meta;
	uint64_t rank;
};

/* False: the flow is in this bucket, and has the place that it is to have. */
static bool look(const struct bucket_view *bucket, const uint8_t *key, uint64_t record_meta,
	struct place *place)
{
	for (size_t idx = 0; idx < bucket->n_entries; idx++) {
		bool same = is_same(bucket, idx, key, record_meta);
		uint64_t value = rank(*meta_at(bucket, idx), record_meta);

		if (same && value == 0)
			place->key = NULL;
		else if (same || value > place->rank)
			*place = (struct place){ key_at(bucket, idx), meta_at(bucket, idx), value };
		if (same)
			return false;
	}
	return true;
}

/*
 * Looks in the order of the packet path. Of a flow that two CPUs recorded the later record stays: it is
 * the one that is used. Where there is nothing to give up nothing changes.
 */
static void put(const struct flows_table *to, view_fn *view, uint32_t n_buckets, uint64_t hash,
	const uint8_t *key, uint64_t record_meta)
{
	struct place place = { 0 };
	size_t key_bytes = 0;
	__u32 among[2];

	/* A table that is filled at once is crowded. */
	flows_homes(n_buckets, true, among);
	for (uint32_t nth = 0; nth < (among[1] ? 2 : 1) * FLOW_GROUP_BUCKETS; nth++) {
		uint32_t part = nth / FLOW_GROUP_BUCKETS;
		uint32_t home = flow_home((uint32_t)(hash >> 32), among[part], among[!part]);
		struct bucket_view bucket = view(to, flow_bucket_index(home, nth));

		key_bytes = bucket.key_bytes;
		if (!look(&bucket, key, record_meta, &place))
			break;
	}
	if (!place.key)
		return;
	memcpy(place.key, key, key_bytes);
	*place.meta = record_meta;
}

static void move4(const struct flows_table *to, const struct bucket_view *from,
	const struct fwd_settings *settings)
{
	struct fwd_addr client = { { 0, 0, htobe32(0xffff), 0 } };

	for (size_t idx = 0; idx < from->n_entries; idx++) {
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
		put(to, view4, to->n_flow4, hash, (const uint8_t *)&entry.flow, entry.flow.meta);
	}
}

static void move6(const struct flows_table *to, const struct bucket_view *from,
	const struct fwd_settings *settings)
{
	struct fwd_addr client;

	for (size_t idx = 0; idx < from->n_entries; idx++) {
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
		put(to, view6, to->n_flow6, hash, (const uint8_t *)&entry.flow, entry.flow.meta);
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
