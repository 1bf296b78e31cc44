/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a SYN-ACK counts for, and whose SYN has no way back: see accepts.h. */
#include "agent/host/accepts.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "agent/host/synack_log.h"

#define ACCEPTS_BATCHES_MAX 64u    /* in one reading */
#define ACCEPTS_SEEN        16384u /* newest SYN-ACKs that are known again; a power of two */

struct accepts_counter {
	struct accepts_place place;
	uint32_t count;
};

struct accepts {
	sd_event *event;
	sd_event_source *io;
	struct synack_log *log; /* NULL: nothing is counted */
	struct accepts_counter counters[ACCEPTS_MAX];
	size_t len;
	struct addr exempt[ACCEPTS_EXEMPT_MAX];
	size_t n_exempt;
	uint64_t seen[ACCEPTS_SEEN];
	uint64_t total4, total6;
	struct accepts_stray stray; /* ifindex 0: none */
};

struct accepts *accepts_new(sd_event *event)
{
	struct accepts *accepts = calloc(1, sizeof(*accepts));

	if (!accepts)
		return NULL;
	accepts->event = event;
	return accepts;
}

static void accepts_close(struct accepts *accepts)
{
	accepts->io = sd_event_source_disable_unref(accepts->io);
	accepts->log = synack_log_free(accepts->log);
}

struct accepts *accepts_free(struct accepts *accepts)
{
	if (!accepts)
		return NULL;
	accepts_close(accepts);
	free(accepts);
	return NULL;
}

/* ---- counting ---- */

/* By a hash over what makes a SYN-ACK this one: addresses, ports, sequence, acknowledgement. */
static bool accepts_is_new(struct accepts *accepts, uint64_t hash)
{
	uint64_t *seen = &accepts->seen[(hash ^ hash >> 32) & (ACCEPTS_SEEN - 1)];

	if (*seen == hash)
		return false;
	*seen = hash;
	return true;
}

/* Both addresses and where TCP begins; 0: not such a packet. */
static size_t accepts_parse(const uint8_t *packet, size_t size_bytes, struct addr *ret_source,
	struct addr *ret_destination, uint64_t *ret_hash)
{
	if (size_bytes < sizeof(struct iphdr))
		return 0;
	if (packet[0] >> 4 == 4) {
		*ret_source = *ret_destination = (struct addr){ .family = AF_INET };
		memcpy(ret_source->bytes, packet + 12, 4);
		memcpy(ret_destination->bytes, packet + 16, 4);
		*ret_hash = util_fnv_64(UTIL_FNV_64_BASIS, packet + 12, 8);
		return (packet[0] & 0x0fu) * (size_t)4;
	}
	if (packet[0] >> 4 != 6 || size_bytes < sizeof(struct ip6_hdr))
		return 0;
	*ret_source = *ret_destination = (struct addr){ .family = AF_INET6 };
	memcpy(ret_source->bytes, packet + 8, 16);
	memcpy(ret_destination->bytes, packet + 24, 16);
	*ret_hash = util_fnv_64(UTIL_FNV_64_BASIS, packet + 8, 32);
	return sizeof(struct ip6_hdr);
}

static bool accepts_is_exempt(const struct accepts *accepts, const struct addr *remote)
{
	ARRAY_FOREACH (exempt, accepts->exempt, accepts->n_exempt)
		if (addr_equal(exempt, remote))
			return true;
	return false;
}

/* Whether it is a place that is watched; each such place counts it if it is a SYN-ACK. */
static bool accepts_note(
	struct accepts *accepts, const struct addr *local, uint16_t port, bool counts)
{
	bool found = false;

	ARRAY_FOREACH (counter, accepts->counters, accepts->len) {
		const struct accepts_place *place = &counter->place;

		if (port < place->first || port > place->last ||
			!addr_equal(local, &place->address))
			continue;
		counter->count += counts;
		found = true;
	}
	return found;
}

