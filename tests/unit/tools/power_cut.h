/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file layer that tears and reorders: the system calls by which a function changes a directory are recorded (ptrace(2)), and
 * then the directory is made as a power cut may leave it after any of them. What was not synced may be there, be absent, end at
 * any sector, or have zeros for sectors; names that were not synced with their directory may have changed or not, each for
 * itself. Header only; Linux with PTRACE_GET_SYSCALL_INFO (5.3).
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/unit/tools/temp_dir.h"

#define CUT_OPS_MAX    256u
#define CUT_FILES_MAX  32u
#define CUT_FDS_MAX    256u
#define CUT_BYTES_MAX  16384u /* of a file */
#define CUT_SECTOR     512u
#define CUT_NAME_BYTES 64u

enum cut_kind {
	CUT_CREATE,
	CUT_WRITE,
	CUT_TRUNCATE,
	CUT_SYNC,
	CUT_RENAME,
	CUT_LINK,
	CUT_UNLINK,
	CUT_SYNC_DIRECTORY
};

struct cut_op {
	enum cut_kind kind;
	unsigned int file; /* CUT_CREATE, CUT_WRITE, CUT_TRUNCATE, CUT_SYNC */
	char name[CUT_NAME_BYTES], to[CUT_NAME_BYTES];
	size_t at, size_bytes;
	uint8_t *data;
};

struct cut_file {
	uint8_t data[CUT_BYTES_MAX];
	size_t size_bytes;
};

/* Which file each name is; 0: none. */
struct cut_names {
	char name[CUT_FILES_MAX][CUT_NAME_BYTES];
	unsigned int file[CUT_FILES_MAX];
};

struct power_cut {
	char directory[TEMP_DIR_BYTES];
	struct cut_op ops[CUT_OPS_MAX];
	size_t n_ops;
	struct cut_file before[CUT_FILES_MAX]; /* from 1 on */
	unsigned int n_files;
	struct cut_names names_before, names_now;
	size_t sizes_now[CUT_FILES_MAX];
	int fd_file[CUT_FDS_MAX]; /* 0: none of ours; -1: the directory */
	bool fd_appends[CUT_FDS_MAX];
	size_t fd_at[CUT_FDS_MAX];
	size_t n_worlds;
};

static inline unsigned int *cut_file_of(struct cut_names *names, const char *name, bool make)
{
	for (unsigned int i = 0; i < CUT_FILES_MAX; i++)
		if (names->name[i][0] && streq(names->name[i], name))
			return &names->file[i];
	for (unsigned int i = 0; make && i < CUT_FILES_MAX; i++)
		if (!names->name[i][0]) {
			snprintf(names->name[i], CUT_NAME_BYTES, "%.63s", name);
			return &names->file[i];
		}
	return NULL;
}

static inline unsigned int cut_look(struct cut_names *names, const char *name)
{
	const unsigned int *file = cut_file_of(names, name, false);

	return file ? *file : 0;
}

/* What changes names, on any state of them. */
static inline void cut_apply_name(struct cut_names *names, const struct cut_op *op)
{
	unsigned int file = cut_look(names, op->name);

	if (op->kind == CUT_CREATE)
		*cut_file_of(names, op->name, true) = op->file;
	else if (file != 0 && op->kind != CUT_UNLINK)
		*cut_file_of(names, op->to, true) = file;
	if (file != 0 && (op->kind == CUT_UNLINK || op->kind == CUT_RENAME))
		*cut_file_of(names, op->name, false) = 0;
}

/* ---- recording ---- */

static inline struct cut_op *cut_add(struct power_cut *cut, enum cut_kind kind)
{
	struct cut_op *op = &cut->ops[cut->n_ops++];

	assert_true(cut->n_ops <= CUT_OPS_MAX);
	op->kind = kind;
	return op;
}

static inline void cut_peek(pid_t pid, uint64_t from, void *ret_data, size_t size_bytes)
{
	struct iovec here = { ret_data, size_bytes },
		     there = { (void *)(uintptr_t)from, size_bytes };

	assert_int_equal(process_vm_readv(pid, &here, 1, &there, 1, 0), size_bytes);
}

