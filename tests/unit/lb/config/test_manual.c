/* SPDX-License-Identifier: GPL-2.0-or-later */
/* man/dsr-lb.conf.5.scd and the key table say the same. */
#include "lb/config/config.h"

#define MANUAL_PAGE "man/dsr-lb.conf.5.scd"
#include "tests/unit/manual.h"
