/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistence: a client, as far as the service's prefix tells clients apart, goes to the backend of
 * its last connection. It lives in the flow table as a record of its own states with client port
 * and VIP port 0, so it is the service's, whatever the port: the data connections of passive FTP
 * find the backend of their control connection. It is as easily lost as the flow that made it
 * until that one is proven, so that a flood of SYNs costs no client its server.
 *
 * A client opens several connections at once, and CPUs meet in its record: each writes what it chose,
 * then goes by what it finds written.
 */
#pragma once

#include "lb/fwd/flow_ops.h"
#include "lb/fwd/hash.h"
#include "lb/fwd/wire.h"

struct persist {
	struct flow_key key;
	struct flow_found found;
	__u64 *bucket; /* NULL: there is no table */
};

/* The client with the bits beyond the prefix cleared. */
FWD_INLINE void persist_mask(const struct fwd_service *service, struct fwd_addr *client, int is_ip6)
{
	__u32 len = is_ip6 ? service->persistence_prefix6 : service->persistence_prefix4 + 96u;

	FWD_UNROLL
	for (__u32 i = 0; i < 4; i++) {
		__u32 first = 32 * i;

		if (len <= first)
			client->word[i] = 0;
		else if (len < first + 32)
			client->word[i] &= WIRE_32(~0u << (first + 32 - len));
	}
}

FWD_INLINE void persist_find_in(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, const __u32 key_words, __u32 now_s,
	struct persist *ret_persist)
{
	ret_persist->key.service = service->id;
	ret_persist->key.is_persist = 1;
	flow_key_make(&ret_persist->key, client, 0, 0, key_words > 1);
	if (ret_persist->bucket)
		ret_persist->found = flow_find(
			ret_persist->bucket, &ret_persist->key, key_words, service, now_s);
}

/* Fills `*ret_persist`, which is all 0 before. */
FWD_INLINE void persist_find(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, int is_ip6, __u32 now_s, struct persist *ret_persist)
{
	const struct fwd_settings *settings = port_settings(port);
	struct fwd_addr masked = *client;
	__u64 hash;

	persist_mask(service, &masked, is_ip6);
	hash = hash_flow(settings, &masked, 0, 0, service->id);
	if (is_ip6) {
		struct flow6_bucket *bucket = settings->flow6_buckets
			? port_flow6(port, hash_reduce(hash, settings->flow6_buckets))
			: 0;

		ret_persist->bucket = bucket ? bucket->words : 0;
		persist_find_in(port, service, &masked, FLOW6_KEY_WORDS, now_s, ret_persist);
	} else {
		struct flow4_bucket *bucket = settings->flow4_buckets
			? port_flow4(port, hash_reduce(hash, settings->flow4_buckets))
			: 0;

		ret_persist->bucket = bucket ? bucket->words : 0;
		persist_find_in(port, service, &masked, FLOW4_KEY_WORDS, now_s, ret_persist);
	}
}

/* The backend that the client is to stay at; 0: none, or it takes no new flows now. */
FWD_INLINE __u16 persist_backend(struct fwd_port *port, const struct persist *persist)
{
	__u16 id = persist->found.meta_at ? flow_meta_backend(persist->found.meta) : 0;
	const struct fwd_backend *backend = id ? port_backend(port, id) : 0;

	return backend && (backend->flags & FWD_BACKEND_NEW) ? id : 0;
}

/*
 * How often a CPU that finds nothing written tries again: as long as another needs to write. Where the
 * bucket is full of proven flows nothing will be.
 */
#define PERSIST_TRIES 16u

/* A new connection goes to `backend`: the time starts again. */
FWD_INLINE void persist_note(
	struct fwd_port *port, struct persist *persist, int is_ip6, __u16 backend, __u32 now_s)
{
	__u64 meta = flow_meta(persist->key.service, backend, FLOW_PERSIST_NEW, now_s);

	if (port_only_looks(port) || !persist->bucket)
		return;
	if (persist->found.meta_at) {
		/* Proven is proven: the client has answered from its address before. */
		meta = flow_meta(
			persist->key.service, backend, flow_meta_state(persist->found.meta), now_s);
		flow_update(&persist->found, meta);
	} else if (is_ip6) {
		(void)flow_put(port, persist->bucket, &persist->key, FLOW6_KEY_WORDS, meta, now_s);
	} else {
		(void)flow_put(port, persist->bucket, &persist->key, FLOW4_KEY_WORDS, meta, now_s);
	}
}

/* A flow of the client is proven, so its persistence is. */
FWD_INLINE void persist_prove(struct fwd_port *port, const struct persist *persist)
{
	__u64 meta = persist->found.meta;
	__u64 time_s = meta & FLOW_TIME_MASK;

	if (persist->found.meta_at && flow_meta_state(meta) == FLOW_PERSIST_NEW &&
		!port_only_looks(port))
		flow_update(&persist->found,
			flow_meta(flow_meta_service(meta), flow_meta_backend(meta), FLOW_PERSIST,
				(__u32)time_s));
}
