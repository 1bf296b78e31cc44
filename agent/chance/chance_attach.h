/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program on an interface: by a link of tcx, which ends with this process however it ends, else (before Linux 6.6)
 * as a classifier at a place of its own, where the next run finds what a killed one left. For chance.c alone.
 */
#pragma once

#include "common/why.h"

/* Zeroed with link_fd -1: nowhere. */
struct chance_attach {
	unsigned int ifindex; /* 0: nowhere */
	int link_fd;          /* -1: a classifier */
	bool made_hook;       /* there was no clsact qdisc before us */
};

int chance_attach(
	struct chance_attach *attach, int program_fd, unsigned int ifindex, struct why *ret_why);
void chance_detach(struct chance_attach *attach);
/* A classifier that is there; nothing happens where there is none. */
void chance_attach_sweep(unsigned int ifindex);
