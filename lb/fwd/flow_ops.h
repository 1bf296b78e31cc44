/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on the two groups of buckets that a flow has in the table (layout, order and concurrency:
 * flow.h). A bucket is seen as eight words; `key_words` is a constant in every caller, so that both
 * families come from one source and neither pays for the other. What callers keep of a record are
 * numbers: the place of its meta among the words of both groups, counted from the home bucket on, not
 * a pointer.
 */
#pragma once

#include "lb/fwd/hash.h"
#include "lb/fwd/port.h"

struct flow_key {
	union {
		__u64 words[FLOW6_KEY_WORDS];
		struct {
			__be32 client;
			__be16 client_port;
			__be16 vip_port;
		} of4;
		struct {
			__be32 client[4];
			__be16 client_port;
			__be16 vip_port;
			__u32 pad;
		} of6;
	};
	__u32 hash; /* where its buckets are, in any number of buckets: hash_reduce_half() */
	__u16 service;
	__u8 kind; /* enum fwd_kind */
	__u8 is_persist;
	__u8 is_ip6;
	__u8 takes_void; /* its record takes void entries alone: it puts no flow out */
	__u8 pad[6];
};

/* A record as it was found. */
struct flow_found {
	__u64 meta;
	__u32 at; /* place of its meta in the groups; 0: there is none */
	__u32 pad;
};

enum flow_put_result {
	FLOW_PUT_DONE,
	FLOW_PUT_EVICTED, /* done, and an unproven flow lost its record */
	FLOW_PUT_FULL,    /* all of both groups' are proven flows, or another CPU was faster */
};

FWD_INLINE int flow_state_is_unproven(__u8 state)
{
	return state == FLOW_TCP_SYN || state == FLOW_SCTP_INIT || state == FLOW_UDP_NEW ||
		state == FLOW_PERSIST_NEW;
}

FWD_INLINE int flow_state_is_persist(__u8 state)
{
	return state == FLOW_PERSIST || state == FLOW_PERSIST_NEW;
}

FWD_INLINE int flow_backend_lives(struct fwd_port *port, __u16 id)
{
	const struct fwd_backend *backend = id ? port_backend(port, id) : 0;

	return backend && (backend->flags & FWD_BACKEND_FLOWS);
}

/* Whether a new flow of the service may go there where the table is not asked. */
FWD_INLINE int flow_backend_takes_new(struct fwd_port *port, __u16 service, __u16 id)
{
	const struct fwd_backend *backend = port_backend(port, id);

	return backend && (backend->flags & FWD_BACKEND_NEW) &&
		(!(backend->flags & FWD_BACKEND_NEW_SOME) || port_takes_new(port, service, id));
}

/* Whether an entry may be taken without asking what it was. */
FWD_INLINE int flow_is_void(struct fwd_port *port, __u64 meta, __u32 now_s)
{
	__u8 state = flow_meta_state(meta);
	const struct fwd_service *service;

	if (state == FLOW_FREE)
		return 1;
	if (state == FLOW_BUSY)
		return flow_meta_age_s(meta, now_s) > FLOW_BUSY_TIMEOUT_S;
	service = port_service(port, flow_meta_service(meta));
	if (!service || flow_meta_age_s(meta, now_s) > flow_timeout_s(service, state))
		return 1;
	return !flow_backend_lives(port, flow_meta_backend(meta));
}

/* Fills the key words and the hash; service and kind are set before. */
FWD_INLINE void flow_key_make(struct fwd_port *port, struct flow_key *key,
	const struct fwd_addr *client, __be16 client_port, __be16 vip_port, int is_ip6)
{
	const struct fwd_settings *settings = port_settings(port);
	__u64 hash = hash_flow(settings, client, client_port, vip_port, key->service);

	if (is_ip6) {
		for (__u32 i = 0; i < 4; i++)
			key->of6.client[i] = client->word[i];
		key->of6.client_port = client_port;
		key->of6.vip_port = vip_port;
	} else {
		key->of4.client = client->word[3];
		key->of4.client_port = client_port;
		key->of4.vip_port = vip_port;
	}
	key->is_ip6 = is_ip6 != 0;
	key->hash = (__u32)(hash >> 32);
}

/* The words of the bucket that has the place; NULL: there is none. */
FWD_INLINE __u64 *flow_words(
	struct fwd_port *port, const struct flow_key *key, const __u32 key_words, __u32 at)
{
	const struct fwd_settings *settings = port_settings(port);
	const __u32 *len =
		key_words == FLOW4_KEY_WORDS ? settings->flow4_among : settings->flow6_among;
	__u32 nth = at / FLOW_GROUP_WORDS & 1, index;

