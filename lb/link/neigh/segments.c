/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See segments.h. Called by the daemon. */
#include "lb/link/neigh/segments.h"

#include "common/os/clock.h"
#include "common/why.h"
#include "lb/link/neigh/subnets.h"

/* A trunk that goes down takes its devices with it one by one, and each hears of its own. */
#define SEGMENTS_JOIN_US (10 * US_PER_MS)

struct segment {
	struct segments *segments;
	struct neigh *neigh;
	size_t place;
	size_t rank, next_rank;   /* in the configuration, in force and prepared */
	struct subnets subnets;   /* as they are */
	struct subnets_set known; /* as they were last when there were any */
	struct subnets lasting;   /* the same, of addresses without a lifetime */
	struct subnets_set known_lasting;
};

struct segments {
	sd_event *event;
	sd_event_source *changed; /* once for all links that changed together */
	char interface[sizeof(((struct neigh_link *)NULL)->name)];
	struct segments_callbacks callbacks;
	void *context;
	struct segment *places[SEGMENTS_MAX]; /* in force */
	struct segment *next[SEGMENTS_MAX];   /* those that stay, and new ones */
	bool is_prepared;
};

/* A claim of IPv6 by an address without a lifetime is above all that others have. */
#define SEGMENT_CLAIM_LASTING 1000

/* One interface. */

static void segment_learn(struct subnets *subnets, const struct addr_prefix *found, size_t n_found,
	uint64_t now_us, struct subnets_set *known)
{
	const struct subnets_set *next;

	if (subnets_look(subnets, found, n_found, now_us, &next))
		subnets_take(subnets);
	next = subnets_in_force(subnets);
	if (!next->is_anywhere)
		*known = *next;
}

static void segment_look(struct segment *segment, uint64_t now_us)
{
	const struct neigh_link *link = neigh_backend_link(segment->neigh);
	struct addr_prefix lasting[NEIGH_SUBNETS_MAX];
	size_t n_lasting = 0;

	for (size_t i = 0; i < link->n_subnets; i++)
		if (link->lasting[i])
			lasting[n_lasting++] = link->subnets[i];
	segment_learn(&segment->subnets, link->subnets, link->n_subnets, now_us, &segment->known);
	segment_learn(&segment->lasting, lasting, n_lasting, now_us, &segment->known_lasting);
}

static void segment_on_neighbour(const struct addr *address, const struct mac *mac, void *context)
{
	const struct segment *segment = context;
	const struct segments *segments = segment->segments;

	if (segments_find(segments, address) == segment->place)
		segments->callbacks.neighbour(address, mac, segments->context);
}

static void segments_tell(struct segments *segments)
{
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(segments->changed, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	(void)sd_event_source_set_time_relative(segments->changed, SEGMENTS_JOIN_US);
	(void)sd_event_source_set_enabled(segments->changed, SD_EVENT_ONESHOT);
}

static void segment_on_link(void *context)
{
	struct segment *segment = context;

	segment_look(segment, clock_now_us());
	segments_tell(segment->segments);
}

static struct segment *segment_free(struct segment *segment)
{
	if (segment)
		neigh_free(segment->neigh);
	free(segment);
	return NULL;
}

static int segment_new(
	struct segments *segments, const char *name, size_t place, struct segment **ret_segment)
{
	static const struct neigh_callbacks callbacks = { segment_on_neighbour, segment_on_link };
	struct segment *segment = calloc(1, sizeof(*segment));
	int r;

	if (!segment)
		return -ENOMEM;
	segment->segments = segments;
	segment->place = place;
	r = neigh_start(
		segments->event, segments->interface, name, &callbacks, segment, &segment->neigh);
	if (r < 0) {
		segment_free(segment);
		return r;
	}
	segment_look(segment, clock_now_us());
	*ret_segment = segment;
	return 0;
}

/* All of them. */

static int segments_on_changed(sd_event_source *source, uint64_t due_us, void *context)
{
	struct segments *segments = context;

	segments->callbacks.link(segments->context);
	return 0;
}

int segments_start(sd_event *event, const char *interface,
	const struct segments_callbacks *callbacks, void *context, struct segments **ret_segments)
{
	_cleanup_(segments_freep) struct segments *segments = calloc(1, sizeof(*segments));
	int r;

	if (!segments)
		return -ENOMEM;
	segments->event = sd_event_ref(event);
	segments->callbacks = *callbacks;
	segments->context = context;
	snprintf(segments->interface, sizeof(segments->interface), "%s", interface);
	r = sd_event_add_time_relative(
		event, &segments->changed, CLOCK_MONOTONIC, 0, 1, segments_on_changed, segments);
	if (r >= 0)
		r = sd_event_source_set_enabled(segments->changed, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_segments = TAKE_PTR(segments);
	return 0;
}

struct segments *segments_free(struct segments *segments)
{
	if (!segments)
		return NULL;
	segments_abandon(segments);
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		segment_free(segments->places[i]);
	sd_event_source_disable_unref(segments->changed);
	sd_event_unref(segments->event);
	free(segments);
	return NULL;
}

static struct segment *segments_by_name(const struct segments *segments, const char *name)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		struct segment *segment = segments->places[i];

		if (segment && streq(neigh_backend_link(segment->neigh)->name, name))
			return segment;
	}
	return NULL;
}

