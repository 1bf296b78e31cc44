/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs in the kernel counted, each CPU for itself, with what the slow path's thread
 * counted. A service's numbers are the sums of its pairs', which are added up for all services at once
 * and then good for a while: who asks for one asks for all.
 */
#include "lb/engine/bpf/count.h"

#include "common/os/clock.h"
#include "lb/engine/bpf/object.h"
#include "lb/engine/bpf/slow_path_thread.h"
#include "lb/engine/counters.h"

#define SUMS_FRESH_MS 20u

struct count_sums {
	uint64_t added_ms; /* 0: never */
	struct engine_service_counters services[FWD_ID_MAX + 1];
};

void count_totals(struct engine *engine, struct engine_totals *ret_totals)
{
	struct engine_totals totals = { 0 };

	for (unsigned int cpu = 0; cpu < engine->n_cpus; cpu++) {
		const struct bpf_totals *own = &engine->totals[cpu];

		for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++) {
			uint64_t n_pkts = FWD_LOAD(&own->reason_pkts[reason]);

			totals.reason_pkts[reason] += n_pkts;
			totals.verdict_pkts[counters_verdict(reason)] += n_pkts;
			totals.received_pkts += n_pkts;
		}
		totals.evictions += FWD_LOAD(&own->evictions);
		totals.unrecorded += FWD_LOAD(&own->unrecorded);
		totals.named += FWD_LOAD(&own->named);
		totals.uncounted_pairs += FWD_LOAD(&own->uncounted_pairs);
	}
	slow_path_thread_sum_totals(engine->slow_path, &totals);
	*ret_totals = totals;
}

/* The place of a key among the pairs of a CPU; BPF_PAIRS: it has none. */
static uint32_t find_pair(const struct bpf_pair *pairs, uint32_t key)
{
	uint32_t first = bpf_pair_place(key);

	for (uint32_t i = 0; i < BPF_PAIR_PROBES; i++) {
		uint32_t at = (first + i) & (BPF_PAIRS - 1);
		uint32_t found = FWD_LOAD(&pairs[at].key);

		if (found == key)
			return at;
		if (found == 0)
			break;
	}
	return BPF_PAIRS;
}

/* Adds the numbers of a key over all CPUs. */
static void sum_pair(const struct engine *engine, uint32_t key, struct engine_pair_counters *sum)
{
	for (unsigned int cpu = 0; cpu < engine->n_cpus; cpu++) {
		size_t first = (size_t)cpu * BPF_PAIRS;
		uint32_t at = find_pair(&engine->pairs[first], key);
		const struct bpf_pair *pair = &engine->pairs[first + at];
		const struct bpf_pair_rest *rest = &engine->rests[first + at];

		if (at == BPF_PAIRS)
			continue;
		sum->packets += bpf_pair_packets(pair, rest);
		sum->bytes += FWD_LOAD(&pair->bytes);
		sum->new_flows += FWD_LOAD(&rest->new_flows);
		sum->syns += FWD_LOAD(&rest->syns);
	}
}

static void add_up(const struct engine *engine, struct count_sums *sums)
{
	memset(sums->services, 0, sizeof(sums->services));
	for (size_t i = 0; i < (size_t)engine->n_cpus * BPF_PAIRS; i++) {
		const struct bpf_pair *pair = &engine->pairs[i];
		const struct bpf_pair_rest *rest = &engine->rests[i];
		uint32_t key = FWD_LOAD(&pair->key);
		struct engine_service_counters *sum = &sums->services[key >> 16 & FWD_ID_MAX];

		if (key == 0)
			continue;
		sum->packets += bpf_pair_packets(pair, rest);
		sum->bytes += FWD_LOAD(&pair->bytes);
		sum->syns += FWD_LOAD(&rest->syns);
	}
}

void count_service(
	struct engine *engine, uint16_t service, struct engine_service_counters *ret_counters)
{
	struct engine_service_counters counters = { 0 };
	uint64_t now_ms = clock_now_us() / 1000;

	if (!engine->sums)
		engine->sums = calloc(1, sizeof(*engine->sums));
	if (engine->sums && now_ms - engine->sums->added_ms > SUMS_FRESH_MS) {
		add_up(engine, engine->sums);
		engine->sums->added_ms = now_ms;
	}
	if (engine->sums)
		counters = engine->sums->services[service];
	counters_sum_service(slow_path_thread_counters(engine->slow_path), service, &counters);
	*ret_counters = counters;
}

void count_pair(struct engine *engine, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters)
{
	struct engine_pair_counters counters = { .service = service, .backend = backend };

	sum_pair(engine, (uint32_t)service << 16 | backend, &counters);
	counters_sum_pair(
		slow_path_thread_counters(engine->slow_path), service, backend, &counters);
	*ret_counters = counters;
}

uint64_t count_take_clients(struct engine *engine, uint16_t service, uint16_t backend)
{
	uint32_t key = (uint32_t)service << 16 | backend;
	uint64_t clients = 0;

	/* No client's SYN is a fragment or too big, but of one that means no good. */
	for (unsigned int cpu = 0; cpu < engine->n_cpus; cpu++) {
		size_t first = (size_t)cpu * BPF_PAIRS;
		uint32_t at = find_pair(&engine->pairs[first], key);

		/* Most are none, and a line that nobody writes stays in all caches. */
		if (at < BPF_PAIRS && FWD_LOAD(&engine->rests[first + at].clients) != 0)
			clients |= __atomic_exchange_n(
				&engine->rests[first + at].clients, 0, __ATOMIC_RELAXED);
	}
	return clients;
}
