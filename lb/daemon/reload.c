/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration and keys into the running parts, at the start and on reload. A reload validates
 * everything first (files, keys, what the registry says of static real servers), then applies it
 * whole; on any error nothing has changed.
 */
#include "lb/daemon/daemon.h"

#include "common/proto/auth.h"
#include "common/systemd.h"
#include "lb/config/keys.h"

/* Everything that a new configuration consists of, before it is in force. */
struct configure_candidate {
	struct config *config;
	struct ini_report *report;
	struct auth_keyring *ring;
	struct service_list *services;
};

static void configure_candidate_clear(struct configure_candidate *candidate)
{
	service_list_free(candidate->services);
	auth_keyring_free(candidate->ring);
	config_free(candidate->config);
	ini_report_free(candidate->report);
}

/* Appends one line. */
static void configure_say(char **text, const char *line)
{
	char *longer = NULL;

	if (asprintf(&longer, "%s%s%s", *text ? *text : "", *text ? "\n" : "", line) < 0)
		return;
	free(*text);
	*text = longer;
}

static int configure_load(
	const char *path, struct configure_candidate *ret_candidate, char **ret_errors)
{
	char why[AUTH_WHY_BYTES] = "";
	int r = config_load(path, &ret_candidate->config, &ret_candidate->report);

	for (size_t i = 0;
		r < 0 && ret_candidate->report && i < ini_report_len(ret_candidate->report); i++)
		configure_say(ret_errors, ini_report_line(ret_candidate->report, i));
	if (r < 0)
		return CONTROL_CONFIG;
	r = keys_load(ret_candidate->config, &ret_candidate->ring, why);
	if (r < 0) {
		configure_say(ret_errors, why);
		return CONTROL_CONFIG;
	}
	return 0;
}

