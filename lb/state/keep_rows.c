/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of tables that outlive the daemon (contract in keep.h): by id, with counted references, and
 * the sweep of what nobody names any more.
 */
#include <inttypes.h>

#include "lb/state/keep_file.h"
#include "lb/state/keep_internal.h"
#include "lb/state/keep_map.h"

#define ROWS_PREFIX "rows-"

static void rows_name(uint64_t id, char *ret_name)
{
	snprintf(ret_name, KEEP_NAME_BYTES, ROWS_PREFIX "%016" PRIx64, id);
}

static bool rows_parse_name(const char *name, uint64_t *ret_id)
{
	char again[KEEP_NAME_BYTES];
	uint64_t id;

	if (strncmp(name, ROWS_PREFIX, strlen(ROWS_PREFIX)) != 0)
		return false;
	id = strtoull(name + strlen(ROWS_PREFIX), NULL, 16);
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

static int rows_make(const struct keep *keep, uint64_t id, struct store_memory *ret_memory)
{
	char name[KEEP_NAME_BYTES];
	struct keep_header header;

	rows_name(id, name);
	header = store_header_make(
		&keep->directory, KEEP_ROWS_MAGIC, name, sizeof(struct fwd_table));
	header.id = id;
	return keep->store->new (&keep->directory, &header, ret_memory);
}

static int rows_commit(const struct keep *keep, struct store_memory *memory)
{
	int r = keep->store->commit(&keep->directory, memory);

	if (r < 0)
		store_memory_unmap(memory);
	return r;
}

int keep_rows_new(struct keep *keep, struct keep_rows **ret_rows)
{
	_cleanup_free_ struct keep_rows *rows = calloc(1, sizeof(*rows));
	int r;

	if (!rows)
		return -ENOMEM;
	rows->id = keep->next_rows_id;
	r = rows_make(keep, rows->id, &rows->memory);
	if (r == 0)
		r = rows_commit(keep, &rows->memory);
	if (r < 0)
		return r;
	keep->next_rows_id++;
	*ret_rows = rows_add(keep, TAKE_PTR(rows));
	return 0;
}

static int rows_open_in(const struct keep *keep, const struct store *store, uint64_t id,
	struct store_memory *ret_memory)
{
	struct store_memory memory;
	char name[KEEP_NAME_BYTES];
	int r;

	rows_name(id, name);
	r = store->open(&keep->directory, name, KEEP_ROWS_MAGIC, &memory);
	if (r < 0)
		return r;
	if (memory.header->id != id ||
		memory.size_bytes != KEEP_HEADER_BYTES + sizeof(struct fwd_table)) {
		store_memory_unmap(&memory);
		return -EINVAL;
	}
	*ret_memory = memory;
	return 0;
}

static void *body_of(const struct store_memory *memory)
{
	return (uint8_t *)memory->header + KEEP_HEADER_BYTES;
}

/* From the other store to ours. */
static int rows_copy(const struct keep *keep, uint64_t id, struct store_memory *ret_memory)
{
	struct store_memory from, to;
	int r;

	r = rows_open_in(keep, keep->other, id, &from);
	if (r < 0)
		return r;
	r = rows_make(keep, id, &to);
	if (r == 0) {
		memcpy(body_of(&to), body_of(&from), sizeof(struct fwd_table));
		r = rows_commit(keep, &to);
	}
	store_memory_unmap(&from);
	if (r == 0)
		*ret_memory = to;
	return r;
}

int keep_rows_open(struct keep *keep, uint64_t id, struct keep_rows **ret_rows)
{
	_cleanup_free_ struct keep_rows *rows = NULL;
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
	r = rows_open_in(keep, keep->store, id, &rows->memory);
	if (r < 0) {
		int error = rows_copy(keep, id, &rows->memory);

		/* What is wrong with ours says more than that the other store has none. */
		r = error == -ENOENT ? r : error;
	}
	if (r < 0)
		return r;
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
	char name[KEEP_NAME_BYTES];

	while (*link != rows)
		link = &(*link)->next;
	*link = rows->next;
	if (keep->is_preserving)
		return;
	rows_name(rows->id, name);
	keep->store->remove(&keep->directory, name, &rows->memory);
}

struct keep_rows *keep_rows_unref(struct keep_rows *rows)
{
	if (!rows || --rows->n_refs > 0)
		return NULL;
	if (rows->keep)
		rows_forget(rows);
	store_memory_unmap(&rows->memory);
	free(rows);
	return NULL;
}

uint64_t keep_rows_id(const struct keep_rows *rows)
{
	return rows->id;
}

struct fwd_table *keep_rows_table(struct keep_rows *rows)
{
	return body_of(&rows->memory);
}

int keep_rows_map(const struct keep_rows *rows)
{
	return rows->memory.map_fd;
}

/* Finds the first free id of rows. */
static void count_name(const char *name, void *context)
{
	struct keep *keep = context;
	uint64_t id;

	if (rows_parse_name(name, &id) && id < INT64_MAX && id >= keep->next_rows_id)
		keep->next_rows_id = id + 1;
}

int keep_rows_start(struct keep *keep)
{
	int r;

	keep->next_rows_id = 1;
	r = keep_file_store.each(&keep->directory, count_name, keep);
	return r < 0 ? r : keep_map_store.each(&keep->directory, count_name, keep);
}

struct sweep {
	struct keep *keep;
	bool (*is_named)(uint64_t id, void *context);
	void *context;
};

static void sweep_name(const char *name, void *context)
{
	const struct sweep *sweep = context;
	struct keep *keep = sweep->keep;
	uint64_t id;

	if (rows_parse_name(name, &id) && !rows_find(keep, id) &&
		!sweep->is_named(id, sweep->context))
		keep->store->remove(&keep->directory, name, NULL);
}

static void sweep_other_name(const char *name, void *context)
{
	const struct sweep *sweep = context;
	struct keep *keep = sweep->keep;
	uint64_t id;

	if (streq(name, KEEP_FLOWS_NAME) || rows_parse_name(name, &id))
		keep->other->remove(&keep->directory, name, NULL);
}

void keep_sweep(struct keep *keep, bool (*is_named)(uint64_t id, void *context), void *context)
{
	struct sweep sweep = { keep, is_named, context };

	(void)keep->store->each(&keep->directory, sweep_name, &sweep);
	(void)keep->other->each(&keep->directory, sweep_other_name, &sweep);
	keep_map_forget(&keep->directory);
}
