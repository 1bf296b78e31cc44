/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF programs: the look-ups of port.h over maps, counters, and what a verdict means to the
 * kernel. Every decision is the core's. Compiled twice: as an XDP program, and with DSR_TC as a
 * classifier at tc's ingress, which sees super-frames and tags beside the frame.
 *
 * A snapshot is one value of an inner map (lb/fwd/image.h), found through one pointer that the
 * engine switches: a run loads it once and hands it down, so it never sees parts of two.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#ifdef DSR_TC
#define fwd_context __sk_buff
#else
#define fwd_context xdp_md
#endif

#include "lb/engine/bpf/layout.h"
#include "lb/fwd/port.h"
#include "lb/state/keep_layout.h"

const volatile struct bpf_constants constants = { 0 };

/*
 * Inner maps, by sizes and not by types: a map with BTF has another place of a timer ("no such") than one
 * without ("unknown"), so Linux before 6.2 takes no map made without BTF in the place of one with it
 * (kernel/bpf/map_in_map.c:bpf_map_meta_equal). Nor does clang describe a type that only pointers name.
 */
struct image_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct fwd_image));
};

struct clients_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct fwd_clients));
};

struct rows_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEEP_MAP_ROWS_ENTRIES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct fwd_slot));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct image_map);
} dsr_images SEC(".maps");

/* Where the image in force says (settings.clients_place); empty as long as nobody has a list. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, BPF_CLIENTS);
	__type(key, __u32);
	__array(values, struct clients_map);
} dsr_clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, BPF_TABLES);
	__type(key, __u32);
	__array(values, struct rows_map);
} dsr_tables SEC(".maps");

/* The kept flow table: reused, never created from here; its length is that of the kept one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow4_bucket);
} dsr_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FWD_LOADS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct fwd_load);
} dsr_loads SEC(".maps");

/* Buckets of SYN rates. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FWD_ID_MAX + 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} dsr_rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FWD_SOURCE_RATES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} dsr_source_rates SEC(".maps");

/* Where first fragments went. Rare, so what a map of this kind costs does not count. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BPF_FRAGMENTS);
	__type(key, struct fwd_fragment_key);
	__type(value, struct fwd_fragment);
} dsr_fragments SEC(".maps");

/* One for each CPU that there may be; the lengths of these are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct bpf_totals);
} dsr_totals SEC(".maps");

/* BPF_PAIRS for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct bpf_pair);
} dsr_pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct bpf_pair_rest);
} dsr_pair_rests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BPF_RING_BYTES);
} dsr_exceptions SEC(".maps");

/* ---- the frame ---- */

/* No frame that a link delivers in one piece is longer; the verifier wants a bound. */
#define FRAME_OFFSET_MASK 0x7fffu

#ifdef DSR_TC
FWD_INLINE int frame_readable(struct fwd_context *context, __u32 end_bytes)
{
	return end_bytes <= context->len;
}

FWD_INLINE int frame_read(
	struct fwd_context *context, __u32 offset_bytes, void *ret_data, const __u32 size_bytes)
{
	return bpf_skb_load_bytes(context, offset_bytes, ret_data, size_bytes) == 0;
}
#else
FWD_INLINE int frame_readable(struct fwd_context *context, __u32 end_bytes)
{
	return end_bytes <= context->data_end - context->data;
}

FWD_INLINE int frame_read(
	struct fwd_context *context, __u32 offset_bytes, void *ret_data, const __u32 size_bytes)
{
	const __u8 *data = (const __u8 *)(long)context->data;
	const __u8 *data_end = (const __u8 *)(long)context->data_end;
	__u16 *to = ret_data;

	if (offset_bytes > FRAME_OFFSET_MASK)
		return 0;
	data += offset_bytes & FRAME_OFFSET_MASK;
	if (data + size_bytes > data_end)
		return 0;
	/* Headers are aligned to two. */
	for (__u32 i = 0; i < size_bytes / 2; i++)
		to[i] = ((const __u16 *)data)[i];
	return 1;
}
#endif

