/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry: which backends there are, in what state, and why. Pure: events with a time in,
 * actions out; no socket, clock or packet. Owns admission, liveness (heartbeats, checks,
 * neighbour answers), what administrators say, hysteresis, and the rule for many that fall silent at once.
 *
 * A backend is one thing in all virtual servers that it serves. Times are microseconds of a
 * monotonic clock that goes on over restarts of the daemon.
 */
#pragma once

#include "common/proto/ports.h"
#include "common/why.h"
#include "lb/registry/backend/backend.h"

enum registry_action_type {
	REGISTRY_HEARTBEAT, /* send one to the backend now, or say registry_not_sent() */
	REGISTRY_RUN_CHECK, /* connect to backend's checks[check]; report with registry_check_result */
	REGISTRY_PROBE_NEIGH, /* ask the kernel to resolve or confirm the backend's MAC */
	REGISTRY_PATHS, /* what is to be probed of the backend may have changed: look at its memberships */
	REGISTRY_CHANGED, /* tables or MACs differ: publish; `urgent`: at once, else may be joined */
	REGISTRY_STATE,   /* for the log and events: old → new state, reason in the backend */
	REGISTRY_REMARK,  /* for the log: it is up, and the backend's reason says what is odd */
	REGISTRY_MOVED,   /* the backend has another address now; `address` is the old one */
	REGISTRY_FORGOTTEN, /* the backend is gone; only id, address and name are valid */
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
};

struct registry;

/* `jitter_seed` feeds the pseudo-random jitter of heartbeats. NULL: out of memory. */
struct registry *registry_new(uint64_t jitter_seed);
struct registry *registry_free(struct registry *registry);
DEFINE_CLEANUP(struct registry *, registry_free)

/*
 * Takes a validated configuration whole; its memory must live until the next call. Statics are
 * added, changed, removed; agents' membership is found anew. -EINVAL with `ret_why`: a static is not on
 * the link, or the names or addresses of two backends collide; nothing has changed then. -ENOSPC,
 * -ENOMEM.
 */
int registry_configure(struct registry *registry, const struct registry_config *config,
	uint64_t now_us, struct why *ret_why);

/*
 * An authenticated REGISTER. On 0 the backend is (again) known: the caller creates the session, or,
 * when `ret_answer->repeated`, answers with the one it has. -EPERM: refused, and `ret_answer` has the
 * code and the reason in words. -EAGAIN: its name and key are those of a backend that is heard at
 * another address or MAC, which is asked now: silence, until the same agent asks again. If that place does
 * not answer for a heartbeat interval, it is the same backend that moved; if it does, a clone.
 * -ESTALE: a replay: silence. -ENOMEM.
 * The first session of a backend starts it `pending`; a new session of a live one keeps its state.
 */
int registry_register(struct registry *registry, const struct registry_registration *request,
	uint64_t now_us, struct registry_answer *ret_answer);
/*
 * The TCP connections that the kernel of an agent's backend took or half took for a service, since they are counted;
 * false: not known.
 */
bool registry_accepted(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service, uint64_t *ret_accepted);
/*
 * What the backend's agent is to be asked, and its newest answer; NULL: it has no agent. Borrowed; of the message of
 * which an answer is taken, the registry_report() that follows judges it.
 */
struct ports *registry_asked(const struct registry *registry, uint16_t backend);
/*
 * An authenticated ANSWER (rtt_us of at least 1: it proves the way there and back) or UPDATE
 * (rtt_us 0: a sign of life, and acts at once on what it says).
 */
void registry_report(struct registry *registry, uint16_t backend, const struct proto_status *status,
	uint32_t rtt_us, uint64_t now_us);
/*
 * An authenticated LEAVE: forgotten at once; what administrators said of it is remembered. Where a
 * `real-server` of this address is configured, the backend goes on as that, pending.
 */
void registry_leave(struct registry *registry, uint16_t backend, uint64_t now_us);
/* The kernel's neighbour table: a MAC for this address, or none any more (zero: failed). */
void registry_neighbour(struct registry *registry, const struct addr *address,
	const struct mac *mac, uint64_t now_us);
void registry_check_result(
	struct registry *registry, const struct registry_check_result *result, uint64_t now_us);
/* A path probe or a request has ended. True: actions may wait. */
bool registry_path_result(
	struct registry *registry, const struct registry_path_result *result, uint64_t now_us);
/* It takes no connections of a service, or does again: see struct registry_loss. True: actions may wait. */
bool registry_lost(struct registry *registry, const struct registry_loss *loss, uint64_t now_us);
/* It answers ARP or ND for a VIP, and so draws clients past the balancer: why, in words; "": it does not. */
void registry_leaks(
	struct registry *registry, uint16_t backend, const char *reason, uint64_t now_us);
/*
 * The interface to the backend is down or gone, as the words say (at most REGISTRY_CUT_BYTES - 1 are kept), and others
 * are not: it is down at once, and has to be proven when the interface is back (""). Nothing happens where that is
 * known. True: actions may wait.
 */
