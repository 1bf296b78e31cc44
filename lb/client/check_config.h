/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dsr-lb check-config [--diff]`: the configuration and key file as `run` would read them, and,
 * without changing anything, whether this host has the interface and is on the backends' link.
 */
#pragma once

struct cli;

/* Prints every error and warning, one a line, on stderr; returns the exit status. */
int check_config(const struct cli *cli);
