/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A NetScaler's objects as a farm: what of them goes by MAC. Pure. */
#pragma once

#include "lb/client/import/netscaler_objects.h"

/* 0 or -ENOMEM. */
int netscaler_farm(const struct netscaler_objects *objects, struct farm *farm);
