/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the traffic programs (traffic.bpf.c) and their driver (measure.c) agree on. Compiled for
 * both, so linux/ headers only.
 */
#pragma once

#include <linux/types.h>

/* A backend is the last byte of its MAC address, 02:00:00:00:02:XX. */
#define TRAFFIC_BACKENDS 16u

/* Sent at a time when paced, as a network card hands them over. */
#define TRAFFIC_BURST_PKTS 32u

/*
 * On the way at once where no rate is set: as many as keep the balancer busy and find room in the 256
 * places of veth's ring. The sink says so often how many have come back.
 */
#define TRAFFIC_WINDOW_PKTS 192u
#define TRAFFIC_BATCH_PKTS  64u
#define TRAFFIC_SAY_PKTS    32u

/* Without the four bytes of the frame check sequence: 64, 594 and 1518 on the wire. */
#define TRAFFIC_SMALL_BYTES  60u
#define TRAFFIC_MIDDLE_BYTES 590u
#define TRAFFIC_LARGE_BYTES  1514u

/* The simple IMIX: of every twelve frames seven small, four of middle size, one large. */
#define TRAFFIC_IMIX_FRAMES 12u
#define TRAFFIC_IMIX_SMALL  7u
#define TRAFFIC_IMIX_MIDDLE 11u

#define TRAFFIC_CLIENT_ADDRESS 0x0a010000u /* 10.1.0.0, host byte order */
#define TRAFFIC_FLOOD_ADDRESS  0x0b000000u /* 11.0.0.0/8 */
#define TRAFFIC_VIP_ADDRESS    0x0a640001u /* 10.100.0.1 */
#define TRAFFIC_CLIENT_PORT    1024u
#define TRAFFIC_PORTS          50000u /* of a client address; the next flow has the next address */
#define TRAFFIC_SERVER_PORT    80u

struct traffic {
	/* Set by the driver. */
	__u64 rate_hz;    /* frames a second; 0: as many as come back */
	__u64 limit_pkts; /* ends after so many; 0: never */
	__u32 flows;      /* 1 or more */
	__u32 vips;       /* 1 or more: TRAFFIC_VIP_ADDRESS and the addresses after it */
	__u32 out_ifindex;
	__u32 syn_percent; /* of the frames are SYNs of clients that never come again */
	__u32 imix;        /* boolean */
	__u16 tcp_flags;   /* of the others, in the low byte; 0: the frames are UDP */
	__u8 destination[6];
	__u8 source[6];
	/* Sums of the 16-bit words that never change, as they lie in memory (RFC 1071). */
	__u32 ip_sum;
	__u32 transport_sum;

	/* The programs' own. */
	__u64 sent_pkts; /* offered to the port; what found no room is among them */
	__u64 began_ns;
	__u64 lost_pkts;    /* given up: they will not come back */
	__u64 allowed_pkts; /* may be sent without another look at the clock or at the sink */
};
