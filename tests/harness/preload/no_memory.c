/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To preload: a file, named by NO_MEMORY, holds a number of eight bytes in this machine's order, which each allocation
 * counts down; the one that makes it 0 gets no memory. At 0 all get theirs. Whoever wrote the number reads from it how
 * many there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What glibc's own names stand for. */
void *__libc_malloc(size_t size_bytes);
void *__libc_calloc(size_t len, size_t each_bytes);
void *__libc_realloc(void *old, size_t size_bytes);
void *__libc_memalign(size_t alignment, size_t size_bytes);

static int64_t *countdown; /* NULL: nothing fails */

__attribute__((__constructor__)) static void map_countdown(void)
{
	const char *path = getenv("NO_MEMORY");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(*countdown), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		countdown = memory;
}

static bool fails(void)
{
	if (!countdown || __atomic_load_n(countdown, __ATOMIC_RELAXED) <= 0 ||
		__atomic_sub_fetch(countdown, 1, __ATOMIC_RELAXED) != 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size_bytes)
{
	return fails() ? NULL : __libc_malloc(size_bytes);
}

void *calloc(size_t len, size_t each_bytes)
{
	return fails() ? NULL : __libc_calloc(len, each_bytes);
}

void *realloc(void *old, size_t size_bytes)
{
	return fails() ? NULL : __libc_realloc(old, size_bytes);
}

void *reallocarray(void *old, size_t len, size_t each_bytes)
{
	size_t size_bytes;

	if (__builtin_mul_overflow(len, each_bytes, &size_bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, size_bytes);
}

void *aligned_alloc(size_t alignment, size_t size_bytes)
{
	return fails() ? NULL : __libc_memalign(alignment, size_bytes);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size_bytes)
{
	void *memory = fails() ? NULL : __libc_memalign(alignment, size_bytes);

	if (!memory)
		return ENOMEM;
	*ret_memory = memory;
	return 0;
}
