/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the forwarding core and its targets share: the read-only description of virtual servers
 * and backends (a snapshot), slots, and the result of a decision. Every struct is laid out for
 * both user space and BPF maps: fixed-width, explicitly padded. Linux UAPI headers only.
 */
#pragma once

#include <linux/types.h>

/* Coverage is counted in functions that stand alone: each copy would have branches of its own. */
#ifndef FWD_INLINE
#define FWD_INLINE static __inline __attribute__((__always_inline__))
#endif

/*
 * A function of its own for BPF, and a global one: the verifier judges it once, for any arguments, so
 * that the ways through it do not multiply with those of its callers. What it gets are numbers and
 * pointers to whole structs; a pointer inside a struct would be a number to it.
 */
#ifdef __bpf__
#define FWD_CALL __attribute__((__noinline__))
#else
#define FWD_CALL FWD_INLINE
#endif

/* What cannot be, but has to be asked: the verifier takes any pointer of a global function for NULL. */
#ifdef __bpf__
#define FWD_NEVER(condition) (condition)
#else
#define FWD_NEVER(condition) 0
#endif

/*
 * Words that several CPUs share: relaxed loads and stores that are never torn. A published word
 * makes everything written before it visible to who loads it. BPF of this compiler has no
 * atomic load or store: aligned volatile accesses are single there, exchange is a full barrier.
 */
#ifdef __bpf__
#define FWD_LOAD(pointer)           (*(const volatile __typeof__(*(pointer)) *)(pointer))
#define FWD_STORE(pointer, value)   (*(volatile __typeof__(*(pointer)) *)(pointer) = (value))
#define FWD_PUBLISH(pointer, value) ((void)__sync_lock_test_and_set(pointer, value))
#else
#define FWD_LOAD(pointer)           __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#define FWD_STORE(pointer, value)   __atomic_store_n(pointer, value, __ATOMIC_RELAXED)
#define FWD_PUBLISH(pointer, value) __atomic_store_n(pointer, value, __ATOMIC_RELEASE)
#endif

#define FWD_ROWS            65537u /* of a Maglev table: a prime (Maglev, NSDI 2016 §3.4) */
#define FWD_ID_MAX          65535u /* service and backend ids are 1–65535; 0 is "none" */
#define FWD_RANGES_MAX      24u    /* port ranges of one VIP, over all its virtual servers */
#define FWD_SERVICES_MAX    16383u /* VIPs, over all virtual servers */
#define FWD_DOORS_MAX       16384u /* exact ports of VIPs, over all virtual servers and protocols */
#define FWD_MAC_BYTES       6u
#define FWD_NAMED_MAC_BYTES (FWD_MAC_BYTES - 2) /* before the id of a backend */

#define FWD_LINKS_MAX 16u /* interfaces to backends; a power of two */

#define FWD_SOURCE_RATES 65536u /* buckets that clients' networks share (rate.h) */

/*
 * The same number. The verifier, which would follow the ways to each constant on its own, sees some
 * number: whoever uses it as an index bounds it.
 */
FWD_INLINE __u32 fwd_some(__u32 number, __u32 any)
{
#ifdef __bpf__
	__asm__ volatile("%0 ^= %1\n\t%0 ^= %1" : "+r"(number) : "r"(any));
#endif
	return number;
}

/* A MAC address read and written in halves: wherever one lies, it lies at an even place. */
typedef __u16 __attribute__((__may_alias__)) fwd_half;

FWD_INLINE void fwd_mac_copy(void *to, const void *from)
{
	fwd_half *halves = to;
	const fwd_half *others = from;

	halves[0] = others[0];
	halves[1] = others[1];
	halves[2] = others[2];
}

FWD_INLINE int fwd_mac_equal(const void *a, const void *b)
{
	const fwd_half *halves = a, *others = b;

	return ((halves[0] ^ others[0]) | (halves[1] ^ others[1]) | (halves[2] ^ others[2])) == 0;
}

