/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See session_others.h. */
#include "lb/session/session_others.h"

static void session_others_drop(struct session_others *others, size_t at)
{
	others->len--;
	memmove(&others->items[at], &others->items[at + 1],
		(others->len - at) * sizeof(others->items[0]));
}

static size_t session_others_oldest(const struct session_others *others)
{
	size_t oldest = 0;

	for (size_t i = 1; i < others->len; i++)
		if (others->items[i].last_us < others->items[oldest].last_us)
			oldest = i;
	return oldest;
}

void session_others_take(
	struct session_others *others, const struct proto_other *named, uint64_t now_us)
{
	size_t at = 0;

	if (named->address.family == AF_UNSPEC)
		return;
	while (at < others->len &&
		addr_compare(&others->items[at].balancer.address, &named->address) < 0)
		at++;
	if (at < others->len && addr_equal(&others->items[at].balancer.address, &named->address)) {
		others->items[at].balancer = *named;
		others->items[at].last_us = now_us;
		return;
	}
	if (others->len == SESSION_OTHERS_MAX) {
		size_t oldest = session_others_oldest(others);

		session_others_drop(others, oldest);
		at -= oldest < at;
	}
	memmove(&others->items[at + 1], &others->items[at],
		(others->len - at) * sizeof(others->items[0]));
	others->items[at] = (struct session_other){ .balancer = *named, .last_us = now_us };
	others->len++;
}

static void session_others_drop_table(struct session_other *other, size_t at)
{
	other->tables[at] = other->tables[--other->n_tables];
}

static struct session_other_table *session_others_table(
	struct session_other *other, const char *name)
{
	ARRAY_FOREACH (table, other->tables, other->n_tables)
		if (streq(table->name, name))
			return table;
	return NULL;
}

static void session_others_note(struct session_other *other, const char *name,
	enum session_difference difference, uint64_t now_us)
{
	struct session_other_table *table = &other->tables[other->n_tables];

	if (other->n_tables == SESSION_OTHERS_TABLES_MAX)
		return;
	other->n_tables++;
	*table = (struct session_other_table){
		.difference = difference, .first_us = now_us, .last_us = now_us
	};
	snprintf(table->name, sizeof(table->name), "%s", name);
}

static bool session_others_compare_one(struct session_other *other, const char *name,
	enum session_difference difference, uint64_t settle_us, uint64_t now_us)
{
	struct session_other_table *table = session_others_table(other, name);
	bool was_said = table && table->said;

	if (difference == SESSION_SAME) {
		if (table)
			session_others_drop_table(other, (size_t)(table - other->tables));
		return was_said;
	}
	if (!table) {
		session_others_note(other, name, difference, now_us);
		return false;
	}
	table->difference = difference;
	table->last_us = now_us;
	table->stands |= now_us - table->first_us >= settle_us;
	return table->stands && !table->said;
}

bool session_others_compare(struct session_others *others, const struct addr *address,
	const char *name, enum session_difference difference, uint64_t settle_us, uint64_t now_us)
{
	ARRAY_FOREACH (other, others->items, others->len)
		if (addr_equal(&other->balancer.address, address))
			return session_others_compare_one(
				other, name, difference, settle_us, now_us);
	return false;
}

void session_others_said(
	struct session_others *others, const struct addr *address, const char *name)
{
	ARRAY_FOREACH (other, others->items, others->len)
		ARRAY_FOREACH (table, other->tables, other->n_tables)
			if (addr_equal(&other->balancer.address, address) &&
				streq(table->name, name))
				table->said = true;
}

const struct addr *session_others_find_other(const struct session_others *others, const char *name)
{
	ARRAY_FOREACH (other, others->items, others->len)
		ARRAY_FOREACH (table, other->tables, other->n_tables)
			if (streq(table->name, name))
				return &other->balancer.address;
	return NULL;
}

bool session_others_differ(const struct session_others *others)
{
	ARRAY_FOREACH (other, others->items, others->len)
		ARRAY_FOREACH (table, other->tables, other->n_tables)
			if (table->stands)
				return true;
	return false;
}

const char *session_difference_words(enum session_difference difference)
{
	static const char *const words[] = {
		[SESSION_SAME] = "is the same",
		[SESSION_DIFFERS_MISSING] = "is of a virtual server that is not configured here",
		[SESSION_DIFFERS_MEMBERS] = "has other usable real servers",
		[SESSION_DIFFERS_WEIGHTS] = "has other weights",
		[SESSION_DIFFERS_VERSION] = "is made by another version of dsr-lb",
		[SESSION_DIFFERS_SEED] = "has other rows: the cluster-seed differs",
	};
	_Static_assert(ARRAY_LEN(words) == SESSION_DIFFERENCE_N_, "every difference has its words");

	return words[difference];
}

void session_others_expire(struct session_others *others, uint64_t now_us)
{
	for (size_t i = others->len; i-- > 0;) {
		struct session_other *other = &others->items[i];

		for (size_t at = other->n_tables; at-- > 0;)
			if (now_us - MIN(now_us, other->tables[at].last_us) >=
				SESSION_OTHERS_KEEP_US)
				session_others_drop_table(other, at);
		if (now_us - MIN(now_us, other->last_us) >= SESSION_OTHERS_KEEP_US)
			session_others_drop(others, i);
	}
}
