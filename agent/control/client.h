/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's command line: its table of verbs, and those that only look or ask the daemon. */
#pragma once

struct cli;

/* The verb `run`; returns the exit status. */
typedef int client_run_fn(const struct cli *cli);

/* Returns the exit status. */
int client_main(int argc, char **argv, client_run_fn *run);
