/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet socket on one interface that gets only the frames that a filter takes. Needs CAP_NET_RAW. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_SOCKET_READ_BYTES 2048u

/*
 * Frames of VLANs that the host does not have arrive at a packet socket without their tag
 * (net/core/dev.c:__netif_receive_skb_core): they are of another link, so they are dropped.
 */
#define FRAME_SOCKET_NO_VLAN \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0), \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)), \
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_RET | BPF_K, 0)
#define FRAME_SOCKET_ACCEPT BPF_STMT(BPF_RET | BPF_K, FRAME_SOCKET_READ_BYTES)
#define FRAME_SOCKET_REJECT BPF_STMT(BPF_RET | BPF_K, 0)

/* 0 with a non-blocking socket that the caller closes, or negative errno. The filter is copied. */
int frame_socket_open(unsigned int ifindex, uint16_t ethertype, struct sock_filter *filter,
	size_t filter_len, int *ret_fd);
