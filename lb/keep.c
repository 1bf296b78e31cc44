/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the daemon (contract in keep.h): mapped files in the runtime directory and one
 * document. Called by the main loop alone; workers only touch the mapped memory.
 *
 * Files of DIR, all 0600 and ours, or they are replaced:
 *   lock        flock()ed while the daemon lives; the kernel lets go of it on any death
 *   flows       one page of header, the IPv4 buckets, the IPv6 buckets
 *   rows-ID     one page of header, FWD_ROWS slots
 *   state.json  the document
 *   *.new       half-made files, removed at the next start
 *
 * A file becomes known by rename(), so it is there whole or not at all. Its blocks are allocated
 * before it is mapped: a tmpfs that runs full must not turn into SIGBUS on the packet path. The
 * header is checked against the size of the file before anything is mapped. What the entries
 * say is not trusted either: the core treats ids that it does not know as absent.
 */
#include "lb/keep.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lb/keep_file.h"
#include "lb/keep_flows.h"

#define KEEP_WHY_BYTES          256u
#define KEEP_DOCUMENT_BYTES_MAX (64u << 20)

#define KEEP_FLOWS_MAGIC UINT64_C(0x64737220666c6f77) /* "dsr flow" */
#define KEEP_ROWS_MAGIC  UINT64_C(0x64737220726f7773) /* "dsr rows" */

#define KEEP_LOCK_NAME     "lock"
#define KEEP_FLOWS_NAME    "flows"
#define KEEP_DOCUMENT_NAME "state.json"
#define KEEP_ROWS_PREFIX   "rows-"

/* A mapped flow table; on the heap, so that `table` keeps its address while it is mapped. */
struct keep_flow_file {
	struct keep_file_map map;
	struct flows_table table;
};

struct keep {
	struct keep_file_directory directory;
	int lock_fd;
	struct keep_flow_file *flows;
	struct keep_rows *rows; /* all that are open */
	uint64_t next_rows_id;
	bool is_preserving;
};

struct keep_rows {
	struct keep *keep; /* NULL: keep_free() came first */
	struct keep_rows *next;
	uint64_t id;
	size_t n_refs;
	struct keep_file_map map;
};

