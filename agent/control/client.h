/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's command line: its table of verbs, and those that only look or ask the daemon. */
#pragma once

/* Returns the exit status. */
int client_main(int argc, char **argv);
