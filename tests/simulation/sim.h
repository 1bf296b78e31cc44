/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Balancers and agents in one process: the real sessions, registry, publication, tables and forwarding core on
 * one side, the real registration on the other, and between them a network, a clock and a scheduler that are
 * numbers. A seed is a whole history: whoever runs it again sees the same. What must always be true is held against
 * each packet and each step (flows.c, truth.c, memory.c).
 *
 * The clock and the chance of everything in the process are the world's (world.c, by the linker's --wrap). It is the
 * monotonic clock: a history in which anybody reads another one fails, so that an administrator who sets the wall clock
 * changes nothing of what is played here.
 */
#pragma once

#include "agent/registration/register.h"
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"
#include "lb/publish/publish.h"
#include "lb/publish/settle.h"
#include "lb/session/session.h"

#define SIM_BALANCERS_MAX 3u
#define SIM_AGENTS_MAX    100u
#define SIM_FLOWS_MAX     200u
#define SIM_VIPS          2u  /* 198.51.100.10 and on */
#define SIM_HISTORY_MAX   64u /* datagrams that an attacker remembers: of those that arrived */
#define SIM_PATH_BYTES    64u

#define SIM_TCP_TIMEOUT_S 20u
#define SIM_BEGUN_LEN     (SIM_TCP_TIMEOUT_S + 2) /* seconds within which a record was renewed */
#define SIM_INTERVAL_US   (300 * US_PER_MS)       /* of heartbeats */
#define SIM_FALL          3u
/* A silent death is known after three intervals, each with its jitter, when the last word has arrived. */
#define SIM_DEATH_US (1500 * US_PER_MS)
/* Rows leave who takes no flows at once. Records of a server that is up, but serves this VIP no longer, lead there until the
 * walk through the flow table has voided them. */
#define SIM_VOID_US (3 * US_PER_S)

struct sim;

/* Whether the machine, or the process, does anything. */
struct sim_host {
	bool is_up;
	uint64_t frozen_until_us; /* stopped; what arrives meanwhile is read then */
};

struct sim_datagram {
	uint64_t at_us, order; /* of two at one time the older first */
	bool to_balancer;
	uint8_t balancer, agent;
	uint16_t size_bytes;
	uint8_t data[PROTO_MESSAGE_MAX];
};

/* What the network does to a datagram. */
struct sim_weather {
	uint32_t loss_percent, double_percent, damage_percent;
	uint64_t delay_us;                              /* at most, beside what a wire takes */
	bool is_cut[SIM_BALANCERS_MAX][SIM_AGENTS_MAX]; /* nothing comes through, either way */
};

struct sim_registration {
	struct sim *sim;
	uint8_t balancer, agent;
	struct registration *registration; /* NULL: the process is not running */
	uint64_t due_us;
};

struct sim_agent {
	struct sim_host process;
	bool has_power;    /* of the machine: its sockets live as long */
	uint64_t power_us; /* since then, or without since then */
	bool is_leaving;
	uint64_t back_us; /* when somebody starts it again; 0: nobody has to */
	struct register_identity identity;
	struct proto_status status; /* the truth */
	struct sim_registration to[SIM_BALANCERS_MAX];
};

/* What a balancer's tables of a VIP say of an agent's server, as they are in force. */
struct sim_serving {
	bool takes_new;
	uint64_t not_us;  /* when it last took no flows, or was another backend */
	uint64_t none_us; /* since then it takes none, as its balancer knows; 0: it does */
	uint16_t backend;
};

struct sim_balancer {
	struct sim *sim;
	uint8_t number;
	struct sim_host host;
	uint64_t back_us; /* when it starts again */
	bool comes_empty; /* it will have lost everything */
	char directory[SIM_PATH_BYTES];
	json_t *document; /* as it was saved last */
	uint64_t boot_id;
	struct keep *keep;
	struct registry *registry;
	struct sessions *sessions;
	struct role *role;
	struct service_ids *ids;
	struct flow_walk *walk;
	struct publish *publish;
	struct config *config;
	struct service_list *services;
	struct publish_links links;
	struct snapshot *snapshot;
	bool publish_due;
	uint64_t publish_us; /* not before */
	uint64_t due_us;     /* the registry's next deadline */
	uint64_t second_us;  /* the next housekeeping */
	uint64_t started_us;
	uint64_t quiet_us;   /* since then bases do not follow owners; 0: they do */
	uint64_t evicted_us; /* when a record was lost to another */
	struct sim_serving serving[SIM_VIPS][SIM_AGENTS_MAX];
};