/* The path's name in the directory; false: it is elsewhere. */
static inline bool cut_name(const struct power_cut *cut, pid_t pid, int at, uint64_t from,
	char ret_name[CUT_NAME_BYTES])
{
	size_t len = strlen(cut->directory);
	char path[256] = "";
	const char *name = path;

	for (size_t i = 0; i + 1 < sizeof(path); i++) {
		cut_peek(pid, from + i, &path[i], 1);
		if (!path[i])
			break;
	}
	if (strncmp(path, cut->directory, len) == 0 && (path[len] == '/' || !path[len]))
		name = path + len + (path[len] == '/');
	else if (path[0] == '/' || at < 0 || at >= (int)CUT_FDS_MAX || cut->fd_file[at] != -1)
		return false;
	assert_null(strchr(name, '/'));
	assert_in_range(strlen(name), 0, CUT_NAME_BYTES - 1);
	memcpy(ret_name, name, strlen(name) + 1);
	return true;
}

static inline void cut_record_open(struct power_cut *cut, pid_t pid, const uint64_t *args, int fd)
{
	char name[CUT_NAME_BYTES];
	unsigned int file;
	struct cut_op *op;

	assert_in_range(fd, 0, CUT_FDS_MAX - 1);
	cut->fd_file[fd] = 0;
	if (!cut_name(cut, pid, (int)args[0], args[1], name))
		return;
	if (!name[0] || streq(name, ".")) {
		cut->fd_file[fd] = -1;
		return;
	}
	file = cut_look(&cut->names_now, name);
	if (file == 0) {
		file = ++cut->n_files;
		assert_in_range(file, 1, CUT_FILES_MAX - 1);
		op = cut_add(cut, CUT_CREATE);
		op->file = file;
		snprintf(op->name, sizeof(op->name), "%s", name);
		cut_apply_name(&cut->names_now, op);
	} else if (args[2] & O_TRUNC && cut->sizes_now[file] > 0) {
		cut_add(cut, CUT_TRUNCATE)->file = file;
		cut->sizes_now[file] = 0;
	}
	cut->fd_file[fd] = (int)file;
	cut->fd_appends[fd] = args[2] & O_APPEND;
	cut->fd_at[fd] = 0;
}

static inline void cut_record_write(struct power_cut *cut, pid_t pid, int fd, uint64_t from,
	size_t size_bytes, const size_t *at)
{
	unsigned int file = (unsigned int)cut->fd_file[fd];
	struct cut_op *op = cut->n_ops > 0 ? &cut->ops[cut->n_ops - 1] : NULL;
	size_t to = at ? *at : cut->fd_appends[fd] ? cut->sizes_now[file] : cut->fd_at[fd];

	assert_in_range(to + size_bytes, 0, CUT_BYTES_MAX);
	/* A library's many small writes are one: it may be cut at any sector. */
	if (!op || op->kind != CUT_WRITE || op->file != file || op->at + op->size_bytes != to) {
		op = cut_add(cut, CUT_WRITE);
		op->file = file;
		op->at = to;
	}
	op->data = realloc(op->data, op->size_bytes + size_bytes + 1);
	assert_non_null(op->data);
	cut_peek(pid, from, op->data + op->size_bytes, size_bytes);
	op->size_bytes += size_bytes;
	if (!at)
		cut->fd_at[fd] = to + size_bytes;
	cut->sizes_now[file] = MAX(cut->sizes_now[file], to + size_bytes);
}

static inline void cut_record_vector(
	struct power_cut *cut, pid_t pid, const uint64_t *args, size_t left_bytes)
{
	for (size_t i = 0; i < args[2] && left_bytes > 0; i++) {
		struct iovec part;
		size_t size_bytes;

		cut_peek(pid, args[1] + i * sizeof(part), &part, sizeof(part));
		size_bytes = MIN(part.iov_len, left_bytes);
		if (size_bytes > 0)
			cut_record_write(
				cut, pid, (int)args[0], (uintptr_t)part.iov_base, size_bytes, NULL);
		left_bytes -= size_bytes;
	}
}

