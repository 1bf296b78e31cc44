/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syn-rate and syn-rate-source: token buckets of SYNs that open a connection, shared by all CPUs.
 *
 * A bucket is one 64-bit word, changed by compare-and-swap: the time at which it will be full
 * again (the theoretical arrival time of the GCRA, ITU-T I.371). Full is a burst of 100 ms of the
 * rate, one packet at least. Time is counted in ticks of 512 ns, of which a second has exactly
 * 1,953,125 (10^9 = 2^9 * 5^9), times the rate: then a packet costs that same number at every rate,
 * and 1 a second is held as exactly as 3,000,000. Nothing is divided, nothing rounded, so nothing
 * adds up over time; but a bucket of one packet that waits to be full may wait a tick too long.
 *
 * The word wraps, at 3,000,000 a second after 36 days. A word that says more than a full burst and
 * what clocks of two CPUs may differ by is therefore no debt but old, and the bucket full; so is
 * one that was written under another rate, because each rate counts from an epoch of its own.
 *
 * A source is a /24 (IPv4) or a /56 (IPv6). Its bucket is chosen by a secret hash, so that nobody
 * can aim at another's. Two sources in one bucket share its rate: of FWD_SOURCE_RATES buckets, a
 * network that is over its rate spoils one, and one innocent network in 65,536 with it.
 */
#pragma once

#include "lb/fwd/hash.h"
#include "lb/fwd/port.h"
#include "lb/fwd/reason.h"
#include "lb/fwd/wire.h"

#define RATE_TICK_BITS   9u
#define RATE_TICKS_PER_S 1953125ull
#define RATE_PACKET      RATE_TICKS_PER_S /* what one packet costs, at every rate */
/* Any odd number whose multiples are far apart: the epoch of a rate. */
#define RATE_EPOCH 0x9e3779b97f4a7c15ull
/* How far another CPU's clock may be behind, in seconds. */
#define RATE_LAG_S 1u
/*
 * A lost swap means that another CPU took a packet. Who loses that often in a row is refused, so
 * that the rate is never exceeded; where it is not reached, nobody does.
 */
#define RATE_TRIES 8u

_Static_assert(RATE_TICKS_PER_S << RATE_TICK_BITS == 1000000000ull, "a second is whole ticks");

/* Ticks times rate until the bucket is full again; 0: it is. */
FWD_INLINE __u64 rate_debt(const struct fwd_rate *rate, __u64 word, __u64 now)
{
	__u64 debt = word - now;
	__u64 most = (rate->burst_pkts + (__u64)RATE_LAG_S * rate->per_s) * RATE_PACKET;

	return debt > most ? 0 : debt;
}

/* Takes a packet out of a bucket. 0: it is empty. Where the port only looks, nothing is taken. */
FWD_INLINE int rate_take(
	struct fwd_port *port, const struct fwd_rate *rate, __u64 *bucket, __u64 now_ns)
{
	__u64 now = ((now_ns >> RATE_TICK_BITS) + RATE_EPOCH) * rate->per_s;
	__u64 word = FWD_LOAD(bucket);

	for (__u32 i = 0; i < RATE_TRIES; i++) {
		__u64 debt = rate_debt(rate, word, now) + RATE_PACKET, was = word;

		if (debt > rate->burst_pkts * RATE_PACKET)
			return 0;
		if (port_only_looks(port))
			return 1;
		word = __sync_val_compare_and_swap(bucket, was, now + debt);
		if (word == was)
			return 1;
	}
	return 0;
}

/* The bucket of the client's network under this service. */
FWD_INLINE __u64 *rate_of_source(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, int is_ip6)
{
	struct fwd_addr network = *client;
	__u64 hash;

	if (is_ip6) {
		network.word[1] &= WIRE_32(0xffffff00u);
		network.word[2] = 0;
		network.word[3] = 0;
	} else {
		network.word[3] &= WIRE_32(0xffffff00u);
	}
	hash = hash_addr(port_settings(port)->flow_seed, &network, service->id);
	return port_source_rate(port, hash_reduce(hash, FWD_SOURCE_RATES));
}

/*
 * Judges a SYN that opens a connection; an enum fwd_reason. The source is asked first, so that one which is over its
 * own rate takes nothing from the virtual server's.
 */
FWD_CALL int rate_judge_syn(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, int is_ip6)
{
	__u64 *bucket;

	if (FWD_NEVER(!port || !service || !client))
		return FWD_REASON_FORWARDED;
	if (service->syn_rate_source.per_s) {
		bucket = rate_of_source(port, service, client, is_ip6);
		if (bucket &&
			!rate_take(port, &service->syn_rate_source, bucket, port_now_ns(port)))
			return FWD_REASON_SYN_RATE_SOURCE;
	}
	if (service->syn_rate.per_s) {
		bucket = port_service_rate(port, service->id);
		if (bucket && !rate_take(port, &service->syn_rate, bucket, port_now_ns(port)))
			return FWD_REASON_SYN_RATE;
	}
	return FWD_REASON_FORWARDED;
}
