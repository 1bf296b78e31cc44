/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the looking verbs of dsr-lb print for people. */
#pragma once

#include <jansson.h>

#define PRINT_AMOUNT_BYTES 24u

struct cli;

/* "1.5M" in powers of 1000, as ipvsadm counts. Returns `buffer` (PRINT_AMOUNT_BYTES). */
const char *print_amount(unsigned long long value, char *buffer);

/*
 * Text on standard output, each from the daemon's `status` document (the last two: from the answer
 * to their verb). What the document lacks is shown as "-", never as an error.
 */
void print_status(const struct cli *cli, const json_t *document);
void print_virtual_servers(const struct cli *cli, const json_t *document);
/* `virtual_server` NULL: all of them. -ENOENT: there is none of this name; nothing is printed. */
int print_backends(const struct cli *cli, const json_t *document, const char *virtual_server);
void print_flows(const struct cli *cli, const json_t *flows);
void print_explain(const struct cli *cli, const json_t *answer);