/* A connection, and its client. */
struct sim_flow {
	bool lives;
	uint32_t client; /* host byte order */
	uint16_t port;
	uint8_t vip, balancer, agent; /* whose it is */
	uint64_t born_us, ends_us;
	bool has_talked;
};

struct sim_totals {
	uint64_t n_datagrams, n_packets, n_flows, n_published, n_judged;
	size_t n_sessions_most, n_others_most, n_records_most, n_in_flight_most;
};

struct sim {
	uint64_t seed, random;
	uint64_t now_us;
	bool is_told;      /* each step on stderr */
	char failure[256]; /* the first; "": none */
	uint8_t n_balancers, n_agents;
	struct sim_balancer balancers[SIM_BALANCERS_MAX];
	struct sim_agent agents[SIM_AGENTS_MAX];
	struct sim_weather weather;
	struct sim_datagram **in_flight; /* a heap, the next one first */
	size_t n_in_flight;
	uint64_t n_sent;
	struct sim_datagram history[SIM_HISTORY_MAX];
	size_t n_history;
	struct sim_flow flows[SIM_FLOWS_MAX];
	uint64_t traffic_us, event_us, memory_us;
	uint64_t n_begun[SIM_BEGUN_LEN], n_looks; /* connections until each of the last seconds */
	struct sim_totals totals;
};

/* world.c */
uint32_t sim_draw(struct sim *sim, uint32_t sides);
bool sim_chance(struct sim *sim, uint32_t percent);
/* Only the first counts: what follows from it is no finding. */
_printf_(2, 3) void sim_fail(struct sim *sim, const char *format, ...);
_printf_(2, 3) void sim_tell(const struct sim *sim, const char *format, ...);
/* Sends, as the weather lets it. */
void sim_send(struct sim *sim, bool to_balancer, uint8_t balancer, uint8_t agent,
	const uint8_t *data, size_t size_bytes);
/* Something that was heard before, from whom it came then, to whom it went. */
void sim_replay(struct sim *sim);
/* Everything that happens until then, or the first failure. */
void sim_run(struct sim *sim, uint64_t until_us);
void sim_open(struct sim *sim, uint64_t seed);
void sim_close(struct sim *sim);

/* balancer.c */
void sim_balancer_start(struct sim_balancer *balancer);
/* As by kill -9; `is_empty`: and everything that it kept is lost. */
void sim_balancer_kill(struct sim_balancer *balancer, bool is_empty);
/* What it kept is lost; it is not running. */
void sim_balancer_forget(struct sim_balancer *balancer);
void sim_balancer_receive(struct sim_balancer *balancer, const struct sim_datagram *datagram);
/* When it has something to do, if nothing arrives. */
uint64_t sim_balancer_due_us(const struct sim_balancer *balancer);
void sim_balancer_work(struct sim_balancer *balancer);
/* What was changed from outside is taken up. */
void sim_balancer_act(struct sim_balancer *balancer);
const struct backend *sim_balancer_backend(const struct sim_balancer *balancer, uint8_t agent);

/* agent.c */
void sim_agent_start(struct sim *sim, uint8_t agent);
void sim_agent_kill(struct sim *sim, uint8_t agent);
void sim_agent_leave(struct sim *sim, uint8_t agent);
void sim_agent_receive(struct sim *sim, const struct sim_datagram *datagram);
uint64_t sim_agent_due_us(const struct sim_agent *agent);
void sim_agent_work(struct sim *sim, uint8_t agent);
/* The truth is another one now, as agent.status says. */
void sim_agent_tell(struct sim *sim, uint8_t agent);
void sim_agent_init(struct sim *sim, uint8_t agent);
/* Up, with all VIPs as they should be. */
struct proto_status sim_agent_well(void);
struct addr sim_vip_address(uint8_t vip);
struct addr sim_balancer_address(uint8_t balancer);
struct addr sim_agent_address(uint8_t agent);

/* flows.c */
void sim_traffic(struct sim *sim);
/* The choice for a packet of this client's flow now: an agent's number, or -1; nothing is recorded. */
int sim_choice(struct sim_balancer *balancer, const struct sim_flow *flow, bool is_syn);
void sim_flows_lose(struct sim *sim, int balancer, int agent);

/* script.c */
void sim_happen(struct sim *sim);
/* Everybody is well, and the network carries everything, from now on. */
void sim_heal(struct sim *sim);

/* truth.c */
/* Of every moment. */
void sim_judge(struct sim *sim);
/* When all has been well for long. */
void sim_judge_end(struct sim *sim);

/* memory.c */
/* Of every second. */
void sim_judge_memory(struct sim *sim);
