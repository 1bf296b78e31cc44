/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet engine: the contract of engine.h over AF_PACKET workers (worker.h). This file is
 * the main loop's side: it starts and stops workers, switches snapshots, and sums what workers
 * counted. Needs CAP_NET_RAW; CAP_NET_ADMIN makes socket buffers larger, and with CAP_BPF a guard
 * spares the host's stack (guard.h).
 */
#include "lb/engine/packet/engine_packet.h"

#include <sys/eventfd.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/why.h"
#include "lb/engine/bpf/guard.h"
#include "lb/engine/slow_path.h"
#include "lb/engine/packet/ring.h"
#include "lb/engine/packet/worker.h"

/* Datagrams whose later fragments are known to follow their first; fragments are rare. */
#define ENGINE_FRAGMENTS 16384u

/* A replaced snapshot that workers may still be reading. */
struct retired {
	struct retired *next;
	struct snapshot *snapshot;
	uint64_t epoch; /* of its successor: who announces this or a later one reads it no more */
};

struct engine {
	struct worker_shared shared;
	struct snapshot *current; /* shared.snapshot, owned */
	struct retired *retired;
	struct guard *guard;  /* NULL: there is none */
	struct why unguarded; /* why the interface has none; "": it has */
	int stop_fd;
	unsigned int n_workers;
	struct worker *workers[ENGINE_WORKERS_MAX];
};

static void packet_stop(struct engine *engine, bool detach)
{
	struct retired *retired;

	if (!engine)
		return;
	guard_free(engine->guard);
	__atomic_store_n(&engine->shared.is_stopping, true, __ATOMIC_RELEASE);
	if (engine->stop_fd >= 0)
		(void)eventfd_write(engine->stop_fd, 1);
	for (unsigned int idx = 0; idx < ENGINE_WORKERS_MAX; idx++)
		worker_free(engine->workers[idx]);
	while ((retired = engine->retired)) {
		engine->retired = retired->next;
		snapshot_free(retired->snapshot);
		free(retired);
	}
	snapshot_free(engine->current);
	fragments_free(engine->shared.fragments);
	slow_path_free(engine->shared.slow_path);
	capture_ring_free(engine->shared.capture);
	free(engine->shared.rates.services);
	free(engine->shared.rates.sources);
	util_close(engine->stop_fd);
	free(engine);
}

static int make_fragments(struct worker_shared *shared)
{
	__u64 seed[2];
	int r;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return util_negative_errno();
	r = fragments_new(ENGINE_FRAGMENTS, seed, &shared->fragments);
	return r < 0 ? r : slow_path_new(seed, &shared->slow_path);
}

static int make_rates(struct rates *rates)
{
	rates->services = calloc(FWD_ID_MAX + 1, sizeof(*rates->services));
	rates->sources = calloc(FWD_SOURCE_RATES, sizeof(*rates->sources));
	return rates->services && rates->sources ? 0 : -ENOMEM;
}

static int start_workers(
	struct engine *engine, const struct engine_config *config, struct why *ret_why)
{
	struct worker_config worker_config = {
		.ifindex = config->ifindex,
		.pin = config->n_workers > 1,
		.share = config->n_workers > 1,
		.stop_fd = engine->stop_fd,
		.shared = &engine->shared,
	};
	int fanout_id = RING_FANOUT_NONE;
	int r;