/* ---- look-ups ---- */

/* The image itself: global functions get it as memory of known size. */
struct fwd_port {
	struct fwd_image image;
};

FWD_INLINE const struct fwd_settings *port_settings(struct fwd_port *port)
{
	return &port->image.settings;
}

/*
 * x / 10^9 without a division, which costs a program tens of cycles: 2^9 * 5^9 = 10^9, and the upper
 * half of a product with ceil(2^75 / 5^9), made of four (Granlund, Montgomery, PLDI 1994).
 */
FWD_INLINE __u32 ns_to_s(__u64 ns)
{
	const __u64 factor = 0x44b82fa09b5a53ull;
	__u64 x = ns >> 9;
	__u64 low = (x & 0xffffffff) * (factor & 0xffffffff);
	__u64 middle1 = (x >> 32) * (factor & 0xffffffff);
	__u64 middle2 = (x & 0xffffffff) * (factor >> 32);
	__u64 carry = (low >> 32) + (middle1 & 0xffffffff) + (middle2 & 0xffffffff);
	__u64 high = (x >> 32) * (factor >> 32) + (middle1 >> 32) + (middle2 >> 32) + (carry >> 32);

	return (__u32)(high >> 11);
}

/* CLOCK_MONOTONIC_COARSE: a tick behind, at a quarter of the price. */
FWD_INLINE __u32 port_now_s(struct fwd_port *port)
{
	return ns_to_s(bpf_ktime_get_coarse_ns());
}

FWD_INLINE __u64 port_now_ns(struct fwd_port *port)
{
	return bpf_ktime_get_ns();
}

FWD_INLINE const struct fwd_vip *port_vip(struct fwd_port *port, const struct fwd_addr *address)
{
	return image_vip(&port->image, address);
}

FWD_INLINE __u16 port_range(struct fwd_port *port, __u16 first, __u16 number)
{
	return (__u16)image_range(&port->image, first, number);
}

FWD_INLINE const struct fwd_binding *port_binding(
	struct fwd_port *port, const struct fwd_addr *vip, __u32 proto, __be16 number)
{
	return image_binding(&port->image, vip, proto, number);
}

FWD_INLINE const struct fwd_service *port_service_of(
	struct fwd_port *port, const struct fwd_binding *binding)
{
	return image_service_of(&port->image, binding);
}

FWD_INLINE const struct fwd_service *port_service(struct fwd_port *port, __u16 id)
{
	return image_service(&port->image, id);
}

FWD_INLINE __u16 port_settled(struct fwd_port *port, __u32 table, __u32 row)
{
	void *rows = bpf_map_lookup_elem(&dsr_tables, &table);
	__u32 key = KEEP_MAP_SETTLED_FIRST + row / 4;
	const __u16 *owners = rows ? bpf_map_lookup_elem(rows, &key) : 0;

	return owners ? FWD_LOAD(&owners[row & 3]) : 0;
}

FWD_INLINE struct fwd_slot *port_slot(struct fwd_port *port, __u32 table, __u32 row)
{
	void *rows = bpf_map_lookup_elem(&dsr_tables, &table);
	__u32 key = KEEP_MAP_ROWS_FIRST + row;

	return rows ? bpf_map_lookup_elem(rows, &key) : 0;
}

FWD_INLINE const struct fwd_clients *port_clients(struct fwd_port *port)
{
	__u32 place = port->image.settings.clients_place, zero = 0;
	void *lists = bpf_map_lookup_elem(&dsr_clients, &place);

	return lists ? bpf_map_lookup_elem(lists, &zero) : 0;
}

FWD_INLINE const struct fwd_backend *port_backend(struct fwd_port *port, __u16 id)
{
	return image_backend(&port->image, id);
}

