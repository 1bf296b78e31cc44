/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of a load: see ini_report.h. */
#include "common/ini/ini_report.h"

#include <assert.h>
#include <search.h>
#include <stdarg.h>

#include "common/grow.h"

#define PLACE_BYTES   (INI_LINE_MAX_BYTES + 64u)
#define SECTION_BYTES 128u

struct ini_effective {
	char **lines;
	size_t n_lines;
};

static int ini_instance_compare(const void *left, const void *right)
{
	const struct ini_instance *a = left, *b = right;

	if (a->section != b->section)
		return a->section < b->section ? -1 : 1;
	if (!a->name || !b->name)
		return (a->name != NULL) - (b->name != NULL);
	return strcmp(a->name, b->name);
}

struct ini_report *ini_report_new(const struct ini_section *sections, size_t n_sections)
{
	struct ini_report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->sections = sections;
	report->n_sections = n_sections;
	return report;
}

static void ini_instance_free(struct ini_instance *instance)
{
	if (!instance)
		return;
	for (size_t idx = 0; instance->places && idx < instance->section->n_keys; idx++)
		free(instance->places[idx].value);
	free(instance->places);
	free(instance->name);
	free(instance);
}

static void ini_lines_clear(struct ini_lines *lines)
{
	for (size_t idx = 0; idx < ARRAY_LEN(lines->lines); idx++)
		free(lines->lines[idx]);
}

static void ini_keep(void *node)
{
}

struct ini_report *ini_report_free(struct ini_report *report)
{
	if (!report)
		return NULL;
	tdestroy(report->tree, ini_keep);
	for (size_t idx = 0; idx < report->n_instances; idx++)
		ini_instance_free(report->instances[idx]);
	free(report->instances);
	for (size_t idx = 0; idx < report->n_files; idx++)
		free(report->files[idx]);
	free(report->files);
	ini_lines_clear(&report->errors);
	ini_lines_clear(&report->warnings);
	if (report->effective) {
		for (size_t idx = 0; idx < report->effective->n_lines; idx++)
			free(report->effective->lines[idx]);
		free(report->effective->lines);
		free(report->effective);
	}
	free(report);
	return NULL;
}

int ini_report_file(struct ini_report *report, const char *path, size_t *ret_file_idx)
{
	char *copy;

	if (GROW(report->files, report->n_files) < 0)
		return -ENOMEM;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	report->files[report->n_files] = copy;
	*ret_file_idx = report->n_files++;
	return 0;
}

struct ini_instance *ini_report_find(
	const struct ini_report *report, const struct ini_section *section, const char *name)
{
	struct ini_instance wanted = { .section = section, .name = (char *)name };
	void *node = tfind(&wanted, &report->tree, ini_instance_compare);

	return node ? *(struct ini_instance **)node : NULL;
}

struct ini_instance *ini_report_add_instance(struct ini_report *report,
	const struct ini_section *section, const char *name, void *target)
{
	struct ini_instance *instance;

	if (GROW(report->instances, report->n_instances) < 0)
		return NULL;
	instance = calloc(1, sizeof(*instance));
	if (!instance)
		return NULL;
	instance->section = section;
	instance->target = target;
	instance->name = name ? strdup(name) : NULL;
	instance->places = calloc(section->n_keys + 1, sizeof(*instance->places));
	if ((name && !instance->name) || !instance->places ||
		!tsearch(instance, &report->tree, ini_instance_compare)) {
		ini_instance_free(instance);
		return NULL;
	}
	report->instances[report->n_instances++] = instance;
	return instance;
}

const char *ini_report_subject(
	const struct ini_section *section, const char *name, char *buffer, size_t size_bytes)
{
	snprintf(buffer, size_bytes, "[%s%s%s]", section->name, name ? " " : "", name ? name : "");
	return buffer;
}

/* A value may hold anything; what is printed on a terminal is one line without control codes. */
static void ini_make_one_line(char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == '\177')
			*at = '?';
}

static _printf_(4, 0) void ini_lines_add(struct ini_lines *lines, const char *place,
	const char *subject, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;
	char *line = NULL;

	lines->n_total++;
	if (lines->n_total > INI_REPORT_MAX) {
		snprintf(lines->rest, sizeof(lines->rest), "and %zu more",
			lines->n_total - INI_REPORT_MAX);
		return;
	}
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return;
	}
	if (asprintf(&line, "%s: %s%s%s", place, subject ? subject : "", subject ? ": " : "",
		    text) < 0)
		return;
	ini_make_one_line(line);
	lines->lines[lines->n_total - 1] = line;
}

static const char *ini_place_format(
	const struct ini_report *report, size_t file_idx, unsigned int line, char *buffer)
{
	const char *file = file_idx < report->n_files ? report->files[file_idx] : "configuration";

	if (line > 0)
		snprintf(buffer, PLACE_BYTES, "%s:%u", file, line);
	else
		snprintf(buffer, PLACE_BYTES, "%s", file);
	return buffer;
}

void ini_report_push(struct ini_report *report, size_t file_idx, unsigned int line,
	const char *subject, const char *format, ...)
{
	char place[PLACE_BYTES];
	va_list args;

	va_start(args, format);
	ini_lines_add(&report->errors, ini_place_format(report, file_idx, line, place), subject,
		format, args);
	va_end(args);
}

