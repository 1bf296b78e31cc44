/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an agent of more VIPs than one message tells says besides: PARTs, and counts in turns. For register.c. Pure. */
#pragma once

#include "agent/registration/register_identity.h"
#include "agent/registration/register_view.h"

/* Zeroed: nothing was counted yet. */
struct register_many {
	const uint32_t *established; /* of each VIP; borrowed; NULL: not known */
	size_t next;                 /* whose turn it is */
};

/* Of one of the PARTs that go before a REGISTER, everything but the nonces. */
void register_many_say(
	const struct register_identity *identity, unsigned int number, struct proto_part *part);
/* Puts as many counts as there is room for into an ANSWER or UPDATE that has everything else. */
void register_many_count(struct register_many *many, struct proto_message *message);
/* Shows that the balancer speaks a version that has no place for so many. */
void register_many_refuse(
	struct register_view *view, unsigned int version, size_t n_vips, uint64_t now_us);