static void configure_log(const char *errors)
{
	for (const char *line = errors; line && *line;) {
		size_t length = strcspn(line, "\n");

		log_error("%.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

int configure_start(struct daemon *daemon)
{
	struct configure_candidate candidate = { 0 };
	_cleanup_free_ char *errors = NULL;
	int r = configure_load(daemon->config_path, &candidate, &errors);

	if (r != 0) {
		configure_log(errors);
		configure_candidate_clear(&candidate);
		return r;
	}
	for (size_t i = 0; i < ini_report_warnings_len(candidate.report); i++)
		log_warning("%s", ini_report_warning(candidate.report, i));
	daemon->config = candidate.config;
	daemon->report = candidate.report;
	daemon->ring = candidate.ring;
	log_set_level(daemon->config->log_level);
	return 0;
}

/*
 * Keeps a copy: the registry's must not change under it. While the interface is not there or has no
 * address, nobody can say who is on its link: then everybody may be.
 */
static bool configure_take_subnets(struct daemon *daemon)
{
	static const struct addr_prefix anywhere[] = {
		{ .addr = { .family = AF_INET } },
		{ .addr = { .family = AF_INET6 } },
	};
	const struct neigh_link *link = neigh_backend_link(daemon->neigh);
	const struct addr_prefix *subnets = link->n_subnets ? link->subnets : anywhere;
	size_t len = link->n_subnets ? link->n_subnets : ARRAY_LEN(anywhere);

	if (daemon->n_subnets == len &&
		memcmp(daemon->subnets, subnets, len * sizeof(*subnets)) == 0)
		return false;
	memcpy(daemon->subnets, subnets, len * sizeof(*subnets));
	daemon->n_subnets = len;
	return true;
}

static void configure_registry(const struct daemon *daemon, const struct config *config,
	const struct service_list *services, struct registry_config *ret_config)
{

	*ret_config = (struct registry_config){
		.services = services->registry,
		.n_services = services->len,
		.statics = services->statics,
		.n_statics = services->n_statics,
		.subnets = daemon->subnets,
		.n_subnets = daemon->n_subnets,
		.interval_us = config->heartbeat_interval_us,
		.fall = config->heartbeat_fall,
		.rise = config->heartbeat_rise,
		.adopt = config->adopt == CONFIG_ADOPT_AUTO     ? REGISTRY_ADOPT_AUTO
			: config->adopt == CONFIG_ADOPT_APPROVE ? REGISTRY_ADOPT_APPROVE
								: REGISTRY_ADOPT_OFF,
	};
}

int configure_apply_start(struct daemon *daemon, const json_t *document)
{
	struct registry_config config;
	struct why why = { 0 };
	int r;

	session_configure(daemon->sessions, TAKE_PTR(daemon->ring),
		(uint32_t)daemon->config->heartbeat_interval_us,
		(uint8_t)daemon->config->heartbeat_fall);
	if (document_boot_id(document) != 0)
		document_restore(daemon, document);
	r = service_list_new(daemon->config, daemon->service_ids, &daemon->services);
	if (r < 0)
		return log_errno(r, "cannot number the virtual servers");
	(void)configure_take_subnets(daemon);
	configure_registry(daemon, daemon->config, daemon->services, &config);
	r = registry_configure(daemon->registry, &config, daemon_now(daemon), &why);
	if (r == -EINVAL) {
		log_error("%s: %s", daemon->config_path, why.text);
		return CONTROL_CONFIG;
	}
	daemon->config_generation = 1;
	return r < 0 ? log_errno(r, "cannot set up the registry") : 0;
}

void configure_links(struct daemon *daemon)
{
	struct registry_config config;
	struct why why = { 0 };
	int r;

	if (!configure_take_subnets(daemon))
		return;
	configure_registry(daemon, daemon->config, daemon->services, &config);
	r = registry_configure(daemon->registry, &config, daemon_now(daemon), &why);
	if (r < 0)
		(void)log_warning_errno(r, "the addresses of %s changed: %s",
			daemon->config->backend_interface, why.text);
}

/* Keys that open sockets or start threads: changing them needs a restart, and is said so. */
static int configure_check_fixed(
	const struct daemon *daemon, const struct config *config, char **ret_errors)
{
	const struct config *old = daemon->config;
	const char *key = NULL;
	_cleanup_free_ char *line = NULL;

	if (!streq(old->interface, config->interface))
		key = "interface";
	else if (!streq(old->backend_interface, config->backend_interface))
		key = "backend-interface";
	else if (old->workers != config->workers)
		key = "workers";
	else if (old->mode != config->mode)
		key = "mode";
	else if (old->listen.port != config->listen.port ||
		!addr_equal(&old->listen.addr, &config->listen.addr))
		key = "listen";
	else if (old->max_flows != config->max_flows)
		key = "max-flows";
	else if (!streq(old->cluster_seed, config->cluster_seed))
		key = "cluster-seed";
	if (!key)
		return 0;
	if (asprintf(&line, "%s: %s: cannot change while running; restart dsr-lb, flows survive it",
		    daemon->config_path, key) > 0)
		configure_say(ret_errors, line);
	return CONTROL_CONFIG;
}

static void configure_take(struct daemon *daemon, struct configure_candidate *candidate)
{
	session_configure(daemon->sessions, TAKE_PTR(candidate->ring),
		(uint32_t)candidate->config->heartbeat_interval_us,
		(uint8_t)candidate->config->heartbeat_fall);
	forward_blackholes(daemon, candidate->services);
	service_list_free(daemon->services);
	config_free(daemon->config);
	ini_report_free(daemon->report);
	daemon->services = TAKE_PTR(candidate->services);
	daemon->config = TAKE_PTR(candidate->config);
	daemon->report = TAKE_PTR(candidate->report);
	daemon->config_generation++;
	log_set_level(daemon->config->log_level);
	forward_update(daemon);
	forward_publish(daemon);
	daemon_pump(daemon);
	log_info("reloaded %s: %zu virtual servers", daemon->config_path,
		daemon->config->n_virtual_servers);
}

static int configure_reload_now(struct daemon *daemon, char **ret_errors)
{
	struct configure_candidate candidate = { 0 };
	struct registry_config config;
	struct why why = { 0 };
	int r = configure_load(daemon->config_path, &candidate, ret_errors);

	if (r == 0)
		r = configure_check_fixed(daemon, candidate.config, ret_errors);
	if (r == 0) {
		r = service_list_new(candidate.config, daemon->service_ids, &candidate.services);
		if (r < 0)
			configure_say(ret_errors, "too many virtual servers");
	}
	if (r == 0) {
		configure_registry(daemon, candidate.config, candidate.services, &config);
		r = registry_configure(daemon->registry, &config, daemon_now(daemon), &why);
		if (r < 0)
			configure_say(ret_errors, why.text);
	}
	if (r == 0)
		configure_take(daemon, &candidate);
	configure_candidate_clear(&candidate);
	return r == 0 ? 0 : CONTROL_CONFIG;
}

int configure_reload(struct daemon *daemon, char **ret_errors)
{
	int r;

	systemd_tell_reloading(daemon_now(daemon));
	r = configure_reload_now(daemon, ret_errors);
	systemd_tell_ready();
	return r;
}
