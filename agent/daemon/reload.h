/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings into the running agent: at its start, and whole or not at all at a reload. */
#pragma once

#include "agent/daemon/agent.h"

struct check_set;

/*
 * Takes the settings over, and the checks that were made of them, and begins to serve them: looks at the
 * host, acts, and tells.
 */
void reload_adopt(struct agent *agent, struct settings *settings, struct check_set *set);
/* Validates everything, then applies or changes nothing. An exit status, and text to free or NULL. */
/*
 * Opens `http-listen` of settings that are not in force: 0 with what http_set_listener() takes, or negative errno with
 * words and their place in `*ret_text` (to free; what stood there is freed).
 */
int reload_open_http(
	const struct agent *agent, const struct settings *settings, int *ret_fd, char **ret_text);
int reload_run(struct agent *agent, char **ret_text);
