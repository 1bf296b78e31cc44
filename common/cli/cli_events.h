/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `events` of both programs. */
#pragma once

struct cli;

/* Blocks SIGINT and SIGTERM. A descriptor that is readable when one has come, to close; -1: there will be none. */
int cli_signals(void);

/*
 * Prints the events that are kept, and with -f those that come, as --format or --json asks. Returns the exit status: 0,
 * also when it was interrupted or its reader has gone; 69 when the daemon ends.
 */
int cli_events(const struct cli *cli);
