/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding core alone, over user-space memory, in a loop: what it adds to a frame.
 *
 *	core settled|recorded|pass FLOWS FRAMES
 *
 * Frames of FLOWS connections (UDP where they are recorded, as under rr), scattered; before the clock starts
 * each flow has been decided once. Prints nanoseconds a frame of this thread's CPU time. `pass` are
 * frames for nobody: what it costs not to be meant. No ring, no system call but the clock.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <time.h>

#include "lb/table/flows.h"
#include "lb/engine/port_user.h"
#include "lb/table/table.h"
#include "lb/fwd/core.h"

#define FRAME_BYTES 60u
#define SERVICE     1u
#define BACKENDS    10u
#define MAX_FLOWS   1000000u
#define SCATTER     2654435761u /* a prime */

enum what { WHAT_SETTLED, WHAT_RECORDED, WHAT_PASS };

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
	};
	uint8_t rest[FRAME_BYTES - 54];
} __attribute__((__packed__, __aligned__(2)));

static const uint8_t own_mac[ETH_ALEN] = { 2, 0, 0, 0, 1, 1 };
static struct fwd_table table;

static void keep_rows(void *context)
{
}

static void fill(struct frame *frame, enum what what, uint32_t flow)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->ethernet.h_dest, own_mac, ETH_ALEN);
	frame->ethernet.h_source[0] = 2;
	frame->ethernet.h_source[5] = 0xfe;
	frame->ethernet.h_proto = htons(ETH_P_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.ttl = 64;
	frame->ip.saddr = htonl(0x0a010000u + flow / 50000);
	frame->ip.daddr = htonl(what == WHAT_PASS ? 0xc0000201u : 0xc633640au);
	if (what == WHAT_RECORDED) {
		frame->ip.protocol = IPPROTO_UDP;
		frame->ip.tot_len = htons(FRAME_BYTES - ETH_HLEN);
		frame->udp.len = htons(FRAME_BYTES - ETH_HLEN - sizeof(frame->ip));
	} else {
		frame->ip.protocol = IPPROTO_TCP;
		frame->ip.tot_len = htons(sizeof(frame->ip) + sizeof(frame->tcp));
		frame->tcp.doff = 5;
		frame->tcp.ack = 1;
	}
	frame->tcp.source = htons((uint16_t)(1024 + flow % 50000));
	frame->tcp.dest = htons(80);
}

static struct snapshot *make_snapshot(struct flows_table *flows, enum what what, uint32_t n_flows)
{
	struct fwd_settings settings = { .mtu_bytes = 1500,
		.slot_seed = { 3, 4 },
		.flow_seed = { 1, 2 },
		.flow4_buckets = flows->n_flow4 };
	struct fwd_service service = { .id = SERVICE,
		.flags = what == WHAT_RECORDED ? FWD_SERVICE_RECORD_ALL : 0,
		.tcp_timeout_s = 900,
		.udp_timeout_s = 300,
		.n_members = BACKENDS };
	struct snapshot *snapshot;
	struct addr vip;

	flows_homes(flows->n_flow4,
		flows_is_crowded(flows->n_flow4, FLOW4_PER_BUCKET, n_flows, false),
		settings.flow4_among);
	memcpy(settings.own_mac, own_mac, ETH_ALEN);
	memcpy(settings.links[0].mac, own_mac, ETH_ALEN);
	if (addr_parse("198.51.100.10", &vip) < 0 ||
		snapshot_new(&settings, flows, &snapshot) < 0 ||
		snapshot_add_table(snapshot, &table, -1, keep_rows, NULL, &service.table) < 0 ||
		snapshot_add_service(snapshot, &service) < 0 ||
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, SERVICE) < 0 ||
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 80, 80, SERVICE) < 0)
		errx(1, "cannot make a snapshot");
	for (uint16_t id = 1; id <= BACKENDS; id++) {
		struct fwd_backend backend = { .mac = { 2, 0, 0, 0, 2, (uint8_t)id },
			.flags = FWD_BACKEND_FLOWS };

		if (snapshot_add_backend(snapshot, id, &backend) < 0 ||
			snapshot_add_member(snapshot, SERVICE, id) < 0)
			errx(1, "cannot add a backend");
	}
	return snapshot;
}

static void make_flows(struct flows_table *ret_flows)
{
	ret_flows->n_flow4 = flows_buckets4(MAX_FLOWS);
	/* Shared as the kept table is: small pages. */
	ret_flows->flow4 = mmap(NULL, ret_flows->n_flow4 * sizeof(*ret_flows->flow4),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ret_flows->flow4 == MAP_FAILED)
		err(1, "cannot map a flow table");
}

/* A frame is made anew from its flow's number: a million of them would measure the cache. */
static unsigned long run(
	struct fwd_port *port, enum what what, uint32_t flows, unsigned long n_frames)
{
	struct fwd_frame info = { .length_bytes = FRAME_BYTES };
	unsigned long n_forwarded = 0;
	struct fwd_result result;
	struct frame frame;

	fill(&frame, what, 0);
	for (unsigned long idx = 0; idx < n_frames; idx++) {
		uint32_t flow = (uint32_t)(idx * SCATTER % flows);

		memcpy(frame.ethernet.h_dest, own_mac, ETH_ALEN);
		frame.ethernet.h_source[4] = 0;
		frame.ip.saddr = htonl(0x0a010000u + flow / 50000);
		frame.tcp.source = htons((uint16_t)(1024 + flow % 50000));
		fwd_run(port, &frame, (uint8_t *)&frame + FRAME_BYTES, &info, &result);
		n_forwarded += result.verdict == FWD_FORWARD;
	}
	return n_forwarded;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum what parse_what(const char *text)
{
	if (streq(text, "settled"))
		return WHAT_SETTLED;
	if (streq(text, "recorded"))
		return WHAT_RECORDED;
	if (streq(text, "pass"))
		return WHAT_PASS;
	errx(64, "%s: not settled, recorded or pass", text);
}

int main(int argc, char **argv)
{
	struct fwd_port port = { .now_s = 1000 };
	struct flows_table flows = { 0 };
	unsigned long n_frames, n_forwarded;
	struct snapshot *snapshot;
	uint32_t n_flows;
	uint64_t begin_ns;
	enum what what;

	if (argc != 4)
		errx(64, "usage: core settled|recorded|pass FLOWS FRAMES");
	what = parse_what(argv[1]);
	n_flows = (uint32_t)strtoul(argv[2], NULL, 10);
	n_frames = strtoul(argv[3], NULL, 10);
	if (n_flows == 0 || n_flows > MAX_FLOWS || n_frames == 0)
		errx(64, "1 to %u flows, 1 frame or more", MAX_FLOWS);
	for (uint32_t row = 0; row < FWD_ROWS; row++)
		table.rows[row].owner = table.rows[row].base = (uint16_t)(row % BACKENDS + 1);
	table_list_settled(&table);
	make_flows(&flows);
	port.snapshot = snapshot = make_snapshot(&flows, what, n_flows);
	run(&port, what, n_flows, n_flows);
	begin_ns = cpu_ns();
	n_forwarded = run(&port, what, n_flows, n_frames);
	printf("%.1f\n", (double)(cpu_ns() - begin_ns) / (double)n_frames);
	snapshot_free(snapshot);
	if (n_forwarded != (what == WHAT_PASS ? 0 : n_frames))
		errx(1, "%lu of %lu frames were forwarded", n_forwarded, n_frames);
	return 0;
}
