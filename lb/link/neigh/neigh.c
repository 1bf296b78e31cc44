/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours, links and addresses of the balancer's host under sd-event. One socket hears events,
 * another asks; when events were lost everything is dumped again. The model of the host is in
 * neigh_model.c, messages are parsed in neigh_message.c, requests are built in neigh_request.c.
 */
#include "lb/link/neigh/neigh.h"

#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/log_limit.h"
#include "common/os/clock.h"
#include "lb/link/neigh/neigh_message.h"
#include "lb/link/neigh/neigh_model.h"
#include "lb/link/neigh/neigh_moves.h"
#include "lb/link/neigh/neigh_pins.h"
#include "lb/link/neigh/neigh_request.h"

#define NEIGH_RETRY_US    (100 * US_PER_MS)
#define NEIGH_OWNER_BYTES (ADDR_STRLEN + sizeof("the gateway "))

struct neigh {
	struct nl *requests;
	struct nl *events;
	sd_event_source *events_source;
	sd_event_source *resync_source; /* a timer: due at once, or after a failure */
	sd_event_source *moves_source;  /* a timer: somebody was asked, and has not answered */
	struct neigh_callbacks callbacks;
	void *context;
	struct neigh_model model;
	struct neigh_pins pins;
	struct neigh_moves moves;
	struct log_limit moves_said;
	struct neigh_gateways gateways, client_gateways; /* of the two interfaces */
	struct neigh_routes routes[2]; /* IPv4, IPv6: while many blackholes are added */
	bool adds_many;
	bool link_changed; /* in the messages that are being read */
	bool entries_only; /* the next resynchronisation is about neighbours alone */
};

static void neigh_blackholes_forget(struct neigh *neigh)
{
	ARRAY_FOREACH (routes, neigh->routes, ARRAY_LEN(neigh->routes))
		neigh_routes_clear(routes);
}

/* Only asks for it: the dump is made from the event loop, never inside a caller's call. */
static int neigh_schedule(struct neigh *neigh, uint64_t delay_us, bool entries_only)
{
	int enabled = SD_EVENT_OFF, r;

	r = sd_event_source_get_enabled(neigh->resync_source, &enabled);
	if (r < 0)
		return r;
	neigh->entries_only = entries_only && (enabled == SD_EVENT_OFF || neigh->entries_only);
	r = sd_event_source_set_time_relative(neigh->resync_source, delay_us);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(neigh->resync_source, SD_EVENT_ONESHOT);
}

/* Without a resynchronisation the balancer would go on with old MACs: that must be heard of. */
static void neigh_schedule_or_log(struct neigh *neigh, uint64_t delay_us, bool entries_only)
{
	int r = neigh_schedule(neigh, delay_us, entries_only);

	if (r < 0)
		log_errno(r, "cannot schedule a look at neighbours and links");
}

static void neigh_tell_gone(struct neigh *neigh, const struct addr *address)
{
	static const struct mac none;
	const struct addr copy = *address; /* dropping moves what it points into */

	neigh_model_drop(&neigh->model, &copy);
	neigh->callbacks.neighbour(&copy, &none, neigh->context);
}

/*
 * A MAC that was learnt from an unasked message (a gratuitous ARP after a change of the network
 * card) is asked for at once, if anybody ever cared for this neighbour.
 */
static void neigh_doubt(struct neigh *neigh, const struct neigh_entry_message *entry)
{
	const struct neigh_known *known = neigh_model_known(&neigh->model, &entry->address);
	char text[ADDR_STRLEN];
	int r;

	if (!known || mac_equal(&known->mac, &entry->mac))
		return;
	r = neigh_request_confirm(neigh->requests, entry->ifindex, &entry->address);
	if (r < 0)
		log_debug("cannot have the new MAC of %s confirmed: %s",
			addr_format(&entry->address, text), strerrordesc_np(-r));
}

static bool neigh_is_pin(const struct neigh_entry_message *entry)
{
	return entry->state == NEIGH_ENTRY_CONFIRMED && entry->fixed &&
		entry->protocol == NEIGH_ROUTE_PROTOCOL;
}

