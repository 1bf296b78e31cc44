/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom a request was meant for, by its Host header (RFC 9110 §7.2). Pure. */
#pragma once

#include "common/util.h"

/*
 * Whether a browser that sends this header was sent to us: an address, localhost, or the host's own name (long or
 * short), with or without a port. Any other name may be one whose DNS was turned to our address, so that a stranger's
 * page asks us in the name of whoever reads it. NULL `host` (none was sent, as no browser does) is ours.
 */
bool http_host_is_ours(const char *host, const char *hostname);
