/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept memory as array maps that programs in the kernel use too (contract in store.h). Called
 * by lb/state/keep; the only user of bpf(2) beside the engine.
 */
#pragma once

#include "common/why.h"
#include "lb/state/store.h"

extern const struct store keep_map_store;

#define KEEP_PINS_NAME "bpf" /* of the directory, where a bpffs is mounted */

/* Makes one of our maps and forgets it; negative errno with `ret_why`. */
int keep_map_try(struct why *ret_why);
/* Memory for loads (lb/table/scheduler.h) that is a map, nameless and without header. Negative errno. */
int keep_map_loads(struct store_memory *ret_memory);
/*
 * Finds out where maps are: pinned in the directory's "bpf", if that is a bpffs that we may write
 * to, else by their headers. keep_map_forget() and keep_map_end() free what it found.
 */
int keep_map_start(struct store_directory *directory);
/* Closes the maps that were found and not opened. */
void keep_map_forget(struct store_directory *directory);
void keep_map_end(struct store_directory *directory);
