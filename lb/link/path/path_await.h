/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes that wait for an answer, found by what an answer knows. Pure. */
#pragma once

#include "lb/link/path/path_target.h"

#define PATH_AWAIT_BUCKETS 4096u /* a power of two */

struct path_await {
	struct probe *buckets[PATH_AWAIT_BUCKETS];
};

/* What it is sent from and asks is set, and stays so until it is removed. */
void path_await_add(struct path_await *await, struct probe *probe);
/* Does nothing to one that is not awaited. */
void path_await_remove(struct probe *probe);
/* NULL: nobody waits for it. */
struct probe *path_await_find(const struct path_await *await, const struct path_answer *answer);
/* A random number for a SYN, so that whatever acknowledges a request's bytes is found by it. */
uint32_t path_await_secret(enum path_kind kind, uint32_t random);