/* The place of a member's load, 0 for none; -1: it is no member. A loop, so a function of its own. */
FWD_CALL int member_load(struct fwd_port *port, __u32 service, __u32 backend)
{
	__u32 at;

	if (FWD_NEVER(!port))
		return -1;
	at = image_member(&port->image, (__u16)service, (__u16)backend);
	return at < IMAGE_MEMBERS ? port->image.member_loads[at & (IMAGE_MEMBERS - 1)] : -1;
}

FWD_INLINE int port_is_member(struct fwd_port *port, __u16 service, __u16 backend)
{
	return member_load(port, service, backend) >= 0;
}

/* 1: a member takes new flows; of one that there was no room for nothing else is known. */
FWD_CALL int member_takes_new(struct fwd_port *port, __u32 service, __u32 backend)
{
	__u32 at;

	if (FWD_NEVER(!port))
		return 0;
	at = image_member(&port->image, (__u16)service, (__u16)backend);
	return at >= IMAGE_MEMBERS || !image_member_is_shut(&port->image, at);
}

FWD_INLINE int port_takes_new(struct fwd_port *port, __u16 service, __u16 backend)
{
	return member_takes_new(port, service, backend);
}

FWD_INLINE struct fwd_mac port_mac(struct fwd_port *port, const void *mac)
{
	return image_mac(&port->image, mac);
}

FWD_INLINE struct flow4_bucket *port_flow4(struct fwd_port *port, __u32 index)
{
	__u32 key = KEEP_MAP_FLOWS_FIRST + index;

	return bpf_map_lookup_elem(&dsr_flows, &key);
}

FWD_INLINE struct flow6_bucket *port_flow6(struct fwd_port *port, __u32 index)
{
	__u32 key = KEEP_MAP_FLOWS_FIRST + port->image.settings.flow4_buckets + index;

	return bpf_map_lookup_elem(&dsr_flows, &key);
}

/* Behind the buckets; eight words are a value. */
FWD_INLINE __u64 *port_seen(struct fwd_port *port, __u32 index)
{
	const struct fwd_settings *settings = &port->image.settings;
	__u32 key = KEEP_MAP_FLOWS_FIRST + settings->flow4_buckets + settings->flow6_buckets +
		index / FLOW_BUCKET_WORDS;
	__u64 *words = settings->seen_words ? bpf_map_lookup_elem(&dsr_flows, &key) : 0;

	return words ? &words[index & (FLOW_BUCKET_WORDS - 1)] : 0;
}

FWD_INLINE struct fwd_load *load_at(__u32 place)
{
	return place ? bpf_map_lookup_elem(&dsr_loads, &place) : 0;
}

FWD_INLINE __u32 *port_position(struct fwd_port *port, const struct fwd_service *service)
{
	struct fwd_load *load = load_at(service->position_load);

	return load ? &load->sent : 0;
}

FWD_INLINE __u16 port_order_backend(
	struct fwd_port *port, const struct fwd_service *service, __u32 at)
{
	return image_order_backend(&port->image, service, at);
}

FWD_INLINE struct fwd_load *port_load(struct fwd_port *port, __u16 service, __u16 backend)
{
	int place = member_load(port, service, backend);

	return place > 0 ? load_at((__u32)place) : 0;
}

FWD_INLINE __u64 *port_service_rate(struct fwd_port *port, __u16 service)
{
	__u32 key = service;

	return bpf_map_lookup_elem(&dsr_rates, &key);
}

FWD_INLINE __u64 *port_source_rate(struct fwd_port *port, __u32 index)
{
	return bpf_map_lookup_elem(&dsr_source_rates, &index);
}

FWD_INLINE int port_only_looks(struct fwd_port *port)
{
	return 0;
}

FWD_INLINE int port_fragment_get(struct fwd_port *port, const struct fwd_fragment_key *key,
	struct fwd_fragment *ret_fragment)
{
	const struct fwd_fragment *found = bpf_map_lookup_elem(&dsr_fragments, key);

