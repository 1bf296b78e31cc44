/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring of what was sent: see session_echo.h. */
#include "lb/session/session_echo.h"

uint64_t session_echo_sequence(struct session_entry *entry, uint64_t now_us)
{
	entry->kept.sequence = MAX(now_us, entry->kept.sequence + 1);
	return entry->kept.sequence;
}

uint64_t session_echo_next(struct session_entry *entry, uint64_t now_us)
{
	uint64_t sequence = session_echo_sequence(entry, now_us);

	entry->sent[entry->sent_next] = (struct session_sent){ sequence, now_us, false };
	entry->sent_next = (entry->sent_next + 1) % SESSION_ECHO_WINDOW;
	return sequence;
}

struct session_sent *session_echo_find(struct session_entry *entry, uint64_t sequence)
{
	ARRAY_FOREACH (sent, entry->sent, SESSION_ECHO_WINDOW)
		if (sent->sequence == sequence && sequence != 0)
			return sent;
	return NULL;
}
