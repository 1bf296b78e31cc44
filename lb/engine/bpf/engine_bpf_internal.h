/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the parts of the engines in the kernel: engine_bpf.c loads programs and lives,
 * engine_bpf_attach.c puts them on interfaces, engine_bpf_publish.c switches snapshots,
 * engine_bpf_count.c reads counters. They alone use libbpf. Nobody else includes this.
 */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lb/engine/bpf/slow_path_thread.h"
#include "lb/engine/bpf/layout.h"
#include "lb/engine/engine.h"

#define BPF_PIN_PATH_BYTES 512u

struct engine_bpf_sums;

/* A program at tc's ingress of an interface, or what a former life left there under that name. */
struct bpf_tc {
	const char *name; /* the program's, and its pin's */
	uint32_t place;   /* where classifiers have numbers: one that nobody takes by accident */
	const struct engine_config *config;
	const struct bpf_program *program; /* to attach */
	bool made_hook;                    /* there was no clsact qdisc before us */
};

#define BPF_TC_ENGINE .name = "dsr_tc", .place = 0xd5au
#define BPF_TC_GUARD  .name = "dsr_guard", .place = 0xd5bu

struct engine {
	const struct engine_ops *ops;
	struct engine_config config;
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_program *pass_program; /* XDP: for the interface to the backends */
	uint32_t program_id;
	int images_fd, tables_fd, fragments_fd;
	struct bpf_totals *totals;   /* of each CPU */
	struct bpf_pair *pairs;      /* BPF_PAIRS of each CPU */
	struct bpf_pair_rest *rests; /* the same */
	struct rates rates;
	struct engine_bpf_sums *sums;
	unsigned int n_cpus;
	struct ring_buffer *ring; /* of exceptions */
	struct bpf_exceptions *exceptions;
	struct snapshot *current;
	const struct fwd_slot *
		*tables;   /* whose rows stand at each place of dsr_tables; NULL: free */
	uint32_t n_placed; /* places that ever had a map, the first ones */
	bool is_attached;
	struct bpf_tc tc; /* in mode tc */
	int link_fd;      /* a socket to ask about links */
};

/* Before anything else of libbpf: what it says goes to the log. */
void engine_bpf_set_up(void);
/* Writes "WHAT: ERROR" and returns the error. */
int engine_bpf_say(char *ret_why, int error, const char *what);
bool engine_bpf_is_xdp(const struct engine *engine);
int engine_bpf_program_id(int fd, uint32_t *ret_id, char ret_name[BPF_OBJ_NAME_LEN]);

/* -EBUSY: somebody else's program is where ours would be. */
int engine_bpf_check(
	const struct engine_ops *ops, const struct engine_config *config, char *ret_why);
/* In place of a program of a former life. */
int engine_bpf_attach(struct engine *engine, char *ret_why);
void engine_bpf_detach(struct engine *engine);
/* The id of whatever is at our place; 0: nothing. */
int engine_bpf_attached_id(const struct engine *engine, uint32_t *ret_id);
/* Puts back what was taken from the interface, unless another program has its place. */
int engine_bpf_repair(struct engine *engine);

/* In place of one of a former life. */
int engine_bpf_tc_attach(struct bpf_tc *tc, char *ret_why);
void engine_bpf_tc_detach(const struct bpf_tc *tc);

int engine_bpf_publish(struct engine *engine, struct snapshot *snapshot);

void engine_bpf_totals(struct engine *engine, struct engine_totals *ret_totals);
void engine_bpf_service_counters(
	struct engine *engine, uint16_t service, struct engine_service_counters *ret_counters);
void engine_bpf_pair_counters(struct engine *engine, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters);
