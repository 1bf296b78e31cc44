/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the packet engine costs: CPU time per frame against a bare loop over the same sockets that
 * only writes two MAC addresses. Run by hand as root; makes its own network namespace. The rounds
 * of the systems alternate, as the speed of a host drifts: doc/performance.md has the method.
 *
 *   sender, CPU 0 ── c0 ──── in0 [system, CPU 1] out0 ──── b0: dropped by the stack
 *
 * packet_bench [ROUNDS [FRAMES [FRAMES_PER_S]]]
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lb/engine.h"
#include "lb/ring.h"
#include "tests/harness/tool.h"

#define FRAME_BYTES 60u
#define SEND_BATCH  32u
#define N_FLOWS     65536u
#define N_BUCKETS   327680u /* a million IPv4 flows, and a quarter more */
#define ROUNDS_MAX  100ul
#define ENGINE_CPU  1
#define SENDER_CPU  0
#define SETTLE_MS   20
#define SERVICE     1u

enum system { SYSTEM_BARE, SYSTEM_UNRECORDED, SYSTEM_RECORDED, SYSTEM_N_ };
static const char *const system_names[] = {
	"bare loop",
	"engine, sessionless",
	"engine, 65,536 recorded flows",
};
_Static_assert(ARRAY_LEN(system_names) == SYSTEM_N_, "a name for each system");

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[FRAME_BYTES - 42];
} __attribute__((__packed__, __aligned__(2)));

static const uint8_t in_mac[MAC_LEN] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t out_mac[MAC_LEN] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t server_mac[MAC_LEN] = { 2, 0, 0, 0, 0, 0xb0 };
static const uint8_t client_mac[MAC_LEN] = { 2, 0, 0, 0, 0, 0xc0 };
static struct fwd_slot rows[FWD_ROWS];

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "cannot run on CPU %d", cpu);
}

/* ---- the sender ---- */

static void frame_fill(struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->ethernet.h_dest, in_mac, MAC_LEN);
	memcpy(frame->ethernet.h_source, client_mac, MAC_LEN);
	frame->ethernet.h_proto = htons(ETH_P_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons(FRAME_BYTES - ETH_HLEN);
	frame->ip.ttl = 64;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.saddr = htonl(0xcb007105);
	frame->ip.daddr = htonl(0xc633640a);
	frame->udp.dest = htons(80);
	frame->udp.len = htons(FRAME_BYTES - ETH_HLEN - sizeof(frame->ip));
}

static void send_frames(int fd, unsigned long n_frames, unsigned long frames_per_s)
{
	static struct frame frames[SEND_BATCH];
	static struct mmsghdr messages[SEND_BATCH];
	static struct iovec vectors[SEND_BATCH];
	uint64_t begin_us = tool_now_us(CLOCK_MONOTONIC);

	for (unsigned int idx = 0; idx < SEND_BATCH; idx++) {
		frame_fill(&frames[idx]);
		vectors[idx] = (struct iovec){ &frames[idx], sizeof(frames[idx]) };
		messages[idx].msg_hdr.msg_iov = &vectors[idx];
		messages[idx].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned long sent = 0; sent < n_frames; sent += SEND_BATCH) {
		uint64_t due_us = begin_us + sent * US_PER_S / frames_per_s;

		/* All ports equally often, and scattered over the flow table. */
		for (unsigned int idx = 0; idx < SEND_BATCH; idx++)
			frames[idx].udp.source = htons((uint16_t)((sent + idx) * 40503u % N_FLOWS));
		while (tool_now_us(CLOCK_MONOTONIC) < due_us)
			;
		if (sendmmsg(fd, messages, SEND_BATCH, 0) != (int)SEND_BATCH)
			err(1, "cannot send");
	}
}

static int open_sender(void)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex("c0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot open a packet socket");
	return fd;
}

/* ---- the systems ---- */

struct bare {
	struct ring *ring;
	pthread_t thread;
	bool is_stopping;
	uint64_t n_frames;
};

