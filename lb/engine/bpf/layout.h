/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF programs and the engine that loads them agree upon, beside the core's own types:
 * counters, what is handed over, and the sizes of maps. Linux UAPI types only.
 */
#pragma once

#include "lb/engine/capture/capture_types.h"
#include "lb/fwd/clients.h"
#include "lb/fwd/image.h"
#include "lb/fwd/reason.h"
#include "lb/fwd/types.h"

/* Rows and flows lie behind a header of one page in their maps (lb/state/keep_layout.h). */
#define BPF_TABLES      32768u /* twice SNAPSHOT_TABLES_MAX: those in force, and their successors */
#define BPF_CLIENTS     2u     /* lists of clients: those in force, and their successors */
#define BPF_FRAGMENTS   16384u
#define BPF_GUARDED     (2 * IMAGE_VIPS) /* those in force, and their successors */
#define BPF_PAIRS       65536u /* places of (service, backend) pairs of each CPU; a power of two */
#define BPF_PAIR_PROBES 32u
#define BPF_RING_BYTES  (1u << 20) /* of frames that wait for user space */
#define BPF_HANDED_OVER_BYTES_MAX \
	9216u /* bytes of an early fragment that are handed over; longer ones drop */
#define BPF_CAPTURE_RING_BYTES  (1u << 19) /* of captured frames that wait for the main loop */
#define BPF_CAPTURE_SHORT_BYTES 256u       /* most frames are shorter, and take no more room */
#define BPF_ANSWER_BYTES        1536u /* of a frame that is too big: what its answer quotes, and headers */

/* Set before a program is loaded. */
struct bpf_constants {
	__u32 ifindex;    /* by which frames come */
	__u32 hands_over; /* 0: what is for the slow path is dropped, and counted */
};

/* Of one CPU, which alone writes them. */
struct bpf_totals {
	__u64 reason_pkts[FWD_REASON_N_];
	__u64 evictions;
	__u64 unrecorded;
	__u64 named;
	__u64 uncounted_pairs;
	__u64 capture_lost; /* frames that found no room, ever */
} __attribute__((__aligned__(64)));

/*
 * What every forwarded frame adds to, four pairs to a cache line: with thousands of them that line is
 * what counting costs. A service's numbers are the sums of its pairs'.
 */
struct bpf_pair {
	__u32 key;     /* service << 16 | backend; 0: free */
	__u32 packets; /* the lower 32 bits */
	__u64 bytes;
};

/*
 * The place of a pair's key: multiplicative hashing (Knuth, TAOCP 3 §6.4), the upper bits of the product. Services
 * and backends are numbered in a row, so their keys are a lattice, which a multiplier spreads well or
 * badly: of 1,500 tried on lattices from 16 × 1,000 to 10,000 × 4 and on scattered keys, this one leaves
 * the fewest away from their own places. A key that is elsewhere costs a branch that is mispredicted behind a
 * cache miss.
 */
FWD_INLINE __u32 bpf_pair_place(__u32 key)
{
	return key * 0xc5d9b749u >> 16;
}
_Static_assert(BPF_PAIRS == 1u << 16, "the upper 16 bits are a place");

/* The rest of a pair, at the same place of a map of its own. */
struct bpf_pair_rest {
	__u64 halves; /* how often `packets` has grown by 2^31: bit 0 is what bit 31 is there */
	__u64 new_flows;
	__u64 syns;
	__u64 clients; /* one bit for each number of a client that sent a SYN */
};

/*
 * The whole number, at any moment: whoever looks between the packet that fills a half and its being
 * counted sees by the bit that both have that one half is missing.
 */
FWD_INLINE __u64 bpf_pair_packets(const struct bpf_pair *pair, const struct bpf_pair_rest *rest)
{
	__u64 halves = FWD_LOAD(&rest->halves);
	__u32 low = FWD_LOAD(&pair->packets);

	halves += (halves ^ low >> 31) & 1;
	return halves >> 1 << 32 | low;
}

/* Before the bytes of a frame that is handed over. */
struct bpf_handed_over {
	__u32 length_bytes; /* of the frame, a tag beside it included */
	__u32 gso;          /* as in struct fwd_frame */
	__u32 reason;       /* enum fwd_reason */
	__u16 vlan_proto;   /* host byte order; 0: no tag beside the frame */
	__u16 vlan_tci;
	__u32 copied_bytes; /* that follow, without the tag */
	__u32 backend;      /* id, 0: none is known */
};

/* The program's only variable, written by the main loop: whether anybody captures, and what. */
struct bpf_capture {
	__u32 is_on;
	__u32 pad;
	struct capture_filter filter;
};

/* A frame's own addresses, from its arrival until its decision is captured. */
struct bpf_captured_macs {
	__u8 bytes[CAPTURE_MACS_BYTES];
	__u32 are_kept; /* until they are captured */
};

/* Before the bytes of a captured frame, as it is when it is decided. */
struct bpf_captured {
	__u64 time_ns;      /* CLOCK_MONOTONIC */
	__u32 length_bytes; /* of the frame, a tag beside it included */
	__u32 copied_bytes; /* that follow, without the tag */
	__u16 service, backend;
	__u8 reason, how, pad[2];
	__u16 vlan_proto, vlan_tci;    /* as in struct bpf_handed_over */
	__u8 macs[CAPTURE_MACS_BYTES]; /* with which it came */
};
