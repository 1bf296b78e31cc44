/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files make a configuration, in which order, and what is checked when all are read.
 * common/ini/ini_reader.c reads each of them.
 */
#include "common/ini/ini.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/ini/ini_reader.h"

/* /dev/null masks a file of conf.d (Documentation/admin-guide/devices.txt: major 1, minor 3). */
static bool ini_is_endless(const struct stat *status)
{
	return S_ISBLK(status->st_mode) ||
		(S_ISCHR(status->st_mode) && status->st_rdev != makedev(1, 3));
}

/*
 * A file, or a pipe with what is written to it; NULL with what is wrong. Nobody may write to a pipe, and a
 * device may never end: a daemon that reloads must wait for neither.
 */
static FILE *ini_open(const char *path, const char **ret_wrong)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	FILE *stream;

	if (fd < 0 || fstat(fd, &status) < 0) {
		*ret_wrong = fd < 0 && errno == ENOENT
			? "No such file or directory; write it, or name another with --config"
			: strerrordesc_np(errno);
		return NULL;
	}
	if (ini_is_endless(&status)) {
		*ret_wrong = "it is a device";
		return NULL;
	}
	stream = fcntl(fd, F_SETFL, 0) < 0 ? NULL : fdopen(fd, "r");
	if (stream)
		(void)TAKE_FD(fd);
	else
		*ret_wrong = strerrordesc_np(errno);
	return stream;
}

static int ini_read_file(struct ini_loader *loader, const char *path, bool *ret_opened)
{
	_cleanup_fclose_ FILE *stream = NULL;
	const char *wrong = NULL;
	size_t file_idx;
	int r;

	r = ini_report_file(loader->report, path, &file_idx);
	if (r < 0)
		return r;
	errno = 0;
	stream = ini_open(path, &wrong);
	*ret_opened = stream != NULL;
	if (!stream) {
		if (errno == ENOMEM)
			return -ENOMEM;
		ini_report_push(loader->report, file_idx, 0, NULL, "cannot open: %s", wrong);
		loader->report->is_doubtful = true;
		return 0;
	}
	return ini_reader_run(loader, stream, file_idx);
}

static int ini_is_conf(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && streq(dot, ".conf");
}

/* By bytes, not by the locale: the order of files decides what is in effect. */
static int ini_name_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int ini_read_entries(
	struct ini_loader *loader, const char *directory, struct dirent **entries, size_t n_entries)
{
	bool opened;
	int r;

	if (n_entries > INI_FILES_MAX) {
		ini_report_push(loader->report, 0, 0, NULL,
			"%s holds %zu files; at most %u are read", directory, n_entries,
			INI_FILES_MAX);
		n_entries = INI_FILES_MAX;
		loader->report->is_doubtful = true;
	}
	for (size_t idx = 0; idx < n_entries; idx++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", directory, entries[idx]->d_name) < 0)
			return -ENOMEM;
		r = ini_read_file(loader, path, &opened);
		if (r < 0)
			return r;
	}
	return 0;
}

/* conf.d beside the main file; that it is not there is the usual case. */
static int ini_read_directory(struct ini_loader *loader, const char *main_path)
{
	const char *slash = strrchr(main_path, '/');
	_cleanup_free_ char *directory = NULL;
	struct dirent **entries = NULL;
	int n_entries, r;

	if (asprintf(&directory, "%.*sconf.d", slash ? (int)(slash - main_path + 1) : 0,
		    main_path) < 0)
		return -ENOMEM;
	n_entries = scandir(directory, &entries, ini_is_conf, ini_name_order);
	if (n_entries < 0) {
		if (errno == ENOMEM)
			return -ENOMEM;
		if (errno != ENOENT) {
			ini_report_push(loader->report, 0, 0, NULL, "cannot open %s: %s", directory,
				strerrordesc_np(errno));
			loader->report->is_doubtful = true;
		}
		return 0;
	}
	r = ini_read_entries(loader, directory, entries, (size_t)n_entries);
	for (int idx = 0; idx < n_entries; idx++)
		free(entries[idx]);
	free(entries);
	return r;
}

