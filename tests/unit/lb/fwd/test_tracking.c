/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tags: long */
/*
 * Just-enough tracking against a model that records everything: random histories of joins, drains,
 * deaths, returns, weights, restarts and settling, with connections that open, talk, fall silent
 * and end. No packet of a living connection may reach another server than its own, as long as that
 * one takes flows. The histories are the same in every run.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"
#include "lb/table/table_fill.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/lb/flows_all.h"
#include "tests/vectors/vectors.h"

#define BACKENDS      6u
#define CONNECTIONS   1000u
#define STEPS         60000u
#define TCP_TIMEOUT_S 900u
#define FIN_TIMEOUT_S 120u
#define UDP_TIMEOUT_S 300u
#define BUCKETS_MAX   16384u
#define SERVICE       1u

enum life {
	NEVER,
	OPENING, /* one packet was sent; nothing has proven the record yet */
	TALKING,
	CLOSING, /* a FIN was sent; acknowledgements may follow */
	DEAD,
};

/* What the model knows of one client port. */
struct connection {
	enum life life;
	uint16_t server;
	bool unrecorded; /* UDP that found no room: by hash alone from there on */
	uint32_t last_s;
};

struct history {
	uint64_t random;
	uint32_t now_s;
	bool ip6, udp;
	bool follow; /* started with nothing, and membership is not quiet yet */
	uint32_t n_buckets;
	struct {
		bool takes_new, takes_flows;
		uint32_t weight;
	} backends[BACKENDS + 1]; /* by id */
	struct fwd_table *table;
	struct flow4_bucket *flow4;
	struct flow6_bucket *flow6;
	struct snapshot *snapshot;
	struct connection connections[CONNECTIONS];
	size_t n_kept, n_recorded, n_changes, n_lost_openings, n_moving_most;
};

static uint32_t draw(struct history *history, uint32_t len)
{
	uint64_t z = (history->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % len);
}

static struct flows_table flows_of(const struct history *history)
{
	return (struct flows_table){
		.flow4 = history->flow4,
		.flow6 = history->flow6,
		.n_flow4 = history->n_buckets,
		.n_flow6 = history->n_buckets,
	};
}

/* The control plane. */

static struct fwd_table *build_table(struct history *history)
{
	struct fwd_table *table = calloc(1, sizeof(*table));
	struct table_member members[BACKENDS] = { 0 };
	static const uint8_t seed[TABLE_SEED_BYTES] = { 7 };
	struct table_ids alive = { 0 };
	size_t n_members = 0;

	assert_non_null(table);
	for (uint16_t id = 1; id <= BACKENDS; id++)
		if (history->backends[id].takes_flows)
			table_ids_add(&alive, id);
	for (uint16_t id = 1; id <= BACKENDS; id++)
		if (history->backends[id].takes_new)
			members[n_members++] = (struct table_member){
				.address = { .family = AF_INET,
					.bytes = { 10, 0, 0, (uint8_t)id } },
				.id = id,
				.weight = history->backends[id].weight,
			};
	assert_int_equal(table_fill(members, n_members, seed, table->rows), 0);
	table_inherit(table, history->table ? history->table->rows : NULL, history->follow, &alive,
		history->now_s);
	return table;
}

static void add_backends(const struct history *history, struct snapshot *snapshot)
{
	for (uint16_t id = 1; id <= BACKENDS; id++) {
		struct fwd_backend backend = { .mac = { 2, 0, 0, 0, 1, (uint8_t)id } };

		backend.flags = history->backends[id].takes_flows ? FWD_BACKEND_FLOWS : 0;
		assert_int_equal(snapshot_add_backend(snapshot, id, &backend), 0);
	}
}

static void publish(struct history *history)
{
	const struct flows_table flows = flows_of(history);
	struct fwd_service service = {
		.id = SERVICE,
		.flags = history->follow ? FWD_SERVICE_RECORD_SYN : 0,
		.tcp_timeout_s = TCP_TIMEOUT_S,
		.fin_timeout_s = FIN_TIMEOUT_S,
		.udp_timeout_s = UDP_TIMEOUT_S,
	};
	struct fwd_settings settings = {
		.slot_seed = { 1, 2 }, .flow_seed = { 3, 4 }, .mtu_bytes = 1500
	};
	struct fwd_table *table = build_table(history);
	struct addr vip = { .family = history->ip6 ? AF_INET6 : AF_INET };
	uint8_t proto = history->udp ? FWD_PROTO_UDP : FWD_PROTO_TCP;

	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	snapshot_free(history->snapshot);
	assert_int_equal(snapshot_new(&settings, &flows, &history->snapshot), 0);
	assert_int_equal(
		snapshot_add_table(history->snapshot, table, -1, free, table, &service.table), 0);
	history->table = table;
	assert_int_equal(snapshot_add_service(history->snapshot, &service), 0);
	add_backends(history, history->snapshot);
	assert_int_equal(
		inet_pton(vip.family, history->ip6 ? "2001:db8::10" : "198.51.100.10", vip.bytes),
		1);
	assert_int_equal(snapshot_add_binding(history->snapshot, &vip, proto, 80, 80, SERVICE), 0);
	history->n_changes++;
}

