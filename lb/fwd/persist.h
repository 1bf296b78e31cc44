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
};

/* The client with the bits beyond the prefix cleared. */
FWD_INLINE void persist_mask(const struct fwd_service *service, struct fwd_addr *client, int is_ip6)
{
	__u32 len = is_ip6 ? service->persistence_prefix6 : service->persistence_prefix4 + 96u;

	for (__u32 i = 0; i < 4; i++) {
		__u32 first = 32 * i;

		if (len <= first)
			client->word[i] = 0;
		else if (len < first + 32)
			client->word[i] &= WIRE_32(~0u << (first + 32 - len));
	}
}

/* Fills `*ret_persist`, which is all 0 before. */
FWD_INLINE void persist_find(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, int is_ip6, __u32 now_s, struct persist *ret_persist)
{
	struct fwd_addr masked = *client;

	persist_mask(service, &masked, is_ip6);
	ret_persist->key.service = service->id;
	ret_persist->key.is_persist = 1;
	flow_key_make(port, &ret_persist->key, &masked, 0, 0, is_ip6);
	(void)flow_find(port, &ret_persist->key, service, now_s, &ret_persist->found);
}

/* The backend that the client is to stay at; 0: none, or it takes no new flows now. */
FWD_INLINE __u16 persist_backend(struct fwd_port *port, const struct persist *persist)
{
	__u16 id = persist->found.at ? flow_meta_backend(persist->found.meta) : 0;

	return id && flow_backend_takes_new(port, persist->key.service, id) ? id : 0;
}

/*
 * How often a CPU that finds nothing written tries again: as long as another needs to write. Where the
 * group is full of proven flows nothing will be.
 */
#define PERSIST_TRIES 16u

/* A new connection goes to `backend`: the time starts again. */
FWD_INLINE void persist_note(
	struct fwd_port *port, const struct persist *persist, __u16 backend, __u32 now_s)
{
	__u8 state = FLOW_PERSIST_NEW;

	if (port_only_looks(port))
		return;
	if (!persist->found.at) {
		(void)flow_put(port, &persist->key,
			flow_meta(persist->key.service, backend, state, now_s), now_s);
		return;
	}
	/* Proven is proven: the client has answered from its address before. */
	state = flow_meta_state(persist->found.meta);
	flow_update(port, &persist->key, &persist->found,
		flow_meta(persist->key.service, backend, state, now_s));
}

/* A flow of the client is proven, so its persistence is. */
FWD_INLINE void persist_prove(struct fwd_port *port, const struct persist *persist)
{
	__u64 meta = persist->found.meta;
	__u64 time_s = meta & FLOW_TIME_MASK;

	if (persist->found.at && flow_meta_state(meta) == FLOW_PERSIST_NEW &&
		!port_only_looks(port))
		flow_update(port, &persist->key, &persist->found,
			flow_meta(flow_meta_service(meta), flow_meta_backend(meta), FLOW_PERSIST,
				(__u32)time_s));
}
