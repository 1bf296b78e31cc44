/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tags: long */
/* Engines under load: overload, workers, snapshots that change, transfers of real stacks. */
#include "lb/engine/engine.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lb/engine/packet/ring.h"
#include "tests/unit/lb/engine/engine_fixture.h"

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

	NEEDS_ENGINE();
	if (kind_is_bpf()) {
		print_message("skipped: a program has no ring that could be full\n");
		skip();
	}
	/*
	 * Worker and sender on one CPU, the sender first: the ring runs full. A sender that waits for the
	 * softirq's thread (kernel/softirq.c:ksoftirqd_running, until Linux 6.3) leaves the CPU to both: the
	 * worker comes after that thread, too.
	 */
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	flood.fd = wire_open("c0");
	/* This thread's, and that of those that it starts. */
	assert_int_equal(setpriority(PRIO_PROCESS, 0, 19), 0);
	engine = engine_serve(kind_out(), MTU_BYTES);
	assert_int_equal(setpriority(PRIO_PROCESS, 0, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, flood_run, &flood), 0);
	pthread_join(thread, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	WIRE_WAIT(totals_of(engine).received_pkts >= flood.n_frames);
	totals = totals_of(engine);
	assert_int_equal(totals.received_pkts, flood.n_frames);
	assert_int_equal(totals.received_pkts, wire_received_pkts("in0"));
	assert_int_equal(totals.verdict_pkts[FWD_FORWARD], wire_received_pkts(kind_server()));
	assert_true(totals.reason_pkts[FWD_REASON_RING_FULL] > 0);
	assert_int_equal(totals.verdict_pkts[FWD_DROP], totals.reason_pkts[FWD_REASON_RING_FULL]);
	util_close(flood.fd);
	engine_stop();
}

static void engine_shares_the_interface_among_workers(void **state)
{
	struct flood flood = { .n_frames = 20000, .n_ports = 1000 };
	struct engine *engine;

	NEEDS_ENGINE();
	flood.fd = wire_open("c0");
	engine = engine_start("in0", kind_out(), 3);
	assert_int_equal(ops->load(engine, snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES)), 0);
	flood_run(&flood);
	WIRE_WAIT(totals_of(engine).received_pkts >= flood.n_frames);
	assert_int_equal(totals_of(engine).received_pkts, flood.n_frames);
	assert_int_equal(
		totals_of(engine).verdict_pkts[FWD_FORWARD], wire_received_pkts(kind_server()));
	util_close(flood.fd);
	engine_stop();
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

	NEEDS_ENGINE();
	flood.fd = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_start("in0", kind_out(), 2);
	assert_int_equal(ops->load(engine, snapshot_make(outs[0], servers[0], MTU_BYTES)), 0);
	n_published++;
	assert_int_equal(pthread_create(&thread, NULL, flood_run, &flood), 0);
	while (totals_of(engine).received_pkts < flood.n_frames) {
		unsigned int which = n_published++ % 2;

		assert_int_equal(
			ops->load(engine, snapshot_make(outs[which], servers[which], MTU_BYTES)),
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
	engine_stop();
	assert_int_equal(n_released, n_published);
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
 * by what the engine says of the frame, and b0 must verify them. Native XDP knows neither: there the
 * client's kernel does all that before.
 */
static void transfer(bool finish)
{
	int server_pair[2], client_pair[2];
	struct engine *engine;
	struct engine_totals totals;
	pid_t server, client;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, server_pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client_pair), 0);
	if (kind_is(&engine_xdp_ops))
		wire_run("ethtool -K c0 tx off >/dev/null");
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
	engine = engine_serve(kind_out(), MTU_BYTES);
	wire_send(server_pair[0], "g", 1);
	pair_read(server_pair[0], 'r');
	wire_send(client_pair[0], "g", 1);
	assert_exits_well(client);
	assert_exits_well(server);
	totals = totals_of(engine);
	/* Super-frames came as such: otherwise it takes 2,900 frames of 1,448 bytes. */
	if (!kind_is(&engine_xdp_ops))
		assert_in_range(totals.verdict_pkts[FWD_FORWARD], TRANSFER_BYTES / 65536, 2000);
	assert_int_equal(totals.reason_pkts[FWD_REASON_SEND_FAILED], 0);
	engine_stop();
	for (int idx = 0; idx < 2; idx++) {
		util_close(server_pair[idx]);
		util_close(client_pair[idx]);
	}
}

#define NEEDS_TWO_INTERFACES() \
	do { \
		NEEDS_ENGINE(); \
		if (kind->one_interface) { \
			print_message("skipped: client and server are on two links here\n"); \
			skip(); \
		} \
	} while (0)

static void engine_serves_real_stacks(void **state)
{
	NEEDS_TWO_INTERFACES();
	transfer(false);
}

static void engine_lets_the_kernel_finish_checksums(void **state)
{
	NEEDS_TWO_INTERFACES();
	transfer(true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(engine_counts_every_frame_in_overload),
		TEST(engine_shares_the_interface_among_workers),
		TEST(engine_never_mixes_snapshots),
		TEST(engine_serves_real_stacks),
		TEST(engine_lets_the_kernel_finish_checksums),
	};

	fixture_start();
	return kinds_run("engine_load", tests, ARRAY_LEN(tests), NULL, NULL, is_permitted);
}
