/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Called for each refused message by both daemons. */
#include "common/log_limit.h"

bool log_limit_take(struct log_limit_source *entry, uint64_t now_us, uint64_t *ret_silenced)
{
	if (entry->logged_us > 0 && now_us - entry->logged_us < LOG_LIMIT_US) {
		entry->silenced++;
		return false;
	}
	*ret_silenced = entry->silenced;
	entry->silenced = 0;
	entry->logged_us = MAX(now_us, 1u); /* 0 is "never" */
	return true;
}

bool log_limit_is_due(struct log_limit *limit, const struct addr *source, uint64_t now_us,
	uint64_t *ret_silenced, bool *ret_many)
{
	struct log_limit_source *room = NULL;

	*ret_silenced = 0;
	*ret_many = false;
	ARRAY_FOREACH (entry, limit->sources, LOG_LIMIT_SOURCES_MAX) {
		if (addr_equal(&entry->source, source))
			return log_limit_take(entry, now_us, ret_silenced);
		if (!room && (entry->logged_us == 0 || now_us - entry->logged_us >= LOG_LIMIT_US))
			room = entry;
	}
	if (room) {
		*room = (struct log_limit_source){ .source = *source };
		return log_limit_take(room, now_us, ret_silenced);
	}
	*ret_many = log_limit_take(&limit->others, now_us, ret_silenced);
	return *ret_many;
}