	if (!len[nth])
		return 0;
	index = flow_bucket_index(
		flow_home(key->hash, len[nth], len[nth ^ 1]), at / FLOW_BUCKET_WORDS);
	if (key_words == FLOW4_KEY_WORDS) {
		struct flow4_bucket *bucket = port_flow4(port, index);

		return bucket ? bucket->words : 0;
	}
	struct flow6_bucket *bucket = port_flow6(port, index);

	return bucket ? bucket->words : 0;
}

FWD_INLINE int flow_key_equal(const __u64 *entry, const struct flow_key *key, const __u32 key_words)
{
	for (__u32 i = 0; i < key_words; i++)
		if (FWD_LOAD(&entry[i]) != key->words[i])
			return 0;
	return 1;
}

FWD_INLINE int flow_find_in(const __u64 *bucket, const struct flow_key *key, const __u32 key_words,
	const struct fwd_service *service, __u32 now_s, struct flow_found *ret_found)
{
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i += key_words + 1) {
		const __u64 *entry = &bucket[i];
		__u64 meta = FWD_LOAD(&entry[key_words]), again;
		__u8 state = flow_meta_state(meta);

		/* Most entries are told by their key alone. */
		if (!flow_key_equal(entry, key, key_words) || state == FLOW_FREE ||
			state == FLOW_BUSY || flow_meta_service(meta) != key->service ||
			flow_state_kind(state) != key->kind ||
			flow_state_is_persist(state) != key->is_persist)
			continue;
		again = FWD_LOAD(&entry[key_words]);
		if (flow_meta_state(again) == FLOW_BUSY || again >> 32 != meta >> 32)
			continue;
		if (flow_meta_age_s(meta, now_s) > flow_timeout_s(service, state))
			continue;
		ret_found->meta = meta;
		ret_found->at = i + key_words;
		return 1;
	}
	return 0;
}

/*
 * A free entry is no proof that nothing lies behind it: records end in any order, and one that found
 * home full stays where it is. So what is not at home is looked for in all of both groups.
 */
FWD_INLINE int flow_find_words(struct fwd_port *port, const struct flow_key *key,
	const __u32 key_words, const struct fwd_service *service, __u32 now_s,
	struct flow_found *ret_found)
{
	for (__u32 first = 0; first < FLOW_BOTH_WORDS; first += FLOW_BUCKET_WORDS) {
		const __u64 *bucket = flow_words(port, key, key_words, first);

		if (!bucket)
			return 0;
		if (flow_find_in(bucket, key, key_words, service, now_s, ret_found)) {
			ret_found->at += first;
			return 1;
		}
	}
	return 0;
}

FWD_CALL int flow_find4(struct fwd_port *port, const struct flow_key *key,
	const struct fwd_service *service, __u32 now_s, struct flow_found *ret_found)
{
	if (FWD_NEVER(!port || !key || !service || !ret_found))
		return 0;
	return flow_find_words(port, key, FLOW4_KEY_WORDS, service, now_s, ret_found);
}

FWD_CALL int flow_find6(struct fwd_port *port, const struct flow_key *key,
	const struct fwd_service *service, __u32 now_s, struct flow_found *ret_found)
{
	if (FWD_NEVER(!port || !key || !service || !ret_found))
		return 0;
	return flow_find_words(port, key, FLOW6_KEY_WORDS, service, now_s, ret_found);
}

/*
 * Finds the record of a flow that is not older than its timeout; whether its backend lives is the
 * caller's question. 0: there is none, and `*ret_found` is as it was.
 */
FWD_INLINE int flow_find(struct fwd_port *port, const struct flow_key *key,
	const struct fwd_service *service, __u32 now_s, struct flow_found *ret_found)
{
	return key->is_ip6 ? flow_find6(port, key, service, now_s, ret_found)
			   : flow_find4(port, key, service, now_s, ret_found);
}

/* Writes a record's meta anew where it differs. A lost race changes nothing: the next packet tries. */
FWD_INLINE void flow_update(struct fwd_port *port, const struct flow_key *key,
	const struct flow_found *found, __u64 meta)
{
	__u64 *bucket;

	if (found->meta == meta)
		return;
	bucket = key->is_ip6 ? flow_words(port, key, FLOW6_KEY_WORDS, found->at)
			     : flow_words(port, key, FLOW4_KEY_WORDS, found->at);
	if (bucket)
		(void)__sync_val_compare_and_swap(
			&bucket[found->at & (FLOW_BUCKET_WORDS - 1)], found->meta, meta);
}

