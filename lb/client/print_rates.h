/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `backends --stats` and `--rate`, in the shape of `ipvsadm --stats` and `--rate`. */
#pragma once

#include <jansson.h>

struct cli;

/*
 * Counters of each virtual server and its backends; with `before`, an earlier document, what they grew by a second in the
 * `seconds` between. What goes back to clients is not there: it never passes here. `virtual_server` NULL: all of them.
 * -ENOENT: there is none of this name; nothing is printed.
 */
int print_rates(const struct cli *cli, const json_t *before, const json_t *document, double seconds,
	const char *virtual_server);
