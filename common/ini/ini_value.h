/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers for the values of a configuration that are no program's own. Pure. */
#pragma once

#include "common/addr.h"
#include "common/ini/ini_key.h"

/*
 * Parsers for the table; the member's type stands in front. (libinih exports a function named
 * ini_parse_string: no symbol of ours may have that name.)
 */
ini_parse_fn ini_parse_text;      /* char *      non-empty; frees the former value */
ini_parse_fn ini_parse_bool;      /* bool        yes/no, true/false, on/off, 1/0 */
ini_parse_fn ini_parse_u32;       /* uint32_t    decimal, min–max */
ini_parse_fn ini_parse_duration;  /* uint64_t    microseconds; us ms s min h, bare = seconds */
ini_parse_fn ini_parse_size;      /* uint64_t    k, M, G = powers of 1024 */
ini_parse_fn ini_parse_enum;      /* int         data: NULL-terminated const char *const[] */
ini_parse_fn ini_parse_addr;      /* struct addr */
ini_parse_fn ini_parse_addr_port; /* struct addr_port, port may stand alone */
ini_parse_fn ini_parse_listen;    /* struct addr_port, both parts, or off: AF_UNSPEC */
ini_parse_fn
	ini_parse_interface; /* char *      a legal interface name (IFNAMSIZ, no '/' or blank) */

/* Growing lists for INI_LIST keys: appended to, duplicates refused; both freed by ini_list_clear. */
struct ini_list {
	void *items;
	size_t len;
};
ini_parse_fn ini_parse_addr_list;      /* struct ini_list of struct addr */
ini_parse_fn ini_parse_prefix_list;    /* struct ini_list of struct addr_prefix */
ini_parse_fn ini_parse_addr_port_list; /* struct ini_list of struct addr_port, port optional (0) */
ini_parse_fn ini_parse_string_list;    /* struct ini_list of char * */
/* Appends one zeroed item of `size_bytes` and returns it, or NULL (-ENOMEM). */
void *ini_list_append(struct ini_list *list, size_t size_bytes);
void ini_list_clear(struct ini_list *list);
void ini_list_clear_strings(struct ini_list *list);

/* "300ms", "2s", "5min", "1h", "7" → microseconds. 0, -EINVAL or -ERANGE. */
int ini_duration_parse(const char *text, uint64_t *ret_us);
/* "64k" → bytes, likewise; for tests. */
int ini_size_parse(const char *text, uint64_t *ret_bytes);
