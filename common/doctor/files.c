/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files and lists of them. Called by the doctors' facts. Judges nothing. */
#include "common/doctor/files.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "common/grow.h"
#include "common/read_all.h"

int files_read(const char *root, const char *path, char **ret_text)
{
	_cleanup_free_ char *full = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size_bytes;
	int r;

	if (asprintf(&full, "%s%s", root, path) < 0)
		return -ENOMEM;
	/* A FIFO must not be waited for. */
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return util_negative_errno();
	text = malloc(FILES_TEXT_MAX_BYTES + 1);
	if (!text)
		return -ENOMEM;
	r = read_all(fd, text, FILES_TEXT_MAX_BYTES, &size_bytes);
	if (r < 0)
		return r;
	text[size_bytes] = '\0';
	*ret_text = TAKE_PTR(text);
	return 0;
}

int files_list(const char *root, const char *pattern, struct files_list *ret_list)
{
	_cleanup_free_ char *full = NULL;
	struct files_list list = { 0 };
	glob_t found = { 0 };
	int r = 0;

	if (asprintf(&full, "%s%s", root, pattern) < 0)
		return -ENOMEM;
	if (glob(full, GLOB_BRACE, NULL, &found) == GLOB_NOSPACE)
		r = -ENOMEM;
	for (size_t idx = 0; r == 0 && idx < found.gl_pathc; idx++) {
		char *path = strdup(found.gl_pathv[idx] + strlen(root));

		r = path ? GROW(list.paths, list.len) : -ENOMEM;
		if (r == 0)
			list.paths[list.len++] = path;
		else
			free(path);
	}
	globfree(&found);
	if (r < 0)
		files_list_clear(&list);
	else
		*ret_list = list;
	return r;
}

void files_list_clear(struct files_list *list)
{
	for (size_t idx = 0; idx < list->len; idx++)
		free(list->paths[idx]);
	free(list->paths);
	*list = (struct files_list){ 0 };
}

/* A link that leads nowhere is there, too: glob(3) sees names. */
bool files_exist(const char *root, const char *path)
{
	struct files_list list = { 0 };
	bool exist = files_list(root, path, &list) == 0 && list.len > 0;

	files_list_clear(&list);
	return exist;
}

char *files_next_line(char **cursor, unsigned int *number)
{
	static const char space[] = " \t\r\v\f";
	char *line = *cursor;
	char *end;

	if (*line == '\0')
		return NULL;
	end = line + strcspn(line, "\n");
	*cursor = *end ? end + 1 : end;
	*end = '\0';
	line += strspn(line, space);
	while (end > line && strchr(space, end[-1]))
		*--end = '\0';
	(*number)++;
	return line;
}
