/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the files that facts_files.h tells of. Called by facts.c. Judges nothing. */
#include "agent/doctor/facts_files.h"

#include <ctype.h>

#include "common/doctor/files.h"
#include "common/grow.h"

/* Where others put addresses at boot. */
#define FACTS_PLACES \
	"/etc/{rc.local,rc.d/rc.local,network/interfaces,network/interfaces.d/*," \
	"network/if-*.d/*,netplan/*.yaml,sysconfig/network-scripts/ifcfg-*," \
	"systemd/network/*.network,NetworkManager/system-connections/*," \
	"cloud/cloud.cfg.d/*.cfg,init.d/*}"
/* What the scripts of LVS's documentation are called. */
#define FACTS_SCRIPTS "/etc/init.d/{*realserver*,*lvs_real*,*lvs-real*,*lvs*dr*}"

static int facts_add_line(
	struct facts_lines *lines, const char *path, unsigned int number, const char *text)
{
	struct facts_line line = { .number = number };

	if (lines->len >= FACTS_LINES_MAX)
		return 0;
	if (GROW(lines->items, lines->len) < 0)
		return -ENOMEM;
	line.path = strdup(path);
	line.text = strdup(text);
	if (!line.path || !line.text) {
		free(line.path);
		free(line.text);
		return -ENOMEM;
	}
	lines->items[lines->len++] = line;
	return 0;
}

static void facts_clear_lines(struct facts_lines *lines)
{
	ARRAY_FOREACH (line, lines->items, lines->len) {
		free(line->path);
		free(line->text);
	}
	free(lines->items);
	*lines = (struct facts_lines){ 0 };
}

static bool facts_is_comment(const char *text)
{
	return text[0] == '\0' || text[0] == '#' || text[0] == ';';
}

static bool facts_any(const char *text, const struct addr *vips, size_t n_vips)
{
	return true;
}

/* Part of a longer number or name? */
static bool facts_goes_on(char character)
{
	return isalnum((unsigned char)character) || character == '.' || character == ':';
}

/* A VIP as a word of its own, or a real server's script. */
static bool facts_is_leftover(const char *text, const struct addr *vips, size_t n_vips)
{
	char word[ADDR_STRLEN];

	if (strstr(text, "lvs_real") || strstr(text, "realserver"))
		return true;
	ARRAY_FOREACH (vip, vips, n_vips) {
		const char *at = strstr(text, addr_format(vip, word));

		for (; at; at = strstr(at + 1, word))
			if ((at == text || !facts_goes_on(at[-1])) &&
				!facts_goes_on(at[strlen(word)]))
				return true;
	}
	return false;
}

typedef bool facts_line_fn(const char *text, const struct addr *vips, size_t n_vips);

static int facts_add_file(const char *root, const char *path, facts_line_fn *wanted,
	const struct addr *vips, size_t n_vips, struct facts_lines *lines)
{
	_cleanup_free_ char *text = NULL;
	unsigned int number = 0;
	char *cursor, *line;
	int r = files_read(root, path, &text);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	cursor = text;
	r = 0;
	while (r == 0 && (line = files_next_line(&cursor, &number)))
		if (!facts_is_comment(line) && wanted(line, vips, n_vips))
			r = facts_add_line(lines, path, number, line);
	return r;
}

static const char *facts_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int facts_compare_bases(const void *a, const void *b)
{
	return strcmp(facts_base(*(char *const *)a), facts_base(*(char *const *)b));
}

/*
 * By name over all folders, and of one name only that of the first folder (sysctl.d(5)). One that is a link to
 * /dev/null is empty, and so hides the others.
 */
static int facts_read_sysctl(const char *root, struct facts_lines *lines)
{
	static const char *const folders[] = { "/etc/sysctl.d/*.conf", "/run/sysctl.d/*.conf",
		"/usr/local/lib/sysctl.d/*.conf", "/usr/lib/sysctl.d/*.conf",
		"/lib/sysctl.d/*.conf" };
	struct files_list all = { 0 };
	int r = 0;

	for (size_t f = 0; r == 0 && f < ARRAY_LEN(folders); f++) {
		struct files_list list = { 0 };

		r = files_list(root, folders[f], &list);
		for (size_t i = 0; r == 0 && i < list.len; i++) {
			bool hidden = false;

			for (size_t k = 0; k < all.len; k++)
				hidden |=
					streq(facts_base(all.paths[k]), facts_base(list.paths[i]));
			if (hidden)
				continue;
			r = GROW(all.paths, all.len);
			if (r == 0)
				all.paths[all.len++] = TAKE_PTR(list.paths[i]);
		}
		files_list_clear(&list);
	}
	if (all.len > 1)
		qsort(all.paths, all.len, sizeof(*all.paths), facts_compare_bases);
	for (size_t i = 0; r == 0 && i < all.len; i++)
		r = facts_add_file(root, all.paths[i], facts_any, NULL, 0, lines);
	files_list_clear(&all);
	return r;
}

