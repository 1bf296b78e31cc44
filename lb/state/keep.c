/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the daemon (contract in keep.h): flows and rows in one of two stores, and one
 * document. Called by the main loop alone; workers and programs only touch the mapped memory.
 *
 * Files of DIR, all 0600 and ours, or they are replaced:
 *   lock        flock()ed while the daemon lives; the kernel lets go of it on any death. It has the
 *               directory's `home`
 *   flows       one page of header, the IPv4 buckets, the IPv6 buckets, the filter of flows seen
 *   rows-ID     one page of header, FWD_ROWS slots
 *   state.json  the document
 *   *.new       half-made files, removed at the next start
 *   bpf/        mounted by whoever starts us: pins of maps with the names and bytes of files
 *
 * What the wanted store has not is looked for in the other one and copied; the sweep at the end of
 * the start removes it there, when the engine has the copy: a start that fails loses nothing.
 * What the entries say is not trusted: the core treats ids that it does not know as absent.
 */
#include "lb/state/keep.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/log.h"
#include "common/os/boot_id.h"
#include "common/read_all.h"
#include "lb/state/keep_file.h"
#include "lb/state/keep_flows.h"
#include "lb/state/keep_map.h"
#include "lb/table/flow_seen.h"

#define KEEP_DOCUMENT_BYTES_MAX (64u << 20)

#define KEEP_FLOWS_NAME    "flows"
#define KEEP_LOCK_NAME     "lock"
#define KEEP_DOCUMENT_NAME "state.json"

/* A mapped flow table; on the heap, so that `table` keeps its address while it is mapped. */
struct keep_flow_table {
	struct store_memory memory;
	struct flows_table table;
	uint64_t seed[2];
};

struct keep {
	struct store_directory directory;
	const struct store *store;
	const struct store *other; /* to move from */
	int lock_fd;
	char *pins; /* path; NULL: nothing is pinned */
	struct keep_flow_table *flows;
	struct store_memory loads; /* KEEP_MAPS alone */
	struct keep_rows_list *rows;
};

/* ---- flows ---- */

static size_t flows_bytes(uint32_t n_flow4, uint32_t n_flow6, uint32_t n_seen)
{
	return (size_t)n_flow4 * sizeof(struct flow4_bucket) +
		(size_t)n_flow6 * sizeof(struct flow6_bucket) +
		(size_t)flow_seen_len(n_seen) * sizeof(uint64_t);
}

static size_t flows_bytes_for(uint64_t max_flows)
{
	return flows_bytes(
		flows_buckets4(max_flows), flows_buckets6(max_flows), flow_seen_words(max_flows));
}

static struct keep_flow_table *flow_table_free(struct keep_flow_table *flows)
{
	if (flows) {
		store_memory_unmap(&flows->memory);
		free(flows);
	}
	return NULL;
}
DEFINE_CLEANUP(struct keep_flow_table *, flow_table_free)

static void flow_table_point(struct keep_flow_table *flows)
{
	const struct keep_header *header = flows->memory.header;
	uint8_t *body = (uint8_t *)flows->memory.header + KEEP_HEADER_BYTES;

	flows->table = (struct flows_table){
		.flow4 = (struct flow4_bucket *)body,
		.flow6 = (struct flow6_bucket *)(body +
			(size_t)header->n_flow4 * sizeof(struct flow4_bucket)),
		.n_flow4 = header->n_flow4,
		.n_flow6 = header->n_flow6,
		.seen = header->n_seen == 0
			? NULL
			: (__u64 *)(body + flows_bytes(header->n_flow4, header->n_flow6, 0)),
		.n_seen = header->n_seen,
	};
	memcpy(flows->seed, header->seed, sizeof(flows->seed));
}

static int flow_table_open(
	const struct keep *keep, const struct store *store, struct keep_flow_table **ret_flows)
{
	_cleanup_(flow_table_freep) struct keep_flow_table *flows = calloc(1, sizeof(*flows));
	const struct keep_header *header;
	int r;

	if (!flows)
		return -ENOMEM;
	r = store->open(&keep->directory, KEEP_FLOWS_NAME, KEEP_FLOWS_MAGIC, &flows->memory);
	if (r < 0)
		return r;
	header = flows->memory.header;
	if (header->n_seen % FLOW_BUCKET_WORDS != 0 ||
		header->file_bytes !=
			KEEP_HEADER_BYTES +
				flows_bytes(header->n_flow4, header->n_flow6, header->n_seen))
		return -EINVAL;
	flow_table_point(flows);
	*ret_flows = TAKE_PTR(flows);
	return 0;
}

