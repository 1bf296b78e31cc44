/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces to backends, each with its neighbours (neigh.h) and the subnets whose hosts it reaches. An
 * interface has a place, which is its own for as long as it is configured; snapshots name links by it. Under
 * sd-event.
 *
 * Who is reached by which interface is said by subnets alone: the longest that holds the address, then the first
 * interface of the configuration. One whose addresses went away still has those that it had; one that never had any
 * may reach everybody whom no other does.
 */
#pragma once

#include "lb/fwd/types.h"
#include "lb/link/neigh/neigh.h"

#define SEGMENTS_MAX  FWD_LINKS_MAX
#define SEGMENTS_NONE SEGMENTS_MAX /* no place */

struct segments;
struct why;

struct segments_callbacks {
	/* As in struct neigh_callbacks, heard by the interface that reaches the address. */
	void (*neighbour)(const struct addr *address, const struct mac *mac, void *context);
	/* Something about the links changed; once for all that changed together. */
	void (*link)(void *context);
};

/* None is configured yet. `interface`: the clients'. 0 or negative errno. */
int segments_start(sd_event *event, const char *interface,
	const struct segments_callbacks *callbacks, void *context, struct segments **ret_segments);
struct segments *segments_free(struct segments *segments);
DEFINE_CLEANUP(struct segments *, segments_free)

/*
 * These interfaces (1–SEGMENTS_MAX names, each once, in their order) are to be the ones: looks at those that are new.
 * What is in force stays until one of the two below. -ENOSPC: too many are new at once; another negative errno.
 */
int segments_prepare(struct segments *segments, char *const *names, size_t len);
/* Whether what is prepared is not what is in force, whatever their order. */
bool segments_differ(const struct segments *segments);
void segments_commit(struct segments *segments);
/* Nothing happens where nothing is prepared. */
void segments_abandon(struct segments *segments);

/* NULL: nobody has the place. Borrowed until the next commit. */
const struct neigh_link *segments_link(const struct segments *segments, size_t place);
/* The same as it will be after the commit. */
const struct neigh_link *segments_next_link(const struct segments *segments, size_t place);
/* Neighbours by the interface that reaches the address; NULL: none does. */
struct neigh *segments_neigh(const struct segments *segments, const struct addr *address);
/* Of the interface at a place; NULL: nobody has it. */
struct neigh *segments_neigh_at(const struct segments *segments, size_t place);
/*
 * The place of the interface that reaches the address, or SEGMENTS_NONE. A subnet of IPv6 that may be of a router
 * advertisement is its interface's where no address without a lifetime says otherwise.
 */
size_t segments_find(const struct segments *segments, const struct addr *address);
/* The link of the interface that reaches the address; NULL: none does. */
const struct neigh_link *segments_link_of(
	const struct segments *segments, const struct addr *address);
/* Each second: an address that is away for long is away. */
void segments_look(struct segments *segments);
/* Two interfaces have the same subnet, so that one alone reaches it: which, in words. */
bool segments_overlap(const struct segments *segments, struct why *ret_why);
/* neigh_forget() on all of them. */
void segments_forget(struct segments *segments, const struct addr *address);
