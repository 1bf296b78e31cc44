/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tags: long */
/*
 * Just-enough tracking against a model that records everything: random histories of joins, drains,
 * deaths, returns, weights, restarts and settling, with connections and flows of UDP that begin, talk, fall silent
 * and end, and floods of datagrams that are nobody's. No packet of a living flow may reach another server than its
 * own, as long as that one takes flows; what may be lost is an opening whose record made room (is_lost()).
 * The histories are the same in every run; TRACKING_STEPS (60,000) makes them longer. A packet that goes astray
 * says its seed and step, and `test_tracking NAME` runs that test alone.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"
#include "lb/table/flow_seen.h"
#include "lb/table/table_fill.h"

#include <arpa/inet.h>
#include <inttypes.h>
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
#define SEEN_WORDS    ((size_t)1024)

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
	bool recorded; /* when it opened */
	uint32_t last_s;
};

enum traffic { TRAFFIC_TCP, TRAFFIC_UDP, TRAFFIC_BOTH };

struct history {
	uint64_t seed, random;
	size_t n_steps;
	uint32_t now_s;
	bool ip6;
	enum traffic traffic;
	uint32_t
		flood_in; /* of so many steps one sends a datagram of a flow that never comes again; 0: none */
	bool follow; /* started with nothing, and membership is not quiet yet */
	uint32_t n_buckets;
	uint32_t n_seen;
	struct flow_seen_turn turn;
	struct {
		bool takes_new, takes_flows;
		uint32_t weight;
	} backends[BACKENDS + 1]; /* by id */
	struct fwd_table *table;
	struct flow4_bucket *flow4;
	struct flow6_bucket *flow6;
	__u64 *seen;
	struct snapshot *snapshot;
	struct connection connections[CONNECTIONS];
	size_t n_kept, n_recorded, n_changes, n_lost_openings, n_moving_most, n_turns, n_settled;
};

static size_t steps(void)
{
	const char *text = getenv("TRACKING_STEPS");

	return text ? strtoul(text, NULL, 10) : STEPS;
}

static bool is_udp(const struct history *history, size_t idx)
{
	return history->traffic == TRAFFIC_UDP || (history->traffic == TRAFFIC_BOTH && idx % 2);
}

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
		.seen = history->seen,
		.n_seen = history->n_seen,
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
		.flags = history->follow ? FWD_SERVICE_RECORD_NEW : 0,
		.tcp_timeout_s = TCP_TIMEOUT_S,
		.fin_timeout_s = FIN_TIMEOUT_S,
		.udp_timeout_s = UDP_TIMEOUT_S,
	};
	struct fwd_settings settings = {
		.slot_seed = { 1, 2 }, .flow_seed = { 3, 4 }, .mtu_bytes = 1500
	};
	struct fwd_table *table = build_table(history);
	struct addr vip = { .family = history->ip6 ? AF_INET6 : AF_INET };

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
	assert_int_equal(
		snapshot_add_binding(history->snapshot, &vip, FWD_PROTO_TCP, 80, 80, SERVICE), 0);
	assert_int_equal(
		snapshot_add_binding(history->snapshot, &vip, FWD_PROTO_UDP, 80, 80, SERVICE), 0);
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
	uint32_t timeout_s = history->traffic == TRAFFIC_UDP ? UDP_TIMEOUT_S : TCP_TIMEOUT_S;
	size_t n_moving = table_moving(history->table->rows), n_left;

	flows_all(&flows, find_service, history, history->now_s, note_record, &disagreement);
	n_left = table_settle(history->table, disagreement.bits, timeout_s, history->now_s);
	history->n_settled += n_moving - n_left;
	history->n_moving_most = MAX(history->n_moving_most, n_left);
}

