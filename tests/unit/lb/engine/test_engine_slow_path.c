/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tags: long */
/*
 * How engines serve the slow path: early fragments wait for the first of their datagram, whichever worker or
 * program has it; what is too big is answered; and every frame is counted once, held or not, while
 * the engine's process stands still too, and where a program hands over more than there is room for.
 */
#include "lb/engine/engine.h"

#include <sys/wait.h>

#include "lb/engine/slow_path.h"
#include "lb/engine/icmp_answer.h"
#include "tests/unit/lb/engine/engine_fixture.h"
#include "tests/vectors/vectors.h"

#define FRAGMENT_BYTES 200u  /* of each test fragment's frame */
#define OFFSET_UNIT    0x17u /* (FRAGMENT_BYTES - 34) / 8, rounded up: where the next begins */
/* Sent in a row at most, so that rings take them however busy the machine is. */
#define PACE_PKTS 128u

static struct engine *engine_serve_with(unsigned int n_workers, uint32_t mtu_bytes)
{
	struct engine *engine = engine_start("in0", kind_out(), n_workers);

	assert_int_equal(ops->load(engine, snapshot_make(OUT_MAC, SERVER_MAC, mtu_bytes)), 0);
	return engine;
}

/* The idx-th of three fragments of a UDP datagram. */
static void fragment_fill(struct udp_frame *frame, uint16_t id, unsigned int idx)
{
	frame_fill(frame, 1, FRAGMENT_BYTES);
	frame->udp.len = htons(600);
	frame->ip.id = htons(id);
	frame->ip.frag_off = htons((uint16_t)(idx * OFFSET_UNIT | (idx < 2 ? 0x2000 : 0)));
	frame->ip.check = 0;
	frame->ip.check = htons(checksum_of(&frame->ip, sizeof(frame->ip)));
}

static void fragment_send(int client, uint16_t id, unsigned int idx)
{
	struct udp_frame frame;

	fragment_fill(&frame, id, idx);
	wire_send(client, &frame, FRAGMENT_BYTES);
}

/* The number of the fragment that arrived at the server, unchanged but for its MACs. */
static unsigned int fragment_receive(int server, uint16_t id)
{
	static uint8_t received[WIRE_FRAME_BYTES] __attribute__((__aligned__(2)));
	const struct udp_frame *frame = (const void *)received;
	struct udp_frame expected;
	unsigned int idx;

	assert_int_equal(wire_receive(server, received, NULL), FRAGMENT_BYTES);
	assert_int_equal(ntohs(frame->ip.id), id);
	idx = (ntohs(frame->ip.frag_off) & 0x1fff) / OFFSET_UNIT;
	fragment_fill(&expected, id, idx);
	assert_memory_equal(received + 12, (const uint8_t *)&expected + 12, FRAGMENT_BYTES - 12);
	return idx;
}

static const uint8_t tag[] = { 0x81, 0x00, 0x60, 0x2a }; /* priority 3, VLAN 42 */
#define TAG_TCI 0x602a

static void tag_frame(uint8_t *ret_tagged, const struct udp_frame *frame, size_t size_bytes)
{
	const size_t macs_bytes = 12;

	memcpy(ret_tagged, frame, macs_bytes);
	memcpy(ret_tagged + macs_bytes, tag, sizeof(tag));
	memcpy(ret_tagged + macs_bytes + sizeof(tag), (const uint8_t *)frame + macs_bytes,
		size_bytes - macs_bytes);
}

/* ---- early fragments ---- */

static void engine_sends_early_fragments_after_the_first(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve_with(1, MTU_BYTES);
	fragment_send(client, 7, 2);
	fragment_send(client, 7, 1);
	fragment_send(client, 8, 1);
	WIRE_WAIT(totals_of(engine).fragments_held == 3);
	assert_int_equal(totals_of(engine).received_pkts, 0);
	assert_true(wire_is_silent(server));
	fragment_send(client, 7, 0);
	assert_int_equal(fragment_receive(server, 7), 0);
	assert_int_equal(fragment_receive(server, 7), 2); /* in order of arrival */
	assert_int_equal(fragment_receive(server, 7), 1);
	WIRE_WAIT(totals_of(engine).received_pkts == 3);
	assert_int_equal(totals_of(engine).verdict_pkts[FWD_FORWARD], 3);
	assert_int_equal(totals_of(engine).fragments_released, 2);
	assert_int_equal(totals_of(engine).fragments_held, 1);
	engine_stop();
}

