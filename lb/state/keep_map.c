/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Array maps with a header; see keep_map.h. How the next process finds them:
 *
 * Pinned, where DIR/bpf is a bpffs: under its name, put there by rename, judged as a file is.
 *
 * By their headers, where it is not: a map lives on while an attached program or a map of maps
 * refers to it, and who may walk all maps of the kernel (CAP_SYS_ADMIN) finds it by the `home`
 * that it carries, a secret of the directory. The newest of a name wins.
 *
 * The magic is written when a map is committed and erased when it is removed, so that neither a
 * half-made map nor one that a program still holds is taken for a kept one.
 */
#include "lb/state/keep_map.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* bpffs wants no dots in names (kernel/bpf/inode.c:bpf_lookup). */
#define PINS_NEW_SUFFIX "-new"
#define PIN_PATH_BYTES  (KEEP_NAME_BYTES + 32u)

struct keep_map_found {
	int fd;
	char name[KEEP_NAME_BYTES];
};

static const struct kind {
	uint64_t magic;
	const char *map_name;
	uint32_t value_bytes;
} kinds[] = {
	{ KEEP_FLOWS_MAGIC, KEEP_MAP_FLOWS_NAME, KEEP_MAP_FLOWS_VALUE_BYTES },
	{ KEEP_ROWS_MAGIC, KEEP_MAP_ROWS_NAME, KEEP_MAP_ROWS_VALUE_BYTES },
};

/* ---- bpf(2) ---- */

static int call_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? util_negative_errno() : (int)r;
}

static int map_create(const char *name, uint32_t value_bytes, uint32_t n_entries)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = value_bytes;
	attr.max_entries = n_entries;
	attr.map_flags = BPF_F_MMAPABLE;
	snprintf(attr.map_name, sizeof(attr.map_name), "%s", name);
	return call_bpf(BPF_MAP_CREATE, &attr);
}

static int map_info(int fd, struct bpf_map_info *ret_info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	memset(ret_info, 0, sizeof(*ret_info));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*ret_info);
	attr.info.info = (uintptr_t)ret_info;
	return call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int map_next_id(uint32_t *id)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.start_id = *id;
	r = call_bpf(BPF_MAP_GET_NEXT_ID, &attr);
	if (r == 0)
		*id = attr.next_id;
	return r;
}

static int map_by_id(uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_id = id;
	return call_bpf(BPF_MAP_GET_FD_BY_ID, &attr);
}

/* bpf(2) takes paths from a directory's descriptor only since 6.5; /proc does for all. */
static int pin_call(
	enum bpf_cmd command, const struct store_directory *directory, const char *name, int fd)
{
	char path[PIN_PATH_BYTES];
	union bpf_attr attr;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", directory->pins_fd, name);
	memset(&attr, 0, sizeof(attr));
	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = (uint32_t)fd;
	return call_bpf(command, &attr);
}

/* ---- judging ---- */

static const struct kind *kind_of(uint64_t magic)
{
	ARRAY_FOREACH (kind, kinds, ARRAY_LEN(kinds))
		if (kind->magic == magic)
			return kind;
	return NULL;
}

static bool has_shape(const struct kind *kind, const struct bpf_map_info *info)
{
	return info->type == BPF_MAP_TYPE_ARRAY && info->key_size == sizeof(uint32_t) &&
		info->value_size == kind->value_bytes && info->map_flags == BPF_F_MMAPABLE &&
		strncmp(info->name, kind->map_name, sizeof(info->name)) == 0 &&
		(uint64_t)info->max_entries * kind->value_bytes >= KEEP_HEADER_BYTES;
}

static size_t size_of(const struct bpf_map_info *info)
{
	return (size_t)info->max_entries * info->value_size;
}

static bool is_kept(const struct keep_header *header, const struct store_directory *directory,
	const struct kind *kind, const struct bpf_map_info *info)
{
	return store_header_fits(header, directory, kind->magic, size_of(info)) &&
		header->home == directory->home && memchr(header->name, '\0', KEEP_NAME_BYTES);
}

/* `fd` stays the caller's. */
static int map_map(const struct store_directory *directory, int fd, uint64_t magic,
	struct store_memory *ret_memory)
{
	const struct kind *kind = kind_of(magic);
	struct store_memory memory;
	struct bpf_map_info info;

	/* What is pinned may be no map at all: its information has no such shape, or no memory. */
	if (map_info(fd, &info) < 0 || !has_shape(kind, &info) ||
		store_memory_map(fd, size_of(&info), &memory) < 0)
		return -EINVAL;
	if (!is_kept(memory.header, directory, kind, &info)) {
		store_memory_unmap(&memory);
		return -EINVAL;
	}
	memory.magic = magic;
	*ret_memory = memory;
	return 0;
}