/* The daemon does it once a second, unless it is stopped or not there; a new one begins a turn again. */
static void turn(struct history *history)
{
	const struct flows_table flows = flows_of(history);
	__u64 generation = history->seen[SEEN_GENERATION];

	if (draw(history, 3) == 0)
		history->turn = (struct flow_seen_turn){ 0 };
	flow_seen_turn(&flows, &history->turn, UDP_TIMEOUT_S, history->now_s);
	history->n_turns += history->seen[SEEN_GENERATION] != generation;
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

static struct fwd_result run(struct history *history, const struct vector_packet *packet)
{
	struct fwd_port port = { .snapshot = history->snapshot, .now_s = history->now_s };
	uint8_t bytes[256];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(packet, bytes) };
	struct fwd_result result;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	assert_true(
		result.reason == FWD_REASON_FORWARDED || result.reason == FWD_REASON_NO_BACKEND);
	history->n_recorded += result.recorded;
	return result;
}

static uint16_t client_port(size_t idx)
{
	return (uint16_t)(1024 + idx);
}

static struct fwd_result send_packet(struct history *history, size_t idx, uint8_t tcp_flags)
{
	const struct vector_packet packet = {
		.ip6 = history->ip6,
		.proto = is_udp(history, idx) ? FWD_PROTO_UDP : FWD_PROTO_TCP,
		.tcp_flags = tcp_flags,
		.client_port = client_port(idx),
		.port = 80,
	};

	return run(history, &packet);
}

/* Of a source that nobody is at. */
static void flood(struct history *history)
{
	char source[40];
	const struct vector_packet packet = {
		.ip6 = history->ip6,
		.proto = FWD_PROTO_UDP,
		.source = source,
		.client_port = (uint16_t)(1 + draw(history, UINT16_MAX)),
		.port = 80,
	};
	uint32_t number = draw(history, 65536);

	snprintf(source, sizeof(source), history->ip6 ? "2001:db8:ffff::%x" : "203.0.%u.%u",
		history->ip6 ? number : number / 256, number % 256);
	assert_int_equal(run(history, &packet).evicted, 0);
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
	connection->recorded = result.recorded || result.how == FWD_HOW_FLOW;
	connection->last_s = history->now_s;
}

static bool is_living(const struct history *history, size_t idx)
{
	const struct connection *connection = &history->connections[idx];
	uint32_t timeout_s = is_udp(history, idx) ? UDP_TIMEOUT_S
		: connection->life == CLOSING     ? FIN_TIMEOUT_S
		: connection->life == OPENING     ? FLOW_SYN_TIMEOUT_S
						  : TCP_TIMEOUT_S;

	return connection->life != NEVER && connection->life != DEAD &&
		history->now_s - connection->last_s <= timeout_s;
}

struct search {
	uint16_t client_port;
	bool found;
};

static void note_found(const struct flows_entry *entry, void *context)
{
	struct search *search = context;

	search->found |= entry->client_port == search->client_port && flows_is_tcp(entry->state);
}

/*
 * An opening may lose the record that it was given, as long as nothing has proven it, and with it where
 * it was: the client opens anew. Meanwhile it goes where its row says, and nowhere where nobody takes
 * connections and who was the base has gone. What found no room for a record is where its row says, and stays there.
 */
static bool is_lost(struct history *history, size_t idx)
{
	const struct connection *connection = &history->connections[idx];
	const struct flows_table flows = flows_of(history);
	struct search search = { .client_port = client_port(idx) };

	if (is_udp(history, idx) || connection->life != OPENING || !connection->recorded)
		return false;
	flows_all(&flows, find_service, history, history->now_s, note_found, &search);
	return !search.found;
}

static bool takes_any_new(const struct history *history)
{
	bool takes = false;

	for (uint16_t id = 1; id <= BACKENDS; id++)
		takes |= history->backends[id].takes_new;
	return takes;
}

/* Fails, and says all that it takes to come here again. */
static void fail_at(const struct history *history, size_t idx, const struct fwd_result *result)
{
	const struct connection *connection = &history->connections[idx];
	const struct fwd_slot *row = &history->table->rows[result->slot];

	print_error("seed %" PRIu64 ", step %zu: connection %zu (life %d) of server %u: reason %d, "
		    "backend %u, how %d; row %u of owner %u, base %u, seen %u, now %u\n",
		history->seed, history->n_steps, idx, connection->life, connection->server,
		result->reason, result->backend, result->how, result->slot, row->owner, row->base,
		row->seen_s, history->now_s);
	fail();
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
	if (result.backend != connection->server) {
		if (!is_lost(history, idx) || (!result.backend && takes_any_new(history)))
			fail_at(history, idx, &result);
		connection->life = DEAD;
		history->n_lost_openings++;
		return;
	}
	history->n_kept++;
	connection->last_s = history->now_s;
	if (flags & WIRE_TCP_RST && !is_udp(history, idx))
		connection->life = DEAD;
	else if (flags & WIRE_TCP_FIN && !is_udp(history, idx))
		connection->life = CLOSING;
	else if (connection->life == OPENING)
		connection->life = TALKING;
}

