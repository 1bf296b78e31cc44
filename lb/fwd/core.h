/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding core: everything that is decided about a frame. Include after a definition of
 * all of port.h. Restricted C: bounded loops, no libc, no state of its own.
 */
#pragma once

#include "lb/fwd/hash.h"
#include "lb/fwd/parse.h"
#include "lb/fwd/port.h"
#include "lb/fwd/reason.h"

/*
 * Decides one Ethernet frame and, when it is to be forwarded, rewrites its two MAC addresses in
 * place (nothing else is ever written). `data` … `data_end` is the readable frame. Fills `*result`
 * completely.
 */
FWD_INLINE void fwd_run(struct fwd_port *port, void *data, void *data_end,
	const struct fwd_frame *frame, struct fwd_result *result);
