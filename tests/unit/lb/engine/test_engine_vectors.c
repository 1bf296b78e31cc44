/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet vectors on every engine, over real interfaces: each is injected on one veth pair, and what
 * became of it is read from the engine's counters and from the other pair. Reason, backend and bytes
 * have to be those of the table, whatever the engine.
 */
#include "lb/engine/engine.h"

#include <linux/virtio_net.h>

#include "lb/fwd/hash.h"
#include "tests/unit/lb/engine/engine_kind.h"
#include "tests/vectors/world.h"

#define GSO_SEGMENT_BYTES 1400u
/* Of the links: longer frames than VECTOR_MTU_BYTES allows arrive, and padding has room behind. */
#define LINK_MTU_BYTES 9000u

_Static_assert(ENGINE_ROWS_MAX >= (unsigned int)VECTOR_ROWS_N_, "rows of their own for each");

struct rig {
	struct engine_memory kept;
	struct vector_memory memory; /* that the vectors' world lies in */
	struct engine *engine;
	int client, server;
	uint32_t mtu_bytes;    /* of the links */
	uint16_t datagram;     /* fragments of one vector must not meet those of another */
	uint64_t sent_pkts;    /* to this engine */
	uint64_t early_pkts;   /* of them, fragments that it will give up */
	uint64_t answers_sent; /* by it, that were received */
	uint8_t frame[VECTOR_FRAME_MAX + sizeof(struct virtio_net_hdr)];
	uint8_t received[WIRE_FRAME_BYTES];
};

static struct rig rig = { .client = -1, .server = -1 };

static void rig_start_engine(void)
{
	struct why why = { 0 };

	rig.sent_pkts = 0;
	rig.early_pkts = 0;
	rig.answers_sent = 0;
	if (engine_start_over(&rig.kept, "in0", kind_out(), 1, &rig.engine, &why) < 0)
		fail_msg("start: %s", why.text);
	assert_int_equal(ops->load(rig.engine, vector_memory_snapshot(&rig.memory)), 0);
}

static void rig_open_memory(void)
{
	engine_memory_open(&rig.kept);
	rig.memory.flows = *keep_flows(rig.kept.keep);
	rig.memory.out = if_nametoindex(kind_out());
	for (unsigned int i = 0; i < VECTOR_ROWS_N_; i++) {
		rig.memory.rows[i] = keep_rows_table(rig.kept.rows[i]);
		rig.memory.rows_maps[i] = keep_rows_map(rig.kept.rows[i]);
	}
}

static void add_pair(const char *name, enum vector_mac mac, const char *peer, enum vector_mac to)
{
	char texts[2][MAC_STRLEN];
	struct mac macs[2];

	memcpy(macs[0].bytes, vector_mac_bytes(mac), MAC_LEN);
	memcpy(macs[1].bytes, vector_mac_bytes(to), MAC_LEN);
	wire_add_pair(name, mac_format(&macs[0], texts[0]), peer, mac_format(&macs[1], texts[1]));
}

