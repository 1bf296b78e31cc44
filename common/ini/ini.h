/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files through one key table. inih splits the lines; this module feeds it from a
 * reader of its own, because inih alone merges repeated sections, continues values over indented
 * lines and cuts long ones (libinih 55), and fills structs by the table: type, range, default.
 * Collects every error as `file:line: key: what; hint` and never stops at the first.
 * Knows no key of either program.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"
#include "common/why.h"

#define INI_LINE_MAX_BYTES 1024u /* longer lines are an error */
#define INI_FILES_MAX      256u  /* in conf.d */
#define INI_REPORT_MAX     100u  /* errors kept; the rest is counted */

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

/* The errors of a load, in order; and where each key was set. */
struct ini_report;

struct ini_report *ini_report_free(struct ini_report *report);
DEFINE_CLEANUP(struct ini_report *, ini_report_free)
size_t ini_report_len(const struct ini_report *report);
/* "file:line: key: what; hint", owned by the report; after INI_REPORT_MAX "and N more". */
const char *ini_report_line(const struct ini_report *report, size_t idx);
/* Warnings are kept apart and make no load fail. */
size_t ini_report_warnings_len(const struct ini_report *report);
const char *ini_report_warning(const struct ini_report *report, size_t idx);
/*
 * Adds an error found by a later check, at the place where `key` of `section` (`name` for a named
 * one, else NULL) was last set; the section's line where the key was not set; the main file
 * where neither was. `key` NULL: an error of the section, which is then named instead.
 */
void ini_report_add(struct ini_report *report, const char *section, const char *name,
	const char *key, const char *format, ...) _printf_(5, 6);
void ini_report_warn(struct ini_report *report, const char *section, const char *name,
	const char *key, const char *format, ...) _printf_(5, 6);
/* Whether the key was set in a file (not by its default). */
bool ini_report_is_set(
	const struct ini_report *report, const char *section, const char *name, const char *key);

/*
 * Reads `path`, then `conf.d/`*`.conf` beside it in name order, into the structs that
 * `sections` open. A scalar's default is applied first, a list's when no file has set it;
 * required keys are checked last. A list goes on over repeated keys and later files. Returns 0
 * with an empty report; -EINVAL with a report that says everything (also for an unreadable main
 * file: `path: cannot open: …`); -ENOMEM. `*ret_report` is set in every case but -ENOMEM.
 * `sections` must outlive the report.
 */
int ini_load(const char *path, const struct ini_section *sections, size_t n_sections, void *context,
	struct ini_report **ret_report);

/* The same on text in memory, for tests and fuzzers; `name` stands for the file in errors. */
int ini_load_text(const char *name, const char *text, size_t size_bytes,
	const struct ini_section *sections, size_t n_sections, void *context,
	struct ini_report **ret_report);

/*
 * Lists the effective configuration, one line a key that was set or has a default:
 * "[section name] key = value" in file order of sections (those without a name stand first) and
 * table order of keys; for `check-config --diff`. Each call gives the idx-th line, owned by the
 * report, or NULL after the last. Values stand as written, a repeated list key joined by commas.
 */
const char *ini_report_effective(struct ini_report *report, size_t idx);

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

/* "300ms", "2s", "5min", "1h", "7" → microseconds; "64k" → bytes. 0, -EINVAL or -ERANGE. */
int ini_duration_parse(const char *text, uint64_t *ret_us);
int ini_size_parse(const char *text, uint64_t *ret_bytes);