/* Whether a pinned neighbour's entry still is what it must be; also of one that a killed process left. */
static void neigh_look_at_pin(struct neigh *neigh, const struct neigh_entry_message *entry)
{
	struct neigh_pin *pin = neigh_pins_find(&neigh->pins, &entry->address);
	const struct neigh_pin left = {
		.address = entry->address, .mac = entry->mac, .standing = true, .unwanted = true
	};

	if (!pin) {
		/* Without memory it stays until the next dump, or for ever: as harmless as before. */
		if (neigh_is_pin(entry))
			(void)neigh_pins_set(&neigh->pins, &left);
		return;
	}
	pin->standing = neigh_is_pin(entry) && mac_equal(&pin->mac, &entry->mac);
	pin->foreign =
		entry->state == NEIGH_ENTRY_CONFIRMED && entry->fixed && !neigh_is_pin(entry);
}

static void neigh_tell(struct neigh *neigh, const struct neigh_entry_message *entry)
{
	neigh_model_confirm(&neigh->model, &entry->address, &entry->mac);
	neigh->callbacks.neighbour(&entry->address, &entry->mac, neigh->context);
}

/* Who is known to have a MAC that a real server is said to have; NULL: nobody else. */
static const char *neigh_owner(struct neigh *neigh, const struct neigh_move *move,
	const struct mac *mac, char ret_text[NEIGH_OWNER_BYTES])
{
	const struct neigh_move *other;
	const struct neigh_pin *pin;
	const struct addr *gateway;
	char text[ADDR_STRLEN];

	if (mac_equal(mac, &move->believed))
		return NULL;
	if (mac_equal(mac, &neigh->model.backend.mac) || mac_equal(mac, &neigh->model.client.mac))
		return "the balancer";
	pin = neigh_pins_other(&neigh->pins, &move->believed, mac);
	if (pin)
		return addr_format(&pin->address, ret_text);
	other = neigh_moves_other(&neigh->moves, move, mac);
	if (other)
		return addr_format(&other->address, ret_text);
	gateway = neigh_gateways_at(neigh->requests, neigh->model.backend.ifindex, &neigh->gateways,
		mac, clock_now_us());
	if (!gateway || addr_equal(gateway, &move->address))
		return NULL;
	snprintf(ret_text, NEIGH_OWNER_BYTES, "the gateway %s", addr_format(gateway, text));
	return ret_text;
}

static bool neigh_says_of(struct neigh *neigh, const struct addr *address)
{
	uint64_t silenced;
	bool many;

	return log_limit_is_due(&neigh->moves_said, address, clock_now_us(), &silenced, &many);
}

static void neigh_say_owner(struct neigh *neigh, const struct neigh_move *move,
	const struct mac *mac, const char *owner)
{
	char text[ADDR_STRLEN], mac_text[MAC_STRLEN];

	if (owner && neigh_says_of(neigh, &move->address))
		log_warning("real server %s is not believed to be at %s: that MAC is that of %s",
			addr_format(&move->address, text), mac_format(mac, mac_text), owner);
}

static void neigh_say_refused(
	struct neigh *neigh, const struct neigh_move *move, const struct mac *candidate)
{
	char text[ADDR_STRLEN], mac_text[MAC_STRLEN], said[MAC_STRLEN];

	if (!mac_is_zero(candidate) && neigh_says_of(neigh, &move->address))
		log_warning("real server %s is not believed to be at %s: it still answers at %s",
			addr_format(&move->address, text), mac_format(candidate, said),
			mac_format(&move->believed, mac_text));
}

static void neigh_moves_arm(struct neigh *neigh)
{
	uint64_t due_us = neigh_moves_due_us(&neigh->moves), now_us = clock_now_us();
	int r;

	if (due_us == UINT64_MAX)
		return;
	r = sd_event_source_set_time_relative(
		neigh->moves_source, due_us > now_us ? due_us - now_us : 0);
	if (r >= 0)
		r = sd_event_source_set_enabled(neigh->moves_source, SD_EVENT_ONESHOT);
	if (r < 0)
		log_errno(r, "cannot wait for a real server's answer");
}

/* Has the kernel ask what is to be asked. */
static void neigh_ask(
	struct neigh *neigh, const struct neigh_move *move, enum neigh_moves_verdict verdict)
{
	unsigned int ifindex = neigh->model.backend.ifindex;
	const struct addr *address = &move->address;
	char text[ADDR_STRLEN];
	int r = 0;