static void engine_gives_up_fragments_without_a_first(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve_with(1, MTU_BYTES);
	fragment_send(client, 7, 1);
	WIRE_WAIT(totals_of(engine).fragments_held == 1);
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_FRAGMENT_EARLY) == 1);
	assert_int_equal(totals_of(engine).fragments_held, 0);
	assert_int_equal(totals_of(engine).fragments_expired, 1);
	assert_int_equal(totals_of(engine).verdict_pkts[FWD_DROP], 1);
	fragment_send(client, 7, 0);
	assert_int_equal(fragment_receive(server, 7), 0);
	fragment_send(client, 7, 2);
	assert_int_equal(fragment_receive(server, 7), 2);
	assert_true(wire_is_silent(server));
	engine_stop();
}

static void engine_holds_no_more_than_it_may(void **state)
{
	_cleanup_close_ int client = -1;
	struct engine *engine;
	struct engine_totals totals;

	NEEDS_ENGINE();
	client = wire_open("c0");
	engine = engine_serve_with(1, MTU_BYTES);
	for (unsigned int id = 0; id <= FRAGMENT_QUEUE_FRAMES_MAX; id++) {
		fragment_send(client, (uint16_t)id, 1);
		if (id % PACE_PKTS != 0)
			continue;
		WIRE_WAIT((totals = totals_of(engine),
			totals.received_pkts + totals.fragments_held > id));
		assert_true(totals.fragments_held <= FRAGMENT_QUEUE_FRAMES_MAX);
	}
	WIRE_WAIT(totals_of(engine).received_pkts == FRAGMENT_QUEUE_FRAMES_MAX + 1);
	assert_int_equal(
		reason_pkts(engine, FWD_REASON_FRAGMENT_EARLY), FRAGMENT_QUEUE_FRAMES_MAX + 1);
	engine_stop();
}

/* Nobody serves TCP and UDP of this VIP but port 5000. */
static struct snapshot *snapshot_of_one_port(void)
{
	static const struct flows_table flows = { 0 };
	struct fwd_settings settings = { .mtu_bytes = MTU_BYTES };
	struct fwd_service service = { .id = SERVICE, .flags = FWD_SERVICE_SESSIONLESS };
	struct mac in = mac_make(IN_MAC);
	struct snapshot *snapshot;

	memcpy(settings.own_mac, in.bytes, MAC_LEN);
	assert_int_equal(snapshot_new(&settings, &flows, &snapshot), 0);
	service.table = snapshot_add_rows(snapshot);
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 4999, 4999, SERVICE), 0);
	return snapshot;
}

static void engine_passes_what_follows_a_passed_fragment(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve_with(1, MTU_BYTES);
	assert_int_equal(ops->load(engine, snapshot_of_one_port()), 0);
	fragment_send(client, 7, 1);
	WIRE_WAIT(totals_of(engine).fragments_held == 1);
	fragment_send(client, 7, 0); /* of a port that nobody serves */
	fragment_send(client, 7, 2);
	WIRE_WAIT(totals_of(engine).received_pkts == 3);
	assert_int_equal(reason_pkts(engine, FWD_REASON_NO_SERVICE), 3);
	assert_int_equal(totals_of(engine).fragments_released, 1);
	assert_true(wire_is_silent(server));
	engine_stop();
}

/*
 * Later fragments carry no ports, so the kernel hands them to other workers than the first. What
 * arrives in any order leaves whole, and nothing of it before its first.
 */
static void engine_releases_fragments_that_other_workers_hold(void **state)
{
	static const unsigned int orders[][3] = { { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 },
		{ 0, 1, 2 }, { 1, 0, 2 }, { 0, 2, 1 } };
	const unsigned int n_datagrams = 3000;
	_cleanup_close_ int client = -1;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	engine = engine_serve_with(4, MTU_BYTES);
	for (unsigned int id = 1; id <= n_datagrams; id++) {
		const unsigned int *order = orders[id % ARRAY_LEN(orders)];

		for (unsigned int i = 0; i < 3; i++) {
			struct udp_frame frame;

			/* Many flows, so that firsts are spread over all workers. */
			fragment_fill(&frame, (uint16_t)id, order[i]);
			if (order[i] == 0)
				frame.udp.source = htons((uint16_t)id);
			wire_send(client, &frame, FRAGMENT_BYTES);
		}
		if (id % PACE_PKTS == 0)
			WIRE_WAIT(totals_of(engine).received_pkts == 3 * (uint64_t)id);
	}
	WIRE_WAIT(totals_of(engine).received_pkts == 3 * (uint64_t)n_datagrams);
	assert_int_equal(totals_of(engine).verdict_pkts[FWD_FORWARD], 3 * (uint64_t)n_datagrams);
	assert_int_equal(wire_received_pkts(kind_server()), 3 * (uint64_t)n_datagrams);
	/* What a program hands over may find its first decided by then: it is never held. */
	assert_true(kind_is_bpf() || totals_of(engine).fragments_released >= n_datagrams);
	assert_int_equal(totals_of(engine).fragments_held, 0);
	assert_int_equal(totals_of(engine).fragments_expired, 0);
	engine_stop();
}

