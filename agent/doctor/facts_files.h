/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host's files will do to the agent's work at the next boot, or sooner: settings, other network
 * managers, what older scripts left. Read for struct facts; judged by checks_files.c.
 */
#pragma once

#include "agent/host/host.h"

#define FACTS_LINES_MAX  4096u /* of each list; more are not looked at */
#define FACTS_FILE_BYTES 256u

struct facts_line {
	char *path;
	unsigned int number; /* from 1 on; 0: the file itself */
	char *text;          /* without white space around it */
};

struct facts_lines {
	struct facts_line *items;
	size_t len;
};

struct facts_files {
	struct facts_lines
		sysctl; /* all settings, in the order in which systemd-sysctl makes them */
	struct facts_lines
		leftovers; /* lines of others that name a VIP, and scripts of real servers */
	/* The interface of the VIPs, and who else manages it. */
	char network_file[FACTS_FILE_BYTES]; /* of systemd-networkd; "": it does not */
	bool network_keeps;                  /* and leaves alone what it does not know */
	bool is_networkmanagers;             /* NetworkManager does, and was not told otherwise */
};

/* `loopback` NULL: it is not there. Files that cannot be read are passed over. 0, or -ENOMEM. */
int facts_files_read(const char *root, const struct addr *vips, size_t n_vips,
	const struct host_link *loopback, struct facts_files *ret_files);
void facts_files_clear(struct facts_files *files);
