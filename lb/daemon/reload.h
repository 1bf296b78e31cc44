/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration and keys into the running parts, at the start and on reload. A reload validates
 * everything first (files, keys, what the registry says of static real servers), then applies it
 * whole; on any error nothing has changed.
 */
#pragma once

#include <jansson.h>

#include "common/util.h"

struct balancer;
struct reload;

/* `balancer` outlives it. NULL: out of memory. */
struct reload *reload_new(struct balancer *balancer);
struct reload *reload_free(struct reload *reload);
/* For the start: loads the files. 0; CONTROL_CONFIG or -ENOMEM, with every reason logged. */
int reload_load(struct reload *reload);
/*
 * Then, when the parts stand: restores what was kept (NULL: nothing) and puts the configuration in force.
 * 0; CONTROL_CONFIG or negative errno, logged.
 */
int reload_start(struct reload *reload, const json_t *document);
/* Then HTTP is answered where `http-listen` says. 0 or negative errno. */
int reload_start_http(struct reload *reload);
/*
 * The subnets of interfaces to backends may have changed: judges anew who is on the link. Each second, too: what
 * failed is tried again, and addresses may have been away for long enough.
 */
void reload_subnets(struct reload *reload);
/*
 * Loads the configuration anew and applies it whole, in one publication, or changes nothing: 0, or
 * CONTROL_CONFIG with every reason, one a line, in `*ret_errors` (to free).
 */
int reload_run(struct reload *reload, char **ret_errors);

struct reload_status {
	bool successful;     /* the last one, the start included */
	uint64_t success_us; /* since 1970, of the last one that was */
};
struct reload_status reload_status(const struct reload *reload);
