/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `run` and `check-config` must agree on about files.
 */
#pragma once

#include <limits.h>

#include "lb/config.h"

#define CONFIGURE_PATH_BYTES PATH_MAX

/* The key file to read: the configured one, or systemd's credential `keys` in the default's place. */
const char *configure_key_path(const struct config *config, char *buffer, size_t size_bytes);
