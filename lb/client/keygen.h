/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dsr-lb keygen [ID [master]]` and `dsr-lb keygen ID/NAME`: lines for key files. A key of an agent under a
 * master line is that of the key file that the configuration names; the others need no file.
 */
#pragma once

struct cli;
struct config;
struct keyring;

/* Returns the exit status. */
int keygen(const struct cli *cli, void *context);
/*
 * The configuration with its keys, as a verb that prints keys needs them; errors are told on stderr. 0 with
 * both owned by the caller, or the exit status.
 */
int keygen_load(const struct cli *cli, struct config **ret_config, struct keyring **ret_ring);
