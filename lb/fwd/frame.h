/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the parser reads a frame. In user space a frame is memory; a BPF program, whose frame may lie in
 * several pieces, defines the same two for its own context before it includes the core.
 */
#pragma once

#include "lb/fwd/types.h"

#ifdef __bpf__
/* The type of the program's argument, by whose name the verifier knows it. */
#ifndef fwd_context
#error "a BPF target names its context"
#endif
#else
struct fwd_context {
	const __u8 *data;
	__u32 readable_bytes;
};
#endif

/* Whether the frame can be read up to there. */
FWD_INLINE int frame_readable(struct fwd_context *context, __u32 end_bytes);
/* Copies `size_bytes` (a constant) from the frame; 0: so many are not readable there. */
FWD_INLINE int frame_read(
	struct fwd_context *context, __u32 offset_bytes, void *ret_data, const __u32 size_bytes);

#ifndef __bpf__
FWD_INLINE int frame_readable(struct fwd_context *context, __u32 end_bytes)
{
	return end_bytes <= context->readable_bytes;
}

FWD_INLINE int frame_read(
	struct fwd_context *context, __u32 offset_bytes, void *ret_data, const __u32 size_bytes)
{
	if (!frame_readable(context, offset_bytes + size_bytes))
		return 0;
	__builtin_memcpy(ret_data, context->data + offset_bytes, size_bytes);
	return 1;
}
#endif
