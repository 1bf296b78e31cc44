/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of tables that outlive the daemon: by id, with counted references, in one of two stores; and the
 * sweep of what nobody has any more. Called by publication and lb/state/keep, from the main loop alone.
 */
#pragma once

#include "lb/state/store.h"

/* All rows of one directory. */
struct keep_rows_list;
/* Those of one table: a piece of memory of their own. */
struct keep_rows;

/*
 * Finds the first free id of rows in both stores: new ones are in `store`; what is only in `other` is
 * copied. All three arguments must outlive the list. -ENOMEM, or what reading the stores gives.
 */
int keep_rows_list_new(const struct store_directory *directory, const struct store *store,
	const struct store *other, struct keep_rows_list **ret_list);
/* Rows that are still referenced stay mapped for their owners, and what is kept stays. */
struct keep_rows_list *keep_rows_list_free(struct keep_rows_list *list);
DEFINE_CLEANUP(struct keep_rows_list *, keep_rows_list_free)
/*
 * Whether rows stay kept when their last reference goes. So it is at first: a start that fails must leave
 * what the document names.
 */
void keep_rows_list_preserve(struct keep_rows_list *list, bool is_preserving);
/* Removes all rows that are not open. */
void keep_rows_list_sweep(struct keep_rows_list *list);

/* All zero, with an id that no rows have had. -ENOMEM, -ENOSPC, or an errno of the store. */
int keep_rows_new(struct keep_rows_list *list, struct keep_rows **ret_rows);
/*
 * By the id that the document names; rows in the other store are copied to ours. -ENOMEM, -ENOENT, -EINVAL
 * (wrong size or layout, another boot's).
 */
int keep_rows_open(struct keep_rows_list *list, uint64_t id, struct keep_rows **ret_rows);
/* Whether a name in a store is one of rows. */
bool keep_rows_is_name(const char *name);

/* The last reference removes what is kept, unless the list preserves, or was freed before. */
struct keep_rows *keep_rows_unref(struct keep_rows *rows);
DEFINE_CLEANUP(struct keep_rows *, keep_rows_unref)
uint64_t keep_rows_id(const struct keep_rows *rows);
struct fwd_table *keep_rows_table(struct keep_rows *rows);
/* The map behind them, or -1: a file. Closed with the last reference. */
int keep_rows_map(const struct keep_rows *rows);
