/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry: which backends there are, in what state, and why. Pure: events with a time in,
 * actions out; no socket, clock or packet. Owns admission, liveness (heartbeats, checks,
 * neighbour answers), administrator's wishes, hysteresis, and the rule for many vanishing at once.
 *
 * A backend is one thing in all virtual servers that it serves. Times are microseconds of a
 * monotonic clock that goes on over restarts of the daemon.
 */
#pragma once

#include "common/addr.h"
#include "common/proto/proto.h"

#define REGISTRY_BACKENDS_MAX 4096u
#define REGISTRY_REASON_BYTES 256u
#define REGISTRY_NAME_BYTES   (PROTO_NAME_MAX + 1)
#define REGISTRY_CHECKS_MAX   8u /* of one backend */
#define REGISTRY_NEVER_US     UINT64_MAX
/* Wishes of administrators that are remembered for backends that left; more: the oldest goes. */
#define REGISTRY_OVERRIDES_MAX 256u
/* Flapping doubles heartbeat-rise at most this many times; each doubling fades after a while up. */
#define REGISTRY_FLAPS_MAX    5u
#define REGISTRY_FLAP_FADE_US (60 * US_PER_S)
/* A full table forgets the agent that was silent the longest, if it was for this long. */
#define REGISTRY_FORGET_US (3600 * US_PER_S)
/* Slow start: from here to 100 % in equal steps, at most so many, and none shorter than a second. */
#define REGISTRY_RAMP_FROM_PERCENT 20u
#define REGISTRY_RAMP_STEPS_MAX    20u
#define REGISTRY_RAMP_STEP_US      US_PER_S

enum backend_state {
	BACKEND_PENDING,
	BACKEND_UP,
	BACKEND_DRAIN,
	BACKEND_MAINT,
	BACKEND_DOWN,
	BACKEND_STATE_N_
};
enum backend_source { BACKEND_AGENT, BACKEND_STATIC, BACKEND_SOURCE_N_ };
enum backend_admin {
	BACKEND_ADMIN_NONE,
	BACKEND_ADMIN_DRAIN,
	BACKEND_ADMIN_MAINT,
	BACKEND_ADMIN_N_
};
const char *backend_state_name(enum backend_state state);
const char *backend_source_name(enum backend_source source);

/* One virtual server at one VIP, as the registry needs it. */
struct registry_service {
	uint16_t id;                /* 1–65535, stable */
	const char *virtual_server; /* name; lives as long as the configuration */
	struct addr vip;
	const struct addr_prefix *allow; /* of agents; n_allow 0: any address on the link */
	size_t n_allow;
	bool use_agents;           /* check contains agent */
	const uint16_t *tcp_ports; /* check = tcp:PORT, at the backend's real IP */
	size_t n_tcp_ports;
	uint64_t check_interval_us, check_timeout_us;
	uint32_t check_fall, check_rise;
	uint64_t drain_timeout_us;
	uint64_t slow_start_us;
	bool drop_on_all_down; /* on-all-down = drop */
};

struct registry_static {
	char name[REGISTRY_NAME_BYTES];
	struct addr address;
	struct mac mac; /* zero: resolve */
	uint32_t weight;
	const char *virtual_server;
	bool no_check; /* check = none: up as soon as the MAC is known */
};

struct registry_config {
	const struct registry_service *services;
	size_t n_services;
	const struct registry_static *statics;
	size_t n_statics;
	const struct addr_prefix *subnets; /* of the backend interface: who is on the link */
	size_t n_subnets;
	uint64_t interval_us; /* heartbeat-interval */
	uint32_t fall, rise;  /* heartbeat-fall / -rise */
	enum { REGISTRY_ADOPT_AUTO, REGISTRY_ADOPT_APPROVE, REGISTRY_ADOPT_OFF } adopt;
};

struct registry_check {
	uint16_t port;
	uint64_t interval_us, timeout_us;
	uint32_t fall, rise;
	bool known, ok;   /* known: proven either way since it was configured */
	uint32_t streak;  /* results against `ok` in a row */
	uint64_t next_us; /* when to run it */
	bool running;
	char reason[PROTO_REASON_MAX + 1];
};

