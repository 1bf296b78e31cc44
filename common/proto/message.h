/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of the protocol as values: types alone. doc/protocol.md is the specification. */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define PROTO_PORT            7377u
#define PROTO_TTL             255u /* must arrive as sent: RFC 5082 */
#define PROTO_VERSION_1       1u
#define PROTO_VERSION_SERVE   2u    /* has SERVE, and fields at the end of messages */
#define PROTO_VERSION_TABLE   3u    /* has TABLE and RELAY */
#define PROTO_VERSION_PLACE   4u    /* has the balancer's place */
#define PROTO_VERSION_PEERS   4u    /* has PEERS, and who wants it */
#define PROTO_VERSION_VIPS    5u    /* has PART, and more VIPs than one message tells */
#define PROTO_VERSION         5u    /* the newest */
#define PROTO_MESSAGE_MAX     1400u /* bytes of UDP payload, tag included */
#define PROTO_NONCE_BYTES     32u
#define PROTO_TAG_BYTES       32u
#define PROTO_NAME_MAX        64u /* bytes, without the end */
#define PROTO_KEY_ID_MAX      32u
#define PROTO_REASON_MAX      160u
#define PROTO_INTERVAL_MIN_US 50000u
#define PROTO_INTERVAL_MAX_US 60000000u
#define PROTO_MULTIPLIER_MAX  20u
#define PROTO_HEADER_BYTES    8u
#define PROTO_VERSION_OFFSET  4u
#define PROTO_CHALLENGE_BYTES (PROTO_HEADER_BYTES + 2 * PROTO_NONCE_BYTES + PROTO_TAG_BYTES)
#define PROTO_VIPS_MAX        1024u /* of one agent */
#define PROTO_VIPS_WHOLE      40u /* that one message tells whole; before version 5 there are no more */
#define PROTO_VIPS_PART       64u /* of one PART */
#define PROTO_PARTS_MAX       (PROTO_VIPS_MAX / PROTO_VIPS_PART)
#define PROTO_COUNTS_MAX      128u /* of sockets, that one status tells of more VIPs than that */
#define PROTO_PORTS_MAX       128u /* that a balancer asks about; the largest ANSWER must fit */
#define PROTO_CONNECTIONS_MAX (1u << 20)
#define PROTO_PLACE_MAX       4u   /* addresses of a place */
#define PROTO_SOURCES_MAX     8u   /* addresses that a balancer probes from */
#define PROTO_PEERS_MAX       150u /* of one PEERS */
/*
 * The source MAC of a frame that names an alternative: a locally administered one, four bytes of the balancer's of which
 * this is the first, and the alternative's id, high byte first.
 */
#define PROTO_NAMED_MAC_FIRST 0xd2u
#define PROTO_NAMED_MAC_BYTES 4u

enum proto_type {
	PROTO_HELLO = 1,
	PROTO_CHALLENGE,
	PROTO_REGISTER,
	PROTO_ACCEPT,
	PROTO_REJECT,
	PROTO_HEARTBEAT,
	PROTO_ANSWER,
	PROTO_UPDATE,
	PROTO_LEAVE,
	PROTO_ACK,
	PROTO_SERVE,
	PROTO_TABLE,
	PROTO_RELAY,
	PROTO_PEERS,
	PROTO_PART,
	PROTO_TYPE_N_
};

/* What the agent says of itself. */
enum proto_state {
	PROTO_STATE_UP,
	PROTO_STATE_DRAIN,
	PROTO_STATE_MAINT,
	PROTO_STATE_DOWN,
	PROTO_STATE_N_
};

/* Why a REGISTER was refused by policy (authenticated, so the agent may know). */
enum proto_reject {
	PROTO_REJECT_VERSION,     /* protocol version not spoken here */
	PROTO_REJECT_NOT_ALLOWED, /* address not in `allow`, or adopt = off */
	PROTO_REJECT_KEY_BINDING, /* the key may not be used for this name, VIP or weight */
	PROTO_REJECT_NO_VIP,      /* no virtual server has any of these VIPs */
	PROTO_REJECT_CLONE,       /* this identity is alive with another address or MAC */
	PROTO_REJECT_ADDRESS,     /* the claimed real IP is not the source, or not on the link */
	PROTO_REJECT_FULL,        /* the balancer's table of backends is full */
	PROTO_REJECT_ADMIN,       /* an administrator rejected this backend */
	PROTO_REJECT_MAC, /* the claimed MAC is not the agent's: its frame came from another */
	PROTO_REJECT_N_
};