	if (verdict == NEIGH_MOVES_ASK_OLD) {
		r = neigh_request_ask_at(neigh->requests, ifindex, address, &move->believed);
	} else if (verdict == NEIGH_MOVES_ASK_NEW) {
		r = neigh_request_ask_at(neigh->requests, ifindex, address, &move->candidate);
	} else if (verdict == NEIGH_MOVES_ANEW) {
		/* Somebody may have said that a gateway is where this one is, which nobody has seen yet. */
		if (mac_is_zero(&move->believed))
			neigh_gateways_ask_anew(neigh->requests, ifindex, &neigh->gateways);
		(void)nl_neigh_delete(neigh->requests, ifindex, address);
		r = neigh_request_resolve(neigh->requests, ifindex, address);
	}
	if (r < 0)
		log_debug("cannot ask where %s is: %s", addr_format(address, text),
			strerrordesc_np(-r));
	if (move->phase != NEIGH_MOVES_SETTLED)
		neigh_moves_arm(neigh);
}

static int neigh_on_moves(sd_event_source *source, uint64_t time_us, void *context)
{
	struct neigh *neigh = context;
	uint64_t now_us = clock_now_us();

	ARRAY_FOREACH (move, neigh->moves.items, neigh->moves.len)
		neigh_ask(neigh, move, neigh_moves_run(move, now_us));
	neigh_moves_arm(neigh);
	return 0;
}

/* What the kernel says of a real server without an agent. */
static void neigh_on_watched(
	struct neigh *neigh, struct neigh_move *move, const struct neigh_entry_message *entry)
{
	enum neigh_moves_verdict verdict = NEIGH_MOVES_NOTHING;
	const struct mac candidate = move->candidate;
	uint64_t now_us = clock_now_us();
	char owner_text[NEIGH_OWNER_BYTES];
	const char *owner = NULL;

	if (entry->state == NEIGH_ENTRY_CONFIRMED || entry->state == NEIGH_ENTRY_DOUBTFUL) {
		owner = neigh_owner(neigh, move, &entry->mac, owner_text);
		neigh_say_owner(neigh, move, &entry->mac, owner);
	}
	if (entry->state == NEIGH_ENTRY_CONFIRMED)
		verdict = neigh_moves_answered(move, &entry->mac, owner != NULL, now_us);
	else if (entry->state == NEIGH_ENTRY_DOUBTFUL)
		verdict = neigh_moves_learnt(move, &entry->mac, owner != NULL, now_us);
	else if (entry->state == NEIGH_ENTRY_GONE && entry->failed)
		verdict = neigh_moves_failed(move, now_us);
	else if (entry->state == NEIGH_ENTRY_GONE && move->phase == NEIGH_MOVES_SETTLED)
		verdict = NEIGH_MOVES_TELL;
	if (verdict == NEIGH_MOVES_REFUSED)
		neigh_say_refused(neigh, move, &candidate);
	if (verdict != NEIGH_MOVES_TELL && verdict != NEIGH_MOVES_REFUSED)
		neigh_ask(neigh, move, verdict);
	else if (entry->state == NEIGH_ENTRY_GONE)
		neigh_tell_gone(neigh, &entry->address);
	else
		neigh_tell(neigh, entry);
}

static void neigh_on_entry(struct neigh *neigh, const struct nlmsghdr *message)
{
	struct neigh_entry_message entry;
	struct neigh_known *known;
	struct neigh_move *move;

	if (neigh_parse_entry(message, &entry) < 0 || neigh->model.backend.ifindex == 0 ||
		entry.ifindex != neigh->model.backend.ifindex)
		return;
	neigh_look_at_pin(neigh, &entry);
	known = neigh_model_known(&neigh->model, &entry.address);
	if (known)
		known->seen = true;
	move = neigh_moves_find(&neigh->moves, &entry.address);
	if (move && !entry.fixed)
		neigh_on_watched(neigh, move, &entry);
	else if (entry.state == NEIGH_ENTRY_GONE)
		neigh_tell_gone(neigh, &entry.address);
	else if (entry.state == NEIGH_ENTRY_CONFIRMED)
		neigh_tell(neigh, &entry);
	else if (entry.state == NEIGH_ENTRY_DOUBTFUL)
		neigh_doubt(neigh, &entry);
}

/* Deletes the entry if it is ours: an administrator may have made another one meanwhile. */
static void neigh_delete_pin(struct neigh *neigh, unsigned int ifindex, const struct addr *address)
{
	struct neigh_entry_message entry;
	char text[ADDR_STRLEN];
	int r = neigh_query_entry(neigh->requests, ifindex, address, &entry);

	if (r == 0 && neigh_is_pin(&entry))
		r = nl_neigh_delete(neigh->requests, ifindex, address);
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		log_debug("cannot delete the neighbour entry of %s: %s", addr_format(address, text),
			strerrordesc_np(-r));
}

