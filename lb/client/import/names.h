/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What readers ask of the outside, by functions that are handed in: they themselves touch nothing. */
#pragma once

#include "common/addr.h"

struct import_names {
	/* The port of a service ("http") of a protocol ("tcp"); 0: not known. */
	uint16_t (*port)(void *context, const char *service, const char *protocol);
	/* The address of a host; false: not known. */
	bool (*address)(void *context, const char *host, struct addr *ret_address);
	void *context;
};
