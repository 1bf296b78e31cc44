/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What BPF programs cannot do alone: hold early fragments until the first of their datagram was seen,
 * and answer frames that are too big. A thread of its own takes the frames that a program handed
 * over, runs the core on them, sends, and counts. Knows no BPF: the engine brings frames and
 * what the program noted of first fragments.
 */
#pragma once

#include "lb/engine/bpf/layout.h"
#include "lb/engine/counters.h"
#include "lb/engine/snapshot.h"

struct bpf_exceptions;

struct bpf_exceptions_config {
	unsigned int ifindex;
	unsigned int out_ifindex;
	/* In the thread: waits for frames and gives each to bpf_exceptions_take(). */
	void (*poll)(void *context, int timeout_ms);
	/* In the thread: what the program noted of a first fragment. */
	bool (*find_first)(void *context, const struct fwd_fragment_key *datagram,
		struct fwd_fragment *ret_fragment);
	void *context;
};

/* The thread starts at once. Negative errno with the failing step, a constant, in `*ret_why`. */
int bpf_exceptions_new(const struct bpf_exceptions_config *config,
	struct bpf_exceptions **ret_exceptions, const char **ret_why);
/* Waits for the thread. What is held is forgotten. */
struct bpf_exceptions *bpf_exceptions_free(struct bpf_exceptions *exceptions);

/* In the thread, from poll(): one frame of `size_bytes`, header included; a malformed one is dropped. */
void bpf_exceptions_take(struct bpf_exceptions *exceptions, const void *data, size_t size_bytes);

/* When it returns, the thread reads the former snapshot no more. NULL: drops all. */
void bpf_exceptions_set_snapshot(
	struct bpf_exceptions *exceptions, const struct snapshot *snapshot);
/* Of the frames that were handed over. */
const struct counters *bpf_exceptions_counters(const struct bpf_exceptions *exceptions);
void bpf_exceptions_sum_totals(struct bpf_exceptions *exceptions, struct engine_totals *totals);