static const struct fwd_service *find_service(uint16_t service, void *context)
{
	return snapshot_service(((struct history *)context)->snapshot, service);
}

struct disagreement {
	struct history *history;
	uint8_t bits[FWD_ROWS / 8 + 1];
};

static void note_record(const struct flows_entry *entry, void *context)
{
	struct disagreement *disagreement = context;
	struct fwd_addr client;
	uint32_t row;

	snapshot_addr(&entry->client, &client);
	row = hash_row(snapshot_settings(disagreement->history->snapshot), &client,
		htons(entry->client_port));
	if (disagreement->history->table->rows[row].owner != entry->backend)
		disagreement->bits[row / 8] |= (uint8_t)(1u << row % 8);
}

static void settle(struct history *history)
{
	const struct flows_table flows = flows_of(history);
	struct disagreement disagreement = { .history = history };
	size_t n_moving;

	flows_all(&flows, find_service, history, history->now_s, note_record, &disagreement);
	n_moving = table_settle(history->table, disagreement.bits, TCP_TIMEOUT_S, history->now_s);
	history->n_moving_most = MAX(history->n_moving_most, n_moving);
}

static void lose_flows(struct history *history, uint16_t id)
{
	struct flows_table flows = flows_of(history);

	history->backends[id].takes_new = false;
	history->backends[id].takes_flows = false;
	publish(history);
	flows_all_purge(&flows, 0, id);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (history->connections[i].server == id)
			history->connections[i].life = DEAD;
}

static void change_membership(struct history *history)
{
	uint16_t id = (uint16_t)(1 + draw(history, BACKENDS));

	switch (draw(history, 6)) {
	case 0: /* joins, comes back, or is no longer drained */
	case 1:
		history->backends[id].takes_new = true;
		history->backends[id].takes_flows = true;
		break;
	case 2:
		history->backends[id].takes_new = false; /* drained */
		break;
	case 3: /* dies, or its drain-timeout ends */
		lose_flows(history, id);
		return;
	case 4:
		history->backends[id].weight = 1 + draw(history, 9);
		break;
	default:
		break; /* nothing but a new table: a reload, or a restart that kept its rows */
	}
	publish(history);
}

/* Packets. */

static struct fwd_result send_packet(struct history *history, size_t idx, uint8_t tcp_flags)
{
	struct fwd_port port = { .snapshot = history->snapshot, .now_s = history->now_s };
	struct vector_packet packet = {
		.ip6 = history->ip6,
		.proto = history->udp ? FWD_PROTO_UDP : FWD_PROTO_TCP,
		.tcp_flags = tcp_flags,
		.client_port = (uint16_t)(1024 + idx),
		.port = 80,
	};
	uint8_t bytes[256];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(&packet, bytes) };
	struct fwd_result result;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	assert_true(
		result.reason == FWD_REASON_FORWARDED || result.reason == FWD_REASON_NO_BACKEND);
	history->n_recorded += result.recorded;
	return result;
}

static void open_connection(struct history *history, size_t idx)
{
	struct connection *connection = &history->connections[idx];
	struct fwd_result result = send_packet(history, idx, WIRE_TCP_SYN);

	*connection = (struct connection){ .life = DEAD };
	if (result.reason != FWD_REASON_FORWARDED)
		return;
	assert_true(history->backends[result.backend].takes_flows);
	connection->life = OPENING;
	connection->server = result.backend;
	connection->unrecorded = history->udp && result.unrecorded;
	connection->last_s = history->now_s;
}

static bool is_living(const struct history *history, const struct connection *connection)
{
	uint32_t timeout_s = history->udp     ? UDP_TIMEOUT_S
		: connection->life == CLOSING ? FIN_TIMEOUT_S
		: connection->life == OPENING ? FLOW_SYN_TIMEOUT_S
					      : TCP_TIMEOUT_S;

	return connection->life != NEVER && connection->life != DEAD && !connection->unrecorded &&
		history->now_s - connection->last_s <= timeout_s;
}

static void talk(struct history *history, size_t idx)
{
	struct connection *connection = &history->connections[idx];
	uint8_t flags = WIRE_TCP_ACK;
	struct fwd_result result;

	if (draw(history, 20) == 0)
		flags |= WIRE_TCP_FIN;
	else if (draw(history, 30) == 0)
		flags |= WIRE_TCP_RST;
	result = send_packet(history, idx, flags);
	assert_int_equal(result.reason, FWD_REASON_FORWARDED);
	if (connection->life == OPENING && result.backend != connection->server) {
		/* An unproven record may lose its place: the client opens anew. */
		connection->life = DEAD;
		history->n_lost_openings++;
		return;
	}
	assert_int_equal(result.backend, connection->server);
	history->n_kept++;
	connection->last_s = history->now_s;
	if (flags & WIRE_TCP_RST && !history->udp)
		connection->life = DEAD;
	else if (flags & WIRE_TCP_FIN && !history->udp)
		connection->life = CLOSING;
	else if (connection->life == OPENING)
		connection->life = TALKING;
}

