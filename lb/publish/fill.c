/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication: the rows of new tables. Each is a computation of its own, about a millisecond of it; when
 * a backend leaves a hundred pools, several CPUs share them, so that agents are heard again soon. The
 * main loop waits for the end and takes part; nothing else is shared with these threads.
 */
#include "lb/publish/fill.h"
#include "lb/table/table_fill.h"

#include "common/os/thread.h"

#define FILL_THREADS_MAX 8u
/* Starting a thread costs some ten microseconds. */
#define FILL_POOLS_FOR_THREAD 2u

struct filling {
	const struct fill_request *request;
	struct pool **pools;
	size_t len;
	size_t next; /* of all threads */
	int error;   /* the same; 0: none */
};

static int fill_pool(const struct filling *filling, struct pool *pool)
{
	struct fwd_table *rows = keep_rows_table(pool->rows);
	const struct fwd_slot *old_rows =
		pool->parent ? keep_rows_table(pool->parent->rows)->rows : NULL;
	struct table_ids alive;
	int r = table_fill(pool->members, pool->n_members, filling->request->seed, rows->rows);

	if (r < 0)
		return r;
	pool_alive(pool, &alive);
	pool->moving = table_inherit(
		rows, old_rows, filling->request->follow, &alive, filling->request->now_s);
	if (pool->stirred)
		pool->moving = table_stir(rows, filling->request->now_s);
	return 0;
}

static void *fill_some(void *context)
{
	struct filling *filling = context;

	for (;;) {
		size_t idx = __atomic_fetch_add(&filling->next, 1, __ATOMIC_RELAXED);
		int r;

		if (idx >= filling->len)
			return NULL;
		r = fill_pool(filling, filling->pools[idx]);
		if (r < 0)
			__atomic_store_n(&filling->error, r, __ATOMIC_RELAXED);
	}
}

/* Beside the main loop's own; the workers' CPUs are for packets, so it is half of them. */
static size_t fill_helpers(size_t n_pools)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t half = cpus > 1 ? (size_t)cpus / 2 : 0;

	half = MIN(half, (size_t)FILL_THREADS_MAX);
	return MIN(half, n_pools / FILL_POOLS_FOR_THREAD);
}

int fill_pools(const struct fill_request *request, struct pool **pools, size_t len)
{
	struct filling filling = { request, pools, len, 0, 0 };
	size_t wanted = fill_helpers(len), n_helpers = 0;
	pthread_t helpers[FILL_THREADS_MAX];

	/* Without threads it takes longer. */
	while (n_helpers < wanted && thread_start(&helpers[n_helpers], fill_some, &filling) == 0)
		n_helpers++;
	(void)fill_some(&filling);
	for (size_t i = 0; i < n_helpers; i++)
		(void)pthread_join(helpers[i], NULL);
	return filling.error;
}
