/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of clients: see client_lists.h. A walk along the line of addresses, once for each family: at each prefix's
 * first address, and behind its last one, somebody else decides.
 */
#include "lb/engine/client_lists.h"

#include <sys/mman.h>

#include "lb/fwd/clients.h"

/* Prefixes that lie in each other, the shortest first: /0 to /128. */
#define NESTED_MAX 129u

struct walk {
	struct fwd_clients *clients;
	bool is_ip6;
	uint32_t first, len; /* of what the list has in this family */
	bool full;
	bool others_denied;
	struct {
		struct clients_address6 last; /* address of it */
		bool denied;
	} open[NESTED_MAX]; /* that hold the address where the walk is */
	uint32_t n_open;
};

int client_lists_new(struct fwd_clients **ret_clients)
{
	void *memory = mmap(NULL, sizeof(struct fwd_clients), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return util_negative_errno();
	*ret_clients = memory;
	(*ret_clients)->n_lists = 1;
	return 0;
}

void client_lists_free(struct fwd_clients *clients)
{
	if (clients)
		munmap(clients, sizeof(*clients));
}

static uint64_t word_at(const uint8_t *bytes, unsigned int len)
{
	uint64_t word = 0;

	for (unsigned int i = 0; i < len; i++)
		word = word << 8 | bytes[i];
	return word;
}

/* The lower `bits` of a word, all set. */
static uint64_t ones(unsigned int bits)
{
	return bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
}

static struct clients_address6 first_of(const struct addr_prefix *prefix)
{
	const uint8_t *bytes = prefix->addr.bytes;

	if (prefix->addr.family == AF_INET)
		return (struct clients_address6){ 0, word_at(bytes, 4) };
	return (struct clients_address6){ word_at(bytes, 8), word_at(bytes + 8, 8) };
}

static struct clients_address6 last_of(const struct addr_prefix *prefix)
{
	struct clients_address6 last = first_of(prefix);
	unsigned int host_bits =
		(unsigned int)addr_size_bytes(&prefix->addr) * 8 - (unsigned int)prefix->len;

	last.low |= ones(MIN(host_bits, 64u));
	if (host_bits > 64)
		last.high |= ones(host_bits - 64);
	return last;
}

static bool is_below(const struct clients_address6 *a, const struct clients_address6 *b)
{
	return a->high < b->high || (a->high == b->high && a->low < b->low);
}

static struct clients_address6 beginning_at(const struct walk *walk, uint32_t idx)
{
	if (walk->is_ip6)
		return walk->clients->from6[walk->first + idx];
	return (struct clients_address6){ 0, walk->clients->from4[walk->first + idx] };
}

/* From that address on they are denied, or taken, unless more is said of it. */
static void walk_turn(struct walk *walk, const struct clients_address6 *from, bool denied)
{
	uint32_t at = walk->first + walk->len;

	if (walk->len > 0) {
		struct clients_address6 newest = beginning_at(walk, walk->len - 1);

		if (!is_below(&newest, from)) {
			walk->len--;
			at--;
		}
	}
	/* After an even number of beginnings they are denied. */
	if (denied == (walk->len % 2 == 0))
		return;
	if (at == CLIENTS_BEGINNINGS) {
		walk->full = true;
		return;
	}
	if (walk->is_ip6)
		walk->clients->from6[at] = *from;
	else
		walk->clients->from4[at] = (uint32_t)from->low;
	walk->len++;
}

/* The innermost prefix ends: behind it the one around it decides. Behind the last address is nothing. */
static void walk_close(struct walk *walk)
{
	struct clients_address6 next = walk->open[--walk->n_open].last;
	bool denied = walk->n_open ? walk->open[walk->n_open - 1].denied : walk->others_denied;
	bool is_last = next.low == (walk->is_ip6 ? UINT64_MAX : UINT32_MAX) &&
		(!walk->is_ip6 || next.high == UINT64_MAX);

	if (is_last)
		return;
	next.low++;
	next.high += next.low == 0;
	walk_turn(walk, &next, denied);
}

static void walk_open(struct walk *walk, const struct client_prefix *prefix)
{
	struct clients_address6 first = first_of(&prefix->prefix);

	while (walk->n_open && is_below(&walk->open[walk->n_open - 1].last, &first))
		walk_close(walk);
	walk_turn(walk, &first, prefix->denied);
	walk->open[walk->n_open].last = last_of(&prefix->prefix);
	walk->open[walk->n_open++].denied = prefix->denied;
}

static void walk_family(struct walk *walk, const struct client_prefix *prefixes, size_t len)
{
	const struct clients_address6 lowest = { 0, 0 };
	sa_family_t family = walk->is_ip6 ? AF_INET6 : AF_INET;

	walk_turn(walk, &lowest, walk->others_denied);
	for (size_t i = 0; i < len; i++)
		if (prefixes[i].prefix.addr.family == family)
			walk_open(walk, &prefixes[i]);
	while (walk->n_open)
		walk_close(walk);
}

int client_lists_add(struct fwd_clients *clients, const struct client_prefix *prefixes, size_t len,
	uint32_t *ret_place)
{
	struct walk ip4 = { .clients = clients, .first = clients->n_from4 };
	struct walk ip6 = { .clients = clients, .first = clients->n_from6, .is_ip6 = true };

	if (clients->n_lists == CLIENTS_LISTS)
		return -ENOSPC;
	for (size_t i = 0; i < len; i++)
		ip4.others_denied |= !prefixes[i].denied;
	ip6.others_denied = ip4.others_denied;
	walk_family(&ip4, prefixes, len);
	walk_family(&ip6, prefixes, len);
	if (ip4.full || ip6.full)
		return -ENOSPC;
	clients->n_from4 += ip4.len;
	clients->n_from6 += ip6.len;
	clients->lists[clients->n_lists] =
		(struct clients_list){ ip4.first, ip4.len, ip6.first, ip6.len };
	*ret_place = clients->n_lists++;
	return 0;
}

bool client_lists_equal(const struct fwd_clients *a, const struct fwd_clients *b)
{
	return a && b && a->n_lists == b->n_lists && a->n_from4 == b->n_from4 &&
		a->n_from6 == b->n_from6 &&
		memcmp(a->lists, b->lists, a->n_lists * sizeof(*a->lists)) == 0 &&
		memcmp(a->from4, b->from4, a->n_from4 * sizeof(*a->from4)) == 0 &&
		memcmp(a->from6, b->from6, a->n_from6 * sizeof(*a->from6)) == 0;
}

void client_lists_copy(struct fwd_clients *to, const struct fwd_clients *from)
{
	to->n_lists = from->n_lists;
	to->n_from4 = from->n_from4;
	to->n_from6 = from->n_from6;
	memcpy(to->lists, from->lists, from->n_lists * sizeof(*from->lists));
	memcpy(to->from4, from->from4, from->n_from4 * sizeof(*from->from4));
	memcpy(to->from6, from->from6, from->n_from6 * sizeof(*from->from6));
}