static inline void cut_record_name(struct power_cut *cut, pid_t pid, enum cut_kind kind,
	int from_at, uint64_t from, int to_at, uint64_t to)
{
	struct cut_op *op;
	char name[CUT_NAME_BYTES];

	if (!cut_name(cut, pid, from_at, from, name))
		return;
	op = cut_add(cut, kind);
	snprintf(op->name, sizeof(op->name), "%s", name);
	if (kind != CUT_UNLINK)
		assert_true(cut_name(cut, pid, to_at, to, op->to));
	cut_apply_name(&cut->names_now, op);
}

/* A call that succeeded. What would change a file in another way fails the test. */
static inline void cut_record_call(
	struct power_cut *cut, pid_t pid, uint64_t number, const uint64_t *args, int64_t result)
{
	int fd = (int)args[0];
	bool ours = fd >= 0 && fd < (int)CUT_FDS_MAX && cut->fd_file[fd] > 0;

	switch (number) {
	case SYS_openat:
		cut_record_open(cut, pid, args, (int)result);
		break;
	case SYS_close:
		if (fd >= 0 && fd < (int)CUT_FDS_MAX)
			cut->fd_file[fd] = 0;
		break;
	case SYS_write:
		if (ours)
			cut_record_write(cut, pid, fd, args[1], (size_t)result, NULL);
		break;
	case SYS_pwrite64:
		if (ours)
			cut_record_write(
				cut, pid, fd, args[1], (size_t)result, &(size_t){ args[3] });
		break;
	case SYS_writev:
		if (ours)
			cut_record_vector(cut, pid, args, (size_t)result);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		if (ours)
			cut_add(cut, CUT_SYNC)->file = (unsigned int)cut->fd_file[fd];
		else if (fd >= 0 && fd < (int)CUT_FDS_MAX && cut->fd_file[fd] == -1)
			cut_add(cut, CUT_SYNC_DIRECTORY);
		break;
#ifdef SYS_rename
	case SYS_rename:
		cut_record_name(cut, pid, CUT_RENAME, AT_FDCWD, args[0], AT_FDCWD, args[1]);
		break;
	case SYS_link:
		cut_record_name(cut, pid, CUT_LINK, AT_FDCWD, args[0], AT_FDCWD, args[1]);
		break;
	case SYS_unlink:
		cut_record_name(cut, pid, CUT_UNLINK, AT_FDCWD, args[0], 0, 0);
		break;
#endif
	case SYS_renameat2:
#ifdef SYS_renameat
	case SYS_renameat:
#endif
		cut_record_name(cut, pid, CUT_RENAME, fd, args[1], (int)args[2], args[3]);
		break;
	case SYS_linkat:
		cut_record_name(cut, pid, CUT_LINK, fd, args[1], (int)args[2], args[3]);
		break;
	case SYS_unlinkat:
		cut_record_name(cut, pid, CUT_UNLINK, fd, args[1], 0, 0);
		break;
	case SYS_ftruncate:
	case SYS_fallocate:
	case SYS_copy_file_range:
	case SYS_sendfile:
	case SYS_pwritev:
		assert_false(ours);
		break;
	default:
		break;
	}
}

/* What is there is on the disk. */
static inline void cut_take_before(struct power_cut *cut)
{
	DIR *directory = opendir(cut->directory);
	const struct dirent *entry;
	char path[2 * TEMP_DIR_BYTES + CUT_NAME_BYTES];

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		struct cut_file *file;
		FILE *stream;

		snprintf(path, sizeof(path), "%s/%.60s", cut->directory, entry->d_name);
		stream = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!stream)
			continue;
		file = &cut->before[++cut->n_files];
		file->size_bytes = fread(file->data, 1, CUT_BYTES_MAX, stream);
		cut->sizes_now[cut->n_files] = file->size_bytes;
		*cut_file_of(&cut->names_before, entry->d_name, true) = cut->n_files;
		fclose(stream);
	}
	closedir(directory);
	cut->names_now = cut->names_before;
}

