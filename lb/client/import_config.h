/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `import`: another balancer's configuration as ours. Needs no daemon. */
#pragma once

struct cli;

#define IMPORT_ARGS "netscaler|keepalived|ipvsadm FILE|-"
#define IMPORT_LEFT 1 /* exit status: something could not be said */

/* Returns the exit status: 0, IMPORT_LEFT, 64, or 78 where the file is not readable as such a one. */
int import_config(const struct cli *cli, void *context);