struct proto_vip_status {
	bool present;         /* the VIP is on the loopback interface */
	bool silent;          /* no interface would answer ARP or ND for it */
	uint32_t established; /* TCP sockets in ESTABLISHED with this local address */
};

/* Of more than PROTO_VIPS_WHOLE VIPs: which are not well, all of them, and some of the counts, in turns. */
struct proto_many {
	uint8_t missing[PROTO_VIPS_MAX /
		8];                       /* a bit for each that is not present, the lowest first */
	uint8_t loud[PROTO_VIPS_MAX / 8]; /* and for each that is not silent */
	uint16_t first;                   /* the VIP that the first count is of */
	uint8_t n_counts;
	uint32_t established[PROTO_COUNTS_MAX];
};

/* What one message says. How it stands with each VIP vips.h knows. */
struct proto_status {
	enum proto_state state;
	char reason[PROTO_REASON_MAX + 1]; /* "" only when state is up; printable ASCII */
	uint16_t weight;                   /* 0: no new flows */
	uint32_t max_connections;          /* 0: no ceiling; since version 2 */
	bool second_chance;                /* passes on what no socket here has; since version 4 */
	uint16_t n_vips;                   /* in the order of the REGISTER */
	union {
		struct proto_vip_status vips[PROTO_VIPS_WHOLE]; /* up to so many */
		struct proto_many many;
	};
};

struct proto_hello {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	char key_id[PROTO_KEY_ID_MAX + 1]; /* proto_key_id_is_valid() */
};

struct proto_challenge {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES]; /* opaque to the agent */
};

struct proto_register {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	char key_id[PROTO_KEY_ID_MAX + 1];
	char name[PROTO_NAME_MAX + 1];    /* letters, digits, '.', '-', '_' */
	char version[PROTO_NAME_MAX + 1]; /* of the program */
	struct addr real_ip;
	struct mac mac;
	struct addr
		vips[PROTO_VIPS_WHOLE]; /* status.n_vips of them; of more: none, PARTs have them */
	struct proto_status status;
};

/* PART: some of the VIPs of the REGISTER that has the same nonces, key and name. */
struct proto_part {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	char key_id[PROTO_KEY_ID_MAX + 1];
	char name[PROTO_NAME_MAX + 1];
	uint16_t n_vips;                   /* of the REGISTER: more than PROTO_VIPS_WHOLE */
	uint8_t part;                      /* from VIP part * PROTO_VIPS_PART on */
	struct addr vips[PROTO_VIPS_PART]; /* so many, or what is left of n_vips */
};

/* Where a balancer is, as the agent is to believe it instead of ARP and neighbour discovery. */
struct proto_place {
	struct mac mac; /* zero: not told */
	uint8_t n_addresses;
	struct addr addresses[PROTO_PLACE_MAX]; /* at that MAC, beside the one it sends from */
};

struct proto_accept {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	uint64_t session_id; /* random, never 0 */
	uint64_t boot_id; /* of the balancer's process history; changes when it forgot everything */
	uint64_t sequence;    /* of the balancer: what the agent echoes until the first HEARTBEAT */
	uint32_t interval_us; /* PROTO_INTERVAL_MIN_US–PROTO_INTERVAL_MAX_US */
	uint8_t multiplier;   /* 1–PROTO_MULTIPLIER_MAX */
	char name[PROTO_NAME_MAX + 1]; /* of the balancer; "": not told; since version 2 */
	struct proto_place place;      /* where it hears this agent; since version 4 */
};

struct proto_rejected {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	enum proto_reject code;
	char reason[PROTO_REASON_MAX + 1];
};