static void step(struct history *history)
{
	size_t idx = draw(history, CONNECTIONS);

	history->n_steps++;
	if (draw(history, 200) == 0)
		change_membership(history);
	/* As publication does: nothing settles before bases stand still. */
	if (draw(history, 100) == 0 && !history->follow)
		settle(history);
	if (draw(history, 20) == 0)
		history->now_s += draw(history, 500) == 0 ? 2000 : draw(history, 6);
	if (draw(history, 40) == 0)
		turn(history);
	if (history->flood_in && draw(history, history->flood_in) == 0)
		flood(history);
	if (!is_living(history, idx) || draw(history, 50) == 0)
		open_connection(history, idx);
	else
		talk(history, idx);
}

static struct history *begin(
	uint64_t seed, bool ip6, enum traffic traffic, uint32_t n_buckets, bool follow)
{
	struct history *history = calloc(1, sizeof(*history));

	assert_non_null(history);
	history->seed = seed;
	history->random = seed;
	history->now_s = 50000;
	history->ip6 = ip6;
	history->traffic = traffic;
	history->follow = follow;
	history->n_buckets = n_buckets;
	history->flow4 = aligned_alloc(64, BUCKETS_MAX * sizeof(*history->flow4));
	history->flow6 = aligned_alloc(64, BUCKETS_MAX * sizeof(*history->flow6));
	history->n_seen = SEEN_WORDS;
	history->seen = calloc(flow_seen_len(SEEN_WORDS), sizeof(*history->seen));
	assert_true(history->flow4 && history->flow6 && history->seen);
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

static void live(struct history *history, size_t n_steps)
{
	for (size_t i = 0; i < n_steps; i++)
		step(history);
}

static struct history *live_through(
	uint64_t seed, bool ip6, enum traffic traffic, uint32_t n_buckets)
{
	struct history *history = begin(seed, ip6, traffic, n_buckets, false);

	live(history, steps());
	return history;
}

static void history_free(struct history *history)
{
	snapshot_free(history->snapshot);
	free(history->flow4);
	free(history->flow6);
	free(history->seen);
	free(history);
}

static void tracking_breaks_no_living_connection(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct history *history = live_through(seed, seed % 2, TRAFFIC_TCP, BUCKETS_MAX);

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
		struct history *history = live_through(seed, seed % 2, TRAFFIC_TCP, 16);

		assert_true(history->n_kept > STEPS / 4);
		history_free(history);
	}
}

/* Of those that a drained server was given, when all others that had their rows have gone. */
static void tracking_loses_only_openings_whose_record_made_room(void **state)
{
	const size_t n_records = (size_t)4 * FLOW4_PER_BUCKET, n_openings = 4 * n_records;
	struct history *history = begin(71, false, TRAFFIC_TCP, 4, false);

	for (uint16_t id = 1; id <= 3; id++)
		history->backends[id].takes_new = false;
	history->backends[4].takes_new = history->backends[4].takes_flows = true;
	publish(history);
	for (size_t idx = 0; idx < n_openings; idx++) {
		open_connection(history, idx);
		assert_int_equal(history->connections[idx].server, 4);
	}
	history->backends[4].takes_new = false;
	publish(history);
	for (uint16_t id = 1; id <= 3; id++)
		lose_flows(history, id);
	for (size_t idx = 0; idx < n_openings; idx++)
		talk(history, idx);
	assert_int_equal(history->n_kept, n_records);
	assert_int_equal(history->n_lost_openings, n_openings - n_records);
	history_free(history);
}

