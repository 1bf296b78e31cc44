/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both kinds of kept memory have in common; see store.h. */
#include "lb/state/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

struct keep_header store_header_make(const struct store_directory *directory, uint64_t magic,
	const char *name, size_t body_bytes)
{
	struct keep_header header = {
		.magic = magic,
		.layout = KEEP_LAYOUT,
		.header_bytes = KEEP_HEADER_BYTES,
		.file_bytes = KEEP_HEADER_BYTES + body_bytes,
		.home = directory->home,
	};

	memcpy(header.boot, directory->boot, sizeof(header.boot));
	snprintf(header.name, sizeof(header.name), "%s", name);
	return header;
}

bool store_header_fits(const struct keep_header *header, const struct store_directory *directory,
	uint64_t magic, size_t size_bytes)
{
	return header->magic == magic && header->layout == KEEP_LAYOUT &&
		header->header_bytes == KEEP_HEADER_BYTES && header->file_bytes == size_bytes &&
		header->file_bytes <= SIZE_MAX / 2 && header->file_bytes >= KEEP_HEADER_BYTES &&
		memcmp(header->boot, directory->boot, sizeof(header->boot)) == 0;
}

int store_memory_map(int fd, size_t size_bytes, struct store_memory *ret_memory)
{
	void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return util_negative_errno();
	*ret_memory = (struct store_memory){ memory, size_bytes, -1, 0 };
	return 0;
}

void store_memory_unmap(struct store_memory *memory)
{
	if (!memory->header)
		return;
	munmap(memory->header, memory->size_bytes);
	util_close(memory->map_fd);
	*memory = (struct store_memory){ .map_fd = -1 };
}

void store_name_with(const char *name, const char *suffix, char *ret_name)
{
	snprintf(ret_name, KEEP_NAME_BYTES, "%.*s%s", (int)(KEEP_NAME_BYTES - 1 - strlen(suffix)),
		name, suffix);
}

int store_each_name(int fd, store_name_fn *fn, void *context)
{
	/* Of our own: a duplicate would share the position with `fd`. */
	int own_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *directory;

	if (own_fd < 0)
		return util_negative_errno();
	directory = fdopendir(own_fd);
	if (!directory) {
		int r = util_negative_errno();

		util_close(own_fd);
		return r;
	}
	while ((entry = readdir(directory)))
		fn(entry->d_name, context);
	closedir(directory);
	return 0;
}

int store_rename(int fd, const char *from, const char *to)
{
	if (renameat(fd, from, fd, to) == 0)
		return 0;
	/* rename() does not replace a directory: whoever put one there cannot keep us out. */
	if (errno != EISDIR || unlinkat(fd, to, AT_REMOVEDIR) < 0 || renameat(fd, from, fd, to) < 0)
		return util_negative_errno();
	return 0;
}