/* Makes it without letting it be found. */
static int flow_table_new(const struct keep *keep, uint64_t max_flows, const uint64_t seed[2],
	struct keep_flow_table **ret_flows)
{
	_cleanup_(flow_table_freep) struct keep_flow_table *flows = calloc(1, sizeof(*flows));
	struct keep_header header;
	int r;

	if (!flows)
		return -ENOMEM;
	header = store_header_make(
		&keep->directory, KEEP_FLOWS_MAGIC, KEEP_FLOWS_NAME, flows_bytes_for(max_flows));
	header.n_flow4 = flows_buckets4(max_flows);
	header.n_flow6 = flows_buckets6(max_flows);
	header.n_seen = flow_seen_words(max_flows);
	memcpy(header.seed, seed, sizeof(header.seed));
	r = keep->store->new (&keep->directory, &header, &flows->memory);
	if (r < 0)
		return r;
	flow_table_point(flows);
	*ret_flows = TAKE_PTR(flows);
	return 0;
}

static bool flow_table_fits(const struct keep_flow_table *flows, uint64_t max_flows)
{
	return flows->table.n_flow4 == flows_buckets4(max_flows) &&
		flows->table.n_flow6 == flows_buckets6(max_flows) &&
		flows->table.n_seen == flow_seen_words(max_flows);
}

/* Another table in place of `keep->flows`, with its records, its filter and its seed. */
static int flow_table_replace(struct keep *keep, uint64_t max_flows)
{
	_cleanup_(flow_table_freep) struct keep_flow_table *flows = NULL;
	int r;

	r = flow_table_new(keep, max_flows, keep_flow_seed(keep), &flows);
	if (r < 0)
		return r;
	keep_flows_move(&flows->table, &keep->flows->table, keep_flow_seed(keep));
	flow_seen_move(&flows->table, &keep->flows->table);
	r = keep->store->commit(&keep->directory, &flows->memory);
	if (r < 0)
		return r;
	flow_table_free(keep->flows);
	keep->flows = TAKE_PTR(flows);
	return 0;
}

static int open_fresh_flows(struct keep *keep, uint64_t max_flows)
{
	uint64_t seed[2];
	int r;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return util_negative_errno();
	r = flow_table_new(keep, max_flows, seed, &keep->flows);
	if (r < 0)
		return r;
	flow_seen_start(&keep->flows->table);
	return keep->store->commit(&keep->directory, &keep->flows->memory);
}

/* We hold the lock and no worker runs yet: if anybody uses the table now, it is a program. */
static int open_flows(struct keep *keep, uint64_t max_flows, bool *ret_fresh)
{
	bool is_elsewhere = false;
	int r = flow_table_open(keep, keep->store, &keep->flows);

	if (r < 0 && r != -ENOMEM) {
		r = flow_table_open(keep, keep->other, &keep->flows);
		is_elsewhere = true;
	}
	*ret_fresh = r < 0;
	if (r < 0)
		return r == -ENOMEM ? r : open_fresh_flows(keep, max_flows);
	keep_flows_mend(&keep->flows->table, keep_flows_map(keep) >= 0);
	if (!is_elsewhere && flow_table_fits(keep->flows, max_flows))
		return 0;
	return flow_table_replace(keep, max_flows);
}

const struct flows_table *keep_flows(const struct keep *keep)
{
	return &keep->flows->table;
}

const uint64_t *keep_flow_seed(const struct keep *keep)
{
	return keep->flows->seed;
}

int keep_flows_map(const struct keep *keep)
{
	return keep->flows->memory.map_fd;
}

/* ---- the directory ---- */

/* At the start: removes files that were left half made. */
static void tidy_name(const char *name, void *context)
{
	struct keep *keep = context;
	size_t len = strlen(name);

	if (len > strlen(KEEP_FILE_NEW_SUFFIX) &&
		streq(name + len - strlen(KEEP_FILE_NEW_SUFFIX), KEEP_FILE_NEW_SUFFIX))
		(void)unlinkat(keep->directory.fd, name, 0);
}

static int open_stores(struct keep *keep)
{
	int r = keep_map_start(&keep->directory);

	if (r == 0)
		r = keep_file_store.each(&keep->directory, tidy_name, keep);
	if (r == 0)
		r = keep_rows_list_new(&keep->directory, keep->store, keep->other, &keep->rows);
	return r;
}

