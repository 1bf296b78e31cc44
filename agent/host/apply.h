/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations → kernel, and the memory of what is ours. Before an operation changes the kernel,
 * `undo` is extended and written to DIR/owned.json, so that a crash in between can be undone.
 * Needs CAP_NET_ADMIN and nothing else; /proc/sys may be read-only.
 */
#pragma once

#include "agent/host/plan.h"

struct apply;

/*
 * Opens its netlink socket and loads DIR/owned.json (a damaged one is -EBADMSG: what it would have
 * told cannot be guessed). 0 or negative errno.
 */
int apply_new(const char *directory, struct apply **ret_apply);
struct apply *apply_free(struct apply *apply); /* changes nothing */
DEFINE_CLEANUP(struct apply *, apply_free)
const struct host_undo *apply_undo(const struct apply *apply);
/*
 * Does the operations in order; `host` supplies the originals, `wanted` the name for labels (NULL: no
 * labels, for a withdraw). ARP settings are read back from the kernel: where silence did not hold, the
 * other interfaces are silenced, nothing is added, and the end is -ECANCELED. Stops at any other
 * failure that matters: returns its negative errno. The operation is in words in `*ret_why`. An
 * interface that has gone in between (-ENODEV) is no failure; an address that is there (-EEXIST) is
 * foreign and does not become ours.
 */
int apply_plan(struct apply *apply, const struct host *host, const struct host_wanted *wanted,
	const struct plan *plan, struct why *ret_why);
/* After a withdraw that left nothing of ours: removes the file. 0 or negative errno. */
int apply_forget(struct apply *apply);
