/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program of second chance and who loads it agree upon. Linux UAPI types only. */
#pragma once

#include <linux/types.h>

#define CHANCE_NAMED_FIRST 0xd2u /* the first byte of a source MAC that names an alternative */
#define CHANCE_PEERS       65536u
#define CHANCE_VIPS        1024u

/* A MAC as a number, its first byte lowest. */
typedef __u64 chance_mac;

/* An IPv4 address as ::ffff:a.b.c.d. */
struct chance_address {
	__be32 word[4];
};

/* Named frames, since the program was loaded. */
struct chance_counts {
	__u64 taken;     /* a socket here has their connection */
	__u64 passed_on; /* sent to the server that they name */
};
