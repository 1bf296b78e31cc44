/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a keepalived.conf: its virtual servers become a farm's. Pure. */
#pragma once

#include "lb/client/import/keepalived/keepalived_tree.h"

/* 0; -EINVAL with `ret_why`: no such file; -ENOMEM. */
int keepalived_read(const char *data, size_t size_bytes, const struct keepalived_outside *outside,
	struct farm *farm, struct why *ret_why);
