/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations → kernel, and the file that remembers what is ours. Before an operation changes the
 * kernel, `owned` is extended and written to DIR/owned.json (fsync not needed: tmpfs), so that a
 * crash in between can be undone.
 */
#pragma once

#include "agent/plan.h"
#include "common/nl.h"

struct apply;

/* Opens its netlink sockets (libnl-route-3) and loads DIR/owned.json. 0 or negative errno. */
int apply_new(const char *directory, struct apply **ret_apply);
struct apply *apply_free(struct apply *apply); /* changes nothing */
DEFINE_CLEANUP(struct apply *, apply_free)
const struct host_owned *apply_owned(const struct apply *apply);
/*
 * Does the operations in order; `host` supplies the originals. Stops at the first failure that
 * matters: returns its negative errno with the operation in words in `ret_why` (256 bytes). An
 * interface that has gone in between (-ENODEV) is no failure; an address that is there (-EEXIST)
 * is foreign and does not become ours.
 */
int apply_plan(struct apply *apply, const struct host *host, const struct host_wish *wish,
	const struct plan *plan, char *ret_why);
/* After a withdraw that left nothing of ours: removes the file. */
void apply_forget(struct apply *apply);