/* Sections without a name exist whether or not a file has them: defaults, required keys. */
static int ini_begin(struct ini_loader *loader)
{
	struct ini_report *report = loader->report;

	ARRAY_FOREACH (section, report->sections, report->n_sections) {
		if (!section->named)
			ini_reader_open(loader, section, NULL);
		if (loader->error < 0)
			return loader->error;
	}
	return 0;
}

static int ini_finish_instance(struct ini_report *report, const struct ini_instance *instance)
{
	const struct ini_section *section = instance->section;
	char subject[INI_SUBJECT_BYTES];
	int r;

	ini_report_subject(section, instance->name, subject, sizeof(subject));
	for (size_t idx = 0; idx < section->n_keys; idx++) {
		const struct ini_key *key = &section->keys[idx];

		if (instance->places[idx].line > 0)
			continue;
		if (key->flags & INI_REQUIRED)
			ini_report_push(report, instance->file_idx, instance->line, key->name,
				"missing in %s; write %s = %s", subject, key->name,
				key->doc ? key->doc : "VALUE");
		if (!key->default_value || !(key->flags & INI_LIST))
			continue;
		r = ini_reader_default(key, instance->target);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ini_finish(struct ini_loader *loader, struct ini_report **ret_report)
{
	struct ini_report *report = loader->report;
	int r;

	ARRAY_FOREACH (instance, report->instances, report->n_instances) {
		r = ini_finish_instance(report, *instance);
		if (r < 0)
			return r;
	}
	*ret_report = report;
	return ini_report_len(report) > 0 ? -EINVAL : 0;
}

static int ini_load_files(
	struct ini_loader *loader, const char *path, struct ini_report **ret_report)
{
	bool opened;
	int r;

	r = ini_begin(loader);
	if (r < 0)
		return r;
	r = ini_read_file(loader, path, &opened);
	if (r < 0)
		return r;
	if (!opened) { /* What it would have held is not worth a list of its own. */
		*ret_report = loader->report;
		return -EINVAL;
	}
	r = ini_read_directory(loader, path);
	if (r < 0)
		return r;
	return ini_finish(loader, ret_report);
}

int ini_load(const char *path, const struct ini_section *sections, size_t n_sections, void *context,
	struct ini_report **ret_report)
{
	struct ini_loader loader = { .context = context };
	int r;

	loader.report = ini_report_new(sections, n_sections);
	if (!loader.report)
		return -ENOMEM;
	r = ini_load_files(&loader, path, ret_report);
	if (r == -ENOMEM)
		ini_report_free(loader.report);
	return r;
}

static int ini_load_stream(
	struct ini_loader *loader, const char *name, FILE *stream, struct ini_report **ret_report)
{
	size_t file_idx;
	int r;

	r = ini_report_file(loader->report, name, &file_idx);
	if (r < 0)
		return r;
	r = ini_begin(loader);
	if (r < 0)
		return r;
	r = ini_reader_run(loader, stream, file_idx);
	if (r < 0)
		return r;
	return ini_finish(loader, ret_report);
}

int ini_load_text(const char *name, const char *text, size_t size_bytes,
	const struct ini_section *sections, size_t n_sections, void *context,
	struct ini_report **ret_report)
{
	struct ini_loader loader = { .context = context };
	_cleanup_fclose_ FILE *stream = NULL;
	int r;

	/* "r" never writes; fmemopen() has one type for both directions. */
	stream = fmemopen((void *)text, size_bytes, "r");
	if (!stream)
		return -ENOMEM;
	loader.report = ini_report_new(sections, n_sections);
	if (!loader.report)
		return -ENOMEM;
	r = ini_load_stream(&loader, name, stream, ret_report);
	if (r == -ENOMEM)
		ini_report_free(loader.report);
	return r;
}
