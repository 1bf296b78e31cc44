/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the forwarding core and its targets share: the read-only description of virtual servers
 * and backends (a snapshot), slots, and the result of a decision. Every struct is laid out for
 * both user space and BPF maps: fixed-width, explicitly padded. Linux UAPI headers only.
 */
#pragma once

#include <linux/types.h>

#define FWD_ROWS         65537u /* of a Maglev table: a prime (Maglev, NSDI 2016 §3.4) */
#define FWD_ID_MAX       65535u /* service and backend ids are 1–65535; 0 is "none" */
#define FWD_RANGES_MAX   16u    /* port ranges of one VIP, over all its virtual servers */
#define FWD_MAC_BYTES    6u

#define FWD_PROTO_ICMP   1u
#define FWD_PROTO_TCP    6u
#define FWD_PROTO_UDP    17u
#define FWD_PROTO_ICMPV6 58u

/* An address of either family; IPv4 as ::ffff:a.b.c.d, so that one map serves both. */
struct fwd_addr {
	__be32 word[4];
};

/* Per snapshot. Seeds: slot_seed is the same on every balancer of a cluster, flow_seed secret. */
struct fwd_settings {
	__u64 slot_seed[2];
	__u64 flow_seed[2];
	__u32 flow4_buckets; /* of flow.h; 0: no table, nothing is recorded */
	__u32 flow6_buckets;
	__u32 mtu_bytes;     /* of the link to the backends: longest IP packet forwarded */
	__u8 own_mac[FWD_MAC_BYTES]; /* frames to any other destination are passed */
	__u8 out_mac[FWD_MAC_BYTES]; /* source address of forwarded frames */
};

struct fwd_range {
	__u16 first_port; /* host byte order, inclusive */
	__u16 last_port;
	__u16 service;
	__u8 proto;
	__u8 pad;
};

/* A virtual address and what is not found by exact port. */
struct fwd_vip {
	__u32 vip_id;      /* part of the exact-port key */
	__u16 any_tcp;     /* service for any port, or 0 */
	__u16 any_udp;
	__u16 echo;        /* service whose backends answer ICMP echo, or 0 */
	__u16 n_ranges;
	struct fwd_range ranges[FWD_RANGES_MAX];
};

struct fwd_service_key {
	__u32 vip_id;
	__be16 port;
	__u8 proto;
	__u8 pad;
};

enum fwd_service_flags {
	FWD_SERVICE_SESSIONLESS = 1 << 0,     /* owners only; no base, no record */
	FWD_SERVICE_HASH_SOURCE = 1 << 1,     /* slot by source address alone */
	FWD_SERVICE_RECORD_TCP = 1 << 2,      /* record every TCP flow (rr, lc, persistence) */
	FWD_SERVICE_DROP_FRAGMENTS = 1 << 3,  /* fragments = drop */
};

/* One virtual server at one of its VIPs; all its ports. */
struct fwd_service {
	__u32 table;       /* index of its rows for port_slot() */
	__u16 id;          /* stable over reloads and restarts: flow records name it */
	__u16 flags;
	__u32 tcp_timeout_s;
	__u32 fin_timeout_s;
	__u32 udp_timeout_s;
	__u32 n_members;   /* backends in the table; 0: drop with a reason */
};

enum fwd_backend_flags {
	FWD_BACKEND_FLOWS = 1 << 0, /* existing flows may go there (up, drain, kept) */
};

struct fwd_backend {
	__u8 mac[FWD_MAC_BYTES];
	__u16 flags;
};

/*
 * A row of a table. owner: today's choice. base: the owner when the row was last settled. base
 * != owner: the row is moving. Rows lie in memory that outlives the daemon; `base` and `seen_s`
 * are kept, `owner` is computed anew. The packet path writes `seen_s` alone, and only in moving
 * rows; everything else belongs to the control plane before publication, but for settling
 * (base = owner, one aligned 16-bit store).
 */
struct fwd_slot {
	__u16 owner;
	__u16 base;
	__u32 seen_s; /* last packet sent to the base while moving; seconds of CLOCK_MONOTONIC */
};

enum fwd_mac_kind {
	FWD_MAC_UNKNOWN,
	FWD_MAC_BALANCER, /* our own, or another balancer's: a loop */
	FWD_MAC_BACKEND,  /* a loop if it serves the same virtual server */
};

struct fwd_mac {
	__u16 kind;
	__u16 backend;
};

enum fwd_verdict {
	FWD_PASS,      /* not ours: the host's own stack has it anyway */
	FWD_FORWARD,   /* rewritten; send out of the backend interface */
	FWD_DROP,
	FWD_EXCEPTION, /* needs holding or an answer: user space decides on it */
	FWD_VERDICT_N_
};

enum fwd_how {
	FWD_HOW_NONE,
	FWD_HOW_FLOW,
	FWD_HOW_HASH,
	FWD_HOW_PERSISTENCE,
	FWD_HOW_N_
};

struct fwd_frame {
	__u32 length_bytes; /* of the whole frame, Ethernet header included */
	__u32 gso;          /* non-zero: a super-frame that is segmented on the way out */
};

/* The decision, for accounting and for explain. Fields are 0 where they do not apply. */
struct fwd_result {
	__u32 verdict; /* enum fwd_verdict */
	__u32 reason;  /* enum fwd_reason */
	__u16 service;
	__u16 backend;
	__u16 how;     /* enum fwd_how */
	__u16 syn;     /* 1: a TCP SYN that opens a connection */
	__u32 slot;    /* row, where a table was asked */
	__u32 evicted; /* 1: recording cost an older flow its record */
	__u32 recorded; /* 1: a flow record was made */
	__u32 unrecorded; /* 1: a record was wanted and the bucket was full */
};
