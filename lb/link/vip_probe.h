/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether somebody else has a VIP that is new here: everybody is asked, as RFC 5227 §2.1.1 and RFC 4862 §5.4 ask for an
 * address that a host is about to take, and whoever answers is asked again, alone. While it answers the VIP is held back.
 * It is asked on, so that the VIP is announced as soon as it is free; from then on no frame holds it back any more. Frames
 * that answer no question of ours are not for this module. Pure: announce.c sends, hears and knows the time.
 */
#pragma once

#include "common/addr.h"

#define VIP_PROBE_QUESTIONS 3u /* to everybody, until a VIP is free */
#define VIP_PROBE_GAP_US \
	(200 * US_PER_MS)          /* for the answer to each, and to the one that it leads to */
#define VIP_PROBE_HELD_US US_PER_S /* from an answer of whoever has it to the next question */
#define VIP_PROBE_SILENT_US \
	(500 * US_PER_MS) /* for the answer to that; then everybody is asked once more */

/* In the order of doubt. */
enum vip_probe_state {
	VIP_PROBE_FREE, /* nobody else has it, or nobody asks */
	VIP_PROBE_ASKED,
	VIP_PROBE_HELD, /* `holder` has it */
};

enum vip_probe_action {
	VIP_PROBE_NOTHING,
	VIP_PROBE_ASK,  /* the question who has the VIP, to `asked`; zero: to everybody */
	VIP_PROBE_TAKE, /* it is free: announce it */
	VIP_PROBE_HOLD, /* it is held from now on */
};

/* Zeroed: free. */
struct vip_probe {
	enum vip_probe_state state;
	unsigned int questions; /* without an answer; while held, in a row */
	struct mac holder;
	struct mac asked; /* who was asked alone last, and has not answered yet; zero: nobody */
	uint64_t due_us;  /* of the next step, unless it is free */
};

/* Nobody is asked before vip_probe_step() says so. */
void vip_probe_begin(struct vip_probe *probe, uint64_t now_us);
/* What is to be done at this time: VIP_PROBE_ASK or VIP_PROBE_TAKE, if anything. */
enum vip_probe_action vip_probe_step(struct vip_probe *probe, uint64_t now_us);
/* The question could not be sent, or nothing is heard: silence means nothing, and it is asked anew in a second. */
void vip_probe_wait(struct vip_probe *probe, uint64_t now_us);
/* Whoever is at this MAC has answered a question of ours: VIP_PROBE_ASK or VIP_PROBE_HOLD, if anything. */
enum vip_probe_action vip_probe_answered(
	struct vip_probe *probe, const struct mac *mac, uint64_t now_us);

/* VIPs of which it is not known whether somebody else has them, where nobody asks just now. Zeroed: none. */
struct vip_probe_set {
	struct addr *vips; /* sorted */
	size_t len;
};
/* Adds a copy, unless it is there; 0 or -ENOMEM, and then it is as before. */
int vip_probe_set_add(struct vip_probe_set *set, const struct addr *vip);
bool vip_probe_set_has(const struct vip_probe_set *set, const struct addr *vip);
/* `from` is left empty. */
void vip_probe_set_move(struct vip_probe_set *set, struct vip_probe_set *from);
void vip_probe_set_clear(struct vip_probe_set *set);
