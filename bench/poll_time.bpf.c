/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long softirqs poll one interface. net_rx_action() polls one instance after the other and tells of
 * each when it is done (tracepoint napi_poll): so the time since the one before, or since the softirq
 * began, is that instance's. Loaded by poll_time.c, which sets the constants.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* NET_RX_SOFTIRQ of include/linux/interrupt.h, which is not for user space. */
#define NET_RX     3
#define NAME_BYTES 16

/* Only what is read; the loader finds where the running kernel has it. */
struct net_device {
	char name[NAME_BYTES];
} __attribute__((preserve_access_index));

struct napi_struct {
	struct net_device *dev;
} __attribute__((preserve_access_index));

const volatile __u32 poll_process;
const volatile char poll_interface[NAME_BYTES];

/* When a CPU's softirq was last heard of; 0 outside of it, where threads poll. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __s64);
} since_ns SEC(".maps");

/* See poll_time.c. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __s64);
} polled_ns SEC(".maps");

static __always_inline void *only_value(void *map)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(map, &key);
}

static __always_inline int is_measured(struct napi_struct *napi)
{
	struct net_device *dev = BPF_CORE_READ(napi, dev);
	char name[NAME_BYTES] = "";

	/* A CPU's backlog has no device. */
	if (!dev)
		return 0;
	bpf_core_read(name, sizeof(name), &dev->name);
	for (int i = 0; i < NAME_BYTES; i++) {
		if (name[i] != poll_interface[i])
			return 0;
		if (!name[i])
			break;
	}
	return 1;
}

SEC("raw_tp/napi_poll")
int poll_done(struct bpf_raw_tracepoint_args *context)
{
	int on_process = bpf_get_current_pid_tgid() >> 32 == poll_process;
	__s64 now = (__s64)bpf_ktime_get_ns();
	__s64 *polled = only_value(&polled_ns);
	__s64 *since = only_value(&since_ns);

	if (!since || !polled || !*since)
		return 0;
	if (is_measured((struct napi_struct *)context->args[0]) != on_process)
		__sync_fetch_and_add(polled, on_process ? *since - now : now - *since);
	*since = (__s64)bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/softirq_entry")
int softirq_begins(struct bpf_raw_tracepoint_args *context)
{
	__s64 *since = only_value(&since_ns);

	if (since && context->args[0] == NET_RX)
		*since = (__s64)bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/softirq_exit")
int softirq_ends(struct bpf_raw_tracepoint_args *context)
{
	__s64 *since = only_value(&since_ns);

	if (since)
		*since = 0;
	return 0;
}

char poll_license[] SEC("license") = "GPL";
