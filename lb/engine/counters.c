/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of one packet worker; see counters.h. Relaxed atomics suffice: numbers are
 * independent of each other, but for the key of a pair, which is published after its entry
 * was empty and never changes again.
 */
#include "lb/engine/counters.h"

#include <sys/mman.h>

#define PAIR_SLOTS     131072u /* a power of two; at most three quarters are used */
#define PAIR_SLOT_BITS 17u

_Static_assert(PAIR_SLOTS == 1u << PAIR_SLOT_BITS, "bits and slots belong together");
_Static_assert(COUNTERS_PAIRS_MAX <= PAIR_SLOTS / 4 * 3, "probing needs free slots");

/* service 0 does not exist, so key 0 is an empty slot. */
struct pair {
	uint32_t key;
	uint64_t packets;
	uint64_t bytes;
	uint64_t new_flows;
	uint64_t syns;
	uint64_t clients; /* one bit for each number of a client that sent a SYN */
};

/*
 * Pages of its own, so no cache line is shared with another worker. Most are never touched and
 * so take no memory: the kernel provides them, zero, at their first use.
 */
struct counters {
	uint64_t reason_pkts[FWD_REASON_N_];
	uint64_t evictions;
	uint64_t unrecorded;
	uint64_t named;
	uint64_t uncounted_pairs;
	uint32_t n_pairs;
	struct engine_service_counters services[FWD_ID_MAX + 1];
	struct pair pairs[PAIR_SLOTS];
};

int counters_new(struct counters **ret_counters)
{
	void *memory = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return util_negative_errno();
	*ret_counters = memory;
	return 0;
}

struct counters *counters_free(struct counters *counters)
{
	if (counters)
		munmap(counters, sizeof(*counters));
	return NULL;
}

/* One writer: no read-modify-write instruction is needed, only stores that are not torn. */
static inline void add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline uint64_t read_counter(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint32_t pair_key(uint16_t service, uint16_t backend)
{
	return (uint32_t)service << 16 | backend;
}

/* The pair's slot, or the empty one where it belongs. Ends, as a quarter of the slots is empty. */
static uint32_t pair_find(const struct counters *counters, uint32_t key)
{
	/* Knuth, TAOCP vol. 3 §6.4: multiplicative hashing by 2^32 / golden ratio. */
	uint32_t idx = key * 2654435769u >> (32 - PAIR_SLOT_BITS);
	uint32_t found;

	while ((found = __atomic_load_n(&counters->pairs[idx].key, __ATOMIC_ACQUIRE)) != 0 &&
		found != key)
		idx = (idx + 1) & (PAIR_SLOTS - 1);
	return idx;
}

static struct pair *pair_get(struct counters *counters, uint16_t service, uint16_t backend)
{
	uint32_t key = pair_key(service, backend);
	struct pair *pair = &counters->pairs[pair_find(counters, key)];

	if (pair->key == key)
		return pair;
	if (counters->n_pairs == COUNTERS_PAIRS_MAX)
		return NULL;
	counters->n_pairs++;
	__atomic_store_n(&pair->key, key, __ATOMIC_RELEASE);
	return pair;
}

void counters_add_reason(struct counters *counters, enum fwd_reason reason, uint64_t n_pkts)
{
	add(&counters->reason_pkts[reason], n_pkts);
}

static void add_forwarded(
	struct counters *counters, const struct fwd_result *result, uint32_t size_bytes)
{
	struct engine_service_counters *service = &counters->services[result->service];
	struct pair *pair = pair_get(counters, result->service, result->backend);

	add(&service->packets, 1);
	add(&service->bytes, size_bytes);
	if (result->syn)
		add(&service->syns, 1);
	if (!pair) {
		add(&counters->uncounted_pairs, 1);
		return;
	}
	add(&pair->packets, 1);
	add(&pair->bytes, size_bytes);
	if (result->syn || result->recorded)
		add(&pair->new_flows, 1);
	if (result->syn) {
		add(&pair->syns, 1);
		__atomic_store_n(&pair->clients,
			read_counter(&pair->clients) | UINT64_C(1) << (result->syn >> 1),
			__ATOMIC_RELAXED);
	}
}

void counters_add_frame(
	struct counters *counters, const struct fwd_result *result, uint32_t size_bytes)
{
	add(&counters->reason_pkts[result->reason], 1);
	if (result->evicted)
		add(&counters->evictions, 1);
	if (result->unrecorded)
		add(&counters->unrecorded, 1);
	if (result->alternative && result->reason == FWD_REASON_FORWARDED)
		add(&counters->named, 1);
	if (counters_verdict(result->reason) == FWD_FORWARD && result->service)
		add_forwarded(counters, result, size_bytes);
}

enum fwd_verdict counters_verdict(enum fwd_reason reason)
{
	static const uint8_t verdicts[FWD_REASON_N_] = {
#define REASON_VERDICT(id, name, verdict, text) [FWD_REASON_##id] = (verdict),
		FWD_REASONS(REASON_VERDICT)
#undef REASON_VERDICT
	};
	enum fwd_verdict verdict = verdicts[reason];

	return verdict == FWD_SLOW_PATH ? FWD_DROP : verdict;
}

void counters_sum_totals(const struct counters *counters, struct engine_totals *totals)
{
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++) {
		uint64_t n_pkts = read_counter(&counters->reason_pkts[reason]);

		totals->reason_pkts[reason] += n_pkts;
		totals->verdict_pkts[counters_verdict(reason)] += n_pkts;
		totals->received_pkts += n_pkts;
	}
	totals->evictions += read_counter(&counters->evictions);
	totals->unrecorded += read_counter(&counters->unrecorded);
	totals->named += read_counter(&counters->named);
	totals->uncounted_pairs += read_counter(&counters->uncounted_pairs);
}

void counters_sum_service(
	const struct counters *counters, uint16_t service, struct engine_service_counters *sum)
{
	const struct engine_service_counters *own = &counters->services[service];

	sum->packets += read_counter(&own->packets);
	sum->bytes += read_counter(&own->bytes);
	sum->syns += read_counter(&own->syns);
}

void counters_sum_pair(const struct counters *counters, uint16_t service, uint16_t backend,
	struct engine_pair_counters *sum)
{
	uint32_t key = pair_key(service, backend);
	const struct pair *pair = &counters->pairs[pair_find(counters, key)];

	/* Absent: the slot may be taken for another pair at this moment. */
	if (__atomic_load_n(&pair->key, __ATOMIC_ACQUIRE) != key)
		return;
	sum->packets += read_counter(&pair->packets);
	sum->bytes += read_counter(&pair->bytes);
	sum->new_flows += read_counter(&pair->new_flows);
	sum->syns += read_counter(&pair->syns);
}

uint64_t counters_take_clients(struct counters *counters, uint16_t service, uint16_t backend)
{
	uint32_t key = pair_key(service, backend);
	struct pair *pair = &counters->pairs[pair_find(counters, key)];

	if (__atomic_load_n(&pair->key, __ATOMIC_ACQUIRE) != key)
		return 0;
	/* The worker may put old ones back at this moment: then they are seen twice. */
	return __atomic_exchange_n(&pair->clients, 0, __ATOMIC_RELAXED);
}