/* A tag that the kernel keeps beside the frame comes out again, held or not. */
static void engine_keeps_the_tag_of_what_it_holds(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	_cleanup_close_ int client = -1, server = -1;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve_with(1, MTU_BYTES);
	for (unsigned int left = 3; left-- > 0;) {
		uint8_t tagged[FRAGMENT_BYTES + sizeof(tag)];
		struct udp_frame frame;

		fragment_fill(&frame, 7, left);
		tag_frame(tagged, &frame, FRAGMENT_BYTES);
		wire_send(client, tagged, sizeof(tagged));
		if (left > 0)
			WIRE_WAIT(totals_of(engine).fragments_held == 3 - left);
	}
	for (unsigned int i = 0; i < 3; i++) {
		uint16_t tci;

		assert_int_equal(wire_receive(server, received, &tci), FRAGMENT_BYTES);
		assert_int_equal(tci, TAG_TCI);
	}
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == 3);
	assert_true(wire_is_silent(server));
	engine_stop();
}

/* ---- answers ---- */

static void engine_answers_what_is_too_big(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	struct mac in = mac_make(IN_MAC), sender = mac_make(CLIENT_MAC);
	_cleanup_close_ int client = -1, server = -1;
	uint8_t tagged[1020];
	struct udp_frame frame;
	struct engine *engine;
	uint16_t tci;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server =
		wire_open("b0"); /* where nothing arrives; with one interface c0 sees the answers */
	engine = engine_serve_with(1, 1000);
	frame_fill(&frame, 1, 1015);
	tag_frame(tagged, &frame, 1015);
	for (unsigned int idx = 0; idx < 2; idx++) {
		wire_send(client, idx ? (void *)tagged : (void *)&frame, idx ? 1019 : 1015);
		assert_int_equal(
			wire_receive(client, received, &tci), ETH_HLEN + ICMP_ANSWER_IP4_BYTES_MAX);
		assert_int_equal(tci, idx ? TAG_TCI : 0);
		assert_memory_equal(received, sender.bytes, MAC_LEN);
		assert_memory_equal(received + MAC_LEN, in.bytes, MAC_LEN);
		assert_memory_equal(received + ETH_HLEN + 12, &frame.ip.daddr, 4);
		assert_memory_equal(received + ETH_HLEN + 16, &frame.ip.saddr, 4);
		assert_memory_equal(received + ETH_HLEN + 20, "\3\4", 2);
		assert_memory_equal(received + ETH_HLEN + 26, "\3\xe8", 2); /* 1000 */
		assert_memory_equal(received + ETH_HLEN + 28, &frame.ip, 500);
	}
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_TOO_BIG) == 2);
	assert_int_equal(totals_of(engine).received_pkts, 2); /* not its own answers */
	assert_int_equal(totals_of(engine).answers_sent, 2);
	assert_true(wire_is_silent(server));
	engine_stop();
}

