/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of dsr-lb's verbs: requests to the daemon by its control socket, answers as
 * text or JSON. Called by main.c; knows nothing of the daemon's inside.
 */
#pragma once

#include "common/cli/cli.h"

/* A verb that this program serves by itself; returns the exit status. */
typedef int client_verb_fn(const struct cli *cli, void *context);

/* The whole program but for the two verbs that are given: `run` and `check-config`. */
int client_main(int argc, char **argv, client_verb_fn *run, client_verb_fn *check_config);

/*
 * Text on standard output, each from the daemon's `status` document (the last two: from the answer
 * to their verb). What the document lacks is shown as "-", never as an error.
 */
void client_print_status(const struct cli *cli, const json_t *document);
void client_print_virtual_servers(const struct cli *cli, const json_t *document);
/* `virtual_server` NULL: all of them. -ENOENT: there is none of this name; nothing is printed. */
int client_print_backends(
	const struct cli *cli, const json_t *document, const char *virtual_server);
void client_print_flows(const struct cli *cli, const json_t *flows);
void client_print_explain(const struct cli *cli, const json_t *answer);
