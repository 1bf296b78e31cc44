/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a NetScaler's configuration (ns.conf): virtual servers of mode MAC become a farm's. Pure. */
#pragma once

#include "lb/client/import/farm.h"

/* 0; -EINVAL with `ret_why`: no such file; -ENOMEM. */
int netscaler_read(const char *data, size_t size_bytes, struct farm *farm, struct why *ret_why);
