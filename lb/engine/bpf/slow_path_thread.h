/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What BPF programs cannot do alone: queue early fragments until the first of their datagram was seen,
 * and answer frames that are too big. A thread of its own takes the frames that a program handed
 * over, runs the core on them, sends, and counts. Knows no BPF: the engine brings frames and
 * what the program noted of first fragments.
 */
#pragma once

#include "common/util.h"

struct capture_ring;
struct counters;
struct engine_totals;
struct fwd_fragment;
struct fwd_fragment_key;
struct slow_path_thread;
struct snapshot;
struct why;

struct slow_path_thread_config {
	unsigned int ifindex; /* clients */
	/* In the thread: waits for frames and gives each to slow_path_thread_take(). */
	void (*poll)(void *context, int timeout_ms);
	/* In the thread: what the program noted of a first fragment. */
	bool (*find_first)(void *context, const struct fwd_fragment_key *datagram,
		struct fwd_fragment *ret_fragment);
	void *context;
	struct capture_ring *capture; /* borrowed */
};

/*
 * The thread starts at once; `*ret_thread` is written before, as callbacks may need it. Negative errno with the
 * failing step in `ret_why`.
 */
int slow_path_thread_new(const struct slow_path_thread_config *config,
	struct slow_path_thread **ret_thread, struct why *ret_why);
/* Waits for the thread. What is held is forgotten. */
struct slow_path_thread *slow_path_thread_free(struct slow_path_thread *thread);

/* In the thread, from poll(): one frame of `size_bytes`, header included; a malformed one is dropped. */
void slow_path_thread_take(struct slow_path_thread *thread, const void *data, size_t size_bytes);

/* When it returns, the thread reads the former snapshot no more. NULL: drops all. */
void slow_path_thread_set_snapshot(
	struct slow_path_thread *thread, const struct snapshot *snapshot);
/* Of the frames that were handed over. */
const struct counters *slow_path_thread_counters(const struct slow_path_thread *thread);
void slow_path_thread_sum_totals(struct slow_path_thread *thread, struct engine_totals *totals);
