/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second chance (doc/adr/0015-second-chance.md), at tc's ingress of a real server: a frame whose source MAC names
 * another server, and which no socket here has, goes to that one, as from us. What we send has our own MAC, which
 * names nobody, so that it goes on once. Everything else is left as it is.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "agent/chance/chance_layout.h"

#define INLINE          static __inline __attribute__((__always_inline__))
#define TAGS_MAX        2
#define EXTENSIONS_MAX  8
#define FRAGMENT_MORE   0x2000
#define FRAGMENT_OFFSET 0x1fff
#define ICMP4_IS_ERROR  (1u << 3 | 1u << 11 | 1u << 12)
#define ICMP6_ERRORS    4
#define ICMP_BYTES      8

/* By the MAC that names it. Authenticated words of balancers alone fill it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CHANCE_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, chance_mac);
	__type(value, chance_mac);
} chance_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CHANCE_VIPS);
	__type(key, struct chance_address);
	__type(value, __u8);
} chance_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct chance_counts);
} chance_counts SEC(".maps");

struct macs {
	__u8 destination[ETH_ALEN];
	__u8 source[ETH_ALEN];
};

struct ports {
	__be16 source, destination;
};

struct extension {
	__u8 next, length;
};

struct fragment {
	__u8 next, reserved;
	__be16 offset;
	__be32 id;
};

/* Headers of IP that were read. */
struct packet {
	__u32 offset; /* of what follows them */
	__u8 proto;
	__u8 is_ip6;
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
};

enum whose { UNRELATED, HERE, ELSEWHERE };

INLINE chance_mac mac_number(const __u8 *mac)
{
	chance_mac number = 0;

	__builtin_memcpy(&number, mac, ETH_ALEN);
	return number;
}

/* 0: it is not IP, or has more tags than anybody needs. */
INLINE __be16 read_type(struct __sk_buff *context, __u32 *ret_offset)
{
	__u32 offset = sizeof(struct macs);
	__be16 type = 0;

	for (int i = 0; i <= TAGS_MAX; i++) {
		if (bpf_skb_load_bytes(context, offset, &type, sizeof(type)))
			return 0;
		offset += sizeof(type);
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD)) {
			*ret_offset = offset;
			return type;
		}
		offset += sizeof(type);
	}
	return 0;
}

INLINE int read_ip4(struct __sk_buff *context, __u32 offset, struct packet *ret_packet)
{
	struct iphdr *ip = &ret_packet->ip4;

	if (bpf_skb_load_bytes(context, offset, ip, sizeof(*ip)) || ip->version != 4 ||
		ip->ihl < 5 || (ip->frag_off & bpf_htons(FRAGMENT_MORE | FRAGMENT_OFFSET)))
		return 0;
	ret_packet->proto = ip->protocol;
	ret_packet->offset = offset + ip->ihl * 4u;
	ret_packet->is_ip6 = 0;
	return 1;
}

INLINE int read_ip6(struct __sk_buff *context, __u32 offset, struct packet *ret_packet)
{
	struct ipv6hdr *ip = &ret_packet->ip6;
	__u8 proto;

	if (bpf_skb_load_bytes(context, offset, ip, sizeof(*ip)) || ip->version != 6)
		return 0;
	proto = ip->nexthdr;
	offset += sizeof(*ip);
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		struct extension extension;
		struct fragment fragment;

		if (proto == IPPROTO_FRAGMENT) {
			if (bpf_skb_load_bytes(context, offset, &fragment, sizeof(fragment)) ||
				(fragment.offset & bpf_htons(0xfff9)))
				return 0;
			proto = fragment.next;
			offset += sizeof(fragment);
			continue;
		}
		if (proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING &&
			proto != IPPROTO_DSTOPTS && proto != IPPROTO_AH)
			break;
		if (bpf_skb_load_bytes(context, offset, &extension, sizeof(extension)))
			return 0;
		offset += proto == IPPROTO_AH ? (extension.length + 2u) * 4
					      : (extension.length + 1u) * 8;
		proto = extension.next;
	}
	ret_packet->proto = proto;
	ret_packet->offset = offset;
	ret_packet->is_ip6 = 1;
	return 1;
}

INLINE int read_ip(struct __sk_buff *context, int is_ip6, __u32 offset, struct packet *ret_packet)
{
	return is_ip6 ? read_ip6(context, offset, ret_packet)
		      : read_ip4(context, offset, ret_packet);
}

INLINE int is_vip(const struct packet *packet, int by_source)
{
	struct chance_address address = { { 0, 0, bpf_htonl(0xffff), 0 } };

	if (packet->is_ip6)
		__builtin_memcpy(&address, by_source ? &packet->ip6.saddr : &packet->ip6.daddr,
			sizeof(address));
	else
		address.word[3] = by_source ? packet->ip4.saddr : packet->ip4.daddr;
	return bpf_map_lookup_elem(&chance_vips, &address) != 0;
}

