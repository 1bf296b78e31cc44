/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second opinion on every frame: what the forwarding core has to say in the world of the vectors,
 * decided by a parser of its own that reads byte by byte, slowly, from the RFCs and from what the
 * words of the interface mean. It shares the reasons' numbers with the core and nothing else: no
 * header, no struct, no hash, no table. Whoever changes a rule of the core changes it here too, and is
 * asked by a fuzzer whether both mean the same.
 */
#pragma once

#include "common/util.h"
#include "lb/fwd/reason.h"

/* A test runs few frames in one world: whoever sends more gets no answer (see reference_decide). */
#define REFERENCE_FRAMES_MAX 16u

/* Whose packet it is, seen from the client; an IPv4 address stands in the first four bytes. */
struct reference_flow {
	bool is_ip6;
	bool is_udp, is_sctp;
	uint8_t client[16];
	uint16_t client_port;
	uint16_t vip_port;
	unsigned int service;
};

struct reference_frame {
	const uint8_t *bytes;
	size_t readable_bytes; /* of them */
	size_t length_bytes;   /* of the whole frame; may be more */
	bool gso;
};

struct reference_answer {
	unsigned int reason;
	unsigned int service; /* of a forwarded one, as the two that follow */
	unsigned int backend;
	bool has_row;
	uint32_t row;
	bool has_flow; /* a packet with ports, or an error that quotes one */
	struct reference_flow flow;
	bool records;             /* there is a record of the flow now */
	unsigned int alternative; /* a backend that is named; 0: none */
};

/* What is remembered from one frame to the next. Zeroed: nothing. */
struct reference {
	struct {
		bool is_ip6;
		uint8_t source[16], vip[16], proto;
		uint32_t id;
		unsigned int service, backend, reason;
	} firsts[REFERENCE_FRAMES_MAX];
	size_t n_firsts;
	struct reference_flow flows[REFERENCE_FRAMES_MAX]; /* what is recorded */
	size_t n_flows;
	uint32_t syn_buckets[REFERENCE_FRAMES_MAX]; /* of sources that spent their burst */
	size_t n_syn_buckets;
	unsigned int n_syns; /* let through, of the virtual server's burst */
};

/* Decides the next frame. At most REFERENCE_FRAMES_MAX of them between two zeroings. */
void reference_decide(struct reference *reference, const struct reference_frame *frame,
	struct reference_answer *ret_answer);
