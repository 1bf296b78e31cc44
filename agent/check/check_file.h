/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `file:PATH`: an administrator's or a script's sign; while the file is gone the host drains. */
#pragma once

#include "agent/check/check_kind.h"

extern const struct check_kind check_file_kind;
