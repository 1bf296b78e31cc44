/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The URL of an HTTP check, http://HOST[:PORT]/PATH, in its parts. Nothing is resolved, decoded or copied. Pure. */
#pragma once

#include "common/util.h"
#include "common/why.h"

#define URL_HTTP_PORT 80u

struct url {
	const char *
		authority; /* HOST[:PORT] as it is written, inside the text: what a Host header says */
	size_t authority_bytes;
	const char *target; /* from the slash to the end of the text */
	uint16_t port;      /* 0: none is given */
};

/*
 * The host is a name, an IPv4 address, or an IPv6 address in brackets; the rest is printable, without blanks and without
 * a fragment, so that it can stand in a request as it is. 0; -EINVAL with words.
 */
int url_parse(const char *text, struct url *ret_url, struct why *ret_why);
