/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of lb/state/keep: keep.c (flows, document, directory) and keep_rows.c. */
#pragma once

#include "lb/state/keep.h"
#include "lb/state/store.h"

#define KEEP_FLOWS_NAME "flows"

struct keep_flow_table;

struct keep {
	struct store_directory directory;
	const struct store *store;
	const struct store *other; /* to move from */
	int lock_fd;
	char *pins; /* path; NULL: nothing is pinned */
	struct keep_flow_table *flows;
	struct store_memory loads; /* KEEP_MAPS alone */
	struct keep_rows *rows;    /* all that are open */
	uint64_t next_rows_id;
	bool is_preserving;
};

struct keep_rows {
	struct keep *keep; /* NULL: keep_free() came first */
	struct keep_rows *next;
	uint64_t id;
	size_t n_refs;
	struct store_memory memory;
};

/* Finds the first free id of rows in both stores. */
int keep_rows_start(struct keep *keep);
