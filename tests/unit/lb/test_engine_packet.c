/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet engine on real interfaces: veth pairs in a network namespace of the test's own.
 *
 *   c0 ──── in0 [engine] out0 ──── b0
 */
#include "lb/engine.h"

#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "lb/ring.h"
#include "tests/unit/lb/wire.h"

#define CLIENT_MAC "02:00:00:00:00:c0"
#define IN_MAC     "02:00:00:00:00:01"
#define OUT_MAC    "02:00:00:00:00:02"
#define SERVER_MAC "02:00:00:00:00:b0"
#define SERVICE    1u
#define BACKEND    1u
#define MTU_BYTES  1500u

static struct addr vip;
static bool is_permitted;
static struct fwd_slot rows[FWD_ROWS];
static unsigned int n_released; /* snapshots freed */

/* ---- frames and snapshots ---- */

struct udp_frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[MTU_BYTES - 28];
} __attribute__((__packed__, __aligned__(2)));

static struct mac mac_make(const char *text)
{
	struct mac mac;

	assert_int_equal(mac_parse(text, &mac), 0);
	return mac;
}

static uint16_t ip_checksum(const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t idx = 0; idx + 1 < size_bytes; idx += 2)
		sum += (uint32_t)bytes[idx] << 8 | bytes[idx + 1];
	while (sum >> 16)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* A frame of `size_bytes` from a client's port to the VIP, as a router would deliver it. */
static void frame_fill(struct udp_frame *frame, uint16_t port, size_t size_bytes)
{
	struct mac in = mac_make(IN_MAC), client = mac_make(CLIENT_MAC);

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->ethernet.h_dest, in.bytes, MAC_LEN);
	memcpy(frame->ethernet.h_source, client.bytes, MAC_LEN);
	frame->ethernet.h_proto = htons(ETH_P_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons((uint16_t)(size_bytes - ETH_HLEN));
	frame->ip.ttl = 7;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.saddr = htonl(0xcb007105); /* 203.0.113.5 */
	frame->ip.daddr = vip.ip4.s_addr;
	frame->ip.check = ip_checksum(&frame->ip, sizeof(frame->ip));
	frame->udp.source = htons(port);
	frame->udp.dest = htons(5000);
	frame->udp.len = htons((uint16_t)(size_bytes - ETH_HLEN - sizeof(frame->ip)));
	for (size_t idx = 0; idx < sizeof(frame->payload); idx++)
		frame->payload[idx] = (uint8_t)(idx * 7);
}

static void count_release(void *context)
{
	n_released++;
}

static struct snapshot *snapshot_make(
	const char *out_mac, const char *server_mac, uint32_t mtu_bytes)
{
	static const struct flows_table flows = { 0 };
	struct fwd_settings settings = { .mtu_bytes = mtu_bytes };
	struct fwd_service service = { .id = SERVICE,
		.flags = FWD_SERVICE_SESSIONLESS,
		.tcp_timeout_s = 900,
		.fin_timeout_s = 120,
		.udp_timeout_s = 300,
		.n_members = 1 };
	struct fwd_backend backend = { .flags = FWD_BACKEND_FLOWS };
	struct mac in = mac_make(IN_MAC), out = mac_make(out_mac), server = mac_make(server_mac);
	struct snapshot *snapshot;

	memcpy(settings.own_mac, in.bytes, MAC_LEN);
	memcpy(settings.out_mac, out.bytes, MAC_LEN);
	memcpy(backend.mac, server.bytes, MAC_LEN);
	assert_int_equal(snapshot_new(&settings, &flows, 1, &snapshot), 0);
	assert_int_equal(
		snapshot_add_table(snapshot, rows, count_release, NULL, &service.table), 0);
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	assert_int_equal(snapshot_add_backend(snapshot, BACKEND, &backend), 0);
	assert_int_equal(snapshot_add_member(snapshot, SERVICE, BACKEND), 0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 0, UINT16_MAX, SERVICE), 0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 0, UINT16_MAX, SERVICE), 0);
	return snapshot;
}

/* ---- the engine ---- */

static const struct engine_ops *const ops = &engine_packet_ops;