static uint16_t accepts_port(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

bool accepts_take(
	struct accepts *accepts, const uint8_t *packet, size_t size_bytes, unsigned int ifindex)
{
	struct addr source, destination;
	uint64_t hash = 0;
	size_t offset = accepts_parse(packet, size_bytes, &source, &destination, &hash);
	const uint8_t *tcp = packet + offset;

	/* Ports, sequence and acknowledgement are the first twelve bytes of TCP. */
	if (offset < sizeof(struct iphdr) || size_bytes < offset + 14)
		return false;
	if ((tcp[13] & SYNACK_FLAGS) == SYNACK_FLAG_SYN) {
		if (ifindex == 0 || accepts_is_exempt(accepts, &source) ||
			!accepts_note(accepts, &destination, accepts_port(tcp + 2), false))
			return false;
		accepts->stray = (struct accepts_stray){ source, destination, ifindex };
		return true;
	}
	if ((tcp[13] & SYNACK_FLAGS) != SYNACK_FLAGS || accepts_is_exempt(accepts, &destination))
		return false;
	if (!accepts_is_new(accepts, util_fnv_64(hash, tcp, 12)))
		return false;
	if (!accepts_note(accepts, &source, accepts_port(tcp), true))
		return false;
	if (source.family == AF_INET)
		accepts->total4++;
	else
		accepts->total6++;
	return true;
}

/* ---- the log ---- */

static void accepts_on_packet(
	const uint8_t *packet, size_t size_bytes, unsigned int ifindex, void *context)
{
	(void)accepts_take(context, packet, size_bytes, ifindex);
}

/* The kernel gathers packets for a moment, so that a busy server wakes us seldom. */
static int accepts_on_log(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct accepts *accepts = context;

	for (size_t i = 0; i < ACCEPTS_BATCHES_MAX; i++)
		if (!synack_log_read(accepts->log, accepts_on_packet, accepts))
			break;
	return 0;
}

static int accepts_open(struct accepts *accepts)
{
	int r = synack_log_open(&accepts->log);

	if (r < 0)
		return r;
	r = sd_event_add_io(accepts->event, &accepts->io, synack_log_fd(accepts->log), EPOLLIN,
		accepts_on_log, accepts);
	if (r < 0)
		accepts_close(accepts);
	return r < 0 ? r : 0;
}

/* ---- what is counted ---- */

static const struct accepts_counter *accepts_find(
	const struct accepts *accepts, const struct accepts_place *place)
{
	ARRAY_FOREACH (counter, accepts->counters, accepts->len)
		if (counter->place.first == place->first && counter->place.last == place->last &&
			addr_equal(&counter->place.address, &place->address))
			return counter;
	return NULL;
}

int accepts_watch(struct accepts *accepts, const struct accepts_place *places, size_t len)
{
	struct accepts_counter counters[ACCEPTS_MAX] = { 0 };
	size_t n_counters = 0;

	for (size_t i = 0; i < len && n_counters < ACCEPTS_MAX; i++) {
		const struct accepts_counter *old = accepts_find(accepts, &places[i]);

		counters[n_counters++] =
			(struct accepts_counter){ places[i], old ? old->count : 0 };
	}
	memcpy(accepts->counters, counters, n_counters * sizeof(*counters));
	accepts->len = n_counters;
	if (n_counters == 0) {
		accepts_close(accepts);
		return 0;
	}
	return accepts->log ? 0 : accepts_open(accepts);
}

void accepts_exempt(struct accepts *accepts, const struct addr *addresses, size_t len)
{
	accepts->n_exempt = MIN(len, (size_t)ACCEPTS_EXEMPT_MAX);
	for (size_t i = 0; i < accepts->n_exempt; i++)
		accepts->exempt[i] = addresses[i];
}

bool accepts_count(
	const struct accepts *accepts, const struct accepts_place *place, uint32_t *ret_count)
{
	const struct accepts_counter *counter = accepts_find(accepts, place);

	if (!counter || !accepts->log)
		return false;
	*ret_count = counter->count;
	return true;
}

uint64_t accepts_total(const struct accepts *accepts, sa_family_t family)
{
	return family == AF_INET ? accepts->total4 : accepts->total6;
}

bool accepts_stray(struct accepts *accepts, struct accepts_stray *ret_stray)
{
	if (accepts->stray.ifindex == 0)
		return false;
	*ret_stray = accepts->stray;
	accepts->stray = (struct accepts_stray){ 0 };
	return true;
}
