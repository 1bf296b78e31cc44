/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that the balancer's doctor knows of its host, read once. The checks judge it and look at nothing more,
 * so that a test can make up any host.
 */
#pragma once

#include "common/doctor/echo.h"
#include "common/doctor/keyfile.h"
#include "common/doctor/service.h"
#include "common/doctor/survey.h"
#include "lb/config/model.h"

struct cli;

#define FACTS_DRIVER_BYTES 32u

/* What a card's driver says of itself. */
struct facts_card {
	char driver[FACTS_DRIVER_BYTES]; /* "": it says nothing */
	bool has_lro;                    /* joins received frames, which native XDP cannot have */
};

struct facts {
	const char *config_path;
	struct service service;
	int config_error; /* of the load; 0: there is one */
	struct config *config;
	struct ini_report *report;
	struct keyfile keyfile;

	int host_error; /* of looking at the host; 0: the rest is known */
	struct survey survey;
	struct facts_card card; /* of `interface` */
	uint32_t
		tcx_before; /* id of a program at its tcx ingress, before ours; 0: none, or not known */
	struct survey_filter *filters; /* at its tc ingress, ours among them */
	int filters_error;             /* 0, or why they are not known */
	size_t n_filters;
	int echo_error; /* of asking real servers for the size of frames */
	struct echo_target echoes[ECHO_TARGETS_MAX]; /* those that are up; more are not asked */
	size_t n_echoes;
	bool forwards4, forwards6;
	uint32_t all_rp_filter;
	uint32_t neighbours4, neighbours6; /* that the kernel keeps (gc_thresh3); 0: not known */
	bool has_bpf, has_btf, has_jit;    /* of the kernel; the last: compiles programs */
};

/* Looks at everything; what fails is told in it. `root`: of the host's files, "" but in tests. -ENOMEM, or 0. */
int facts_read(const struct cli *cli, const char *root, struct facts *ret_facts);
void facts_clear(struct facts *facts);

/* The interfaces of the configuration, which may be one. NULL: absent. */
const struct survey_link *facts_clients(const struct facts *facts);
/* idx < facts_n_backends() */
size_t facts_n_backends(const struct facts *facts);
const struct survey_link *facts_backends(const struct facts *facts, size_t idx);
/* The one of them whose subnet holds the address. */
const struct survey_link *facts_link_of(const struct facts *facts, const struct addr *address);
/* Whether checks of the host have what they need: a configuration and a look at it. */
bool facts_are_whole(const struct facts *facts);
/* A member of the daemon's document as text; "": there is none. */
const char *facts_text(const json_t *object, const char *name);
