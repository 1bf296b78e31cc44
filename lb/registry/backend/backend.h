/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types that the registry shows: what it is told of services and static backends, and what it
 * tells of each backend. Times are microseconds of a monotonic clock that goes on over restarts of
 * the daemon.
 */
#pragma once

#include "common/addr.h"
#include "common/proto/proto.h"
#include "common/why.h"
#include "lb/registry/backend/agent_status.h"
#include "lb/registry/backend/weight.h"

#define REGISTRY_BACKENDS_MAX 4096u
#define REGISTRY_REASON_BYTES 256u
#define REGISTRY_NAME_BYTES   (PROTO_NAME_MAX + 1)
#define REGISTRY_CUT_BYTES    64u /* why an interface reaches nobody, in words, and the end */
#define REGISTRY_CHECKS_MAX   8u  /* of one backend */
#define REGISTRY_REQUESTS_MAX 4u  /* of one service */
#define REGISTRY_NEVER_US     UINT64_MAX
#define REGISTRY_NO_VIP       UINT16_MAX
/* Backends that left of which it is remembered what an administrator said; more: the oldest goes. */
#define REGISTRY_OVERRIDES_MAX 256u
/* Flapping doubles heartbeat-rise at most this many times; each doubling fades after a while without. */
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

struct registry_port {
	uint16_t first, last; /* 1–65535, inclusive */
};

/* How a service is probed: a frame to its VIP at the backend's MAC, as a client's. */
enum registry_path {
	REGISTRY_PATH_NONE, /* not at all */
	REGISTRY_PATH_TCP,
	REGISTRY_PATH_UDP,
	REGISTRY_PATH_ECHO,
};

/* One check = http://…: a request over the same path. */
struct registry_request {
	const char *name,
		*target; /* as configured; its "/PATH"; live as long as the configuration */
	uint16_t port;
};

/* One virtual server at one VIP, as the registry needs it. */
struct registry_service {
	uint16_t id;                /* 1–65535, stable */
	const char *virtual_server; /* name; lives as long as the configuration */
	struct addr vip;
	const struct addr_prefix *allow; /* of agents; n_allow 0: any address on the link */
	size_t n_allow;
	bool use_agents;     /* check contains agent */
	bool tcp, udp, sctp; /* which of them it serves */
	const struct registry_port *ports;
	size_t n_ports;            /* 0: all ports */
	const uint16_t *tcp_ports; /* check = tcp:PORT, at the backend's real IP */
	size_t n_tcp_ports;
	enum registry_path path;                 /* check = path */
	uint16_t path_port;                      /* 0 of an echo */
	const struct registry_request *requests; /* at most REGISTRY_REQUESTS_MAX */
	size_t n_requests;
	uint64_t check_interval_us, check_timeout_us;
	uint32_t check_fall, check_rise;
	uint64_t drain_timeout_us;
	uint64_t slow_start_us;
	bool drop_on_all_down; /* on-all-down = drop */
	uint32_t minimum;      /* backends, or percent of those that are known, no backups; 0: 1 */
	bool is_minimum_percent;
};

/* A real-server line: what it says of weight, backup and max-connections is of its virtual server alone. */
struct registry_static {
	char name[REGISTRY_NAME_BYTES];
	struct addr address;
	struct mac mac; /* zero: resolve */
	uint32_t weight;
	const char *virtual_server;
	bool no_check;            /* check = none: up as soon as the MAC is known */
	uint32_t max_connections; /* 0: no ceiling */
	bool is_backup;
};

struct registry_config {
	const struct registry_service *services;
	size_t n_services;
	const struct registry_static *statics;
	size_t n_statics;
	const struct addr_prefix *subnets; /* of the backend interfaces: who is on a link */
	size_t n_subnets;
	/* Own addresses, from which path probes may come; those of a backend's own subnet are told first. */
	const struct addr *sources;
	const struct addr_prefix *source_subnets; /* of each; NULL: not known */
	size_t n_sources;
	uint64_t interval_us; /* heartbeat-interval */
	uint32_t fall, rise;  /* heartbeat-fall / -rise */
	enum { REGISTRY_ADOPT_AUTO, REGISTRY_ADOPT_APPROVE, REGISTRY_ADOPT_OFF } adopt;
};

