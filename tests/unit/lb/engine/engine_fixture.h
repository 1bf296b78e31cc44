/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of an engine on real interfaces (engine_kind.h): a virtual server with one backend, and
 * frames for it. Header only.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>

#include "common/packet/checksum.h"
#include "tests/unit/lb/engine/engine_kind.h"

#define CLIENT_MAC "02:00:00:00:00:c0"
#define IN_MAC     "02:00:00:00:00:01"
#define OUT_MAC    "02:00:00:00:00:02"
#define SERVER_MAC "02:00:00:00:00:b0"
#define SERVICE    1u
#define BACKEND    1u
#define MTU_BYTES  1500u

static struct addr vip, vip6;
static bool is_permitted;
static struct engine_memory kept;
static struct engine *running;   /* stopped by the end of the test, whatever becomes of it */
static unsigned int n_released;  /* snapshots freed */
static unsigned int out_ifindex; /* index of the interface that snapshots send by */

/* ---- frames and snapshots ---- */

struct udp_frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[MTU_BYTES - 28];
} __attribute__((__packed__, __aligned__(2)));

static inline struct mac mac_make(const char *text)
{
	struct mac mac;

	assert_int_equal(mac_parse(text, &mac), 0);
	return mac;
}

/* A frame of `size_bytes` from a client's port to the VIP, as a router would deliver it. */
static inline void frame_fill(struct udp_frame *frame, uint16_t port, size_t size_bytes)
{
	struct mac in = mac_make(IN_MAC), client = mac_make(CLIENT_MAC);

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->ethernet.h_dest, in.bytes, MAC_LEN);
	memcpy(frame->ethernet.h_source, client.bytes, MAC_LEN);
	frame->ethernet.h_proto = htons(ETH_P_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons((uint16_t)(size_bytes - ETH_HLEN));
	frame->ip.ttl = 7;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.saddr = htonl(0xcb007105); /* 203.0.113.5 */
	frame->ip.daddr = vip.ip4.s_addr;
	frame->ip.check = htons(checksum_of(&frame->ip, sizeof(frame->ip)));
	frame->udp.source = htons(port);
	frame->udp.dest = htons(5000);
	frame->udp.len = htons((uint16_t)(size_bytes - ETH_HLEN - sizeof(frame->ip)));
	for (size_t idx = 0; idx < sizeof(frame->payload); idx++)
		frame->payload[idx] = (uint8_t)(idx * 7);
}

static inline void count_release(void *context)
{
	n_released++;
}

/* All of them are BACKEND's. */
static inline uint32_t snapshot_add_rows(struct snapshot *snapshot)
{
	uint32_t table;

	assert_int_equal(snapshot_add_table(snapshot, keep_rows_table(kept.rows[0]),
				 keep_rows_map(kept.rows[0]), count_release, NULL, &table),
		0);
	return table;
}

/* By these settings, which have the links; `denied`: a network of clients that the service does not take, or NULL. */
static inline struct snapshot *snapshot_make_with(
	struct fwd_settings settings, uint8_t link, const char *server_mac, const char *denied)
{
	struct client_prefix prefix = { .denied = true };
	static const struct flows_table flows = { 0 };
	struct fwd_service service = { .id = SERVICE,
		.flags = FWD_SERVICE_SESSIONLESS,
		.tcp_timeout_s = 900,
		.fin_timeout_s = 120,
		.udp_timeout_s = 300,
		.n_members = 1 };
	struct fwd_backend backend = { .flags = FWD_BACKEND_FLOWS, .link = link };
	struct mac in = mac_make(IN_MAC), server = mac_make(server_mac);
	struct snapshot *snapshot;

	memcpy(settings.own_mac, in.bytes, MAC_LEN);
	memcpy(backend.mac, server.bytes, MAC_LEN);
	assert_int_equal(snapshot_new(&settings, &flows, &snapshot), 0);
	service.table = snapshot_add_rows(snapshot);
	if (denied) {
		assert_int_equal(addr_prefix_parse(denied, &prefix.prefix), 0);
		assert_int_equal(snapshot_add_clients(snapshot, &prefix, 1, &service.clients), 0);
	}
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	assert_int_equal(snapshot_add_backend(snapshot, BACKEND, &backend), 0);
	assert_int_equal(snapshot_add_member(snapshot, SERVICE, BACKEND), 0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 0, UINT16_MAX, SERVICE), 0);
	assert_int_equal(
		snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 0, UINT16_MAX, SERVICE), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip6, FWD_PROTO_TCP, 80, 80, SERVICE), 0);
	return snapshot;
}

