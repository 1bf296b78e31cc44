/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process: parts wired to one event loop, signals, start and end. */
#pragma once

#include "common/control/control.h"

/*
 * Runs until stopped; returns the exit status. Errors are logged. `serve` gets what is asked on the
 * control socket, with the struct agent as context.
 */
int daemon_run(const char *config_path, const char *runtime_dir, control_verb_fn *serve);