/* Read by everybody, written by the registry alone. */
struct backend {
	uint16_t id;
	char name[REGISTRY_NAME_BYTES];
	struct addr address;
	struct mac mac; /* zero: unknown */
	enum backend_source source;
	enum backend_state state;
	char reason[REGISTRY_REASON_BYTES]; /* "" only when up */
	uint64_t since_us;                  /* of the state */
	enum backend_admin admin;
	bool approved, rejected;   /* adopt = approve; `reject` */
	uint32_t weight;           /* configured, by agent, or by the verb */
	bool weight_set;           /* by the verb: the agent's weight does not override */
	uint32_t effective_weight; /* for new flows: 0 unless up (or kept); before slow start */
	bool takes_flows;          /* existing flows stay: up, kept, drain until its timeout */
	bool kept;                 /* silent, but kept: more than half vanished at once */
	/* Agents. */
	struct addr vips[PROTO_VIPS_MAX];
	struct proto_status status; /* its last words; status.n_vips VIPs */
	uint64_t challenge_us;      /* time of the challenge of its session: replay guard */
	uint64_t session_id;
	uint64_t heard_us; /* last authenticated word */
	uint64_t next_heartbeat_us;
	uint64_t sent_us; /* last heartbeat */
	uint32_t heartbeats_missed;
	uint32_t streak; /* answered in a row, for rise */
	uint32_t flaps;  /* raises the rise, fades with time */
	uint32_t rtt_us;
	bool restored; /* kept over a restart and not heard since */
	/* Statics, and agents' MACs too. */
	bool reachable; /* the neighbour answers */
	struct registry_check checks[REGISTRY_CHECKS_MAX];
	size_t n_checks;
};

enum registry_action_type {
	REGISTRY_HEARTBEAT, /* send one to the backend now */
	REGISTRY_RUN_CHECK, /* connect to backend's checks[check]; report with registry_check_result */
	REGISTRY_PROBE_NEIGH, /* ask the kernel to resolve or confirm the backend's MAC */
	REGISTRY_CHANGED, /* tables or MACs differ: publish; `urgent`: at once, else may be joined */
	REGISTRY_STATE,   /* for the log and events: old → new state, reason in the backend */
	REGISTRY_FORGOTTEN, /* the backend is gone; only id and name are valid */
	REGISTRY_ACTION_N_
};

struct registry_action {
	enum registry_action_type type;
	uint16_t backend;
	uint16_t check;
	uint16_t port;
	bool urgent;
	enum backend_state old_state, new_state;
	struct addr address;
	char name[REGISTRY_NAME_BYTES];
	char reason[REGISTRY_REASON_BYTES];
};

struct registry;

/* `jitter_seed` feeds the pseudo-random jitter of heartbeats. NULL: out of memory. */
struct registry *registry_new(uint64_t jitter_seed);
struct registry *registry_free(struct registry *registry);
DEFINE_CLEANUP(struct registry *, registry_free)

/*
 * Takes a validated configuration whole; its memory must live until the next call. Statics are
 * added, changed, removed; agents' membership is judged anew. -EINVAL with `ret_why`
 * (REGISTRY_REASON_BYTES): a static is not on the link, or the names or addresses of two
 * backends collide; nothing has changed then. -ENOSPC, -ENOMEM.
 */
int registry_configure(struct registry *registry, const struct registry_config *config,
	uint64_t now_us, char *ret_why);

/*
 * An authenticated REGISTER, its challenge made at challenge_us, from `source`. On 0 the backend
 * is (again) known and `*ret_backend` its id: the caller creates the session, or, when
 * `*ret_repeated` (the same REGISTER again: the ACCEPT was lost), answers with the one it has.
 * -EPERM: refused with `*ret_code` and a reason in words. -ESTALE: a replay: silence.
 * The first session of a backend starts it `pending`; a new session of a live one keeps its state.
 */
int registry_register(struct registry *registry, const struct proto_register *reg,
	const struct addr *source, uint64_t challenge_us, uint64_t session_id, uint64_t now_us,
	uint16_t *ret_backend, bool *ret_repeated, enum proto_reject *ret_code, char *ret_why);