static inline struct snapshot *snapshot_make_denying(
	const char *out_mac, const char *server_mac, uint32_t mtu_bytes, const char *denied)
{
	struct fwd_settings settings = { .mtu_bytes = mtu_bytes };
	struct mac out = mac_make(out_mac);

	settings.links[0].ifindex = out_ifindex;
	memcpy(settings.links[0].mac, out.bytes, MAC_LEN);
	return snapshot_make_with(settings, 0, server_mac, denied);
}

/* The backend is on a link of this MTU; the first one is the clients', and takes less. */
static inline struct snapshot *snapshot_make_on_link(uint8_t link, uint32_t mtu_bytes)
{
	struct fwd_settings settings = { .mtu_bytes = mtu_bytes / 2, .mtus_differ = 1 };
	struct mac in = mac_make(IN_MAC), out = mac_make(OUT_MAC);

	settings.links[0] =
		(struct fwd_link){ .ifindex = if_nametoindex("in0"), .mtu_bytes = mtu_bytes / 2 };
	settings.links[link] = (struct fwd_link){ .ifindex = out_ifindex, .mtu_bytes = mtu_bytes };
	memcpy(settings.links[0].mac, in.bytes, MAC_LEN);
	memcpy(settings.links[link].mac, out.bytes, MAC_LEN);
	return snapshot_make_with(settings, link, SERVER_MAC, NULL);
}

static inline struct snapshot *snapshot_make(
	const char *out_mac, const char *server_mac, uint32_t mtu_bytes)
{
	return snapshot_make_denying(out_mac, server_mac, mtu_bytes, NULL);
}

/* ---- the engine ---- */

static inline struct engine *engine_start(const char *in, const char *out, unsigned int n_workers)
{
	struct why why = { 0 };

	out_ifindex = if_nametoindex(out);
	if (engine_start_over(&kept, in, out, n_workers, &running, &why) < 0)
		fail_msg("start: %s", why.text);
	return running;
}

static inline void engine_stop(void)
{
	if (running)
		ops->stop(running, true);
	running = NULL;
}

static inline struct engine *engine_serve(const char *out, uint32_t mtu_bytes)
{
	struct engine *engine = engine_start("in0", out, 1);

	assert_int_equal(ops->load(engine, snapshot_make(OUT_MAC, SERVER_MAC, mtu_bytes)), 0);
	return engine;
}

/* Reads the totals and checks what must hold at any moment. */
static inline struct engine_totals totals_of(struct engine *engine)
{
	struct engine_totals totals;
	uint64_t reasons = 0;

	ops->totals(engine, &totals);
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++)
		reasons += totals.reason_pkts[reason];
	assert_int_equal(totals.received_pkts, reasons);
	assert_int_equal(totals.received_pkts,
		totals.verdict_pkts[FWD_PASS] + totals.verdict_pkts[FWD_FORWARD] +
			totals.verdict_pkts[FWD_DROP]);
	return totals;
}

static inline uint64_t reason_pkts(struct engine *engine, enum fwd_reason reason)
{
	return totals_of(engine).reason_pkts[reason];
}

static inline int setup(void **state)
{
	n_released = 0;
	if (*why_not)
		return 0;
	if (!wire_enter_namespace())
		return -1;
	wire_add_pair("c0", CLIENT_MAC, "in0", IN_MAC);
	wire_add_pair("out0", OUT_MAC, "b0", SERVER_MAC);
	kind_prepare_links();
	out_ifindex = if_nametoindex(kind_out());
	engine_memory_open(&kept);
	for (struct fwd_slot *row = keep_rows_table(kept.rows[0])->rows, *end = row + FWD_ROWS;
		row < end; row++)
		row->owner = row->base = BACKEND;
	return 0;
}

static inline int teardown(void **state)
{
	engine_stop();
	engine_memory_close(&kept);
	return 0;
}

/* Sends `frame` on `client` and checks that it comes out of `server` with its new addresses. */
static inline void assert_forwarded(
	int client, int server, const struct udp_frame *frame, size_t size_bytes)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	struct mac out = mac_make(OUT_MAC), backend = mac_make(SERVER_MAC);
	const size_t macs_bytes = (size_t)2 * ETH_ALEN;

	wire_send(client, frame, size_bytes);
	assert_int_equal(wire_receive(server, received, NULL), size_bytes);
	assert_memory_equal(received, backend.bytes, MAC_LEN);
	assert_memory_equal(received + ETH_ALEN, out.bytes, MAC_LEN);
	assert_memory_equal(received + macs_bytes, (const uint8_t *)frame + macs_bytes,
		size_bytes - macs_bytes);
}

/* For main(), before the tests. */
static inline void fixture_start(void)
{
	if (addr_parse("198.51.100.10", &vip) < 0 || addr_parse("2001:db8::10", &vip6) < 0)
		abort();
	(void)signal(SIGPIPE, SIG_IGN);
	is_permitted = wire_enter_namespace();
}
