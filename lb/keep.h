/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the daemon: the flow table and the tables' rows as mapped files, and one JSON
 * document (state.json) that names them and the backends, all in the runtime directory (tmpfs:
 * gone with the boot, as the monotonic clock is). kill -9 loses nothing that was published.
 * A file of another layout or size is replaced; its flows are moved over where the entry layout is
 * the same. Knows no meaning of the document.
 */
#pragma once

#include <jansson.h>

#include "lb/flows.h"
#include "lb/fwd/types.h"

#define KEEP_LAYOUT 1u /* of flow and row files; change with lb/fwd/flow.h or struct fwd_slot */

struct keep;

/*
 * Opens DIR (which exists), takes its lock (-EBUSY: another daemon has it), maps or creates the
 * flow table for max_flows; the records of a table of another size move to a new one.
 * `*ret_fresh` is true when nothing usable was found: the flow seed is new then. Errors: negative errno with `ret_why` (256 bytes).
 */
int keep_open(const char *directory, uint64_t max_flows, struct keep **ret_keep, bool *ret_fresh,
	char *ret_why);
struct keep *keep_free(struct keep *keep); /* unmaps; files stay */
DEFINE_CLEANUP(struct keep *, keep_free)

const struct flows_table *keep_flows(const struct keep *keep);
/* The secret seed of the flow table's index, kept beside it. */
const uint64_t *keep_flow_seed(const struct keep *keep);

/* Rows of one table: a file of its own, counted references. */
struct keep_rows;
int keep_rows_new(struct keep *keep, struct keep_rows **ret_rows);
/* By the id that the document names; -ENOENT, -EINVAL (wrong size or layout). */
int keep_rows_open(struct keep *keep, uint64_t id, struct keep_rows **ret_rows);
struct keep_rows *keep_rows_ref(struct keep_rows *rows);
/* The last reference removes the file, unless the daemon is ending (keep_free came first or
 * keep_rows_preserve was called for it). */
struct keep_rows *keep_rows_unref(struct keep_rows *rows);
DEFINE_CLEANUP(struct keep_rows *, keep_rows_unref)
uint64_t keep_rows_id(const struct keep_rows *rows);
struct fwd_slot *keep_rows_memory(struct keep_rows *rows);
/* From now on no file is removed: the daemon ends and its tables stay for the next. */
void keep_preserve(struct keep *keep);
/* Removes row files that `is_named` does not want; after the document was read. */
void keep_sweep(struct keep *keep, bool (*is_named)(uint64_t id, void *context), void *context);

/* The document, written whole by rename (0600). NULL from load: none or unreadable. */
int keep_save_document(struct keep *keep, const json_t *document);
json_t *keep_load_document(struct keep *keep);
