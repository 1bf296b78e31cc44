/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registrations under sd-event. Called by the daemon. Must not know the host.
 */
#include "agent/registration/balancers.h"

#include <sys/random.h>

#include "agent/registration/pins.h"
#include "common/events/events.h"
#include "common/log.h"
#include "common/log_limit.h"

struct balancer {
	struct registration *registration;
	enum register_state told; /* the state that was logged last */
	char told_reason[REGISTER_REASON_BYTES];
	bool leaving;  /* no longer configured: freed once left */
	bool at_place; /* lost, and asked where it was at last */
};

struct balancers {
	sd_event *event;
	struct events *events;
	sd_event_source *timer;
	struct net *net;
	struct pins *pins;
	struct balancer items[BALANCERS_MAX];
	size_t len;
	struct register_identity identity;
	struct proto_status status;
	const uint32_t *established; /* borrowed */
	bool started;
	struct balancers_counters past; /* of balancers that are gone, and of strangers */
	struct log_limit refusals;      /* what was logged of them */
	balancers_changed_fn *changed;
	balancers_asked_fn *asked;     /* NULL: nobody wants to know */
	balancers_asked_fn *heartbeat; /* the same */
	balancers_peers_fn *peers;     /* the same */
	void *context;
};

static uint64_t balancers_now(const struct balancers *balancers)
{
	uint64_t now_us = 0;

	(void)sd_event_now(balancers->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

static bool balancers_knows_place(const struct balancer *balancer)
{
	enum register_state state = register_view(balancer->registration)->state;

	return state == REGISTER_REGISTERED || state == REGISTER_LEAVING ||
		(state == REGISTER_CONNECTING && balancer->at_place);
}

/*
 * Where its balancer is a registration knows from what it was told just now: before it answers. One that was lost is
 * asked there and where ARP finds it, in turns: it may have moved, and somebody may forge ARP.
 */
static void balancers_pin(struct balancers *balancers, const struct addr *address, bool asks)
{
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		const struct register_view *view = register_view(balancer->registration);

		if (!addr_equal(&view->balancer.addr, address))
			continue;
		if (asks)
			balancer->at_place = !balancer->at_place;
		if (balancers_knows_place(balancer))
			pins_hold(balancers->pins, address, &view->place);
		else
			pins_release(balancers->pins, address);
	}
}

static void balancers_send(
	void *context, const struct addr_port *balancer, const uint8_t *data, size_t size_bytes)
{
	struct balancers *balancers = context;
	enum proto_type type = PROTO_TYPE_N_;

	(void)proto_peek_type(data, size_bytes, &type);
	if (balancers->pins)
		balancers_pin(balancers, &balancer->addr, type == PROTO_HELLO);
	/* A datagram that is lost here is lost like any other: everything is repeated. */
	if (balancers->net)
		(void)net_send(balancers->net, balancer, data, size_bytes);
}

static const char *balancers_state_name(enum register_state state)
{
	static const char *const names[] = {
		[REGISTER_IDLE] = "",
		[REGISTER_CONNECTING] = "not registered",
		[REGISTER_REGISTERED] = "registered",
		[REGISTER_REFUSED] = "refused",
		[REGISTER_LEAVING] = "leaving",
		[REGISTER_LEFT] = "left",
	};
	_Static_assert(ARRAY_LEN(names) == REGISTER_STATE_N_, "every state has its word");

	return names[state];
}

static void balancers_tell(const struct balancers *balancers, const struct balancer *balancer)
{
	const struct register_view *view = register_view(balancer->registration);
	char address[ADDR_PORT_STRLEN], host[ADDR_STRLEN];
	const struct event event = {
		.message = EVENT_REGISTRATION,
		.level = view->state == REGISTER_REFUSED || view->state == REGISTER_CONNECTING
			? LOG_LEVEL_WARNING
			: LOG_LEVEL_INFO,
		.address = addr_format(&view->balancer.addr, host),
		.old = balancers_state_name(balancer->told),
		.now = balancers_state_name(view->state),
		.reason = view->reason,
	};

	addr_port_format(&view->balancer, address);
	if (view->state == REGISTER_REGISTERED)
		events_raise(balancers->events, &event, "registered with %s", address);
	else if (view->state == REGISTER_LEFT)
		events_raise(balancers->events, &event, "left %s", address);
	else if (view->state == REGISTER_REFUSED || view->state == REGISTER_CONNECTING)
		events_raise(balancers->events, &event, "not registered: %s", view->reason);
}

/* A reason that comes back at each try is told once; the way to an answer is no news. */
static bool balancers_is_news(const struct balancer *balancer, const struct register_view *view)
{
	if (view->state == REGISTER_CONNECTING)
		return strncmp(view->reason, "waiting for", strlen("waiting for")) != 0 &&
			!streq(view->reason, balancer->told_reason);
	return view->state != balancer->told || !streq(view->reason, balancer->told_reason);
}

/* Those that are left, too, until they know it. */
static void balancers_expect(const struct balancers *balancers)
{
	struct addr addresses[BALANCERS_MAX];
	_Static_assert(BALANCERS_MAX <= UDP_ADMIT_MAX, "the socket can hear all of them");

	for (size_t idx = 0; idx < balancers->len; idx++)
		addresses[idx] = register_view(balancers->items[idx].registration)->balancer.addr;
	if (balancers->net)
		net_expect(balancers->net, addresses, balancers->len);
}

static void balancers_drop(struct balancers *balancers, size_t idx)
{
	const struct register_view *view = register_view(balancers->items[idx].registration);

	if (balancers->peers)
		balancers->peers(balancers->context, &view->balancer.addr, NULL);
	balancers->past.received += view->received;
	balancers->past.accepted += view->accepted;
	for (size_t refusal = 0; refusal < REGISTER_REFUSAL_N_; refusal++)
		balancers->past.rejected[refusal] += view->rejected[refusal];
	register_free(balancers->items[idx].registration);
	memmove(&balancers->items[idx], &balancers->items[idx + 1],
		(balancers->len - idx - 1) * sizeof(balancers->items[0]));
	balancers->len--;
	balancers_expect(balancers);
}

/* Each is told of the others that this host serves. */
static void balancers_name_others(struct balancers *balancers)
{
	struct proto_other others[BALANCERS_MAX];

	ARRAY_FOREACH (told, balancers->items, balancers->len) {
		size_t n_others = 0;

		ARRAY_FOREACH (other, balancers->items, balancers->len) {
			const struct register_view *view = register_view(other->registration);

			if (other == told || view->state != REGISTER_REGISTERED)
				continue;
			others[n_others].address = view->balancer.addr;
			memcpy(others[n_others++].name, view->name, sizeof(view->name));
		}
		register_set_others(told->registration, others, n_others);
	}
}

/* Does what is due, tells what is new, and arms the timer: after every event. */
static void balancers_go_on(struct balancers *balancers)
{
	uint64_t now_us = balancers_now(balancers);
	uint64_t next_us = REGISTER_NEVER_US;
	bool changed = false;

	for (size_t idx = 0; idx < balancers->len; idx++) {
		struct balancer *balancer = &balancers->items[idx];
		const struct register_view *view = register_view(balancer->registration);
		uint64_t due_us = register_run_due(balancer->registration, now_us);

		next_us = MIN(next_us, due_us);
		if (balancers->pins && !balancers_knows_place(balancer))
			pins_release(balancers->pins, &view->balancer.addr);
		if (balancers_is_news(balancer, view)) {
			balancers_tell(balancers, balancer);
			balancer->told = view->state;
			memcpy(balancer->told_reason, view->reason, sizeof(balancer->told_reason));
			changed = true;
		}
	}
	for (size_t idx = balancers->len; idx-- > 0;) {
		struct balancer *balancer = &balancers->items[idx];

		if (balancer->leaving &&
			register_view(balancer->registration)->state == REGISTER_LEFT)
			balancers_drop(balancers, idx);
	}
	if (next_us != REGISTER_NEVER_US)
		(void)sd_event_source_set_time(balancers->timer, next_us);
	(void)sd_event_source_set_enabled(
		balancers->timer, next_us == REGISTER_NEVER_US ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	if (changed) {
		balancers_name_others(balancers);
		balancers->changed(balancers->context);
	}
}

static int balancers_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	balancers_go_on(context);
	return 0;
}

int balancers_new(sd_event *event, struct events *events, balancers_changed_fn *changed,
	void *context, struct balancers **ret_balancers)
{
	_cleanup_(balancers_freep) struct balancers *balancers = calloc(1, sizeof(*balancers));
	int r;

	if (!balancers)
		return -ENOMEM;
	balancers->event = event;
	balancers->events = events;
	balancers->changed = changed;
	balancers->context = context;
	r = sd_event_add_time(event, &balancers->timer, CLOCK_MONOTONIC, 0, US_PER_MS,
		balancers_on_timer, balancers);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(balancers->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_balancers = TAKE_PTR(balancers);
	return 0;
}

struct balancers *balancers_free(struct balancers *balancers)
{
	if (!balancers)
		return NULL;
	sd_event_source_disable_unref(balancers->timer);
	for (size_t idx = 0; idx < balancers->len; idx++)
		register_free(balancers->items[idx].registration);
	explicit_bzero(&balancers->identity, sizeof(balancers->identity));
	free(balancers);
	return NULL;
}

void balancers_use_net(struct balancers *balancers, struct net *net)
{
	balancers->net = net;
	balancers_expect(balancers);
}

void balancers_use_pins(struct balancers *balancers, struct pins *pins)
{
	balancers->pins = pins;
}

static void balancers_tell_refusal(
	struct balancers *balancers, const struct addr_port *source, enum register_refusal refusal)
{
	char text[ADDR_PORT_STRLEN], address[ADDR_STRLEN];
	struct event event = {
		.message = EVENT_REFUSED,
		.level = LOG_LEVEL_WARNING,
		.now = register_refusal_name(refusal),
		.reason = register_refusal_name(refusal),
	};
	uint64_t silenced;
	bool many;

	if (!log_limit_is_due(&balancers->refusals, &source->addr, balancers_now(balancers),
		    &silenced, &many))
		return;
	event.address = addr_format(&source->addr, address);
	events_raise(balancers->events, &event,
		"message from %s refused: %s (%llu more since the last such line)%s",
		addr_port_format(source, text), register_refusal_name(refusal),
		(unsigned long long)silenced, many ? "; many sources at once" : "");
}

/* What one says of its table the others compare with theirs. */
static void balancers_relay(struct balancers *balancers, const struct balancer *told)
{
	const struct register_view *view = register_view(told->registration);

	ARRAY_FOREACH (balancer, balancers->items, balancers->len)
		if (balancer != told)
			register_relay(balancer->registration, &view->balancer.addr, &view->told);
}

void balancers_receive(const struct udp_datagram *datagram, void *context)
{
	struct balancers *balancers = context;
	struct balancer *balancer = NULL;
	enum register_refusal refusal = REGISTER_SOURCE;
	uint64_t n_asked = 0, n_told = 0, n_peers = 0;

	for (size_t idx = 0; idx < balancers->len && !balancer; idx++) {
		const struct register_view *view =
			register_view(balancers->items[idx].registration);

		if (addr_equal(&view->balancer.addr, &datagram->source.addr))
			balancer = &balancers->items[idx];
	}
	if (balancer) {
		n_asked = register_view(balancer->registration)->n_asked;
		n_told = register_view(balancer->registration)->n_told;
		n_peers = register_view(balancer->registration)->n_peers;
		refusal = register_receive(balancer->registration,
			&(struct register_datagram){ datagram->source, datagram->hop_limit,
				datagram->data, datagram->size_bytes },
			balancers_now(balancers));
	} else {
		balancers->past.received++;
		balancers->past.rejected[refusal]++;
	}
	if (refusal != REGISTER_ACCEPTED)
		balancers_tell_refusal(balancers, &datagram->source, refusal);
	if (!balancer)
		return;
	n_asked = register_view(balancer->registration)->n_asked - n_asked;
	if (register_view(balancer->registration)->n_told != n_told)
		balancers_relay(balancers, balancer);
	if (register_view(balancer->registration)->n_peers != n_peers && balancers->peers)
		balancers->peers(balancers->context, &datagram->source.addr,
			&register_view(balancer->registration)->peers);
	balancers_go_on(balancers);
	if (n_asked > 0 && balancers->asked)
		balancers->asked(balancers->context);
}

static void balancers_on_count(void *context)
{
	const struct balancers *balancers = context;

	if (balancers->heartbeat)
		balancers->heartbeat(balancers->context);
}

static struct balancer *balancers_find(struct balancers *balancers, const struct addr_port *address)
{
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		const struct register_view *view = register_view(balancer->registration);

		if (!balancer->leaving && view->balancer.port == address->port &&
			addr_equal(&view->balancer.addr, &address->addr))
			return balancer;
	}
	return NULL;
}

static int balancers_add(struct balancers *balancers, const struct addr_port *address)
{
	uint8_t seed[REGISTER_SEED_BYTES];
	struct balancer balancer = { .told = REGISTER_IDLE };

	if (balancers->len >= ARRAY_LEN(balancers->items))
		return -ENOSPC;
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	balancer.registration =
		register_new(address, seed, balancers_send, balancers, balancers_now(balancers));
	explicit_bzero(seed, sizeof(seed));
	if (!balancer.registration)
		return -ENOMEM;
	snprintf(balancer.told_reason, sizeof(balancer.told_reason), "%s",
		register_view(balancer.registration)->reason);
	register_use_counts(balancer.registration, balancers->established, balancers_on_count);
	if (balancers->started) {
		uint64_t now_us = balancers_now(balancers);

		register_set_identity(balancer.registration, &balancers->identity, now_us);
		(void)register_set_status(balancer.registration, &balancers->status, now_us);
		register_start(balancer.registration, now_us);
	}
	balancers->items[balancers->len++] = balancer;
	balancers_expect(balancers);
	return 0;
}

static bool balancers_is_wanted(
	const struct addr_port *addresses, size_t n_addresses, const struct addr_port *address)
{
	ARRAY_FOREACH (item, addresses, n_addresses) {
		if (item->port == address->port && addr_equal(&item->addr, &address->addr))
			return true;
	}
	return false;
}

int balancers_configure(
	struct balancers *balancers, const struct addr_port *addresses, size_t n_addresses)
{
	size_t previous_len = balancers->len;

	ARRAY_FOREACH (address, addresses, n_addresses) {
		int r = balancers_find(balancers, address) ? 0 : balancers_add(balancers, address);

		if (r < 0) {
			while (balancers->len > previous_len)
				balancers_drop(balancers, balancers->len - 1);
			return r;
		}
	}
	ARRAY_FOREACH (balancer, balancers->items, previous_len) {
		const struct register_view *view = register_view(balancer->registration);

		if (balancer->leaving ||
			balancers_is_wanted(addresses, n_addresses, &view->balancer))
			continue;
		balancer->leaving = true;
		register_leave(balancer->registration, balancers_now(balancers));
	}
	balancers_go_on(balancers);
	return 0;
}

void balancers_set_identity(struct balancers *balancers, const struct register_identity *identity,
	const struct proto_status *status)
{
	uint64_t now_us = balancers_now(balancers);

	balancers->identity = *identity;
	balancers->status = *status;
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		if (balancer->leaving)
			continue;
		register_set_identity(balancer->registration, identity, now_us);
		if (register_set_status(balancer->registration, status, now_us) < 0)
			log_error("a status that the protocol cannot carry was not sent");
	}
	balancers_go_on(balancers);
}

