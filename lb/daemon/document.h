/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kept document: what a restarted balancer needs to go on as if nothing had happened. Backends,
 * their sessions (the file is readable by us and root alone), service ids and which rows belong to whom.
 * The document is our own, but a damaged one must do no harm: every entry is checked and a
 * bad one left out; its agent registers anew.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct balancer;

/* NULL: out of memory. */
json_t *document_make(const struct balancer *balancer);
/*
 * The identity of this balancer's memory, kept as long as the backends are. 0: nothing can be restored, as
 * there is no document, or it is of another layout or boot than `host_boot` (keep_boot()). So is one that
 * was saved later than now: where boots cannot be told apart the monotonic clock tells, and times that lie
 * ahead would refuse all that agents say until then.
 */
uint64_t document_boot_id(const json_t *document, const char *host_boot, uint64_t now_us);
/* Before the first configuration: ids, backends, sessions, rows. What is damaged is logged. */
void document_restore(struct balancer *balancer, const json_t *document);
