/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Candidates, and how one comes into force: see reload.h. */
#include "lb/daemon/reload.h"

#include <net/if.h>

#include "common/os/clock.h"
#include "common/control/control.h"
#include "common/events/events.h"
#include "common/http/http.h"
#include "common/log.h"
#include "common/os/systemd.h"
#include "lb/config/config.h"
#include "lb/config/keys.h"
#include "lb/config/service.h"
#include "lb/daemon/actions.h"
#include "lb/daemon/agents.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/daemon/document.h"
#include "lb/daemon/update.h"
#include "lb/link/neigh/segments.h"
#include "lb/link/neigh/subnets.h"
#include "lb/session/session.h"
#include "lb/state/keep.h"
#include "lb/watch/leaks.h"

/* Own addresses on the interfaces to backends, and their subnets. */
struct reload_sources {
	struct addr addresses[SEGMENTS_MAX * PROTO_SOURCES_MAX];
	struct addr_prefix subnets[SEGMENTS_MAX * PROTO_SOURCES_MAX];
	size_t len;
};

struct reload {
	struct balancer *balancer;
	struct keyring *ring;   /* between loading and the start */
	struct subnets subnets; /* of the interfaces to backends */
	bool subnets_failed;    /* and it was said */
	struct reload_sources sources;
	int http_listener; /* between loading and the start */
	struct reload_status status;
};

struct reload *reload_new(struct balancer *balancer)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (!reload)
		return NULL;
	reload->balancer = balancer;
	reload->http_listener = HTTP_LISTEN_OFF;
	return reload;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	keyring_free(reload->ring);
	util_close(reload->http_listener);
	free(reload);
	return NULL;
}

/* Everything that a new configuration consists of, before it is in force. */
struct reload_candidate {
	struct config *config;
	struct ini_report *report;
	struct keyring *ring;
	struct service_list *services;
	int http_listener; /* HTTP_LISTEN_SAME until it is opened */
};

static void reload_candidate_clear(struct reload_candidate *candidate)
{
	util_close(candidate->http_listener);
	service_list_free(candidate->services);
	keyring_free(candidate->ring);
	config_free(candidate->config);
	ini_report_free(candidate->report);
}

/* Appends one line. */
static void reload_say(char **text, const char *line)
{
	char *longer = NULL;

	if (asprintf(&longer, "%s%s%s", *text ? *text : "", *text ? "\n" : "", line) < 0) {
		log_error("%s", line);
		return;
	}
	free(*text);
	*text = longer;
}

/* Appends what the report has from `first` on. */
static void reload_say_report(const struct ini_report *report, size_t first, char **text)
{
	for (size_t i = first; report && i < ini_report_len(report); i++)
		reload_say(text, ini_report_line(report, i));
}

/* 0, CONTROL_CONFIG, or -ENOMEM, which is no fault of the configuration. */
static int reload_load_files(
	const char *path, struct reload_candidate *ret_candidate, char **ret_errors)
{
	int r = config_load(path, &ret_candidate->config, &ret_candidate->report);
	int r_keys = r == -ENOMEM ? r : keys_load(ret_candidate->report, &ret_candidate->ring);

	if (r == 0)
		r = r_keys;
	if (r < 0)
		reload_say_report(ret_candidate->report, 0, ret_errors);
	if (r == -ENOMEM)
		reload_say(ret_errors, "out of memory while the configuration was read");
	if (r < 0)
		return r == -ENOMEM ? r : CONTROL_CONFIG;
	return 0;
}

