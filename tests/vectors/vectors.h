/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet vectors: one table of named packets and what has to become of them, for every runner:
 * the core itself, the packet engine over real interfaces, the BPF programs. The table knows no
 * runner; a runner builds the world below in its own terms (world.h does it for a snapshot),
 * sends the packets that come before, sends the packet, and compares.
 */
#pragma once

#include "common/util.h"
#include "lb/fwd/reason.h"
#include "lb/fwd/types.h"

#define VECTOR_FRAME_MAX  70000u
#define VECTOR_BEFORE_MAX 2u
#define VECTOR_EXTENSIONS 8u

/*
 * The world. VIPs: "198.51.100.10" and "2001:db8::10" (web and dns), ".11" and "::11" (any protocol,
 * sessionless, by source address), ".12" (nobody serves it), ".13" (fragments = drop), ".14" (its
 * rows are moving from backend 1 to backend 2). ".15" to ".17" meter SYNs; at rates without a burst none
 * comes through, whatever the time. ".18" and ".19" have lists of clients. Backends 1–3 serve all but .12; backend 4 none.
 * Backend 1 passes on what it has no socket for, and knows where backend 2 is.
 */
enum vector_service {
	VECTOR_WEB = 1, /* 198.51.100.10 tcp 80, 443, 8000–8100; sctp 80, 6000–6100 */
	VECTOR_DNS,     /* 198.51.100.10 udp 53, 5000–5999 */
	VECTOR_WEB6,    /* 2001:db8::10 tcp 80; sctp 80 */
	VECTOR_DNS6,    /* 2001:db8::10 udp 53 */
	VECTOR_ANY,     /* 198.51.100.11, any protocol and port */
	VECTOR_ANY6,    /* 2001:db8::11 */
	VECTOR_EMPTY,   /* 198.51.100.12 tcp 80 */
	VECTOR_WHOLE,   /* 198.51.100.13 udp 53 */
	VECTOR_MOVING,  /* 198.51.100.14 tcp and sctp 80, udp 53 */
	VECTOR_CLOSED, /* 198.51.100.15 and 2001:db8::15 tcp 80, .15 sctp 80: syn-rate without a burst */
	VECTOR_CLOSED_SOURCE, /* 198.51.100.16 tcp 80: syn-rate-source too */
	VECTOR_METERED, /* .17, ::17 tcp 80: a second 1 SYN of a source, burst 1; of all 1, burst 2 */
	VECTOR_CHOSEN,  /* .18, ::18 tcp 80, udp 53: takes some clients (world.h) */
	VECTOR_SHUNNED, /* .19, ::19 tcp 80, udp 53: takes all clients but some */
	VECTOR_SERVICE_N_
};

#define VECTOR_BACKENDS  4u /* ids 1–4 */
#define VECTOR_MTU_BYTES 1500u

enum vector_mac {
	VECTOR_MAC_ROUTER,   /* whence clients' frames come */
	VECTOR_MAC_OWN,      /* of the balancer's client interface */
	VECTOR_MAC_OUT,      /* of its backend interface */
	VECTOR_MAC_NAMED2,   /* names backend 2 as the alternative */
	VECTOR_MAC_PEER,     /* another balancer */
	VECTOR_MAC_BACKEND1, /* and on: + id - 1 */
	VECTOR_MAC_BACKEND2,
	VECTOR_MAC_BACKEND3,
	VECTOR_MAC_BACKEND4,
	VECTOR_MAC_STRANGER,
	VECTOR_MAC_BROADCAST,
	VECTOR_MAC_MULTICAST,
	VECTOR_MAC_N_
};
const uint8_t *vector_mac_bytes(enum vector_mac mac);

/* What stands in an ICMP error. */
struct vector_packet;

/*
 * A packet in words; what is not said is ordinary: an Ethernet frame from the router to the
 * balancer with a TCP SYN of 192.0.2.7:40000 to port 80 of 198.51.100.10 (or their IPv6 fellows),
 * all lengths right. The builder writes a right IPv4 header checksum; other checksums are 0.
 */
struct vector_packet {
	enum vector_mac from; /* source MAC */
	enum vector_mac to;   /* destination; ROUTER stands for OWN, as nobody sends to it */
	uint16_t vlans[3];    /* EtherTypes of tags, outermost first */
	uint16_t ethertype;   /* 0: by family */
	bool ip6;
	const char *source, *destination;
	uint8_t option_bytes; /* of IPv4 options, a multiple of 4 */
	uint8_t extensions
		[VECTOR_EXTENSIONS]; /* kinds; hop-by-hop is 200 here, as 0 ends the list */
	uint8_t extension_units;     /* of 8 bytes beyond the first, of each */
	uint16_t fragment_offset;    /* bytes; with `more`: a fragment (IPv6: needs a 44 above) */
	bool more;
	uint16_t datagram;          /* added to the identification: whose fragment it is */
	uint8_t proto;              /* 0: TCP; ICMP of the family by icmp_type */
	uint8_t tcp_flags;          /* 0: SYN */
	uint8_t chunk;              /* of SCTP, the first one's type; 0: INIT */
	uint16_t client_port, port; /* 0: 40000, 80 */
	uint32_t payload_bytes;     /* behind the L4 header */
	uint8_t icmp_type, icmp_code;
	const struct vector_packet *quote; /* in ICMP: its bytes from IP on */
	uint16_t quote_bytes;              /* cut to that; 0: all */
	/* Lies and damage. */
	uint8_t version, header_words; /* of IP; 0: right */
	int total_delta_bytes;         /* added to IP's length field */
	bool zero_total;               /* IP's length field is 0 */
	uint8_t tcp_words;             /* of the TCP header; 0: right */
	int udp_delta_bytes;           /* added to UDP's length field */
	uint16_t l4_bytes;  /* keep that many bytes behind the IP headers (lengths stay right) */
	uint16_t cut_bytes; /* the frame ends there; 0: whole */
	uint16_t pad_bytes; /* Ethernet padding behind the packet */
	bool gso;           /* the frame is a super-frame */
};

enum vector_rule {
	VECTOR_NOBODY,    /* the reason is not "forwarded": bytes stay as they are */
	VECTOR_BY_PORTS,  /* owner of the row of client address and port */
	VECTOR_BY_SOURCE, /* owner of the row of the client address alone */
	VECTOR_AS_BEFORE, /* where the last packet before went */
	VECTOR_BACKEND1,
	VECTOR_BACKEND2,
	VECTOR_BACKEND1_OR_2, /* 1, and the source MAC names 2 */
};

/* A forwarded frame differs from what came in by its MACs alone: that backend's, from OUT or NAMED2. */
struct vector {
	const char *name;
	struct vector_packet before[VECTOR_BEFORE_MAX];
	uint8_t n_before;
	struct vector_packet packet;
	enum fwd_reason reason;
	enum vector_service service; /* of a forwarded one */
	enum vector_rule rule;
};

const struct vector *vector_table(size_t *ret_n_vectors);
/* Writes the frame into `buffer` (VECTOR_FRAME_MAX) and returns its length in bytes. */
size_t vector_build(const struct vector_packet *packet, uint8_t *buffer);
