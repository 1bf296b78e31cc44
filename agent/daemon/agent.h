/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running agent: its parts, and where it stands between start (silence, VIPs, verify, register)
 * and stop (drain, leave, VIPs away, settings back). The fields are for the files of this room and
 * for the verbs. One thread alone touches them.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/check/check_judge.h"
#include "agent/config/settings.h"
#include "agent/host/accepts.h"
#include "agent/host/identity.h"
#include "agent/registration/report.h"

#define AGENT_WAITERS_MAX 64u

struct balancers;
struct chance;
struct checks;
struct control;
struct control_request;
struct events;
struct events_verb;
struct http_common;
struct listeners;
struct net;
struct pins;
struct reconcile;
struct sockets;

enum agent_phase {
	AGENT_SERVING,
	AGENT_DRAINING, /* a stop was asked for; connections may end */
	AGENT_LEAVING,  /* LEAVE is on its way */
};

/* A `drain --wait`. */
struct agent_waiter {
	struct control_request *request;
	uint64_t deadline_us; /* 0: none */
};

struct agent {
	const char *config_path;
	const char *runtime_dir;
	sd_event *event;
	sd_event_source *wait_timer; /* looks at connections while somebody waits for their end */
	struct settings *settings;
	struct reconcile *reconcile;
	struct sockets *sockets;
	struct sockets *parting_sockets; /* of the VIPs in `parting` */
	struct checks *checks;
	struct check_verdict verdict; /* of the checks, as it was told last */
	struct listeners *listeners;
	struct accepts *accepts;
	int accepts_error;             /* negative errno that was logged last; 0: none */
	sd_event_source *listen_timer; /* looks at them */
	char unheard[PROTO_REASON_MAX +
		1]; /* a port that a balancer asks about, and nobody listens on */
	char unserved[PROTO_REASON_MAX + 1]; /* a VIP that no balancer has a port for */
	struct accepts_stray stray; /* a client's request that has no way back; ifindex 0: none */
	uint64_t stray_us;          /* since when; CLOCK_BOOTTIME */
	uint64_t stray_total;       /* accepts_total() then */
	char dropped[WHY_BYTES];    /* why the kernel drops it; "": it does not */
	struct nl *nl;              /* for routes */
	struct balancers *balancers;
	struct pins *pins;          /* the balancers' neighbour entries */
	struct chance *chance;      /* second chance; NULL: not in place */
	char chance_why[WHY_BYTES]; /* why it is not, though it is configured; "" */
	int chance_error;           /* of what a balancer told, as it was logged last */
	uint64_t chance_retry_us;   /* not tried again before that */
	unsigned int chance_swept;  /* interface that was looked at for what a killed run left */
	struct net *net;
	unsigned int net_scope;
	struct events *events; /* NULL until the runtime folder is ours: only logged */
	struct events_verb *events_verb;
	struct control *control;
	struct http_common *http; /* of the room above; NULL until the control socket is ours */
	struct identity identity;
	bool has_identity;
	bool identity_is_told;  /* the balancers know it as it is */
	char identity_why[192]; /* why there is none, or no socket */
	enum report_admin admin;
	struct proto_status status;
	uint32_t established[PROTO_VIPS_MAX]; /* of each VIP */
	bool has_status;
	uint64_t fault_since_us; /* something is wrong with the host since; 0: nothing */
	char notified[256];
	uint64_t started_us;
	enum agent_phase phase;
	bool hurry;           /* a second signal: wait for nobody */
	uint64_t phase_us;    /* since when */
	uint64_t deadline_us; /* of the phase */
	uint64_t settled_us;  /* when balancers had acknowledged the drain; 0: not yet */
	struct addr parting
		[PROTO_VIPS_MAX]; /* VIPs that a reload took out, whose connections may end */
	size_t n_parting;
	uint64_t parting_since_us, parting_deadline_us;
	struct agent_waiter waiters[AGENT_WAITERS_MAX];
	size_t n_waiters;
	int exit_status;
};

/* Nothing is open yet; the two paths are borrowed. NULL: out of memory. */
struct agent *agent_new(const char *config_path, const char *runtime_dir);
/* Closes what is open, and leaves the host as it is. */
struct agent *agent_free(struct agent *agent);
DEFINE_CLEANUP(struct agent *, agent_free)
/* The event loop's time. */
uint64_t agent_now(const struct agent *agent);
