/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the flow table from outside the packet path, under its rules of concurrency. */
#include "lb/table/flows.h"

/*
 * Entries for each four flows. Of random flows as many as the table is for, one IPv4 flow in 100 finds
 * the sixteen entries of its group full, and one IPv6 flow in 15 its eight (the smaller the
 * group the more its load varies).
 */
#define FLOWS_ENTRIES4 6u
#define FLOWS_ENTRIES6 5u

/* Whole groups, at least one. */
static uint32_t flows_buckets(uint64_t max_flows, uint32_t entries, uint32_t per_bucket)
{
	uint64_t per_group = (uint64_t)per_bucket * FLOW_GROUP_BUCKETS, n_groups;

	if (max_flows > UINT32_MAX / 2)
		max_flows = UINT32_MAX / 2;
	n_groups = (max_flows * entries + 4 * per_group - 1) / (4 * per_group);
	return (uint32_t)(n_groups ? n_groups : 1) * FLOW_GROUP_BUCKETS;
}

uint32_t flows_buckets4(uint64_t max_flows)
{
	return flows_buckets(max_flows, FLOWS_ENTRIES4, FLOW4_PER_BUCKET);
}

uint32_t flows_buckets6(uint64_t max_flows)
{
	return flows_buckets(max_flows, FLOWS_ENTRIES6, FLOW6_PER_BUCKET);
}

void flows_homes(uint32_t n_buckets, bool is_crowded, __u32 ret_among[2])
{
	bool has_dense = n_buckets >= 2 * FLOWS_DENSE_BUCKETS;

	ret_among[0] = ret_among[1] = 0;
	ret_among[has_dense && !is_crowded] = n_buckets;
	if (has_dense)
		ret_among[is_crowded] = FLOWS_DENSE_BUCKETS;
}

bool flows_is_crowded(uint32_t n_buckets, uint32_t per_bucket, uint64_t n_live, bool was_crowded)
{
	uint64_t n_dense = (uint64_t)FLOWS_DENSE_BUCKETS * per_bucket;

	if (n_buckets < 2 * FLOWS_DENSE_BUCKETS)
		return false;
	return was_crowded ? n_live >= n_dense / 8 : n_live > n_dense * 2 / 3;
}

bool flows_is_tcp(enum flow_state state)
{
	return state >= FLOW_TCP_SYN && state <= FLOW_TCP_RESET;
}

bool flows_has_ended(enum flow_state state)
{
	state = flow_state_plain((__u8)state);
	return state == FLOW_TCP_FIN || state == FLOW_TCP_RESET;
}

bool flows_is_half_open(enum flow_state state)
{
	return flow_state_plain((__u8)state) == FLOW_TCP_SYN;
}

const char *flows_protocol_name(enum flow_state state)
{
	if (flow_state_is_sctp((__u8)state))
		return "sctp";
	return flows_is_tcp(state) ? "tcp" : "udp";
}

const char *flows_state_name(enum flow_state state)
{
	switch (state) {
	case FLOW_TCP_SYN:
		return "syn";
	case FLOW_TCP_ESTABLISHED:
	case FLOW_UDP_ESTABLISHED:
		return "established";
	case FLOW_TCP_FIN:
		return "fin";
	case FLOW_TCP_RESET:
		return "reset";
	case FLOW_UDP_NEW:
		return "new";
	case FLOW_SCTP_INIT:
		return "init";
	case FLOW_SCTP_ESTABLISHED:
		return "established";
	case FLOW_SCTP_SHUTDOWN:
		return "shutdown";
	case FLOW_SCTP_ABORT:
		return "abort";
	case FLOW_FREE:
	case FLOW_PERSIST_NEW:
	case FLOW_PERSIST:
	case FLOW_BUSY:
		break;
	}
	return "free";
}

#define FLOWS_SAMPLE_BUCKETS 256u
#define FLOWS_SAMPLES        2048u

struct flows_sample {
	const __u64 *words; /* of the family's buckets */
	uint32_t n_buckets;
	size_t key_words;
	flows_service_fn *service;
	void *context;
	uint32_t now_s;
};

