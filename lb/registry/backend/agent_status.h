/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an agent says of itself and of its VIPs, as far as it is in force. Pure. */
#pragma once

#include "common/proto/message.h"

/* Read by everybody, written by the registry alone. */
struct backend_vip {
	struct addr address;
	uint32_t established; /* as it was told last: of many VIPs each has its turn */
	bool present, silent;
	/* The registry's. */
	bool usable; /* both, as it was judged last */
	bool gained; /* and was not so the time before */
	bool served; /* a service of the backend has it */
};

/* Zeroed: nothing was said. */
struct backend_status {
	enum proto_state state;
	uint16_t weight;
	uint32_t max_connections; /* 0: no ceiling */
	bool second_chance;
	char reason[PROTO_REASON_MAX + 1];
	uint16_t n_vips;
	struct backend_vip *vips; /* in the order of the REGISTER */
};

/* VIPs of a REGISTER of which nothing is known yet; NULL: out of memory. To be freed. */
struct backend_vip *agent_status_vips(const struct addr *vips, size_t n_vips);
bool agent_status_has_vips(
	const struct backend_status *status, const struct addr *vips, size_t n_vips);
/* NULL: it has no such VIP, as REGISTRY_NO_VIP, or one of the registration before. */
const struct backend_vip *agent_status_vip(const struct backend_status *status, size_t idx);
/* In some way it promises less than what is in force; more. A VIP that only one of them has is unfit in the other. */
bool agent_status_is_worse(const struct backend_status *status, const struct proto_status *said);
bool agent_status_is_better(const struct backend_status *status, const struct proto_status *said);
/*
 * Puts it in force; `held`: only where it is worse, but counts and the ceiling always. `vips`: a REGISTER's others, from
 * agent_status_vips(), which it takes; NULL: they are those that it has, and of one that is not said it is not there.
 */
void agent_status_take(struct backend_status *status, const struct proto_status *said,
	struct backend_vip *vips, bool held);
/* Established connections, at all its VIPs. */
uint64_t agent_status_established(const struct backend_status *status);
/* -ENOMEM. To be cleared. */
int agent_status_copy(const struct backend_status *status, struct backend_status *ret_status);
void agent_status_clear(struct backend_status *status);