bool registry_cut(struct registry *registry, uint16_t backend, const char *reason, uint64_t now_us);
/*
 * A heartbeat could not be sent for a want of this host's own (an address, a route, memory): that is no
 * failure of the backend's, for three times as long as silence takes to be one.
 */
void registry_not_sent(struct registry *registry, uint16_t backend, uint64_t now_us);
/* Nobody was listening for stalled_us: every deadline moves by that much. */
void registry_stalled(struct registry *registry, uint64_t stalled_us, uint64_t now_us);

/*
 * What an administrator says; by name or address, also of a backend that left, where it is remembered. -ENOENT, -EINVAL (not an agent).
 */
int registry_admin(
	struct registry *registry, const char *backend, enum backend_admin admin, uint64_t now_us);
/*
 * `virtual_server` NULL: in all, whatever was said of single ones. -ENOENT; -ESRCH: it is not in that one; -ENOSPC,
 * -ENOMEM as weight_say().
 */
int registry_weight(struct registry *registry, const char *backend, const char *virtual_server,
	const struct weight_word *word, uint64_t now_us);
int registry_approve(struct registry *registry, const char *backend, bool approve, uint64_t now_us);

/*
 * A HELLO came from this address; anybody can say that. Of a backend that is heard it may mean that it moved,
 * so it gets a heartbeat now, unless it owes an answer already.
 */
void registry_hello(struct registry *registry, const struct addr *address, uint64_t now_us);
/* How many flows of a static backend were counted in the flow table for a service (id). */
void registry_count(
	struct registry *registry, uint16_t backend, uint16_t service, uint32_t connections);
/* All of its services are counted: that is in force. */
void registry_counted(struct registry *registry, uint16_t backend, uint64_t now_us);
/* A heartbeat of the backend is unanswered for longer than answers take: it may be at another MAC now. */
bool registry_is_overdue(
	const struct registry *registry, const struct backend *backend, uint64_t now_us);

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

/* What a backend is to one of the services that it belongs to. */
struct registry_member {
	uint16_t service; /* id */
	uint16_t vip;     /* of an agent: which of its VIPs; REGISTRY_NO_VIP: as a static */
	/*
	 * It is not kept out of this service alone: for the table, together with effective_weight and the
	 * backend's takes_flows. An agent that is up, but whose VIP of this service is missing or not silent, does
	 * not serve it; nor does a kept backend where on-all-down = drop.
	 */
	bool serves;
	bool proven;     /* its path, where it has one: may get clients as far as that goes */
	bool is_backup;  /* takes new flows only while fewer than `minimum` others are usable */
	bool is_usable;  /* see struct registry_tier */
	uint32_t weight; /* configured (its line's or its agent's), or as an administrator said */
	uint32_t effective_weight; /* for new flows: 0 unless it takes some; before slow start */
	uint32_t max_connections;  /* 0: no ceiling */
	/*
	 * How much of effective_weight it has in this service now: 100, or less while it starts slowly.
	 * Slow start is the service's, so that a backend may be new in one virtual server's eyes alone.
	 * Begins whenever the backend becomes up; but not for one that was kept, whose connections never left it.
	 */
	uint8_t ramp_percent;
};
/* For whoever looks at all services of a backend: how many there are, and each. */
size_t registry_memberships(const struct registry *registry, const struct backend *backend);
struct registry_member registry_membership(
	const struct registry *registry, const struct backend *backend, size_t idx);

/* The same of one service, in whatever state the backend is; false: it is no member. */
bool registry_member_of(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service, struct registry_member *ret_member);
/* What the service has for new flows. */
struct registry_tier registry_tier(
	const struct registry *registry, const struct registry_service *service);

/*
 * What is known of the backend's path to a service (`check` 0), or of the service's request check - 1; false: it is not
 * made, or no member.
 */
bool registry_path_view(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service, size_t check, struct registry_check_view *ret_view);
/* What the backend's agent says of itself; false: it has none. */
bool registry_agent_view(const struct registry *registry, const struct backend *backend,
	struct registry_check_view *ret_view);

/*
 * Restart: puts back a backend as it was kept (id, name, address, mac, source, state, reason,
 * since_us, admin, words, kept, vips, status, challenge_us, session_id, approved,
 * rejected). Backends that were up stay up and are judged by the first missed heartbeats, or
 * checks, from now. Before registry_configure. -EINVAL: id 0 or a name or address that is none;
 * -EEXIST: id, name or address is taken; -ENOSPC, -ENOMEM.
 */
int registry_restore(struct registry *registry, const struct backend *kept, uint64_t now_us);

/*
 * Of a backend that was restored: the services whose paths were proven. Without it, all of one that was up are taken to
 * be. -ENOENT, -ENOMEM.
 */
int registry_restore_paths(
	struct registry *registry, uint16_t backend, const uint16_t *services, size_t n_services);

/* What was said of backends that left, the oldest first; to be kept over a restart too. */
size_t registry_overrides_len(const struct registry *registry);
const struct registry_override *registry_override_at(const struct registry *registry, size_t idx);
/* -EINVAL: no name, no address, or a value out of its range. */
int registry_restore_override(struct registry *registry, const struct registry_override *kept);