/* What any forwarder over these sockets must do, and no more. */
static void *bare_run(void *argument)
{
	struct bare *bare = argument;
	struct ring_frame frames[RING_BATCH];
	struct ring_sent sent;

	(void)pthread_setname_np(pthread_self(), "worker/0");
	while (!__atomic_load_n(&bare->is_stopping, __ATOMIC_ACQUIRE)) {
		struct pollfd polled = { .fd = ring_fd(bare->ring), .events = POLLIN };
		uint32_t lost_pkts;
		size_t n = ring_take(bare->ring, frames, &lost_pkts);

		if (n == 0) {
			(void)poll(&polled, 1, SETTLE_MS);
			continue;
		}
		for (size_t idx = 0; idx < n; idx++) {
			memcpy(frames[idx].data, server_mac, MAC_LEN);
			memcpy(frames[idx].data + MAC_LEN, out_mac, MAC_LEN);
		}
		ring_send(bare->ring, frames, n, &sent);
		ring_release(bare->ring);
		__atomic_store_n(&bare->n_frames, bare->n_frames + n, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void bare_start(struct bare *bare)
{
	const char *why;

	if (ring_open(if_nametoindex("in0"), if_nametoindex("out0"), &bare->ring, &why) < 0 ||
		ring_begin(bare->ring) < 0 ||
		pthread_create(&bare->thread, NULL, bare_run, bare) != 0)
		errx(1, "cannot start the bare loop");
}

static void bare_stop(struct bare *bare)
{
	__atomic_store_n(&bare->is_stopping, true, __ATOMIC_RELEASE);
	pthread_join(bare->thread, NULL);
	ring_free(bare->ring);
}

static void keep_rows(void *context)
{
}

static struct snapshot *snapshot_make(const struct flows_table *flows)
{
	struct fwd_settings settings = {
		.mtu_bytes = 1500, .flow_seed = { 1, 2 }, .flow4_buckets = flows->n_flow4
	};
	struct fwd_service service = { .id = SERVICE,
		.udp_timeout_s = 300,
		.n_members = 1,
		.flags = flows->n_flow4 ? 0 : FWD_SERVICE_SESSIONLESS };
	struct fwd_backend backend = { .flags = FWD_BACKEND_FLOWS };
	struct addr vip = tool_address("198.51.100.10");
	struct snapshot *snapshot;

	memcpy(settings.own_mac, in_mac, MAC_LEN);
	memcpy(settings.out_mac, out_mac, MAC_LEN);
	memcpy(backend.mac, server_mac, MAC_LEN);
	if (snapshot_new(&settings, flows, &snapshot) < 0 ||
		snapshot_add_table(snapshot, rows, -1, keep_rows, NULL, &service.table) < 0 ||
		snapshot_add_service(snapshot, &service) < 0 ||
		snapshot_add_backend(snapshot, 1, &backend) < 0 ||
		snapshot_add_member(snapshot, SERVICE, 1) < 0 ||
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 80, 80, SERVICE) < 0)
		errx(1, "cannot make a snapshot");
	return snapshot;
}

static struct engine *start_engine(bool record)
{
	struct engine_config config = { .ifindex = if_nametoindex("in0"),
		.out_ifindex = if_nametoindex("out0"),
		.n_workers = 1 };
	static struct flow4_bucket *buckets;
	struct flows_table flows = { 0 };
	char why[ENGINE_WHY_BYTES];
	struct engine *engine;

	/* Shared as the kept table is: small pages. */
	if (record && !buckets)
		buckets = mmap(NULL, N_BUCKETS * sizeof(*buckets), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (buckets == MAP_FAILED)
		err(1, "cannot map a flow table");
	if (record)
		flows = (struct flows_table){ .flow4 = buckets, .n_flow4 = N_BUCKETS };
	if (engine_packet_ops.start(&config, &engine, why) < 0)
		errx(1, "%s", why);
	if (engine_packet_ops.publish(engine, snapshot_make(&flows)) < 0)
		errx(1, "cannot publish");
	return engine;
}

/* ---- measuring ---- */

/* CPU time of the thread named worker/0, with the softirqs that ran on top of it. */
static uint64_t worker_cpu_ns(void)
{
	unsigned long long ns = 0;
	FILE *pipe = popen("for t in /proc/$PPID/task/*; do "
			   "grep -qx worker/0 $t/comm && cat $t/schedstat; done",
		"re");

	if (!pipe || fscanf(pipe, "%llu", &ns) != 1)
		errx(1, "cannot read the worker's CPU time");
	pclose(pipe);
	return ns;
}

struct measure {
	double cpu_ns; /* per forwarded frame */
	double share;  /* of the frames sent that were forwarded */
};

static uint64_t forwarded(struct engine *engine, const struct bare *bare)
{
	struct engine_totals totals;

	if (!engine)
		return __atomic_load_n(&bare->n_frames, __ATOMIC_RELAXED);
	engine_packet_ops.totals(engine, &totals);
	return totals.verdict_pkts[FWD_FORWARD];
}

static struct measure measure(
	enum system system, int sender, unsigned long n_frames, unsigned long frames_per_s)
{
	struct engine *engine = NULL;
	struct bare bare = { 0 };
	uint64_t begin_ns, begin_pkts, n_pkts, n_ns;

	pin(ENGINE_CPU); /* threads inherit it */
	if (system == SYSTEM_BARE)
		bare_start(&bare);
	else
		engine = start_engine(system == SYSTEM_RECORDED);
	pin(SENDER_CPU);
	send_frames(sender, N_FLOWS, frames_per_s); /* warms up, and makes the records */
	(void)poll(NULL, 0, SETTLE_MS);
	begin_pkts = forwarded(engine, &bare);
	begin_ns = worker_cpu_ns();
	send_frames(sender, n_frames, frames_per_s);
	(void)poll(NULL, 0, SETTLE_MS);
	n_ns = worker_cpu_ns() - begin_ns;
	n_pkts = forwarded(engine, &bare) - begin_pkts;
	if (engine)
		engine_packet_ops.stop(engine, true);
	else
		bare_stop(&bare);
	if (n_pkts == 0)
		errx(1, "%s forwarded nothing", system_names[system]);
	return (struct measure){ (double)n_ns / (double)n_pkts, (double)n_pkts / (double)n_frames };
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static double median(double *values, unsigned long n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

static void make_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		err(77, "cannot make a network namespace");
	if (system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
		   "net.ipv6.conf.default.disable_ipv6=1 && "
		   "ip link add c0 address 02:00:00:00:00:c0 type veth "
		   "peer name in0 address 02:00:00:00:00:01 && "
		   "ip link add out0 address 02:00:00:00:00:02 type veth "
		   "peer name b0 address 02:00:00:00:00:b0 && "
		   "for i in c0 in0 out0 b0; do ip link set $i up || exit 1; done") != 0)
		errx(1, "cannot make interfaces");
}

int main(int argc, char **argv)
{
	unsigned long n_rounds = argc > 1 ? tool_number(argv[1], ROUNDS_MAX) : 9;
	unsigned long n_frames = argc > 2 ? tool_number(argv[2], 100000000) : 200000;
	unsigned long frames_per_s = argc > 3 ? tool_number(argv[3], 100000000) : 150000;
	static double cpu_ns[SYSTEM_N_][ROUNDS_MAX], ratios[SYSTEM_N_][ROUNDS_MAX];
	static double shares[SYSTEM_N_][ROUNDS_MAX];
	int sender;

	if (n_rounds == 0 || n_frames == 0 || frames_per_s == 0)
		errx(64, "usage: packet_bench [ROUNDS [FRAMES [FRAMES_PER_S]]], none of them 0");
	make_namespace();
	ARRAY_FOREACH (row, rows, FWD_ROWS)
		row->owner = row->base = 1;
	sender = open_sender();
	for (unsigned long round = 0; round < n_rounds; round++)
		for (enum system idx = 0; idx < SYSTEM_N_; idx++) {
			struct measure now = measure(idx, sender, n_frames, frames_per_s);

			cpu_ns[idx][round] = now.cpu_ns;
			shares[idx][round] = now.share;
			ratios[idx][round] = now.cpu_ns / cpu_ns[SYSTEM_BARE][round];
		}
	for (enum system idx = 0; idx < SYSTEM_N_; idx++) {
		double ratio = median(ratios[idx], n_rounds);

		printf("%-30s %5.0f ns a frame, %.2f of bare (%.2f to %.2f), %.1f %% forwarded\n",
			system_names[idx], median(cpu_ns[idx], n_rounds), ratio, ratios[idx][0],
			ratios[idx][n_rounds - 1], median(shares[idx], n_rounds) * 100);
	}
	return 0;
}
