/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapped files with a header; see keep_file.h. */
#include "lb/keep_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "lb/keep.h"

/* Where the kernel does not say, every boot looks alike: as good as tmpfs makes it. */
void keep_file_read_boot(char ret_boot[KEEP_FILE_BOOT_BYTES])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(ret_boot, 0, KEEP_FILE_BOOT_BYTES);
	if (fd >= 0 && read(fd, ret_boot, KEEP_FILE_BOOT_BYTES - 1) < 0)
		memset(ret_boot, 0, KEEP_FILE_BOOT_BYTES);
}

void keep_file_unmap(struct keep_file_map *map)
{
	if (map->header)
		munmap(map->header, map->size_bytes);
	*map = (struct keep_file_map){ 0 };
}

static int map_fd(int fd, size_t size_bytes, struct keep_file_map *ret_map)
{
	void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return util_negative_errno();
	*ret_map = (struct keep_file_map){ memory, size_bytes };
	return 0;
}

bool keep_file_is_ours(const struct stat *status)
{
	return S_ISREG(status->st_mode) && status->st_uid == geteuid() && status->st_nlink == 1 &&
		!(status->st_mode & (S_IRWXG | S_IRWXO));
}

int keep_file_open(const struct keep_file_directory *directory, const char *name, uint64_t magic,
	struct keep_file_map *ret_map)
{
	_cleanup_close_ int fd = -1;
	struct keep_file_header header;
	struct stat status;

	/* O_NONBLOCK: a FIFO put in its place must not hold us up. */
	fd = openat(directory->fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : -EINVAL;
	if (fstat(fd, &status) < 0 || !keep_file_is_ours(&status) ||
		pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return -EINVAL;
	if (header.magic != magic || header.layout != KEEP_LAYOUT ||
		header.header_bytes != KEEP_FILE_HEADER_BYTES ||
		header.file_bytes != (uint64_t)status.st_size || header.file_bytes > SIZE_MAX / 2 ||
		header.file_bytes < KEEP_FILE_HEADER_BYTES ||
		memcmp(header.boot, directory->boot, sizeof(header.boot)) != 0)
		return -EINVAL;
	/* Holes, by whatever means they came, would be allocated under the workers' feet. */
	if (posix_fallocate(fd, 0, status.st_size) != 0)
		return -EINVAL;
	return map_fd(fd, (size_t)status.st_size, ret_map);
}

void keep_file_temporary_name(const char *name, char *ret_name)
{
	snprintf(ret_name, KEEP_FILE_NAME_BYTES, "%s" KEEP_FILE_NEW_SUFFIX, name);
}

int keep_file_new(const struct keep_file_directory *directory, const char *name,
	const struct keep_file_header *header, struct keep_file_map *ret_map)
{
	_cleanup_close_ int fd = -1;
	char temporary[KEEP_FILE_NAME_BYTES];
	int r;

	keep_file_temporary_name(name, temporary);
	(void)unlinkat(directory->fd, temporary, 0);
	fd = openat(directory->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return util_negative_errno();
	/* Not fallocate(2): posix_fallocate() works on every file system. It returns the error. */
	r = -posix_fallocate(fd, 0, (off_t)header->file_bytes);
	if (r == 0)
		r = map_fd(fd, header->file_bytes, ret_map);
	if (r < 0) {
		(void)unlinkat(directory->fd, temporary, 0);
		return r;
	}
	*ret_map->header = *header;
	return 0;
}

int keep_file_publish(const struct keep_file_directory *directory, const char *name)
{
	char temporary[KEEP_FILE_NAME_BYTES];

	keep_file_temporary_name(name, temporary);
	if (renameat(directory->fd, temporary, directory->fd, name) == 0)
		return 0;
	/* rename() does not replace a directory: whoever put one there cannot keep us out. */
	if (errno != EISDIR || unlinkat(directory->fd, name, AT_REMOVEDIR) < 0 ||
		renameat(directory->fd, temporary, directory->fd, name) < 0)
		return util_negative_errno();
	return 0;
}

struct keep_file_header keep_file_header_make(
	const struct keep_file_directory *directory, uint64_t magic, size_t body_bytes)
{
	struct keep_file_header header = {
		.magic = magic,
		.layout = KEEP_LAYOUT,
		.header_bytes = KEEP_FILE_HEADER_BYTES,
		.file_bytes = KEEP_FILE_HEADER_BYTES + body_bytes,
	};

	memcpy(header.boot, directory->boot, sizeof(header.boot));
	return header;
}