/* Descriptors that were open before. */
static inline void cut_take_descriptors(struct power_cut *cut)
{
	size_t len = strlen(cut->directory);

	for (int fd = 0; fd < (int)CUT_FDS_MAX; fd++) {
		char link[64], path[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) < 0 ||
			strncmp(path, cut->directory, len) != 0)
			continue;
		cut->fd_file[fd] =
			path[len] ? (int)cut_look(&cut->names_before, path + len + 1) : -1;
		cut->fd_appends[fd] = fcntl(fd, F_GETFL) & O_APPEND;
	}
}

static inline void cut_trace(struct power_cut *cut, pid_t pid)
{
	struct __ptrace_syscall_info info, entry = { 0 };
	int status;

	while (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid &&
		WIFSTOPPED(status)) {
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			entry = info;
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval >= 0)
			cut_record_call(cut, pid, entry.entry.nr,
				(const uint64_t *)entry.entry.args, info.exit.rval);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/*
 * Records what `write` does to the directory, whose state now is safe on the disk. `write` returns 0 or an error. Skips
 * the test where nobody may be traced. To be freed by power_cut_free().
 */
static inline struct power_cut *power_cut_record(
	const char *directory, int (*write)(const char *directory))
{
	struct power_cut *cut = calloc(1, sizeof(*cut));
	int status;
	pid_t pid;

	assert_non_null(cut);
	snprintf(cut->directory, sizeof(cut->directory), "%s", directory);
	cut_take_before(cut);
	cut_take_descriptors(cut);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		_exit(write(directory) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status)) {
		free(cut);
		skip();
		return NULL;
	}
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	cut_trace(cut, pid);
	assert_true(cut->n_ops > 0);
	return cut;
}

static inline void power_cut_free(struct power_cut *cut)
{
	for (size_t i = 0; i < cut->n_ops; i++)
		free(cut->ops[i].data);
	free(cut);
}

/* ---- worlds ---- */

static inline void cut_apply_data(struct cut_file *file, const struct cut_op *op)
{
	if (op->kind == CUT_TRUNCATE) {
		file->size_bytes = 0;
	} else {
		if (op->at > file->size_bytes)
			memset(file->data + file->size_bytes, 0, op->at - file->size_bytes);
		memcpy(file->data + op->at, op->data, op->size_bytes);
		file->size_bytes = MAX(file->size_bytes, op->at + op->size_bytes);
	}
}

/* The file's bytes after the first `n_ops`: those that are sure (synced), or all. */
static inline void cut_file_at(const struct power_cut *cut, unsigned int file, size_t n_ops,
	bool sure, struct cut_file *ret_file)
{
	size_t end = n_ops;

	while (sure && end > 0 &&
		!(cut->ops[end - 1].kind == CUT_SYNC && cut->ops[end - 1].file == file))
		end--;
	*ret_file = cut->before[file];
	for (size_t i = 0; i < end; i++)
		if ((cut->ops[i].kind == CUT_WRITE || cut->ops[i].kind == CUT_TRUNCATE) &&
			cut->ops[i].file == file)
			cut_apply_data(ret_file, &cut->ops[i]);
}

enum cut_way { CUT_WHOLE, CUT_NOTHING, CUT_ENDS, CUT_ZEROS, CUT_HOLE, CUT_WAYS };

/* False: there is no such way at this sector. What is sure keeps its bytes. */
static inline bool cut_damage(enum cut_way way, size_t sector, const struct cut_file *sure,
	const struct cut_file *all, struct cut_file *ret_file)
{
	size_t at = sector * CUT_SECTOR, end;

	*ret_file = *all;
	if (way == CUT_WHOLE || way == CUT_NOTHING) {
		if (way == CUT_NOTHING)
			*ret_file = *sure;
		return sector == 0;
	}
	if (at >= all->size_bytes)
		return false;
	end = way == CUT_HOLE ? MIN(at + CUT_SECTOR, all->size_bytes) : all->size_bytes;
	if (way == CUT_ENDS)
		ret_file->size_bytes = MAX(at, MIN(sure->size_bytes, all->size_bytes));
	for (; at < end; at++)
		ret_file->data[at] = at < sure->size_bytes ? sure->data[at] : 0;
	return true;
}

