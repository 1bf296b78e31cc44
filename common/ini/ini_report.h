/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a load of configuration files found: errors and warnings with their places, and the
 * configuration that is in effect. Written by common/ini/ini.c and ini_reader.c while they load, read by
 * everybody.
 */
#pragma once

#include "common/ini/ini_key.h"

#define INI_LINE_MAX_BYTES 1024u /* longer lines are an error */
#define INI_REPORT_MAX     100u  /* errors kept; the rest is counted */

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
 * Whether it is not known what the files say of the key: a value of it was refused, or it was not set and a line or a
 * file was not understood that may have set it. That is complained of already: nobody judges what follows from it.
 */
bool ini_report_is_unknown(
	const struct ini_report *report, const char *section, const char *name, const char *key);
/*
 * The value in force as written, or its default; of a list all that was written. NULL: neither set nor with a default,
 * or not known. The report's.
 */
const char *ini_report_value(
	const struct ini_report *report, const char *section, const char *name, const char *key);

/*
 * Lists the effective configuration, one line a key that was set or has a default:
 * "[section name] key = value" in file order of sections (those without a name stand first) and
 * table order of keys; for `check-config --diff`. Each call gives the idx-th line, owned by the
 * report, or NULL after the last. Values stand as written, a repeated list key joined by commas.
 */
const char *ini_report_effective(struct ini_report *report, size_t idx);

/* ---- for ini.c and ini_reader.c alone ---- */

#define INI_REST_BYTES    64u
#define INI_SUBJECT_BYTES 256u /* "[virtual-server NAME]" */

/* Where a key was set; line 0: nowhere. */
struct ini_place {
	size_t file_idx;
	unsigned int line;
	unsigned int occurrence; /* of the section, counted over all files */
	char *value;             /* as written; of a list, everything so far */
	bool refused;            /* the value that would be in force; of a list, any */
};

/* One section that was opened: the struct it fills and the places of its keys. */
struct ini_instance {
	const struct ini_section *section;
	char *name; /* NULL when not named */
	void *target;
	size_t file_idx;      /* where it first stood */
	unsigned int line;    /* 0: in no file */
	size_t last_file_idx; /* where it last stood, to find repetitions */
	unsigned int last_line;
	struct ini_place *places; /* one for each key of the section */
	bool is_doubtful;         /* a line of it was not understood */
};

struct ini_lines {
	char *lines[INI_REPORT_MAX]; /* NULL: there was no memory for it */
	size_t n_total;              /* those that were not kept included */
	char rest[INI_REST_BYTES];
};

struct ini_report {
	const struct ini_section *sections;
	size_t n_sections;
	char **files;
	size_t n_files;
	struct ini_instance **instances; /* in the order of the files */
	size_t n_instances;
	void *tree;       /* the same, by tsearch(3), for look-ups among thousands */
	bool is_doubtful; /* a file was not read, or a line that may be of any section not understood */
	struct ini_lines errors;
	struct ini_lines warnings;
	struct ini_effective *effective; /* made when first asked for */
};

struct ini_report *ini_report_new(const struct ini_section *sections, size_t n_sections);
/* Remembers a file; the index for places. -ENOMEM. */
int ini_report_file(struct ini_report *report, const char *path, size_t *ret_file_idx);
/* Adds "file:line: subject: text"; `line` 0 and `subject` NULL leave their part out. */
void ini_report_push(struct ini_report *report, size_t file_idx, unsigned int line,
	const char *subject, const char *format, ...) _printf_(5, 6);
struct ini_instance *ini_report_find(
	const struct ini_report *report, const struct ini_section *section, const char *name);
/* Makes an instance that is not there yet; NULL: no memory. */
struct ini_instance *ini_report_add_instance(struct ini_report *report,
	const struct ini_section *section, const char *name, void *target);
/* "[balancer]", "[virtual-server web]" into `buffer`; cut where it does not fit. */
const char *ini_report_subject(
	const struct ini_section *section, const char *name, char *buffer, size_t size_bytes);
