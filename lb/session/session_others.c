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
		others->items[at] = (struct session_other){ *named, now_us };
		return;
	}
	if (others->len == SESSION_OTHERS_MAX) {
		size_t oldest = session_others_oldest(others);

		session_others_drop(others, oldest);
		at -= oldest < at;
	}
	memmove(&others->items[at + 1], &others->items[at],
		(others->len - at) * sizeof(others->items[0]));
	others->items[at] = (struct session_other){ *named, now_us };
	others->len++;
}

void session_others_expire(struct session_others *others, uint64_t now_us)
{
	for (size_t i = others->len; i-- > 0;)
		if (now_us - MIN(now_us, others->items[i].last_us) >= SESSION_OTHERS_KEEP_US)
			session_others_drop(others, i);
}