static void reload_log(const char *errors)
{
	for (const char *line = errors; line && *line;) {
		size_t length = strcspn(line, "\n");

		log_error("%.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

/*
 * Opens `http-listen`. Whoever did not ask for it is not kept from balancing by another program at its default. What is
 * wrong is said with its place. 0 or CONTROL_CONFIG.
 */
static int reload_open_http(
	const struct balancer *balancer, struct reload_candidate *candidate, char **ret_errors)
{
	const struct addr_port *address = &candidate->config->http_listen;
	size_t before = ini_report_len(candidate->report);
	char text[ADDR_PORT_STRLEN];
	int r = http_bind(balancer->http, address, &candidate->http_listener);

	if (r == 0)
		return 0;
	addr_port_format(address, text);
	if (!ini_report_is_set(candidate->report, "balancer", NULL, "http-listen")) {
		(void)log_warning_errno(r,
			"no HTTP but on the control socket: cannot listen on %s, the default of "
			"http-listen; set another, or off",
			text);
		return 0;
	}
	ini_report_add(candidate->report, "balancer", NULL, "http-listen",
		"cannot listen on %s: %s; write another address or port, or off", text,
		strerror(-r));
	reload_say_report(candidate->report, before, ret_errors);
	return CONTROL_CONFIG;
}

static void reload_note(struct reload *reload, bool successful)
{
	reload->status.successful = successful;
	if (successful)
		reload->status.success_us = clock_realtime_us();
}

int reload_load(struct reload *reload)
{
	struct reload_candidate candidate = { .http_listener = HTTP_LISTEN_SAME };
	struct balancer *balancer = reload->balancer;
	_cleanup_free_ char *errors = NULL;
	int r = reload_load_files(balancer->paths.config, &candidate, &errors);

	if (r == 0)
		r = reload_open_http(balancer, &candidate, &errors);
	if (r != 0) {
		reload_log(errors);
		reload_candidate_clear(&candidate);
		return r;
	}
	for (size_t i = 0; i < ini_report_warnings_len(candidate.report); i++)
		log_warning("%s", ini_report_warning(candidate.report, i));
	balancer->config = candidate.config;
	balancer->report = candidate.report;
	reload->ring = candidate.ring;
	reload->http_listener = candidate.http_listener;
	log_set_level(balancer->config->log_level);
	return 0;
}

/* While an interface has no address nobody can say who is on it, and everybody may be. */
static size_t reload_add_subnets(
	const struct neigh_link *link, struct addr_prefix *subnets, size_t len)
{
	static const struct addr_prefix anywhere[] = {
		{ .addr = { .family = AF_INET } },
		{ .addr = { .family = AF_INET6 } },
	};
	const struct addr_prefix *from = link->n_subnets ? link->subnets : anywhere;
	size_t n = link->n_subnets ? link->n_subnets : ARRAY_LEN(anywhere);

	for (size_t i = 0; i < n && len < SUBNETS_FOUND_MAX; i++)
		subnets[len++] = from[i];
	return len;
}

/* True: `*ret_next` should be in force, of the interfaces that are to be. */
static bool reload_look_at_subnets(struct reload *reload, const struct subnets_set **ret_next)
{
	struct addr_prefix found[SUBNETS_FOUND_MAX];
	size_t len = 0;

	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_next_link(reload->balancer->segments, i);

		if (link)
			len = reload_add_subnets(link, found, len);
	}
	return subnets_look(&reload->subnets, found, len, clock_now_us(), ret_next);
}

/* Link-local ones, from which hardly anything is sent, as far as there is room. */
static void reload_add_sources(const struct neigh_link *link, struct reload_sources *sources)
{
	size_t n = 0;

	for (unsigned int local = 0; local < 2; local++)
		for (size_t i = 0; i < link->n_subnets && n < PROTO_SOURCES_MAX; i++)
			if (addr_is_link_local6(&link->addresses[i]) == (local == 1)) {
				sources->addresses[sources->len] = link->addresses[i];
				sources->subnets[sources->len++] = link->subnets[i];
				n++;
			}
}

/* True: they are others than before. */
static bool reload_look_at_sources(struct reload *reload)
{
	struct reload_sources sources = { 0 };
	bool changed;

	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_next_link(reload->balancer->segments, i);

		if (link)
			reload_add_sources(link, &sources);
	}
	changed = sources.len != reload->sources.len;
	for (size_t i = 0; i < sources.len && !changed; i++)
		changed = !addr_equal(&sources.addresses[i], &reload->sources.addresses[i]);
	reload->sources = sources;
	return changed;
}

static void reload_registry(const struct reload *reload, const struct config *config,
	const struct service_list *services, const struct subnets_set *subnets,
	struct registry_config *ret_config)
{
	*ret_config = (struct registry_config){
		.services = services->registry,
		.n_services = services->len,
		.statics = services->statics,
		.n_statics = services->n_statics,
		.subnets = subnets->items,
		.n_subnets = subnets->len,
		.sources = reload->sources.addresses,
		.source_subnets = reload->sources.subnets,
		.n_sources = reload->sources.len,
		.interval_us = config->heartbeat_interval_us,
		.fall = config->heartbeat_fall,
		.rise = config->heartbeat_rise,
		.adopt = config->adopt == CONFIG_ADOPT_AUTO     ? REGISTRY_ADOPT_AUTO
			: config->adopt == CONFIG_ADOPT_APPROVE ? REGISTRY_ADOPT_APPROVE
								: REGISTRY_ADOPT_OFF,
	};
}

/* What new VIPs are held against. */
struct reload_vips {
	const struct service_list *services; /* the candidate's */
	struct addr *in_force;               /* sorted: these are not asked about again */
	size_t n_in_force;
	struct addr *gateways;
	size_t n_gateways;
};

static void reload_vips_clear(struct reload_vips *vips)
{
	free(vips->in_force);
	free(vips->gateways);
}

/* Of all interfaces. What cannot be read is left out. */
static void reload_list_gateways(const struct balancer *balancer, struct reload_vips *vips)
{
	neigh_list_gateways(balancer->neigh, &vips->gateways, &vips->n_gateways);
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		_cleanup_free_ struct addr *more = NULL;
		struct addr *all;
		size_t n_more = 0;

		if (!segments_link(balancer->segments, i))
			continue;
		neigh_list_gateways(segments_neigh_at(balancer->segments, i), &more, &n_more);
		all = n_more ? reallocarray(vips->gateways, vips->n_gateways + n_more, sizeof(*all))
			     : NULL;
		if (!all)
			continue;
		memcpy(all + vips->n_gateways, more, n_more * sizeof(*all));
		vips->gateways = all;
		vips->n_gateways += n_more;
	}
}