	if (!found)
		return 0;
	*ret_fragment = *found;
	return 1;
}

FWD_INLINE void port_fragment_put(struct fwd_port *port, const struct fwd_fragment_key *key,
	const struct fwd_fragment *fragment)
{
	(void)bpf_map_update_elem(&dsr_fragments, key, fragment, BPF_ANY);
}

#include "lb/fwd/core.h"

/* ---- counters ---- */

/* The place of a pair that is not at its own, or of the free one that it may take; else its own. */
FWD_CALL int pair_far(__u32 first, __u32 place, __u32 key)
{
	for (__u32 i = 1; i < BPF_PAIR_PROBES; i++) {
		__u32 at = first + ((place + i) & (BPF_PAIRS - 1));
		const struct bpf_pair *pair = bpf_map_lookup_elem(&dsr_pairs, &at);

		if (pair && (pair->key == key || !pair->key))
			return (int)at;
	}
	return (int)(first + place);
}

/* The CPU's own place for the pair, taken if it is new; NULL: all places near are others'. */
FWD_INLINE struct bpf_pair *pair_get(__u32 cpu, __u32 key, __u32 *ret_at)
{
	__u32 first = cpu * BPF_PAIRS, place = bpf_pair_place(key);
	__u32 at = first + place;
	struct bpf_pair *pair = bpf_map_lookup_elem(&dsr_pairs, &at);

	if (pair && pair->key && pair->key != key) {
		at = (__u32)pair_far(first, place, key);
		pair = bpf_map_lookup_elem(&dsr_pairs, &at);
	}
	if (!pair)
		return 0;
	if (!pair->key)
		FWD_STORE(&pair->key, key);
	*ret_at = at;
	return pair->key == key ? pair : 0;
}

/* One writer: no read-modify-write is needed. */
FWD_INLINE void count_forwarded(
	const struct fwd_result *result, __u32 size_bytes, __u32 cpu, struct bpf_totals *totals)
{
	__u32 key = (__u32)result->service << 16 | result->backend, at = 0;
	struct bpf_pair *pair = pair_get(cpu, key, &at);
	struct bpf_pair_rest *rest;

	if (!pair) {
		totals->uncounted_pairs++;
		return;
	}
	FWD_STORE(&pair->packets, pair->packets + 1);
	pair->bytes += size_bytes;
	if (!(result->syn | result->recorded) && pair->packets << 1)
		return;
	rest = bpf_map_lookup_elem(&dsr_pair_rests, &at);
	if (!rest)
		return;
	rest->halves += !(pair->packets << 1);
	rest->new_flows += (result->syn & FWD_SYN) | result->recorded;
	if (result->syn) {
		rest->syns++;
		FWD_STORE(&rest->clients, rest->clients | 1ull << (result->syn >> 1));
	}
}

/* As lb/engine/counters.c counts a decided frame. */
FWD_INLINE void count(const struct fwd_result *result, __u32 size_bytes)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct bpf_totals *totals = bpf_map_lookup_elem(&dsr_totals, &cpu);

	if (!totals || result->reason >= FWD_REASON_N_)
		return;
	totals->reason_pkts[result->reason]++;
	totals->evictions += result->evicted;
	totals->unrecorded += result->unrecorded;
	totals->named += result->alternative != 0;
	if (result->reason == FWD_REASON_FORWARDED)
		count_forwarded(result, size_bytes, cpu, totals);
}

/* ---- the slow path ---- */

/* The first bytes of the frame, also where it is not in one piece. 0: done. */
FWD_INLINE long frame_copy(struct fwd_context *context, void *to, __u32 size_bytes)
{
#ifdef DSR_TC
	return bpf_skb_load_bytes(context, 0, to, size_bytes);
#else
	return bpf_xdp_load_bytes(context, 0, to, size_bytes);
#endif
}

/*
 * Copies the frame behind the header of a reserved record that has room for that many bytes (a constant), and submits
 * it; 0: it is discarded.
 */
