/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lb/link/neigh/neigh.c knows of the host: two links found by name, all addresses, and the neighbours
 * that were confirmed. Pure: messages in, a changed model out.
 */
#include "lb/link/neigh/neigh_model.h"

#include "common/grow.h"
#include "common/search.h"

void neigh_model_clear(struct neigh_model *model)
{
	free(model->addresses);
	free(model->known);
	*model = (struct neigh_model){ 0 };
}

static void neigh_link_lose(struct neigh_link *link)
{
	struct neigh_link lost = { 0 };

	memcpy(lost.name, link->name, sizeof(lost.name));
	*link = lost;
}

static bool neigh_link_equal(const struct neigh_link *a, const struct neigh_link *b)
{
	if (a->ifindex != b->ifindex || !mac_equal(&a->mac, &b->mac) ||
		a->mtu_bytes != b->mtu_bytes || a->running != b->running ||
		a->master != b->master || a->n_subnets != b->n_subnets)
		return false;
	for (size_t idx = 0; idx < a->n_subnets; idx++)
		if (a->subnets[idx].len != b->subnets[idx].len ||
			!addr_equal(&a->subnets[idx].addr, &b->subnets[idx].addr) ||
			!addr_equal(&a->addresses[idx], &b->addresses[idx]) ||
			a->lasting[idx] != b->lasting[idx])
			return false;
	return true;
}

/*
 * The name decides: a link that took another name is lost, one that took ours is found, whichever
 * comes first when two change places.
 */
static void neigh_link_apply(struct neigh_link *link, const struct neigh_link_message *message)
{
	bool named = strncmp(link->name, message->name, sizeof(link->name)) == 0;

	if (link->ifindex == message->ifindex && (message->gone || !named)) {
		neigh_link_lose(link);
		return;
	}
	if (!named || message->gone)
		return;
	link->ifindex = message->ifindex;
	link->mac = message->mac;
	link->mtu_bytes = message->mtu_bytes;
	link->running = message->running;
	link->master = message->master;
}

static void neigh_link_fill_subnets(struct neigh_link *link, const struct neigh_model *model)
{
	link->n_subnets = 0;
	if (link->ifindex == 0)
		return;
	for (size_t idx = 0; idx < model->n_addresses; idx++) {
		const struct neigh_own_address *own = &model->addresses[idx];

		if (own->ifindex != link->ifindex || link->n_subnets == NEIGH_SUBNETS_MAX)
			continue;
		link->subnets[link->n_subnets] = own->subnet;
		link->lasting[link->n_subnets] = own->lasting;
		link->addresses[link->n_subnets++] = own->address;
	}
}

/* Fills subnets and addresses of both links from the host's addresses; whether that changed one. */
static bool neigh_model_update_subnets(struct neigh_model *model)
{
	struct neigh_link client = model->client, backend = model->backend;

	neigh_link_fill_subnets(&model->client, model);
	neigh_link_fill_subnets(&model->backend, model);
	return !neigh_link_equal(&client, &model->client) ||
		!neigh_link_equal(&backend, &model->backend);
}

bool neigh_model_link(struct neigh_model *model, const struct neigh_link_message *message)
{
	struct neigh_link client = model->client, backend = model->backend;

	neigh_link_apply(&model->client, message);
	neigh_link_apply(&model->backend, message);
	neigh_model_update_subnets(model);
	return !neigh_link_equal(&client, &model->client) ||
		!neigh_link_equal(&backend, &model->backend);
}

static bool neigh_own_address_is(
	const struct neigh_own_address *own, const struct neigh_address_message *message)
{
	return own->ifindex == message->ifindex && own->subnet.len == message->subnet.len &&
		addr_equal(&own->address, &message->address) &&
		addr_equal(&own->subnet.addr, &message->subnet.addr);
}

static bool neigh_model_set_address(
	struct neigh_model *model, const struct neigh_address_message *message)
{
	size_t idx = 0;

	while (idx < model->n_addresses && !neigh_own_address_is(&model->addresses[idx], message))
		idx++;
	if (message->gone) {
		if (idx == model->n_addresses)
			return false;
		model->n_addresses--;
		memmove(&model->addresses[idx], &model->addresses[idx + 1],
			(model->n_addresses - idx) * sizeof(*model->addresses));
		return true;
	}
	if (idx < model->n_addresses) {
		model->addresses[idx].lasting = message->lasting;
		return false;
	}
	if (idx == NEIGH_ADDRESSES_MAX || GROW(model->addresses, model->n_addresses) < 0)
		return false;
	model->addresses[model->n_addresses++] = (struct neigh_own_address){ message->ifindex,
		message->address, message->subnet, message->lasting };
	return true;
}

bool neigh_model_address(struct neigh_model *model, const struct neigh_address_message *message)
{
	bool changed = neigh_model_set_address(model, message);

	return neigh_model_update_subnets(model) || changed;
}

void neigh_model_forget_host(struct neigh_model *model)
{
	neigh_link_lose(&model->client);
	neigh_link_lose(&model->backend);
	model->n_addresses = 0;
}

static int neigh_known_compare(const void *key, const void *element)
{
	return addr_compare(key, &((const struct neigh_known *)element)->address);
}

/* Whether it is known; `*ret_idx` is where it is, or belongs. */
static bool neigh_known_find(
	const struct neigh_model *model, const struct addr *address, size_t *ret_idx)
{
	return search_find(address, model->known, model->n_known, sizeof(*model->known),
		neigh_known_compare, ret_idx);
}

struct neigh_known *neigh_model_known(const struct neigh_model *model, const struct addr *address)
{
	size_t idx;

	return neigh_known_find(model, address, &idx) ? &model->known[idx] : NULL;
}

void neigh_model_confirm(
	struct neigh_model *model, const struct addr *address, const struct mac *mac)
{
	struct neigh_known *known;
	size_t idx;

	if (!neigh_known_find(model, address, &idx)) {
		if (model->n_known == NEIGH_KNOWN_MAX || GROW(model->known, model->n_known) < 0)
			return;
		known = &model->known[idx];
		memmove(known + 1, known, (model->n_known - idx) * sizeof(*known));
		model->n_known++;
	}
	model->known[idx] = (struct neigh_known){ *address, *mac, true };
}

void neigh_model_drop(struct neigh_model *model, const struct addr *address)
{
	struct neigh_known *known = neigh_model_known(model, address);

	if (!known)
		return;
	model->n_known--;
	memmove(known, known + 1,
		(model->n_known - (size_t)(known - model->known)) * sizeof(*known));
}