struct keep_rows_list *keep_rows_list(const struct keep *keep)
{
	return keep->rows;
}

void keep_preserve(struct keep *keep)
{
	keep_rows_list_preserve(keep->rows, true);
}

static void sweep_other_name(const char *name, void *context)
{
	const struct keep *keep = context;

	if (streq(name, KEEP_FLOWS_NAME) || keep_rows_is_name(name))
		keep->other->remove(&keep->directory, name, NULL);
}

void keep_sweep(struct keep *keep)
{
	keep_rows_list_preserve(keep->rows, false);
	keep_rows_list_sweep(keep->rows);
	(void)keep->other->each(&keep->directory, sweep_other_name, keep);
	keep_map_forget(&keep->directory);
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
	char temporary[KEEP_NAME_BYTES];
	int r;

	if (!text)
		return -EINVAL;
	if (strlen(text) > KEEP_DOCUMENT_BYTES_MAX)
		return -EFBIG;
	keep_file_new_name(KEEP_DOCUMENT_NAME, temporary);
	(void)unlinkat(keep->directory.fd, temporary, 0);
	fd = openat(keep->directory.fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return util_negative_errno();
	r = write_all(fd, text, strlen(text));
	if (r == 0)
		r = keep_file_commit(&keep->directory, KEEP_DOCUMENT_NAME);
	if (r < 0)
		(void)unlinkat(keep->directory.fd, temporary, 0);
	return r;
}

/* In one piece: json_loadfd() reads bytes one by one. What a file was cut to meanwhile is no document. */
static json_t *read_document(int fd, const struct stat *status)
{
	_cleanup_free_ char *text = NULL;
	size_t size_bytes;

	if (!keep_file_is_ours(status) || status->st_size > (off_t)KEEP_DOCUMENT_BYTES_MAX)
		return NULL;
	text = malloc((size_t)status->st_size + 1);
	if (!text || read_all(fd, text, (size_t)status->st_size, &size_bytes) < 0)
		return NULL;
	return json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, NULL);
}

json_t *keep_load_document(struct keep *keep)
{
	_cleanup_close_ int fd = openat(keep->directory.fd, KEEP_DOCUMENT_NAME,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	json_t *document = NULL;
	struct stat status;

	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd >= 0 && fstat(fd, &status) == 0)
		document = read_document(fd, &status);
	/* Not synced, for it is written often: a power cut may leave it so where the directory is on a disk. */
	if (!document)
		log_warning("what was kept in " KEEP_DOCUMENT_NAME
			    " is damaged, or is no file of ours: backends must register anew");
	return document;
}

/* ---- open and free ---- */

/* "cannot open DIRECTORY/NAME: …"; NAME may be "". */
static int keep_fail(
	struct why *ret_why, int error, const char *verb, const char *directory, const char *name)
{
	return why_fail(ret_why, error, "cannot %s %s%s%s: %s", verb, directory, *name ? "/" : "",
		name, strerror(-error));
}

