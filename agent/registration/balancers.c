/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registrations under sd-event. Called by the daemon. Must not know the host.
 */
#include "agent/registration/balancers.h"

#include <sys/random.h>

#include "agent/config/config.h"
#include "common/log.h"

struct peers_peer {
	struct registration *registration;
	enum register_state told; /* the state that was logged last */
	char told_reason[REGISTER_REASON_BYTES];
	bool leaving; /* no longer configured: freed once left */
};

struct peers_source {
	struct addr addr;
	uint64_t told_us;
};

struct peers {
	sd_event *event;
	sd_event_source *timer;
	struct net *net;
	struct peers_peer items[CONFIG_BALANCERS_MAX + PEERS_LEAVING_MAX];
	size_t len;
	struct register_identity identity;
	struct proto_status status;
	bool started;
	struct peers_counters past; /* of balancers that are gone, and of strangers */
	struct peers_source sources[PEERS_TOLD_MAX];
	peers_changed_fn *changed;
	void *context;
};

static uint64_t peers_now(const struct peers *peers)
{
	uint64_t now_us = 0;

	(void)sd_event_now(peers->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

static void peers_send(
	void *context, const struct addr_port *balancer, const uint8_t *data, size_t size_bytes)
{
	struct peers *peers = context;

	/* A datagram that is lost here is lost like any other: everything is repeated. */
	if (peers->net)
		(void)net_send(peers->net, balancer, data, size_bytes);
}

static void peers_tell(struct peers_peer *peer)
{
	const struct register_view *view = register_view(peer->registration);
	char field[16 + ADDR_PORT_STRLEN];
	char balancer[ADDR_PORT_STRLEN];

	addr_port_format(&view->balancer, balancer);
	snprintf(field, sizeof(field), "DSR_BALANCER=%s", balancer);
	if (view->state == REGISTER_REGISTERED)
		log_fields(LOG_LEVEL_INFO, LOG_FIELDS(field), "registered with %s", balancer);
	else if (view->state == REGISTER_LEFT)
		log_fields(LOG_LEVEL_INFO, LOG_FIELDS(field), "left %s", balancer);
	else if (view->state == REGISTER_REFUSED || view->state == REGISTER_CONNECTING)
		log_fields(
			LOG_LEVEL_WARNING, LOG_FIELDS(field), "not registered: %s", view->reason);
}

/* A reason that comes back at each try is told once; the way to an answer is no news. */
static bool peers_is_news(const struct peers_peer *peer, const struct register_view *view)
{
	if (view->state == REGISTER_CONNECTING)
		return strncmp(view->reason, "waiting for", strlen("waiting for")) != 0 &&
			!streq(view->reason, peer->told_reason);
	return view->state != peer->told || !streq(view->reason, peer->told_reason);
}

static void peers_drop(struct peers *peers, size_t idx)
{
	const struct register_view *view = register_view(peers->items[idx].registration);

	peers->past.received += view->received;
	peers->past.accepted += view->accepted;
	for (size_t refusal = 0; refusal < REGISTER_REFUSAL_N_; refusal++)
		peers->past.rejected[refusal] += view->rejected[refusal];
	register_free(peers->items[idx].registration);
	memmove(&peers->items[idx], &peers->items[idx + 1],
		(peers->len - idx - 1) * sizeof(peers->items[0]));
	peers->len--;
}

/* Does what is due, tells what is new, and arms the timer: after every event. */
static void peers_go_on(struct peers *peers)
{
	uint64_t now_us = peers_now(peers);
	uint64_t next_us = REGISTER_NEVER_US;
	bool changed = false;

	for (size_t idx = 0; idx < peers->len; idx++) {
		struct peers_peer *peer = &peers->items[idx];
		const struct register_view *view = register_view(peer->registration);
		uint64_t due_us = register_tick(peer->registration, now_us);

		next_us = MIN(next_us, due_us);
		if (peers_is_news(peer, view)) {
			peers_tell(peer);
			peer->told = view->state;
			memcpy(peer->told_reason, view->reason, sizeof(peer->told_reason));
			changed = true;
		}
	}
	for (size_t idx = peers->len; idx-- > 0;) {
		struct peers_peer *peer = &peers->items[idx];

		if (peer->leaving && register_view(peer->registration)->state == REGISTER_LEFT)
			peers_drop(peers, idx);
	}
	if (next_us != REGISTER_NEVER_US)
		(void)sd_event_source_set_time(peers->timer, next_us);
	(void)sd_event_source_set_enabled(
		peers->timer, next_us == REGISTER_NEVER_US ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	if (changed)
		peers->changed(peers->context);
}

static int peers_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	peers_go_on(context);
	return 0;
}

int peers_new(sd_event *event, peers_changed_fn *changed, void *context, struct peers **ret_peers)
{
	_cleanup_(peers_freep) struct peers *peers = calloc(1, sizeof(*peers));
	int r;

	if (!peers)
		return -ENOMEM;
	peers->event = event;
	peers->changed = changed;
	peers->context = context;
	r = sd_event_add_time(
		event, &peers->timer, CLOCK_MONOTONIC, 0, US_PER_MS, peers_on_timer, peers);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(peers->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_peers = TAKE_PTR(peers);
	return 0;
}

struct peers *peers_free(struct peers *peers)
{
	if (!peers)
		return NULL;
	sd_event_source_disable_unref(peers->timer);
	for (size_t idx = 0; idx < peers->len; idx++)
		register_free(peers->items[idx].registration);
	explicit_bzero(&peers->identity, sizeof(peers->identity));
	free(peers);
	return NULL;
}

void peers_use_net(struct peers *peers, struct net *net)
{
	peers->net = net;
}

/* One line a minute and source; the table is small, and its oldest entry makes room. */
static void peers_tell_refusal(
	struct peers *peers, const struct addr_port *source, enum register_refusal refusal)
{
	struct peers_source *oldest = &peers->sources[0];
	uint64_t now_us = peers_now(peers);
	char text[ADDR_PORT_STRLEN];

	ARRAY_FOREACH (item, peers->sources, PEERS_TOLD_MAX) {
		if (addr_equal(&item->addr, &source->addr)) {
			if (now_us - item->told_us < PEERS_TOLD_US)
				return;
			oldest = item;
			break;
		}
		if (item->told_us < oldest->told_us)
			oldest = item;
	}
	*oldest = (struct peers_source){ source->addr, now_us };
	log_warning("refused a datagram from %s (%s); more of this source within a minute are only "
		    "counted",
		addr_port_format(source, text), register_refusal_name(refusal));
}

void peers_receive(void *context, const struct addr_port *source, int hop_limit, const void *data,
	size_t size_bytes)
{
	struct peers *peers = context;
	struct peers_peer *peer = NULL;
	enum register_refusal refusal = REGISTER_SOURCE;

	for (size_t idx = 0; idx < peers->len && !peer; idx++) {
		const struct register_view *view = register_view(peers->items[idx].registration);

		if (addr_equal(&view->balancer.addr, &source->addr))
			peer = &peers->items[idx];
	}
	if (peer) {
		refusal = register_receive(
			peer->registration, source, hop_limit, data, size_bytes, peers_now(peers));
	} else {
		peers->past.received++;
		peers->past.rejected[refusal]++;
	}
	if (refusal != REGISTER_ACCEPTED)
		peers_tell_refusal(peers, source, refusal);
	if (peer)
		peers_go_on(peers);
}

static struct peers_peer *peers_find(struct peers *peers, const struct addr_port *balancer)
{
	ARRAY_FOREACH (peer, peers->items, peers->len) {
		const struct register_view *view = register_view(peer->registration);

		if (!peer->leaving && view->balancer.port == balancer->port &&
			addr_equal(&view->balancer.addr, &balancer->addr))
			return peer;
	}
	return NULL;
}

static int peers_add(struct peers *peers, const struct addr_port *balancer)
{
	uint8_t seed[REGISTER_SEED_BYTES];
	struct peers_peer peer = { .told = REGISTER_IDLE };

	if (peers->len >= ARRAY_LEN(peers->items))
		return -ENOSPC;
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	peer.registration = register_new(balancer, seed, peers_send, peers, peers_now(peers));
	explicit_bzero(seed, sizeof(seed));
	if (!peer.registration)
		return -ENOMEM;
	snprintf(peer.told_reason, sizeof(peer.told_reason), "%s",
		register_view(peer.registration)->reason);
	if (peers->started) {
		uint64_t now_us = peers_now(peers);

		register_set_identity(peer.registration, &peers->identity, now_us);
		(void)register_set_status(peer.registration, &peers->status, now_us);
		register_start(peer.registration, now_us);
	}
	peers->items[peers->len++] = peer;
	return 0;
}

static bool peers_is_wanted(
	const struct addr_port *balancers, size_t n_balancers, const struct addr_port *balancer)
{
	ARRAY_FOREACH (item, balancers, n_balancers) {
		if (item->port == balancer->port && addr_equal(&item->addr, &balancer->addr))
			return true;
	}
	return false;
}

int peers_configure(struct peers *peers, const struct addr_port *balancers, size_t n_balancers)
{
	size_t former_len = peers->len;

	ARRAY_FOREACH (balancer, balancers, n_balancers) {
		int r = peers_find(peers, balancer) ? 0 : peers_add(peers, balancer);

		if (r < 0) {
			while (peers->len > former_len)
				peers_drop(peers, peers->len - 1);
			return r;
		}
	}
	ARRAY_FOREACH (peer, peers->items, former_len) {
		const struct register_view *view = register_view(peer->registration);

		if (peer->leaving || peers_is_wanted(balancers, n_balancers, &view->balancer))
			continue;
		peer->leaving = true;
		register_leave(peer->registration, peers_now(peers));
	}
	peers_go_on(peers);
	return 0;
}

void peers_set_identity(struct peers *peers, const struct register_identity *identity,
	const struct proto_status *status)
{
	uint64_t now_us = peers_now(peers);

	peers->identity = *identity;
	peers->status = *status;
	ARRAY_FOREACH (peer, peers->items, peers->len) {
		if (peer->leaving)
			continue;
		register_set_identity(peer->registration, identity, now_us);
		if (register_set_status(peer->registration, status, now_us) < 0)
			log_error("a status that the protocol cannot carry was not sent");
	}
	peers_go_on(peers);
}

void peers_set_status(struct peers *peers, const struct proto_status *status)
{
	uint64_t now_us = peers_now(peers);

	peers->status = *status;
	ARRAY_FOREACH (peer, peers->items, peers->len) {
		if (peer->leaving)
			continue;
		if (register_set_status(peer->registration, status, now_us) < 0)
			log_error("a status that the protocol cannot carry was not sent");
	}
	peers_go_on(peers);
}

void peers_start(struct peers *peers)
{
	uint64_t now_us = peers_now(peers);

	if (peers->started)
		return;
	peers->started = true;
	ARRAY_FOREACH (peer, peers->items, peers->len)
		register_start(peer->registration, now_us);
	peers_go_on(peers);
}

void peers_leave(struct peers *peers)
{
	uint64_t now_us = peers_now(peers);

	ARRAY_FOREACH (peer, peers->items, peers->len)
		register_leave(peer->registration, now_us);
	peers_go_on(peers);
}

bool peers_have_left(const struct peers *peers)
{
	ARRAY_FOREACH (peer, peers->items, peers->len) {
		enum register_state state = register_view(peer->registration)->state;

		if (state != REGISTER_LEFT && state != REGISTER_IDLE)
			return false;
	}
	return true;
}

bool peers_are_settled(const struct peers *peers)
{
	ARRAY_FOREACH (peer, peers->items, peers->len) {
		if (!register_is_settled(peer->registration))
			return false;
	}
	return true;
}

/* Those that are being left stand behind the configured ones or among them; `status` skips none. */
size_t peers_len(const struct peers *peers)
{
	return peers->len;
}

const struct register_view *peers_view(const struct peers *peers, size_t idx)
{
	return register_view(peers->items[idx].registration);
}

size_t peers_registered(const struct peers *peers)
{
	size_t n_registered = 0;

	ARRAY_FOREACH (peer, peers->items, peers->len) {
		if (register_view(peer->registration)->state == REGISTER_REGISTERED)
			n_registered++;
	}
	return n_registered;
}

void peers_count(const struct peers *peers, struct peers_counters *ret_counters)
{
	*ret_counters = peers->past;
	ARRAY_FOREACH (peer, peers->items, peers->len) {
		const struct register_view *view = register_view(peer->registration);

		ret_counters->received += view->received;
		ret_counters->accepted += view->accepted;
		for (size_t refusal = 0; refusal < REGISTER_REFUSAL_N_; refusal++)
			ret_counters->rejected[refusal] += view->rejected[refusal];
	}
}
