/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parsers that the table of config.c names, of values that only dsr-lb.conf has. */
#pragma once

#include "lb/config/model.h"

/*
 * Parsers of this program's own values. Those with offset 0 in the table fill several members of the
 * section's struct, which is their target.
 */
ini_parse_fn config_parse_mode;              /* enum config_mode */
ini_parse_fn config_parse_workers;           /* uint32_t */
ini_parse_fn config_parse_listen;            /* struct addr_port */
ini_parse_fn config_parse_announce;          /* enum config_announce */
ini_parse_fn config_parse_active_when;       /* struct addr */
ini_parse_fn config_parse_log_level;         /* enum log_level */
ini_parse_fn config_parse_backend_interface; /* struct ini_list of char * */
ini_parse_fn config_parse_vip;               /* struct ini_list of struct addr */
ini_parse_fn config_parse_port;         /* struct ini_list of struct config_port; any: 0–65535 */
ini_parse_fn config_parse_prefix;       /* struct config_virtual_server: persistence_prefix4, 6 */
ini_parse_fn config_parse_drop;         /* bool: data[1], not data[0] */
ini_parse_fn config_parse_allow_client; /* struct ini_list of struct config_client, sorted */
ini_parse_fn config_parse_deny_client;  /* the same */
ini_parse_fn config_parse_check;        /* struct config_virtual_server: check_… */
ini_parse_fn config_parse_bytes;        /* struct config_bytes */
ini_parse_fn config_parse_minimum;      /* struct config_minimum */
ini_parse_fn config_parse_real_server;  /* struct ini_list of struct config_real_server */
