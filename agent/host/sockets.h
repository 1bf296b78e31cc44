/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many TCP connections each VIP has: sockets in ESTABLISHED with this local address, of both
 * families (an IPv6 socket may hold an IPv4 connection), counted by the kernel's socket dump with
 * a filter on state and address, so that other sockets cost no copy.
 */
#pragma once

#include "agent/host/host.h"
#include "common/os/nl.h"

#define SOCKETS_CACHE_US (1 * US_PER_S)

struct sockets;

/* Opens its NETLINK_SOCK_DIAG socket. 0 or negative errno. */
int sockets_new(struct sockets **ret_sockets);
struct sockets *sockets_free(struct sockets *sockets);
DEFINE_CLEANUP(struct sockets *, sockets_free)
/* The addresses to count for, each once; forgets the previous counts. At most HOST_VIPS_MAX. -ENOMEM: of none. */
int sockets_watch(struct sockets *sockets, const struct addr *vips, size_t n_vips);
/*
 * Counts anew when the last count is older than `max_age_us` (0: always). 0 or negative errno, the
 * previous counts stand then. SOCKETS_CACHE_US is what heartbeats need.
 */
int sockets_refresh(struct sockets *sockets, uint64_t max_age_us, uint64_t now_us);
/*
 * The same no more often than costs a twentieth of the time, up to the age of SOCKETS_CACHE_US: where counts take long,
 * older ones are good enough.
 */
int sockets_refresh_cheaply(struct sockets *sockets, uint64_t max_age_us, uint64_t now_us);
/* How long the newest count took; for tests. */
uint64_t sockets_cost_us(const struct sockets *sockets);
/* The count of the idx-th address. */
uint32_t sockets_established(const struct sockets *sockets, size_t idx);
/*
 * Counts at once, uncached, the connections of all addresses that a withdrawal would break: not only
 * the established ones but also those of which one side has closed while data is still on its way.
 */
int sockets_count_open(struct sockets *sockets, uint64_t *ret_open);