/* RFC 8201 §4: the answer quotes as much as fits into the least MTU, 1280 bytes. */
static void engine_answers_ip6_that_is_too_big(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	const struct vector_packet packet = {
		.ip6 = true, .tcp_flags = 0x10, .payload_bytes = 1241
	};
	_cleanup_close_ int client = -1;
	uint8_t frame[WIRE_FRAME_BYTES];
	struct engine *engine;
	size_t size_bytes;

	NEEDS_ENGINE();
	client = wire_open("c0");
	engine = engine_serve_with(1, 1300);
	size_bytes = vector_build(&packet, frame);
	wire_send(client, frame, size_bytes);
	assert_int_equal(
		wire_receive(client, received, NULL), ETH_HLEN + ICMP_ANSWER_IP6_BYTES_MAX);
	assert_memory_equal(received, frame + MAC_LEN, MAC_LEN);
	assert_memory_equal(received + MAC_LEN, frame, MAC_LEN);
	assert_memory_equal(received + ETH_HLEN + 8, frame + ETH_HLEN + 24, 16); /* the VIP */
	assert_memory_equal(received + ETH_HLEN + 24, frame + ETH_HLEN + 8, 16); /* to the client */
	assert_memory_equal(received + ETH_HLEN + 40, "\2\0", 2);       /* packet too big */
	assert_memory_equal(received + ETH_HLEN + 44, "\0\0\5\x14", 4); /* 1300 */
	assert_memory_equal(received + ETH_HLEN + 48, frame + ETH_HLEN, 1280 - 48);
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_TOO_BIG) == 1);
	assert_int_equal(totals_of(engine).answers_sent, 1);
	engine_stop();
}

/* The core takes a super-frame for any length; what its segments will be is the engine's to see. */
static void engine_answers_a_super_frame_by_its_segments(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	struct mac in = mac_make(IN_MAC), sender = mac_make(CLIENT_MAC);
	_cleanup_close_ int client = -1, sending = -1;
	struct {
		struct virtio_net_hdr vnet;
		struct udp_frame frame;
	} __attribute__((__packed__, __aligned__(2))) packet = { 0 };
	struct engine *engine;
	int one = 1;

	NEEDS_ENGINE();
	if (kind_is(&engine_xdp_ops)) {
		print_message("skipped: native XDP never gets super-frames\n");
		skip();
	}
	client = wire_open("c0");
	sending = wire_open("c0");
	assert_int_equal(setsockopt(sending, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	engine = engine_serve_with(1, 600);
	frame_fill(&packet.frame, 1, 1400);
	packet.frame.ip.protocol = IPPROTO_TCP;
	packet.frame.ip.check = 0;
	packet.frame.ip.check = htons(checksum_of(&packet.frame.ip, sizeof(packet.frame.ip)));
	((uint8_t *)&packet.frame.udp)[12] = 5 << 4; /* RFC 9293 §3.1: data offset */
	packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	packet.vnet.gso_size = 600;
	packet.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	packet.vnet.csum_start = 34;
	packet.vnet.csum_offset = 16;
	packet.vnet.hdr_len = 54;
	wire_send(sending, &packet, sizeof(packet.vnet) + 1400);
	assert_int_equal(
		wire_receive(client, received, NULL), ETH_HLEN + ICMP_ANSWER_IP4_BYTES_MAX);
	assert_memory_equal(received, sender.bytes, MAC_LEN);
	assert_memory_equal(received + MAC_LEN, in.bytes, MAC_LEN);
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_TOO_BIG) == 1);
	engine_stop();
}

static void engine_limits_its_answers(void **state)
{
	const unsigned int n_frames = 5 * SLOW_PATH_ANSWERS_PER_S;
	_cleanup_close_ int client = -1;
	struct engine_totals totals;
	struct udp_frame frame;
	struct engine *engine;
	uint64_t began_ms;

	NEEDS_ENGINE();
	client = wire_open("c0");
	engine = engine_serve_with(1, 1000);
	frame_fill(&frame, 1, 1015);
	began_ms = wire_now_ms();
	for (unsigned int idx = 0; idx < n_frames; idx++) {
		wire_send(client, &frame, 1015);
		if (idx % PACE_PKTS == 0)
			WIRE_WAIT(totals_of(engine).received_pkts == idx + 1);
	}
	WIRE_WAIT(totals_of(engine).received_pkts == n_frames);
	totals = totals_of(engine);
	assert_int_equal(totals.reason_pkts[FWD_REASON_TOO_BIG], n_frames);
	assert_int_equal(totals.answers_sent + totals.answers_limited, n_frames);
	assert_true(totals.answers_sent >= SLOW_PATH_ANSWERS_PER_S);
	assert_true(totals.answers_sent <=
		SLOW_PATH_ANSWERS_PER_S * ((wire_now_ms() - began_ms) / 1000 + 2));
	assert_int_equal(wire_received_pkts("c0"), totals.answers_sent);
	engine_stop();
}

/* ---- accounting ---- */

