/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path probes as bytes: a SYN, a datagram or an echo request to a VIP in a frame to a backend's MAC, as a
 * client's, and what comes back. Pure, and total over any bytes.
 */
#pragma once

#include "common/addr.h"

#define PATH_FRAME_PAYLOAD_MAX 512u
#define PATH_FRAME_MAX_BYTES   (14u + 40u + 24u + PATH_FRAME_PAYLOAD_MAX)

enum path_kind { PATH_TCP, PATH_UDP, PATH_ECHO, PATH_HTTP };

/* What became of a probe. */
enum path_verdict {
	PATH_OK,
	PATH_NO_ANSWER,
	PATH_REFUSED, /* a reset: nothing listens there */
	PATH_PORT_UNREACHABLE,
	PATH_PROHIBITED,
	PATH_UNREACHABLE, /* another ICMP error */
	PATH_UNEXPECTED,  /* an answer without what was expected in it */
	/* Of a request, whose connection came about. */
	PATH_STATUS, /* another status than 2xx and 3xx */
	PATH_MUTE,   /* no answer in time */
	PATH_CLOSED, /* ended by the server before an answer */
	PATH_NOT_HTTP,
	/* For a want of our own: they tell nothing of the backend. */
	PATH_NO_ADDRESS, /* none of the VIP's family on the interface */
	PATH_NOT_MADE,
};

struct path_frame {
	enum path_kind kind;
	struct mac from, to;
	struct addr source, vip; /* of one family */
	uint16_t source_port;    /* echo: the identifier */
	uint16_t port;           /* echo: the sequence number */
	uint32_t sequence;       /* of TCP */
	uint32_t acknowledged;   /* of a segment */
	const void *payload;     /* not of a SYN or a reset; at most PATH_FRAME_PAYLOAD_MAX */
	size_t payload_bytes;
};
/* The probe, from Ethernet on; TCP and HTTP: a SYN. Returns bytes. */
size_t path_frame_build(const struct path_frame *probe, uint8_t buffer[PATH_FRAME_MAX_BYTES]);
/* A segment of a connection, with or without a payload. Returns bytes. */
size_t path_frame_build_segment(
	const struct path_frame *segment, uint8_t buffer[PATH_FRAME_MAX_BYTES]);
/* A reset of the connection that a SYN began, with this sequence number. Returns bytes. */
size_t path_frame_build_reset(const struct path_frame *reset, uint8_t buffer[PATH_FRAME_MAX_BYTES]);

enum path_answer_kind {
	PATH_ANSWER_NONE, /* nothing that answers a probe */
	PATH_ANSWER_SYN_ACK,
	PATH_ANSWER_ACK, /* TCP that acknowledges, and is neither SYN-ACK nor reset */
	PATH_ANSWER_RESET,
	PATH_ANSWER_DATAGRAM,
	PATH_ANSWER_ECHO,
	PATH_ANSWER_ERROR, /* ICMP: what it says is of the packet that it quotes */
};
enum path_error { PATH_ERROR_PORT, PATH_ERROR_PROHIBITED, PATH_ERROR_OTHER };

struct path_answer {
	enum path_answer_kind kind;
	enum path_kind probe;  /* that it answers */
	enum path_error error; /* of PATH_ANSWER_ERROR */
	struct mac from, to;
	struct addr vip, own; /* as the probe had them: where it went, and where from */
	uint16_t port, own_port;
	uint32_t sequence; /* of the probe, TCP: one less than is acknowledged */
	/* Of PATH_ANSWER_SYN_ACK and PATH_ANSWER_ACK: the server's own. */
	uint32_t server_sequence;
	size_t server_bytes; /* as sent; `payload` may be less of them, where a long frame was cut */
	bool is_last;        /* FIN */
	const void *payload; /* inside the frame */
	size_t payload_bytes;
};
/* Parses any bytes from Ethernet on. Checksums are not looked at: on a virtual link they are unfinished. */
void path_frame_parse(const void *data, size_t size_bytes, struct path_answer *ret_answer);
