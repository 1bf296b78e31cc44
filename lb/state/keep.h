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

#include "common/why.h"
#include "lb/state/keep_rows.h"
#include "lb/table/flows.h"

enum keep_backing {
	KEEP_FILES,
	KEEP_MAPS,
};

struct keep;

/* Whether this process can make maps for KEEP_MAPS; if not, `ret_why` says why. */
bool keep_maps_supported(struct why *ret_why);

struct keep_config {
	const char *directory; /* exists; lives as long as the call */
	enum keep_backing backing;
	uint64_t max_flows;
};

/*
 * Opens the directory, takes its lock (-EBUSY: another daemon has it), maps or creates the flow table for
 * max_flows; the records of a table of another size or in the other backing move to a new one.
 * `*ret_fresh` is true when nothing usable was found: the flow seed is new then. Until keep_sweep() no
 * rows are removed. Errors: negative errno with `ret_why`.
 */
int keep_open(const struct keep_config *config, struct keep **ret_keep, bool *ret_fresh,
	struct why *ret_why);
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

/* The rows of tables that are kept here. */
struct keep_rows_list *keep_rows_list(const struct keep *keep);
/* From now on no rows are removed: the daemon ends and its tables stay for the next. */
void keep_preserve(struct keep *keep);
/*
 * The start is complete: removes rows that are not open, and all that the other backing has. From now on
 * rows go with their last reference.
 */
void keep_sweep(struct keep *keep);
/*
 * The boot of the host whose state is believed, as text: times of another one's monotonic clock mean
 * nothing. Where the kernel does not say, it is "" in a directory that goes with the boot (tmpfs), and else
 * something that no other run has. Lives as long as `keep`.
 */
const char *keep_boot(const struct keep *keep);

/* The document, written whole by rename (0600). NULL from load: none or unreadable. */
int keep_save_document(struct keep *keep, const json_t *document);
json_t *keep_load_document(struct keep *keep);