/* The place of a key, as far as it is known; NULL where not even the section was written. */
static const struct ini_place *ini_report_place(const struct ini_report *report,
	const char *section, const char *name, const char *key,
	const struct ini_instance **ret_instance)
{
	const struct ini_instance *instance = NULL;

	for (size_t idx = 0; idx < report->n_sections && !instance; idx++)
		if (streq(report->sections[idx].name, section))
			instance = ini_report_find(report, &report->sections[idx], name);
	*ret_instance = instance;
	if (!instance || !key)
		return NULL;
	for (size_t idx = 0; idx < instance->section->n_keys; idx++)
		if (streq(instance->section->keys[idx].name, key))
			return &instance->places[idx];
	return NULL;
}

static _printf_(6, 0) void ini_report_add_at(const struct ini_report *report,
	struct ini_lines *lines, const char *section, const char *name, const char *key,
	const char *format, va_list args)
{
	const struct ini_instance *instance;
	const struct ini_place *place = ini_report_place(report, section, name, key, &instance);
	char subject[SECTION_BYTES], text[PLACE_BYTES];
	size_t file_idx = 0;
	unsigned int line = 0;

	if (place && place->line > 0) {
		file_idx = place->file_idx;
		line = place->line;
	} else if (instance) {
		file_idx = instance->file_idx;
		line = instance->line;
	}
	snprintf(subject, sizeof(subject), "[%s%s%s]", section, name ? " " : "", name ? name : "");
	ini_lines_add(lines, ini_place_format(report, file_idx, line, text), key ? key : subject,
		format, args);
}

void ini_report_add(struct ini_report *report, const char *section, const char *name,
	const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ini_report_add_at(report, &report->errors, section, name, key, format, args);
	va_end(args);
}

void ini_report_warn(struct ini_report *report, const char *section, const char *name,
	const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ini_report_add_at(report, &report->warnings, section, name, key, format, args);
	va_end(args);
}

bool ini_report_is_set(
	const struct ini_report *report, const char *section, const char *name, const char *key)
{
	const struct ini_instance *instance;
	const struct ini_place *place = ini_report_place(report, section, name, key, &instance);

	return place && place->line > 0;
}

static bool ini_place_is_unknown(const struct ini_report *report,
	const struct ini_instance *instance, const struct ini_place *place)
{
	return place->refused ||
		(place->line == 0 && (instance->is_doubtful || report->is_doubtful));
}

bool ini_report_is_unknown(
	const struct ini_report *report, const char *section, const char *name, const char *key)
{
	const struct ini_instance *instance;
	const struct ini_place *place = ini_report_place(report, section, name, key, &instance);

	return !place || ini_place_is_unknown(report, instance, place);
}

const char *ini_report_value(
	const struct ini_report *report, const char *section, const char *name, const char *key)
{
	const struct ini_instance *instance;
	const struct ini_place *place = ini_report_place(report, section, name, key, &instance);

	if (!place || ini_place_is_unknown(report, instance, place))
		return NULL;
	return place->line > 0 ? place->value
			       : instance->section->keys[place - instance->places].default_value;
}

static size_t ini_lines_len(const struct ini_lines *lines)
{
	return MIN(lines->n_total, (size_t)INI_REPORT_MAX + 1);
}

static const char *ini_lines_get(const struct ini_lines *lines, size_t idx)
{
	assert(idx < ini_lines_len(lines));
	if (idx == INI_REPORT_MAX)
		return lines->rest;
	return lines->lines[idx] ? lines->lines[idx] : "out of memory";
}

size_t ini_report_len(const struct ini_report *report)
{
	return ini_lines_len(&report->errors);
}

const char *ini_report_line(const struct ini_report *report, size_t idx)
{
	return ini_lines_get(&report->errors, idx);
}

size_t ini_report_warnings_len(const struct ini_report *report)
{
	return ini_lines_len(&report->warnings);
}

const char *ini_report_warning(const struct ini_report *report, size_t idx)
{
	return ini_lines_get(&report->warnings, idx);
}

static int ini_effective_add(struct ini_effective *effective, const struct ini_instance *instance,
	const struct ini_key *key, const struct ini_place *place)
{
	const char *value = place->line > 0 ? place->value : key->default_value;
	char section[SECTION_BYTES];
	char *line;

	if (!value)
		return 0;
	if (GROW(effective->lines, effective->n_lines) < 0)
		return -ENOMEM;
	ini_report_subject(instance->section, instance->name, section, sizeof(section));
	if (asprintf(&line, "%s %s = %s", section, key->name, value) < 0)
		return -ENOMEM;
	effective->lines[effective->n_lines++] = line;
	return 0;
}

const char *ini_report_effective(struct ini_report *report, size_t idx)
{
	if (!report->effective) {
		report->effective = calloc(1, sizeof(*report->effective));
		if (!report->effective)
			return NULL;
		ARRAY_FOREACH (at, report->instances, report->n_instances) {
			const struct ini_section *section = (*at)->section;

			for (size_t key = 0; key < section->n_keys; key++)
				if (ini_effective_add(report->effective, *at, &section->keys[key],
					    &(*at)->places[key]) < 0)
					return NULL;
		}
	}
	return idx < report->effective->n_lines ? report->effective->lines[idx] : NULL;
}