FWD_INLINE int record_submit(struct fwd_context *context, __u8 *record, const __u32 header_bytes,
	__u32 copied_bytes, const __u32 room_bytes)
{
	__u32 last = copied_bytes - 1; /* byte; of nothing, beyond any room */

	/*
	 * The compiler makes one comparison of two, and Linux 6.1 learns nothing of a number from one of
	 * its difference: so what is compared is what the size is made of.
	 */
	__asm__ volatile("" : "+r"(last));
	if (last >= room_bytes || frame_copy(context, record + header_bytes, last + 1)) {
		bpf_ringbuf_discard(record, 0);
		return 0;
	}
	bpf_ringbuf_submit(record, 0);
	return 1;
}

/* In a record with room for that many bytes (a constant). */
FWD_INLINE int hand_over_in(
	struct fwd_context *context, const struct bpf_handed_over *header, const __u32 room_bytes)
{
	__u8 *record = bpf_ringbuf_reserve(&dsr_exceptions, sizeof(*header) + room_bytes, 0);

	if (!record)
		return 0;
	*(struct bpf_handed_over *)record = *header;
	return record_submit(context, record, sizeof(*header), header->copied_bytes, room_bytes);
}

/* Non-zero: user space has the frame and will count it. `reason` is enum fwd_reason. */
FWD_CALL int hand_over(
	struct fwd_context *context, __u32 length_bytes, __u32 gso, __u32 reason, __u32 backend)
{
	struct bpf_handed_over header = {
		.length_bytes = length_bytes,
		.gso = gso,
		.reason = reason,
		.backend = backend,
	};

	/* A kernel without what frame_copy() calls must not be shown the call. */
	if (!constants.hands_over)
		return 0;
#ifdef DSR_TC
	header.copied_bytes = context->len;
	if (context->vlan_present) {
		header.vlan_proto = WIRE_16((__u16)context->vlan_proto);
		header.vlan_tci = (__u16)context->vlan_tci;
	}
#else
	header.copied_bytes = context->data_end - context->data;
#endif
	/* An answer quotes the beginning; what is held has to go on whole. */
	if (reason == FWD_REASON_TOO_BIG && header.copied_bytes > BPF_ANSWER_BYTES)
		header.copied_bytes = BPF_ANSWER_BYTES;
	if (header.copied_bytes <= BPF_ANSWER_BYTES)
		return hand_over_in(context, &header, BPF_ANSWER_BYTES);
	return hand_over_in(context, &header, BPF_HANDED_OVER_BYTES_MAX);
}

#include "lb/engine/capture/capture_program.h"

/* ---- programs ---- */

/*
 * What is for a VIP and no virtual server takes is passed, but no business of the host's own stack: where
 * the VIP is an address of the host, it would answer the client. Neighbour discovery alone is.
 */
FWD_CALL int frame_is_for_stack(struct fwd_context *context, __u32 reason)
{
	__u32 offset = sizeof(struct wire_ethernet) - sizeof(__be16);
	struct wire_ip6 ip = { 0 };
	__u8 icmp[2] __attribute__((__aligned__(2))) = { 0 }; /* type and code */
	__be16 type = 0;

	if (reason == FWD_REASON_NO_SERVICE)
		return 0;
	if (reason != FWD_REASON_NOT_FORWARDED_ICMP)
		return 1;
	for (__u32 i = 0; i <= PARSE_VLAN_TAGS_MAX; i++) {
		if (!frame_read(context, offset, &type, sizeof(type)))
			return 0;
		offset += sizeof(type);
		if (type != WIRE_16(WIRE_TYPE_VLAN) && type != WIRE_16(WIRE_TYPE_QINQ))
			break;
		offset += sizeof(struct wire_vlan) - sizeof(type);
	}
	if (type != WIRE_16(WIRE_TYPE_IP6) || !frame_read(context, offset, &ip, sizeof(ip)) ||
		!frame_read(context, offset + sizeof(ip), icmp, sizeof(icmp)))
		return 0;
	return ip.next == FWD_PROTO_ICMPV6 &&
		(icmp[0] == WIRE_ND_SOLICITATION || icmp[0] == WIRE_ND_ADVERTISEMENT);
}

