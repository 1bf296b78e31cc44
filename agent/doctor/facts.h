/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that the agent's doctor knows of its host, read once. The checks judge it and look at nothing more, so
 * that a test can make up any host.
 */
#pragma once

#include "agent/config/config.h"
#include "agent/doctor/answers.h"
#include "agent/doctor/facts_files.h"
#include "agent/host/identity.h"
#include "agent/host/listeners.h"
#include "common/doctor/echo.h"
#include "common/doctor/keyfile.h"
#include "common/doctor/service.h"
#include "common/doctor/survey.h"

struct cli;

/* Settings of `all` or `default`, which are no interfaces. */
struct facts_conf {
	uint32_t arp_ignore, arp_announce, rp_filter, proxy_arp, accept_redirects, proxy_ndp;
};

/* How the kernel would answer a client that is not on the link. */
struct facts_way {
	int error; /* 0, -ENETUNREACH, … */
	struct survey_route route;
};

struct facts {
	const char *config_path;
	struct service service;
	int config_error; /* of the load; 0: there is one */
	struct config *config;
	struct ini_report *report;
	struct keyfile keyfile;

	int host_error; /* of looking at the host; 0: the four below are known */
	struct host host;
	struct survey survey;
	struct facts_conf all, fresh; /* `fresh`: default, of interfaces that come later */
	bool has_undo;                /* `undo` is known: what the agent itself put there */
	struct host_undo undo;        /* also of one that crashed */
	bool has_identity;
	struct identity identity;
	struct why identity_why;
	struct facts_way answer4, answer6;                  /* to clients, of either family */
	struct facts_way to_balancer[CONFIG_BALANCERS_MAX]; /* in the configuration's order */
	int echo_error; /* of asking balancers for the size of frames */
	struct echo_target echoes[CONFIG_BALANCERS_MAX]; /* in the configuration's order */
	uint32_t tcp_syncookies, tcp_tw_recycle;         /* 0 where the kernel has it not */
	struct facts_files files;
	int listeners_error;       /* of looking who listens; 0: the two below are known */
	struct listeners *sockets; /* owns the next; NULL in tests */
	const struct listener *listeners;
	size_t n_listeners;
	int answers_error; /* of looking whether requests are answered */
	struct answers_place
		answers[ANSWERS_PLACES_MAX]; /* that balancers ask about; more are left out */
	size_t n_answers;
};

/* Looks at everything; what fails is told in it. `root`: of the host's files, "" but in tests. -ENOMEM, or 0. */
int facts_read(const struct cli *cli, const char *root, struct facts *ret_facts);
void facts_clear(struct facts *facts);

/* The interface that holds the VIPs; NULL: absent. */
const struct host_link *facts_loopback(const struct facts *facts);
/* Whether the configuration has a VIP of this family. */
bool facts_have_vip_of(const struct facts *facts, sa_family_t family);