#define FWD_PROTO_ICMP   1u
#define FWD_PROTO_TCP    6u
#define FWD_PROTO_UDP    17u
#define FWD_PROTO_ICMPV6 58u
#define FWD_PROTO_SCTP   132u

/* Of flows: protocols with ports. */
enum fwd_kind { FWD_TCP, FWD_UDP, FWD_SCTP };

FWD_INLINE int fwd_has_ports(__u8 proto)
{
	return proto == FWD_PROTO_TCP || proto == FWD_PROTO_UDP || proto == FWD_PROTO_SCTP;
}

/* An address of either family; IPv4 as ::ffff:a.b.c.d, so that one map serves both. */
struct fwd_addr {
	__be32 word[4];
};

/* An interface to backends. */
struct fwd_link {
	__u8 mac[FWD_MAC_BYTES]; /* source address of frames that are forwarded there */
	__u16 pad;
	__u32 ifindex; /* 0: it is not there, and no backend of the snapshot is on it */
	__u32 mtu_bytes;
};

/* Per snapshot. Seeds: slot_seed is the same on every balancer of a cluster, flow_seed secret. */
struct fwd_settings {
	__u64 slot_seed[2];
	__u64 flow_seed[2];
	__u32 flow4_buckets; /* of flow.h, whole groups; 0: no table, nothing is recorded */
	__u32 flow6_buckets;
	/* A flow is looked for in its group among the first so many, then in that among so many (0: no more). */
	__u32 flow4_among[2];
	__u32 flow6_among[2];
	__u32 seen_words; /* of a generation of the filter of flows seen (seen.h); 0: there is none */
	__u32 clients_place; /* of the lists of clients, where a target holds more than these */
	__u32 mtu_bytes;     /* longest IP packet that every link to backends takes */
	__u32 mtus_differ; /* 1: some take longer ones, so that the backend's link says what is too big */
	__u8 own_mac[FWD_MAC_BYTES]; /* frames to any other destination are passed */
	__u16 pad;
	/* How the source MAC begins of a frame that names an alternative; the alternative's id follows, high byte first. */
	__u8 named_mac[FWD_NAMED_MAC_BYTES];
	__u32 pad2;
	struct fwd_link links[FWD_LINKS_MAX];
};

FWD_INLINE const struct fwd_link *fwd_link(const struct fwd_settings *settings, __u32 link)
{
	return &settings->links[link & (FWD_LINKS_MAX - 1)];
}

struct fwd_range {
	__u16 first_port; /* host byte order, inclusive */
	__u16 last_port;
	__u16 service;
	__u16 next; /* of the same VIP and protocol; 0: none */
};

enum fwd_vip_protos {
	FWD_VIP_TCP = 1 << 0,
	FWD_VIP_UDP = 1 << 1,
	FWD_VIP_SCTP = 1 << 2,
	FWD_VIP_OTHERS = 1 << 3, /* protocols without ports are any_tcp's, which is any's */
};

/* A virtual address and what is not found by exact port. */
struct fwd_vip {
	struct fwd_addr address;
	__u8 protos; /* enum fwd_vip_protos: those with any service at all */
	__u8 n_ranges;
	__u16 any_tcp; /* service for any port, or 0 */
	__u16 any_udp;
	__u16 any_sctp;
	__u16 ranges_tcp; /* first of a chain of ranges; 0: none */
	__u16 ranges_udp;
	__u16 ranges_sctp;
	__u16 echo; /* service whose backends answer ICMP echo, or 0 */
};

/*
 * What a packet to one exact port of a VIP asks for first, and mostly all that it asks for: of its
 * service no more is read, as long as it is neither tracked nor metered.
 */
struct fwd_binding {
	struct fwd_addr vip;
	__be16 port;
	__u16 proto;   /* 0: free */
	__u16 service; /* id */
	__u16 at;      /* place of the service in the image */
	__u32 table;   /* as in struct fwd_service */
	__u16 flags;
	__u16 pad;
};