static struct engine *engine_start(const char *in, const char *out, unsigned int n_workers)
{
	struct engine_config config = { if_nametoindex(in), if_nametoindex(out), n_workers };
	char why[ENGINE_WHY_BYTES] = "";
	struct engine *engine = NULL;

	if (ops->start(&config, &engine, why) < 0)
		fail_msg("start: %s", why);
	return engine;
}

static struct engine *engine_serve(const char *out, uint32_t mtu_bytes)
{
	struct engine *engine = engine_start("in0", out, 1);

	assert_int_equal(ops->publish(engine, snapshot_make(OUT_MAC, SERVER_MAC, mtu_bytes)), 0);
	return engine;
}

/* Reads the totals and checks what must hold at any moment. */
static struct engine_totals totals_of(struct engine *engine)
{
	struct engine_totals totals;
	uint64_t reasons = 0;

	ops->totals(engine, &totals);
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++)
		reasons += totals.reason_pkts[reason];
	assert_int_equal(totals.received_pkts, reasons);
	assert_int_equal(totals.received_pkts,
		totals.verdict_pkts[FWD_PASS] + totals.verdict_pkts[FWD_FORWARD] +
			totals.verdict_pkts[FWD_DROP]);
	return totals;
}

static uint64_t reason_pkts(struct engine *engine, enum fwd_reason reason)
{
	return totals_of(engine).reason_pkts[reason];
}

static int setup(void **state)
{
	n_released = 0;
	if (!is_permitted)
		return 0;
	if (!wire_enter_namespace())
		return -1;
	wire_add_pair("c0", CLIENT_MAC, "in0", IN_MAC);
	wire_add_pair("out0", OUT_MAC, "b0", SERVER_MAC);
	return 0;
}

#define NEEDS_NAMESPACE() \
	do { \
		if (!is_permitted) { \
			print_message("skipped: no network namespaces here\n"); \
			skip(); \
		} \
	} while (0)

/* Sends `frame` on `client` and checks that it comes out of `server` with its new addresses. */
static void assert_forwarded(
	int client, int server, const struct udp_frame *frame, size_t size_bytes)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	struct mac out = mac_make(OUT_MAC), backend = mac_make(SERVER_MAC);
	const size_t macs_bytes = (size_t)2 * ETH_ALEN;

	wire_send(client, frame, size_bytes);
	assert_int_equal(wire_receive(server, received, NULL), size_bytes);
	assert_memory_equal(received, backend.bytes, MAC_LEN);
	assert_memory_equal(received + ETH_ALEN, out.bytes, MAC_LEN);
	assert_memory_equal(received + macs_bytes, (const uint8_t *)frame + macs_bytes,
		size_bytes - macs_bytes);
}

/* ---- tests ---- */

static void engine_refuses_bad_configuration(void **state)
{
	static const struct engine_config configs[] = {
		{ 1, 1, 0 },
		{ 1, 1, ENGINE_WORKERS_MAX + 1 },
		{ 999999, 999999, 1 },
	};
	static const int errors[] = { -EINVAL, -EINVAL, -ENODEV };

	NEEDS_NAMESPACE();
	for (size_t idx = 0; idx < ARRAY_LEN(configs); idx++) {
		char why[ENGINE_WHY_BYTES] = "";
		struct engine *engine = NULL;

		assert_int_equal(ops->start(&configs[idx], &engine, why), errors[idx]);
		assert_null(engine);
		assert_string_not_equal(why, "");
	}
}

static void engine_passes_everything_before_the_first_snapshot(void **state)
{
	_cleanup_close_ int client = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	engine = engine_start("in0", "out0", 1);
	frame_fill(&frame, 1, 100);
	wire_send(client, &frame, 100);
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_PASS] == 1);
	assert_int_equal(totals_of(engine).received_pkts, 1);
	assert_int_equal(ops->health(engine), 0);
	ops->stop(engine);
}

