/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The traffic of the benchmark. `generate` is run by BPF_PROG_TEST_RUN with live frames: the kernel
 * hands it one template frame after another, it makes each a frame of some flow and sends it out of
 * the generator's port. `sink` is attached to the same port and counts and drops what comes back.
 *
 * The kernel reuses the pages of frames with all that receivers wrote into them, so everything that
 * a forwarder may change is written anew each time.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench/traffic.h"
#include "lb/fwd/wire.h"

#define BACKLOG_PKTS 256u  /* what may be made up for after a pause */
#define CLOCK_LOOKS  65536 /* some two milliseconds */
#define GIVE_UP_NS   2000000ull
#define IDLE_LOOKS   16 /* at the clock, half a microsecond */
#define NS_PER_S     1000000000ull
#define SCATTER      2654435761u /* a prime: consecutive frames are of flows far apart */
#define MAC_BYTES    6

#define IP_BYTES       20u
#define UDP_BYTES      8u
#define ETHERNET_BYTES 14u

struct ip_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_bytes;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__sum16 check;
	__be32 source;
	__be32 destination;
} WIRE;

struct frame {
	__u8 destination[MAC_BYTES];
	__u8 source[MAC_BYTES];
	__be16 type;
	struct ip_header ip;
	__be16 source_port;
	__be16 destination_port;
	union {
		struct {
			__be16 total_bytes;
			__sum16 check;
		} WIRE udp;
		struct {
			__be32 sequence;
			__be32 acknowledged;
			__be16 offset_flags;
			__be16 window;
			__sum16 check;
		} WIRE tcp;
	};
} WIRE;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRAFFIC_BACKENDS);
	__type(key, __u32);
	__type(value, __u64);
} sunk_map SEC(".maps");

/* What has come back, on a cache line of its own: the sink's CPU writes it. */
struct returned {
	__u64 pkts;
	__u64 pad[15];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct returned);
} returned_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} unsaid_map SEC(".maps");

struct look {
	struct traffic *traffic;
	int is_due;
	__u64 since_ns;
};

static long look(__u32 idx, struct look *look)
{
	struct traffic *traffic = look->traffic;
	__u64 now_ns = bpf_ktime_get_ns(), due_pkts;

	if (traffic->began_ns == 0)
		traffic->began_ns = now_ns;
	due_pkts = (now_ns - traffic->began_ns) * traffic->rate_hz / NS_PER_S;
	if (due_pkts < traffic->sent_pkts + TRAFFIC_BURST_PKTS)
		return 0;
	/* After a long pause of this CPU the rate begins anew: no flood to make up for it. */
	if (due_pkts > traffic->sent_pkts + BACKLOG_PKTS)
		traffic->began_ns = now_ns - traffic->sent_pkts * NS_PER_S / traffic->rate_hz;
	look->is_due = 1;
	return 1;
}

/* As many as have come back may be sent: none finds the ring full, and the balancer is never idle. */
static long look_back(__u32 idx, struct look *look)
{
	struct traffic *traffic = look->traffic;
	__u32 zero = 0;
	const struct returned *returned = bpf_map_lookup_elem(&returned_map, &zero);
	__u64 now_ns = 0, back_pkts;

	if (!returned)
		return 1;
	back_pkts = *(const volatile __u64 *)&returned->pkts + traffic->lost_pkts;
	if (traffic->sent_pkts + TRAFFIC_BATCH_PKTS <= back_pkts + TRAFFIC_WINDOW_PKTS) {
		look->is_due = 1;
		return 1;
	}
	/* Looking takes the line from the sink's CPU, so not all the time. */
	for (__u32 i = 0; i < IDLE_LOOKS; i++)
		now_ns = bpf_ktime_get_ns();
	if (look->since_ns == 0)
		look->since_ns = now_ns;
	if (now_ns - look->since_ns < GIVE_UP_NS)
		return 0;
	traffic->lost_pkts += traffic->sent_pkts - back_pkts;
	return 1;
}

/*
 * Who may not send yet waits here: a template frame that is dropped goes back to its page pool by
 * the lock that the balancer's CPU needs to give back its own. The driver asks for as many frames at
 * a time as are sent at a time, so none waits for the next burst.
 */
static __always_inline int may_send(struct traffic *traffic)
{
	struct look now = { .traffic = traffic };

	if (traffic->limit_pkts && traffic->sent_pkts >= traffic->limit_pkts)
		return 0;
	if (traffic->allowed_pkts > 0)
		return 1;
	if (traffic->rate_hz)
		bpf_loop(CLOCK_LOOKS, look, &now, 0);
	else
		bpf_loop(CLOCK_LOOKS, look_back, &now, 0);
	if (!now.is_due)
		return 0;
	traffic->allowed_pkts = traffic->rate_hz ? TRAFFIC_BURST_PKTS : TRAFFIC_BATCH_PKTS;
	return 1;
}

static __always_inline __u32 frame_bytes(const struct traffic *traffic, __u64 number)
{
	__u32 at = number % TRAFFIC_IMIX_FRAMES;

	if (!traffic->imix || at < TRAFFIC_IMIX_SMALL)
		return TRAFFIC_SMALL_BYTES;
	return at < TRAFFIC_IMIX_MIDDLE ? TRAFFIC_MIDDLE_BYTES : TRAFFIC_LARGE_BYTES;
}

static __always_inline long resize(struct xdp_md *context, __u32 size_bytes)
{
	void *data_end = (void *)(long)context->data_end;
	void *data = (void *)(long)context->data;
	__u64 has_bytes = data_end - data;

	/* Keeps the compiler from subtracting the pointers as 32-bit numbers, which is refused. */
	asm volatile("" : "+r"(has_bytes));
	return bpf_xdp_adjust_tail(context, (int)size_bytes - (int)has_bytes);
}

