/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that any forwarder at these hooks must do: is it for the VIPs, write two MAC addresses,
 * send it back. Loaded by attach.c, which sets the constants.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAC_BYTES    6
#define VIP_OFFSET   30 /* the destination address of IPv4 behind Ethernet */
#define HEADER_BYTES 34

const volatile __u32 limit_ifindex;
const volatile __u8 limit_own_mac[MAC_BYTES];
const volatile __u8 limit_server_mac[MAC_BYTES];

/* 10.100.0.0/16: see bench/traffic.h. */
static __always_inline int is_ours(const __u8 *data)
{
	return *(const __u16 *)(data + 12) == bpf_htons(0x0800) && data[VIP_OFFSET] == 10 &&
		data[VIP_OFFSET + 1] == 100;
}

static __always_inline void rewrite(__u8 *data)
{
	for (int i = 0; i < MAC_BYTES; i++) {
		data[i] = limit_server_mac[i];
		data[MAC_BYTES + i] = limit_own_mac[i];
	}
}

SEC("xdp")
int limit_xdp(struct xdp_md *context)
{
	__u8 *data_end = (void *)(long)context->data_end;
	__u8 *data = (void *)(long)context->data;

	if (data + HEADER_BYTES > data_end || !is_ours(data))
		return XDP_PASS;
	rewrite(data);
	return XDP_TX;
}

SEC("tc")
int limit_tc(struct __sk_buff *context)
{
	__u8 *data_end = (void *)(long)context->data_end;
	__u8 *data = (void *)(long)context->data;

	if (data + HEADER_BYTES > data_end || !is_ours(data))
		return TC_ACT_OK;
	rewrite(data);
	return bpf_redirect(limit_ifindex, 0);
}

/* For a peer of a port with native XDP: veth takes its frames only where there is a program too. */
SEC("xdp")
int limit_pass(struct xdp_md *context)
{
	return XDP_PASS;
}

char limit_license[] SEC("license") = "GPL";