static int why(char *ret_why, int error, const char *format, ...) _printf_(3, 4);
static int why(char *ret_why, int error, const char *format, ...)
{
	char text[KEEP_WHY_BYTES / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(ret_why, KEEP_WHY_BYTES, "%s: %s", text, strerror(-error));
	return error;
}

/* ---- flows ---- */

static size_t flows_bytes(uint32_t n_flow4, uint32_t n_flow6)
{
	return (size_t)n_flow4 * sizeof(struct flow4_bucket) +
		(size_t)n_flow6 * sizeof(struct flow6_bucket);
}

static struct keep_flow_file *flow_file_free(struct keep_flow_file *file)
{
	if (file) {
		keep_file_unmap(&file->map);
		free(file);
	}
	return NULL;
}
DEFINE_CLEANUP(struct keep_flow_file *, flow_file_free)

static void flow_file_point(struct keep_flow_file *file)
{
	const struct keep_file_header *header = file->map.header;
	uint8_t *body = (uint8_t *)file->map.header + KEEP_FILE_HEADER_BYTES;

	file->table = (struct flows_table){
		.flow4 = (struct flow4_bucket *)body,
		.flow6 = (struct flow6_bucket *)(body +
			(size_t)header->n_flow4 * sizeof(struct flow4_bucket)),
		.n_flow4 = header->n_flow4,
		.n_flow6 = header->n_flow6,
	};
}

static int flow_file_open(const struct keep *keep, struct keep_flow_file **ret_file)
{
	_cleanup_(flow_file_freep) struct keep_flow_file *file = calloc(1, sizeof(*file));
	const struct keep_file_header *header;
	int r;

	if (!file)
		return -ENOMEM;
	r = keep_file_open(&keep->directory, KEEP_FLOWS_NAME, KEEP_FLOWS_MAGIC, &file->map);
	if (r < 0)
		return r;
	header = file->map.header;
	if (header->file_bytes !=
		KEEP_FILE_HEADER_BYTES + flows_bytes(header->n_flow4, header->n_flow6))
		return -EINVAL;
	flow_file_point(file);
	*ret_file = TAKE_PTR(file);
	return 0;
}

/* Makes the file without giving it its name. */
static int flow_file_new(const struct keep *keep, uint64_t max_flows, const uint64_t seed[2],
	struct keep_flow_file **ret_file)
{
	_cleanup_(flow_file_freep) struct keep_flow_file *file = calloc(1, sizeof(*file));
	uint32_t n_flow4 = flows_buckets4(max_flows);
	uint32_t n_flow6 = flows_buckets6(max_flows);
	struct keep_file_header header;
	int r;

	if (!file)
		return -ENOMEM;
	header = keep_file_header_make(
		&keep->directory, KEEP_FLOWS_MAGIC, flows_bytes(n_flow4, n_flow6));
	header.n_flow4 = n_flow4;
	header.n_flow6 = n_flow6;
	memcpy(header.seed, seed, sizeof(header.seed));
	r = keep_file_new(&keep->directory, KEEP_FLOWS_NAME, &header, &file->map);
	if (r < 0)
		return r;
	flow_file_point(file);
	*ret_file = TAKE_PTR(file);
	return 0;
}

static bool flow_file_fits(const struct keep_flow_file *file, uint64_t max_flows)
{
	return file->table.n_flow4 == flows_buckets4(max_flows) &&
		file->table.n_flow6 == flows_buckets6(max_flows);
}

/* Another table in place of `keep->flows`, with its records and its seed. */
static int flow_file_replace(struct keep *keep, uint64_t max_flows)
{
	_cleanup_(flow_file_freep) struct keep_flow_file *file = NULL;
	const uint64_t *seed = keep->flows->map.header->seed;
	int r;

	r = flow_file_new(keep, max_flows, seed, &file);
	if (r < 0)
		return r;
	keep_flows_move(&file->table, &keep->flows->table, seed);
	r = keep_file_publish(&keep->directory, KEEP_FLOWS_NAME);
	if (r < 0)
		return r;
	flow_file_free(keep->flows);
	keep->flows = TAKE_PTR(file);
	return 0;
}

static int open_fresh_flows(struct keep *keep, uint64_t max_flows)
{
	uint64_t seed[2];
	int r;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return util_negative_errno();
	r = flow_file_new(keep, max_flows, seed, &keep->flows);
	return r < 0 ? r : keep_file_publish(&keep->directory, KEEP_FLOWS_NAME);
}

/* Nobody else has the table mapped now: we hold the lock and no worker runs yet. */
static int open_flows(struct keep *keep, uint64_t max_flows, bool *ret_fresh)
{
	int r = flow_file_open(keep, &keep->flows);

	if (r < 0) {
		*ret_fresh = true;
		return r == -ENOMEM ? r : open_fresh_flows(keep, max_flows);
	}
	*ret_fresh = false;
	keep_flows_mend(&keep->flows->table);
	return flow_file_fits(keep->flows, max_flows) ? 0 : flow_file_replace(keep, max_flows);
}

const struct flows_table *keep_flows(const struct keep *keep)
{
	return &keep->flows->table;
}

const uint64_t *keep_flow_seed(const struct keep *keep)
{
	return keep->flows->map.header->seed;
}

/* ---- rows ---- */

static void rows_name(uint64_t id, char *ret_name)
{
	snprintf(ret_name, KEEP_FILE_NAME_BYTES, KEEP_ROWS_PREFIX "%016" PRIx64, id);
}

static bool rows_parse_name(const char *name, uint64_t *ret_id)
{
	char again[KEEP_FILE_NAME_BYTES];
	uint64_t id;

	if (strncmp(name, KEEP_ROWS_PREFIX, strlen(KEEP_ROWS_PREFIX)) != 0)
		return false;
	id = strtoull(name + strlen(KEEP_ROWS_PREFIX), NULL, 16);
	rows_name(id, again);
	if (!streq(name, again))
		return false;
	*ret_id = id;
	return true;
}

static struct keep_rows *rows_find(const struct keep *keep, uint64_t id)
{
	for (struct keep_rows *rows = keep->rows; rows; rows = rows->next)
		if (rows->id == id)
			return rows;
	return NULL;
}

static struct keep_rows *rows_add(struct keep *keep, struct keep_rows *rows)
{
	rows->keep = keep;
	rows->n_refs = 1;
	rows->next = keep->rows;
	keep->rows = rows;
	return rows;
}

int keep_rows_new(struct keep *keep, struct keep_rows **ret_rows)
{
	_cleanup_free_ struct keep_rows *rows = calloc(1, sizeof(*rows));
	char name[KEEP_FILE_NAME_BYTES];
	struct keep_file_header header;
	int r;

	if (!rows)
		return -ENOMEM;
	rows->id = keep->next_rows_id;
	rows_name(rows->id, name);
	header = keep_file_header_make(
		&keep->directory, KEEP_ROWS_MAGIC, FWD_ROWS * sizeof(struct fwd_slot));
	header.id = rows->id;
	r = keep_file_new(&keep->directory, name, &header, &rows->map);
	if (r < 0)
		return r;
	r = keep_file_publish(&keep->directory, name);
	if (r < 0) {
		keep_file_unmap(&rows->map);
		return r;
	}
	keep->next_rows_id++;
	*ret_rows = rows_add(keep, TAKE_PTR(rows));
	return 0;
}

int keep_rows_open(struct keep *keep, uint64_t id, struct keep_rows **ret_rows)
{
	_cleanup_free_ struct keep_rows *rows = NULL;
	char name[KEEP_FILE_NAME_BYTES];
	int r;

	rows = rows_find(keep, id);
	if (rows) {
		*ret_rows = keep_rows_ref(TAKE_PTR(rows));
		return 0;
	}
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	rows->id = id;
	rows_name(id, name);
	r = keep_file_open(&keep->directory, name, KEEP_ROWS_MAGIC, &rows->map);
	if (r < 0)
		return r;
	if (rows->map.header->id != id ||
		rows->map.size_bytes !=
			KEEP_FILE_HEADER_BYTES + FWD_ROWS * sizeof(struct fwd_slot)) {
		keep_file_unmap(&rows->map);
		return -EINVAL;
	}
	*ret_rows = rows_add(keep, TAKE_PTR(rows));
	return 0;
}

struct keep_rows *keep_rows_ref(struct keep_rows *rows)
{
	rows->n_refs++;
	return rows;
}

static void rows_forget(struct keep_rows *rows)
{
	struct keep *keep = rows->keep;
	struct keep_rows **link = &keep->rows;
	char name[KEEP_FILE_NAME_BYTES];

	while (*link != rows)
		link = &(*link)->next;
	*link = rows->next;
	if (keep->is_preserving)
		return;
	rows_name(rows->id, name);
	(void)unlinkat(keep->directory.fd, name, 0);
}

struct keep_rows *keep_rows_unref(struct keep_rows *rows)
{
	if (!rows || --rows->n_refs > 0)
		return NULL;
	if (rows->keep)
		rows_forget(rows);
	keep_file_unmap(&rows->map);
	free(rows);
	return NULL;
}

uint64_t keep_rows_id(const struct keep_rows *rows)
{
	return rows->id;
}

struct fwd_slot *keep_rows_memory(struct keep_rows *rows)
{
	return (struct fwd_slot *)((uint8_t *)rows->map.header + KEEP_FILE_HEADER_BYTES);
}

/* ---- the directory ---- */

/* Calls back for each name in the directory, which may be removed meanwhile. */
static int each_name(const struct keep *keep,
	void (*fn)(struct keep *keep, const char *name, void *context), void *context)
{
	int fd = openat(keep->directory.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *directory;

	if (fd < 0)
		return util_negative_errno();
	directory = fdopendir(fd);
	if (!directory) {
		int r = util_negative_errno();

		util_close(fd);
		return r;
	}
	while ((entry = readdir(directory)))
		fn((struct keep *)keep, entry->d_name, context);
	closedir(directory);
	return 0;
}

/* At the start: removes what was left half made, and finds the first free id of rows. */
static void tidy_name(struct keep *keep, const char *name, void *context)
{
	size_t len = strlen(name);
	uint64_t id;

	if (len > strlen(KEEP_FILE_NEW_SUFFIX) &&
		streq(name + len - strlen(KEEP_FILE_NEW_SUFFIX), KEEP_FILE_NEW_SUFFIX))
		(void)unlinkat(keep->directory.fd, name, 0);
	else if (rows_parse_name(name, &id) && id < INT64_MAX && id >= keep->next_rows_id)
		keep->next_rows_id = id + 1;
}

struct sweep {
	bool (*is_named)(uint64_t id, void *context);
	void *context;
};

static void sweep_name(struct keep *keep, const char *name, void *context)
{
	const struct sweep *sweep = context;
	uint64_t id;

	if (rows_parse_name(name, &id) && !rows_find(keep, id) &&
		!sweep->is_named(id, sweep->context))
		(void)unlinkat(keep->directory.fd, name, 0);
}

void keep_sweep(struct keep *keep, bool (*is_named)(uint64_t id, void *context), void *context)
{
	struct sweep sweep = { is_named, context };

	(void)each_name(keep, sweep_name, &sweep);
}

void keep_preserve(struct keep *keep)
{
	keep->is_preserving = true;
}

/* ---- the document ---- */

static int write_all(int fd, const char *data, size_t size_bytes)
{
	while (size_bytes > 0) {
		ssize_t n = write(fd, data, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return util_negative_errno();
		data += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

int keep_save_document(struct keep *keep, const json_t *document)
{
	_cleanup_free_ char *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);
	_cleanup_close_ int fd = -1;
	char temporary[KEEP_FILE_NAME_BYTES];
	int r;

	if (!text)
		return -EINVAL;
	if (strlen(text) > KEEP_DOCUMENT_BYTES_MAX)
		return -EFBIG;
	keep_file_temporary_name(KEEP_DOCUMENT_NAME, temporary);
	(void)unlinkat(keep->directory.fd, temporary, 0);
	fd = openat(keep->directory.fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return util_negative_errno();
	r = write_all(fd, text, strlen(text));
	if (r == 0)
		r = keep_file_publish(&keep->directory, KEEP_DOCUMENT_NAME);
	if (r < 0)
		(void)unlinkat(keep->directory.fd, temporary, 0);
	return r;
}

json_t *keep_load_document(struct keep *keep)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	fd = openat(keep->directory.fd, KEEP_DOCUMENT_NAME,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || !keep_file_is_ours(&status) ||
		status.st_size > (off_t)KEEP_DOCUMENT_BYTES_MAX)
		return NULL;
	return json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
}

/* ---- open and free ---- */

static int open_lock(struct keep *keep, const char *directory, char *ret_why)
{
	keep->lock_fd = openat(keep->directory.fd, KEEP_LOCK_NAME,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (keep->lock_fd < 0)
		return why(ret_why, util_negative_errno(), "cannot open %s/lock", directory);
	if (flock(keep->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return why(ret_why, util_negative_errno(), "cannot lock %s/lock", directory);
	snprintf(ret_why, KEEP_WHY_BYTES, "%.200s is in use by another daemon", directory);
	return -EBUSY;
}

int keep_open(const char *directory, uint64_t max_flows, struct keep **ret_keep, bool *ret_fresh,
	char *ret_why)
{
	_cleanup_(keep_freep) struct keep *keep = NULL;
	_cleanup_close_ int fd = -1;
	bool fresh;
	int r;

	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why(ret_why, util_negative_errno(), "cannot open %s", directory);
	keep = calloc(1, sizeof(*keep));
	if (!keep)
		return why(ret_why, -ENOMEM, "cannot open %s", directory);
	keep->directory.fd = TAKE_FD(fd);
	keep->lock_fd = -1;
	keep->next_rows_id = 1;
	keep_file_read_boot(keep->directory.boot);
	r = open_lock(keep, directory, ret_why);
	if (r < 0)
		return r;
	r = each_name(keep, tidy_name, NULL);
	if (r < 0)
		return why(ret_why, r, "cannot read %s", directory);
	r = open_flows(keep, max_flows, &fresh);
	if (r < 0)
		return why(ret_why, r, "no flow table of %zu MiB for max-flows in %s",
			flows_bytes(flows_buckets4(max_flows), flows_buckets6(max_flows)) >> 20,
			directory);
	*ret_keep = TAKE_PTR(keep);
	*ret_fresh = fresh;
	return 0;
}

struct keep *keep_free(struct keep *keep)
{
	if (!keep)
		return NULL;
	/* Rows that are still referenced stay mapped for their owners, and their files stay. */
	for (struct keep_rows *rows = keep->rows; rows; rows = rows->next)
		rows->keep = NULL;
	flow_file_free(keep->flows);
	util_close(keep->lock_fd);
	util_close(keep->directory.fd);
	free(keep);
	return NULL;
}
