/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the registry share, types alone: an entry, which is a backend with all that the
 * registry alone knows of it, and the registry as a whole. Nobody outside of the room includes it.
 * The order of the room, downstairs only: registry > admission, statics > liveness, fail_open >
 * health, departed > path > tier, entries, membership, detection > entry > backend > weight.
 */
#pragma once

#include "common/proto/ports.h"
#include "lb/registry/backend/backend.h"

#define ENTRY_NO_VIP REGISTRY_NO_VIP

/* The path probe of a service, and its requests. */
#define ENTRY_PATHS (1 + REGISTRY_REQUESTS_MAX)

/* What path probes of one service have shown, or one of its requests. */
struct entry_path {
	uint64_t since_us; /* of `ok` */
	uint64_t from_us;  /* probes that began before are of no interest */
	uint32_t n_lost;   /* SYNs that came to nothing, which keeps it out; 0: it is not lost */
	uint32_t key;      /* of what is requested; 0 of a probe */
	uint16_t status;   /* HTTP's, of the last failure */
	uint8_t verdict;   /* enum registry_path_verdict: of the last failure */
	uint8_t streak;    /* results against `ok` in a row */
	bool is_needed;    /* it is made at all */
	bool ok;           /* it may get clients */
	bool known;        /* by a result since it was configured */
	bool was_proven;   /* then a failure is the backend's */
	bool is_added; /* to one that served already: until it is proven it keeps from nothing else */
};

/*
 * One service that a backend belongs to. Every heartbeat that is answered looks at all of its backend's: what they are
 * judged by lies in a row, and their paths behind the last of them.
 */
struct entry_service {
	uint16_t idx;         /* in registry->config.services */
	uint16_t vip;         /* in backend.status.vips; ENTRY_NO_VIP: as a static */
	uint16_t id;          /* of the service; set by path_carry() */
	uint8_t ramp_percent; /* of the weight: less than 100 in slow start; 0: not judged yet */
	bool unheard;         /* nobody listens on one of its ports */
	bool is_unproven;     /* by one of its paths; path.c alone sets it, with them */
	/* As health_judge() found it. */
	bool takes_new; /* it is for new flows, backup or not */
	bool is_usable; /* as in struct registry_tier */
	bool is_full;   /* and would be usable with room */
	bool is_backup;
	uint32_t weight;      /* configured, or as an administrator said */
	uint32_t connections; /* as counted of a static */
	const struct registry_static
		*line; /* the real-server line of the virtual server; NULL: there is none */
	struct entry_path *paths; /* ENTRY_PATHS */
};

struct entry {
	struct backend backend; /* what everybody sees; first, so that one pointer is both */
	size_t slot;            /* position in entries.slots and entries.due_us */

	struct entry_service *services; /* in the order of the configuration */
	size_t n_services;
	struct entry_service *next_services; /* while a configuration is taken */
	size_t n_next_services;

	struct ports asked; /* of its agent, and the answer; an owner is a service's position */

	/* A configured real-server; with source AGENT an agent has joined into it. */
	bool is_static;
	bool no_check;
	bool name_given;
	struct mac given_mac;
	char agent_name[REGISTRY_NAME_BYTES]; /* as it registered: another name is a clone */
	uint8_t nonce_agent[PROTO_NONCE_BYTES];

	/* Signs of life. */
	uint64_t alive_us;   /* silence counts from here: the last word, moved by stalls */
	uint32_t unanswered; /* heartbeats sent since the last word */
	uint64_t asked_us;   /* when the first of them was sent */
	uint64_t
		repeat_us; /* when it is asked again between two heartbeats; REGISTRY_NEVER_US: not */
	uint64_t
		contested_us; /* when another place first claimed to be it; REGISTRY_NEVER_US: none does */
	bool awaiting;        /* the last heartbeat was not answered */
	bool silent;
	bool is_gone;  /* silent, and its host answers no ARP or ND either */
	bool was_up;   /* in this membership: then a failure is `down`, not `pending` */
	uint32_t need; /* good answers in a row until it is proven (again); 0: proven */
	/*
	 * Better words of an agent that flapped are held back until it gave `hold` good answers in a row;
	 * the worse ones in backend.status stay.
	 */
	uint32_t hold;
	bool held;               /* its last words are better than those in force */
	bool has_improved;       /* better words came into force since the last flap */
	enum proto_state said;   /* in its last words */
	uint64_t fell_silent_us; /* fell silent while up; REGISTRY_NEVER_US: did not */
	uint64_t fade_us;        /* when a flap is forgiven */
	uint64_t drain_started_us;
	uint64_t ramp_started_us; /* when it became up */
	uint64_t ramp_next_us;    /* the next step of slow start; REGISTRY_NEVER_US: none */
	/*
	 * Its agent has had as many connections as it takes, so many; 0: it has room. It is full until it has room, or,
	 * before `room_damped_us`, has had some for a while, up to `room_us`; REGISTRY_NEVER_US: it has none.
	 */
	uint32_t full_of;
	uint64_t room_us, room_damped_us;
	/* Nobody is believed to listen again on a port until then; `ports_due_us`: the same, REGISTRY_NEVER_US where none waits. */
	uint64_t ports_until_us, ports_due_us;
	bool ports_improved; /* somebody did since the last flap of theirs */
	bool agent_ok;       /* by its agent's own words */
	uint64_t agent_since_us;
	uint64_t answered_us;    /* the last sign of life of any kind */
	uint64_t path_silent_us; /* when the last path probe began that was not answered */
	uint16_t *
		restored_paths; /* ids of services that were proven before a restart; NULL: not known */
	size_t n_restored_paths;
	bool paths_carried; /* what was restored is taken over, or there was nothing */
	uint64_t neigh_next_us;
	uint32_t neigh_missed; /* probes in a row without an answer */
	/* When the host of a kept agent was asked what it has not answered; REGISTRY_NEVER_US: nothing. */
	uint64_t host_asked_us;
	uint64_t check_started_us[REGISTRY_CHECKS_MAX];
	bool checks_overflow; /* more than REGISTRY_CHECKS_MAX: not served */

