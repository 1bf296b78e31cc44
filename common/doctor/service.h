/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon as its doctor sees it: what it says, its process, and whether it comes again at the next boot. And
 * what both doctors check of it.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "common/util.h"

#define SERVICE_OPTIONS_BYTES 1200u
#define SERVICE_AGAIN_BYTES   2400u

struct cli;
struct doctor;
struct ini_report;

struct service {
	const char *program; /* "dsr-lb"; borrowed */
	/* What its verbs need to find it again: "" or " --runtime-dir DIR", ready for a shell. */
	char options[SERVICE_OPTIONS_BYTES];
	char again[SERVICE_AGAIN_BYTES]; /* those of `doctor`: with --config where it was given */
	const char *directory;           /* of its control socket; borrowed */
	int error;                       /* of asking it: 0, negative errno, or an exit status */
	json_t *status;                  /* its document; NULL unless error is 0 */
	json_t *config;                  /* lines of its configuration in force; NULL: not known */
	pid_t pid;                       /* 0: not known */
	bool has_process;                /* its capabilities are known */
	uint64_t capabilities;           /* effective ones, a bit each */
	bool has_uid;
	uid_t uid;             /* whose process it is, or was */
	bool in_other_network; /* in another network namespace than we */
	bool has_systemd;      /* systemd is the host's init */
	bool has_unit;         /* its unit is installed */
	bool is_enabled;       /* and starts at boot */
	bool is_root;          /* we may see everything */
};

/*
 * Asks and looks. `default_directory` is that of its control socket; `root` "" but in tests. To be cleared by
 * the caller; never fails, what cannot be found out stays so.
 */
void service_look(const struct cli *cli, const char *default_directory, const char *root,
	struct service *ret_service);
void service_clear(struct service *service);

void service_judge_daemon(const struct service *service, struct doctor *doctor);
/* `wanted`: the capabilities without which it cannot work, a bit each. */
void service_judge_capabilities(
	const struct service *service, uint64_t wanted, struct doctor *doctor);
void service_judge_boot(const struct service *service, struct doctor *doctor);
/*
 * What a load of the configuration said (`error` of that load; `report` NULL: no memory), and whether that is what
 * the daemon runs with.
 */
void service_judge_config(const struct service *service, struct ini_report *report, int error,
	const char *path, struct doctor *doctor);
/* The configuration to look at: the given one, else the daemon's own, else the default. */
const char *service_config_path(const struct service *service, const struct cli *cli);
/* The mend of a daemon that does not run: by its unit, or without one. */
void service_mend_start(const struct service *service, struct doctor *doctor);
/* The line for what only root may see: a warning with `sudo PROGRAM doctor`. */
void service_warn_hidden(
	const struct service *service, struct doctor *doctor, const char *subject, const char *why);
