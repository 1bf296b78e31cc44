/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of dsr-lb's verbs: requests to the daemon by its control socket, answers as
 * text or JSON. Called by main.c; knows nothing of the daemon's inside.
 */
#pragma once

struct cli;

/* A verb that this program serves by itself; returns the exit status. */
typedef int client_verb_fn(const struct cli *cli, void *context);

/* The whole program but for the two verbs that are given: `run` and `check-config`. */
int client_main(int argc, char **argv, client_verb_fn *run, client_verb_fn *check_config);
