/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many TCP connections each VIP has: sockets in ESTABLISHED with this local address, of both
 * families (an IPv6 socket may hold an IPv4 connection), counted by the kernel's socket dump with
 * a filter on state and address, so that other sockets cost no copy.
 */
#pragma once

#include "agent/host/host.h"
#include "common/nl.h"

#define LOAD_CACHE_US (1 * US_PER_S)

struct load;

/* Opens its NETLINK_SOCK_DIAG socket. 0 or negative errno. */
int load_new(struct load **ret_load);
struct load *load_free(struct load *load);
DEFINE_CLEANUP(struct load *, load_free)
/* The addresses to count for; forgets the former counts. At most HOST_VIPS_MAX. */
void load_watch(struct load *load, const struct addr *vips, size_t n_vips);
/*
 * Counts anew when the last count is older than `max_age_us` (0: always). 0 or negative errno, the
 * former counts stand then. LOAD_CACHE_US is what heartbeats need.
 */
int load_refresh(struct load *load, uint64_t max_age_us, uint64_t now_us);
/* The count of the idx-th address. */
uint32_t load_established(const struct load *load, size_t idx);
/*
 * Counts at once, uncached, the connections of all addresses that a withdrawal would break: not only
 * the established ones but also those of which one side has closed while data is still on its way.
 */
int load_count_open(struct load *load, uint64_t *ret_open);