static void neigh_unpin_all(struct neigh *neigh, unsigned int ifindex)
{
	ARRAY_FOREACH (pin, neigh->pins.items, ifindex != 0 ? neigh->pins.len : 0)
		if (!pin->foreign)
			neigh_delete_pin(neigh, ifindex, &pin->address);
	neigh_pins_clear(&neigh->pins);
}

static void neigh_unpin_unwanted(struct neigh *neigh)
{
	struct neigh_pins *pins = &neigh->pins;

	for (size_t idx = pins->len; idx-- > 0;) {
		const struct addr address = pins->items[idx].address;

		if (pins->items[idx].unwanted)
			neigh_unpin(neigh, &address);
	}
}

static int neigh_on_message(const struct nlmsghdr *message, void *context)
{
	struct neigh *neigh = context;
	struct neigh_link_message link;
	struct neigh_address_message address;
	unsigned int backend = neigh->model.backend.ifindex;

	if (neigh_parse_link(message, &link) == 0) {
		neigh->link_changed |= neigh_model_link(&neigh->model, &link);
		/* Another interface has other neighbours: its events may have come already. */
		if (backend != neigh->model.backend.ifindex) {
			neigh_unpin_all(neigh, backend);
			neigh_schedule_or_log(neigh, 0, true);
		}
	} else if (neigh_parse_address(message, &address) == 0) {
		neigh->link_changed |= neigh_model_address(&neigh->model, &address);
	} else {
		neigh_on_entry(neigh, message);
	}
	return 0;
}

static void neigh_tell_link(struct neigh *neigh)
{
	if (!neigh->link_changed)
		return;
	neigh->link_changed = false;
	neigh->callbacks.link(neigh->context);
}

static int neigh_on_dump_link(const struct nlmsghdr *message, void *context)
{
	struct neigh_model *model = context;
	struct neigh_link_message link;

	if (neigh_parse_link(message, &link) == 0)
		neigh_model_link(model, &link);
	return 0;
}

static int neigh_on_dump_address(const struct nlmsghdr *message, void *context)
{
	struct neigh_model *model = context;
	struct neigh_address_message address;

	if (neigh_parse_address(message, &address) == 0)
		neigh_model_address(model, &address);
	return 0;
}

static int neigh_on_dump_entry(const struct nlmsghdr *message, void *context)
{
	neigh_on_entry(context, message);
	return 0;
}

/* Links and addresses anew. The two links are told of afterwards, changed or not. */
static int neigh_read_host(struct neigh *neigh)
{
	unsigned int backend = neigh->model.backend.ifindex;
	int r;

	neigh_model_forget_host(&neigh->model);
	r = neigh_dump_links(neigh->requests, neigh_on_dump_link, &neigh->model);
	if (r < 0)
		return r;
	if (backend != neigh->model.backend.ifindex)
		neigh_unpin_all(neigh, backend);
	return neigh_dump_addresses(neigh->requests, neigh_on_dump_address, &neigh->model);
}

/* Neighbours anew: what is there is told, what was there and is no longer, too. */
static int neigh_read_entries(struct neigh *neigh)
{
	struct neigh_model *model = &neigh->model;
	int r;

	ARRAY_FOREACH (known, model->known, model->n_known)
		known->seen = false;
	ARRAY_FOREACH (pin, neigh->pins.items, neigh->pins.len)
		pin->standing = pin->foreign = false;
	if (model->backend.ifindex != 0) {
		r = neigh_dump_entries(
			neigh->requests, model->backend.ifindex, neigh_on_dump_entry, neigh);
		if (r < 0)
			return r;
	}
	for (size_t idx = model->n_known; idx-- > 0;)
		if (!model->known[idx].seen)
			neigh_tell_gone(neigh, &model->known[idx].address);
	neigh_unpin_unwanted(neigh);
	return 0;
}

static int neigh_on_resync(sd_event_source *source, uint64_t time_us, void *context)
{
	struct neigh *neigh = context;
	int r = 0;

	if (!neigh->entries_only) {
		r = neigh_read_host(neigh);
		neigh->link_changed |= r == 0;
	}
	if (r == 0) {
		neigh_tell_link(neigh);
		r = neigh_read_entries(neigh);
	}
	if (r < 0) {
		log_warning_errno(r, "cannot read links and neighbours; trying again");
		neigh_schedule_or_log(neigh, NEIGH_RETRY_US, false);
	}
	return 0;
}