/* A place that nobody has, or will have. */
static size_t segments_free_place(const struct segments *segments)
{
	size_t place = 0;

	while (place < SEGMENTS_MAX && (segments->places[place] || segments->next[place]))
		place++;
	return place;
}

static int segments_prepare_one(struct segments *segments, const char *name, size_t rank)
{
	struct segment *segment = segments_by_name(segments, name);
	size_t place;
	int r;

	if (!segment) {
		place = segments_free_place(segments);
		if (place == SEGMENTS_NONE)
			return -ENOSPC;
		r = segment_new(segments, name, place, &segment);
		if (r < 0)
			return r;
	}
	segment->next_rank = rank;
	segments->next[segment->place] = segment;
	return 0;
}

int segments_prepare(struct segments *segments, char *const *names, size_t len)
{
	int r = 0;

	segments_abandon(segments);
	segments->is_prepared = true;
	for (size_t i = 0; i < len && r == 0; i++)
		r = segments_prepare_one(segments, names[i], i);
	if (r < 0)
		segments_abandon(segments);
	return r;
}

bool segments_differ(const struct segments *segments)
{
	return segments->is_prepared &&
		memcmp(segments->places, segments->next, sizeof(segments->next)) != 0;
}

static void segments_forget_next(struct segments *segments)
{
	memset(segments->next, 0, sizeof(segments->next));
	segments->is_prepared = false;
}

void segments_commit(struct segments *segments)
{
	for (size_t i = 0; i < SEGMENTS_MAX && segments->is_prepared; i++) {
		if (segments->places[i] != segments->next[i])
			segment_free(segments->places[i]);
		segments->places[i] = segments->next[i];
		if (segments->places[i])
			segments->places[i]->rank = segments->places[i]->next_rank;
	}
	segments_forget_next(segments);
	segments_tell(segments);
}

void segments_abandon(struct segments *segments)
{
	for (size_t i = 0; i < SEGMENTS_MAX && segments->is_prepared; i++)
		if (segments->next[i] != segments->places[i])
			segment_free(segments->next[i]);
	segments_forget_next(segments);
}

static const struct neigh_link *segment_link(const struct segment *segment)
{
	return segment ? neigh_backend_link(segment->neigh) : NULL;
}

const struct neigh_link *segments_link(const struct segments *segments, size_t place)
{
	return place < SEGMENTS_MAX ? segment_link(segments->places[place]) : NULL;
}

const struct neigh_link *segments_next_link(const struct segments *segments, size_t place)
{
	return segments->is_prepared ? segment_link(segments->next[place])
				     : segments_link(segments, place);
}

