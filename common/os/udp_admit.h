/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which datagrams a UDP socket takes at all: the kernel drops the others before they need room. */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define UDP_ADMIT_MAX 32u /* sources */

/*
 * Only what comes from one of these addresses (at most UDP_ADMIT_MAX; those of the other family are nobody's) with this
 * hop limit, in the place of what was said before. Nothing counts the others. 0 or negative errno: all is as before.
 */
int udp_admit(int fd, sa_family_t family, const struct addr *sources, size_t n_sources,
	uint8_t hop_limit);
/* Everything again. */
void udp_admit_all(int fd);