static int rig_setup(void **state)
{
	int one = 1;

	if (*why_not)
		return 0;
	if (!wire_enter_namespace())
		return -1;
	add_pair("c0", VECTOR_MAC_ROUTER, "in0", VECTOR_MAC_OWN);
	add_pair("out0", VECTOR_MAC_OUT, "b0", VECTOR_MAC_BACKEND1);
	rig.mtu_bytes = kind_is(&engine_xdp_ops) ? ENGINE_XDP_MTU_BYTES : LINK_MTU_BYTES;
	wire_run(
		"for i in c0 in0 out0 b0; do ip link set $i mtu %u || exit 1; done", rig.mtu_bytes);
	kind_prepare_links();
	rig.client = wire_open("c0");
	rig.server = kind->one_interface ? rig.client : wire_open("b0");
	assert_int_equal(setsockopt(rig.client, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	rig_open_memory();
	rig_start_engine();
	return 0;
}

static int rig_teardown(void **state)
{
	if (*why_not)
		return 0;
	if (rig.engine)
		ops->stop(rig.engine, true);
	rig.engine = NULL;
	engine_memory_close(&rig.kept);
	if (rig.server != rig.client)
		util_close(rig.server);
	rig.client = util_close(rig.client);
	return 0;
}

/* ---- what can be injected ---- */

/* Why no packet socket and veth pair can deliver it to this engine; NULL: they can. */
static const char *why_not_injected(const struct vector_packet *packet)
{
	if (packet->cut_bytes > 0 && packet->cut_bytes < ETH_HLEN)
		return "a packet socket sends no frame that ends within its Ethernet header";
	if (packet->cut_bytes > 0 && packet->vlans[0] && packet->cut_bytes < ETH_HLEN + 6 &&
		!kind_is(&engine_xdp_ops))
		return "the kernel discards a frame that ends within its tag before the engine";
	if (packet->gso && packet->zero_total)
		return "a packet socket sends no super-frame of more than 64 KiB";
	if (packet->gso && kind_is(&engine_xdp_ops))
		return "native XDP never gets super-frames: the other end cuts them";
	if (!packet->gso && packet->payload_bytes > rig.mtu_bytes - 40)
		return "longer than the longest frame of native XDP on a veth";
	return NULL;
}

/* As a stack hands over a super-frame: unfinished checksum, headers in one piece. */
static void describe_gso(const struct vector_packet *packet, struct virtio_net_hdr *vnet)
{
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->gso_type = packet->ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	vnet->gso_size = GSO_SEGMENT_BYTES;
	vnet->csum_start = ETH_HLEN + (packet->ip6 ? 40 : 20);
	vnet->csum_offset = 16; /* RFC 9293 §3.1 */
	vnet->hdr_len = vnet->csum_start + 20;
}

static size_t inject(const struct vector_packet *packet)
{
	struct vector_packet of_this_vector = *packet;
	struct virtio_net_hdr vnet = { 0 };
	size_t size_bytes;

	of_this_vector.datagram = rig.datagram;
	size_bytes = vector_build(&of_this_vector, rig.frame + sizeof(vnet));

	if (packet->gso)
		describe_gso(packet, &vnet);
	memcpy(rig.frame, &vnet, sizeof(vnet));
	wire_send(rig.client, rig.frame, sizeof(vnet) + size_bytes);
	rig.sent_pkts++;
	return size_bytes;
}

static struct engine_totals totals_now(void)
{
	struct engine_totals totals;

	ops->totals(rig.engine, &totals);
	assert_int_equal(totals.received_pkts,
		totals.verdict_pkts[FWD_PASS] + totals.verdict_pkts[FWD_FORWARD] +
			totals.verdict_pkts[FWD_DROP]);
	return totals;
}

/* What was decided, or is held until it is given up. */
static uint64_t taken_pkts(void)
{
	struct engine_totals totals = totals_now();

	return totals.received_pkts + totals.fragments_held;
}

/* The frame that came out, behind a vnet header that says nothing where the socket asks for one. */
static size_t receive_whole(uint16_t *ret_tci)
{
	const size_t vnet_bytes = rig.server == rig.client ? sizeof(struct virtio_net_hdr) : 0;
	size_t size_bytes = wire_receive(rig.server, rig.received, ret_tci) - vnet_bytes;

	memmove(rig.received, rig.received + vnet_bytes, size_bytes);
	return size_bytes;
}

/* The frame that came out, with the tag that the kernel took out of it put back. */
static size_t receive(const struct vector_packet *packet)
{
	uint16_t tci;
	size_t size_bytes = receive_whole(&tci);

	if (!packet->vlans[0])
		return size_bytes;
	assert_int_not_equal(tci, 0);
	memmove(rig.received + 16, rig.received + 12, size_bytes - 12);
	rig.received[12] = (uint8_t)(packet->vlans[0] >> 8);
	rig.received[13] = (uint8_t)packet->vlans[0];
	rig.received[14] = (uint8_t)(tci >> 8);
	rig.received[15] = (uint8_t)tci;
	return size_bytes + 4;
}

/* Answers to what was too big go to the client, and with one interface there are its frames, too. */
static void take_answers(void)
{
	uint64_t answers_sent = totals_now().answers_sent;

	if (rig.server != rig.client)
		return;
	for (; rig.answers_sent < answers_sent; rig.answers_sent++) {
		receive_whole(NULL);
		assert_memory_equal(rig.received + 6, vector_mac_bytes(VECTOR_MAC_OWN), 6);
	}
}

/* The id of the backend that the received frame is addressed to. */
static uint16_t received_backend(void)
{
	for (uint16_t id = 1; id <= VECTOR_BACKENDS; id++)
		if (memcmp(rig.received, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1), 6) == 0)
			return id;
	fail_msg("sent to nobody");
	return 0;
}

/* ---- vectors ---- */

static uint16_t expected_backend(const struct vector *vector, uint16_t before)
{
	const struct vector_packet *packet = &vector->packet;
	const char *client = packet->source ? packet->source
		: packet->ip6               ? "2001:db8:7::7"
					    : "192.0.2.7";
	struct addr addr = { .family = packet->ip6 ? AF_INET6 : AF_INET };
	__be16 port = htons(packet->client_port ? packet->client_port : 40000);
	struct fwd_addr address;

	switch (vector->rule) {
	case VECTOR_BY_PORTS:
	case VECTOR_BY_SOURCE:
		assert_int_equal(inet_pton(addr.family, client, addr.bytes), 1);
		snapshot_addr(&addr, &address);
		return vector_world_owner(hash_row(snapshot_settings(ops->current(rig.engine)),
			&address, vector->rule == VECTOR_BY_PORTS ? port : 0));
	case VECTOR_AS_BEFORE:
		return before;
	case VECTOR_BACKEND1:
	case VECTOR_BACKEND1_OR_2:
		return 1;
	case VECTOR_BACKEND2:
		return 2;
	case VECTOR_NOBODY:
		break;
	}
	return 0;
}

/* Injects what comes before; returns the backend that the last of it went to. */
static uint16_t inject_before(const struct vector *vector)
{
	uint16_t backend = 0;

	for (size_t i = 0; i < vector->n_before; i++) {
		uint64_t forwarded_pkts = totals_now().verdict_pkts[FWD_FORWARD];

		inject(&vector->before[i]);
		WIRE_WAIT(taken_pkts() == rig.sent_pkts);
		take_answers();
		backend = 0;
		if (totals_now().verdict_pkts[FWD_FORWARD] == forwarded_pkts)
			continue;
		receive(&vector->before[i]);
		backend = received_backend();
	}
	return backend;
}

static void check_forwarded(const struct vector *vector, size_t size_bytes, uint16_t before)
{
	const size_t macs_bytes = 12;

	assert_int_equal(receive(&vector->packet), size_bytes);
	assert_int_equal(received_backend(), expected_backend(vector, before));
	assert_memory_equal(rig.received + 6,
		vector_mac_bytes(
			vector->rule == VECTOR_BACKEND1_OR_2 ? VECTOR_MAC_NAMED2 : VECTOR_MAC_OUT),
		6);
	assert_memory_equal(rig.received + macs_bytes,
		rig.frame + sizeof(struct virtio_net_hdr) + macs_bytes, size_bytes - macs_bytes);
}

/* Rows, flows, SYN rates and datagrams as they are before each vector. */
static void rig_reset(void)
{
	struct rates rates = ops->rates(rig.engine);

	vector_memory_reset(&rig.memory);
	memset(rates.services, 0, (FWD_ID_MAX + 1) * sizeof(*rates.services));
	memset(rates.sources, 0, FWD_SOURCE_RATES * sizeof(*rates.sources));
	rig.datagram++;
}

/* One more frame has the vector's reason, and no other has one; but what is early may wait for it. */
static void check_reason(const struct vector *vector, const struct engine_totals *before)
{
	bool is_early = vector->reason == FWD_REASON_FRAGMENT_EARLY;
	struct engine_totals now;

	WIRE_WAIT(taken_pkts() == rig.sent_pkts);
	rig.early_pkts += is_early;
	now = totals_now();
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++)
		if (reason != FWD_REASON_FRAGMENT_EARLY)
			assert_int_equal(now.reason_pkts[reason],
				before->reason_pkts[reason] + (reason == vector->reason));
	assert_int_equal(now.received_pkts - now.reason_pkts[FWD_REASON_FRAGMENT_EARLY],
		rig.sent_pkts - rig.early_pkts);
}