static void engine_changes_nothing_but_the_addresses(void **state)
{
	static const size_t sizes_bytes[] = { 60, 61, 1000, ETH_HLEN + MTU_BYTES };
	_cleanup_close_ int client = -1, server = -1;
	struct engine_service_counters service;
	struct engine_pair_counters pair;
	uint64_t bytes = 0;
	struct engine *engine;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	server = wire_open("b0");
	engine = engine_serve("out0", MTU_BYTES);
	ARRAY_FOREACH (size_bytes, sizes_bytes, ARRAY_LEN(sizes_bytes)) {
		struct udp_frame frame;

		frame_fill(&frame, 1, *size_bytes);
		assert_forwarded(client, server, &frame, *size_bytes);
		bytes += *size_bytes;
	}
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == ARRAY_LEN(sizes_bytes));
	ops->service_counters(engine, SERVICE, &service);
	assert_int_equal(service.packets, ARRAY_LEN(sizes_bytes));
	assert_int_equal(service.bytes, bytes);
	ops->pair_counters(engine, SERVICE, BACKEND, &pair);
	assert_int_equal(pair.packets, ARRAY_LEN(sizes_bytes));
	assert_int_equal(pair.bytes, bytes);
	assert_true(wire_is_silent(server));
	ops->stop(engine);
}

static void engine_sends_out_of_the_same_interface(void **state)
{
	_cleanup_close_ int client = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	engine = engine_serve("in0", MTU_BYTES);
	frame_fill(&frame, 1, 500);
	assert_forwarded(client, client, &frame, 500);
	/* What it sends does not come back to it. */
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == 1);
	assert_int_equal(totals_of(engine).received_pkts, 1);
	ops->stop(engine);
}

static void engine_keeps_the_vlan_tag(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	const size_t size_bytes = 200;
	_cleanup_close_ int client = -1, server = -1;
	uint8_t tagged[256];
	struct udp_frame frame;
	struct engine *engine;
	uint16_t tci;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	server = wire_open("b0");
	engine = engine_serve("out0", MTU_BYTES);
	frame_fill(&frame, 1, size_bytes);
	memcpy(tagged, &frame, 12);
	memcpy(tagged + 12, "\x81\x00\x60\x2a", 4); /* priority 3, VLAN 42 */
	memcpy(tagged + 16, (uint8_t *)&frame + 12, size_bytes - 12);
	wire_send(client, tagged, size_bytes + RING_VLAN_BYTES);
	assert_int_equal(wire_receive(server, received, &tci), size_bytes);
	assert_int_equal(tci, 0x602a);
	assert_memory_equal(received + 12, (uint8_t *)&frame + 12, size_bytes - 12);
	ops->stop(engine);
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
	struct engine *engine;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	server = wire_open("b0");
	engine = engine_serve("out0", 9000); /* its ring is sized for the MTU of now */
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
	ops->stop(engine);
}

static void engine_drops_what_the_link_does_not_take(void **state)
{
	_cleanup_close_ int client = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	engine = engine_serve("out0", 1000);
	frame_fill(&frame, 1, 1015);
	wire_send(client, &frame, 1015);
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_TOO_BIG) == 1);
	ops->stop(engine);
}

static void engine_counts_refused_frame_and_goes_on(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_NAMESPACE();
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
	ops->stop(engine);
}

/* ---- load ---- */

struct flood {
	int fd;
	unsigned int n_frames;
	bool hog; /* the CPU, so that nobody else gets to run meanwhile */
	uint16_t n_ports;
};

