/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A validated configuration as a value: its structs, their names for people, and how they are freed. Who
 * only reads a configuration includes this; who loads one includes config.h. Pure.
 */
#pragma once

#include "common/addr.h"
#include "common/ini/ini.h"
#include "common/log.h"
#include "common/url.h"

#define CONFIG_VIRTUAL_SERVERS_MAX 10000u
#define CONFIG_VIPS_MAX            64u   /* of one virtual server */
#define CONFIG_PORTS_MAX           64u   /* items of one virtual server */
#define CONFIG_CHECKS_MAX          8u    /* tcp checks of one virtual server */
#define CONFIG_REQUESTS_MAX        4u    /* http checks of one virtual server */
#define CONFIG_URL_MAX             384u  /* bytes of one: its request is one frame */
#define CONFIG_CHECK_BYTES_MAX     512u  /* of check-payload and check-expect */
#define CONFIG_REAL_SERVERS_MAX    4096u /* of one virtual server */
#define CONFIG_MINIMUM_MAX         CONFIG_REAL_SERVERS_MAX
#define CONFIG_CLIENTS_MAX         16384u /* prefixes in the lists of all virtual servers */
#define CONFIG_LINGER_MAX_US       (3600 * US_PER_S)

enum config_mode { CONFIG_MODE_AUTO, CONFIG_MODE_XDP, CONFIG_MODE_TC, CONFIG_MODE_PACKET };
enum config_announce { CONFIG_ANNOUNCE_NONE, CONFIG_ANNOUNCE_SELF, CONFIG_ANNOUNCE_ROUTE };
enum config_adopt { CONFIG_ADOPT_AUTO, CONFIG_ADOPT_APPROVE, CONFIG_ADOPT_OFF };
enum config_protocol { CONFIG_TCP, CONFIG_UDP, CONFIG_SCTP, CONFIG_ANY };
enum config_scheduler { CONFIG_MAGLEV, CONFIG_SOURCE_HASH, CONFIG_RR, CONFIG_LC };
enum config_hash { CONFIG_SOURCE_IP, CONFIG_SOURCE_IP_PORT };

struct config_port {
	uint16_t first, last; /* host byte order, 1–65535, inclusive */
};

struct config_bytes {
	uint8_t *data;
	size_t size_bytes;
};

struct config_url {
	char *text;
	struct url parts; /* inside it */
};

/* Of allow-clients or deny-clients. */
struct config_client {
	struct addr_prefix prefix;
	bool denied;
};

struct config_real_server {
	char *name; /* the address when not given */
	struct addr address;
	struct mac mac; /* zero: not given */
	uint32_t weight;
	uint32_t max_connections; /* 0: no ceiling */
	bool is_backup;
};

/* How many usable backends make a virtual server ready. */
struct config_minimum {
	uint32_t number; /* 1–CONFIG_MINIMUM_MAX, or 1–100 percent */
	bool is_percent;
};

struct config_virtual_server {
	char *name;
	struct ini_list vips;  /* struct addr */
	struct ini_list ports; /* struct config_port; empty: any */
	enum config_protocol protocol;
	enum config_scheduler scheduler;
	enum config_hash hash;
	bool sessionless;
	uint64_t persistence_us;
	uint32_t persistence_prefix4, persistence_prefix6;
	uint64_t tcp_timeout_us, fin_timeout_us, udp_timeout_us;
	uint64_t drain_timeout_us, slow_start_us;
	bool drop_on_all_down;
	struct config_minimum minimum;
	uint64_t syn_rate, syn_rate_source; /* packets a second; 0: off */
	bool drop_fragments;
	struct ini_list clients; /* struct config_client, in the order of addr_prefix_compare() */
	bool check_agent, check_path, check_none;
	struct ini_list check_tcp;                       /* uint16_t */
	struct ini_list check_http;                      /* struct config_url */
	struct config_bytes check_payload, check_expect; /* of datagrams of check = path */
	uint64_t check_interval_us, check_timeout_us;
	uint32_t check_fall, check_rise;
	struct ini_list allow;        /* struct addr_prefix */
	struct ini_list real_servers; /* struct config_real_server */
};

struct config {
	char *interface;
	struct ini_list backend_interfaces; /* char *, one at least: = interface when not given */
	enum config_mode mode;
	uint32_t workers; /* 0: auto */
	struct addr_port listen;
	char *key_file;
	uint64_t heartbeat_interval_us;
	uint32_t heartbeat_fall, heartbeat_rise;
	uint64_t max_flows;
	enum config_adopt adopt;
	enum config_announce announce;
	uint64_t announce_refresh_us;
	uint64_t linger_us;           /* at most CONFIG_LINGER_MAX_US */
	char *cluster_seed;           /* "" when not given */
	struct addr active_when;      /* AF_UNSPEC: always */
	struct addr_port http_listen; /* AF_UNSPEC: off */
	bool metrics_per_backend;
	enum log_level log_level;
	struct config_virtual_server **virtual_servers; /* in name order */
	size_t n_virtual_servers;
};

/* idx < config->backend_interfaces.len */
const char *config_backend_interface(const struct config *config, size_t idx);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config *, config_free)
/*
 * The virtual server of that name, made where there is none; the configuration's. NULL with errno: ENOMEM, or
 * ENOSPC: there are CONFIG_VIRTUAL_SERVERS_MAX.
 */
struct config_virtual_server *config_virtual_server_get(struct config *config, const char *name);
/* NULL: there is none of that name. */
const struct config_virtual_server *config_virtual_server_find(
	const struct config *config, const char *name);
const char *config_scheduler_name(enum config_scheduler scheduler);
/* Whether it serves this protocol, which is not CONFIG_ANY. */
bool config_serves(
	const struct config_virtual_server *virtual_server, enum config_protocol protocol);
const char *config_protocol_name(enum config_protocol protocol);
/* "80, 443, 8000-8100" or "any", to free. NULL: no memory. */
char *config_ports_format(const struct config_virtual_server *virtual_server);
/* The words of the two enumerations, in their order, and NULL behind the last. */
extern const char *const config_scheduler_names[];
extern const char *const config_protocol_names[];
