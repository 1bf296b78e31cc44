/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard (lb/engine/bpf/guard.h): drops what is for a VIP at tc's ingress, where sockets of all protocols
 * have seen it and the host's stack has not.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "lb/engine/bpf/layout.h"
#include "lb/fwd/wire.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_GUARDED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fwd_addr);
	__type(value, __u8);
} dsr_guarded SEC(".maps");

FWD_INLINE int read_ip4(struct __sk_buff *context, struct fwd_addr *ret_destination)
{
	struct wire_ip4 ip;

	if (bpf_skb_load_bytes(context, sizeof(struct wire_ethernet), &ip, sizeof(ip)))
		return 0;
	ret_destination->word[2] = WIRE_32(0xffffu);
	ret_destination->word[3] = ip.destination;
	return 1;
}

/* Neighbour discovery alone passes: the daemon's socket for it is one of IPv6 alone, which comes later. */
FWD_INLINE int read_ip6(struct __sk_buff *context, struct fwd_addr *ret_destination)
{
	const __u32 behind = sizeof(struct wire_ethernet) + sizeof(struct wire_ip6);
	struct wire_ip6 ip;
	__u8 type = 0;

	if (bpf_skb_load_bytes(context, sizeof(struct wire_ethernet), &ip, sizeof(ip)))
		return 0;
	if (ip.next == FWD_PROTO_ICMPV6 &&
		(bpf_skb_load_bytes(context, behind, &type, sizeof(type)) ||
			type == WIRE_ND_SOLICITATION || type == WIRE_ND_ADVERTISEMENT))
		return 0;
	__builtin_memcpy(ret_destination, ip.destination, sizeof(*ret_destination));
	return 1;
}

SEC("tc")
int dsr_guard(struct __sk_buff *context)
{
	struct fwd_addr destination = { 0 };
	int is_read = 0;

	if (context->pkt_type != PACKET_HOST || context->vlan_present)
		return TC_ACT_UNSPEC;
	if (context->protocol == WIRE_16(ETH_P_IP))
		is_read = read_ip4(context, &destination);
	else if (context->protocol == WIRE_16(ETH_P_IPV6))
		is_read = read_ip6(context, &destination);
	return is_read && bpf_map_lookup_elem(&dsr_guarded, &destination) ? TC_ACT_SHOT
									  : TC_ACT_UNSPEC;
}

char dsr_license[] SEC("license") = "GPL";
