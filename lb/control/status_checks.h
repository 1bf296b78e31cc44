/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of each check of a backend in one virtual server, as JSON. */
#pragma once

#include <jansson.h>

#include "lb/registry/backend/backend.h"

struct balancer;
struct config_virtual_server;

/*
 * An array of {check, vip, ok, reason, since_s}: of its agent, of its connections, of its path to each VIP; `first` is
 * the virtual server's first service. The caller's.
 */
json_t *status_checks(const struct balancer *balancer,
	const struct config_virtual_server *virtual_server, size_t first,
	const struct backend *backend);