/* Live records in buckets `from` to `to`, of which one in `step` is looked at. */
static uint64_t flows_estimate_part(
	const struct flows_sample *sample, uint32_t from, uint32_t to, uint32_t step)
{
	uint64_t n_live = 0;

	for (uint64_t bucket = from; bucket < to; bucket += step)
		for (size_t i = sample->key_words; i < FLOW_BUCKET_WORDS;
			i += sample->key_words + 1) {
			__u64 meta = FWD_LOAD(&sample->words[bucket * FLOW_BUCKET_WORDS + i]);
			__u8 state = flow_meta_state(meta);
			const struct fwd_service *service = state == FLOW_FREE
				? NULL
				: sample->service(flow_meta_service(meta), sample->context);

			n_live += service &&
				flow_meta_age_s(meta, sample->now_s) <=
					flow_timeout_s(service, state);
		}
	return n_live * step;
}

/* Behind the dense part a longer table is looked at no more often than one of a million flows. */
static uint64_t flows_estimate_family(const struct flows_sample *sample)
{
	uint32_t n_dense = MIN(sample->n_buckets, FLOWS_DENSE_BUCKETS);
	uint32_t step = FLOWS_SAMPLE_BUCKETS;

	return flows_estimate_part(sample, 0, n_dense, step) +
		flows_estimate_part(sample, n_dense, sample->n_buckets,
			MAX(step, sample->n_buckets / FLOWS_SAMPLES));
}

void flows_estimate(const struct flows_table *table, flows_service_fn *service, void *context,
	uint32_t now_s, uint64_t *ret_live4, uint64_t *ret_live6)
{
	struct flows_sample sample = { .service = service, .context = context, .now_s = now_s };

	sample.words = table->n_flow4 ? table->flow4->words : NULL;
	sample.n_buckets = table->n_flow4;
	sample.key_words = FLOW4_KEY_WORDS;
	*ret_live4 = flows_estimate_family(&sample);
	sample.words = table->n_flow6 ? table->flow6->words : NULL;
	sample.n_buckets = table->n_flow6;
	sample.key_words = FLOW6_KEY_WORDS;
	*ret_live6 = flows_estimate_family(&sample);
}

struct flows_walk {
	flows_service_fn *service;
	void *service_context;
	uint32_t now_s;
	flows_choose_fn *is_chosen; /* NULL: none is freed */
	flows_entry_fn *fn;
	void *context;
};

/* Copies the key words and meta of an entry; false where it is free, or changed hands meanwhile. */
static bool flows_read(const __u64 *entry, size_t key_words, __u64 *ret_words)
{
	__u64 meta = FWD_LOAD(&entry[key_words]), again;

	if (flow_meta_state(meta) == FLOW_FREE || flow_meta_state(meta) == FLOW_BUSY)
		return false;
	for (size_t i = 0; i < key_words; i++)
		ret_words[i] = FWD_LOAD(&entry[i]);
	again = FWD_LOAD(&entry[key_words]);
	ret_words[key_words] = meta;
	return flow_meta_state(again) != FLOW_BUSY && again >> 32 == meta >> 32;
}

/* Takes what both families' records say; false: it is older than its timeout. */
static bool flows_take(const struct flows_walk *walk, __u64 meta, __be16 client_port,
	__be16 vip_port, struct flows_entry *entry)
{
	const struct fwd_service *service =
		walk->service(flow_meta_service(meta), walk->service_context);

	entry->client_port = ntohs(client_port);
	entry->vip_port = ntohs(vip_port);
	entry->service = flow_meta_service(meta);
	entry->backend = flow_meta_backend(meta);
	entry->state = flow_meta_state(meta);
	entry->idle_s = flow_meta_age_s(meta, walk->now_s);
	/* What a client's persistence says is no flow. */
	return service && entry->state != FLOW_PERSIST && entry->state != FLOW_PERSIST_NEW &&
		entry->idle_s <= flow_timeout_s(service, (__u8)entry->state);
}