static void *flood_run(void *argument)
{
	const struct flood *flood = argument;
	struct sched_param parameters = { .sched_priority = 1 };
	struct udp_frame frame;

	if (flood->hog)
		(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
	frame_fill(&frame, 1, 60);
	for (unsigned int idx = 0; idx < flood->n_frames; idx++) {
		frame.udp.source = htons((uint16_t)(1 + idx % flood->n_ports));
		if (send(flood->fd, &frame, 60, 0) != 60)
			break;
	}
	return NULL;
}

static void engine_counts_every_frame_in_overload(void **state)
{
	struct flood flood = { .n_frames = 5 * RING_FRAMES, .hog = true, .n_ports = 1 };
	cpu_set_t before, one;
	struct engine *engine;
	struct engine_totals totals;
	pthread_t thread;

	NEEDS_NAMESPACE();
	/* Worker and sender on one CPU, the sender first: the ring runs full. */
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	flood.fd = wire_open("c0");
	engine = engine_serve("out0", MTU_BYTES);
	assert_int_equal(pthread_create(&thread, NULL, flood_run, &flood), 0);
	pthread_join(thread, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	WIRE_WAIT(totals_of(engine).received_pkts >= flood.n_frames);
	totals = totals_of(engine);
	assert_int_equal(totals.received_pkts, flood.n_frames);
	assert_int_equal(totals.received_pkts, wire_received_pkts("in0"));
	assert_int_equal(totals.verdict_pkts[FWD_FORWARD], wire_received_pkts("b0"));
	assert_true(totals.reason_pkts[FWD_REASON_RING_FULL] > 0);
	assert_int_equal(totals.verdict_pkts[FWD_DROP], totals.reason_pkts[FWD_REASON_RING_FULL]);
	util_close(flood.fd);
	ops->stop(engine);
}

static void engine_shares_the_interface_among_workers(void **state)
{
	struct flood flood = { .n_frames = 20000, .n_ports = 1000 };
	struct engine *engine;

	NEEDS_NAMESPACE();
	flood.fd = wire_open("c0");
	engine = engine_start("in0", "out0", 3);
	assert_int_equal(ops->publish(engine, snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES)), 0);
	flood_run(&flood);
	WIRE_WAIT(totals_of(engine).received_pkts >= flood.n_frames);
	assert_int_equal(totals_of(engine).received_pkts, flood.n_frames);
	assert_int_equal(totals_of(engine).verdict_pkts[FWD_FORWARD], wire_received_pkts("b0"));
	util_close(flood.fd);
	ops->stop(engine);
}

static void engine_never_mixes_snapshots(void **state)
{
	static const char *const outs[] = { "02:00:00:00:0a:01", "02:00:00:00:0b:01" };
	static const char *const servers[] = { "02:00:00:00:0a:02", "02:00:00:00:0b:02" };
	static uint8_t received[WIRE_FRAME_BYTES];
	struct flood flood = { .n_frames = 30000, .n_ports = 100 };
	_cleanup_close_ int server = -1;
	unsigned int n_published = 0;
	unsigned int n_seen[2] = { 0 };
	struct engine *engine;
	pthread_t thread;

	NEEDS_NAMESPACE();
	flood.fd = wire_open("c0");
	server = wire_open("b0");
	engine = engine_start("in0", "out0", 2);
	assert_int_equal(pthread_create(&thread, NULL, flood_run, &flood), 0);
	while (totals_of(engine).received_pkts < flood.n_frames) {
		unsigned int which = n_published++ % 2;

		assert_int_equal(
			ops->publish(engine, snapshot_make(outs[which], servers[which], MTU_BYTES)),
			0);
		ops->reclaim(engine);
		assert_true(n_released <= n_published);
		(void)poll(NULL, 0, 1);
	}
	pthread_join(thread, NULL);
	while (!wire_is_silent(server)) {
		unsigned int which;

		wire_receive(server, received, NULL);
		which = received[4] == 0x0b;
		n_seen[which]++;
		assert_memory_equal(received, mac_make(servers[which]).bytes, MAC_LEN);
		assert_memory_equal(received + MAC_LEN, mac_make(outs[which]).bytes, MAC_LEN);
	}
	assert_true(n_seen[0] > 0 && n_seen[1] > 0);
	WIRE_WAIT((ops->reclaim(engine), n_released == n_published - 1));
	util_close(flood.fd);
	ops->stop(engine);
	assert_int_equal(n_released, n_published);
}

/* ---- links ---- */

static void engine_waits_for_an_interface_that_is_down(void **state)
{
	static const char *const interfaces[] = { "in0", "out0" };
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_NAMESPACE();
	client = wire_open("c0");
	server = wire_open("b0");
	engine = engine_serve("out0", MTU_BYTES);
	frame_fill(&frame, 1, 100);
	ARRAY_FOREACH (interface, interfaces, ARRAY_LEN(interfaces)) {
		uint64_t failed_pkts = reason_pkts(engine, FWD_REASON_SEND_FAILED);

		wire_run("ip link set %s down", *interface);
		if (streq(*interface, "out0")) {
			wire_send(client, &frame, 100);
			WIRE_WAIT(reason_pkts(engine, FWD_REASON_SEND_FAILED) == failed_pkts + 1);
		}
		WIRE_WAIT(ops->health(engine) == -ENETDOWN);
		wire_run("ip link set %s up", *interface);
		WIRE_WAIT(ops->health(engine) == 0);
		assert_forwarded(client, server, &frame, 100);
	}
	ops->stop(engine);
}

static void engine_says_when_the_interface_is_gone(void **state)
{
	struct engine *engine;

	NEEDS_NAMESPACE();
	engine = engine_serve("out0", MTU_BYTES);
	wire_run("ip link delete in0");
	WIRE_WAIT(ops->health(engine) == -ENODEV);
	ops->stop(engine);
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

	NEEDS_NAMESPACE();
	if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
		print_message("skipped: no tap devices here\n");
		skip();
	}
	wire_run("ip link set tap0 address " IN_MAC " up");
	engine = engine_start("tap0", "out0", 1);
	assert_int_equal(ops->publish(engine, snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES)), 0);
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
	ops->stop(engine);
}