void balancers_use_counts(struct balancers *balancers, const uint32_t *established)
{
	balancers->established = established;
	ARRAY_FOREACH (balancer, balancers->items, balancers->len)
		register_use_counts(balancer->registration, established, balancers_on_count);
}

void balancers_set_counts(struct balancers *balancers, const struct proto_status *status)
{
	uint64_t now_us = balancers_now(balancers);

	balancers->status = *status;
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		if (balancer->leaving)
			continue;
		if (register_set_status(balancer->registration, status, now_us) < 0)
			log_error("a status that the protocol cannot carry was not sent");
	}
}

void balancers_set_status(struct balancers *balancers, const struct proto_status *status)
{
	balancers_set_counts(balancers, status);
	balancers_go_on(balancers);
}

void balancers_start(struct balancers *balancers)
{
	uint64_t now_us = balancers_now(balancers);

	if (balancers->started)
		return;
	balancers->started = true;
	ARRAY_FOREACH (balancer, balancers->items, balancers->len)
		register_start(balancer->registration, now_us);
	balancers_go_on(balancers);
}

void balancers_leave(struct balancers *balancers)
{
	uint64_t now_us = balancers_now(balancers);

	ARRAY_FOREACH (balancer, balancers->items, balancers->len)
		register_leave(balancer->registration, now_us);
	balancers_go_on(balancers);
}

