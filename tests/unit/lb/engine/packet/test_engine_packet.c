/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is particular to the packet engine: its workers, and what a ring of the kernel does. */
#include "lb/engine/engine.h"

#include <linux/if_tun.h>
#include <sys/uio.h>

#include "lb/engine/packet/ring.h"
#include "tests/unit/lb/engine/engine_fixture.h"

static void engine_refuses_bad_configuration(void **state)
{
	static const struct engine_config configs[] = {
		{ .ifindex = 1, .n_workers = 0 },
		{ .ifindex = 1, .n_workers = ENGINE_WORKERS_MAX + 1 },
		{ .ifindex = 999999, .n_workers = 1 },
	};
	static const int errors[] = { -EINVAL, -EINVAL, -ENODEV };

	NEEDS_ENGINE();
	for (size_t idx = 0; idx < ARRAY_LEN(configs); idx++) {
		struct why why = { 0 };
		struct engine *engine = NULL;

		assert_int_equal(ops->start(&configs[idx], &engine, &why), errors[idx]);
		assert_null(engine);
		assert_string_not_equal(why.text, "");
	}
}

/* A frame whose checksum its sender left to the device, as real stacks do. */
static void send_unfinished(int fd, const struct udp_frame *frame, size_t size_bytes)
{
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = offsetof(struct udp_frame, udp),
		.csum_offset = offsetof(struct udphdr, check),
	};
	struct iovec vectors[] = {
		{ &header, sizeof(header) },
		{ (void *)(uintptr_t)frame, size_bytes },
	};

	assert_int_equal(writev(fd, vectors, ARRAY_LEN(vectors)), sizeof(header) + size_bytes);
}

/* Plain frames and those with state to be kept leave by two sockets, and in one order. */
static void engine_keeps_the_order_of_frames(void **state)
{
	static const uint16_t n_frames = 4 * RING_BATCH;
	_cleanup_close_ int client = -1, unfinished = -1, server = -1;
	static uint8_t received[WIRE_FRAME_BYTES];
	struct udp_frame frame;
	struct engine *engine;
	int one = 1;

	NEEDS_ENGINE();
	client = wire_open("c0");
	unfinished = wire_open("c0");
	server = wire_open("b0");
	assert_int_equal(setsockopt(unfinished, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	engine = engine_serve("out0", MTU_BYTES);
	for (uint16_t number = 0; number < n_frames; number++) {
		frame_fill(&frame, number, 100);
		if (number % 3 == 0)
			send_unfinished(unfinished, &frame, 100);
		else
			wire_send(client, &frame, 100);
	}
	for (uint16_t number = 0; number < n_frames; number++) {
		assert_int_equal(wire_receive(server, received, NULL), 100);
		assert_int_equal(ntohs(((struct udp_frame *)(void *)received)->udp.source), number);
	}
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == n_frames);
	engine_stop();
}

static void engine_never_receives_what_its_workers_send(void **state)
{
	_cleanup_close_ int client = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	/* The socket of a worker alone leaves them out by itself; in a group a filter does. */
	for (unsigned int n_workers = 1; n_workers <= 2; n_workers++) {
		engine = engine_start("in0", "in0", n_workers);
		assert_int_equal(
			ops->load(engine, snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES)), 0);
		for (uint16_t port = 1; port <= 20; port++) {
			frame_fill(&frame, port, 500);
			assert_forwarded(client, client, &frame, 500);
		}
		WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == 20);
		assert_int_equal(totals_of(engine).received_pkts, 20);
		engine_stop();
	}
}

