/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of tables: see keep_rows.h. */
#include "lb/state/keep_rows.h"

#include <inttypes.h>

#define ROWS_PREFIX "rows-"

/* Ids are given one after the other, so that of ten thousand rows a list has two or three. */
#define ROWS_LISTS 4096u

struct keep_rows {
	struct keep_rows_list *list; /* NULL: it was freed before */
	struct keep_rows *next;      /* of those whose id has the same rest */
	uint64_t id;
	size_t n_refs;
	struct store_memory memory;
};

struct keep_rows_list {
	const struct store_directory *directory;
	const struct store *store;
	const struct store *other; /* to move from */
	uint64_t next_id;
	bool is_preserving;
	struct keep_rows *open[ROWS_LISTS]; /* by the rest of the id */
};

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

bool keep_rows_is_name(const char *name)
{
	uint64_t id;

	return rows_parse_name(name, &id);
}

static struct keep_rows *rows_find(const struct keep_rows_list *list, uint64_t id)
{
	for (struct keep_rows *rows = list->open[id % ROWS_LISTS]; rows; rows = rows->next)
		if (rows->id == id)
			return rows;
	return NULL;
}

static struct keep_rows *rows_add(struct keep_rows_list *list, struct keep_rows *rows)
{
	struct keep_rows **first = &list->open[rows->id % ROWS_LISTS];

	rows->list = list;
	rows->n_refs = 1;
	rows->next = *first;
	*first = rows;
	return rows;
}

static int rows_make(
	const struct keep_rows_list *list, uint64_t id, struct store_memory *ret_memory)
{
	char name[KEEP_NAME_BYTES];
	struct keep_header header;

	rows_name(id, name);
	header =
		store_header_make(list->directory, KEEP_ROWS_MAGIC, name, sizeof(struct fwd_table));
	header.id = id;
	return list->store->new (list->directory, &header, ret_memory);
}

static int rows_commit(const struct keep_rows_list *list, struct store_memory *memory)
{
	int r = list->store->commit(list->directory, memory);

	if (r < 0)
		store_memory_unmap(memory);
	return r;
}

int keep_rows_new(struct keep_rows_list *list, struct keep_rows **ret_rows)
{
	_cleanup_free_ struct keep_rows *rows = calloc(1, sizeof(*rows));
	int r;

	if (!rows)
		return -ENOMEM;
	rows->id = list->next_id;
	r = rows_make(list, rows->id, &rows->memory);
	if (r == 0)
		r = rows_commit(list, &rows->memory);
	if (r < 0)
		return r;
	list->next_id++;
	*ret_rows = rows_add(list, TAKE_PTR(rows));
	return 0;
}

static int rows_open_in(const struct keep_rows_list *list, const struct store *store, uint64_t id,
	struct store_memory *ret_memory)
{
	struct store_memory memory;
	char name[KEEP_NAME_BYTES];
	int r;

	rows_name(id, name);
	r = store->open(list->directory, name, KEEP_ROWS_MAGIC, &memory);
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
static int rows_copy(
	const struct keep_rows_list *list, uint64_t id, struct store_memory *ret_memory)
{
	struct store_memory from, to;
	int r;

	r = rows_open_in(list, list->other, id, &from);
	if (r < 0)
		return r;
	r = rows_make(list, id, &to);
	if (r == 0) {
		memcpy(body_of(&to), body_of(&from), sizeof(struct fwd_table));
		r = rows_commit(list, &to);
	}
	store_memory_unmap(&from);
	if (r == 0)
		*ret_memory = to;
	return r;
}

int keep_rows_open(struct keep_rows_list *list, uint64_t id, struct keep_rows **ret_rows)
{
	_cleanup_free_ struct keep_rows *rows = NULL;
	int r;

	rows = rows_find(list, id);
	if (rows) {
		rows->n_refs++;
		*ret_rows = TAKE_PTR(rows);
		return 0;
	}
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	rows->id = id;
	r = rows_open_in(list, list->store, id, &rows->memory);
	if (r < 0) {
		int error = rows_copy(list, id, &rows->memory);

		/* What is wrong with ours says more than that the other store has none. */
		r = error == -ENOENT ? r : error;
	}
	if (r < 0)
		return r;
	*ret_rows = rows_add(list, TAKE_PTR(rows));
	return 0;
}

static void rows_forget(struct keep_rows *rows)
{
	struct keep_rows_list *list = rows->list;
	struct keep_rows **link = &list->open[rows->id % ROWS_LISTS];
	char name[KEEP_NAME_BYTES];

	while (*link != rows)
		link = &(*link)->next;
	*link = rows->next;
	if (list->is_preserving)
		return;
	rows_name(rows->id, name);
	list->store->remove(list->directory, name, &rows->memory);
}

struct keep_rows *keep_rows_unref(struct keep_rows *rows)
{
	if (!rows || --rows->n_refs > 0)
		return NULL;
	if (rows->list)
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

/* ---- all of them ---- */

static void rows_count_name(const char *name, void *context)
{
	struct keep_rows_list *list = context;
	uint64_t id;

	if (rows_parse_name(name, &id) && id < INT64_MAX && id >= list->next_id)
		list->next_id = id + 1;
}

int keep_rows_list_new(const struct store_directory *directory, const struct store *store,
	const struct store *other, struct keep_rows_list **ret_list)
{
	_cleanup_(keep_rows_list_freep) struct keep_rows_list *list = calloc(1, sizeof(*list));
	int r;

	if (!list)
		return -ENOMEM;
	list->directory = directory;
	list->store = store;
	list->other = other;
	list->next_id = 1;
	list->is_preserving = true;
	r = store->each(directory, rows_count_name, list);
	if (r == 0)
		r = other->each(directory, rows_count_name, list);
	if (r < 0)
		return r;
	*ret_list = TAKE_PTR(list);
	return 0;
}

struct keep_rows_list *keep_rows_list_free(struct keep_rows_list *list)
{
	if (!list)
		return NULL;
	ARRAY_FOREACH (first, list->open, ROWS_LISTS)
		for (struct keep_rows *rows = *first; rows; rows = rows->next)
			rows->list = NULL;
	free(list);
	return NULL;
}

void keep_rows_list_preserve(struct keep_rows_list *list, bool is_preserving)
{
	list->is_preserving = is_preserving;
}

static void rows_sweep_name(const char *name, void *context)
{
	const struct keep_rows_list *list = context;
	uint64_t id;

	if (rows_parse_name(name, &id) && !rows_find(list, id))
		list->store->remove(list->directory, name, NULL);
}

void keep_rows_list_sweep(struct keep_rows_list *list)
{
	(void)list->store->each(list->directory, rows_sweep_name, list);
}
