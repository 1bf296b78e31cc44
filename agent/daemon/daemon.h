/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process: parts wired to one event loop, signals, start and end. */
#pragma once

#include "common/control/control.h"

struct agent;

/* Who answers. */
struct daemon_verbs {
	control_verb_fn *serve; /* on the control socket, with the struct agent as context */
	int (*start)(
		struct agent *agent); /* makes `http` when there are events; 0 or negative errno */
};

/* Runs until stopped; returns the exit status. Errors are logged. */
int daemon_run(const char *config_path, const char *runtime_dir, const struct daemon_verbs *verbs);