/* Over its backends, for what a service's own counters say may be a moment old. */
static struct engine_pair_counters sum_pairs(uint16_t service)
{
	struct engine_pair_counters sum = { 0 }, pair;

	for (uint16_t id = 1; id <= VECTOR_BACKENDS; id++) {
		ops->pair_counters(rig.engine, service, id, &pair);
		sum.packets += pair.packets;
		sum.bytes += pair.bytes;
	}
	return sum;
}

static void engine_serves_vector(void **state)
{
	const struct vector *vector = *state;
	struct engine_pair_counters before_pairs;
	struct engine_totals before_totals;
	const char *why;
	uint16_t before;
	size_t size_bytes;

	NEEDS_ENGINE();
	why = why_not_injected(&vector->packet);
	if (why) {
		print_message("skipped: %s\n", why);
		skip();
	}
	rig_reset();
	before = inject_before(vector);
	before_totals = totals_now();
	before_pairs = sum_pairs(vector->service);
	size_bytes = inject(&vector->packet);
	check_reason(vector, &before_totals);
	if (vector->reason == FWD_REASON_FORWARDED) {
		check_forwarded(vector, size_bytes, before);
		/* A frame is counted by its reason first. */
		WIRE_WAIT(sum_pairs(vector->service).bytes == before_pairs.bytes + size_bytes);
		assert_int_equal(sum_pairs(vector->service).packets, before_pairs.packets + 1);
	}
	take_answers();
	assert_true(wire_is_silent(rig.server));
}

/* After all vectors. */
static void engine_gives_up_all_early_fragments(void **state)
{
	NEEDS_ENGINE();
	WIRE_WAIT(totals_now().received_pkts == rig.sent_pkts);
	assert_true(rig.early_pkts > 0);
	assert_int_equal(totals_now().reason_pkts[FWD_REASON_FRAGMENT_EARLY], rig.early_pkts);
	assert_int_equal(totals_now().fragments_expired, rig.early_pkts);
	assert_true(wire_is_silent(rig.server));
}

int main(void)
{
	size_t n_vectors;
	const struct vector *vectors = vector_table(&n_vectors);
	struct CMUnitTest tests[512] = { 0 };

	if (n_vectors >= ARRAY_LEN(tests))
		return 1;
	for (size_t i = 0; i < n_vectors; i++)
		tests[i] = (struct CMUnitTest){
			.name = vectors[i].name,
			.test_func = engine_serves_vector,
			.initial_state = (void *)&vectors[i],
		};
	tests[n_vectors++] =
		(struct CMUnitTest)cmocka_unit_test(engine_gives_up_all_early_fragments);
	return kinds_run("engine_vectors", tests, n_vectors, rig_setup, rig_teardown,
		wire_enter_namespace());
}