/* Shows a record, or frees it first; false: it changed meanwhile, and is to be read again. */
static bool flows_show(const struct flows_walk *walk, const struct flows_entry *entry, __u64 *meta,
	__u64 read_meta)
{
	if (walk->is_chosen && !walk->is_chosen(entry, walk->context))
		return true;
	if (walk->is_chosen &&
		!__atomic_compare_exchange_n(
			meta, &read_meta, 0, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		return false;
	if (walk->fn)
		walk->fn(entry, walk->context);
	return true;
}

static bool flows_visit4(const struct flows_walk *walk, __u64 *entry_words)
{
	struct flows_entry entry = { .client.family = AF_INET };
	__u64 words[FLOW4_KEY_WORDS + 1];
	struct flow4 flow;

	if (!flows_read(entry_words, FLOW4_KEY_WORDS, words))
		return true;
	memcpy(&flow, words, sizeof(flow));
	memcpy(&entry.client.ip4, &flow.client, sizeof(entry.client.ip4));
	return !flows_take(walk, flow.meta, flow.client_port, flow.vip_port, &entry) ||
		flows_show(walk, &entry, &entry_words[FLOW4_KEY_WORDS], flow.meta);
}

static bool flows_visit6(const struct flows_walk *walk, __u64 *entry_words)
{
	struct flows_entry entry = { .client.family = AF_INET6 };
	__u64 words[FLOW6_KEY_WORDS + 1];
	struct flow6 flow;

	if (!flows_read(entry_words, FLOW6_KEY_WORDS, words))
		return true;
	memcpy(&flow, words, sizeof(flow));
	memcpy(&entry.client.ip6, flow.client, sizeof(entry.client.ip6));
	return !flows_take(walk, flow.meta, flow.client_port, flow.vip_port, &entry) ||
		flows_show(walk, &entry, &entry_words[FLOW6_KEY_WORDS], flow.meta);
}

static bool flows_walk_in(
	const struct flows_walk *walk, const struct flows_table *table, uint64_t *bucket)
{
	uint64_t idx = *bucket;

	if (idx >= (uint64_t)table->n_flow4 + table->n_flow6)
		return false;
	(*bucket)++;
	if (idx < table->n_flow4) {
		for (size_t i = 0; i < FLOW_BUCKET_WORDS; i += FLOW4_KEY_WORDS + 1)
			while (!flows_visit4(walk, &table->flow4[idx].words[i]))
				;
	} else {
		__u64 *words = table->flow6[idx - table->n_flow4].words;

		for (size_t i = FLOW6_KEY_WORDS; i < FLOW_BUCKET_WORDS; i += FLOW6_KEY_WORDS + 1)
			while (!flows_visit6(walk, &words[i - FLOW6_KEY_WORDS]))
				;
	}
	return true;
}

bool flows_each_in(const struct flows_table *table, uint64_t *bucket, flows_service_fn *service,
	void *service_context, uint32_t now_s, flows_entry_fn *fn, void *context)
{
	const struct flows_walk walk = { service, service_context, now_s, NULL, fn, context };

	return flows_walk_in(&walk, table, bucket);
}

bool flows_free_in(const struct flows_table *table, uint64_t *bucket, flows_service_fn *service,
	void *service_context, uint32_t now_s, flows_choose_fn *is_chosen, flows_entry_fn *freed,
	void *context)
{
	const struct flows_walk walk = { service, service_context, now_s, is_chosen, freed,
		context };

	return flows_walk_in(&walk, table, bucket);
}

bool flows_is_free(const struct flows_table *table, uint64_t bucket)
{
	const __u64 *words = bucket < table->n_flow4 ? table->flow4[bucket].words
						     : table->flow6[bucket - table->n_flow4].words;
	size_t n_key_words = bucket < table->n_flow4 ? FLOW4_KEY_WORDS : FLOW6_KEY_WORDS;
	__u64 metas = 0;

	/* The state is in it, and FLOW_FREE is 0. */
	for (size_t i = n_key_words; i < FLOW_BUCKET_WORDS; i += n_key_words + 1)
		metas |= FWD_LOAD(&words[i]);
	return metas == 0;
}

/* Frees void entries of one bucket. A worker that renews one meanwhile wins; the loop tries again. */
static void flows_purge_words(__u64 *words, size_t key_words, flows_void_fn *is_void, void *context)
{
	for (size_t i = key_words; i < FLOW_BUCKET_WORDS; i += key_words + 1) {
		__u64 meta = FWD_LOAD(&words[i]);

		while (flow_meta_state(meta) != FLOW_FREE && flow_meta_state(meta) != FLOW_BUSY &&
			is_void(flow_meta_service(meta), flow_meta_backend(meta), context)) {
			if (!__atomic_compare_exchange_n(
				    &words[i], &meta, 0, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
				continue;
			break;
		}
	}
}

void flows_purge_in(
	const struct flows_table *table, uint64_t bucket, flows_void_fn *is_void, void *context)
{
	if (bucket < table->n_flow4)
		flows_purge_words(table->flow4[bucket].words, FLOW4_KEY_WORDS, is_void, context);
	else if (bucket - table->n_flow4 < table->n_flow6)
		flows_purge_words(table->flow6[bucket - table->n_flow4].words, FLOW6_KEY_WORDS,
			is_void, context);
}