static int neigh_on_events(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct neigh *neigh = context;
	int r;

	r = nl_read_events(neigh->events, neigh_on_message, neigh);
	neigh_tell_link(neigh);
	if (r == -ENOBUFS) {
		log_debug("netlink events were lost; reading everything anew");
		neigh_schedule_or_log(neigh, 0, false);
	} else if (r < 0) {
		log_warning_errno(r, "cannot read netlink events; reading everything anew");
		neigh_schedule_or_log(neigh, NEIGH_RETRY_US, false);
	}
	return 0;
}

static int neigh_open(struct neigh *neigh)
{
	static const unsigned int groups[] = { RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, 0 };
	const int on = 1;
	int r;

	r = nl_open(NETLINK_ROUTE, &neigh->requests);
	if (r < 0)
		return r;
	/* Lets the kernel filter dumps; one that cannot sends more, and the parsers filter. */
	(void)setsockopt(
		nl_fd(neigh->requests), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	/* Events first, then the dump: what happens in between is seen twice rather than never. */
	return nl_open_events(NETLINK_ROUTE, groups, &neigh->events);
}

int neigh_start(sd_event *event, const char *interface, const char *backend_interface,
	const struct neigh_callbacks *callbacks, void *context, struct neigh **ret_neigh)
{
	_cleanup_(neigh_freep) struct neigh *neigh = calloc(1, sizeof(*neigh));
	int r;

	if (!neigh)
		return -ENOMEM;
	neigh->callbacks = *callbacks;
	neigh->context = context;
	snprintf(neigh->model.client.name, sizeof(neigh->model.client.name), "%s", interface);
	snprintf(neigh->model.backend.name, sizeof(neigh->model.backend.name), "%s",
		backend_interface);
	r = neigh_open(neigh);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &neigh->events_source, nl_fd(neigh->events), EPOLLIN,
		neigh_on_events, neigh);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(
		event, &neigh->resync_source, CLOCK_MONOTONIC, 0, 1, neigh_on_resync, neigh);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(
		event, &neigh->moves_source, CLOCK_MONOTONIC, 0, 1, neigh_on_moves, neigh);
	if (r < 0)
		return r;
	neigh->entries_only = true;
	r = neigh_read_host(neigh);
	if (r < 0)
		return r;
	*ret_neigh = TAKE_PTR(neigh);
	return 0;
}

struct neigh *neigh_free(struct neigh *neigh)
{
	if (!neigh)
		return NULL;
	sd_event_source_disable_unref(neigh->events_source);
	sd_event_source_disable_unref(neigh->resync_source);
	sd_event_source_disable_unref(neigh->moves_source);
	if (neigh->requests)
		neigh_unpin_all(neigh, neigh->model.backend.ifindex);
	nl_free(neigh->events);
	nl_free(neigh->requests);
	neigh_blackholes_forget(neigh);
	neigh_model_clear(&neigh->model);
	neigh_moves_clear(&neigh->moves);
	free(neigh);
	return NULL;
}

const struct neigh_link *neigh_client_link(const struct neigh *neigh)
{
	return &neigh->model.client;
}

const struct neigh_link *neigh_backend_link(const struct neigh *neigh)
{
	return &neigh->model.backend;
}

int neigh_probe(struct neigh *neigh, const struct addr *address, const struct mac *believed)
{
	unsigned int ifindex = neigh->model.backend.ifindex;
	struct neigh_entry_message entry;
	int r;

	if (ifindex == 0)
		return -ENODEV;
	r = neigh_moves_watch(&neigh->moves, address, believed);
	if (r < 0)
		return r;
	if (!neigh->gateways.known)
		neigh_gateways_read(neigh->requests, ifindex, &neigh->gateways, clock_now_us());
	r = neigh_query_entry(neigh->requests, ifindex, address, &entry);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && entry.fixed) /* No event will come; what the table says is told anew. */
		return neigh_schedule(neigh, 0, true);
	if (r == 0 && entry.state == NEIGH_ENTRY_PROBING)
		return 0;
	if (r == 0 &&
		(entry.state == NEIGH_ENTRY_CONFIRMED || entry.state == NEIGH_ENTRY_DOUBTFUL)) {
		r = neigh_request_confirm(neigh->requests, ifindex, address);
		/* It failed, or vanished, between the look and the request. */
		if (r != -EINVAL && r != -ENOENT)
			return r;
	}
	return neigh_request_resolve(neigh->requests, ifindex, address);
}

