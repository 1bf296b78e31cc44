/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lb/publish/flow_relocate.h"

#include "lb/fwd/flow_ops.h"
#include "lb/engine/port_user.h"

struct relocation {
	struct fwd_port port;
	__u64 *words; /* of the family's buckets */
	uint32_t n_buckets;
	uint32_t n_dense; /* of them */
	uint32_t key_words;
	bool is_ip6;
};

/* Takes a record as it is; false: there is none. */
static bool relocate_read(struct relocation *relocation, const __u64 *entry,
	struct flow_key *ret_key, __u64 *ret_meta)
{
	__u64 meta = FWD_LOAD(&entry[relocation->key_words]);
	__u8 state = flow_meta_state(meta);
	struct flow_key key = { .service = flow_meta_service(meta) };
	struct fwd_addr client = { .word = { 0, 0, htobe32(0xffff), 0 } };

	if (state == FLOW_BUSY || flow_is_void(&relocation->port, meta, relocation->port.now_s))
		return false;
	for (size_t i = 0; i < relocation->key_words; i++)
		key.words[i] = FWD_LOAD(&entry[i]);
	if (FWD_LOAD(&entry[relocation->key_words]) != meta)
		return false;
	key.kind = flow_state_kind(state);
	key.is_persist = flow_state_is_persist(state) != 0;
	if (relocation->is_ip6)
		memcpy(client.word, key.of6.client, sizeof(client.word));
	else
		client.word[3] = key.of4.client;
	flow_key_make(&relocation->port, &key, &client,
		relocation->is_ip6 ? key.of6.client_port : key.of4.client_port,
		relocation->is_ip6 ? key.of6.vip_port : key.of4.vip_port, relocation->is_ip6);
	*ret_key = key;
	*ret_meta = meta;
	return true;
}

static __u64 *relocate_bucket(
	const struct relocation *relocation, const struct flow_key *key, uint32_t nth)
{
	uint32_t home = flow_home(key->hash, relocation->n_buckets, relocation->n_dense);

	return &relocation->words[(size_t)flow_bucket_index(home, nth) * FLOW_BUCKET_WORDS];
}

/* Writes the record in its group behind the dense part; NULL: there is no room. Else its meta's place. */
static __u64 *relocate_write(struct relocation *relocation, const struct flow_key *key, __u64 meta)
{
	struct flow_choice choice = { .result = FLOW_PUT_FULL };
	uint32_t key_words = relocation->key_words, now_s = relocation->port.now_s;
	__u64 *bucket;

	for (uint32_t nth = 0; nth < FLOW_GROUP_BUCKETS; nth++) {
		bucket = relocate_bucket(relocation, key, nth);
		if (!flow_choose_in(&relocation->port, bucket, key, key_words,
			    nth * FLOW_BUCKET_WORDS, now_s, &choice))
			break;
	}
	if (choice.result != FLOW_PUT_DONE)
		return NULL;
	bucket = relocate_bucket(relocation, key, choice.at / FLOW_BUCKET_WORDS);
	if (flow_take(bucket, &choice, key, key_words, meta, now_s) == FLOW_PUT_FULL)
		return NULL;
	return &bucket[choice.at & (FLOW_BUCKET_WORDS - 1)];
}

/*
 * Frees the record that was written elsewhere. A packet may renew it meanwhile: then that is written
 * there, too, unless a packet was faster.
 */
static void relocate_free(const struct relocation *relocation, __u64 *entry,
	const struct flow_key *key, __u64 *written, __u64 meta)
{
	__u64 before = meta;

	while (!__atomic_compare_exchange_n(&entry[relocation->key_words], &meta, 0, false,
		__ATOMIC_RELEASE, __ATOMIC_ACQUIRE)) {
		if (flow_meta_service(meta) != key->service ||
			!flow_key_equal(entry, key, relocation->key_words))
			return;
		if (__sync_bool_compare_and_swap(written, before, meta))
			before = meta;
	}
}

static bool relocate_move(struct relocation *relocation, __u64 *entry)
{
	struct flow_key key;
	__u64 meta, *written;

	if (!relocate_read(relocation, entry, &key, &meta))
		return false;
	written = relocate_write(relocation, &key, meta);
	if (!written)
		return false;
	relocate_free(relocation, entry, &key, written, meta);
	return true;
}

size_t flow_relocate(const struct snapshot *snapshot, bool is_ip6, uint32_t now_s)
{
	const struct flows_table *flows = snapshot_flows(snapshot);
	const struct fwd_settings *settings = snapshot_settings(snapshot);
	struct relocation relocation = {
		.port = { .snapshot = snapshot, .now_s = now_s },
		.n_buckets = is_ip6 ? flows->n_flow6 : flows->n_flow4,
		.n_dense = is_ip6 ? settings->flow6_among[0] : settings->flow4_among[0],
		.key_words = is_ip6 ? FLOW6_KEY_WORDS : FLOW4_KEY_WORDS,
		.is_ip6 = is_ip6,
	};
	size_t n_moved = 0;

	if (relocation.n_dense >= relocation.n_buckets)
		return 0;
	relocation.words = is_ip6 ? flows->flow6->words : flows->flow4->words;
	for (size_t i = 0; i < (size_t)relocation.n_dense * FLOW_BUCKET_WORDS;
		i += relocation.key_words + 1)
		n_moved += relocate_move(&relocation, &relocation.words[i]);
	return n_moved;
}
