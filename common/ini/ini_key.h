/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of a configuration file: its sections, their keys, and what parses a value. Header only. */
#pragma once

#include "common/util.h"
#include "common/why.h"

struct ini_key;

/*
 * Parses one value into `target` (already moved to the key's offset). For a list key it is called
 * once for each comma-separated element (never empty) and appends. On a bad value writes what is
 * wrong and the mend into `ret_why` and returns -EINVAL; -ENOMEM otherwise.
 */
typedef int ini_parse_fn(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why);

enum ini_key_flags {
	INI_LIST = 1 << 0,     /* comma-separated, and may be repeated */
	INI_REQUIRED = 1 << 1, /* missing: an error that names the section */
	INI_WHOLE = 1 << 2,    /* with INI_LIST: repeatable, but commas belong to the value */
};

struct ini_key {
	const char *name; /* lower case, with hyphens */
	ini_parse_fn *parse;
	size_t offset;             /* of the member in the section's struct */
	int64_t min, max;          /* inclusive; durations in microseconds, sizes in bytes */
	const char *default_value; /* as it would stand in a file; NULL: the struct keeps zeros */
	const void *data;          /* for the parser: the names of ini_parse_enum */
	unsigned int flags;
	const char *doc; /* one line for the man page and for hints */
};

struct ini_section {
	const char *name; /* "balancer"; for a named section "virtual-server" */
	bool named;       /* written `[virtual-server NAME]`, any number of times */
	const struct ini_key *keys;
	size_t n_keys;
	/*
	 * Gives the zeroed struct to fill, which stays where it is until the load ends. Called once
	 * for each section: before the first file for one that is not named (`name` is NULL), when
	 * `name` first appears for a named one (a later file extends it without a call). NULL with
	 * errno = EINVAL and `ret_why` set refuses the name; NULL with ENOMEM.
	 */
	void *(*open)(void *context, const char *name, struct why *ret_why);
};
