/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `backends --stats` and `--rate`, in the shape of `ipvsadm --stats` and `--rate`. */
#pragma once

#include <jansson.h>

struct cli;

/*
 * For --json with --rate: adds syns_per_s, packets_per_s and bytes_per_s to each virtual server and backend of `document`, null
 * where nothing is known: it was not there before, or began anew.
 */
void print_rates_add(const json_t *before, json_t *document, double seconds);
/*
 * Counters of each virtual server and its backends; with `before`, an earlier document, what they grew by a second in the
 * `seconds` between. What goes back to clients is not there: it never passes here. `virtual_server` NULL: all of them.
 * -ENOENT: there is none of this name; nothing is printed.
 */
int print_rates(const struct cli *cli, const json_t *before, const json_t *document, double seconds,
	const char *virtual_server);
