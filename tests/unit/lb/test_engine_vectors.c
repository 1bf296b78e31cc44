/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet vectors on the packet engine, over real interfaces: each is injected on one veth pair,
 * and what became of it is read from the engine's counters and from the other pair. Reason,
 * backend and bytes have to be those of the table.
 *
 *   c0 ──── in0 [engine] out0 ──── b0
 */
#include "lb/engine.h"

#include <linux/virtio_net.h>

#include "lb/fwd/hash.h"
#include "tests/unit/lb/wire.h"
#include "tests/vectors/world.h"

#define GSO_SEGMENT_BYTES 1400u
/* Of the links: longer frames than VECTOR_MTU_BYTES allows arrive, and padding has room behind. */
#define LINK_MTU_BYTES 9000u

static const struct engine_ops *const ops = &engine_packet_ops;
static bool is_permitted;

struct rig {
	struct vector_world *world;
	struct engine *engine;
	int client, server;
	uint64_t sent_pkts; /* to this engine */
	uint8_t frame[VECTOR_FRAME_MAX + sizeof(struct virtio_net_hdr)];
	uint8_t received[WIRE_FRAME_BYTES];
};

static struct rig rig = { .client = -1, .server = -1 };

static void rig_start_engine(void)
{
	struct engine_config config = { .ifindex = if_nametoindex("in0"),
		.out_ifindex = if_nametoindex("out0"),
		.n_workers = 1,
		.flows_map = -1,
		.loads_map = -1 };
	char why[ENGINE_WHY_BYTES] = "";

	if (rig.engine)
		ops->stop(rig.engine, true);
	rig.engine = NULL;
	rig.sent_pkts = 0;
	if (ops->start(&config, &rig.engine, why) < 0)
		fail_msg("start: %s", why);
}

static void add_pair(const char *name, enum vector_mac mac, const char *peer, enum vector_mac to)
{
	char texts[2][MAC_STRLEN];
	struct mac macs[2];

	memcpy(macs[0].bytes, vector_mac_bytes(mac), MAC_LEN);
	memcpy(macs[1].bytes, vector_mac_bytes(to), MAC_LEN);
	wire_add_pair(name, mac_format(&macs[0], texts[0]), peer, mac_format(&macs[1], texts[1]));
}

static int rig_open(void **state)
{
	int one = 1;

	if (!is_permitted)
		return 0;
	rig.world = aligned_alloc(64, sizeof(*rig.world));
	assert_non_null(rig.world);
	add_pair("c0", VECTOR_MAC_ROUTER, "in0", VECTOR_MAC_OWN);
	add_pair("out0", VECTOR_MAC_OUT, "b0", VECTOR_MAC_BACKEND1);
	wire_run("for i in c0 in0 out0 b0; do ip link set $i mtu %u || exit 1; done",
		LINK_MTU_BYTES);
	rig.client = wire_open("c0");
	rig.server = wire_open("b0");
	assert_int_equal(setsockopt(rig.client, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	rig_start_engine();
	return 0;
}

static int rig_close(void **state)
{
	if (rig.engine)
		ops->stop(rig.engine, true);
	util_close(rig.client);
	util_close(rig.server);
	free(rig.world);
	return 0;
}

/* ---- what can be injected ---- */

/*
 * What no packet socket and veth pair can deliver: less than an Ethernet header; a frame that ends
 * in its VLAN tag, which the receiving kernel discards; super-frames of more than 64 KiB.
 */
static bool can_be_injected(const struct vector_packet *packet)
{
	if (packet->cut_bytes > 0 && packet->cut_bytes < ETH_HLEN + (packet->vlans[0] ? 6 : 0))
		return false;
	return !packet->zero_total || !packet->gso;
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
	struct virtio_net_hdr vnet = { 0 };
	size_t size_bytes = vector_build(packet, rig.frame + sizeof(vnet));

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

/* The frame that came out, with the tag that the kernel took out of it put back. */
static size_t receive(const struct vector_packet *packet)
{
	uint16_t tci;
	size_t size_bytes = wire_receive(rig.server, rig.received, &tci);

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

/* The id of the backend that the received frame is addressed to. */
static uint16_t received_backend(void)
{
	for (uint16_t id = 1; id <= VECTOR_BACKENDS; id++)
		if (memcmp(rig.received, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1), 6) == 0)
			return id;
	fail_msg("sent to nobody");
	return 0;
}

static bool is_fragment(const struct vector_packet *packet)
{
	return packet->more || packet->fragment_offset > 0;
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
		WIRE_WAIT(totals_now().received_pkts == rig.sent_pkts);
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
	assert_memory_equal(rig.received + 6, vector_mac_bytes(VECTOR_MAC_OUT), 6);
	assert_memory_equal(rig.received + macs_bytes,
		rig.frame + sizeof(struct virtio_net_hdr) + macs_bytes, size_bytes - macs_bytes);
}

static void engine_serves_vector(void **state)
{
	const struct vector *vector = *state;
	struct engine_service_counters before_service, service;
	struct engine_totals before_totals;
	uint16_t before;
	size_t size_bytes;

	if (!is_permitted || !can_be_injected(&vector->packet)) {
		print_message("skipped: %s\n",
			is_permitted ? "a veth pair cannot deliver it" : "no namespaces here");
		skip();
	}
	/* Fragments of one vector must not meet those of another. */
	if (is_fragment(&vector->packet) || (vector->n_before && is_fragment(vector->before)))
		rig_start_engine();
	vector_world_reset(rig.world);
	assert_int_equal(ops->publish(rig.engine, vector_world_snapshot(rig.world)), 0);
	before = inject_before(vector);
	before_totals = totals_now();
	ops->service_counters(rig.engine, vector->service, &before_service);
	size_bytes = inject(&vector->packet);
	/* A fragment that is held is received when it is given up. */
	WIRE_WAIT(totals_now().received_pkts == rig.sent_pkts);
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++)
		assert_int_equal(totals_now().reason_pkts[reason],
			before_totals.reason_pkts[reason] + (reason == vector->reason));
	if (vector->reason == FWD_REASON_FORWARDED) {
		check_forwarded(vector, size_bytes, before);
		/* A frame is counted by its reason first. */
		WIRE_WAIT((ops->service_counters(rig.engine, vector->service, &service),
			service.bytes == before_service.bytes + size_bytes));
		assert_int_equal(service.packets, before_service.packets + 1);
	}
	assert_true(wire_is_silent(rig.server));
}

int main(void)
{
	size_t n_vectors;
	const struct vector *vectors = vector_table(&n_vectors);
	struct CMUnitTest tests[512] = { 0 };

	if (n_vectors > ARRAY_LEN(tests))
		return 1;
	for (size_t i = 0; i < n_vectors; i++)
		tests[i] = (struct CMUnitTest){
			.name = vectors[i].name,
			.test_func = engine_serves_vector,
			.initial_state = (void *)&vectors[i],
		};
	is_permitted = wire_enter_namespace();
	return _cmocka_run_group_tests("engine_vectors", tests, n_vectors, rig_open, rig_close);
}