struct registry_check {
	uint16_t port;
	uint64_t interval_us, timeout_us;
	uint32_t fall, rise;
	bool known, ok;    /* known: proven either way since it was configured */
	uint32_t streak;   /* results against `ok` in a row */
	uint64_t since_us; /* of `ok`, or of its configuration */
	uint64_t next_us;  /* when to run it */
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
	uint64_t n_state_changes;           /* since this daemon knows it */
	enum backend_admin admin;
	bool approved, rejected;   /* adopt = approve; `reject` */
	struct weight_words words; /* what was said of its weight */
	bool takes_new;   /* new flows, where its weight is not 0: up or kept, and has room */
	bool takes_flows; /* existing flows stay: up, kept, drain until its timeout */
	bool kept;        /* silent, but kept: more than half vanished at once */
	/* Agents. */
	struct backend_status status;     /* its words, as far as they are in force */
	uint64_t challenge_us;            /* time of the challenge of its session: replay guard */
	char version[PROTO_NAME_MAX + 1]; /* of its program; "": not known */
	uint64_t session_id;
	uint8_t protocol;                  /* version that its agent speaks; 0: not known */
	char key_id[PROTO_KEY_ID_MAX + 1]; /* of its session; "": not known */
	bool key_bound;                    /* that key is good for its name alone */
	uint64_t heard_us;                 /* last authenticated word */
	uint64_t next_heartbeat_us;
	uint64_t sent_us; /* last heartbeat */
	uint32_t heartbeats_missed;
	uint32_t streak; /* answered in a row, for rise */
	uint32_t flaps;  /* raises the rise and delays better words, fades with time */
	uint32_t rtt_us;
	bool restored; /* kept over a restart and not heard since */
	/* Statics, and agents' MACs too. */
	bool reachable; /* the neighbour answers */
	struct registry_check checks[REGISTRY_CHECKS_MAX];
	size_t n_checks;
};

/* What an administrator said of a backend that has left. */
struct registry_override {
	char name[REGISTRY_NAME_BYTES];
	struct addr address;
	enum backend_admin admin;
	struct weight_words words;
	bool approved, rejected;
	char key_id[PROTO_KEY_ID_MAX + 1]; /* that the approval is for; "": its next one */
	bool key_bound;                    /* if not, the approval is for this address too */
};

/* An authenticated REGISTER. */
struct registry_registration {
	const struct proto_register *reg;
	const struct addr *vips; /* reg->status.n_vips of them; NULL: they stand in the REGISTER */
	struct addr source;
	uint64_t challenge_us; /* when its challenge was made */
	uint64_t session_id;   /* of the session that it would have */
	uint8_t protocol;      /* version in which it was said */
	const char *key_id;    /* that signed it */
	bool key_bound;        /* that key is good for this name alone */
	const char *mac_why;   /* why it may not have the MAC that it claims; NULL: it may */
};

struct registry_answer {
	uint16_t backend; /* its id */
	bool repeated;    /* the same REGISTER again: the ACCEPT was lost */
	/* Of a refusal. */
	enum proto_reject code;
	struct why why;
};

enum registry_check_outcome {
	REGISTRY_CHECK_FAILED,
	REGISTRY_CHECK_OK,
	REGISTRY_CHECK_NOT_MADE, /* for a want of the balancer's: it tells nothing of the backend */
};

struct registry_check_result {
	uint16_t backend; /* id */
	uint16_t port;    /* of the check */
	enum registry_check_outcome outcome;
	const char *reason; /* why it failed */
};

/*
 * SYNs that were forwarded to a backend for a service, and nothing came of any. It is out of the service for
 * REGISTRY_LOSS_US, and then until good path probes have brought it back; where the path is not probed, until
 * n_syns is 0.
 */
#define REGISTRY_LOSS_US (10 * US_PER_S)
struct registry_loss {
	uint16_t backend, service; /* ids */
	uint32_t n_syns;
};

enum registry_path_verdict {
	REGISTRY_PATH_OK,
	REGISTRY_PATH_NO_ANSWER,
	REGISTRY_PATH_REFUSED, /* by a reset */
	REGISTRY_PATH_PORT_UNREACHABLE,
	REGISTRY_PATH_PROHIBITED,
	REGISTRY_PATH_UNREACHABLE,
	REGISTRY_PATH_UNEXPECTED, /* an answer, but another */
	REGISTRY_PATH_LOST,       /* of no probe: see struct registry_loss */
	/* Of a request, whose connection came about. */
	REGISTRY_PATH_STATUS,   /* another HTTP status than 2xx and 3xx */
	REGISTRY_PATH_MUTE,     /* no answer in time */
	REGISTRY_PATH_CLOSED,   /* ended by the server before an answer */
	REGISTRY_PATH_NOT_HTTP, /* an answer in another language */
	/* For a want of the balancer's: they tell nothing of the backend. */
	REGISTRY_PATH_NO_ADDRESS, /* it has none of the VIP's family */
	REGISTRY_PATH_NOT_MADE,
};

struct registry_path_result {
	uint16_t backend, service; /* ids */
	enum registry_path_verdict verdict;
	uint64_t began_us;
	uint16_t check;  /* 0: the path probe; n: the service's request n - 1 */
	uint16_t status; /* of REGISTRY_PATH_STATUS */
};

/* How many backends a service has for new flows. */
struct registry_tier {
	uint32_t
		n_usable; /* up, of a weight above 0, with room, and not kept out of it; no backups */
	uint32_t n_backups; /* the same of backups */
	uint32_t n_full;    /* would be usable with room, backups too */
	uint32_t n_counted; /* of those: counted by clients' frames, and not by an agent */
	uint32_t n_known;   /* in whatever state; no backups */
	uint32_t minimum;   /* how many are needed, 1 at least */
	bool is_enough;     /* n_usable are; if not, backups take new flows */
};

/* What is known of one check of a backend, to be shown. */
struct registry_check_view {
	bool ok;
	uint64_t since_us;
	struct why reason; /* "" when ok */
};