	/* Actions that wait to be taken. */
	struct entry *next_dirty;
	bool is_dirty;
	bool wants_heartbeat, wants_probe, wants_state, wants_paths;
	struct addr moved_from; /* to be told; AF_UNSPEC: it did not move */
	enum backend_state told_state;
	uint8_t wants_checks; /* one bit a check */
	bool wants_remark;
	uint64_t remarked_us; /* when there was one; 0: never */

	char leak[PROTO_REASON_MAX +
		1];                   /* it answers for a VIP on the link; "": not that we know */
	char cut[REGISTRY_CUT_BYTES]; /* why the interface to it takes nothing to it; "": it does */
	uint16_t twin; /* id of another backend with the same MAC; 0: there is none */
};
_Static_assert(REGISTRY_CHECKS_MAX <= 8, "wants_checks has a bit for each check");
_Static_assert(PROTO_VIPS_MAX < ENTRY_NO_VIP, "vip is an index or ENTRY_NO_VIP");

/* entries.c */

/* Sorted, for look-ups and for listing in order. */
struct entries_index {
	struct entry *items[REGISTRY_BACKENDS_MAX];
	size_t len;
};

/* One that is gone, until it has been told. */
struct entries_forgotten {
	uint16_t id;
	struct addr address;
	char name[REGISTRY_NAME_BYTES];
};

struct entries {
	struct entry *slots[REGISTRY_BACKENDS_MAX];
	uint64_t
		due_us[REGISTRY_BACKENDS_MAX]; /* beside slots: the scan of a tick stays in cache */
	size_t len;
	struct entries_index by_name;
	struct entries_index by_address;
	struct entry *by_id[UINT16_MAX + 1];
	uint16_t last_id;

	/* Those with actions that wait to be taken, in the order in which they came. */
	struct entry *dirty_first, *dirty_last;
	struct entries_forgotten forgotten[REGISTRY_BACKENDS_MAX]; /* a ring */
	size_t forgotten_first, n_forgotten;
	bool changed, changed_urgent;
	uint64_t n_changes; /* that tables or who is usable may have seen */
	bool macs_changed;  /* since entries_find_twins() */
};

/* membership.c */

struct membership_key;

/* Sorted views of a configuration, which must outlive them. */
struct membership {
	struct membership_key *by_vip, *by_name; /* n_services of each */
	const struct registry_static **lines;    /* by address */
	uint32_t *service_at;                    /* by id: position + 1; 0: none */
	size_t n_services, n_lines;
};

/* departed.c */

/* Ended sessions that are remembered one by one. */
#define DEPARTED_SESSIONS_MAX 256u

struct departed_session {
	struct addr address;
	uint64_t challenge_us;
	uint64_t expires_us;
};

struct departed {
	struct registry_override overrides[REGISTRY_OVERRIDES_MAX]; /* the oldest first */
	size_t n_overrides;
	struct departed_session sessions[DEPARTED_SESSIONS_MAX];
	size_t n_sessions;
	uint64_t stale_floor_us; /* newest challenge of a session that had to go */
};

/* fail_open.c */

/* The backends of one service. */
struct fail_open_tally {
	uint32_t left;    /* up, and answering */
	uint32_t overdue; /* up, but heartbeats are overdue */
	uint32_t silent;  /* fell silent in this window, or is kept */
};

/* Whether a service keeps its silent ones, and since when enough others serve again. */
struct fail_open_keeping {
	bool on;
	uint64_t majority_us; /* REGISTRY_NEVER_US: they do not */
};

struct fail_open {
	struct fail_open_keeping *keeping; /* for each service */
	struct fail_open_tally *tallies;   /* for each service: room to count in */
	bool due;                          /* something that is looked at here has changed */
	size_t n_kept;
	uint64_t next_us;
	uint64_t until_us; /* after it no silence is news, unless one is kept */
};

struct tiers;

struct registry {
	struct registry_config config;
	bool configured;
	uint64_t random;
	struct entries entries;
	struct membership membership; /* of `config` */
	struct departed departed;
	struct fail_open fail_open;
	struct tiers *tiers; /* of each service of `config`; see tier.h */
	uint32_t
		path_at[UINT16_MAX + 1]; /* by service: room for path_carry(), zero outside of it */
};