static void step(struct history *history)
{
	size_t idx = draw(history, CONNECTIONS);

	if (draw(history, 200) == 0)
		change_membership(history);
	/* As publication does: nothing settles before bases stand still. */
	if (draw(history, 100) == 0 && !history->follow)
		settle(history);
	if (draw(history, 20) == 0)
		history->now_s += draw(history, 500) == 0 ? 2000 : draw(history, 6);
	if (!is_living(history, &history->connections[idx]) || draw(history, 50) == 0)
		open_connection(history, idx);
	else
		talk(history, idx);
}

static struct history *begin(uint64_t seed, bool ip6, bool udp, uint32_t n_buckets, bool follow)
{
	struct history *history = calloc(1, sizeof(*history));

	assert_non_null(history);
	history->random = seed;
	history->now_s = 50000;
	history->ip6 = ip6;
	history->udp = udp;
	history->follow = follow;
	history->n_buckets = n_buckets;
	history->flow4 = aligned_alloc(64, BUCKETS_MAX * sizeof(*history->flow4));
	history->flow6 = aligned_alloc(64, BUCKETS_MAX * sizeof(*history->flow6));
	assert_true(history->flow4 && history->flow6);
	memset(history->flow4, 0, BUCKETS_MAX * sizeof(*history->flow4));
	memset(history->flow6, 0, BUCKETS_MAX * sizeof(*history->flow6));
	for (uint16_t id = 1; id <= BACKENDS; id++) {
		history->backends[id].takes_new = id <= 3;
		history->backends[id].takes_flows = id <= 3;
		history->backends[id].weight = 1;
	}
	publish(history);
	return history;
}

static struct history *live_through(uint64_t seed, bool ip6, bool udp, uint32_t n_buckets)
{
	struct history *history = begin(seed, ip6, udp, n_buckets, false);

	for (size_t i = 0; i < STEPS; i++)
		step(history);
	return history;
}

static void history_free(struct history *history)
{
	snapshot_free(history->snapshot);
	free(history->flow4);
	free(history->flow6);
	free(history);
}

static void tracking_breaks_no_living_connection(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct history *history = live_through(seed, seed % 2, false, BUCKETS_MAX);

		/* The history was worth the name. */
		assert_true(history->n_kept > STEPS / 4);
		assert_true(history->n_changes > STEPS / 400);
		assert_true(history->n_moving_most > 1000);
		print_message("# %zu packets of living connections, %zu changes, %zu records\n",
			history->n_kept, history->n_changes, history->n_recorded);
		history_free(history);
	}
}

static void tracking_holds_in_a_table_that_is_far_too_small(void **state)
{
	for (uint64_t seed = 11; seed <= 12; seed++) {
		struct history *history = live_through(seed, seed % 2, false, 16);

		assert_true(history->n_kept > STEPS / 4);
		history_free(history);
	}
}

static void tracking_holds_without_any_table(void **state)
{
	struct history *history = live_through(21, false, false, 0);

	assert_true(history->n_kept > STEPS / 4);
	assert_int_equal(history->n_recorded, 0);
	assert_int_equal(history->n_lost_openings, 0);
	history_free(history);
}

static void tracking_keeps_recorded_udp_flows(void **state)
{
	for (uint64_t seed = 31; seed <= 32; seed++) {
		struct history *history = live_through(seed, seed % 2, true, BUCKETS_MAX);

		assert_true(history->n_kept > STEPS / 4);
		history_free(history);
	}
}

/*
 * A balancer that starts with nothing: one backend after the other registers, dies or drains while
 * bases follow owners, and flows that begin meanwhile stay where they began; then membership is
 * quiet, bases stand still, and life goes on.
 */
static void tracking_keeps_what_began_at_a_balancer_that_started_with_nothing(void **state)
{
	for (uint64_t seed = 41; seed <= 44; seed++) {
		struct history *history = begin(seed, seed % 2, false, BUCKETS_MAX, true);
		size_t n_kept;

		for (size_t i = 0; i < STEPS / 3; i++)
			step(history);
		n_kept = history->n_kept;
		assert_true(n_kept > STEPS / 15);
		assert_true(history->n_changes > STEPS / 3 / 400);
		history->follow = false;
		publish(history);
		for (size_t i = 0; i < STEPS; i++)
			step(history);
		assert_true(history->n_kept > n_kept + STEPS / 4);
		history_free(history);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tracking_breaks_no_living_connection),
		cmocka_unit_test(tracking_holds_in_a_table_that_is_far_too_small),
		cmocka_unit_test(tracking_holds_without_any_table),
		cmocka_unit_test(tracking_keeps_recorded_udp_flows),
		cmocka_unit_test(tracking_keeps_what_began_at_a_balancer_that_started_with_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
