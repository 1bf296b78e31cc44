/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator should look at, as members of the status: who claims a VIP, who was refused. */
#pragma once

#include <jansson.h>

struct balancer;

/* [{vip, mac, backend, count, last_s}] */
json_t *status_warnings_claims(const struct balancer *balancer);
/*
 * [{address, name, table_digests_differ, differences: [{virtual_server, words}]}] of the other balancers that agents
 * serve; name: null where it told none
 */
json_t *status_warnings_balancers(const struct balancer *balancer);
/* [{address, reason, words, count, last_s}] */
json_t *status_warnings_refusals(const struct balancer *balancer);
