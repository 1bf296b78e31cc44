/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registration and heartbeat protocol: messages <-> bytes. Pure; knows no keys: the last
 * PROTO_TAG_BYTES of a datagram are the tag that common/auth computes over all before them.
 * doc/protocol.md is the specification. UDP port 7377, one message a datagram.
 *
 *  agent                                   balancer
 *    HELLO(nonce_agent, key id, padded) ──►            no tag
 *    ◄── CHALLENGE(nonce_agent, nonce_balancer)        no tag, never larger than the HELLO
 *    PART(nonces, identity, some VIPs) ──►             tag: pre-shared key, version 5: of more VIPs than fit
 *    REGISTER(nonces, identity, status) ──►            tag: pre-shared key
 *    ◄── ACCEPT(nonces, session, interval …) | REJECT  tag: pre-shared key
 *    ◄── HEARTBEAT(session, sequence)                  tag: session key balancer → agent
 *    ◄── SERVE(session, sequence, ports)               the same, version 2: which ports are asked about
 *    ◄── TABLE(session, sequence, table)               the same, version 3: what clients are forwarded by
 *    ANSWER(session, sequence, echo, status) ──►       tag: session key agent → balancer
 *    UPDATE(session, sequence, echo, status) ──►       the same, sent when something changed
 *    RELAY(session, sequence, echo, balancer, table) ──►   the same, version 3: another balancer's TABLE
 *    LEAVE(session, sequence, echo) ──►
 *    ◄── ACK(session, sequence, echo of the UPDATE's or LEAVE's sequence)
 */
#pragma once

#include "common/proto/message.h"

/* Why bytes are no message. */
enum proto_error {
	PROTO_OK,
	PROTO_ERROR_SHORT, /* shorter than a header and a tag */
	PROTO_ERROR_LONG,  /* longer than PROTO_MESSAGE_MAX, or bytes left over */
	PROTO_ERROR_MAGIC, /* not ours at all */
	PROTO_ERROR_VERSION,
	PROTO_ERROR_TYPE,
	PROTO_ERROR_TRUNCATED, /* a field reaches over the end */
	PROTO_ERROR_VALUE,     /* a field outside its range, or padding that is not zero */
	PROTO_ERROR_N_
};

/* Header only: for the way to the right key before anything else is believed. */
enum proto_error proto_peek_type(const void *data, size_t size_bytes, enum proto_type *ret_type);
/* The session id of a session message without parsing the rest; 0 when there is none. */
uint64_t proto_peek_session(const void *data, size_t size_bytes);
/*
 * Parses a whole datagram, tag included (its bytes are not looked at; HELLO and CHALLENGE have
 * zeros there, which is checked). Writes `*ret_message` only on PROTO_OK. Total: any bytes.
 */
enum proto_error proto_parse(
	const void *data, size_t size_bytes, struct proto_message *ret_message);
/*
 * Writes the message with a zeroed tag into `buffer` (PROTO_MESSAGE_MAX); returns the size in
 * bytes, tag included. A HELLO is padded to the size of a CHALLENGE. -EINVAL: a field is out of
 * range (programmer or configuration error), nothing is written. -EMSGSIZE: more counts of sockets than fit.
 */
int proto_write(const struct proto_message *message, uint8_t *buffer);

const char *proto_state_name(enum proto_state state); /* "up", "drain", "maint", "down" */
const char *proto_reject_name(enum proto_reject code);
/* A legal backend name: 1–PROTO_NAME_MAX of letters, digits, '.', '-', '_'; not starting with '-'. */
bool proto_name_is_valid(const char *name);
/* The same for the ID of a key: 1–PROTO_KEY_ID_MAX of these characters. */
bool proto_key_id_is_valid(const char *id);

/* What a balancer's frames begin with that name an alternative: its own, by what it remembers (its boot id). */
void proto_named_mac(uint64_t boot_id, uint8_t ret_named_mac[PROTO_NAMED_MAC_BYTES]);
