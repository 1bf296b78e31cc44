/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that a start or a reload needs to know from files: the configuration, the key and the
 * name, validated together. Errors are text, one a line, for stderr, the journal or a reload's
 * answer.
 */
#pragma once

#include "agent/config/config.h"
#include "common/proto/keyring.h"

struct settings {
	struct config *config;
	struct ini_report *report;
	struct keyring *keys; /* NULL: the key file could not be looked at (only if allowed) */
	char name[PROTO_NAME_MAX + 1];
	uint16_t weight; /* 0: no new flows */
};

/*
 * `key_may_be_hidden`: a key file that this user may not read is a warning, for check-config as
 * anybody; an absent one is an error here too. 0; -EINVAL with `*ret_text` (to free) full of errors; -ENOMEM. On 0
 * `*ret_text` holds the warnings, or is NULL.
 */
int settings_load(const char *config_path, bool key_may_be_hidden, struct settings **ret_settings,
	char **ret_text);
/* The idx-th line of what is in force, as it would stand in a file; NULL behind the last. */
const char *settings_effective(const struct settings *settings, size_t idx);
struct settings *settings_free(struct settings *settings);
DEFINE_CLEANUP(struct settings *, settings_free)