FWD_INLINE struct fwd_port *current_snapshot(void)
{
	__u32 zero = 0;
	void *images = bpf_map_lookup_elem(&dsr_images, &zero);

	return images ? bpf_map_lookup_elem(images, &zero) : 0;
}

#ifdef DSR_TC
/* What of a frame is not in one piece is read by calls (frame_read); its MACs always are. */
SEC("tc")
int dsr_tc(struct __sk_buff *context)
{
	struct fwd_port *port = current_snapshot();
	struct fwd_frame frame = {
		.length_bytes = context->len,
		.n_tags = context->vlan_present,
	};
	void *data = (void *)(long)context->data;
	void *data_end = (void *)(long)context->data_end;
	struct fwd_result result;

	if (!port)
		return TC_ACT_UNSPEC;
	/* Segments of what fits are shorter still: their size, on a cache line of its own, need not be read. */
	if (frame.length_bytes > port_settings(port)->mtu_bytes)
		frame.gso = context->gso_size;
	if (somebody_captures())
		(void)capture_begin(context);
	core_run(port, context, data, data_end, &frame, &result);
	/* Read again, as the stack is too short to keep them. A tag counts as it does where frames carry it inside. */
	frame.length_bytes = context->len;
	if (context->vlan_present)
		frame.length_bytes += sizeof(struct wire_vlan);
	if (result.verdict == FWD_SLOW_PATH &&
		hand_over(context, frame.length_bytes, context->gso_size, result.reason,
			result.backend))
		return TC_ACT_SHOT;
	count(&result, frame.length_bytes);
	if (somebody_captures())
		(void)capture_end(context, frame.length_bytes, &result);
	if (result.verdict == FWD_FORWARD)
		return bpf_redirect(image_link(&port->image, result.backend)->ifindex, 0);
	return result.verdict == FWD_PASS && frame_is_for_stack(context, result.reason)
		? TC_ACT_UNSPEC
		: TC_ACT_SHOT;
}
#else
/* Out of the interface that it came in by, or of another one, to which redirects go in batches, too. */
FWD_INLINE int forward_to(const struct fwd_port *port, __u16 backend)
{
	__u32 ifindex = image_link(&port->image, backend)->ifindex;

	return ifindex == constants.ifindex ? XDP_TX : (int)bpf_redirect(ifindex, 0);
}

SEC("xdp")
int dsr_xdp(struct xdp_md *context)
{
	struct fwd_port *port = current_snapshot();
	void *data = (void *)(long)context->data;
	void *data_end = (void *)(long)context->data_end;
	struct fwd_frame frame = { .length_bytes = (__u32)(data_end - data) };
	struct fwd_result result;

	if (!port)
		return XDP_PASS;
	if (somebody_captures())
		(void)capture_begin(context);
	core_run(port, context, data, data_end, &frame, &result);
	if (result.verdict == FWD_SLOW_PATH &&
		hand_over(context, frame.length_bytes, 0, result.reason, result.backend))
		return XDP_DROP;
	count(&result, frame.length_bytes);
	if (somebody_captures())
		(void)capture_end(context, frame.length_bytes, &result);
	if (result.verdict == FWD_FORWARD)
		return forward_to(port, result.backend);
	return result.verdict == FWD_PASS && frame_is_for_stack(context, result.reason) ? XDP_PASS
											: XDP_DROP;
}

/* Where another interface's driver wants a program before it takes redirected frames. */
SEC("xdp")
int dsr_pass(struct xdp_md *context)
{
	return XDP_PASS;
}
#endif

char dsr_license[] SEC("license") = "GPL";
