/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet socket on one interface that gets only the frames that a filter takes, and sockets that hold memberships of
 * multicast groups. Needs CAP_NET_RAW.
 */
#pragma once

#include <linux/filter.h>
#include <netinet/in.h>
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

/* Sockets that hold group memberships and receive nothing. Zeroed: none. */
struct frame_groups {
	int *fds;
	size_t n_fds;
};
void frame_groups_clear(struct frame_groups *groups);
/* Opens one more socket of the family, which the groups own; 0 or negative errno with -1. */
int frame_groups_grow(struct frame_groups *groups, int family, int type, int *ret_fd);
/*
 * The host's own membership, so that switches that snoop MLD send us the solicitations. `*fd` is the
 * socket with room, and becomes another when it is full. 0 or negative errno.
 */
int frame_groups_join_mld(
	struct frame_groups *groups, int *fd, unsigned int ifindex, const struct in6_addr *group);
