/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What version 2 adds to an ANSWER: the answer to the balancer's SERVE, and the other balancers, named in turns.
 * Called by register.c alone. Pure.
 */
#pragma once

#include "common/proto/ports.h"

#define ASKED_OTHERS_MAX 32u

/* Zeroed: nothing was asked. */
struct asked {
	struct ports ports;
	struct proto_other others[ASKED_OTHERS_MAX];
	size_t n_others, next_other;
};

/* A new session: its balancer asks anew. */
void asked_forget(struct asked *asked);
/* Takes what is known of the ports that were asked about. -ESTALE: it is of another list, and not taken. */
int asked_set_answer(struct asked *asked, const struct proto_ports_status *answer);
/* At most ASKED_OTHERS_MAX; more are left out. */
void asked_set_others(struct asked *asked, const struct proto_other *others, size_t n_others);
/* Fills in what the next ANSWER or UPDATE says. */
void asked_fill(struct asked *asked, struct proto_report *report);
