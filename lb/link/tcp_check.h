/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active checks of backends: TCP connect to the real IP, one attempt at a time for each check, not
 * blocking, under sd-event. (Path checks join here later.)
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

struct probe;

/* `reason` is "" when ok, else "tcp:80: connection refused" and the like. */
typedef void probe_result_fn(
	uint16_t backend, uint16_t port, bool ok, const char *reason, void *context);

int probe_start(sd_event *event, const char *backend_interface, probe_result_fn *fn, void *context,
	struct probe **ret_probe);
/* Ends all attempts without callbacks; may be called in a callback. */
struct probe *probe_free(struct probe *probe);
DEFINE_CLEANUP(struct probe *, probe_free)
/*
 * Starts one attempt; its result comes through the callback exactly once, never before this returns.
 * A negative errno tells of a want of our own (descriptors, memory, the interface), not of the
 * backend's: no callback comes then.
 */
int probe_tcp(struct probe *probe, uint16_t backend, const struct addr *address, uint16_t port,
	uint64_t timeout_us);
/* Forgets attempts for this backend; no callback comes any more. */
void probe_cancel(struct probe *probe, uint16_t backend);