	/* All have joined before the first receives, so that the kernel's shares are final. */
	for (unsigned int idx = 0; idx < config->n_workers; idx++) {
		worker_config.idx = idx;
		r = worker_new(&worker_config, &fanout_id, &engine->workers[idx], ret_why);
		if (r < 0)
			return r;
		engine->n_workers++;
	}
	for (unsigned int idx = 0; idx < config->n_workers; idx++) {
		r = worker_start(engine->workers[idx], ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Everything that workers need from the start. */
static int prepare(struct engine *engine, const struct engine_config *config, struct why *ret_why)
{
	int r;

	if (config->n_workers < 1 || config->n_workers > ENGINE_WORKERS_MAX)
		return why_errno(ret_why, -EINVAL, "number of workers");
	r = snapshot_new_empty(&engine->current);
	if (r < 0)
		return why_errno(ret_why, r, "snapshot");
	engine->shared.snapshot = engine->current;
	r = make_fragments(&engine->shared);
	if (r < 0)
		return why_errno(ret_why, r, "table of fragments");
	r = make_rates(&engine->shared.rates);
	if (r < 0)
		return why_errno(ret_why, r, "buckets of SYN rates");
	engine->shared.capture = capture_ring_new();
	if (!engine->shared.capture)
		return why_errno(ret_why, util_negative_errno(), "ring of captured frames");
	engine->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return engine->stop_fd < 0 ? why_errno(ret_why, util_negative_errno(), "eventfd") : 0;
}

static void start_guard(struct engine *engine, const struct engine_config *config)
{
	if (guard_new(config, &engine->guard, &engine->unguarded) < 0)
		log_info(
			"this host's own stack gets frames for VIPs, too, and drops them later: %s",
			engine->unguarded.text);
}

static int packet_start(
	const struct engine_config *config, struct engine **ret_engine, struct why *ret_why)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	struct why step = { 0 };
	int r;

	if (!engine)
		return why_errno(ret_why, -ENOMEM, "packet engine: memory");
	engine->stop_fd = -1;
	engine->shared.epoch = 1;
	r = prepare(engine, config, &step);
	if (r == 0)
		r = start_workers(engine, config, &step);
	if (r < 0) {
		packet_stop(engine, true);
		return why_fail(ret_why, r, "packet engine: %s", step.text);
	}
	start_guard(engine, config);
	*ret_engine = engine;
	return 0;
}

static void packet_reclaim(struct engine *engine)
{
	uint64_t oldest = UINT64_MAX; /* epoch that any worker may be in */
	struct retired **link = &engine->retired;

	for (unsigned int idx = 0; idx < engine->n_workers; idx++) {
		uint64_t epoch = worker_epoch(engine->workers[idx]);

		if (epoch != 0 && epoch < oldest)
			oldest = epoch;
	}
	while (*link) {
		struct retired *retired = *link;

		if (retired->epoch > oldest) {
			link = &retired->next;
			continue;
		}
		*link = retired->next;
		snapshot_free(retired->snapshot);
		free(retired);
	}
}

static int packet_load(struct engine *engine, struct snapshot *snapshot)
{
	struct retired *retired = malloc(sizeof(*retired));

	if (!retired) {
		snapshot_free(snapshot);
		return -ENOMEM;
	}
	guard_add(engine->guard, engine->current, snapshot);
	retired->snapshot = engine->current;
	retired->epoch = engine->shared.epoch + 1;
	retired->next = engine->retired;
	engine->retired = retired;
	engine->current = snapshot;
	/* In this order: see worker.h. */
	__atomic_store_n(&engine->shared.snapshot, snapshot, __ATOMIC_SEQ_CST);
	__atomic_store_n(&engine->shared.epoch, retired->epoch, __ATOMIC_SEQ_CST);
	guard_remove(engine->guard, retired->snapshot, snapshot);
	packet_reclaim(engine);
	return 0;
}

static const struct snapshot *packet_current(struct engine *engine)
{
	return engine->current;
}

static struct rates packet_rates(struct engine *engine)
{
	return engine->shared.rates;
}

static void packet_totals(struct engine *engine, struct engine_totals *ret_totals)
{
	struct engine_totals totals = { 0 };

	for (unsigned int idx = 0; idx < engine->n_workers; idx++)
		counters_sum_totals(worker_counters(engine->workers[idx]), &totals);
	slow_path_sum_totals(engine->shared.slow_path, &totals);
	*ret_totals = totals;
}

static void packet_service_counters(
	struct engine *engine, uint16_t service, struct engine_service_counters *ret_counters)
{
	struct engine_service_counters sum = { 0 };

	for (unsigned int idx = 0; idx < engine->n_workers; idx++)
		counters_sum_service(worker_counters(engine->workers[idx]), service, &sum);
	*ret_counters = sum;
}

static void packet_pair_counters(struct engine *engine, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters)
{
	struct engine_pair_counters sum = { .service = service, .backend = backend };

	for (unsigned int idx = 0; idx < engine->n_workers; idx++)
		counters_sum_pair(worker_counters(engine->workers[idx]), service, backend, &sum);
	*ret_counters = sum;
}

static uint64_t packet_take_clients(struct engine *engine, uint16_t service, uint16_t backend)
{
	uint64_t clients = 0;

	for (unsigned int idx = 0; idx < engine->n_workers; idx++)
		clients |= counters_take_clients(
			worker_counters(engine->workers[idx]), service, backend);
	return clients;
}

/* An interface that is not there has no place for it. */
static void look_after_guard(struct engine *engine)
{
	struct why why = { 0 };
	int r = guard_repair(engine->guard, &why);

	if (r > 0)
		log_warning("the guard program was taken from the interface; it is back");
	else if (r < 0 && !streq(why.text, engine->unguarded.text))
		log_warning(
			"the guard program was taken from the interface, and this host's own stack "
			"gets frames for VIPs, too: %s",
			why.text);
	if (engine->guard && r != 0)
		engine->unguarded = why;
}

/* An ended worker says more than one that waits for its interface. */
static int packet_health(struct engine *engine)
{
	int health = 0;

	for (unsigned int idx = 0; idx < engine->n_workers; idx++) {
		int r = worker_health(engine->workers[idx]);

		if (r < 0 && (health == 0 || health == -ENETDOWN))
			health = r;
	}
	if (health == 0)
		look_after_guard(engine);
	return health;
}

static const char *packet_unguarded(const struct engine *engine)
{
	return engine->unguarded.text[0] ? engine->unguarded.text : NULL;
}

static int packet_capture(struct engine *engine, const struct capture_filter *filter)
{
	capture_ring_set(engine->shared.capture, filter);
	return 0;
}

static int packet_capture_fd(const struct engine *engine)
{
	return capture_ring_fd(engine->shared.capture);
}

static bool packet_capture_take(struct engine *engine, struct captured *ret_captured)
{
	return capture_ring_take(engine->shared.capture, ret_captured);
}

static uint64_t packet_capture_lost(const struct engine *engine)
{
	return capture_ring_lost(engine->shared.capture);
}

const struct engine_ops engine_packet_ops = {
	.name = "packet",
	.start = packet_start,
	.load = packet_load,
	.current = packet_current,
	.rates = packet_rates,
	.reclaim = packet_reclaim,
	.totals = packet_totals,
	.service_counters = packet_service_counters,
	.pair_counters = packet_pair_counters,
	.take_clients = packet_take_clients,
	.health = packet_health,
	.unguarded = packet_unguarded,
	.capture = packet_capture,
	.capture_fd = packet_capture_fd,
	.capture_take = packet_capture_take,
	.capture_lost = packet_capture_lost,
	.stop = packet_stop,
	.sweep = guard_sweep,
};