/* Whether another CPU has just recorded the same client, or is writing what may be it. */
FWD_INLINE int flow_is_met(const __u64 *entry, const struct flow_key *key, const __u32 key_words)
{
	__u64 meta = FWD_LOAD(&entry[key_words]);
	__u8 state = flow_meta_state(meta);

	if (!key->is_persist || flow_meta_service(meta) != key->service)
		return 0;
	return state == FLOW_BUSY ||
		(flow_state_is_persist(state) && flow_key_equal(entry, key, key_words));
}

/* The entry that a new record takes, as far as the groups were judged. */
struct flow_choice {
	__u64 meta; /* that it was judged by */
	__u32 at;   /* place of its meta */
	enum flow_put_result result;
};

/*
 * Judges the bucket whose words begin at `first`: a void entry, else the oldest unproven, else none.
 * None is taken from, or beside, a record of the same client that another CPU makes meanwhile: for a
 * client both groups are judged whole. 0: the choice is made.
 */
FWD_INLINE int flow_choose_in(struct fwd_port *port, const __u64 *bucket,
	const struct flow_key *key, const __u32 key_words, __u32 first, __u32 now_s,
	struct flow_choice *choice)
{
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i += key_words + 1) {
		__u64 meta = FWD_LOAD(&bucket[i + key_words]);
		enum flow_put_result result = FLOW_PUT_EVICTED;

		if (flow_is_void(port, meta, now_s)) {
			result = FLOW_PUT_DONE;
		} else if (flow_is_met(&bucket[i], key, key_words)) {
			choice->result = FLOW_PUT_FULL;
			return 0;
		} else if (key->takes_void || !flow_state_is_unproven(flow_meta_state(meta))) {
			continue;
		}
		if (choice->result == FLOW_PUT_DONE ||
			(choice->result == result &&
				flow_meta_age_s(meta, now_s) <=
					flow_meta_age_s(choice->meta, now_s)))
			continue;
		choice->meta = meta;
		choice->at = fwd_some(first + i + key_words, now_s);
		choice->result = result;
		if (result == FLOW_PUT_DONE && !key->is_persist)
			return 0;
	}
	return 1;
}

/* Writes a record to the chosen entry, which is in this bucket. */
FWD_INLINE enum flow_put_result flow_take(__u64 *bucket, const struct flow_choice *choice,
	const struct flow_key *key, const __u32 key_words, __u64 meta, __u32 now_s)
{
	__u64 busy = flow_meta(key->service, 0, FLOW_BUSY, now_s);
	/* The entry's first word: the place of its meta, less the key. */
	__u64 *entry = &bucket[choice->at & (FLOW_BUCKET_WORDS - 1 - key_words)];

	if (__sync_val_compare_and_swap(&entry[key_words], choice->meta, busy) != choice->meta)
		return FLOW_PUT_FULL;
	for (__u32 i = 0; i < key_words; i++)
		FWD_STORE(&entry[i], key->words[i]);
	FWD_PUBLISH(&entry[key_words], meta);
	return choice->result;
}

FWD_INLINE enum flow_put_result flow_put_words(struct fwd_port *port, const struct flow_key *key,
	const __u32 key_words, __u64 meta, __u32 now_s)
{
	struct flow_choice choice = { .result = FLOW_PUT_FULL };
	__u64 *bucket;

	for (__u32 first = 0; first < FLOW_BOTH_WORDS; first += FLOW_BUCKET_WORDS) {
		bucket = flow_words(port, key, key_words, first);
		if (!bucket || !flow_choose_in(port, bucket, key, key_words, first, now_s, &choice))
			break;
	}
	if (choice.result == FLOW_PUT_FULL || port_only_looks(port))
		return choice.result;
	bucket = flow_words(port, key, key_words, choice.at);
	if (FWD_NEVER(!bucket))
		return FLOW_PUT_FULL;
	return flow_take(bucket, &choice, key, key_words, meta, now_s);
}

FWD_CALL int flow_put4(struct fwd_port *port, const struct flow_key *key, __u64 meta, __u32 now_s)
{
	if (FWD_NEVER(!port || !key))
		return FLOW_PUT_FULL;
	return flow_put_words(port, key, FLOW4_KEY_WORDS, meta, now_s);
}

FWD_CALL int flow_put6(struct fwd_port *port, const struct flow_key *key, __u64 meta, __u32 now_s)
{
	if (FWD_NEVER(!port || !key))
		return FLOW_PUT_FULL;
	return flow_put_words(port, key, FLOW6_KEY_WORDS, meta, now_s);
}

/* Records a flow that flow_find() did not find. Where the port only looks, says what would happen. */
FWD_INLINE enum flow_put_result flow_put(
	struct fwd_port *port, const struct flow_key *key, __u64 meta, __u32 now_s)
{
	return (enum flow_put_result)(key->is_ip6 ? flow_put6(port, key, meta, now_s)
						  : flow_put4(port, key, meta, now_s));
}
