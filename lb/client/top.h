/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `top`. */
#pragma once

struct cli;

/*
 * The live screen until `q`, which waits for a daemon that is not there; with --once, or where there is no terminal, one
 * frame as text. Returns the exit status.
 */
int top(const struct cli *cli, void *context);
