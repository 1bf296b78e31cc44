/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active checks of backends: TCP connect to the real IP, one attempt at a time for each check, not
 * blocking, under sd-event. (Path checks join here later.)
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

struct tcp_checks;

enum tcp_check_outcome {
	TCP_CHECK_OK,
	TCP_CHECK_FAILED,
	TCP_CHECK_NOT_MADE, /* for a want of our own: it tells nothing of the backend */
};

/* `reason` is "" when ok, else "tcp:80: connection refused" and the like. */
typedef void tcp_check_result_fn(uint16_t backend, uint16_t port, enum tcp_check_outcome outcome,
	const char *reason, void *context);

int tcp_check_start(
	sd_event *event, tcp_check_result_fn *fn, void *context, struct tcp_checks **ret_checks);
/* Ends all attempts without callbacks; may be called in a callback. */
struct tcp_checks *tcp_check_free(struct tcp_checks *checks);
DEFINE_CLEANUP(struct tcp_checks *, tcp_check_free)
/* A backend, where it is, and by which interface. */
struct tcp_check_target {
	uint16_t backend;
	const struct addr *address;
	const char *interface;
};
/*
 * Starts one attempt; its result comes through the callback exactly once, never before this returns.
 * A negative errno tells of a want of our own (descriptors, memory, the interface), not of the
 * backend's: no callback comes then.
 */
int tcp_check_run(struct tcp_checks *checks, const struct tcp_check_target *target, uint16_t port,
	uint64_t timeout_us);
/* Forgets attempts for this backend; no callback comes any more. */
void tcp_check_cancel(struct tcp_checks *checks, uint16_t backend);
