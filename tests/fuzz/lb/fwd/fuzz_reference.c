/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwd_run() against the second opinion of tests/vectors/reference.h, on the input of fuzz_frame: of the
 * input, the first byte chooses how much is readable and whether the frame is a super-frame; the
 * rest is up to four frames, each led by its length, run one after another in one world. Both
 * have to agree on the reason, and of a forwarded frame on service, row, backend and the flow
 * that is recorded.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include "tests/vectors/reference.h"
#include "tests/vectors/world.h"

#define FRAMES_MAX 4u

_Static_assert(FRAMES_MAX <= REFERENCE_FRAMES_MAX, "the reference remembers them all");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct vector_world *memory;
	struct snapshot *snapshot;
	uint64_t now_ns; /* of the rates: at each input they are full again */
	struct reference reference;
};

static struct world world;

static void world_begin(void)
{
	if (!world.memory) {
		world.memory = aligned_alloc(64, sizeof(*world.memory));
		if (!world.memory)
			abort();
		vector_world_reset(world.memory);
		world.snapshot = vector_world_snapshot(world.memory);
	}
	world.now_ns += 10 * UINT64_C(1000000000);
	memset(world.memory->flow4, 0, sizeof(world.memory->flow4));
	memset(world.memory->flow6, 0, sizeof(world.memory->flow6));
	memset(&world.reference, 0, sizeof(world.reference));
}

static void disagree(const char *what, unsigned int core, unsigned int reference)
{
	fprintf(stderr, "%s: the core says %u, the reference %u\n", what, core, reference);
	abort();
}

static void check(const char *what, unsigned int core, unsigned int reference)
{
	if (core != reference)
		disagree(what, core, reference);
}

/* What a verdict is, apart from the reasons' own table. Who answers a too long frame is the engine's. */
static unsigned int verdict_of(unsigned int reason, unsigned int verdict)
{
	switch (reason) {
	case FWD_REASON_FORWARDED:
		return FWD_FORWARD;
	case FWD_REASON_NOT_OURS:
	case FWD_REASON_NOT_IP:
	case FWD_REASON_NOT_VIP:
	case FWD_REASON_NO_SERVICE:
	case FWD_REASON_NOT_FORWARDED_ICMP:
		return FWD_PASS;
	case FWD_REASON_FRAGMENT_EARLY:
		return FWD_SLOW_PATH;
	case FWD_REASON_TOO_BIG:
		return verdict == FWD_SLOW_PATH ? FWD_SLOW_PATH : FWD_DROP;
	default:
		return FWD_DROP;
	}
}

static bool is_record4(const struct flow4 *entry, const struct reference_flow *flow)
{
	return memcmp(&entry->client, flow->client, sizeof(entry->client)) == 0 &&
		ntohs(entry->client_port) == flow->client_port &&
		ntohs(entry->vip_port) == flow->vip_port;
}

static bool is_record6(const struct flow6 *entry, const struct reference_flow *flow)
{
	return memcmp(entry->client, flow->client, sizeof(entry->client)) == 0 &&
		ntohs(entry->client_port) == flow->client_port &&
		ntohs(entry->vip_port) == flow->vip_port;
}

static bool is_meta_of(uint64_t meta, const struct reference_answer *answer)
{
	unsigned int state = flow_meta_state(meta);
	bool is_udp = state == FLOW_UDP_NEW || state == FLOW_UDP_ESTABLISHED;

	bool is_sctp = state >= FLOW_SCTP_INIT && state <= FLOW_SCTP_ABORT;

	return state != FLOW_FREE && is_udp == answer->flow.is_udp &&
		is_sctp == answer->flow.is_sctp && flow_meta_service(meta) == answer->service &&
		flow_meta_backend(meta) == answer->backend;
}

/* Records of exactly this flow, wherever they lie. */
static unsigned int count_records(const struct reference_answer *answer)
{
	unsigned int n_records = 0;

	ARRAY_FOREACH (bucket, world.memory->flow4, ARRAY_LEN(world.memory->flow4))
		ARRAY_FOREACH (entry, bucket->entries, FLOW4_PER_BUCKET)
			n_records += !answer->flow.is_ip6 && is_meta_of(entry->meta, answer) &&
				is_record4(entry, &answer->flow);
	ARRAY_FOREACH (bucket, world.memory->flow6, ARRAY_LEN(world.memory->flow6))
		ARRAY_FOREACH (entry, bucket->entries, FLOW6_PER_BUCKET)
			n_records += answer->flow.is_ip6 && is_meta_of(entry->meta, answer) &&
				is_record6(entry, &answer->flow);
	return n_records;
}

static void compare(const struct fwd_result *result, const struct reference_answer *answer)
{
	check("reason", result->reason, answer->reason);
	check("verdict", result->verdict, verdict_of(answer->reason, result->verdict));
	if (result->reason != FWD_REASON_FORWARDED)
		return;
	check("service", result->service, answer->service);
	check("backend", result->backend, answer->backend);
	check("alternative", result->alternative, answer->alternative);
	/* A datagram whose flow has a record is not asked for its row. */
	if (answer->has_row && !(answer->flow.is_udp && result->how == FWD_HOW_FLOW))
		check("row", result->slot, answer->row);
	/* A bucket may be full of flows of equal right: then there is no record, and it says so. */
	if (answer->has_flow && !result->unrecorded)
		check("records", count_records(answer), answer->records);
}

static void run_frame(struct fwd_port *port, const uint8_t *data, size_t size_bytes,
	uint32_t hidden_bytes, uint32_t gso)
{
	const struct fwd_frame frame = {
		.length_bytes = (uint32_t)size_bytes + hidden_bytes,
		.gso = gso,
	};
	const struct reference_frame same_frame = {
		.bytes = data,
		.readable_bytes = size_bytes,
		.length_bytes = size_bytes + hidden_bytes,
		.gso = gso,
	};
	_cleanup_free_ uint8_t *copy = calloc(1, size_bytes + 1);
	struct reference_answer answer;
	struct fwd_result result;

	if (!copy)
		abort();
	if (size_bytes > 0)
		memcpy(copy, data, size_bytes);
	reference_decide(&world.reference, &same_frame, &answer);
	fwd_run(port, copy, copy + size_bytes, &frame, &result);
	compare(&result, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const __u64 seed[2] = { 5, 6 };
	_cleanup_(fragments_freep) struct fragments *fragments = NULL;
	struct fwd_port port = { .now_s = VECTOR_NOW_S };
	uint8_t mode;

	if (size < 1)
		return 0;
	world_begin();
	if (fragments_new(64, seed, &fragments) < 0)
		abort();
	port.snapshot = world.snapshot;
	port.rates = vector_world_rates(world.memory);
	port.now_ns = world.now_ns;
	port.fragments = fragments;
	mode = *data++;
	size--;
	for (size_t i = 0; i < FRAMES_MAX && size >= 2; i++) {
		size_t frame_bytes = MIN((size_t)(data[0] << 8 | data[1]), size - 2);

		run_frame(&port, data + 2, frame_bytes, mode & 2 ? 1000 : 0, mode & 1);
		data += 2 + frame_bytes;
		size -= 2 + frame_bytes;
	}
	return 0;
}
