/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's side of a capture: a frame's addresses are kept when it comes, and the frame with its decision is put
 * into a ring when it goes. Included by lb/engine/bpf/dsr.bpf.c alone, behind lb/engine/bpf/layout.h, the core,
 * frame_copy() and the maps of counters.
 */
#pragma once

#include "lb/engine/capture/capture_filter.h"

struct bpf_capture capture = { 0 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BPF_CAPTURE_RING_BYTES);
} dsr_captured SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_captured_macs);
} dsr_captured_macs SEC(".maps");

FWD_INLINE int somebody_captures(void)
{
	return FWD_LOAD(&capture.is_on) != 0;
}

/* Keeps the addresses of a frame that has come, before they are rewritten. */
FWD_CALL int capture_begin(struct fwd_context *context)
{
	__u32 zero = 0;
	struct bpf_captured_macs *macs = bpf_map_lookup_elem(&dsr_captured_macs, &zero);

	if (macs)
		macs->are_kept = frame_read(context, 0, macs->bytes, CAPTURE_MACS_BYTES);
	return 0;
}

FWD_INLINE void capture_lose(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct bpf_totals *totals = bpf_map_lookup_elem(&dsr_totals, &cpu);

	if (totals)
		totals->capture_lost++;
}

/* In a record with room for that many bytes (a constant). */
FWD_INLINE int capture_in(
	struct fwd_context *context, const struct bpf_captured *header, const __u32 room_bytes)
{
	__u8 *record;

	/* A full ring is seen without its lock. */
	if (bpf_ringbuf_query(&dsr_captured, BPF_RB_AVAIL_DATA) >
		BPF_CAPTURE_RING_BYTES - 2 * (sizeof(*header) + CAPTURE_FRAME_BYTES))
		return 0;
	record = bpf_ringbuf_reserve(&dsr_captured, sizeof(*header) + room_bytes, 0);
	if (!record)
		return 0;
	*(struct bpf_captured *)record = *header;
	return record_submit(context, record, sizeof(*header), header->copied_bytes, room_bytes);
}

/* A frame that was decided, and rewritten if it is to be forwarded. */
FWD_CALL int capture_end(
	struct fwd_context *context, __u32 length_bytes, const struct fwd_result *result)
{
	struct bpf_captured header = { .length_bytes = length_bytes };
	struct bpf_captured_macs *macs;
	__u32 zero = 0;

	if (FWD_NEVER(!context || !result))
		return 0;
	if (!constants.hands_over || !capture_takes(context, &capture.filter, result))
		return 0;
	macs = bpf_map_lookup_elem(&dsr_captured_macs, &zero);
	/* It came before the capture began. */
	if (!macs || !macs->are_kept)
		return 0;
	macs->are_kept = 0;
	__builtin_memcpy(header.macs, macs->bytes, sizeof(header.macs));
	header.time_ns = bpf_ktime_get_ns();
	header.service = result->service;
	header.backend = result->backend;
	header.reason = result->reason;
	header.how = result->how;
#ifdef DSR_TC
	header.copied_bytes = context->len;
	if (context->vlan_present) {
		header.vlan_proto = WIRE_16((__u16)context->vlan_proto);
		header.vlan_tci = (__u16)context->vlan_tci;
	}
#else
	header.copied_bytes = context->data_end - context->data;
#endif
	if (header.copied_bytes > CAPTURE_FRAME_BYTES)
		header.copied_bytes = CAPTURE_FRAME_BYTES;
	if (header.copied_bytes <= BPF_CAPTURE_SHORT_BYTES
			? !capture_in(context, &header, BPF_CAPTURE_SHORT_BYTES)
			: !capture_in(context, &header, CAPTURE_FRAME_BYTES))
		capture_lose();
	return 1;
}
