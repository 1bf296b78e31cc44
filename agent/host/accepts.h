/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many TCP connections the kernel took or half took, for addresses and ports: each SYN-ACK that this host sends, as
 * netfilter logs it (doc/adr/0009). Repeated ones count once; what stays on the host does not count, nor what goes to
 * a balancer, which probes. Under sd-event.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

#define ACCEPTS_MAX        512u
#define ACCEPTS_EXEMPT_MAX 256u

/* A client's SYN that came by an interface by which no way leads back to the client. */
struct accepts_stray {
	struct addr client, vip;
	unsigned int ifindex;
};

struct accepts_place {
	struct addr address;
	uint16_t first, last; /* ports, inclusive */
};

struct accepts;

/* NULL: out of memory. */
struct accepts *accepts_new(sd_event *event);
struct accepts *accepts_free(struct accepts *accepts);
DEFINE_CLEANUP(struct accepts *, accepts_free)
/*
 * What to count from now on; counts of places that were counted before go on. Nothing, and the log is closed;
 * more than ACCEPTS_MAX are left out. 0, or the negative errno of the log: nothing is counted then.
 */
int accepts_watch(struct accepts *accepts, const struct accepts_place *places, size_t len);
/* What is not counted: SYN-ACKs to these; more than ACCEPTS_EXEMPT_MAX are counted. Copied. */
void accepts_exempt(struct accepts *accepts, const struct addr *addresses, size_t len);
/* False: it is not counted. */
bool accepts_count(
	const struct accepts *accepts, const struct accepts_place *place, uint32_t *ret_count);
/* SYN-ACKs of all places of the family so far; it grows when any client is let in. */
uint64_t accepts_total(const struct accepts *accepts, sa_family_t family);
/* The newest for a place that is watched, once; false: none since. Whether the kernel drops it is reverse_path.h's. */
bool accepts_stray(struct accepts *accepts, struct accepts_stray *ret_stray);

/*
 * One SYN-ACK, or SYN that came in by `ifindex`, from its IP header on; true: it was counted, or is a stray. For the log, and
 * for tests.
 */
bool accepts_take(
	struct accepts *accepts, const uint8_t *packet, size_t size_bytes, unsigned int ifindex);
