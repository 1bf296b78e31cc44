/* SPDX-License-Identifier: GPL-2.0-or-later */
/* man/dsr-agent.conf.5.scd and the key table say the same. */
#include "agent/config/config.h"

#define MANUAL_PAGE "man/dsr-agent.conf.5.scd"
#include "tests/unit/manual.h"
