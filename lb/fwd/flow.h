/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table's layout and its bucket operations, one code for every engine. A bucket is a cache
 * line: four IPv4 flows of 16 bytes or two IPv6 flows of 32. An entry is exact (no digest), names
 * a backend id, and carries its time, so the table can be listed, aged without a timer, and kept
 * over restarts.
 *
 * A flow's hash names its home bucket, and nearly every record lies there: finding it touches one
 * cache line. One that found home full lies in one of the other three of home's aligned group of
 * four, which all look through in the same order (flow_bucket_index()): few are turned away from a
 * table that is well filled (lb/table/flows.c).
 *
 * There are two such groups for each flow: one in the first part of the table, the dense one, which
 * caches hold, one in all that is behind it. While few flows are recorded home is in the dense part, and a
 * look at it is no miss; in a crowded table home is behind it (fwd_settings.flowN_among). What is not in the
 * first group is looked for in the other, so that a record is found on either side of a change, and one that
 * finds no room in the one may lie in the other. No group is in both parts: however fast the dense part is
 * filled, every flow finds the other one.
 *
 * Concurrency: `meta` is one aligned 64-bit word, the key beside it. A writer claims an entry by
 * compare-and-swap of the `meta` it judged by to FLOW_BUSY, writes the key, then publishes the
 * new meta with release. A reader takes meta, compares the key, and takes meta again: another
 * service, backend or a claim between is a miss. A claim whose writer died is void after
 * FLOW_BUSY_TIMEOUT_S. Nothing else is shared: what is true of an entry does not depend on the others of
 * its group. Two CPUs that make the same flow at once may leave two entries of it, in one bucket or
 * two: both name a backend chosen by the same table, look-ups take the first in their order, the
 * other ages. Records move at one time alone (lb/publish/flow_relocate.h): before a table is said to be crowded, from the dense
 * part to what is behind it, where each is written before it is freed here. All look there first until then, so
 * who finds it no more there finds it behind.
 */
#pragma once

#include "lb/fwd/hash.h"

enum flow_state {
	FLOW_FREE,
	FLOW_TCP_SYN, /* unproven: only a SYN was seen */
	FLOW_TCP_ESTABLISHED,
	FLOW_TCP_FIN,
	FLOW_TCP_RESET,
	FLOW_UDP_NEW, /* unproven: one datagram */
	FLOW_UDP_ESTABLISHED,
	FLOW_PERSIST_NEW, /* no flow, but a client's backend (persist.h); nothing proves the client yet */
	FLOW_PERSIST,
	/* Of SCTP, as those of TCP: FLOW_SCTP behind them. */
	FLOW_SCTP_INIT,
	FLOW_SCTP_ESTABLISHED,
	FLOW_SCTP_SHUTDOWN,
	FLOW_SCTP_ABORT,
	FLOW_BUSY = 15, /* being written */
};

#define FLOW_SCTP           (FLOW_SCTP_INIT - FLOW_TCP_SYN)
#define FLOW_SYN_TIMEOUT_S  60u
#define FLOW_BUSY_TIMEOUT_S 2u

/* meta: service 16 | backend 16 | state 4 | seconds of CLOCK_MONOTONIC 28 (wraps in 8.5 years) */
#define FLOW_TIME_BITS 28u
#define FLOW_TIME_MASK ((1u << FLOW_TIME_BITS) - 1)

FWD_INLINE __u64 flow_meta(__u16 service, __u16 backend, __u8 state, __u32 now_s)
{
	return (__u64)service << 48 | (__u64)backend << 32 | (__u64)state << FLOW_TIME_BITS |
		(now_s & FLOW_TIME_MASK);
}

FWD_INLINE __u16 flow_meta_service(__u64 meta)
{
	return (__u16)(meta >> 48);
}

FWD_INLINE __u16 flow_meta_backend(__u64 meta)
{
	return (__u16)(meta >> 32);
}

FWD_INLINE __u8 flow_meta_state(__u64 meta)
{
	return (__u8)(meta >> FLOW_TIME_BITS & 15);
}

/* Seconds since the entry's time; an entry from the future (a race) is 0 seconds old. */
FWD_INLINE __u32 flow_meta_age_s(__u64 meta, __u32 now_s)
{
	__u32 age_s = (now_s - (__u32)meta) & FLOW_TIME_MASK;

	return age_s > FLOW_TIME_MASK / 2 ? 0 : age_s;
}