static int open_lock(struct keep *keep, const char *directory, struct why *ret_why)
{
	keep->lock_fd = openat(keep->directory.fd, KEEP_LOCK_NAME,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (keep->lock_fd < 0)
		return keep_fail(ret_why, util_negative_errno(), "open", directory, KEEP_LOCK_NAME);
	if (flock(keep->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return keep_fail(ret_why, util_negative_errno(), "lock", directory, KEEP_LOCK_NAME);
	return why_fail(ret_why, -EBUSY, "%s is in use by another daemon", directory);
}

/*
 * The directory's identity is in the lock file: the one that is never replaced. It is random, for
 * who may make maps must not be able to make one of ours; and a directory that was made anew must
 * not find the maps of the former, which the inode number may come back for.
 */
static int open_home(struct keep *keep)
{
	uint64_t home = 0;
	struct stat status;

	if (fstat(keep->lock_fd, &status) == 0 && keep_file_is_ours(&status) &&
		pread(keep->lock_fd, &home, sizeof(home), 0) == (ssize_t)sizeof(home) &&
		home != 0) {
		keep->directory.home = home;
		return 0;
	}
	if (getrandom(&home, sizeof(home), 0) != (ssize_t)sizeof(home) ||
		pwrite(keep->lock_fd, &home, sizeof(home), 0) != (ssize_t)sizeof(home))
		return util_negative_errno();
	keep->directory.home = home;
	return 0;
}

/* In a directory that is open and locked. */
static int open_all(struct keep *keep, const char *directory, uint64_t max_flows, bool *ret_fresh,
	struct why *ret_why)
{
	int r = open_home(keep);

	if (r < 0)
		return keep_fail(ret_why, r, "write", directory, KEEP_LOCK_NAME);
	r = open_stores(keep);
	if (r < 0)
		return keep_fail(ret_why, r, "read", directory, "");
	r = open_flows(keep, max_flows, ret_fresh);
	if (r < 0)
		return why_fail(ret_why, r, "no flow table of %zu MiB for max-flows in %s: %s",
			flows_bytes_for(max_flows) >> 20, directory, strerror(-r));
	if (keep->directory.pins_fd >= 0 &&
		asprintf(&keep->pins, "%s/" KEEP_PINS_NAME, directory) < 0) {
		keep->pins = NULL;
		return keep_fail(ret_why, -ENOMEM, "open", directory, "");
	}
	r = keep->store == &keep_map_store ? keep_map_loads(&keep->loads) : 0;
	return r < 0 ? why_fail(ret_why, r, "no memory for loads: %s", strerror(-r)) : 0;
}

/*
 * Where the kernel does not say which boot this is, a directory on tmpfs is as good: it goes with the boot,
 * and so do maps that are pinned. In another one nothing that is found may be believed.
 */
static int read_boot(struct keep *keep, const char *directory)
{
	struct statfs status;
	uint64_t number;

	_Static_assert(BOOT_ID_BYTES <= KEEP_BOOT_BYTES, "a boot's id fits the header");
	if (boot_id_read(keep->directory.boot) == 0)
		return 0;
	if (fstatfs(keep->directory.fd, &status) == 0 &&
		(status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC))
		return 0;
	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return util_negative_errno();
	snprintf(keep->directory.boot, sizeof(keep->directory.boot), "unknown-%016llx",
		(unsigned long long)number);
	log_warning(
		"the kernel does not say which boot this is (/proc/sys is hidden), and %s is no "
		"tmpfs: nothing that was kept there is used",
		directory);
	return 0;
}

static struct keep *keep_new(enum keep_backing backing)
{
	struct keep *keep = calloc(1, sizeof(*keep));

	if (!keep)
		return NULL;
	keep->store = backing == KEEP_MAPS ? &keep_map_store : &keep_file_store;
	keep->other = backing == KEEP_MAPS ? &keep_file_store : &keep_map_store;
	keep->directory.fd = keep->directory.pins_fd = keep->lock_fd = -1;
	keep->loads.map_fd = -1;
	return keep;
}

int keep_open(const struct keep_config *config, struct keep **ret_keep, bool *ret_fresh,
	struct why *ret_why)
{
	_cleanup_(keep_freep) struct keep *keep = keep_new(config->backing);
	bool fresh = true;
	int r;

	if (!keep)
		return keep_fail(ret_why, -ENOMEM, "open", config->directory, "");
	keep->directory.fd = open(config->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keep->directory.fd < 0)
		return keep_fail(ret_why, util_negative_errno(), "open", config->directory, "");
	r = open_lock(keep, config->directory, ret_why);
	if (r < 0)
		return r;
	r = read_boot(keep, config->directory);
	if (r < 0)
		return keep_fail(ret_why, r, "open", config->directory, "");
	r = open_all(keep, config->directory, config->max_flows, &fresh, ret_why);
	if (r < 0)
		return r;
	*ret_keep = TAKE_PTR(keep);
	*ret_fresh = fresh;
	return 0;
}

const char *keep_boot(const struct keep *keep)
{
	return keep->directory.boot;
}

const char *keep_pins(const struct keep *keep)
{
	return keep->pins;
}

struct fwd_load *keep_loads(const struct keep *keep)
{
	return (struct fwd_load *)keep->loads.header;
}

int keep_loads_map(const struct keep *keep)
{
	return keep->loads.map_fd;
}

bool keep_maps_supported(struct why *ret_why)
{
	return keep_map_try(ret_why) == 0;
}

struct keep *keep_free(struct keep *keep)
{
	if (!keep)
		return NULL;
	keep_rows_list_free(keep->rows);
	flow_table_free(keep->flows);
	store_memory_unmap(&keep->loads);
	keep_map_end(&keep->directory);
	free(keep->pins);
	util_close(keep->lock_fd);
	util_close(keep->directory.fd);
	free(keep);
	return NULL;
}
