/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the registry share: an entry, which is a backend with everything that the
 * registry alone knows of it, and the registry as a whole. Nobody outside of the room includes it.
 * The order of the room, downstairs only: registry > admission, statics > liveness, fail_open >
 * health > departed > entries, membership, detection > backend.
 */
#pragma once

#include "lb/registry/backend.h"
#include "lb/registry/departed.h"
#include "lb/registry/entries.h"
#include "lb/registry/fail_open.h"
#include "lb/registry/membership.h"

#define ENTRY_NO_VIP REGISTRY_NO_VIP

/* One service that a backend belongs to. */
struct entry_service {
	uint16_t idx;         /* in registry->config.services */
	uint8_t vip;          /* in backend.vips; ENTRY_NO_VIP: as a static */
	uint8_t ramp_percent; /* of the weight: less than 100 in slow start; 0: not judged yet */
};

struct entry {
	struct backend backend; /* what everybody sees; first, so that one pointer is both */
	size_t slot;            /* position in entries.slots and entries.due_us */

	struct entry_service *services; /* in the order of the configuration */
	size_t n_services;
	struct entry_service *next_services; /* while a configuration is taken */
	size_t n_next_services;

	/* A configured real-server; with source AGENT an agent has joined into it. */
	bool is_static;
	bool no_check;
	bool name_given;
	struct mac given_mac;
	uint32_t given_weight;
	char agent_name[REGISTRY_NAME_BYTES]; /* as it registered: another name is a clone */
	uint8_t nonce_agent[PROTO_NONCE_BYTES];

	/* Signs of life. */
	uint64_t alive_us;   /* silence counts from here: the last word, moved by stalls */
	uint32_t unanswered; /* heartbeats sent since the last word */
	bool awaiting;       /* the last heartbeat was not answered */
	bool silent;
	bool was_up;             /* in this membership: then a failure is `down`, not `pending` */
	uint32_t need;           /* good answers in a row until it is proven (again); 0: proven */
	uint64_t fell_silent_us; /* fell silent while up; REGISTRY_NEVER_US: did not */
	uint64_t fade_us;        /* when a flap is forgiven */
	uint64_t drain_started_us;
	uint64_t ramp_started_us; /* when it became up */
	uint64_t ramp_next_us;    /* the next step of slow start; REGISTRY_NEVER_US: none */
	uint64_t usable_vips;     /* one bit for each of the agent's VIPs: present and silent */
	uint64_t neigh_next_us;
	uint32_t neigh_missed; /* probes in a row without an answer */
	uint64_t check_started_us[REGISTRY_CHECKS_MAX];
	bool checks_overflow; /* more than REGISTRY_CHECKS_MAX: not served */

	/* Actions that wait to be taken. */
	struct entry *next_dirty;
	bool is_dirty;
	bool wants_heartbeat, wants_probe, wants_state;
	enum backend_state told_state;
	uint8_t wants_checks; /* one bit a check */
};
_Static_assert(REGISTRY_CHECKS_MAX <= 8, "wants_checks has a bit for each check");
_Static_assert(PROTO_VIPS_MAX <= 64, "usable_vips has a bit for each VIP");
_Static_assert(PROTO_VIPS_MAX < ENTRY_NO_VIP, "vip is an index or ENTRY_NO_VIP");

struct registry {
	struct registry_config config;
	bool configured;
	uint64_t random;
	struct entries entries;
	struct membership membership; /* of `config` */
	struct departed departed;
	struct fail_open fail_open;
};