/* LEAVE, ACK: session messages without a body. Begins every other message of a session. */
struct proto_session {
	uint64_t session_id;
	uint64_t sequence; /* of the sender, strictly rising within the session */
	uint64_t echo; /* the newest sequence seen from the other side; ACK: the one acknowledged */
};

/* HEARTBEAT. The echo is unused: 0. */
struct proto_heartbeat {
	struct proto_session session;
	struct proto_place place; /* as in an ACCEPT */
};

/* Ports of a VIP that a virtual server has. */
struct proto_port {
	uint16_t vip;         /* position in the REGISTER */
	uint8_t protocol;     /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t first, last; /* 1–65535, inclusive */
	bool counts; /* connections are counted, and nobody need listen; always so for several ports */
};

/* SERVE: all that this balancer asks about, in rising order; and where its own connections come from. */
struct proto_serve {
	struct proto_session session;
	uint8_t n_ports;
	struct proto_port ports[PROTO_PORTS_MAX];
	uint8_t n_sources;
	struct addr sources[PROTO_SOURCES_MAX];
};

struct proto_port_status {
	bool listening;    /* somebody listens on it, at the VIP */
	bool counted;      /* `accepted` is known */
	uint32_t accepted; /* TCP connections that the kernel took or half took, modulo 2^32 */
};

/* What the agent says to a SERVE. */
struct proto_ports_status {
	uint32_t digest; /* ports_digest() of the newest SERVE; 0: none was asked */
	uint8_t n_ports; /* in their order */
	struct proto_port_status items[PROTO_PORTS_MAX];
	char why[PROTO_REASON_MAX +
		1]; /* the first port that nobody listens on, in words; "": none */
};

/* Another balancer that has accepted the agent: one a message, in turns. */
struct proto_other {
	struct addr address; /* AF_UNSPEC: none is named */
	char name[PROTO_NAME_MAX + 1];
};

/* ANSWER, UPDATE. `ports` and `other` since version 2, `peers_heard` since version 4. */
struct proto_report {
	struct proto_session session;
	struct proto_status status;
	struct proto_ports_status ports;
	struct proto_other other;
	uint64_t peers_heard; /* the newest change that PEERS told; 0 without second_chance */
};

/* What a balancer forwards a virtual server's clients by, as far as others must have the same. */
struct proto_table {
	char name[PROTO_NAME_MAX + 1];    /* of the virtual server */
	uint64_t digest;                  /* of the table */
	uint32_t members;                 /* hash of the usable members' addresses */
	uint32_t weights;                 /* the same, with their weights */
	char version[PROTO_NAME_MAX + 1]; /* of the program */
};

/* TABLE: the balancer's own, one a message, in turns. RELAY: what `other` said in its TABLE. */
struct proto_told {
	struct proto_session session;
	struct addr other; /* AF_UNSPEC in a TABLE */
	struct proto_table table;
};

struct proto_peer {
	uint16_t id;    /* of a backend; never 0 */
	struct mac mac; /* zero: it is gone */
};

/* PEERS: which backends changed their MACs, in the order of changes. */
struct proto_peers {
	struct proto_session session;
	uint8_t named_mac[PROTO_NAMED_MAC_BYTES]; /* how source MACs begin that name one of them */
	uint64_t after,
		change; /* all changes after the first, up to the second; after 0: all there is */
	uint8_t n_items;
	struct proto_peer items[PROTO_PEERS_MAX];
};

struct proto_message {
	unsigned int version; /* PROTO_VERSION_1–PROTO_VERSION */
	enum proto_type type;
	union {
		struct proto_hello hello;
		struct proto_challenge challenge;
		struct proto_register reg;
		struct proto_part part;
		struct proto_accept accept;
		struct proto_rejected rejected;
		struct proto_session session; /* LEAVE, ACK, and the begin of those below */
		struct proto_heartbeat heartbeat;
		struct proto_report report; /* ANSWER, UPDATE */
		struct proto_serve serve;
		struct proto_told told; /* TABLE, RELAY */
		struct proto_peers peers;
	};
};