enum fwd_service_flags {
	FWD_SERVICE_SESSIONLESS = 1 << 0,    /* owners only; no base, no record */
	FWD_SERVICE_HASH_SOURCE = 1 << 1,    /* slot by source address alone */
	FWD_SERVICE_RECORD_ALL = 1 << 2,     /* record every flow (rr, lc, persistence) */
	FWD_SERVICE_DROP_FRAGMENTS = 1 << 3, /* fragments = drop */
	/*
	 * A balancer that started with nothing: until membership is quiet bases follow owners, because
	 * flows from before its start are where the backends that register now served them. Flows
	 * that begin meanwhile are recorded, so that the next to register breaks none of them; of UDP,
	 * which may have begun before, once all that spoke since the start are known (seen.h).
	 */
	FWD_SERVICE_RECORD_NEW = 1 << 4,
	/* How a flow that has no record yet finds its backend: else by its row's owner. */
	FWD_SERVICE_ROUND_ROBIN = 1 << 5, /* in the order of backends */
	FWD_SERVICE_LEAST_LOADED = 1
		<< 6, /* the order names each member once; the least loaded of them */
	FWD_SERVICE_CLIENTS = 1 << 7, /* takes only clients that its list (clients.h) takes */
};

/* Of a token bucket of rate.h. */
struct fwd_rate {
	__u32 per_s;      /* packets a second; 0: not metered */
	__u32 burst_pkts; /* what a full bucket holds; 0: none is let through */
};

/* One virtual server at one of its VIPs; all its ports. */
struct fwd_service {
	__u32 table; /* index of its rows for port_slot() */
	__u16 id;    /* stable over reloads and restarts: flow records name it */
	__u16 flags;
	__u32 tcp_timeout_s;
	__u32 fin_timeout_s;
	__u32 udp_timeout_s;
	__u32 n_members;          /* backends in the table; 0: drop with a reason */
	__u32 persistence_s;      /* 0: clients are not kept at their backend */
	__u8 persistence_prefix4; /* 8–32: bits that tell clients apart */
	__u8 persistence_prefix6; /* 8–128 */
	__u8 pad[2];
	__u32 order_len;                 /* of port_order_backend(); 0: none */
	__u32 order_first;               /* place among the image's orders */
	__u32 position_load;             /* the load whose `sent` is the position; 0: none */
	struct fwd_rate syn_rate;        /* of SYNs that open a connection */
	struct fwd_rate syn_rate_source; /* the same of one /24 or /56 */
	__u32 clients;                   /* place of its list of clients; 0: it takes all */
};

/* What lc knows of a backend in a service. Writers of different fields never meet in one. */
struct fwd_load {
	__u32 weight;
	__u32 established; /* by the last report; of a static by the flow table */
	__u32 sent; /* since then new flows less ended ones, signed: counted by every CPU, atomically */
	__u32 pad;
};

#define FWD_LOADS 65536u /* of all services under rr and lc; [0] is nobody's */

enum fwd_backend_flags {
	FWD_BACKEND_FLOWS = 1 << 0, /* existing flows may go there (up, drain, kept) */
	FWD_BACKEND_NEW =
		1 << 1, /* new flows of a persistent client may (up, kept; weight not 0) */
	FWD_BACKEND_NEW_SOME = 1 << 3, /* but not in each of its services: see port_takes_new() */
	FWD_BACKEND_THERE = 1 << 2,    /* of an image: the id is a backend's */
	FWD_BACKEND_PASSES_ON =
		1 << 4, /* its agent passes on what no socket there has: second chance */
	FWD_BACKEND_NAMED = 1 << 5, /* agents that pass on are told where it is */
};

struct fwd_backend {
	__u8 mac[FWD_MAC_BYTES];
	__u8 flags;
	__u8 link; /* among those of the settings */
};

/*
 * A row of a table. owner: today's choice. base: the owner when the row was last settled. A row
 * is moving as long as seen_s is not 0, also when the owner has come back to the base: flows that
 * began meanwhile are recorded elsewhere. Rows lie in memory that outlives the daemon; `base` and
 * `seen_s` are kept, `owner` is computed anew. The packet path writes `seen_s` alone, only in
 * moving rows, and never 0; everything else belongs to the control plane before publication, but
 * for settling (base = owner, then seen_s = 0: aligned stores).
 */
