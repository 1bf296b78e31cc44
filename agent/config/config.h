/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsr-agent.conf: one key table, one validated immutable struct. Reads files, and looks at nothing
 * else but the programs of exec checks: whether an interface exists or an address is ours is the
 * caller's question.
 */
#pragma once

#include "agent/config/check_spec.h"
#include "common/addr.h"
#include "common/ini/ini.h"
#include "common/proto/proto.h"

#define CONFIG_BALANCERS_MAX    16u
#define CONFIG_EXEMPT_MAX       64u
#define CONFIG_CHECKS_MAX       64u        /* of `unit` and `check` together */
#define CONFIG_WEIGHT_AUTO      UINT32_MAX /* the number of CPUs of the host that runs it */
#define CONFIG_DEFAULT_PATH     "/etc/dsr-agent/dsr-agent.conf"
#define CONFIG_DEFAULT_KEY_FILE "/etc/dsr-agent/key"

enum config_on_stop { CONFIG_WITHDRAW, CONFIG_KEEP };

struct config {
	struct ini_list balancers;  /* struct addr_port, with a port; at least one */
	struct ini_list vips;       /* struct addr; 1–PROTO_VIPS_MAX */
	struct ini_list arp_exempt; /* char *; up to CONFIG_EXEMPT_MAX */
	char *key_file;
	char *name;          /* NULL: the host's */
	struct addr real_ip; /* AF_UNSPEC: by the route to the first balancer */
	char *interface;     /* NULL: the same */
	uint32_t listen;     /* UDP port */
	char *loopback;
	uint32_t weight;          /* 0–65535, or CONFIG_WEIGHT_AUTO */
	uint64_t max_connections; /* 0: no ceiling; at most PROTO_CONNECTIONS_MAX */
	struct ini_list checks;   /* struct check_spec *; up to CONFIG_CHECKS_MAX, units too */
	uint64_t check_interval_us, check_timeout_us;
	uint32_t check_fall, check_rise;
	uint64_t drain_on_stop_us;
	int on_stop;                  /* enum config_on_stop */
	struct addr_port http_listen; /* AF_UNSPEC: off */
	bool second_chance;
};

/*
 * Loads and validates everything: 0 with `*ret_config`; -EINVAL with a report; -ENOMEM.
 * `*ret_report` is set but for -ENOMEM; the caller prints it.
 */
int config_load(const char *path, struct config **ret_config, struct ini_report **ret_report);
/* The same on text in memory, for the fuzzer and for tests; `name` stands for the file. */
int config_load_text(const char *name, const char *text, size_t size_bytes,
	struct config **ret_config, struct ini_report **ret_report);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config *, config_free)
/* The table, for the test that holds the man page to it. */
const struct ini_section *config_sections(size_t *ret_n_sections);
