/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator should look at, as members of the status: who claims a VIP or asks for it, who was refused. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "common/why.h"

struct balancer;
struct config_virtual_server;
struct registry_tier;

/* Whether a VIP of it is not announced, since somebody else has it: "198.51.100.20 is not announced: 02:… has it". */
bool status_warnings_held(const struct balancer *balancer,
	const struct config_virtual_server *virtual_server, struct why *ret_why);

/* Why nobody takes new flows of it; that the balancer counts by clients' frames is said of servers that are full. */
void status_warnings_unserved(
	const char *virtual_server, const struct registry_tier *tier, struct why *ret_why);

/* [{vip, since_s, asked_s, asker}] of its VIPs that are announced by ARP and ND; the last two null where nobody asked */
json_t *status_warnings_announced(
	const struct balancer *balancer, const struct config_virtual_server *virtual_server);
/* [{vip, mac, backend, count, last_s}] */
json_t *status_warnings_claims(const struct balancer *balancer);
/*
 * [{address, name, table_digests_differ, differences: [{virtual_server, words}]}] of the other balancers that agents
 * serve; name: null where it told none
 */
json_t *status_warnings_balancers(const struct balancer *balancer);
/* [{address, reason, words, count, last_s}] */
json_t *status_warnings_refusals(const struct balancer *balancer);
