/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes of a farm what our configuration can say. Pure. */
#pragma once

#include "lb/client/import/farm.h"

/*
 * Gives names, brings values into our ranges, drops what stands twice or says what check-config would refuse; each
 * such change is a note. What is left loads. 0, or -ENOMEM.
 */
int farm_settle(struct farm *farm);