struct fwd_slot {
	__u16 owner;
	__u16 base;
	__u32 seen_s; /* 0: settled; else last packet to the base, seconds of CLOCK_MONOTONIC */
} __attribute__((__aligned__(8)));

/*
 * A table. What most packets ask for is the owner of a settled row, and to have all of these in a
 * quarter of the rows' memory is to have them in the cache: waiting for a row is the larger
 * part of what a decision costs. 0: the row itself says, as it may for any row. Written by
 * the control plane alone: before publication, and behind a row that it settles.
 */
struct fwd_table {
	struct fwd_slot rows[FWD_ROWS];
	__u16 settled[FWD_ROWS + 3]; /* whole words of eight bytes */
};
_Static_assert(sizeof(struct fwd_table) % sizeof(struct fwd_slot) == 0, "values of an array map");

enum fwd_mac_kind {
	FWD_MAC_UNKNOWN,
	FWD_MAC_BALANCER, /* our own, or another balancer's: a loop */
	FWD_MAC_BACKEND,  /* a loop if it serves the same virtual server */
};

struct fwd_mac {
	__u16 kind;
	__u16 backend;
};

/* What fragments of one datagram have in common. */
struct fwd_fragment_key {
	struct fwd_addr source;
	struct fwd_addr vip;
	__u32 id; /* IPv4: 16 bits */
	__u32 proto; /* IPv4 only: fragments of an IPv6 datagram may name different ones (RFC 8200 §4.5) */
};

/* How long the other fragments of a datagram follow its first: as long as Linux reassembles. */
#define FWD_FRAGMENT_TIMEOUT_S 30u

/* What became of a first fragment. */
struct fwd_fragment {
	__u16 service; /* 0: nobody's, it was passed */
	__u16 backend; /* 0: it was not forwarded */
	__u32 seen_s;
	__u32 reason; /* enum fwd_reason: forwarded, or why not; those that follow share it */
};

enum fwd_verdict {
	FWD_PASS,    /* not ours: the host's own stack has it anyway */
	FWD_FORWARD, /* rewritten; send out of the backend's link */
	FWD_DROP,
	FWD_SLOW_PATH, /* needs holding or an answer: user space decides on it */
	FWD_VERDICT_N_
};

enum fwd_how { FWD_HOW_NONE, FWD_HOW_FLOW, FWD_HOW_HASH, FWD_HOW_PERSISTENCE, FWD_HOW_N_ };

struct fwd_frame {
	__u32 length_bytes; /* of the whole frame, Ethernet header included */
	__u32 gso;    /* not 0: a super-frame; bytes of payload of each segment on the way out */
	__u32 n_tags; /* VLAN tags that the host keeps beside the frame */
};

/* The decision, for accounting and for explain. Fields are 0 where they do not apply. */
#define FWD_SYN     1u
#define FWD_CLIENTS 64u /* numbers that clients share, to tell few from some */

struct fwd_result {
	__u16 service;
	__u16 backend;
	__u32 slot;   /* row, where a table was asked */
	__u8 verdict; /* enum fwd_verdict */
	__u8 reason;  /* enum fwd_reason */
	__u8 how;     /* enum fwd_how */
	__u8 syn; /* of a TCP SYN that opens a connection: FWD_SYN | number of its client << 1; else 0 */
	__u8 moving : 1;     /* that row is moving */
	__u8 evicted : 1;    /* recording cost an older flow its record */
	__u8 recorded : 1;   /* a flow record was made */
	__u8 unrecorded : 1; /* a record was wanted and its group was full */
	__u8 pad : 4;
	__u8 pad2;
	__u16 alternative; /* forwarded: that the frame's source MAC names, by its id; 0: none */
};
/* The tc program's stack has no room for more. */
_Static_assert(sizeof(struct fwd_result) == 16, "two words");
