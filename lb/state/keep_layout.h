/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of what is kept over the daemon's life (lb/state/keep.h), for user space and BPF programs
 * alike: one page of header, then the body. The same bytes are a mapped file or an array map that
 * is mapped; a program finds the first bucket or row of a map at index KEEP_MAP_…_FIRST. Linux UAPI
 * types only.
 */
#pragma once

#include <linux/types.h>

#include "lb/fwd/types.h"

#ifndef KEEP_LAYOUT /* the upgrade scenario builds one of another layout */
#define KEEP_LAYOUT \
	6u /* change with struct keep_header, lb/fwd/flow.h or struct fwd_table; but see n_seen */
#endif

#define KEEP_HEADER_BYTES 4096u /* a page, so that what follows is aligned to one */
#define KEEP_NAME_BYTES   32u
#define KEEP_BOOT_BYTES   40u /* a UUID in text and its end */

#define KEEP_FLOWS_MAGIC 0x64737220666c6f77ull /* "dsr flow" */
#define KEEP_ROWS_MAGIC  0x64737220726f7773ull /* "dsr rows" */

/*
 * BPF_MAP_TYPE_ARRAY with BPF_F_MMAPABLE alone. The body of a flow map is the IPv4 buckets, then
 * the IPv6 buckets, then the filter of flows seen (lb/fwd/flow.h). All maps of rows have the same attributes: they can be inner maps of one
 * array of maps.
 */
#define KEEP_MAP_FLOWS_NAME "dsr_flows"
#define KEEP_MAP_FLOWS_VALUE_BYTES \
	64u /* one bucket of either family, or eight words of the filter */
#define KEEP_MAP_FLOWS_FIRST      (KEEP_HEADER_BYTES / KEEP_MAP_FLOWS_VALUE_BYTES)
#define KEEP_MAP_LOADS_NAME       "dsr_loads" /* FWD_LOADS; not kept */
#define KEEP_MAP_ROWS_NAME        "dsr_rows"
#define KEEP_MAP_ROWS_VALUE_BYTES 8u /* one struct fwd_slot, or four settled owners */
#define KEEP_MAP_ROWS_FIRST       (KEEP_HEADER_BYTES / KEEP_MAP_ROWS_VALUE_BYTES)
#define KEEP_MAP_SETTLED_FIRST    (KEEP_MAP_ROWS_FIRST + FWD_ROWS)
#define KEEP_MAP_ROWS_ENTRIES \
	(KEEP_MAP_ROWS_FIRST + sizeof(struct fwd_table) / KEEP_MAP_ROWS_VALUE_BYTES)

_Static_assert(KEEP_MAP_FLOWS_FIRST == 64, "programs may write the number");
_Static_assert(KEEP_MAP_ROWS_FIRST == 512, "programs may write the number");
_Static_assert(KEEP_MAP_ROWS_VALUE_BYTES == sizeof(struct fwd_slot), "a value is a slot");

/* In the byte order of the host: it never leaves it. Unused bytes are zero. */
struct keep_header {
	__u64 magic; /* of a map: written last, and 0 again when the map is given up */
	__u32 layout;
	__u32 header_bytes;
	__u64 file_bytes; /* header and body */
	/* Times of flows are of the monotonic clock, which begins anew with each boot. */
	char boot[KEEP_BOOT_BYTES];
	__u32 n_flow4; /* buckets, of flows */
	__u32 n_flow6;
	__u64 seed[2];
	__u64 id;   /* rows */
	__u64 home; /* the runtime directory that it belongs to */
	char name[KEEP_NAME_BYTES];
	__u32 n_seen; /* words of a generation of the filter; 0: of a build that recorded every UDP flow */
	__u32 pad;
};
_Static_assert(sizeof(struct keep_header) <= KEEP_HEADER_BYTES, "header outgrew its page");
