/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the registry share, and nobody else includes: registry.c (the surface),
 * roster.c (who there is), membership.c (in which services), admission.c (who may come), statics.c
 * (configuration), liveness.c (signs of life and deadlines), judge.c (state, reason, weight), vanish.c
 * (when most are gone).
 */
#pragma once

#include "common/proto/auth.h"
#include "lb/registry/registry.h"

/* REGISTERs of sessions that ended, which may be replayed while their challenge is valid. */
#define DEPARTED_SESSIONS_MAX 256u
#define ENTRY_NO_VIP          REGISTRY_NO_VIP

/* One service that a backend belongs to. */
struct entry_service {
	uint16_t idx;         /* in registry->config.services */
	uint8_t vip;          /* in backend.vips; ENTRY_NO_VIP: as a static */
	uint8_t ramp_percent; /* of the weight: less than 100 in slow start; 0: not judged yet */
};

struct entry {
	struct backend backend; /* what everybody sees; first, so that one pointer is both */
	size_t slot;            /* position in registry->slots and registry->due_us */

	struct entry_service *services; /* in the order of the configuration */
	size_t n_services;
	struct entry_service *next_services; /* while a configuration is taken */
	size_t n_next_services;

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
	struct mac candidate_mac; /* of the neighbour table, until an answer proves it */
	uint64_t candidate_us;
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

/* A sorted array of entries, for look-ups and for listing in order. */
struct entries_index {
	struct entry *entries[REGISTRY_BACKENDS_MAX];
	size_t len;
};

struct departed_override {
	char name[REGISTRY_NAME_BYTES];
	struct addr address;
	enum backend_admin admin;
	uint32_t weight;
	bool weight_set, approved, rejected;
};

struct departed_session {
	struct addr address;
	uint64_t challenge_us;
	uint64_t expires_us;
};

struct forgotten {
	uint16_t id;
	char name[REGISTRY_NAME_BYTES];
};

/* Of one service, for the rule of vanish.c. */
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

/* Indexes into a configuration, which must outlive them. */
struct membership_key;
struct membership {
	struct membership_key *by_vip, *by_name; /* n_services of each */
	const struct registry_static **lines;    /* by address */
	uint32_t *service_at;                    /* by id: position + 1; 0: none */
	size_t n_services, n_lines;
};

struct registry {
	struct registry_config config;
	struct membership membership; /* of `config` */
	bool configured;
	uint64_t random;

	struct entry *slots[REGISTRY_BACKENDS_MAX];
	uint64_t
		due_us[REGISTRY_BACKENDS_MAX]; /* beside slots: the scan of a tick stays in cache */
	size_t len;
	struct entries_index by_name;
	struct entries_index by_address;
	struct entry *by_id[UINT16_MAX + 1];
	uint16_t last_id;

	struct departed_override overrides[REGISTRY_OVERRIDES_MAX]; /* the oldest first */
	size_t n_overrides;
	struct departed_session ended[DEPARTED_SESSIONS_MAX];
	size_t n_ended;
	uint64_t stale_floor_us; /* newest challenge of a tombstone that had to go */

	struct fail_open_keeping *keeping; /* for each service */
	struct fail_open_tally *tallies;   /* for each service: room to count in */
	bool fail_open_due;                /* something that vanish.c looks at has changed */
	size_t n_kept;
	uint64_t fail_open_next_us;
	uint64_t fail_open_until_us; /* after it no silence is news, unless one is kept */

