/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a load and what reads one stream into it. For common/ini/ini.c alone.
 */
#pragma once

#include "common/ini/ini_report.h"

struct ini_loader {
	struct ini_report *report;
	void *context;
	int error; /* -ENOMEM ends the load */

	FILE *stream;
	size_t file_idx;
	unsigned int line_number;
	unsigned int occurrence; /* of a section, over all files */
	bool in_section;
	const struct ini_section
		*section; /* NULL: an unknown or refused one, whose keys are skipped */
	struct ini_instance *instance;

	char line[INI_LINE_MAX_BYTES + 1];
	const char *value; /* in `line`, of the key whose head inih was given */
};

/* Reads one open file. Its errors are in the report; only -ENOMEM is returned. */
int ini_reader_run(struct ini_loader *loader, FILE *stream, size_t file_idx);
/*
 * The instance of a section, made when it is new. NULL: refused and reported, or no memory
 * (`loader->error`).
 */
struct ini_instance *ini_reader_open(
	struct ini_loader *loader, const struct ini_section *section, const char *name);
/* Fills in a default. One that does not parse is a mistake in the program. 0 or -ENOMEM. */
int ini_reader_default(const struct ini_key *key, void *target);
