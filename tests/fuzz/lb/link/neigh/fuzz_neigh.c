/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a datagram of rtnetlink messages: what a parser accepts is inside its range, and the
 * model of the host takes it, in any order.
 */
#include <libmnl/libmnl.h>

#include "common/os/nl.h"
#include "lb/link/neigh/neigh_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_address(const struct addr *address)
{
	if (address->family != AF_INET && address->family != AF_INET6)
		abort();
}

static void check_entry(struct neigh_model *model, const struct neigh_entry_message *entry)
{
	check_address(&entry->address);
	if (entry->ifindex == 0 || entry->state >= NEIGH_ENTRY_N_)
		abort();
	if (entry->state == NEIGH_ENTRY_CONFIRMED && mac_is_zero(&entry->mac))
		abort();
	if (entry->state == NEIGH_ENTRY_GONE) {
		neigh_model_drop(model, &entry->address);
		if (neigh_model_known(model, &entry->address))
			abort();
	} else if (entry->state == NEIGH_ENTRY_CONFIRMED) {
		neigh_model_confirm(model, &entry->address, &entry->mac);
		if (!mac_equal(&neigh_model_known(model, &entry->address)->mac, &entry->mac))
			abort();
	}
}

static void take(struct neigh_model *model, const struct nlmsghdr *message)
{
	struct neigh_link_message link;
	struct neigh_address_message address;
	struct neigh_entry_message entry;
	struct neigh_route_message route;

	if (neigh_parse_link(message, &link) == 0) {
		if (link.ifindex == 0 || !memchr(link.name, '\0', sizeof(link.name)))
			abort();
		neigh_model_link(model, &link);
	}
	if (neigh_parse_address(message, &address) == 0) {
		check_address(&address.address);
		if (address.subnet.len > addr_size_bytes(&address.address) * 8)
			abort();
		neigh_model_address(model, &address);
		if (model->backend.n_subnets > NEIGH_SUBNETS_MAX)
			abort();
	}
	if (neigh_parse_entry(message, &entry) == 0)
		check_entry(model, &entry);
	if (neigh_parse_route(message, &route) == 0) {
		check_address(&route.destination);
		if (route.n_gateways > NEIGH_ROUTE_GATEWAYS_MAX)
			abort();
		for (size_t i = 0; i < route.n_gateways; i++)
			check_address(&route.gateways[i].address);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct neigh_model model = { .client.name = "lan0", .backend.name = "lan1" };
	/* An exact copy, aligned as a receive buffer is: a byte too far is seen. */
	_cleanup_free_ void *copy = malloc(size_bytes + 1);
	const struct nlmsghdr *message = copy;
	int left = (int)size_bytes;

	if (!copy)
		return 0;
	memcpy(copy, data, size_bytes);
	for (; nl_message_ok(message, left); message = mnl_nlmsg_next(message, &left))
		take(&model, message);
	neigh_model_clear(&model);
	return 0;
}
