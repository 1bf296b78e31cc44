/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is odd, one line each. */
#pragma once

#include <jansson.h>

struct cli;

/* Prints "warning: …" for each that the daemon's `status` document knows of, behind everything else. */
void print_warnings(const struct cli *cli, const json_t *document);