int neigh_pin(struct neigh *neigh, const struct addr *address, const struct mac *mac)
{
	struct neigh_pin pin = { .address = *address, .mac = *mac };
	const struct neigh_pin *old = neigh_pins_find(&neigh->pins, address);
	unsigned int ifindex = neigh->model.backend.ifindex;
	struct neigh_entry_message entry;
	int r;

	if (neigh_is_gateway(neigh->requests, ifindex, &neigh->gateways, address))
		return -EPERM;
	neigh_moves_drop(&neigh->moves, address);
	if (old && !mac_equal(&old->mac, mac))
		pin.left = old->mac;
	else if (old)
		pin.left = old->left;
	if (old && !old->unwanted && (old->foreign || (old->standing && mac_equal(&old->mac, mac))))
		return 0;
	if (ifindex == 0)
		return -ENODEV;
	r = neigh_query_entry(neigh->requests, ifindex, address, &entry);
	if (r < 0 && r != -ENOENT)
		return r;
	pin.foreign = r == 0 && entry.state == NEIGH_ENTRY_CONFIRMED && entry.fixed &&
		!neigh_is_pin(&entry);
	pin.standing = !pin.foreign;
	/* Known first: what was not remembered would never be deleted. */
	r = neigh_pins_set(&neigh->pins, &pin);
	if (r < 0 || pin.foreign)
		return r;
	r = nl_neigh_pin(neigh->requests, ifindex, address, mac, NEIGH_ROUTE_PROTOCOL);
	if (r < 0)
		neigh_pins_drop(&neigh->pins, address);
	return r;
}

void neigh_unpin(struct neigh *neigh, const struct addr *address)
{
	const struct neigh_pin *pin = neigh_pins_find(&neigh->pins, address);

	if (!pin)
		return;
	if (!pin->foreign)
		neigh_delete_pin(neigh, neigh->model.backend.ifindex, address);
	neigh_pins_drop(&neigh->pins, address);
}

void neigh_forget(struct neigh *neigh, const struct addr *address)
{
	neigh_unpin(neigh, address);
	neigh_moves_drop(&neigh->moves, address);
}

bool neigh_has_address(const struct neigh *neigh, const struct addr *address)
{
	const struct neigh_model *model = &neigh->model;

	ARRAY_FOREACH (own, model->addresses, model->n_addresses)
		if (addr_equal(&own->address, address))
			return true;
	return false;
}

void neigh_list_gateways(struct neigh *neigh, struct addr **ret_gateways, size_t *ret_len)
{
	const unsigned int links[] = { neigh->model.client.ifindex, neigh->model.backend.ifindex };
	struct addr *gateways = NULL;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		if (links[i] == 0 || (i > 0 && links[i] == links[0]))
			continue;
		(void)neigh_dump_gateways(neigh->requests, AF_INET, links[i], &gateways, &len);
		(void)neigh_dump_gateways(neigh->requests, AF_INET6, links[i], &gateways, &len);
	}
	*ret_gateways = gateways;
	*ret_len = len;
}

size_t neigh_list_gateway_macs(struct neigh *neigh, struct mac *macs, size_t max)
{
	unsigned int client = neigh->model.client.ifindex, backend = neigh->model.backend.ifindex;
	uint64_t now_us = clock_now_us();
	size_t len = 0;

	if (backend != 0)
		len = neigh_gateways_macs(
			neigh->requests, backend, &neigh->gateways, macs, max, now_us);
	if (client != 0 && client != backend)
		len += neigh_gateways_macs(neigh->requests, client, &neigh->client_gateways,
			macs + len, max - len, now_us);
	return len;
}

void neigh_blackholes_begin(struct neigh *neigh)
{
	neigh_blackholes_forget(neigh);
	neigh->adds_many = true;
}

void neigh_blackholes_end(struct neigh *neigh)
{
	neigh_blackholes_forget(neigh);
	neigh->adds_many = false;
}

int neigh_blackhole_add(struct neigh *neigh, const struct addr *vip)
{
	struct neigh_routes *routes = &neigh->routes[vip->family == AF_INET6];

	if (!neigh->adds_many)
		neigh_routes_clear(routes);
	return neigh_route_add(neigh->requests, vip, routes);
}

int neigh_blackhole_mend(struct neigh *neigh, const struct addr *vip, bool *ret_was_gone)
{
	int r = neigh_route_try(neigh->requests, vip);

	if (r < 0 && r != -EEXIST)
		return r;
	*ret_was_gone = r == 0;
	return 0;
}

int neigh_blackhole_remove(struct neigh *neigh, const struct addr *vip)
{
	return neigh_route_remove(neigh->requests, vip);
}