struct neigh *segments_neigh_at(const struct segments *segments, size_t place)
{
	const struct segment *segment = place < SEGMENTS_MAX ? segments->places[place] : NULL;

	return segment ? segment->neigh : NULL;
}

struct neigh *segments_neigh(const struct segments *segments, const struct addr *address)
{
	return segments_neigh_at(segments, segments_find(segments, address));
}

const struct neigh_link *segments_link_of(
	const struct segments *segments, const struct addr *address)
{
	return segments_link(segments, segments_find(segments, address));
}

/* Bits of the longest of these subnets that holds the address; -1: none does. */
static int segment_holds(const struct subnets_set *subnets, const struct addr *address)
{
	int longest = -1;

	for (size_t i = 0; i < subnets->len; i++)
		if (addr_in_prefix(address, &subnets->items[i]))
			longest = MAX(longest, (int)subnets->items[i].len);
	return longest;
}

/*
 * How well it holds the address: the more the better; -1: not at all. Anybody on a link can send a router advertisement
 * with the /64 of another, so that subnets of IPv6 that may be of such give way to all others. One of IPv4 with a
 * lifetime is of a lease, which may well be the longer prefix: only where both are equally long is it the weaker one.
 */
static int segment_claim(const struct segment *segment, const struct addr *address)
{
	int bits = segment_holds(&segment->known, address);
	int lasting = segment_holds(&segment->known_lasting, address);

	if (bits < 0)
		return -1;
	if (address->family == AF_INET6 && lasting >= 0)
		return SEGMENT_CLAIM_LASTING + lasting;
	return 2 * bits + (lasting == bits);
}

size_t segments_find(const struct segments *segments, const struct addr *address)
{
	const struct segment *best = NULL, *unknown = NULL, *only = NULL;
	int highest = -1;
	size_t len = 0;

	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct segment *segment = segments->places[i];
		int claim = segment ? segment_claim(segment, address) : -1;

		if (!segment)
			continue;
		only = segment;
		len++;
		if (claim > highest ||
			(claim >= 0 && claim == highest && segment->rank < best->rank)) {
			best = segment;
			highest = claim;
		}
		if (segment->known.len == 0 && (!unknown || segment->rank < unknown->rank))
			unknown = segment;
	}
	/* Where there is one alone, there is nothing to choose. */
	if (len == 1)
		return only->place;
	if (!best)
		best = unknown;
	return best ? best->place : SEGMENTS_NONE;
}

void segments_look(struct segments *segments)
{
	uint64_t now_us = clock_now_us();

	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (segments->places[i])
			segment_look(segments->places[i], now_us);
}

/* A subnet of both; NULL: there is none, but link-local ones, which every interface has. */
static const struct addr_prefix *segment_shares(const struct segment *a, const struct segment *b)
{
	for (size_t i = 0; i < a->known.len; i++) {
		const struct addr_prefix *subnet = &a->known.items[i];

		if (addr_is_link_local6(&subnet->addr))
			continue;
		for (size_t k = 0; k < b->known.len; k++)
			if (b->known.items[k].len == subnet->len &&
				addr_equal(&b->known.items[k].addr, &subnet->addr))
				return subnet;
	}
	return NULL;
}

bool segments_overlap(const struct segments *segments, struct why *ret_why)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		for (size_t k = 0; k < SEGMENTS_MAX; k++) {
			const struct segment *a = segments->places[i], *b = segments->places[k];
			const struct addr_prefix *subnet =
				a && b && a->rank < b->rank ? segment_shares(a, b) : NULL;

			if (!subnet)
				continue;
			why_set(ret_why,
				"%s and %s have the same subnet %s/%u: backends there are reached by %s "
				"alone; give each link a subnet of its own",
				segment_link(a)->name, segment_link(b)->name,
				addr_format(&subnet->addr, text), subnet->len,
				segments_link_of(segments, &subnet->addr)->name);
			return true;
		}
	return false;
}

void segments_forget(struct segments *segments, const struct addr *address)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (segments->places[i])
			neigh_forget(segments->places[i]->neigh, address);
}
