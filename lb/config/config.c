/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsr-lb.conf as one table: every key of the page, its type, range and default. Called by the
 * daemon, by reload and by check-config; opens files through common/ini alone.
 */
#include "lb/config/config.h"

#include "common/proto/proto.h"
#include "lb/config/check.h"
#include "lb/config/value.h"

#define BALANCER(member)       offsetof(struct config, member)
#define VIRTUAL_SERVER(member) offsetof(struct config_virtual_server, member)
#define MINUTES(n)             ((int64_t)(n)*60 * (int64_t)US_PER_S)
#define HOURS(n)               MINUTES(60 * (n))

static const char *const adopt_names[] = { "auto", "approve", "off", NULL };
static const char *const hash_names[] = { "source-ip", "source-ip-port", NULL };
static const char *const all_down_names[] = { "keep", "drop", NULL };
static const char *const fragments_names[] = { "hash", "drop", NULL };

static const struct ini_key balancer_keys[] = {
	{ "interface", ini_parse_interface, BALANCER(interface), .flags = INI_REQUIRED,
		.doc = "INTERFACE, where clients' frames arrive" },
	{ "backend-interface", config_parse_backend_interface, BALANCER(backend_interfaces),
		.flags = INI_LIST,
		.doc = "INTERFACE, … towards the real servers; the same when not given" },
	{ "mode", config_parse_mode, BALANCER(mode), .default_value = "auto",
		.doc = "auto, xdp, tc or packet: how packets are forwarded" },
	{ "workers", config_parse_workers, BALANCER(workers), 1, 64, "auto",
		.doc = "1 to 64, or auto: threads that forward" },
	{ "listen", config_parse_listen, BALANCER(listen), .default_value = "7377",
		.doc = "[ADDRESS:]PORT, UDP, where agents register" },
	{ "key-file", ini_parse_text, BALANCER(key_file), .default_value = "/etc/dsr-lb/keys",
		.doc = "PATH of the agents' keys, mode 0600 or stricter" },
	{ "heartbeat-interval", ini_parse_duration, BALANCER(heartbeat_interval_us),
		50 * (int64_t)US_PER_MS, 60 * (int64_t)US_PER_S, "300ms",
		.doc = "50ms to 60s between heartbeats" },
	{ "heartbeat-fall", ini_parse_u32, BALANCER(heartbeat_fall), 1, 20, "3",
		.doc = "1 to 20 unanswered heartbeats until a backend is down" },
	{ "heartbeat-rise", ini_parse_u32, BALANCER(heartbeat_rise), 1, 20, "2",
		.doc = "1 to 20 good answers until it is up again" },
	{ "max-flows", ini_parse_size, BALANCER(max_flows), 1024, INT64_C(64) << 20, "1M",
		.doc = "1k to 64M flows recorded at the same time" },
	{ "adopt", ini_parse_enum, BALANCER(adopt), .default_value = "auto", .data = adopt_names,
		.doc = "auto, approve or off: what becomes of agents that register" },
	{ "announce", config_parse_announce, BALANCER(announce), .default_value = "self",
		.doc = "self, route or none: how frames for the VIPs get here" },
	{ "announce-refresh", ini_parse_duration, BALANCER(announce_refresh_us), 0, HOURS(1), "60s",
		.doc = "0 to 1h between gratuitous announcements" },
	{ "cluster-seed", ini_parse_text, BALANCER(cluster_seed),
		.doc = "a secret STRING, the same on all balancers of a cluster" },
	{ "active-when", config_parse_active_when, BALANCER(active_when), .default_value = "always",
		.doc = "always, or `address IP`: only while IP is configured here" },
	{ "linger", ini_parse_duration, BALANCER(linger_us), 0, (int64_t)CONFIG_LINGER_MAX_US,
		"2min",
		.doc = "0 to 1h that one that is no longer active forwards what still comes" },
	{ "http-listen", ini_parse_listen, BALANCER(http_listen), .default_value = "127.0.0.1:9377",
		.doc = "ADDRESS:PORT where HTTP answers, or off" },
	{ "metrics-per-backend", ini_parse_bool, BALANCER(metrics_per_backend),
		.default_value = "yes", .doc = "yes or no: metrics of each backend" },
	{ "log-level", config_parse_log_level, BALANCER(log_level), .default_value = "info",
		.doc = "err, warning, info or debug" },
};

