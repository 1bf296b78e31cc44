/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `capture`: frames that the daemon tells of, into a file for Wireshark or as lines of text. */
#pragma once

struct cli;

/*
 * Returns the exit status: 0 when so many frames were written as --count says, when it was interrupted or nobody
 * reads; 64 for an argument without sense; 69 when the daemon ends.
 */
int capture(const struct cli *cli, void *context);
