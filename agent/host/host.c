/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups and the kernel's arithmetic over the host model. Called by plan, apply, observe and the
 * reconciler. Pure: must not know where the model came from.
 */
#include "agent/host/host.h"

#include <fnmatch.h>

#include "common/grow.h"
#include "common/search.h"

void host_clear(struct host *host)
{
	free(host->links);
	free(host->addresses);
	*host = (struct host){ 0 };
}

static int host_compare_ifindex(const void *key, const void *element)
{
	unsigned int ifindex = *(const unsigned int *)key;
	const struct host_link *link = element;

	return (ifindex > link->ifindex) - (ifindex < link->ifindex);
}

const struct host_link *host_link(const struct host *host, unsigned int ifindex)
{
	size_t position;

	if (!search_find(&ifindex, host->links, host->n_links, sizeof(*host->links),
		    host_compare_ifindex, &position))
		return NULL;
	return &host->links[position];
}

int host_put_link(struct host *host, const struct host_link *link)
{
	size_t position;
	int r;

	if (search_find(&link->ifindex, host->links, host->n_links, sizeof(*host->links),
		    host_compare_ifindex, &position)) {
		host->links[position] = *link;
		return 0;
	}
	if (host->n_links >= HOST_LINKS_MAX)
		return -E2BIG;
	r = GROW(host->links, host->n_links);
	if (r < 0)
		return r;
	memmove(&host->links[position + 1], &host->links[position],
		(host->n_links - position) * sizeof(*host->links));
	host->links[position] = *link;
	host->n_links++;
	return 0;
}

void host_undo_clear(struct host_undo *undo)
{
	free(undo->originals);
	*undo = (struct host_undo){ 0 };
}

int host_undo_add_original(struct host_undo *undo, const struct host_original *original)
{
	int r;

	if (undo->n_originals >= HOST_LINKS_MAX)
		return -ENOSPC;
	r = GROW(undo->originals, undo->n_originals);
	if (r < 0)
		return r;
	undo->originals[undo->n_originals++] = *original;
	return 0;
}

const struct host_link *host_link_by_name(const struct host *host, const char *name)
{
	ARRAY_FOREACH (link, host->links, host->n_links) {
		if (streq(link->name, name))
			return link;
	}
	return NULL;
}

uint8_t host_full_prefix(const struct addr *addr)
{
	return addr->family == AF_INET ? 32 : 128;
}

const struct host_address *host_vip(
	const struct host *host, unsigned int ifindex, const struct addr *vip)
{
	ARRAY_FOREACH (address, host->addresses, host->n_addresses) {
		if (address->ifindex == ifindex && address->prefix_len == host_full_prefix(vip) &&
			addr_equal(&address->addr, vip))
			return address;
	}
	return NULL;
}

bool host_name_is_exempt(const struct host_wanted *wanted, const char *name)
{
	for (size_t idx = 0; idx < wanted->n_exempt; idx++) {
		if (fnmatch(wanted->exempt[idx], name, 0) == 0)
			return true;
	}
	return false;
}

void host_mark_exempt(struct host *host, const struct host_wanted *wanted)
{
	ARRAY_FOREACH (link, host->links, host->n_links)
		link->exempt = link->ifindex != wanted->balancer_ifindex &&
			host_name_is_exempt(wanted, link->name);
}

bool host_wants_ipv4(const struct host_wanted *wanted)
{
	ARRAY_FOREACH (vip, wanted->vips, wanted->n_vips) {
		if (vip->family == AF_INET)
			return true;
	}
	return false;
}

static bool host_original_fits(const struct host_original *original, const struct host_link *link)
{
	if (original->ifindex != link->ifindex)
		return false;
	return streq(original->name, link->name) ||
		(!mac_is_zero(&link->mac) && mac_equal(&original->mac, &link->mac));
}

const struct host_link *host_link_of_original(
	const struct host *host, const struct host_original *original)
{
	const struct host_link *link = host_link(host, original->ifindex);

	return link && host_original_fits(original, link) ? link : NULL;
}

const struct host_original *host_undo_original(
	const struct host_undo *undo, const struct host_link *link)
{
	ARRAY_FOREACH (original, undo->originals, undo->n_originals) {
		if (host_original_fits(original, link))
			return original;
	}
	return NULL;
}

bool host_undo_has_address(
	const struct host_undo *undo, unsigned int ifindex, const struct addr *addr)
{
	ARRAY_FOREACH (added, undo->added, undo->n_added) {
		if (added->ifindex == ifindex && addr_equal(&added->addr, addr))
			return true;
	}
	return false;
}

/* The kernel compares as int: an all of 0xffffffff is -1 and never wins. */
static uint32_t host_signed_max(uint32_t a, uint32_t b)
{
	return (int32_t)a > (int32_t)b ? a : b;
}

uint32_t host_effective_ignore(const struct host *host, const struct host_link *link)
{
	return host_signed_max(host->all_arp_ignore, link->arp_ignore);
}

uint32_t host_effective_announce(const struct host *host, const struct host_link *link)
{
	return host_signed_max(host->all_arp_announce, link->arp_announce);
}

bool host_ignore_is_right(uint32_t effective)
{
	return effective == 1 || effective == 2;
}

bool host_announce_is_right(uint32_t effective)
{
	return effective == 2;
}

bool host_link_is_silent(const struct host *host, const struct host_link *link)
{
	if (!link->arp || !link->has_inet || link->exempt)
		return true;
	return host_ignore_is_right(host_effective_ignore(host, link)) &&
		host_announce_is_right(host_effective_announce(host, link));
}
