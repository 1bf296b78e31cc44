/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what `ipvsadm -S [-n]` prints, or a script of such commands. Pure. */
#pragma once

#include "lb/client/import/farm.h"

/* What is asked of the outside, by functions that are handed in: the reader itself touches nothing. */
struct import_names {
	/* The port of a service ("http") of a protocol ("tcp"); 0: not known. */
	uint16_t (*port)(void *context, const char *service, const char *protocol);
	/* The address of a host; false: not known. */
	bool (*address)(void *context, const char *host, struct addr *ret_address);
	void *context;
};

/* 0; -EINVAL with `ret_why`: no such text; -ENOMEM. */
int ipvsadm_read(const char *data, size_t size_bytes, const struct import_names *names,
	struct farm *farm, struct why *ret_why);
