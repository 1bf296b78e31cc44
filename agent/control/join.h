/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dsr-agent join TOKEN`: makes this host the real server that the token names. Writes key and configuration,
 * never over others, starts the unit, and waits until it serves.
 */
#pragma once

struct cli;

#define JOIN_WAIT_S 60u /* until it serves */

/* Returns the exit status. */
int join(const struct cli *cli, void *context);
