/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What config.c (the table), config_value.c (its parsers) and config_check.c (what is judged over
 * several keys) share.
 */
#pragma once

#include "lb/config/config.h"

/*
 * Parsers of this program's own values. Those with offset 0 in the table fill several members of the
 * section's struct, which is their target.
 */
ini_parse_fn config_parse_mode;        /* enum config_mode */
ini_parse_fn config_parse_workers;     /* uint32_t */
ini_parse_fn config_parse_listen;      /* struct addr_port */
ini_parse_fn config_parse_announce;    /* bool */
ini_parse_fn config_parse_active_when; /* struct addr */
ini_parse_fn config_parse_http;        /* struct config: http, http_listen */
ini_parse_fn config_parse_log_level;   /* enum log_level */
ini_parse_fn config_parse_vip;         /* struct ini_list of struct addr */
ini_parse_fn config_parse_port;        /* struct ini_list of struct config_port; any: 0–65535 */
ini_parse_fn config_parse_prefix;      /* struct config_virtual_server: persistence_prefix4, 6 */
ini_parse_fn config_parse_drop;        /* bool: data[1], not data[0] */
ini_parse_fn config_parse_check;       /* struct config_virtual_server: check_… */
ini_parse_fn config_parse_real_server; /* struct ini_list of struct config_real_server */

/* Reports what no single key shows, through ini_report_add(); settles what depends on others. -ENOMEM. */
int config_check(struct config *config, struct ini_report *report);
