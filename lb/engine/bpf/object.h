/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine in the kernel, as the files of this folder share it, and its BPF object: opened, fitted with
 * constants and the kept maps, loaded. Main loop only, but for what is said of the slow path's thread.
 */
#pragma once

#include "lb/engine/bpf/attach.h"
#include "lb/engine/bpf/layout.h"
#include "lb/engine/engine.h"

struct capture_ring;
struct captured_frames;
struct count_sums;
struct fwd_slot;
struct ring_buffer;
struct slow_path_thread;

struct engine {
	struct engine_config config;
	struct attachment attachment;
	struct bpf_object *object;
	int images_fd, tables_fd, clients_fd; /* maps of the object, closed with it */
	int fragments_fd;                     /* the same; the slow path's thread reads the map */
	/* Mapped; written by the program, read by the main loop. */
	struct bpf_totals *totals;   /* of each CPU */
	struct bpf_pair *pairs;      /* BPF_PAIRS of each CPU */
	struct bpf_pair_rest *rests; /* the same */
	struct rates rates;
	unsigned int n_cpus;
	struct count_sums *sums; /* of count.c; NULL: nobody has asked yet */
	struct ring_buffer
		*ring; /* of handed-over frames; made and freed here, polled by the thread */
	struct slow_path_thread *slow_path;
	struct capture_ring *slow_path_capture; /* of the thread's frames */
	struct captured_frames *captured;       /* of captured.c */
	bool copies_frames;                     /* the kernel lets the program hand frames over */
	struct snapshot *current; /* in force, owned; the thread reads the one that it was given */
	/* Of load.c: whose rows stand at each place of dsr_tables; NULL: free. */
	const struct fwd_slot **tables;
	uint32_t n_placed;      /* places that ever had a map, the first ones */
	uint32_t clients_place; /* of the lists in force among dsr_clients */
	int link_fd;            /* a socket to ask about links */
};

/* Before anything else of libbpf: what it says goes to the log. */
void object_set_up(void);
/*
 * Opens and loads the program of `engine->attachment.kind` over the maps of `engine->config`, and fills in what of
 * the engine says so. 0 or negative errno; object_close() is due in both cases.
 */
int object_load(struct engine *engine, struct why *ret_why);
/* A descriptor of the object's own; negative: no such map. */
int object_map_fd(const struct engine *engine, const char *name);
/* Takes also what was never or half loaded. */
void object_close(struct engine *engine);
