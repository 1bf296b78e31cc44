/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of a capture, and a frame of it; see capture_filter.h and capture_ring.h. */
#pragma once

#include "lb/fwd/types.h"

#define CAPTURE_FRAME_BYTES 1536u /* of a frame, at most; of longer ones the rest is left out */
#define CAPTURE_MACS_BYTES  12u   /* two of FWD_MAC_BYTES */

/* Zeros: all that is for a VIP. */
struct capture_filter {
	struct fwd_addr client, client_mask; /* of the packet's source, where by_client; masked */
	struct fwd_addr vip;                 /* its destination, where by_vip */
	__u16 by_client, by_vip;
	__u16 backend; /* id; 0: any, and none */
	__u16 pad;
};

/* A frame that was received, or sent, and the decision on it. */
struct captured {
	__u64 time_ns;      /* since 1970, UTC */
	__u32 length_bytes; /* of the frame */
	__u32 size_bytes;   /* of `bytes` */
	__u16 service, backend;
	__u8 reason,
		how; /* as in struct fwd_result; of a frame that failed on its way out: send-failed */
	__u8 is_out;
	__u8 pad;
	__u8 bytes[CAPTURE_FRAME_BYTES];
};
