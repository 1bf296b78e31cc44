/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dsr-lb token NAME`: one word that makes a fresh host the real server NAME. It has the key of that name under the
 * newest master line, where the balancers are, and the VIPs of all virtual servers that take agents.
 */
#pragma once

struct cli;

/* Returns the exit status. */
int token_print(const struct cli *cli, void *context);