static void engine_takes_frames_longer_than_a_ring_frame(void **state)
{
	static struct {
		struct udp_frame frame;
		uint8_t more[8000];
	} jumbo;
	static uint8_t received[WIRE_FRAME_BYTES];
	const size_t size_bytes = 9000;
	_cleanup_close_ int client = -1, server = -1;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open("b0");
	(void)engine_serve("out0", 9000); /* its ring is sized for the MTU of now */
	wire_run("for i in c0 in0 out0 b0; do ip link set $i mtu 9000 || exit 1; done");
	frame_fill(&jumbo.frame, 1, size_bytes);
	for (unsigned int idx = 0; idx < 3 * RING_LONG_PER_BATCH; idx++) {
		jumbo.more[7000] = (uint8_t)idx;
		wire_send(client, &jumbo, size_bytes);
	}
	for (unsigned int idx = 0; idx < 3 * RING_LONG_PER_BATCH; idx++) {
		jumbo.more[7000] = (uint8_t)idx;
		assert_int_equal(wire_receive(server, received, NULL), size_bytes);
		assert_memory_equal(received + 12, (uint8_t *)&jumbo + 12, size_bytes - 12);
	}
	engine_stop();
}

static void engine_counts_refused_frame_and_goes_on(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open("b0");
	engine = engine_serve("out0", MTU_BYTES);
	wire_run("ip link set out0 mtu 1000"); /* the snapshot does not know yet: EMSGSIZE */
	frame_fill(&frame, 1, 1200);
	wire_send(client, &frame, 1200);
	frame_fill(&frame, 1, 900);
	assert_forwarded(client, server, &frame, 900);
	WIRE_WAIT(totals_of(engine).received_pkts == 2);
	assert_int_equal(reason_pkts(engine, FWD_REASON_SEND_FAILED), 1);
	assert_int_equal(reason_pkts(engine, FWD_REASON_FORWARDED), 1);
	assert_int_equal(ops->health(engine), 0);
	engine_stop();
}

/*
 * A UDP frame with the old fragmentation offload, as a virtual machine may send: the vnet header
 * cannot express it, and the kernel's ring stays stuck at it.
 */
static void engine_recovers_from_a_stuck_ring(void **state)
{
	_cleanup_close_ int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_name = "tap0",
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct {
		struct virtio_net_hdr vnet;
		struct udp_frame frame;
	} poison = { 0 };
	struct udp_frame *frame = &poison.frame;
	struct engine *engine;
	uint64_t sent_pkts = 0;

	NEEDS_ENGINE();
	if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
		print_message("skipped: no tap devices here\n");
		skip();
	}
	wire_run("ip link set tap0 address " IN_MAC " up");
	engine = engine_start("tap0", "out0", 1);
	assert_int_equal(ops->load(engine, snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES)), 0);
	frame_fill(frame, 1, 1000);
	poison.vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	poison.vnet.gso_size = 500;
	poison.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	poison.vnet.csum_start = ETH_HLEN + sizeof(struct iphdr);
	poison.vnet.csum_offset = offsetof(struct udphdr, check);
	poison.vnet.hdr_len = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr);
	assert_int_equal(
		write(tap, &poison, sizeof(poison.vnet) + 1000), sizeof(poison.vnet) + 1000);
	sent_pkts++;
	memset(&poison.vnet, 0, sizeof(poison.vnet));
	WIRE_WAIT(({
		assert_true(write(tap, &poison, sizeof(poison.vnet) + 1000) > 0);
		sent_pkts++;
		reason_pkts(engine, FWD_REASON_FORWARDED) > 0;
	}));
	assert_true(totals_of(engine).received_pkts <= sent_pkts);
	assert_int_equal(ops->health(engine), 0);
	engine_stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(engine_refuses_bad_configuration),
		TEST(engine_keeps_the_order_of_frames),
		TEST(engine_never_receives_what_its_workers_send),
		TEST(engine_takes_frames_longer_than_a_ring_frame),
		TEST(engine_counts_refused_frame_and_goes_on),
		TEST(engine_recovers_from_a_stuck_ring),
	};

	fixture_start();
	return kind_run_judged(&engine_kinds[0], "engine_packet", tests, ARRAY_LEN(tests), NULL,
		NULL, is_permitted);
}
