/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few entries, looked at with each heartbeat: see pins.h. */
#include "agent/registration/pins.h"

#include "agent/host/observe.h"
#include "common/grow.h"
#include "common/log.h"
#include "common/os/nl_neigh.h"

struct pin {
	struct addr balancer; /* whose it is, by the address that it is spoken to at */
	struct addr address;
	bool wanted;
	struct mac mac;
	unsigned int ifindex;
	bool standing; /* we have set it */
	bool foreign;
	int error; /* negative errno that was logged last; 0: none */
};

struct pins {
	struct nl *nl;
	unsigned int face;
	struct pin *items;
	size_t len;
};

/* ---- what a killed process left ---- */

struct pins_left {
	struct nl_neigh *items;
	size_t len;
};

static void pins_left_clear(struct pins_left *left)
{
	free(left->items);
}

static int pins_on_entry(const struct nlmsghdr *message, void *context)
{
	struct pins_left *left = context;
	struct nl_neigh neigh;

	if (nl_neigh_parse(message, &neigh) < 0 || !neigh.fixed || neigh.protocol != PINS_PROTOCOL)
		return 0;
	if (GROW(left->items, left->len) < 0)
		return -ENOMEM;
	left->items[left->len++] = neigh;
	return 0;
}

/* They may be of balancers that are elsewhere by now, and then no HELLO would reach them. */
static int pins_sweep(struct pins *pins)
{
	_cleanup_(pins_left_clear) struct pins_left left = { 0 };
	int r = nl_neigh_dump(pins->nl, pins_on_entry, &left);
	char text[ADDR_STRLEN];

	if (r < 0)
		return r;
	ARRAY_FOREACH (neigh, left.items, left.len) {
		r = nl_neigh_delete(pins->nl, neigh->ifindex, &neigh->address);
		if (r < 0 && r != -ENOENT)
			log_warning_errno(r,
				"cannot delete the neighbour entry of %s, which an agent before left",
				addr_format(&neigh->address, text));
	}
	return 0;
}

int pins_new(struct pins **ret_pins)
{
	_cleanup_(pins_freep) struct pins *pins = calloc(1, sizeof(*pins));
	int r;

	if (!pins)
		return -ENOMEM;
	r = nl_open(NETLINK_ROUTE, &pins->nl);
	if (r == 0)
		r = pins_sweep(pins);
	if (r < 0)
		return r;
	*ret_pins = TAKE_PTR(pins);
	return 0;
}

/* ---- one entry ---- */

static struct pin *pins_find(
	const struct pins *pins, const struct addr *balancer, const struct addr *address)
{
	ARRAY_FOREACH (pin, pins->items, pins->len)
		if (addr_equal(&pin->balancer, balancer) && addr_equal(&pin->address, address))
			return pin;
	return NULL;
}

/* Only what is as we made it: who has written over it wants it so. */
static void pins_undo(struct pins *pins, struct pin *pin)
{
	struct nl_neigh neigh;

	if (pin->standing && nl_neigh_query(pins->nl, pin->ifindex, &pin->address, &neigh) == 0 &&
		neigh.fixed && neigh.protocol == PINS_PROTOCOL && mac_equal(&neigh.mac, &pin->mac))
		(void)nl_neigh_delete(pins->nl, pin->ifindex, &pin->address);
	pin->standing = false;
}

/* A link-local address is on many interfaces, and has no route of its own. */
static int pins_way(struct pins *pins, const struct addr *balancer, unsigned int *ret_ifindex)
{
	struct addr source;

	if (!addr_is_link_local6(balancer))
		return observe_route(pins->nl, balancer, &source, ret_ifindex);
	*ret_ifindex = pins->face;
	return pins->face ? 0 : -ENODEV;
}

static int pins_make(
	struct pins *pins, struct pin *pin, unsigned int ifindex, const struct mac *mac)
{
	struct nl_neigh neigh = { 0 };
	int r;

