/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a report: what common/ini/ini.c writes down while it loads, and common/ini/ini_report.c
 * gives out. Nobody else includes this.
 */
#pragma once

#include "common/ini/ini.h"

#define INI_REST_BYTES    64u
#define INI_SUBJECT_BYTES 256u /* "[virtual-server NAME]" */

/* Where a key was set; line 0: nowhere. */
struct ini_place {
	size_t file_idx;
	unsigned int line;
	unsigned int occurrence; /* of the section, counted over all files */
	char *value;             /* as written; of a list, everything so far */
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
};

struct ini_lines {
	char *lines[INI_REPORT_MAX]; /* NULL: there was no memory for it */
	size_t n_total;              /* those that were not kept included */
	char rest[INI_REST_BYTES];
};

struct ini_effective;

struct ini_report {
	const struct ini_section *sections;
	size_t n_sections;
	char **files;
	size_t n_files;
	struct ini_instance **instances; /* in the order of the files */
	size_t n_instances;
	void *tree; /* the same, by tsearch(3), for look-ups among thousands */
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
const char *ini_section_format(
	const struct ini_section *section, const char *name, char *buffer, size_t size_bytes);
