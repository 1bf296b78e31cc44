/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of the verb `capture`: one capture at a time, whose client takes frames as fast as it can; those
 * that do not fit meanwhile are lost in the engine, and counted.
 */
#pragma once

#include <jansson.h>

struct balancer;
struct capture_verb;
struct control_request;

/* Borrows the balancer. NULL: no memory. */
struct capture_verb *capture_verb_new(struct balancer *balancer);
/* After control_free(), before the dataplane is stopped. NULL is nothing. */
struct capture_verb *capture_verb_free(struct capture_verb *verb);

/*
 * Arguments {"lost": true}: answers with {"lost": N}, of the capture that runs or was the last. Else each may be missing: {"client": CIDR, "vip": ADDRESS, "backend": NAME}. Answers with a line of JSON
 * {"mode", "interface", "backend_interface", "snap_bytes"}, then one for each frame, until the client goes: {"time_ns",
 * "direction" ("in", "out"), "verdict", "reason", "how", "virtual_server", "backend", "length_bytes", "lost" (frames so
 * far), "frame" (base64)}.
 */
void capture_verb_serve(
	struct capture_verb *verb, struct control_request *request, const json_t *args);
