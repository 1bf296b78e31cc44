/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped files with a header; see keep_file.h. A file becomes known by rename(), so it is there
 * whole or not at all. Its blocks are allocated before it is mapped: a tmpfs that runs full must
 * not turn into SIGBUS on the packet path. The header is checked against the size of the file before
 * anything is mapped.
 */
#include "lb/state/keep_file.h"

#include <fcntl.h>

bool keep_file_is_ours(const struct stat *status)
{
	return S_ISREG(status->st_mode) && status->st_uid == geteuid() && status->st_nlink == 1 &&
		!(status->st_mode & (S_IRWXG | S_IRWXO));
}

static int file_open(const struct store_directory *directory, const char *name, uint64_t magic,
	struct store_memory *ret_memory)
{
	_cleanup_close_ int fd = -1;
	struct keep_header header;
	struct stat status;

	/* O_NONBLOCK: a FIFO put in its place must not hold us up. */
	fd = openat(directory->fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : -EINVAL;
	if (fstat(fd, &status) < 0 || !keep_file_is_ours(&status) ||
		pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return -EINVAL;
	if (!store_header_fits(&header, directory, magic, (size_t)status.st_size))
		return -EINVAL;
	/* Holes, by whatever means they came, would be allocated under the workers' feet. */
	if (posix_fallocate(fd, 0, status.st_size) != 0)
		return -EINVAL;
	return store_memory_map(fd, (size_t)status.st_size, ret_memory);
}

void keep_file_new_name(const char *name, char *ret_name)
{
	store_name_with(name, KEEP_FILE_NEW_SUFFIX, ret_name);
}

/* Makes NAME.new. */
static int file_new(const struct store_directory *directory, const struct keep_header *header,
	struct store_memory *ret_memory)
{
	_cleanup_close_ int fd = -1;
	char temporary[KEEP_NAME_BYTES];
	int r;

	keep_file_new_name(header->name, temporary);
	(void)unlinkat(directory->fd, temporary, 0);
	fd = openat(directory->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return util_negative_errno();
	/* Not fallocate(2): posix_fallocate() works on every file system. It returns the error. */
	r = -posix_fallocate(fd, 0, (off_t)header->file_bytes);
	if (r == 0)
		r = store_memory_map(fd, header->file_bytes, ret_memory);
	if (r < 0) {
		(void)unlinkat(directory->fd, temporary, 0);
		return r;
	}
	*ret_memory->header = *header;
	return 0;
}

int keep_file_commit(const struct store_directory *directory, const char *name)
{
	char temporary[KEEP_NAME_BYTES];

	keep_file_new_name(name, temporary);
	return store_rename(directory->fd, temporary, name);
}

static int file_commit(const struct store_directory *directory, const struct store_memory *memory)
{
	return keep_file_commit(directory, memory->header->name);
}

static void file_remove(const struct store_directory *directory, const char *name,
	const struct store_memory *memory)
{
	(void)unlinkat(directory->fd, name, 0);
}

static int file_each(const struct store_directory *directory, store_name_fn *fn, void *context)
{
	return store_each_name(directory->fd, fn, context);
}

const struct store keep_file_store = {
	.open = file_open,
	.new = file_new,
	.commit = file_commit,
	.remove = file_remove,
	.each = file_each,
};
