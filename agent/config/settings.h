/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that a start or a reload needs to know from files: the configuration, the key and the
 * name, validated together. Errors are text, one a line, for stderr, the journal or a reload's
 * answer.
 */
#pragma once

#include <jansson.h>

#include "agent/config/config.h"
#include "common/proto/keyring.h"

struct settings {
	struct config *config;
	struct ini_report *report;
	struct keyring *keys; /* NULL: without, as asked */
	char name[PROTO_NAME_MAX + 1];
	uint16_t weight; /* 0: no new flows */
};

enum settings_keys {
	SETTINGS_RUN,   /* as the daemon */
	SETTINGS_CHECK, /* the same for a verb: root looks at a key file that is the daemon's own */
	SETTINGS_NO_KEYS, /* on a machine that has none */
};

/*
 * 0; -EINVAL with `*ret_text` (to free) full of errors; -ENOMEM. On 0 `*ret_text` holds the warnings, or is
 * NULL.
 */
int settings_load(const char *config_path, enum settings_keys keys, struct settings **ret_settings,
	char **ret_text);
/* Whether the text would be a configuration at that path, its key file apart: 0, or -EINVAL with the first error. */
int settings_check_text(const char *path, const char *text, struct why *ret_why);
/* Each key with its place: ini_document(). */
json_t *settings_document(const struct settings *settings);
/* The idx-th line of what is in force, as it would stand in a file; NULL behind the last. */
const char *settings_effective(const struct settings *settings, size_t idx);
struct settings *settings_free(struct settings *settings);
DEFINE_CLEANUP(struct settings *, settings_free)
