/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what `ipvsadm -S [-n]` prints, or a script of such commands. Pure. */
#pragma once

#include "lb/client/import/farm.h"
#include "lb/client/import/names.h"

/* 0; -EINVAL with `ret_why`: no such text; -ENOMEM. */
int ipvsadm_read(const char *data, size_t size_bytes, const struct import_names *names,
	struct farm *farm, struct why *ret_why);
