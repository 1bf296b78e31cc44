/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication: the rows of new tables. Each is a computation of its own, about a millisecond of it; when
 * a backend leaves a hundred pools, several CPUs share them, so that agents are heard again soon. The
 * main loop waits for the end and takes part; nothing else is shared with these threads.
 */
#include <pthread.h>

#include "lb/publish/publish_internal.h"

#define PUBLISH_THREADS_MAX 8u
/* Starting a thread costs some ten microseconds. */
#define PUBLISH_TABLES_FOR_THREAD 2u

struct publish_filling {
	const struct publish *publish;
	struct publish_table **tables;
	size_t len;
	uint32_t now_s;
	size_t next; /* of all threads */
	int error;   /* the same; 0: none */
};

static int publish_fill_table(const struct publish_filling *filling, struct publish_table *table)
{
	struct fwd_table *rows = keep_rows_table(table->rows);
	const struct fwd_slot *old_rows =
		table->parent ? keep_rows_table(table->parent->rows)->rows : NULL;
	struct table_ids alive = { 0 };
	int r = table_fill(table->members, table->n_members, filling->publish->seed, rows->rows);

	if (r < 0)
		return r;
	for (size_t i = 0; i < table->n_alive; i++)
		table_ids_add(&alive, table->alive[i]);
	table->moving =
		table_inherit(rows, old_rows, filling->publish->follow, &alive, filling->now_s);
	if (table->stirred)
		table->moving = table_stir(rows, filling->now_s);
	return 0;
}

static void *publish_fill_some(void *context)
{
	struct publish_filling *filling = context;

	for (;;) {
		size_t idx = __atomic_fetch_add(&filling->next, 1, __ATOMIC_RELAXED);
		int r;

		if (idx >= filling->len)
			return NULL;
		r = publish_fill_table(filling, filling->tables[idx]);
		if (r < 0)
			__atomic_store_n(&filling->error, r, __ATOMIC_RELAXED);
	}
}

/* Beside the main loop's own; the workers' CPUs are for packets, so it is half of them. */
static size_t publish_helpers(size_t n_tables)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t half = cpus > 1 ? (size_t)cpus / 2 : 0;

	half = MIN(half, (size_t)PUBLISH_THREADS_MAX);
	return MIN(half, n_tables / PUBLISH_TABLES_FOR_THREAD);
}

int publish_fill(struct publish *publish, struct publish_table **tables, size_t len, uint32_t now_s)
{
	struct publish_filling filling = { publish, tables, len, now_s, 0, 0 };
	size_t wanted = publish_helpers(len), n_helpers = 0;
	pthread_t helpers[PUBLISH_THREADS_MAX];

	/* Without threads it takes longer. */
	while (n_helpers < wanted &&
		pthread_create(&helpers[n_helpers], NULL, publish_fill_some, &filling) == 0)
		n_helpers++;
	(void)publish_fill_some(&filling);
	for (size_t i = 0; i < n_helpers; i++)
		(void)pthread_join(helpers[i], NULL);
	return filling.error;
}