static int reload_compare_addresses(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* Whose address a new VIP is, which it would take from them; NULL: nobody's that is known. */
static const char *reload_vip_owner(const struct balancer *balancer, const struct config *config,
	const struct reload_vips *vips, const struct addr *vip)
{
	if (vips->n_in_force > 0 &&
		bsearch(vip, vips->in_force, vips->n_in_force, sizeof(*vip),
			reload_compare_addresses))
		return NULL;
	if (addr_equal(vip, &config->listen.addr) || session_is_local(balancer->sessions, vip))
		return "the address at which agents reach this balancer";
	if (registry_find_address(balancer->registry, vip))
		return "a backend's address";
	for (size_t i = 0; i < vips->services->n_statics; i++)
		if (addr_equal(vip, &vips->services->statics[i].address))
			return "a real server's address";
	for (size_t i = 0; i < vips->n_gateways; i++)
		if (addr_equal(vip, &vips->gateways[i]))
			return "a gateway's address";
	return NULL;
}

/*
 * A VIP is taken from whoever else has it: agents, a backend or the router would be cut off. `in_force` NULL:
 * at the start. What is wrong is said with its place. 0, CONTROL_CONFIG or -ENOMEM.
 */
static int reload_check_vips(const struct balancer *balancer, const struct config *config,
	struct ini_report *report, const struct service_list *services,
	const struct service_list *in_force, char **ret_errors)
{
	_cleanup_(reload_vips_clear) struct reload_vips vips = { .services = services };
	size_t before = ini_report_len(report);
	char text[ADDR_STRLEN];

	if (in_force && service_list_vips(in_force, &vips.in_force, &vips.n_in_force) < 0)
		return -ENOMEM;
	reload_list_gateways(balancer, &vips);
	for (size_t i = 0; i < services->len; i++) {
		const struct service *service = &services->items[i];
		const char *owner = reload_vip_owner(balancer, config, &vips, &service->vip);

		if (owner)
			ini_report_add(report, "virtual-server", service->virtual_server->name,
				"vip", "%s is %s; a VIP is an address of its own",
				addr_format(&service->vip, text), owner);
	}
	reload_say_report(report, before, ret_errors);
	return ini_report_len(report) > before ? CONTROL_CONFIG : 0;
}

/* By what was kept, and by what the host says. */
static int reload_check_first_vips(const struct balancer *balancer)
{
	_cleanup_free_ char *errors = NULL;
	int r = reload_check_vips(
		balancer, balancer->config, balancer->report, balancer->services, NULL, &errors);

	reload_log(errors);
	return r;
}

int reload_start(struct reload *reload, const json_t *document)
{
	struct balancer *balancer = reload->balancer;
	const struct subnets_set *subnets;
	struct registry_config config;
	struct why why = { 0 };
	int r;

	session_configure(balancer->sessions, TAKE_PTR(reload->ring),
		(uint32_t)balancer->config->heartbeat_interval_us,
		(uint8_t)balancer->config->heartbeat_fall);
	if (document_boot_id(document, keep_boot(balancer->keep), clock_now_us()) != 0)
		document_restore(balancer, document);
	r = service_list_new(balancer->config, balancer->service_ids, &balancer->services);
	if (r < 0)
		return log_errno(r, "cannot number the virtual servers");
	r = reload_check_first_vips(balancer);
	if (r != 0)
		return r;
	(void)reload_look_at_subnets(reload, &subnets);
	(void)reload_look_at_sources(reload);
	reload_registry(reload, balancer->config, balancer->services, subnets, &config);
	r = registry_configure(balancer->registry, &config, clock_now_us(), &why);
	if (r == -EINVAL) {
		log_error("%s: %s", balancer->paths.config, why.text);
		return CONTROL_CONFIG;
	}
	if (r < 0)
		return log_errno(r, "cannot set up the registry");
	subnets_take(&reload->subnets);
	service_list_set_in_force(balancer->services, balancer->service_ids);
	balancer->config_generation = 1;
	reload_note(reload, true);
	return 0;
}

int reload_start_http(struct reload *reload)
{
	int fd = reload->http_listener;

	reload->http_listener = HTTP_LISTEN_OFF;
	return http_set_listener(reload->balancer->http, fd);
}

void reload_subnets(struct reload *reload)
{
	struct balancer *balancer = reload->balancer;
	const struct subnets_set *subnets;
	struct registry_config config;
	struct why why = { 0 };
	bool differ;
	int r;

	differ = reload_look_at_subnets(reload, &subnets);
	if (!(reload_look_at_sources(reload) || differ))
		return;
	if (!differ)
		subnets = subnets_in_force(&reload->subnets);
	reload_registry(reload, balancer->config, balancer->services, subnets, &config);
	r = registry_configure(balancer->registry, &config, clock_now_us(), &why);
	if (r == 0 && differ)
		subnets_take(&reload->subnets);
	else if (r < 0 && !reload->subnets_failed)
		(void)log_warning_errno(r,
			"addresses of interfaces to backends changed, and those before stay in force: %s",
			why.text);
	reload->subnets_failed = r < 0;
}

/* Keys that open sockets or start threads: changing them needs a restart, and is said so. */
static int reload_check_fixed(const struct balancer *balancer,
	const struct reload_candidate *candidate, char **ret_errors)
{
	const struct config *old = balancer->config, *config = candidate->config;
	size_t before = ini_report_len(candidate->report);
	const char *key = NULL;

	if (!streq(old->interface, config->interface))
		key = "interface";
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
	ini_report_add(candidate->report, "balancer", NULL, key,
		"cannot change while running; restart dsr-lb, flows survive it");
	reload_say_report(candidate->report, before, ret_errors);
	return CONTROL_CONFIG;
}

/* What serves must be able to send to each interface to backends that is there. 0 or CONTROL_CONFIG, said. */
static int reload_check_outs(const struct balancer *balancer,
	const struct reload_candidate *candidate, char **ret_errors)
{
	const struct ini_list *names = &candidate->config->backend_interfaces;
	size_t before = ini_report_len(candidate->report);
	unsigned int outs[FWD_LINKS_MAX] = { 0 };
	struct why why = { 0 };

	for (size_t i = 0; i < names->len; i++)
		outs[i] = if_nametoindex(config_backend_interface(candidate->config, i));
	if (dataplane_takes_outs(balancer->dataplane, outs, &why))
		return 0;
	ini_report_add(candidate->report, "balancer", NULL, "backend-interface",
		"%s; write mode = tc or auto and restart dsr-lb, flows survive it", why.text);
	reload_say_report(candidate->report, before, ret_errors);
	return CONTROL_CONFIG;
}

/*
 * The registry takes the configuration with the interfaces to backends that it names, or nothing changes. 0 or negative
 * errno, said.
 */
static int reload_configure(
	struct reload *reload, const struct reload_candidate *candidate, char **ret_errors)
{
	struct balancer *balancer = reload->balancer;
	const struct ini_list *names = &candidate->config->backend_interfaces;
	const struct subnets_set *subnets;
	struct registry_config config;
	_cleanup_free_ char *line = NULL;
	struct why why = { 0 };
	bool differ;
	int r = segments_prepare(balancer->segments, names->items, names->len);

	if (r < 0) {
		reload_say(ret_errors,
			r == -ENOSPC
				? "too many interfaces to backends are new at once; take out those "
				  "that go first, and add the new ones by another reload"
				: "cannot follow the interfaces to backends over netlink");
		return r;
	}
	if (segments_differ(balancer->segments))
		subnets_expire(&reload->subnets);
	differ = reload_look_at_subnets(reload, &subnets);
	if (!differ)
		subnets = subnets_in_force(&reload->subnets);
	(void)reload_look_at_sources(reload);
	reload_registry(reload, candidate->config, candidate->services, subnets, &config);
	r = registry_configure(balancer->registry, &config, clock_now_us(), &why);
	if (r < 0) {
		if (asprintf(&line, "%s: %s", balancer->paths.config, why.text) < 0)
			line = NULL;
		reload_say(ret_errors, line ? line : why.text);
		segments_abandon(balancer->segments);
		return r;
	}
	if (differ)
		subnets_take(&reload->subnets);
	segments_commit(balancer->segments);
	return 0;
}

static void reload_take(struct balancer *balancer, struct reload_candidate *candidate)
{
	session_configure(balancer->sessions, TAKE_PTR(candidate->ring),
		(uint32_t)candidate->config->heartbeat_interval_us,
		(uint8_t)candidate->config->heartbeat_fall);
	service_list_free(balancer->services);
	config_free(balancer->config);
	ini_report_free(balancer->report);
	balancer->services = TAKE_PTR(candidate->services);
	service_list_set_in_force(balancer->services, balancer->service_ids);
	balancer->config = TAKE_PTR(candidate->config);
	balancer->report = TAKE_PTR(candidate->report);
	balancer->config_generation++;
	(void)http_set_listener(balancer->http, candidate->http_listener);
	candidate->http_listener = HTTP_LISTEN_SAME;
	log_set_level(balancer->config->log_level);
	/* Before anything comes by an interface that is none of ours now. */
	(void)agents_listen(balancer->agents);
	leaks_follow(balancer->leaks);
	update_follow(balancer->update);
	update_mark(balancer->update, true);
	actions_flush(balancer->actions);
}

/* Errors are lines; an event is one. */
static void reload_tell_refused(const struct balancer *balancer, const char *errors)
{
	struct event event = { .message = EVENT_CONFIG_REFUSED, .level = LOG_LEVEL_ERROR };
	_cleanup_free_ char *line = errors ? strdup(errors) : NULL;

	for (size_t i = 0; line && line[i]; i++)
		if (line[i] == '\n')
			line[i] = ';';
	event.reason = line;
	events_raise(balancer->events, &event, "reload refused, nothing has changed: %s",
		line ? line : "");
}

static void reload_tell_loaded(const struct balancer *balancer)
{
	char old[24], now[24];
	const struct event event = {
		.message = EVENT_CONFIG_LOADED,
		.level = LOG_LEVEL_INFO,
		.old = old,
		.now = now,
	};

	snprintf(old, sizeof(old), "%llu", (unsigned long long)balancer->config_generation - 1);
	snprintf(now, sizeof(now), "%llu", (unsigned long long)balancer->config_generation);
	events_raise(balancer->events, &event, "reloaded %s: %zu virtual servers",
		balancer->paths.config, balancer->config->n_virtual_servers);
}

static int reload_now(struct reload *reload, char **ret_errors)
{
	struct reload_candidate candidate = { .http_listener = HTTP_LISTEN_SAME };
	struct balancer *balancer = reload->balancer;
	int r = reload_load_files(balancer->paths.config, &candidate, ret_errors);

	if (r == 0)
		r = reload_check_fixed(balancer, &candidate, ret_errors);
	if (r == 0) {
		r = service_list_new(candidate.config, balancer->service_ids, &candidate.services);
		if (r < 0)
			reload_say(ret_errors,
				r == -ENOMEM ? "out of memory"
					     : "the ids of virtual servers that were removed "
					       "are not free yet; try again in a minute");
	}
	if (r == 0)
		r = reload_check_vips(balancer, candidate.config, candidate.report,
			candidate.services, balancer->services, ret_errors);
	if (r == 0)
		r = reload_check_outs(balancer, &candidate, ret_errors);
	if (r == 0)
		r = reload_open_http(balancer, &candidate, ret_errors);
	if (r == 0)
		r = reload_configure(reload, &candidate, ret_errors);
	if (r == 0)
		reload_take(balancer, &candidate);
	reload_candidate_clear(&candidate);
	return r == 0 ? 0 : CONTROL_CONFIG;
}

int reload_run(struct reload *reload, char **ret_errors)
{
	int r;

	systemd_tell_reloading(clock_now_us());
	r = reload_now(reload, ret_errors);
	reload_note(reload, r == 0);
	if (r == 0)
		reload_tell_loaded(reload->balancer);
	else
		reload_tell_refused(reload->balancer, *ret_errors);
	systemd_tell_ready();
	return r;
}

struct reload_status reload_status(const struct reload *reload)
{
	return reload->status;
}
