/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter of flows seen: whether a datagram begins a flow. It is to UDP what the SYN is to TCP, and is
 * asked where a row moves: a flow that the filter knows is an old one.
 *
 * A blocked Bloom filter (Putze, Sanders, Singler, 2007): each flow has one word of 64 bits and up to three
 * bits of it. A false positive takes a new flow for an old one, which sends it to a base that lives: so whoever fills the
 * filter costs nobody a flow. A bit is tested before it is set: a flow that is known writes nothing.
 *
 * There are two generations, one marked, the other the one that was marked before. The daemon turns them
 * (lb/table/flow_seen.h) no sooner than after the longest udp-timeout, so what was marked within it is always found.
 * A CPU that still marks the former one at a turn marks what is found until the next. Where nobody turns
 * them, more and more counts as seen, and nothing is forgotten.
 *
 * It lies behind the buckets of the flow table: SEEN_CONTROL_WORDS, then the words of both generations.
 */
#pragma once

#include "lb/fwd/hash.h"
#include "lb/fwd/port.h"

/* A flow's place in either generation. */
struct seen_place {
	__u64 bits;
	__u32 word; /* < settings.seen_words */
	__u32 pad;
};

/*
 * `hash` is the client's hash_client(), which has the client's port unless the service's rows go by the
 * source alone. The upper half of the product names the word, and bits below it are as good: they
 * depend on all below them, and both halves are folded into these.
 */
FWD_INLINE struct seen_place seen_place_of(const struct fwd_settings *settings, __u64 hash,
	__u16 service, __be16 client_port, __be16 vip_port)
{
	__u64 mixed = hash_word(hash ^ settings->flow_seed[0],
		(__u64)service << 32 | (__u32)client_port << 16 | vip_port);

	return (struct seen_place){
		.bits = 1ull << (mixed >> 14 & 63) | 1ull << (mixed >> 20 & 63) |
			1ull << (mixed >> 26 & 63),
		.word = hash_reduce(mixed, settings->seen_words),
	};
}

/* Words from the first of the control words on. */
FWD_INLINE __u64 *seen_word(struct fwd_port *port, const struct seen_place *place, __u64 generation)
{
	__u32 half = generation & 1 ? port_settings(port)->seen_words : 0;

	return port_seen(port, SEEN_CONTROL_WORDS + half + place->word);
}

/* Notes a datagram of the flow. */
FWD_INLINE void seen_mark(struct fwd_port *port, const struct seen_place *place)
{
	const __u64 *generation = port_seen(port, SEEN_GENERATION);
	__u64 *word;

	if (!generation)
		return;
	word = seen_word(port, place, FWD_LOAD(generation));
	if (word && (FWD_LOAD(word) & place->bits) != place->bits)
		(void)__sync_fetch_and_or(word, place->bits);
}

/* Whether a datagram of the flow was noted, or may have been: without a filter all were. */
FWD_INLINE int seen_before(struct fwd_port *port, const struct seen_place *place)
{
	for (__u32 generation = 0; generation < 2; generation++) {
		const __u64 *word = seen_word(port, place, generation);

		if (!word || (FWD_LOAD(word) & place->bits) == place->bits)
			return 1;
	}
	return 0;
}
