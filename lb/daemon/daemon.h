/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running balancer: every part under one sd-event loop. daemon.c wires and drives them,
 * session_socket.c owns the sockets of the control protocol, document.c keeps state over restarts,
 * status.c and verbs.c answer the control socket. One thread; the engine's workers are the
 * only others.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/control/control.h"
#include "lb/link/announce.h"
#include "lb/config/config.h"
#include "lb/engine/engine.h"
#include "lb/state/keep.h"
#include "lb/link/neigh.h"
#include "lb/link/tcp_check.h"
#include "lb/publish/publish.h"
#include "lb/registry/registry.h"
#include "lb/config/service.h"
#include "lb/session/session.h"
#include "lb/session/session_limit.h"
#include "lb/session/session_socket.h"

#define DAEMON_REASON_BYTES 256u
#define DAEMON_WAITS_MAX    CONTROL_CLIENTS_MAX

/* A client that waits for a backend to be drained. */
struct daemon_wait {
	struct control_request *request; /* NULL: free */
	char backend[REGISTRY_NAME_BYTES];
	uint64_t deadline_us; /* REGISTRY_NEVER_US: none */
	/* Of a backend without an agent: its flows are counted in parts. */
	uint16_t counted; /* id */
	bool counts, is_counted;
	uint64_t bucket, flows;
};

/* What publishing takes: from the first look at the registry until workers have the snapshot. */
struct daemon_publications {
	uint64_t n, last_us, longest_us;
};

struct status_job;

struct daemon {
	sd_event *event;
	const char *config_path;
	const char *runtime_dir;
	const char *state_dir;
	uint64_t started_us;
	uint64_t boot_id;
	uint64_t config_generation;

	struct config *config;
	struct ini_report *report; /* of `config`: its effective lines */
	struct auth_keyring *ring; /* between loading and session_configure() */
	struct service_ids *service_ids;
	struct service_list *services;
	struct keep *keep;
	struct publish *publish;
	struct registry *registry;
	struct sessions *sessions;
	struct session_socket *udp; /* NULL while the backend interface is not there */
	unsigned int udp_ifindex;
	bool udp_failed; /* and it was said */
	struct neigh *neigh;
	struct announce *announce;
	struct tcp_checks *tcp_checks;
	struct control *control;

	const struct engine_ops *engine_ops; /* of `engine`, or of the last one */
	const char *pin_directory;           /* a bpffs of ours, or NULL */
	bool detach_on_exit;
	struct engine *engine; /* NULL while the interface is not there */
	unsigned int engine_ifindex, engine_out_ifindex;
	bool engine_is_new;                      /* nothing was published to it yet */
	char engine_reason[DAEMON_REASON_BYTES]; /* why there is none, or why this mode */
	struct engine_totals totals_before;      /* of engines that ended */
	struct ini_list blackholes;              /* struct addr: routes that stand */

	bool standby;                                  /* by the verb */
	bool active;                                   /* what was published last */
	bool guarded;                                  /* inactive because something is wrong */
	char inactive_reason[DAEMON_REASON_BYTES];     /* "" while active */
	struct addr_prefix subnets[NEIGH_SUBNETS_MAX]; /* of the backend interface, in force */
	size_t n_subnets;
	struct publish_links links;               /* what was published last */

	sd_event_source *tick; /* the registry's next deadline */
	sd_event_source *publisher;
	sd_event_source *keeper; /* housekeeping, PUBLISH_SETTLE_US */
	sd_event_source *walker; /* long work in parts, when there is nothing else to do */
	uint64_t tick_due_us;
	bool save_due;
	bool publish_due;
	bool save_failed, publish_failed; /* and it was said: the keeper tries again */
	uint64_t publish_from_us;         /* the next publication waits until then */
	struct daemon_publications publications;
	struct session_limit_log refusals; /* what was logged of refused messages */
	struct daemon_wait waits[DAEMON_WAITS_MAX];
	struct status_job *status_jobs; /* documents that are being made */
};

/* Microseconds of CLOCK_MONOTONIC as the event loop sees them now. */
uint64_t daemon_now(const struct daemon *daemon);

/* `dsr-lb run`: returns the exit status. */
struct cli;
int daemon_run(const struct cli *cli);

/* After anything that may have changed the registry: does what it asks for and sets the timers. */
void daemon_pump(struct daemon *daemon);
/* The same, and what changed is in force when it returns: for verbs. */
void daemon_flush(struct daemon *daemon);
/* Goes on with housekeeping in parts, if there is some. */
void daemon_walk(struct daemon *daemon);
/* Writes the document now. */
void daemon_save(struct daemon *daemon);
/* Answers clients that wait for drains which are over. */
void daemon_check_waits(struct daemon *daemon);

/* configure.c: configuration and keys into the parts. */

/* Loads the file for the start: 0, or CONTROL_CONFIG with every reason logged. */
int configure_start(struct daemon *daemon);
/* Then, when the parts stand: restores what was kept and puts the configuration in force. */
int configure_apply_start(struct daemon *daemon, const json_t *document);
/* The backend interface's subnets changed: judges anew who is on the link. */
void configure_links(struct daemon *daemon);
/*
 * Loads the configuration anew and applies it whole, or changes nothing: 0, or CONTROL_CONFIG with
 * every reason, one a line, in `*ret_errors` (to free).
 */
int configure_reload(struct daemon *daemon, char **ret_errors);

/* forward.c: links, engine, announcements: everything that makes packets flow. */

/* Follows links, guard and active-when; starts, stops and feeds the engine; publishes if need be. */
void forward_update(struct daemon *daemon);
/* Builds and publishes a snapshot, and keeps the document first. */
void forward_publish(struct daemon *daemon);
void forward_stop(struct daemon *daemon);
/* Sums over the engines that ran since the start. */
void forward_totals(const struct daemon *daemon, struct engine_totals *ret_totals);
/* Blackhole routes for exactly the VIPs of the services; `services` NULL: none. */
void forward_blackholes(struct daemon *daemon, const struct service_list *services);
/* The same at the start: routes of a former life that was killed go too. */
void forward_blackholes_start(struct daemon *daemon);
/* Somebody else announces a VIP. */
void forward_claimed(const struct addr *vip, const struct mac *mac, void *context);

/* document.c: the kept document. */
json_t *document_make(const struct daemon *daemon);
/* 0: the document is of another layout, or none: there is nothing to restore. */
uint64_t document_boot_id(const json_t *document);
/* Before the first configuration: ids, backends, sessions, rows. */
void document_restore(struct daemon *daemon, const json_t *document);

/* status_job.c: answers with the status document, at once or in parts. */
void status_begin(struct daemon *daemon, struct control_request *request);
/* A part of each document that is being made; false: none is. */
bool status_step(struct daemon *daemon);
void status_jobs_free(struct daemon *daemon);

/* status.c */
/*
 * A part of the recorded flows, from a bucket of the table on: {flows: [], next: BUCKET or null}. NULL
 * virtual_server: of all.
 */
json_t *status_flows(struct daemon *daemon, const char *virtual_server, uint64_t bucket);
/* "" or why this balancer cannot serve the virtual server (NULL: any of them). */
bool status_is_ready(
	struct daemon *daemon, const char *virtual_server, char *ret_why, size_t size_bytes);
/* The backend's flows that its agent reports. */
uint64_t status_established_flows(const struct backend *backend);
/* Of backends that clients wait for and that have no agent: a part of counting; false: none counts. */
bool status_count_waits(struct daemon *daemon);

/* verbs.c: the control socket's handler; context is the daemon. */
control_verb_fn verbs_serve;