static const struct ini_key virtual_server_keys[] = {
	{ "vip", config_parse_vip, VIRTUAL_SERVER(vips), .flags = INI_LIST | INI_REQUIRED,
		.doc = "ADDRESS, … of the service, IPv4 or IPv6" },
	{ "port", config_parse_port, VIRTUAL_SERVER(ports), .flags = INI_LIST,
		.doc = "80, 443, 8000-8100, or any (the default)" },
	{ "protocol", ini_parse_enum, VIRTUAL_SERVER(protocol), .data = config_protocol_names,
		.doc = "tcp (the default), udp, sctp or any (the default when port is any)" },
	{ "scheduler", ini_parse_enum, VIRTUAL_SERVER(scheduler), .default_value = "maglev",
		.data = config_scheduler_names, .doc = "maglev, source-hash, rr or lc" },
	{ "hash", ini_parse_enum, VIRTUAL_SERVER(hash), .default_value = "source-ip-port",
		.data = hash_names, .doc = "source-ip or source-ip-port: what maglev hashes" },
	{ "sessionless", ini_parse_bool, VIRTUAL_SERVER(sessionless), .default_value = "no",
		.doc = "yes or no: forward by the table alone" },
	{ "persistence", ini_parse_duration, VIRTUAL_SERVER(persistence_us), 0, HOURS(24), "0",
		.doc = "0 to 24h that a client keeps its server" },
	{ "persistence-prefix", config_parse_prefix, 0, .default_value = "32, 128",
		.doc = "8 to 32, 8 to 128: bits that tell clients apart" },
	{ "tcp-timeout", ini_parse_duration, VIRTUAL_SERVER(tcp_timeout_us), US_PER_S, HOURS(24),
		"15min", .doc = "1s to 24h without a packet" },
	{ "fin-timeout", ini_parse_duration, VIRTUAL_SERVER(fin_timeout_us), US_PER_S, HOURS(24),
		"2min", .doc = "1s to 24h after FIN" },
	{ "udp-timeout", ini_parse_duration, VIRTUAL_SERVER(udp_timeout_us), US_PER_S, HOURS(24),
		"5min", .doc = "1s to 24h without a packet" },
	{ "drain-timeout", ini_parse_duration, VIRTUAL_SERVER(drain_timeout_us), 0, HOURS(24),
		"5min", .doc = "0 to 24h that existing flows stay on a draining backend" },
	{ "slow-start", ini_parse_duration, VIRTUAL_SERVER(slow_start_us), 0, HOURS(1), "0",
		.doc = "0 to 1h until a new backend has its full weight" },
	{ "on-all-down", config_parse_drop, VIRTUAL_SERVER(drop_on_all_down),
		.default_value = "keep", .data = all_down_names,
		.doc = "keep or drop the backends when most vanish at once" },
	{ "minimum", config_parse_minimum, VIRTUAL_SERVER(minimum), .default_value = "1",
		.doc = "1 to 4096, or 1% to 100%, of usable backends that are no backups: with fewer not ready" },
	{ "syn-rate", ini_parse_size, VIRTUAL_SERVER(syn_rate), 0, UINT32_MAX, "0",
		.doc = "SYNs a second for the virtual server, 0 = off" },
	{ "syn-rate-source", ini_parse_size, VIRTUAL_SERVER(syn_rate_source), 0, UINT32_MAX, "0",
		.doc = "SYNs a second for each source /24 or /56, 0 = off" },
	{ "fragments", config_parse_drop, VIRTUAL_SERVER(drop_fragments), .default_value = "hash",
		.data = fragments_names, .doc = "hash or drop" },
	{ "allow-clients", config_parse_allow_client, VIRTUAL_SERVER(clients), .flags = INI_LIST,
		.doc = "CIDR, … of clients that are taken; nobody else is then" },
	{ "deny-clients", config_parse_deny_client, VIRTUAL_SERVER(clients), .flags = INI_LIST,
		.doc = "CIDR, … of clients that are not taken" },
	{ "check", config_parse_check, 0, .default_value = "agent, path", .flags = INI_LIST,
		.doc = "agent, path, tcp:PORT, http://HOST[:PORT]/PATH, or none" },
	{ "check-payload", config_parse_bytes, VIRTUAL_SERVER(check_payload),
		.doc = "hex:… or text, up to 512 bytes, of path's datagrams; empty when not given" },
	{ "check-expect", config_parse_bytes, VIRTUAL_SERVER(check_expect),
		.doc = "hex:… or text in the answers to path's datagrams; when not given, any or none" },
	{ "check-interval", ini_parse_duration, VIRTUAL_SERVER(check_interval_us),
		100 * (int64_t)US_PER_MS, HOURS(1), "2s", .doc = "100ms to 1h between checks" },
	{ "check-timeout", ini_parse_duration, VIRTUAL_SERVER(check_timeout_us),
		10 * (int64_t)US_PER_MS, MINUTES(1), "1s", .doc = "10ms to 1min for one check" },
	{ "check-fall", ini_parse_u32, VIRTUAL_SERVER(check_fall), 1, 20, "3",
		.doc = "1 to 20 failures until a backend is down" },
	{ "check-rise", ini_parse_u32, VIRTUAL_SERVER(check_rise), 1, 20, "2",
		.doc = "1 to 20 successes until it is up again" },
	{ "allow", ini_parse_prefix_list, VIRTUAL_SERVER(allow), .flags = INI_LIST,
		.doc = "CIDR, … of agents that may register" },
	{ "real-server", config_parse_real_server, VIRTUAL_SERVER(real_servers),
		.flags = INI_LIST | INI_WHOLE,
		.doc = "IP [weight=N] [name=X] [mac=M] [backup] [max-connections=N], a host without an agent" },
};