	struct entry *dirty_first, *dirty_last;
	struct forgotten forgotten[REGISTRY_BACKENDS_MAX]; /* a ring */
	size_t forgotten_first, n_forgotten;
	bool changed, changed_urgent;
};

/* roster.c */
struct entry *entries_by_name(const struct registry *registry, const char *name);
struct entry *entries_by_address(const struct registry *registry, const struct addr *address);
struct entry *entries_find(const struct registry *registry, const char *name_or_address);
/*
 * Adds an entry that `entry` describes by backend.name and backend.address, which nobody has, and
 * by backend.id unless that is 0 (then the next free one). Takes ownership. The caller has made
 * sure of room (registry->len).
 */
void entries_add(struct registry *registry, struct entry *entry);
/* Takes it out, tells so (FORGOTTEN, CHANGED), remembers wishes and frees it. */
void entries_forget(struct registry *registry, struct entry *entry, uint64_t now_us);
void entries_rename(struct registry *registry, struct entry *entry, const char *name);
struct entry *entries_entry_new(
	const char *name, const struct addr *address, enum backend_source source, uint64_t now_us);
void entries_entry_free(struct entry *entry);
void entries_mark_dirty(struct registry *registry, struct entry *entry);
void entries_mark_changed(struct registry *registry, bool urgent);

/* membership.c */
int membership_make(const struct registry_config *config, struct membership *ret_belonging);
void membership_clear(struct membership *membership);
/* Position in config.services of the service with this id; SIZE_MAX: none. */
size_t membership_service(const struct membership *membership, uint16_t id);
/* Services with this VIP: those at positions from the returned one up to `*ret_end`, which is none. */
size_t membership_of_vip(
	const struct membership *membership, const struct addr *vip, size_t *ret_end);
const struct registry_service *membership_at(const struct membership *membership, size_t position);
bool membership_allows(const struct registry_service *service, const struct addr *address);
/* Which services the entry belongs to, in the order of the configuration. -ENOMEM. */
int membership_find(const struct membership *membership, const struct registry_config *config,
	const struct entry *entry, struct entry_service **ret_services, size_t *ret_n_services);

/* admission.c */
int admission_register(struct registry *registry, const struct proto_register *reg,
	const struct addr *source, uint64_t challenge_us, uint64_t session_id, uint64_t now_us,
	uint16_t *ret_backend, bool *ret_repeated, enum proto_reject *ret_code, char *ret_why);
bool membership_on_link(const struct registry_config *config, const struct addr *address);
void departed_end_session(struct registry *registry, const struct entry *entry, uint64_t now_us);
void departed_remember(struct registry *registry, const struct entry *entry);
/* Gives the entry what was remembered for its name or address, and forgets it there. */
void departed_restore(struct registry *registry, struct entry *entry);
struct departed_override *departed_find(
	struct registry *registry, const char *name, const struct addr *address);

/* statics.c */
int statics_configure(struct registry *registry, const struct registry_config *config,
	uint64_t now_us, char *ret_why);

/* liveness.c */
/* A heartbeat may go out so much before its time, together with others. */
uint64_t liveness_slack_us(const struct registry *registry);
uint64_t liveness_silence_us(const struct registry *registry);
uint64_t liveness_window_us(const struct registry *registry, const struct entry *entry);
/* Two heartbeats or more overdue, but not yet silent. */
bool liveness_is_suspect(
	const struct registry *registry, const struct entry *entry, uint64_t now_us);
/* An authenticated word: silence begins anew. */
void liveness_heard(struct registry *registry, struct entry *entry, uint64_t now_us);
void liveness_report(struct registry *registry, struct entry *entry,
	const struct proto_status *status, uint32_t rtt_us, uint64_t now_us);
void liveness_neighbour(
	struct registry *registry, struct entry *entry, const struct mac *mac, uint64_t now_us);
void liveness_check_result(struct registry *registry, struct entry *entry, uint16_t port, bool ok,
	const char *reason, uint64_t now_us);
/* Takes the checks of the services that the entry belongs to; results of the same ports stay. */
void liveness_take_checks(struct registry *registry, struct entry *entry, uint64_t now_us);
void liveness_stalled(struct entry *entry, uint64_t stalled_us);
/* Does what is due and tells when the next thing will be. */
void liveness_run(struct registry *registry, struct entry *entry, uint64_t now_us);
uint64_t liveness_due_us(const struct registry *registry, const struct entry *entry);

/* judge.c */
void health_judge(struct registry *registry, struct entry *entry, uint64_t now_us);
bool health_serves(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member);
uint64_t health_drain_end_us(const struct registry *registry, const struct entry *entry);

/* vanish.c */
void fail_open_judge(struct registry *registry, uint64_t now_us);