FWD_INLINE int flow_state_is_udp(__u8 state)
{
	return state == FLOW_UDP_NEW || state == FLOW_UDP_ESTABLISHED;
}

FWD_INLINE int flow_state_is_sctp(__u8 state)
{
	return state >= FLOW_SCTP_INIT && state <= FLOW_SCTP_ABORT;
}

/* enum fwd_kind, of a flow. */
FWD_INLINE __u8 flow_state_kind(__u8 state)
{
	return flow_state_is_udp(state) ? FWD_UDP : flow_state_is_sctp(state) ? FWD_SCTP : FWD_TCP;
}

/* What SCTP has in common with TCP is said of TCP's state: this one. */
FWD_INLINE __u8 flow_state_plain(__u8 state)
{
	return flow_state_is_sctp(state) ? (__u8)(state - FLOW_SCTP) : state;
}

/* How long a record lives without a packet. */
FWD_INLINE __u32 flow_timeout_s(const struct fwd_service *service, __u8 state)
{
	switch (flow_state_plain(state)) {
	case FLOW_TCP_SYN:
		return FLOW_SYN_TIMEOUT_S;
	case FLOW_TCP_ESTABLISHED:
		return service->tcp_timeout_s;
	case FLOW_TCP_FIN:
	case FLOW_TCP_RESET: /* not shorter: anybody may have sent it, and the flow be quiet */
		return service->fin_timeout_s;
	case FLOW_UDP_NEW:
	case FLOW_UDP_ESTABLISHED:
		return service->udp_timeout_s;
	case FLOW_PERSIST_NEW:
	case FLOW_PERSIST:
		return service->persistence_s;
	default:
		return 0;
	}
}

struct flow4 {
	__be32 client;
	__be16 client_port;
	__be16 vip_port;
	__u64 meta;
};

struct flow6 {
	__be32 client[4];
	__be16 client_port;
	__be16 vip_port;
	__u32 pad;
	__u64 meta;
};

#define FLOW4_PER_BUCKET 4u
#define FLOW6_PER_BUCKET 2u

/* Tables have whole groups, and so has the dense part. */
#define FLOW_GROUP_BUCKETS 4u

/* The operations see a bucket as eight words: the key words of an entry, then its meta. */
#define FLOW_BUCKET_WORDS 8u
#define FLOW4_KEY_WORDS   1u
#define FLOW6_KEY_WORDS   3u
#define FLOW_GROUP_WORDS  (FLOW_GROUP_BUCKETS * FLOW_BUCKET_WORDS)
#define FLOW_BOTH_WORDS   (2 * FLOW_GROUP_WORDS)

/* A flow's home among the first `n_among` buckets, but for the first `n_other` if those are fewer. */
FWD_INLINE __u32 flow_home(__u32 hash, __u32 n_among, __u32 n_other)
{
	__u32 first = n_other < n_among ? n_other : 0;

	return first + hash_reduce_half(hash, n_among - first);
}

/* The bucket that is looked at as the `nth` (0: home itself) of home's group. */
FWD_INLINE __u32 flow_bucket_index(__u32 home, __u32 nth)
{
	return home ^ (nth & (FLOW_GROUP_BUCKETS - 1));
}

struct flow4_bucket {
	union {
		struct flow4 entries[FLOW4_PER_BUCKET];
		__u64 words[FLOW_BUCKET_WORDS];
	};
} __attribute__((__aligned__(64)));

struct flow6_bucket {
	union {
		struct flow6 entries[FLOW6_PER_BUCKET];
		__u64 words[FLOW_BUCKET_WORDS];
	};
} __attribute__((__aligned__(64)));

/*
 * Behind the buckets, the filter of flows seen (seen.h): eight control words, so that they share no line with what
 * packets write, then its two generations.
 */
#define SEEN_CONTROL_WORDS FLOW_BUCKET_WORDS
#define SEEN_GENERATION    0u /* how often they were turned: the lowest bit is which is marked */
#define SEEN_STARTED_S     1u /* since when, by CLOCK_MONOTONIC; 0: nobody has looked since */

_Static_assert(
	sizeof(struct flow4) == sizeof(__u64) * (FLOW4_KEY_WORDS + 1), "one key word, one meta");
_Static_assert(
	sizeof(struct flow6) == sizeof(__u64) * (FLOW6_KEY_WORDS + 1), "three key words, one meta");
_Static_assert(sizeof(struct flow4_bucket) == 64, "one cache line");
_Static_assert(sizeof(struct flow6_bucket) == 64, "one cache line");
