/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's IPVS calls things, for those configurations that are about it. Pure. */
#pragma once

#include "lb/client/import/farm.h"

#define IPVS_PERSISTENCE_S 300u /* when none is given, ipvsadm(8) */

struct ipvs_scheduling {
	const char *name;  /* "wrr" */
	bool with_port;    /* sh-port, mh-port */
	bool each_packet;  /* one-packet scheduling */
	unsigned int line; /* that says it */
};

/*
 * Sets scheduler, hash and sessionless to what is nearest, once the real servers are there; a note where that is not
 * the same.
 */
void ipvs_schedule(
	struct farm *farm, struct farm_server *server, const struct ipvs_scheduling *scheduling);
/* Sets the prefix of the family from a mask or a length; a note where it is neither. */
void ipvs_granularity(
	struct farm *farm, struct farm_server *server, const char *mask, unsigned int line);
