/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the daemon: the flow table and the tables' rows as mapped files or as array maps
 * that BPF programs use too (lb/state/keep_layout.h), and one JSON document (state.json) that names them
 * and the backends. Files are in the runtime directory (tmpfs: gone with the boot, as the
 * monotonic clock is), maps in the bpffs mounted at its "bpf", or, where there is none, found by
 * what their headers say. kill -9 loses nothing that was published.
 * What has another layout or size is replaced; its flows are moved over where the entry layout is
 * the same. Knows no meaning of the document.
 */
#pragma once

#include <jansson.h>

#include "lb/table/flows.h"
#include "lb/fwd/types.h"

#define KEEP_WHY_BYTES 256u

enum keep_backing {
	KEEP_FILES,
	KEEP_MAPS,
};

struct keep;

/* Whether this process can make maps for KEEP_MAPS; if not, `ret_why` (KEEP_WHY_BYTES) says why. */
bool keep_maps_supported(char *ret_why);

/*
 * Opens DIR (which exists), takes its lock (-EBUSY: another daemon has it), maps or creates the
 * flow table for max_flows; the records of a table of another size or in the other backing move to
 * a new one. `*ret_fresh` is true when nothing usable was found: the flow seed is new then.
 * Errors: negative errno with `ret_why` (KEEP_WHY_BYTES).
 */
int keep_open(const char *directory, enum keep_backing backing, uint64_t max_flows,
	struct keep **ret_keep, bool *ret_fresh, char *ret_why);
/*
 * Unmaps; files and pinned maps stay. Maps without a pin stay as long as a program or a map of maps
 * that outlives us has them.
 */
struct keep *keep_free(struct keep *keep);
DEFINE_CLEANUP(struct keep *, keep_free)

const struct flows_table *keep_flows(const struct keep *keep);
/* The map behind it, or -1: KEEP_FILES. Stays ours. */
int keep_flows_map(const struct keep *keep);
/* All zero at the start; NULL and -1: KEEP_FILES, where any memory will do. For lb/table/scheduler.h. */
struct fwd_load *keep_loads(const struct keep *keep);
int keep_loads_map(const struct keep *keep);
/* The path of the bpffs that maps are pinned in; NULL: they are not. Lives as long as `keep`. */
const char *keep_pins(const struct keep *keep);
/* The secret seed of the flow table's index, kept beside it. */
const uint64_t *keep_flow_seed(const struct keep *keep);

/* Rows of one table: a file or map of its own, counted references. */
struct keep_rows;
int keep_rows_new(struct keep *keep, struct keep_rows **ret_rows);
/*
 * By the id that the document names; rows in the other backing are copied to ours. -ENOENT, -EINVAL
 * (wrong size or layout).
 */
int keep_rows_open(struct keep *keep, uint64_t id, struct keep_rows **ret_rows);
struct keep_rows *keep_rows_ref(struct keep_rows *rows);
/* The last reference removes the file, unless the daemon is ending (keep_free came first or
 * keep_rows_preserve was called for it). */
struct keep_rows *keep_rows_unref(struct keep_rows *rows);
DEFINE_CLEANUP(struct keep_rows *, keep_rows_unref)
uint64_t keep_rows_id(const struct keep_rows *rows);
struct fwd_table *keep_rows_table(struct keep_rows *rows);
/* The map behind them, or -1: KEEP_FILES. Closed with the last reference. */
int keep_rows_map(const struct keep_rows *rows);
/* From now on no file is removed: the daemon ends and its tables stay for the next. */
void keep_preserve(struct keep *keep);
/*
 * Removes rows that `is_named` does not want, and all that the other backing has; after the document
 * was read and what it names was opened.
 */
void keep_sweep(struct keep *keep, bool (*is_named)(uint64_t id, void *context), void *context);

/* The document, written whole by rename (0600). NULL from load: none or unreadable. */
int keep_save_document(struct keep *keep, const json_t *document);
json_t *keep_load_document(struct keep *keep);