/* The socket of the connection, or one that listens there; to be released. A quoted packet went the other way. */
INLINE struct bpf_sock *find_socket(struct __sk_buff *context, const struct packet *packet,
	const struct ports *ports, int is_quoted)
{
	struct bpf_sock_tuple tuple = { 0 };

	if (!packet->is_ip6) {
		tuple.ipv4.saddr = is_quoted ? packet->ip4.daddr : packet->ip4.saddr;
		tuple.ipv4.daddr = is_quoted ? packet->ip4.saddr : packet->ip4.daddr;
		tuple.ipv4.sport = is_quoted ? ports->destination : ports->source;
		tuple.ipv4.dport = is_quoted ? ports->source : ports->destination;
		return bpf_skc_lookup_tcp(
			context, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, is_quoted ? &packet->ip6.daddr : &packet->ip6.saddr,
		sizeof(tuple.ipv6.saddr));
	__builtin_memcpy(tuple.ipv6.daddr, is_quoted ? &packet->ip6.saddr : &packet->ip6.daddr,
		sizeof(tuple.ipv6.daddr));
	tuple.ipv6.sport = is_quoted ? ports->destination : ports->source;
	tuple.ipv6.dport = is_quoted ? ports->source : ports->destination;
	return bpf_skc_lookup_tcp(context, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* What listens has the connection only where a cookie of its own comes back (RFC 4987 §3.6). */
INLINE int is_cookie(
	struct bpf_sock *socket, struct packet *packet, struct tcphdr *tcp, __u32 tcp_bytes)
{
	return packet->is_ip6 ? bpf_tcp_check_syncookie(socket, &packet->ip6, sizeof(packet->ip6),
					tcp, tcp_bytes) == 0
			      : bpf_tcp_check_syncookie(socket, &packet->ip4, sizeof(packet->ip4),
					tcp, tcp_bytes) == 0;
}

INLINE enum whose judge_segment(struct __sk_buff *context, struct packet *packet)
{
	enum whose whose = ELSEWHERE;
	struct ports ports;
	struct bpf_sock *socket;
	struct tcphdr tcp;

	if (bpf_skb_load_bytes(context, packet->offset, &tcp, sizeof(tcp)) || (tcp.syn && !tcp.ack))
		return UNRELATED;
	ports.source = tcp.source;
	ports.destination = tcp.dest;
	socket = find_socket(context, packet, &ports, 0);
	if (!socket)
		return ELSEWHERE;
	if (socket->state != BPF_TCP_LISTEN || is_cookie(socket, packet, &tcp, sizeof(tcp)))
		whose = HERE;
	bpf_sk_release(socket);
	return whose;
}

INLINE int icmp_is_error(const struct packet *packet, __u8 type)
{
	if (packet->is_ip6)
		return packet->proto == IPPROTO_ICMPV6 && type >= 1 && type <= ICMP6_ERRORS;
	return packet->proto == IPPROTO_ICMP && type < 32 && (ICMP4_IS_ERROR >> type & 1);
}

/* About a segment that the VIP's server sent: whose connection is it? */
INLINE enum whose judge_error(struct __sk_buff *context, const struct packet *packet)
{
	enum whose whose = ELSEWHERE;
	struct packet quoted = { 0 };
	struct bpf_sock *socket;
	struct ports ports;
	__u8 type = 0;

	if (bpf_skb_load_bytes(context, packet->offset, &type, sizeof(type)) ||
		!icmp_is_error(packet, type) ||
		!read_ip(context, packet->is_ip6, packet->offset + ICMP_BYTES, &quoted) ||
		quoted.proto != IPPROTO_TCP || !is_vip(&quoted, 1) ||
		bpf_skb_load_bytes(context, quoted.offset, &ports, sizeof(ports)))
		return UNRELATED;
	socket = find_socket(context, &quoted, &ports, 1);
	if (!socket)
		return ELSEWHERE;
	if (socket->state != BPF_TCP_LISTEN)
		whose = HERE;
	bpf_sk_release(socket);
	return whose;
}

INLINE enum whose judge(struct __sk_buff *context)
{
	struct packet packet = { 0 };
	__u32 offset = 0;
	__be16 type = read_type(context, &offset);

	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return UNRELATED;
	if (!read_ip(context, type == bpf_htons(ETH_P_IPV6), offset, &packet) ||
		!is_vip(&packet, 0))
		return UNRELATED;
	return packet.proto == IPPROTO_TCP ? judge_segment(context, &packet)
					   : judge_error(context, &packet);
}

SEC("tc")
int dsr_chance(struct __sk_buff *context)
{
	const __u8 *data = (const __u8 *)(long)context->data;
	const void *data_end = (const void *)(long)context->data_end;
	struct chance_counts *counts;
	chance_mac named, *peer;
	enum whose whose;
	struct macs macs;
	__u32 zero = 0;

	if ((const void *)(data + sizeof(macs)) > data_end || data[ETH_ALEN] != CHANCE_NAMED_FIRST)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(&macs, data, sizeof(macs));
	named = mac_number(macs.source);
	peer = bpf_map_lookup_elem(&chance_peers, &named);
	counts = bpf_map_lookup_elem(&chance_counts, &zero);
	if (!peer || !counts || context->pkt_type != PACKET_HOST)
		return TC_ACT_UNSPEC;
	whose = judge(context);
	if (whose == HERE)
		__sync_fetch_and_add(&counts->taken, 1);
	if (whose != ELSEWHERE)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(macs.source, macs.destination, ETH_ALEN);
	__builtin_memcpy(macs.destination, peer, ETH_ALEN);
	if (bpf_skb_store_bytes(context, 0, &macs, sizeof(macs), 0))
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&counts->passed_on, 1);
	return bpf_redirect(context->ifindex, 0);
}

char dsr_license[] SEC("license") = "GPL";