	if (ifindex != pin->ifindex)
		pins_undo(pins, pin);
	pin->ifindex = ifindex;
	r = nl_neigh_query(pins->nl, ifindex, &pin->address, &neigh);
	if (r < 0 && r != -ENOENT)
		return r;
	pin->foreign = neigh.fixed &&
		!(pin->standing && neigh.protocol == PINS_PROTOCOL &&
			mac_equal(&neigh.mac, &pin->mac));
	if (pin->foreign)
		pin->standing = false;
	if (pin->foreign || (neigh.fixed && mac_equal(&neigh.mac, mac)))
		return 0;
	r = nl_neigh_pin(pins->nl, ifindex, &pin->address, mac, PINS_PROTOCOL);
	pin->standing = r == 0;
	pin->mac = *mac;
	return r;
}

static void pins_hold_one(struct pins *pins, const struct addr *balancer,
	const struct addr *address, const struct mac *mac)
{
	struct pin *pin = pins_find(pins, balancer, address);
	unsigned int ifindex = 0;
	char text[ADDR_STRLEN];
	int r;

	if (!pin) {
		if (GROW(pins->items, pins->len) < 0)
			return;
		pin = &pins->items[pins->len++];
		*pin = (struct pin){ .balancer = *balancer, .address = *address };
	}
	pin->wanted = true;
	/* All of them are where the balancer is reached. */
	r = pins_way(pins, balancer, &ifindex);
	if (r == 0)
		r = pins_make(pins, pin, ifindex, mac);
	if (r < 0 && r != pin->error)
		log_warning_errno(
			r, "cannot fix the neighbour entry of %s", addr_format(address, text));
	pin->error = r;
}

static void pins_drop_unwanted(struct pins *pins, const struct addr *balancer)
{
	for (size_t idx = pins->len; idx-- > 0;) {
		struct pin *pin = &pins->items[idx];

		if (pin->wanted || !addr_equal(&pin->balancer, balancer))
			continue;
		pins_undo(pins, pin);
		*pin = pins->items[--pins->len];
	}
}

void pins_hold(struct pins *pins, const struct addr *balancer, const struct proto_place *place)
{
	ARRAY_FOREACH (pin, pins->items, pins->len)
		pin->wanted = !addr_equal(&pin->balancer, balancer);
	if (!mac_is_zero(&place->mac)) {
		pins_hold_one(pins, balancer, balancer, &place->mac);
		ARRAY_FOREACH (address, place->addresses, place->n_addresses)
			pins_hold_one(pins, balancer, address, &place->mac);
	}
	pins_drop_unwanted(pins, balancer);
}

void pins_release(struct pins *pins, const struct addr *balancer)
{
	static const struct proto_place nowhere;

	pins_hold(pins, balancer, &nowhere);
}

struct pins *pins_free(struct pins *pins)
{
	if (!pins)
		return NULL;
	ARRAY_FOREACH (pin, pins->items, pins->len)
		pins_undo(pins, pin);
	nl_free(pins->nl);
	free(pins->items);
	free(pins);
	return NULL;
}

void pins_face(struct pins *pins, unsigned int ifindex)
{
	pins->face = ifindex;
}

enum pins_state pins_state(const struct pins *pins, const struct addr *balancer)
{
	const struct pin *pin = pins_find(pins, balancer, balancer);

	if (!pin)
		return PINS_LEARNED;
	if (pin->foreign)
		return PINS_FOREIGN;
	return pin->standing ? PINS_PINNED : PINS_LEARNED;
}

const char *pins_state_name(enum pins_state state)
{
	static const char *const names[] = {
		[PINS_LEARNED] = "learned",
		[PINS_PINNED] = "pinned",
		[PINS_FOREIGN] = "administrator",
	};
	_Static_assert(ARRAY_LEN(names) == PINS_STATE_N_, "every state has its word");

	return names[state];
}
