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
/* 0: the document is of another layout or boot, or there is none: nothing can be restored. */
uint64_t document_boot_id(const json_t *document);
/* Before the first configuration: ids, backends, sessions, rows. What is damaged is logged. */
void document_restore(struct balancer *balancer, const json_t *document);