/* ---- real stacks ---- */

#define TRANSFER_BYTES (4u << 20)
#define TRANSFER_PORT  5001u

/* A process with a namespace of its own, that does one half of a transfer. */
static pid_t peer_start(int (*fn)(int ready_fd), int ready_fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char go;

		alarm(30);
		if (unshare(CLONE_NEWNET) < 0 || write(ready_fd, "u", 1) != 1 ||
			read(ready_fd, &go, 1) != 1)
			_exit(1);
		_exit(fn(ready_fd));
	}
	return pid;
}

static uint8_t pattern(size_t idx)
{
	return (uint8_t)(idx * 2654435761u >> 24);
}

static int serve_transfer(int ready_fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(TRANSFER_PORT) };
	static uint8_t buffer[65536];
	size_t n_bytes = 0;
	int listener, connection;
	ssize_t n;

	if (system("ip link set lo up && ip addr add 198.51.100.10/32 dev lo &&"
		   "ip link set b0 up && ip link set d1 up && ip addr add 10.9.0.2/24 dev d1 &&"
		   "ip neigh add 10.9.0.1 lladdr 02:00:00:00:00:d0 dev d1 nud permanent &&"
		   "ip route add 203.0.113.5/32 via 10.9.0.1 &&"
		   "for i in all default b0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter || "
		   "exit 1; done") != 0)
		return 2;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 1) < 0 || write(ready_fd, "r", 1) != 1)
		return 3;
	connection = accept(listener, NULL, NULL);
	while ((n = read(connection, buffer, sizeof(buffer))) > 0)
		for (ssize_t idx = 0; idx < n; idx++)
			if (buffer[idx] != pattern(n_bytes++))
				return 4;
	return n == 0 && n_bytes == TRANSFER_BYTES && write(connection, "k", 1) == 1 ? 0 : 5;
}

static int send_transfer(int ready_fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(TRANSFER_PORT),
		.sin_addr.s_addr = htonl(0xc633640a) }; /* 198.51.100.10 */
	static uint8_t data[TRANSFER_BYTES];
	size_t n_bytes = 0;
	int fd;
	char answer;

	if (system("ip link set lo up && ip addr add 203.0.113.5/32 dev lo &&"
		   "ip link set c0 up && ip link set d0 up && ip addr add 10.9.0.1/24 dev d0 &&"
		   "ip addr add 10.8.0.1/24 dev c0 &&"
		   "ip neigh add 10.8.0.2 lladdr " IN_MAC " dev c0 nud permanent &&"
		   "ip route add 198.51.100.10/32 via 10.8.0.2 src 203.0.113.5 &&"
		   "for i in all default d0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter || "
		   "exit 1; done") != 0)
		return 2;
	for (size_t idx = 0; idx < sizeof(data); idx++)
		data[idx] = pattern(idx);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 3;
	while (n_bytes < sizeof(data)) {
		ssize_t n = write(fd, data + n_bytes, MIN(sizeof(data) - n_bytes, (size_t)60000));

		if (n <= 0)
			return 4;
		n_bytes += (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	return read(fd, &answer, 1) == 1 && answer == 'k' ? 0 : 5;
}

static void pair_read(int fd, char want)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	char got = 0;

	assert_int_equal(poll(&polled, 1, (int)WIRE_DEADLINE_MS), 1);
	assert_int_equal(read(fd, &got, 1), 1);
	assert_int_equal(got, want);
}

