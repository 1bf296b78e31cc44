/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core over BPF maps, as an XDP program: for the tests alone, which compile it on every run
 * (the core must pass the BPF compiler) and may load it (the verifier's word). No product engine.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lb/fwd/port.h"

/* bpf_ktime_get_ns() counts as CLOCK_MONOTONIC does; a division by a constant is a multiplication. */
#define NS_PER_S 1000000000ull

#define TEST_TABLES  64u
#define TEST_BUCKETS 65536u
#define TEST_TURNS   256u

struct fwd_port {
	const struct fwd_settings *settings;
};

struct member_key {
	__u16 service;
	__u16 backend;
};

struct mac_key {
	__u8 bytes[8];
};

#define MAP(name, map_type, key_type, value_type, len) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, len); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

MAP(settings_map, BPF_MAP_TYPE_ARRAY, __u32, struct fwd_settings, 1);
MAP(vips, BPF_MAP_TYPE_HASH, struct fwd_addr, struct fwd_vip, 1024);
MAP(ports, BPF_MAP_TYPE_HASH, struct fwd_service_key, __u16, 1024);
MAP(services, BPF_MAP_TYPE_ARRAY, __u32, struct fwd_service, 1024);
MAP(slots, BPF_MAP_TYPE_ARRAY, __u32, struct fwd_slot, FWD_ROWS * 4);
MAP(backends, BPF_MAP_TYPE_ARRAY, __u32, struct fwd_backend, 1024);
MAP(members, BPF_MAP_TYPE_HASH, struct member_key, __u8, 1024);
MAP(macs, BPF_MAP_TYPE_HASH, struct mac_key, struct fwd_mac, 1024);
MAP(flow4, BPF_MAP_TYPE_ARRAY, __u32, struct flow4_bucket, TEST_BUCKETS);
MAP(flow6, BPF_MAP_TYPE_ARRAY, __u32, struct flow6_bucket, TEST_BUCKETS);
MAP(turns, BPF_MAP_TYPE_ARRAY, __u32, __u32, 1024);
MAP(turn_backends, BPF_MAP_TYPE_ARRAY, __u32, __u16, 1024 * TEST_TURNS);
MAP(loads, BPF_MAP_TYPE_HASH, struct member_key, struct fwd_load, 1024);
MAP(service_rates, BPF_MAP_TYPE_ARRAY, __u32, __u64, FWD_ID_MAX + 1);
MAP(source_rates, BPF_MAP_TYPE_ARRAY, __u32, __u64, FWD_SOURCE_RATES);
MAP(fragments, BPF_MAP_TYPE_LRU_HASH, struct fwd_fragment_key, struct fwd_fragment, 1024);
MAP(results, BPF_MAP_TYPE_ARRAY, __u32, struct fwd_result, 1);

FWD_INLINE const struct fwd_settings *port_settings(struct fwd_port *port)
{
	return port->settings;
}

FWD_INLINE __u32 port_now_s(struct fwd_port *port)
{
	return (__u32)(bpf_ktime_get_ns() / NS_PER_S);
}

FWD_INLINE __u64 port_now_ns(struct fwd_port *port)
{
	return bpf_ktime_get_ns();
}

FWD_INLINE const struct fwd_vip *port_vip(struct fwd_port *port, const struct fwd_addr *address)
{
	return bpf_map_lookup_elem(&vips, address);
}

FWD_INLINE __u16 port_service_id(struct fwd_port *port, const struct fwd_service_key *key)
{
	const __u16 *id = bpf_map_lookup_elem(&ports, key);

	return id ? *id : 0;
}

FWD_INLINE const struct fwd_service *port_service(struct fwd_port *port, __u16 id)
{
	__u32 key = id;
	const struct fwd_service *service = bpf_map_lookup_elem(&services, &key);

	return service && service->id == id ? service : NULL;
}

FWD_INLINE struct fwd_slot *port_slot(struct fwd_port *port, __u32 table, __u32 row)
{
	__u32 key = table * FWD_ROWS + row;

	return bpf_map_lookup_elem(&slots, &key);
}

FWD_INLINE const struct fwd_backend *port_backend(struct fwd_port *port, __u16 id)
{
	__u32 key = id;

	return bpf_map_lookup_elem(&backends, &key);
}

FWD_INLINE int port_is_member(struct fwd_port *port, __u16 service, __u16 backend)
{
	struct member_key key = { .service = service, .backend = backend };

	return bpf_map_lookup_elem(&members, &key) != NULL;
}

FWD_INLINE struct fwd_mac port_mac(struct fwd_port *port, const __u8 *mac)
{
	const struct fwd_mac *found;
	struct mac_key key = { 0 };

	__builtin_memcpy(key.bytes, mac, FWD_MAC_BYTES);
	found = bpf_map_lookup_elem(&macs, &key);
	return found ? *found : (struct fwd_mac){ 0 };
}

FWD_INLINE struct flow4_bucket *port_flow4(struct fwd_port *port, __u32 index)
{
	return bpf_map_lookup_elem(&flow4, &index);
}

FWD_INLINE struct flow6_bucket *port_flow6(struct fwd_port *port, __u32 index)
{
	return bpf_map_lookup_elem(&flow6, &index);
}

FWD_INLINE __u32 *port_turn(struct fwd_port *port, __u16 service)
{
	__u32 key = service;

	return bpf_map_lookup_elem(&turns, &key);
}

FWD_INLINE __u16 port_turn_backend(struct fwd_port *port, __u16 service, __u32 at)
{
	__u32 key = service * TEST_TURNS + at;
	const __u16 *backend = bpf_map_lookup_elem(&turn_backends, &key);

	return backend ? *backend : 0;
}

FWD_INLINE struct fwd_load *port_load(struct fwd_port *port, __u16 service, __u16 backend)
{
	struct member_key key = { .service = service, .backend = backend };

	return bpf_map_lookup_elem(&loads, &key);
}

FWD_INLINE __u64 *port_service_rate(struct fwd_port *port, __u16 service)
{
	__u32 key = service;

	return bpf_map_lookup_elem(&service_rates, &key);
}

FWD_INLINE __u64 *port_source_rate(struct fwd_port *port, __u32 index)
{
	return bpf_map_lookup_elem(&source_rates, &index);
}

FWD_INLINE int port_only_looks(struct fwd_port *port)
{
	return 0;
}

FWD_INLINE int port_fragment_get(struct fwd_port *port, const struct fwd_fragment_key *key,
	struct fwd_fragment *ret_fragment)
{
	const struct fwd_fragment *found = bpf_map_lookup_elem(&fragments, key);

	if (!found)
		return 0;
	*ret_fragment = *found;
	return 1;
}

FWD_INLINE void port_fragment_put(struct fwd_port *port, const struct fwd_fragment_key *key,
	const struct fwd_fragment *fragment)
{
	bpf_map_update_elem(&fragments, key, fragment, BPF_ANY);
}

#include "lb/fwd/core.h"

SEC("xdp")
int core_xdp(struct xdp_md *context)
{
	void *data_end = (void *)(long)context->data_end;
	void *data = (void *)(long)context->data;
	struct fwd_frame frame = { .length_bytes = (__u32)(data_end - data) };
	__u32 zero = 0;
	struct fwd_port port = { .settings = bpf_map_lookup_elem(&settings_map, &zero) };
	struct fwd_result *ret_result = bpf_map_lookup_elem(&results, &zero);
	struct fwd_result result;

	if (!port.settings || !ret_result)
		return XDP_PASS;
	fwd_run(&port, data, data_end, &frame, &result);
	*ret_result = result;
	if (result.verdict == FWD_FORWARD)
		return XDP_TX;
	return result.verdict == FWD_DROP ? XDP_DROP : XDP_PASS;
}

char core_license[] SEC("license") = "GPL";
