/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on one bucket of the flow table (layout and concurrency: flow.h). A bucket is seen as
 * eight words; `key_words` is a constant in every caller, so that both families come from
 * one source and neither pays for the other.
 */
#pragma once

#include "lb/fwd/port.h"

struct flow_key {
	__u64 words[FLOW6_KEY_WORDS];
	__u16 service;
	__u8 is_udp;
	__u8 is_persist;
};

/* A record as it was found: where its meta lies, and what it said. NULL: there is none. */
struct flow_found {
	__u64 *meta_at;
	__u64 meta;
};

enum flow_put_result {
	FLOW_PUT_DONE,
	FLOW_PUT_EVICTED, /* done, and an unproven flow lost its record */
	FLOW_PUT_FULL,    /* all entries are proven flows, or another CPU was faster */
};

FWD_INLINE int flow_state_is_udp(__u8 state)
{
	return state == FLOW_UDP_NEW || state == FLOW_UDP_ESTABLISHED;
}

FWD_INLINE int flow_state_is_unproven(__u8 state)
{
	return state == FLOW_TCP_SYN || state == FLOW_UDP_NEW || state == FLOW_PERSIST_NEW;
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

/* Makes the key words; returns their number. */
FWD_INLINE void flow_key_make(struct flow_key *ret_key, const struct fwd_addr *client,
	__be16 client_port, __be16 vip_port, int is_ip6)
{
	if (is_ip6) {
		struct flow6 flow = { .client_port = client_port, .vip_port = vip_port };

		for (__u32 i = 0; i < 4; i++)
			flow.client[i] = client->word[i];
		__builtin_memcpy(ret_key->words, &flow, FLOW6_KEY_WORDS * sizeof(__u64));
	} else {
		struct flow4 flow = {
			.client = client->word[3],
			.client_port = client_port,
			.vip_port = vip_port,
		};

		__builtin_memcpy(ret_key->words, &flow, FLOW4_KEY_WORDS * sizeof(__u64));
	}
}

FWD_INLINE int flow_key_equal(const __u64 *entry, const struct flow_key *key, const __u32 key_words)
{
	for (__u32 i = 0; i < key_words; i++)
		if (FWD_LOAD(&entry[i]) != key->words[i])
			return 0;
	return 1;
}

/*
 * Finds the record of a flow that is not older than its timeout; whether its backend lives is the
 * caller's question.
 */
FWD_INLINE struct flow_found flow_find(__u64 *bucket, const struct flow_key *key,
	const __u32 key_words, const struct fwd_service *service, __u32 now_s)
{
	struct flow_found found = { 0 };

	FWD_UNROLL
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i += key_words + 1) {
		__u64 *entry = &bucket[i];
		__u64 meta = FWD_LOAD(&entry[key_words]), again;
		__u8 state = flow_meta_state(meta);

		if (state == FLOW_FREE || state == FLOW_BUSY ||
			flow_meta_service(meta) != key->service ||
			flow_state_is_udp(state) != key->is_udp ||
			flow_state_is_persist(state) != key->is_persist ||
			!flow_key_equal(entry, key, key_words))
			continue;
		again = FWD_LOAD(&entry[key_words]);
		if (flow_meta_state(again) == FLOW_BUSY || again >> 32 != meta >> 32)
			continue;
		if (flow_meta_age_s(meta, now_s) > flow_timeout_s(service, state))
			continue;
		found.meta_at = &entry[key_words];
		found.meta = meta;
		return found;
	}
	return found;
}

/* Writes a record's meta anew where it differs. A lost race changes nothing: the next packet tries. */
FWD_INLINE void flow_update(const struct flow_found *found, __u64 meta)
{
	if (found->meta != meta)
		(void)__sync_val_compare_and_swap(found->meta_at, found->meta, meta);
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

/*
 * Which entry a new record takes: a void one, else the oldest unproven, else none. The entry's
 * index in words is in `*ret_at`, the meta it was judged by in `*ret_meta`. None
 * is taken from, or beside, a record of the same client that another CPU makes meanwhile.
 */
FWD_INLINE enum flow_put_result flow_choose(struct fwd_port *port, const __u64 *bucket,
	const struct flow_key *key, const __u32 key_words, __u32 now_s, __u32 *ret_at,
	__u64 *ret_meta)
{
	enum flow_put_result result = FLOW_PUT_FULL;
	__u32 oldest_s = 0;

	FWD_UNROLL
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i += key_words + 1) {
		__u64 meta = FWD_LOAD(&bucket[i + key_words]);
		__u32 age_s = flow_meta_age_s(meta, now_s);

		if (flow_is_void(port, meta, now_s)) {
			*ret_at = i;
			*ret_meta = meta;
			return FLOW_PUT_DONE;
		}
		if (flow_is_met(&bucket[i], key, key_words))
			return FLOW_PUT_FULL;
		if (!flow_state_is_unproven(flow_meta_state(meta)))
			continue;
		if (result == FLOW_PUT_EVICTED && age_s <= oldest_s)
			continue;
		result = FLOW_PUT_EVICTED;
		oldest_s = age_s;
		*ret_at = i;
		*ret_meta = meta;
	}
	return result;
}

/* Records a flow that flow_find() did not find. Where the port only looks, says what would happen. */
FWD_INLINE enum flow_put_result flow_put(struct fwd_port *port, __u64 *bucket,
	const struct flow_key *key, const __u32 key_words, __u64 meta, __u32 now_s)
{
	__u64 judged = 0, busy = flow_meta(key->service, 0, FLOW_BUSY, now_s);
	enum flow_put_result result;
	__u64 *entry;
	__u32 at = 0;

	result = flow_choose(port, bucket, key, key_words, now_s, &at, &judged);
	if (result == FLOW_PUT_FULL || port_only_looks(port))
		return result;
	/* Always in range already; the mask shows it to the verifier. */
	entry = &bucket[at & (FLOW_BUCKET_WORDS - 1 - key_words)];
	if (__sync_val_compare_and_swap(&entry[key_words], judged, busy) != judged)
		return FLOW_PUT_FULL;
	for (__u32 i = 0; i < key_words; i++)
		FWD_STORE(&entry[i], key->words[i]);
	FWD_PUBLISH(&entry[key_words], meta);
	return result;
}