static void assert_exits_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/*
 * The client's stack sends unfinished checksums and super-frames; the server's answers go back to it
 * directly. With `finish`, out0 has no offloads: the kernel must compute checksums and cut segments
 * by what the engine's vnet headers say, and b0 must verify them.
 */
static void transfer(bool finish)
{
	int server_pair[2], client_pair[2];
	struct engine *engine;
	struct engine_totals totals;
	pid_t server, client;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, server_pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client_pair), 0);
	if (finish)
		wire_run("ethtool -K out0 tx off tso off gso off >/dev/null && "
			 "ethtool -K b0 rx off gro off >/dev/null");
	server = peer_start(serve_transfer, server_pair[1]);
	client = peer_start(send_transfer, client_pair[1]);
	pair_read(server_pair[0], 'u');
	pair_read(client_pair[0], 'u');
	wire_add_pair("d0", "02:00:00:00:00:d0", "d1", "02:00:00:00:00:d1");
	wire_run("ip link set c0 netns %d && ip link set d0 netns %d", (int)client, (int)client);
	wire_run("ip link set b0 netns %d && ip link set d1 netns %d", (int)server, (int)server);
	engine = engine_serve("out0", MTU_BYTES);
	wire_send(server_pair[0], "g", 1);
	pair_read(server_pair[0], 'r');
	wire_send(client_pair[0], "g", 1);
	assert_exits_well(client);
	assert_exits_well(server);
	totals = totals_of(engine);
	/* Super-frames came as such: otherwise it takes 2,900 frames of 1,448 bytes. */
	assert_in_range(totals.verdict_pkts[FWD_FORWARD], TRANSFER_BYTES / 65536, 2000);
	assert_int_equal(totals.reason_pkts[FWD_REASON_SEND_FAILED], 0);
	ops->stop(engine);
	for (int idx = 0; idx < 2; idx++) {
		util_close(server_pair[idx]);
		util_close(client_pair[idx]);
	}
}

static void engine_keeps_super_frames_of_real_stacks(void **state)
{
	NEEDS_NAMESPACE();
	transfer(false);
}

static void engine_lets_the_kernel_finish_checksums(void **state)
{
	NEEDS_NAMESPACE();
	transfer(true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(engine_refuses_bad_configuration),
		TEST(engine_passes_everything_before_the_first_snapshot),
		TEST(engine_changes_nothing_but_the_addresses),
		TEST(engine_sends_out_of_the_same_interface),
		TEST(engine_keeps_the_vlan_tag),
		TEST(engine_takes_frames_longer_than_a_ring_frame),
		TEST(engine_drops_what_the_link_does_not_take),
		TEST(engine_counts_refused_frame_and_goes_on),
		TEST(engine_counts_every_frame_in_overload),
		TEST(engine_shares_the_interface_among_workers),
		TEST(engine_never_mixes_snapshots),
		TEST(engine_waits_for_an_interface_that_is_down),
		TEST(engine_says_when_the_interface_is_gone),
		TEST(engine_recovers_from_a_stuck_ring),
		TEST(engine_keeps_super_frames_of_real_stacks),
		TEST(engine_lets_the_kernel_finish_checksums),
	};

	ARRAY_FOREACH (row, rows, FWD_ROWS)
		row->owner = row->base = BACKEND;
	signal(SIGPIPE, SIG_IGN);
	if (addr_parse("198.51.100.10", &vip) < 0)
		return 1;
	is_permitted = wire_enter_namespace();
	return cmocka_run_group_tests_name("engine_packet", tests, NULL, NULL);
}