/* ---- pins ---- */

/* Pinned by us or by root, and no others may write to it. */
static bool pin_is_ours(const struct stat *status)
{
	return S_ISREG(status->st_mode) && (status->st_uid == geteuid() || status->st_uid == 0) &&
		!(status->st_mode & (S_IRWXG | S_IRWXO));
}

static int pin_open(const struct store_directory *directory, const char *name)
{
	struct stat status;
	int fd;

	if (fstatat(directory->pins_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENOENT : -EINVAL;
	if (!pin_is_ours(&status))
		return -EINVAL;
	fd = pin_call(BPF_OBJ_GET, directory, name, 0);
	return fd < 0 ? -EINVAL : fd;
}

static int pin_commit(const struct store_directory *directory, const struct store_memory *memory)
{
	char temporary[KEEP_NAME_BYTES];
	int r;

	store_name_with(memory->header->name, PINS_NEW_SUFFIX, temporary);
	(void)unlinkat(directory->pins_fd, temporary, 0);
	r = pin_call(BPF_OBJ_PIN, directory, temporary, memory->map_fd);
	if (r < 0)
		return r;
	r = store_rename(directory->pins_fd, temporary, memory->header->name);
	if (r < 0)
		(void)unlinkat(directory->pins_fd, temporary, 0);
	return r;
}

/* What was left half made. */
static void pin_tidy(const char *name, void *context)
{
	const struct store_directory *directory = context;
	size_t len = strlen(name);

	if (len > strlen(PINS_NEW_SUFFIX) &&
		streq(name + len - strlen(PINS_NEW_SUFFIX), PINS_NEW_SUFFIX))
		(void)unlinkat(directory->pins_fd, name, 0);
}

/* ---- maps without a pin ---- */

static struct keep_map_found *found_find(const struct store_directory *directory, const char *name)
{
	ARRAY_FOREACH (found, directory->found, directory->n_found)
		if (streq(found->name, name))
			return found;
	return NULL;
}

/* Ids grow: what comes later is newer. Takes `fd` on success. */
static int found_add(struct store_directory *directory, int *fd, const char *name)
{
	struct keep_map_found *found = found_find(directory, name);

	if (found) {
		util_close(found->fd);
		found->fd = TAKE_FD(*fd);
		return 0;
	}
	found = reallocarray(directory->found, directory->n_found + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	directory->found = found;
	found += directory->n_found++;
	found->fd = TAKE_FD(*fd);
	snprintf(found->name, sizeof(found->name), "%s", name);
	return 0;
}

/* A copy of the header, if the map is one of ours. */
static bool found_judge(
	const struct store_directory *directory, int fd, struct keep_header *ret_header)
{
	struct bpf_map_info info;

	if (map_info(fd, &info) < 0)
		return false;
	ARRAY_FOREACH (kind, kinds, ARRAY_LEN(kinds)) {
		const struct keep_header *header;

		if (!has_shape(kind, &info))
			continue;
		header = mmap(NULL, KEEP_HEADER_BYTES, PROT_READ, MAP_SHARED, fd, 0);
		if (header == MAP_FAILED)
			continue;
		*ret_header = *header;
		munmap((void *)header, KEEP_HEADER_BYTES);
		return is_kept(ret_header, directory, kind, &info);
	}
	return false;
}

static int found_look(struct store_directory *directory, uint32_t id)
{
	_cleanup_close_ int fd = map_by_id(id);
	struct keep_header header;

	if (fd == -ENOENT) /* freed meanwhile */
		return 0;
	if (fd < 0)
		return fd;
	if (!found_judge(directory, fd, &header))
		return 0;
	return found_add(directory, &fd, header.name);
}

static int found_scan(struct store_directory *directory)
{
	uint32_t id = 0;
	int r = 0;

	while (r == 0 && (r = map_next_id(&id)) == 0)
		r = found_look(directory, id);
	/* The end; a kernel without bpf(2); or we may not look, and have nothing. */
	return r == -ENOENT || r == -ENOSYS || r == -EPERM || r == -EINVAL ? 0 : r;
}

static int found_open(const struct store_directory *directory, const char *name)
{
	const struct keep_map_found *found = found_find(directory, name);
	int fd;

	if (!found)
		return -ENOENT;
	fd = fcntl(found->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? util_negative_errno() : fd;
}

static void found_remove(const struct store_directory *directory, const char *name)
{
	const struct keep_map_found *found = found_find(directory, name);
	struct store_memory memory;

	if (!found || store_memory_map(found->fd, KEEP_HEADER_BYTES, &memory) < 0)
		return;
	memory.header->magic = 0;
	store_memory_unmap(&memory);
}

/* ---- the store ---- */

static int map_open(const struct store_directory *directory, const char *name, uint64_t magic,
	struct store_memory *ret_memory)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = directory->pins_fd >= 0 ? pin_open(directory, name) : found_open(directory, name);
	if (fd < 0)
		return fd;
	r = map_map(directory, fd, magic, ret_memory);
	if (r == 0)
		ret_memory->map_fd = TAKE_FD(fd);
	return r;
}

static int map_new(const struct store_directory *directory, const struct keep_header *header,
	struct store_memory *ret_memory)
{
	const struct kind *kind = kind_of(header->magic);
	_cleanup_close_ int fd = -1;
	int r;

	if (header->file_bytes / kind->value_bytes > UINT32_MAX)
		return -EFBIG;
	fd = map_create(kind->map_name, kind->value_bytes,
		(uint32_t)(header->file_bytes / kind->value_bytes));
	if (fd < 0)
		return fd;
	r = store_memory_map(fd, header->file_bytes, ret_memory);
	if (r < 0)
		return r;
	ret_memory->map_fd = TAKE_FD(fd);
	*ret_memory->header = *header;
	ret_memory->header->magic = 0;
	ret_memory->magic = header->magic;
	return 0;
}

static int map_commit(const struct store_directory *directory, const struct store_memory *memory)
{
	int r;

	FWD_PUBLISH(&memory->header->magic, memory->magic);
	if (directory->pins_fd < 0)
		return 0;
	r = pin_commit(directory, memory);
	if (r < 0)
		memory->header->magic = 0;
	return r;
}

static void map_remove(const struct store_directory *directory, const char *name,
	const struct store_memory *memory)
{
	if (directory->pins_fd >= 0)
		(void)unlinkat(directory->pins_fd, name, 0);
	if (memory)
		memory->header->magic = 0;
	else
		found_remove(directory, name);
}

static int map_each(const struct store_directory *directory, store_name_fn *fn, void *context)
{
	if (directory->pins_fd >= 0)
		return store_each_name(directory->pins_fd, fn, context);
	ARRAY_FOREACH (found, directory->found, directory->n_found)
		fn(found->name, context);
	return 0;
}

const struct store keep_map_store = {
	.open = map_open,
	.new = map_new,
	.commit = map_commit,
	.remove = map_remove,
	.each = map_each,
};

/* ---- start and end ---- */

int keep_map_try(struct why *ret_why)
{
	_cleanup_close_ int fd =
		map_create(kinds[0].map_name, kinds[0].value_bytes, KEEP_MAP_FLOWS_FIRST);
	struct store_memory memory;
	int r = fd;

	if (fd >= 0)
		r = store_memory_map(fd, KEEP_HEADER_BYTES, &memory);
	if (r >= 0) {
		store_memory_unmap(&memory);
		return 0;
	}
	if (r == -EPERM)
		why_set(ret_why,
			"no array map: CAP_BPF and CAP_PERFMON are missing (before "
			"Linux 5.8 CAP_SYS_ADMIN; before 5.11 RLIMIT_MEMLOCK counts)");
	else if (r == -EINVAL)
		why_set(ret_why, "no array map that can be mapped: this takes Linux 5.5");
	else
		why_set(ret_why, "no array map: %s", strerror(-r));
	return r;
}

/* The directory of pins, or -1. */
static int open_pins(int directory_fd)
{
	_cleanup_close_ int fd = -1;
	struct statfs status;

	fd = openat(directory_fd, KEEP_PINS_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &status) < 0 || status.f_type != BPF_FS_MAGIC ||
		faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return -1;
	return TAKE_FD(fd);
}

int keep_map_start(struct store_directory *directory)
{
	directory->pins_fd = open_pins(directory->fd);
	if (directory->pins_fd < 0)
		return found_scan(directory);
	return store_each_name(directory->pins_fd, pin_tidy, directory);
}

void keep_map_forget(struct store_directory *directory)
{
	ARRAY_FOREACH (found, directory->found, directory->n_found)
		util_close(found->fd);
	free(directory->found);
	directory->found = NULL;
	directory->n_found = 0;
}

void keep_map_end(struct store_directory *directory)
{
	keep_map_forget(directory);
	directory->pins_fd = util_close(directory->pins_fd);
}

int keep_map_loads(struct store_memory *ret_memory)
{
	_cleanup_close_ int fd =
		map_create(KEEP_MAP_LOADS_NAME, sizeof(struct fwd_load), FWD_LOADS);
	int r;

	if (fd < 0)
		return fd;
	r = store_memory_map(fd, FWD_LOADS * sizeof(struct fwd_load), ret_memory);
	if (r == 0)
		ret_memory->map_fd = TAKE_FD(fd);
	return r;
}
