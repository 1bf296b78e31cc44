/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is probed of a backend, as the caller says it and as it is kept while probes come and go. */
#pragma once

#include "lb/link/path/path_frame.h"
#include "lb/link/path/path_request.h"
#include "lb/link/path/path_wheel.h"

#define PATH_TARGET_ECHO_BYTES 8u

struct path_bytes {
	const uint8_t *data;
	size_t size_bytes; /* at most PATH_FRAME_PAYLOAD_MAX */
};

/* What is probed of a backend. */
struct path_target {
	uint16_t service;
	uint16_t check; /* of several of one service */
	struct addr vip;
	enum path_kind kind;
	uint16_t port; /* not of an echo */
	uint64_t interval_us, timeout_us;
	struct path_bytes
		payload; /* of a datagram, or the whole request; the caller's during path_probe_set() */
	struct path_bytes expect; /* contained in the answer; empty: any, and silence is well too */
};

struct probes_backend;

/* One target of a backend. */
struct probe {
	struct path_wheel_item wheel; /* first, so that one pointer is both */
	struct probes_backend *backend;
	uint16_t service, check;
	enum path_kind kind;
	struct addr vip;
	uint16_t port;
	uint64_t interval_us, timeout_us;
	uint8_t *payload, *expect; /* its own */
	size_t payload_bytes, expect_bytes;

	uint64_t began_us, due_us; /* when it is to begin, or while it is awaited, to end */
	uint64_t refused_us;       /* when an ICMP error came last; 0: never */
	bool awaiting;
	bool staggered; /* its phase is its own */
	/* While it is awaited. */
	struct addr own;
	uint16_t own_port;
	uint32_t secret; /* TCP: the sequence number; echo: in its sequence number and payload */
	uint8_t echo[PATH_TARGET_ECHO_BYTES];
	struct path_request request;
	struct probe *next, **link; /* in one of path_await's buckets */
};

struct probes_backend {
	uint16_t id;
	struct mac mac;
	struct addr address;
	struct probe **probes; /* in the order of services, and of their checks */
	size_t len;
	size_t n_awaiting; /* of them */
};

/* A target that nothing is known of, with bytes of its own. NULL: no memory. */
struct probe *path_target_new(const struct path_target *target);
/* One that is neither awaited nor in a wheel. */
struct probe *path_target_free(struct probe *probe);
DEFINE_CLEANUP(struct probe *, path_target_free)
/* Below, at or above zero: where it stands, in the order of services and their checks. */
int path_target_compare(const struct probe *probe, const struct path_target *target);
/* The same target: only its times may differ. */
bool path_target_is(const struct probe *probe, const struct path_target *target);
/* New ones for what the backend has not yet; NULL in the places of those that stay. -ENOMEM: none is made. */
int path_target_make(const struct probes_backend *backend, const struct path_target *targets,
	size_t n_targets, struct probe **made);
/* An answer is due: that there is none is a failure. */
bool path_target_is_answered(const struct probe *probe);
/* On the wire: of an echo its sequence number. */
uint16_t path_target_wire_port(const struct probe *probe);
/*
 * The port to ask from, of those from `first` on. No two requests to one place on a server have the same at once; 0: all
 * are taken. Not of an echo.
 */
uint16_t path_target_port(const struct probe *probe, uint16_t first, uint32_t random);
/*
 * Its frames, from this MAC, when it is chosen what it is sent from: what it begins with; behind it, with the request or
 * only to acknowledge what came; and the end of its connection. Each returns bytes.
 */
size_t path_target_build(
	const struct probe *probe, const struct mac *from, uint8_t buffer[PATH_FRAME_MAX_BYTES]);
size_t path_target_build_segment(const struct probe *probe, const struct mac *from,
	bool with_request, uint8_t buffer[PATH_FRAME_MAX_BYTES]);
size_t path_target_build_reset(
	const struct probe *probe, const struct mac *from, uint8_t buffer[PATH_FRAME_MAX_BYTES]);
/* What an answer says; of a request an ICMP error alone. */
enum path_verdict path_target_verdict(const struct probe *probe, const struct path_answer *answer);
/* What it says that there was none in time. */
enum path_verdict path_target_silence(const struct probe *probe, uint64_t now_us);
