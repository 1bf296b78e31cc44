/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two keyed hashes: of a client for its table row, and of a flow for its bucket.
 *
 * Each 64-bit word takes one xorshift-multiply round that starts from one half of the seed; the
 * finish takes the other half and two more (the shape of MurmurHash3's fmix64, whose avalanche
 * is near to perfect). It is no cipher, and need not be: what a client learns about its row
 * it could learn by connecting, and the secret cluster-seed only takes computing in
 * advance from it; a bucket's number is never shown, and who guesses collisions fills a bucket
 * with unproven records, which costs established flows nothing. 64-bit multiplications alone:
 * BPF has no wider ones.
 */
#pragma once

#include "lb/fwd/types.h"

#define HASH_FACTOR1 0xff51afd7ed558ccdull
#define HASH_FACTOR2 0xc4ceb9fe1a85ec53ull

FWD_INLINE __u64 hash_word(__u64 hash, __u64 word)
{
	hash ^= word;
	hash ^= hash >> 32;
	return hash * HASH_FACTOR1;
}

FWD_INLINE __u64 hash_finish(__u64 hash, __u64 seed)
{
	hash ^= seed;
	hash ^= hash >> 29;
	hash *= HASH_FACTOR2;
	hash ^= hash >> 32;
	hash *= HASH_FACTOR1;
	return hash ^ hash >> 32;
}

FWD_INLINE __u64 hash_addr(const __u64 seed[2], const struct fwd_addr *address, __u64 more)
{
	__u64 hash = hash_word(seed[0], (__u64)address->word[0] << 32 | address->word[1]);

	hash = hash_word(hash, (__u64)address->word[2] << 32 | address->word[3]);
	return hash_finish(hash_word(hash, more), seed[1]);
}

/* Maps half a hash onto 0 … len - 1: no division. */
FWD_INLINE __u32 hash_reduce_half(__u32 hash, __u32 len)
{
	return (__u32)((__u64)hash * len >> 32);
}

/* Maps a hash onto 0 … len - 1 by its upper half. */
FWD_INLINE __u32 hash_reduce(__u64 hash, __u32 len)
{
	return hash_reduce_half((__u32)(hash >> 32), len);
}

/* Of a client, for its row; `port` (as it lies in the frame) is 0 where ports do not count. */
FWD_INLINE __u64 hash_client(
	const struct fwd_settings *settings, const struct fwd_addr *client, __be16 port)
{
	return hash_addr(settings->slot_seed, client, port);
}

/* The table row of a client. */
FWD_INLINE __u32 hash_row(
	const struct fwd_settings *settings, const struct fwd_addr *client, __be16 port)
{
	return hash_reduce(hash_client(settings, client, port), FWD_ROWS);
}

/* Of a flow, for its bucket. */
FWD_INLINE __u64 hash_flow(const struct fwd_settings *settings, const struct fwd_addr *client,
	__be16 client_port, __be16 vip_port, __u16 service)
{
	return hash_addr(settings->flow_seed, client,
		(__u64)service << 32 | (__u32)client_port << 16 | vip_port);
}
