/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The balancer's sequences in one session, and which of them the agent may echo now. For session.c. Pure. */
#pragma once

#include "lb/session/session_entry.h"

/* Microseconds of a clock that goes on over restarts: so sequences rise over restarts too. */
uint64_t session_echo_sequence(struct session_entry *entry, uint64_t now_us);
/* One that the agent may echo from now on, until SESSION_ECHO_WINDOW newer ones. */
uint64_t session_echo_next(struct session_entry *entry, uint64_t now_us);
/* What was sent with the sequence that is echoed; NULL: not one of those. */
struct session_sent *session_echo_find(struct session_entry *entry, uint64_t sequence);
