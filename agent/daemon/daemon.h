/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running agent: start (silence, VIPs, verify, register), keep it so, stop (drain, leave, VIPs
 * away, settings back). The fields are for the files of this room that look at it or act for it:
 * status.c, stop.c and verbs.c.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/registration/report.h"
#include "agent/registration/identity.h"
#include "agent/host/sockets.h"
#include "agent/registration/net.h"
#include "agent/registration/balancers.h"
#include "agent/host/reconcile.h"
#include "agent/config/settings.h"
#include "common/control/control.h"

#define DAEMON_WAITERS_MAX 64u

enum daemon_phase {
	DAEMON_SERVING,
	DAEMON_DRAINING, /* a stop was asked for; connections may end */
	DAEMON_LEAVING,  /* LEAVE is on its way */
};

/* A `drain --wait`. */
struct daemon_waiter {
	struct control_request *request;
	uint64_t deadline_us; /* 0: none */
};

struct daemon {
	const char *config_path;
	const char *runtime_dir;
	sd_event *event;
	sd_event_source *pace; /* looks at connections while somebody waits for their end */
	struct settings *settings;
	struct reconcile *reconcile;
	struct sockets *sockets;
	struct nl *nl; /* for routes */
	struct balancers *balancers;
	struct net *net;
	unsigned int net_scope;
	struct control *control;
	struct identity identity;
	bool has_identity;
	bool identity_is_told;                      /* the balancers know it as it is */
	char identity_why[IDENTITY_WHY_BYTES + 64]; /* why there is none, or no socket */
	enum report_admin admin;
	struct proto_status status;
	bool has_status;
	char notified[256];
	uint64_t started_us;
	enum daemon_phase phase;
	bool hurry;           /* a second signal: wait for nobody */
	uint64_t phase_us;    /* since when */
	uint64_t deadline_us; /* of the phase */
	uint64_t settled_us;  /* when balancers had acknowledged the drain; 0: not yet */
	struct daemon_waiter waiters[DAEMON_WAITERS_MAX];
	size_t n_waiters;
	int exit_status;
};

/* Runs until stopped; returns the exit status. Errors are logged. */
int daemon_run(const char *config_path, const char *runtime_dir);

/* For the room. */
uint64_t daemon_now(const struct daemon *daemon);
/* After anything changed: identity, sockets, status, announcements, sd_notify. */
void daemon_refresh(struct daemon *daemon);
/* Validates everything, then applies or changes nothing. An exit status, and text to free or NULL. */
int daemon_reload(struct daemon *daemon, char **ret_text);
/* The administrator's word, kept over a crash. 0 or negative errno (nothing changed). */
int daemon_set_admin(struct daemon *daemon, enum report_admin admin);
/* Tells systemd the present state, when it is news. */
void daemon_notify(struct daemon *daemon);