static void tracking_holds_without_any_table(void **state)
{
	struct history *history = live_through(21, false, TRAFFIC_TCP, 0);

	assert_true(history->n_kept > STEPS / 4);
	assert_int_equal(history->n_recorded, 0);
	assert_int_equal(history->n_lost_openings, 0);
	history_free(history);
}

static void tracking_breaks_no_living_udp_flow(void **state)
{
	for (uint64_t seed = 31; seed <= 36; seed++) {
		struct history *history = live_through(
			seed, seed % 2, seed <= 34 ? TRAFFIC_UDP : TRAFFIC_BOTH, BUCKETS_MAX);

		assert_true(history->n_kept > STEPS / 4);
		assert_true(history->n_moving_most > 1000);
		assert_true(history->n_turns > 5);
		assert_true(history->n_settled > FWD_ROWS / 2);
		/* Where rows move new flows are recorded, and only there. */
		assert_true(history->n_recorded > 100);
		print_message(
			"# %zu datagrams of living flows, %zu changes, %zu records, %zu turns\n",
			history->n_kept, history->n_changes, history->n_recorded, history->n_turns);
		history_free(history);
	}
}

/* Hundreds of times as many flows as filter and table are for. */
static void tracking_of_udp_holds_under_a_flood(void **state)
{
	static const struct {
		uint32_t n_buckets, n_seen, flood_in;
	} sizes[] = { { BUCKETS_MAX, SEEN_WORDS, 1 }, { 16, SEEN_WORDS, 2 }, { 16, 8, 1 },
		{ BUCKETS_MAX, 8, 2 }, { 0, SEEN_WORDS, 2 }, { BUCKETS_MAX, 0, 2 } };

	for (uint64_t seed = 51; seed < 51 + ARRAY_LEN(sizes); seed++) {
		struct history *history = begin(seed, seed % 2,
			seed % 3 ? TRAFFIC_UDP : TRAFFIC_BOTH, sizes[seed - 51].n_buckets, false);

		history->n_seen = sizes[seed - 51].n_seen;
		history->flood_in = sizes[seed - 51].flood_in;
		publish(history);
		live(history, steps());
		assert_true(history->n_kept > STEPS / 4);
		assert_true(history->n_moving_most > 1000);
		history_free(history);
	}
}

/* As after the start with a flow table that had no filter: nobody knows who spoke before. */
static void tracking_of_udp_holds_with_a_filter_that_has_only_begun(void **state)
{
	for (uint64_t seed = 61; seed <= 62; seed++) {
		struct history *history = begin(seed, seed % 2, TRAFFIC_UDP, BUCKETS_MAX, false);
		struct flows_table flows = flows_of(history);

		/* Flows begin at settled rows; then the filter that knows them is lost. */
		for (size_t idx = 0; idx < CONNECTIONS; idx++)
			open_connection(history, idx);
		memset(history->seen, 0, flow_seen_len(history->n_seen) * sizeof(__u64));
		flow_seen_start(&flows);
		live(history, steps());
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
		struct history *history = begin(seed, seed % 2, TRAFFIC_TCP, BUCKETS_MAX, true);
		size_t n_kept;

		live(history, STEPS / 3);
		n_kept = history->n_kept;
		assert_true(n_kept > STEPS / 15);
		assert_true(history->n_changes > STEPS / 3 / 400);
		history->follow = false;
		publish(history);
		live(history, STEPS);
		assert_true(history->n_kept > n_kept + STEPS / 4);
		history_free(history);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tracking_breaks_no_living_connection),
		cmocka_unit_test(tracking_holds_in_a_table_that_is_far_too_small),
		cmocka_unit_test(tracking_loses_only_openings_whose_record_made_room),
		cmocka_unit_test(tracking_holds_without_any_table),
		cmocka_unit_test(tracking_breaks_no_living_udp_flow),
		cmocka_unit_test(tracking_of_udp_holds_under_a_flood),
		cmocka_unit_test(tracking_of_udp_holds_with_a_filter_that_has_only_begun),
		cmocka_unit_test(tracking_keeps_what_began_at_a_balancer_that_started_with_nothing),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