static void *open_balancer(void *context, const char *name, struct why *ret_why)
{
	return context;
}

static void *open_virtual_server(void *context, const char *name, struct why *ret_why)
{
	struct config *config = context;
	struct config_virtual_server *server;

	if (!proto_name_is_valid(name)) {
		why_set(ret_why,
			"'%.64s' is no name of a virtual server; write 1 to %u letters, digits, "
			"'.', '-' or '_'",
			name, PROTO_NAME_MAX);
		errno = EINVAL;
		return NULL;
	}
	server = config_virtual_server_get(config, name);
	if (!server && errno == ENOSPC) {
		why_set(ret_why, "more than %u virtual servers; remove some",
			CONFIG_VIRTUAL_SERVERS_MAX);
		errno = EINVAL;
	}
	return server;
}

static const struct ini_section sections[] = {
	{ "balancer", false, balancer_keys, ARRAY_LEN(balancer_keys), open_balancer },
	{ "virtual-server", true, virtual_server_keys, ARRAY_LEN(virtual_server_keys),
		open_virtual_server },
};

const struct ini_section *config_sections(size_t *ret_n_sections)
{
	*ret_n_sections = ARRAY_LEN(sections);
	return sections;
}

/* Members that stand for a key that was not given. */
static int fill_absent(struct config *config)
{
	if (config->backend_interfaces.len == 0 && config->interface) {
		char **name = ini_list_append(&config->backend_interfaces, sizeof(char *));

		if (!name)
			return -ENOMEM;
		*name = strdup(config->interface);
		if (!*name)
			return -ENOMEM;
	}
	if (!config->cluster_seed)
		config->cluster_seed = strdup("");
	return config->cluster_seed ? 0 : -ENOMEM;
}

/* `r` is the answer of the loader; what several keys say together is told beside what it refused. */
static int finish(int r, struct config *config, struct ini_report *report)
{
	if (r == -ENOMEM)
		return r;
	r = fill_absent(config);
	if (r == 0)
		r = config_check(config, report);
	if (r == 0 && ini_report_len(report) > 0)
		r = -EINVAL;
	return r;
}

static int hand_over(int r, struct config **config, struct ini_report **report,
	struct config **ret_config, struct ini_report **ret_report)
{
	r = finish(r, *config, *report);
	if (r == 0)
		*ret_config = TAKE_PTR(*config);
	if (r != -ENOMEM)
		*ret_report = TAKE_PTR(*report);
	return r;
}

int config_load(const char *path, struct config **ret_config, struct ini_report **ret_report)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = calloc(1, sizeof(*config));
	int r;

	if (!config)
		return -ENOMEM;
	r = ini_load(path, sections, ARRAY_LEN(sections), config, &report);
	return hand_over(r, &config, &report, ret_config, ret_report);
}

int config_load_text(const char *name, const char *text, size_t size_bytes,
	struct config **ret_config, struct ini_report **ret_report)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = calloc(1, sizeof(*config));
	int r;

	if (!config)
		return -ENOMEM;
	r = ini_load_text(name, text, size_bytes, sections, ARRAY_LEN(sections), config, &report);
	return hand_over(r, &config, &report, ret_config, ret_report);
}