bool balancers_have_left(const struct balancers *balancers)
{
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		enum register_state state = register_view(balancer->registration)->state;

		if (state != REGISTER_LEFT && state != REGISTER_IDLE)
			return false;
	}
	return true;
}

bool balancers_are_settled(const struct balancers *balancers)
{
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		if (!register_is_settled(balancer->registration))
			return false;
	}
	return true;
}

/* Those that are being left stand behind the configured ones or among them; `status` skips none. */
size_t balancers_len(const struct balancers *balancers)
{
	return balancers->len;
}

const struct register_view *balancers_view(const struct balancers *balancers, size_t idx)
{
	return register_view(balancers->items[idx].registration);
}

const struct ports *balancers_asked(const struct balancers *balancers, size_t idx)
{
	return register_asked(balancers->items[idx].registration);
}

void balancers_set_ports(
	struct balancers *balancers, size_t idx, const struct proto_ports_status *answer)
{
	if (register_set_ports(
		    balancers->items[idx].registration, answer, balancers_now(balancers)) == 0)
		balancers_go_on(balancers);
}

void balancers_on_asked(struct balancers *balancers, balancers_asked_fn *asked)
{
	balancers->asked = asked;
}

void balancers_on_heartbeat(struct balancers *balancers, balancers_asked_fn *heartbeat)
{
	balancers->heartbeat = heartbeat;
}

void balancers_on_peers(struct balancers *balancers, balancers_peers_fn *peers)
{
	balancers->peers = peers;
}

size_t balancers_registered(const struct balancers *balancers)
{
	size_t n_registered = 0;

	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		if (register_view(balancer->registration)->state == REGISTER_REGISTERED)
			n_registered++;
	}
	return n_registered;
}

void balancers_count(const struct balancers *balancers, struct balancers_counters *ret_counters)
{
	*ret_counters = balancers->past;
	ARRAY_FOREACH (balancer, balancers->items, balancers->len) {
		const struct register_view *view = register_view(balancer->registration);

		ret_counters->received += view->received;
		ret_counters->accepted += view->accepted;
		for (size_t refusal = 0; refusal < REGISTER_REFUSAL_N_; refusal++)
			ret_counters->rejected[refusal] += view->rejected[refusal];
	}
}
