/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `tcp:PORT`: does anything accept connections on a VIP? */
#pragma once

#include "agent/check/check_kind.h"

extern const struct check_kind check_connect_kind;
/* Why a connection to this endpoint did not come about, for this errno, in words. */
void check_connect_words(const struct addr *vip, uint16_t port, int error, struct why *ret_why);