static __always_inline __sum16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

static __always_inline __u32 sum_of(__be32 address)
{
	return (address & 0xffff) + (address >> 16);
}

struct endpoint {
	__be32 client;
	__be16 client_port;
	__be32 vip;
};

static __always_inline struct endpoint choose_flow(const struct traffic *traffic, __u64 number)
{
	__u32 flow = number * SCATTER % traffic->flows;

	return (struct endpoint){
		.client = WIRE_32(TRAFFIC_CLIENT_ADDRESS + flow / TRAFFIC_PORTS),
		.client_port = WIRE_16(TRAFFIC_CLIENT_PORT + flow % TRAFFIC_PORTS),
		.vip = WIRE_32(TRAFFIC_VIP_ADDRESS + flow % traffic->vips),
	};
}

static __always_inline struct endpoint choose_stranger(const struct traffic *traffic)
{
	__u32 random = bpf_get_prandom_u32();

	return (struct endpoint){
		.client = WIRE_32(TRAFFIC_FLOOD_ADDRESS | (random & 0xffffff)),
		.client_port = WIRE_16(TRAFFIC_CLIENT_PORT + (random >> 24)),
		.vip = WIRE_32(TRAFFIC_VIP_ADDRESS + (random >> 8) % traffic->vips),
	};
}

/* Small TCP frames are bare segments, padded: nothing is to be merged. */
static __always_inline void fill(struct frame *frame, const struct traffic *traffic,
	const struct endpoint *endpoint, __u32 size_bytes, __u16 tcp_flags)
{
	__u32 ip_bytes = size_bytes - ETHERNET_BYTES;
	__be16 transport_bytes;
	__u32 sum;

	if (tcp_flags && size_bytes == TRAFFIC_SMALL_BYTES)
		ip_bytes = IP_BYTES + 20;
	transport_bytes = WIRE_16((__u16)(ip_bytes - IP_BYTES));
	__builtin_memcpy(frame->destination, traffic->destination, MAC_BYTES);
	__builtin_memcpy(frame->source, traffic->source, MAC_BYTES);
	frame->ip.total_bytes = WIRE_16((__u16)ip_bytes);
	frame->ip.ttl = 64;
	frame->ip.source = endpoint->client;
	frame->ip.destination = endpoint->vip;
	sum = sum_of(endpoint->client) + sum_of(endpoint->vip);
	frame->ip.check = fold(traffic->ip_sum + frame->ip.total_bytes + sum);
	frame->source_port = endpoint->client_port;
	sum += traffic->transport_sum + endpoint->client_port + transport_bytes;
	if (tcp_flags) {
		frame->tcp.offset_flags = WIRE_16(0x5000 | tcp_flags);
		frame->tcp.check = fold(sum + frame->tcp.offset_flags);
	} else {
		frame->udp.total_bytes = transport_bytes;
		frame->udp.check = fold(sum + transport_bytes);
	}
}

SEC("xdp")
int generate(struct xdp_md *context)
{
	__u32 zero = 0;
	struct traffic *traffic = bpf_map_lookup_elem(&traffic_map, &zero);
	struct endpoint endpoint;
	struct frame *frame;
	__u32 size_bytes;
	__u16 tcp_flags;

	if (!traffic || !may_send(traffic))
		return XDP_DROP;
	size_bytes = frame_bytes(traffic, traffic->sent_pkts);
	if (traffic->imix && resize(context, size_bytes) < 0)
		return XDP_ABORTED;
	frame = (void *)(long)context->data;
	if ((void *)(frame + 1) > (void *)(long)context->data_end)
		return XDP_ABORTED;
	tcp_flags = traffic->tcp_flags;
	if (traffic->syn_percent && traffic->sent_pkts % 100 < traffic->syn_percent) {
		endpoint = choose_stranger(traffic);
		tcp_flags = WIRE_TCP_SYN;
	} else {
		endpoint = choose_flow(traffic, traffic->sent_pkts);
	}
	fill(frame, traffic, &endpoint, size_bytes, tcp_flags);
	traffic->sent_pkts++;
	traffic->allowed_pkts--;
	return bpf_redirect(traffic->out_ifindex, 0);
}

static __always_inline void say_returned(void)
{
	__u32 zero = 0;
	__u32 *unsaid = bpf_map_lookup_elem(&unsaid_map, &zero);
	struct returned *returned = bpf_map_lookup_elem(&returned_map, &zero);

	if (!unsaid || !returned || ++*unsaid < TRAFFIC_SAY_PKTS)
		return;
	*unsaid = 0;
	(void)__sync_fetch_and_add(&returned->pkts, TRAFFIC_SAY_PKTS);
}

/* The port may be others' way too: what the generator did not send is not its to count. */
static __always_inline int is_to_vip(const struct frame *frame)
{
	const __be32 net = WIRE_32(0xffff0000);

	return (frame->ip.destination & net) == (WIRE_32(TRAFFIC_VIP_ADDRESS) & net);
}

SEC("xdp")
int sink(struct xdp_md *context)
{
	struct frame *frame = (void *)(long)context->data;
	__u64 *sunk_pkts;
	__u32 backend;

	if ((void *)(frame + 1) > (void *)(long)context->data_end)
		return XDP_PASS;
	if (frame->destination[0] != 2 || frame->destination[4] != 2 || !is_to_vip(frame))
		return XDP_PASS;
	backend = frame->destination[5] % TRAFFIC_BACKENDS;
	sunk_pkts = bpf_map_lookup_elem(&sunk_map, &backend);
	if (sunk_pkts)
		(*sunk_pkts)++;
	say_returned();
	return XDP_DROP;
}

char traffic_license[] SEC("license") = "GPL";
