/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on interfaces: native XDP, or tc's ingress (tcx, else clsact). They stay when the daemon ends, and
 * a later run finds them again by pin or name and replaces them. Knows nothing of what a program does.
 */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/why.h"
#include "lb/fwd/types.h"

struct engine_config;

enum attach_kind {
	ATTACH_XDP,
	ATTACH_TC,
	ATTACH_GUARD, /* at tc's ingress, too */
	ATTACH_N_,
};

/* The place of one of our programs on an interface, and what a previous run left there. */
struct attachment {
	enum attach_kind kind;
	const struct engine_config *config;     /* borrowed */
	const struct bpf_program *program;      /* to attach, borrowed; NULL: none yet */
	const struct bpf_program *pass_program; /* XDP: for interfaces to backends, borrowed */
	unsigned int
		outs[FWD_LINKS_MAX]; /* XDP: those, as the configuration or attach_follow() said */
	uint32_t program_id;         /* of `program`; 0: none is attached by this run */
	bool made_hook;              /* there was no clsact qdisc before us */
};

/* Nothing is attached yet. `config` outlives the attachment. */
void attach_init(
	struct attachment *attachment, enum attach_kind kind, const struct engine_config *config);
/* The name of the kind's program, in the object file and in the kernel. */
const char *attach_program_name(enum attach_kind kind);

/* 0, or -EBUSY: somebody else's program is where ours would be; or what the kernel says. */
int attach_check(const struct attachment *attachment, struct why *ret_why);
/* Attaches `program`, in place of one of a previous run. 0 or negative errno. */
int attach_program(struct attachment *attachment, struct why *ret_why);
/*
 * XDP: the interfaces that frames are redirected to from now on, and zeros. Drivers take such frames where there is a
 * program, too, so each gets one that passes all; those that are left out lose it.
 */
void attach_follow(struct attachment *attachment, const unsigned int outs[FWD_LINKS_MAX]);
/* Takes ours away, of this run or of a previous one, and its pins. */
void attach_remove(struct attachment *attachment);
/*
 * The id of whatever is at our place (tcx, which has places for many: of ours); 0: nothing. Negative
 * errno when the kernel does not tell.
 */
int attach_find(const struct attachment *attachment, uint32_t *ret_id);
/*
 * Puts back what was taken from the interface: 1; 0: nothing was. -EBUSY: another program has its place;
 * or what attaching returns, with the step that failed in `ret_why`.
 */
int attach_repair(struct attachment *attachment, struct why *ret_why);