/*
 * An authenticated ANSWER (rtt_us of at least 1: it proves the way there and back) or UPDATE
 * (rtt_us 0: a sign of life, and acts at once on what it says).
 */
void registry_report(struct registry *registry, uint16_t backend, const struct proto_status *status,
	uint32_t rtt_us, uint64_t now_us);
/*
 * An authenticated LEAVE: forgotten at once; wishes of administrators are remembered. Where a
 * `real-server` of this address is configured, the backend goes on as that, pending.
 */
void registry_leave(struct registry *registry, uint16_t backend, uint64_t now_us);
/* The kernel's neighbour table: a MAC for this address, or none any more (zero: failed). */
void registry_neighbour(struct registry *registry, const struct addr *address,
	const struct mac *mac, uint64_t now_us);
void registry_check_result(struct registry *registry, uint16_t backend, uint16_t check_port,
	bool ok, const char *reason, uint64_t now_us);
/* Nobody was listening for stalled_us: every deadline moves by that much. */
void registry_stalled(struct registry *registry, uint64_t stalled_us, uint64_t now_us);

/*
 * Administrator's wishes; by name or address, also of a backend that left and whose wishes are
 * remembered. -ENOENT, -EINVAL (weight > 65535; not an agent).
 */
int registry_admin(
	struct registry *registry, const char *backend, enum backend_admin admin, uint64_t now_us);
int registry_weight(
	struct registry *registry, const char *backend, uint32_t weight, uint64_t now_us);
int registry_approve(struct registry *registry, const char *backend, bool approve, uint64_t now_us);

/* Does what is due; returns the time of the next deadline, or REGISTRY_NEVER_US. */
uint64_t registry_tick(struct registry *registry, uint64_t now_us);
/* Takes the next action; false: none is waiting. Call until empty after each event. */
bool registry_next_action(struct registry *registry, struct registry_action *ret_action);

/* Looking. The order is that of names. */
size_t registry_len(const struct registry *registry);
const struct backend *registry_backend_at(const struct registry *registry, size_t idx);
const struct backend *registry_backend(const struct registry *registry, uint16_t id);
/* The same backends in the order of their addresses. */
const struct backend *registry_backend_by_address(const struct registry *registry, size_t idx);
const struct backend *registry_find(const struct registry *registry, const char *name_or_address);
const struct backend *registry_find_address(
	const struct registry *registry, const struct addr *address);
/* Belongs to the service, in whatever state: for listing. */
bool registry_is_member(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service);
/*
 * Belongs to it and is not kept out of this one alone: for the table, together with
 * effective_weight and takes_flows. An agent that is up, but whose VIP of this service is missing
 * or not silent, does not serve it; nor does a kept backend where on-all-down = drop.
 */
bool registry_serves(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service);

/*
 * How much of its effective_weight the backend has in this service now, in percent: 100, or less
 * while it starts slowly. Slow start is the service's, so that a backend may be new in one
 * virtual server's eyes alone. Begins whenever the backend becomes up; but not for one that was
 * kept, whose connections never left it.
 */
uint32_t registry_ramp_percent(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service);

/* What a backend is to one of the services that it belongs to: the three answers above in one. */
#define REGISTRY_NO_VIP UINT8_MAX
struct registry_member {
	uint16_t service; /* id */
	uint8_t vip;      /* of an agent: which of its VIPs; REGISTRY_NO_VIP: as a static */
	bool serves;
	uint8_t ramp_percent;
};
/* For whoever looks at all services of a backend: how many there are, and each. */
size_t registry_memberships(const struct registry *registry, const struct backend *backend);
struct registry_member registry_membership(
	const struct registry *registry, const struct backend *backend, size_t idx);

/*
 * Restart: puts back a backend as it was kept (id, name, address, mac, source, state, reason,
 * since_us, admin, weight, weight_set, kept, vips, status, challenge_us, session_id, approved,
 * rejected). Backends that were up stay up and are judged by the first missed heartbeats, or
 * checks, from now. Before registry_configure. -EINVAL: id 0 or a name or address that is none;
 * -EEXIST: id, name or address is taken; -ENOSPC, -ENOMEM.
 */
int registry_restore(struct registry *registry, const struct backend *kept, uint64_t now_us);
