/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `unit = NAME`: what systemd says of a unit, told when it changes. */
#pragma once

#include "agent/check/check_kind.h"

#define CHECK_UNIT_RETRY_US \
	(1 * US_PER_S) /* while systemd cannot be asked; each try is a failure */

extern const struct check_kind check_unit_kind;