/* A process of its own with an engine; answers each byte with its totals. */
static pid_t serve_process(int fd, int peer_fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct engine *engine = engine_serve_with(2, 1000);
		struct engine_totals totals;
		char ask;

		util_close(peer_fd); /* or its end would never be seen */
		alarm(60);
		while (read(fd, &ask, 1) == 1) {
			totals = totals_of(engine);
			if (write(fd, &totals, sizeof(totals)) != sizeof(totals))
				break;
		}
		engine_stop();
		_exit(0);
	}
	return pid;
}

static struct engine_totals ask_totals(int fd)
{
	struct engine_totals totals;

	assert_int_equal(write(fd, "?", 1), 1);
	assert_int_equal(read(fd, &totals, sizeof(totals)), sizeof(totals));
	return totals;
}

/* Frames of every fate, in turn. */
static void send_mixed(int client, unsigned int idx)
{
	struct udp_frame frame;

	switch (idx % 6) {
	case 0: /* early; its first follows below for every second of them */
		fragment_send(client, (uint16_t)(idx / 6), 1);
		return;
	case 1:
		fragment_send(client, (uint16_t)(idx / 6), idx / 6 % 2 ? 0 : 2);
		return;
	case 2:
		frame_fill(&frame, (uint16_t)idx, 1200); /* too big */
		wire_send(client, &frame, 1200);
		return;
	case 3:
		frame_fill(&frame, (uint16_t)idx, 60);
		frame.ip.version = 7; /* dropped */
		wire_send(client, &frame, 60);
		return;
	case 4:
		frame_fill(&frame, (uint16_t)idx, 60);
		frame.ip.daddr = 1; /* passed */
		wire_send(client, &frame, 60);
		return;
	default:
		frame_fill(&frame, (uint16_t)idx, 60);
		wire_send(client, &frame, 60);
	}
}

static unsigned int send_mixed_for(int client, unsigned int n_sent, uint64_t time_ms)
{
	uint64_t end_ms = wire_now_ms() + time_ms;

	while (wire_now_ms() < end_ms)
		send_mixed(client, n_sent++);
	return n_sent;
}

static void engine_counts_every_frame_over_a_standstill(void **state)
{
	_cleanup_close_ int client = -1;
	struct engine_totals totals;
	unsigned int n_sent = 0;
	int sockets[2], status;
	pid_t pid;

	NEEDS_ENGINE();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	client = wire_open("c0");
	pid = serve_process(sockets[1], sockets[0]);
	util_close(sockets[1]);
	(void)ask_totals(sockets[0]); /* it runs */
	n_sent = send_mixed_for(client, n_sent, 300);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	n_sent = send_mixed_for(client, n_sent, 1000);
	assert_int_equal(kill(pid, SIGCONT), 0);
	n_sent = send_mixed_for(client, n_sent, 300);
	WIRE_WAIT((totals = ask_totals(sockets[0])).received_pkts >= n_sent);
	assert_int_equal(totals.received_pkts, n_sent);
	assert_int_equal(totals.received_pkts, wire_received_pkts("in0"));
	assert_int_equal(
		totals.verdict_pkts[FWD_FORWARD] + (kind->one_interface ? totals.answers_sent : 0),
		wire_received_pkts(kind_server()));
	assert_int_equal(totals.fragments_held, 0);
	/* A program goes on meanwhile, and lacks room for the slow path alone. */
	assert_true((totals.reason_pkts[FWD_REASON_RING_FULL] > 0) == !kind_is_bpf());
	assert_true((totals.reason_pkts[FWD_REASON_FRAGMENT_EARLY] > totals.fragments_expired) ==
		kind_is_bpf());
	assert_true(totals.reason_pkts[FWD_REASON_TOO_BIG] > 0);
	assert_true(kind_is_bpf() || totals.fragments_released > 0);
	util_close(sockets[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(engine_sends_early_fragments_after_the_first),
		TEST(engine_gives_up_fragments_without_a_first),
		TEST(engine_holds_no_more_than_it_may),
		TEST(engine_passes_what_follows_a_passed_fragment),
		TEST(engine_releases_fragments_that_other_workers_hold),
		TEST(engine_keeps_the_tag_of_what_it_holds),
		TEST(engine_answers_what_is_too_big),
		TEST(engine_answers_ip6_that_is_too_big),
		TEST(engine_answers_a_super_frame_by_its_segments),
		TEST(engine_limits_its_answers),
		TEST(engine_counts_every_frame_over_a_standstill),
	};

	fixture_start();
	return kinds_run("engine_slow_path", tests, ARRAY_LEN(tests), NULL, NULL, is_permitted);
}