/* A script that may not be executed starts no more. */
static bool facts_is_executable(const char *root, const char *path)
{
	_cleanup_free_ char *full = NULL;

	if (asprintf(&full, "%s%s", root, path) < 0) {
		full = NULL;
		return false;
	}
	return access(full, X_OK) == 0;
}

static int facts_read_leftovers(
	const char *root, const struct addr *vips, size_t n_vips, struct facts_lines *lines)
{
	struct files_list list = { 0 }, scripts = { 0 };
	int r = files_list(root, FACTS_PLACES, &list);

	if (r == 0)
		r = files_list(root, FACTS_SCRIPTS, &scripts);
	for (size_t i = 0; r == 0 && i < scripts.len; i++)
		if (facts_is_executable(root, scripts.paths[i]))
			r = facts_add_line(lines, scripts.paths[i], 0, "");
	for (size_t i = 0; r == 0 && i < list.len; i++) {
		bool is_script =
			strstr(list.paths[i], "/init.d/") || strstr(list.paths[i], "/rc.local");

		if (!is_script || facts_is_executable(root, list.paths[i]))
			r = facts_add_file(
				root, list.paths[i], facts_is_leftover, vips, n_vips, lines);
	}
	files_list_clear(&list);
	files_list_clear(&scripts);
	return r;
}

/* The value of `KEY=VALUE` in a file; false: it is not there. */
static bool facts_find(const char *root, const char *path, const char *key, const char *part)
{
	_cleanup_free_ char *text = NULL;
	unsigned int number = 0;
	char *cursor, *line;

	if (files_read(root, path, &text) < 0)
		return false;
	cursor = text;
	while ((line = files_next_line(&cursor, &number)))
		if (strncmp(line, key, strlen(key)) == 0 && strstr(line + strlen(key), part))
			return true;
	return false;
}

static bool facts_find_in_all(
	const char *root, const char *pattern, const char *key, const char *part)
{
	struct files_list list = { 0 };
	bool found = false;

	if (files_list(root, pattern, &list) < 0)
		return false;
	for (size_t i = 0; !found && i < list.len; i++)
		found = facts_find(root, list.paths[i], key, part);
	files_list_clear(&list);
	return found;
}

static bool facts_network_keeps(const char *root, const char *file, const char *value)
{
	char pattern[2 * FACTS_FILE_BYTES];
	char key[] = "KeepConfiguration=";

	snprintf(pattern, sizeof(pattern), "/{etc,run,usr/lib}/systemd/network/%s.d/*.conf",
		facts_base(file));
	return facts_find(root, file, key, value) || facts_find_in_all(root, pattern, key, value);
}

/* What systemd-networkd says of an interface that it manages: /run/systemd/netif/links/INDEX. */
static void facts_read_networkd(
	const char *root, const struct host_link *loopback, struct facts_files *files)
{
	static const char key[] = "NETWORK_FILE=";
	_cleanup_free_ char *text = NULL;
	char path[FACTS_FILE_BYTES];
	unsigned int number = 0;
	char *cursor, *line;

	snprintf(path, sizeof(path), "/run/systemd/netif/links/%u", loopback->ifindex);
	if (files_read(root, path, &text) < 0)
		return;
	cursor = text;
	while ((line = files_next_line(&cursor, &number)))
		if (strncmp(line, key, strlen(key)) == 0)
			snprintf(files->network_file, sizeof(files->network_file), "%s",
				line + strlen(key));
	if (files->network_file[0])
		files->network_keeps = facts_network_keeps(root, files->network_file, "yes") ||
			facts_network_keeps(root, files->network_file, "static");
}

static void facts_read_networkmanager(
	const char *root, const struct host_link *loopback, struct facts_files *files)
{
	char path[FACTS_FILE_BYTES], part[FACTS_FILE_BYTES];

	snprintf(path, sizeof(path), "/run/NetworkManager/devices/%u", loopback->ifindex);
	snprintf(part, sizeof(part), "interface-name:%s", loopback->name);
	files->is_networkmanagers = facts_find(root, path, "managed=", "true") &&
		!facts_find_in_all(root,
			"/{etc,run,usr/lib}/NetworkManager/{NetworkManager.conf,conf.d/*.conf}",
			"unmanaged-devices", part);
}

int facts_files_read(const char *root, const struct addr *vips, size_t n_vips,
	const struct host_link *loopback, struct facts_files *ret_files)
{
	struct facts_files files = { 0 };
	int r = facts_read_sysctl(root, &files.sysctl);

	if (r == 0)
		r = facts_read_leftovers(root, vips, n_vips, &files.leftovers);
	if (loopback) {
		facts_read_networkd(root, loopback, &files);
		facts_read_networkmanager(root, loopback, &files);
	}
	if (r < 0)
		facts_files_clear(&files);
	else
		*ret_files = files;
	return r;
}

void facts_files_clear(struct facts_files *files)
{
	facts_clear_lines(&files->sysctl);
	facts_clear_lines(&files->leftovers);
	*files = (struct facts_files){ 0 };
}