static inline void cut_write_world(
	const struct power_cut *cut, const struct cut_names *names, const struct cut_file *files)
{
	char path[TEMP_DIR_BYTES + CUT_NAME_BYTES],
		first[CUT_FILES_MAX][TEMP_DIR_BYTES + CUT_NAME_BYTES] = { { 0 } };

	temp_dir_remove(cut->directory);
	assert_int_equal(mkdir(cut->directory, 0700), 0);
	for (unsigned int i = 0; i < CUT_FILES_MAX; i++) {
		unsigned int file = names->file[i];
		int fd;

		if (file == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", cut->directory, names->name[i]);
		if (first[file][0]) {
			assert_int_equal(link(first[file], path), 0);
			continue;
		}
		memcpy(first[file], path, sizeof(path));
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, files[file].data, files[file].size_bytes),
			files[file].size_bytes);
		close(fd);
	}
}

typedef void power_cut_load_fn(const char *directory, bool all_was_done, void *context);

/* Each way in which one file may be, the others whole and not at all. */
static inline void cut_each_file(struct power_cut *cut, size_t n_ops, const struct cut_names *names,
	power_cut_load_fn *load, void *context)
{
	struct cut_file *sure = calloc(CUT_FILES_MAX, sizeof(*sure)),
			*all = calloc(CUT_FILES_MAX, sizeof(*all)),
			*world = calloc(CUT_FILES_MAX, sizeof(*world));

	assert_true(sure && all && world);
	for (unsigned int i = 1; i <= cut->n_files; i++) {
		cut_file_at(cut, i, n_ops, true, &sure[i]);
		cut_file_at(cut, i, n_ops, false, &all[i]);
	}
	for (unsigned int others = 0; others < 2; others++)
		for (unsigned int i = 1; i <= cut->n_files; i++)
			for (unsigned int way = 0; way < CUT_WAYS; way++) {
				memcpy(world, others ? sure : all, CUT_FILES_MAX * sizeof(*world));
				for (size_t sector = 0;
					cut_damage(way, sector, &sure[i], &all[i], &world[i]);
					sector++) {
					cut_write_world(cut, names, world);
					cut->n_worlds++;
					load(cut->directory, n_ops == cut->n_ops, context);
				}
			}
	free(sure);
	free(all);
	free(world);
}

/* Loads from the directory as it may be found after a cut at any moment; returns how many there were. */
static inline size_t power_cut_each(struct power_cut *cut, power_cut_load_fn *load, void *context)
{
	for (size_t n_ops = 0; n_ops <= cut->n_ops; n_ops++) {
		struct cut_names sure = cut->names_before;
		const struct cut_op *doubtful[8];
		size_t n_doubtful = 0;

		for (size_t i = 0; i < n_ops; i++) {
			const struct cut_op *op = &cut->ops[i];

			if (op->kind == CUT_SYNC_DIRECTORY) {
				for (size_t k = 0; k < n_doubtful; k++)
					cut_apply_name(&sure, doubtful[k]);
				n_doubtful = 0;
			} else if (op->kind != CUT_WRITE && op->kind != CUT_TRUNCATE &&
				op->kind != CUT_SYNC) {
				assert_in_range(n_doubtful, 0, ARRAY_LEN(doubtful) - 1);
				doubtful[n_doubtful++] = op;
			}
		}
		for (unsigned int chosen = 0; chosen < 1u << n_doubtful; chosen++) {
			struct cut_names names = sure;

			for (size_t k = 0; k < n_doubtful; k++)
				if (chosen & 1u << k)
					cut_apply_name(&names, doubtful[k]);
			cut_each_file(cut, n_ops, &names, load, context);
		}
	}
	return cut->n_worlds;
}
