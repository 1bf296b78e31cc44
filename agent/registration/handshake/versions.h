/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In which versions of the protocol a balancer is asked, in turns, and what that told. A balancer is silent to a
 * version that it does not know. For register.c. Pure.
 */
#pragma once

#include "common/util.h"

struct versions {
	unsigned int spoken; /* in which the balancer answered last, by its key */
	unsigned int
		heard; /* the newest of CHALLENGEs in this turn, which may be forged; 0: none */
	bool are_too_old; /* in the last whole turn none that has a place for all VIPs was heard, but others were */
};

/* Whether so many VIPs can be told in this version. */
bool versions_have_room(unsigned int version, size_t n_vips);
/* All take their turn, from this one on: the one spoken last, if it has a place for so many VIPs. */
unsigned int versions_first(const struct versions *versions, size_t n_vips);
/* The one after it: down, and then from the newest again. */
unsigned int versions_next(unsigned int version);
/* A turn begins. */
void versions_begin(struct versions *versions);
/* A CHALLENGE of this version came. */
void versions_hear(struct versions *versions, unsigned int version);
/* The balancer said something in it, by its key. */
void versions_speak(struct versions *versions, unsigned int version);
/*
 * If this one is the first of the next turn, the former is over, and judged: in how new a version the balancer spoke
 * that is too old for so many VIPs. 0: it is not, or the turn goes on.
 */
unsigned int versions_too_old(struct versions *versions, unsigned int next, size_t n_vips);
