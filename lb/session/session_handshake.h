/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handshake with an agent, on the balancer's side. For session.c. */
#pragma once

#include "lb/session/session_refusals.h"

struct arrival;
struct sessions;

/* A datagram of one of these types, whose hop limit and header are right. */
enum session_refusal session_handshake_receive(
	struct sessions *sessions, struct arrival *arrival, enum proto_type type);
