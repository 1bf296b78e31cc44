/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wires the parts to one event loop: host, sockets, balancers, control socket, signals, systemd. Called
 * by main. Decides nothing that a pure module decides.
 */
#include "agent/daemon/daemon.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>

#include "agent/daemon/admin.h"
#include "agent/control/status.h"
#include "agent/daemon/stop.h"
#include "agent/control/verbs.h"
#include "common/log.h"
#include "common/systemd.h"

uint64_t daemon_now(const struct daemon *daemon)
{
	uint64_t now_us = 0;

	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

/* ---- telling systemd and the log ---- */

void daemon_notify(struct daemon *daemon)
{
	char reason[STATUS_REASON_BYTES];
	const char *state = status_state(daemon, reason);
	char text[sizeof(daemon->notified)];

	(void)snprintf(text, sizeof(text), "%s; registered with %zu of %zu balancers%s%.160s",
		state, balancers_registered(daemon->balancers), balancers_len(daemon->balancers),
		reason[0] ? ": " : "", reason);
	if (streq(text, daemon->notified))
		return;
	memcpy(daemon->notified, text, sizeof(text));
	(void)sd_notifyf(false, "STATUS=%s", text);
}

static void daemon_tell_state(struct daemon *daemon, const struct proto_status *status)
{
	if (daemon->has_status && daemon->status.state == status->state &&
		streq(daemon->status.reason, status->reason))
		return;
	if (status->state == PROTO_STATE_UP)
		log_info("the host serves its VIPs");
	/* What the reconciler cannot mend it has said itself. */
	else if (!reconcile_blocked(daemon->reconcile)[0])
		log_warning("%s: %s", proto_state_name(status->state), status->reason);
}

/* Errors of the configuration: each of its lines is a message. */
static void daemon_tell_lines(enum log_level level, char *text)
{
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		if (line[0])
			(void)log_write(level, 0, NULL, "%s", line);
	}
}

/* ---- who we are ---- */

static void daemon_complain_identity(struct daemon *daemon, const char *why)
{
	if (streq(why, daemon->identity_why))
		return;
	snprintf(daemon->identity_why, sizeof(daemon->identity_why), "%s", why);
	log_warning("cannot speak to balancers: %s", why);
}

/* A link-local address belongs to an interface, every other to the host. */
static unsigned int daemon_scope(const struct daemon *daemon)
{
	return addr_is_link_local6(&daemon->identity.real_ip) ? daemon->identity.ifindex : 0;
}

/* The socket is made anew only when its address, or the interface that scopes it, is another. */
static void daemon_use_socket(struct daemon *daemon)
{
	struct addr_port local = { daemon->identity.real_ip,
		(uint16_t)daemon->settings->config->listen };
	unsigned int scope = daemon_scope(daemon);
	char text[ADDR_PORT_STRLEN];
	char why[IDENTITY_WHY_BYTES];
	int r;

	if (daemon->net && net_local(daemon->net)->port == local.port &&
		addr_equal(&net_local(daemon->net)->addr, &local.addr) &&
		daemon->net_scope == scope)
		return;
	balancers_use_net(daemon->balancers, NULL);
	daemon->net = net_free(daemon->net);
	r = net_open(
		daemon->event, &local, scope, balancers_receive, daemon->balancers, &daemon->net);
	if (r < 0) {
		snprintf(why, sizeof(why), "cannot listen on %s: %s",
			addr_port_format(&local, text), strerror(-r));
		daemon_complain_identity(daemon, why);
		return;
	}
	daemon->net_scope = scope;
	balancers_use_net(daemon->balancers, daemon->net);
}

/* While it cannot be found the previous one stays: what has gone may come back. */
static void daemon_find_identity(struct daemon *daemon)
{
	char why[IDENTITY_WHY_BYTES] = "";
	struct identity identity;

	if (identity_find(daemon->nl, reconcile_host(daemon->reconcile), daemon->settings->config,
		    &identity, why) < 0) {
		daemon_complain_identity(daemon, why);
		return;
	}
	if (!daemon->has_identity || !identity_equal(&identity, &daemon->identity)) {
		char text[ADDR_STRLEN];
		char mac[MAC_STRLEN];

		log_info("real IP %s on %s (%s)", addr_format(&identity.real_ip, text),
			identity.interface, mac_format(&identity.mac, mac));
		daemon->identity_is_told = false;
	}
	daemon->identity = identity;
	daemon->has_identity = true;
	daemon_use_socket(daemon);
	if (daemon->net)
		daemon->identity_why[0] = '\0';
}

static void daemon_make_identity(const struct daemon *daemon, struct register_identity *identity)
{
	const struct config *config = daemon->settings->config;

	memset(identity, 0, sizeof(*identity));
	snprintf(identity->name, sizeof(identity->name), "%s", daemon->settings->name);
	snprintf(identity->version, sizeof(identity->version), "%s", DSR_VERSION);
	identity->real_ip = daemon->identity.real_ip;
	identity->mac = daemon->identity.mac;
	identity->n_vips = config->vips.len;
	memcpy(identity->vips, config->vips.items, config->vips.len * sizeof(struct addr));
	identity->key = daemon->settings->keys->keys[0];
}

/* ---- after each change ---- */

static void daemon_make_status(struct daemon *daemon, struct proto_status *ret_status)
{
	uint32_t established[HOST_VIPS_MAX] = { 0 };
	struct report_facts facts = {
		.host = reconcile_host(daemon->reconcile),
		.wanted = reconcile_wanted(daemon->reconcile),
		.blocked = reconcile_blocked(daemon->reconcile),
		.admin = daemon->admin,
		.stopping = daemon->phase != DAEMON_SERVING,
		.weight = daemon->settings->weight,
		.established = established,
	};

	/* Counts that could not be taken stay those of the time before. */
	(void)sockets_refresh(daemon->sockets, SOCKETS_CACHE_US, daemon_now(daemon));
	for (size_t idx = 0; idx < facts.wanted->n_vips; idx++)
		established[idx] = sockets_established(daemon->sockets, idx);
	report_make_status(&facts, ret_status);
}

static void daemon_announce(struct daemon *daemon)
{
	if (!daemon->identity_is_told) {
		struct register_identity identity;

		daemon_make_identity(daemon, &identity);
		balancers_set_identity(daemon->balancers, &identity, &daemon->status);
		explicit_bzero(&identity, sizeof(identity));
		daemon->identity_is_told = true;
	} else {
		balancers_set_status(daemon->balancers, &daemon->status);
	}
	/* The first registration waits for a host that was seen to be right. */
	if (daemon->status.state != PROTO_STATE_DOWN && daemon->phase == DAEMON_SERVING)
		balancers_start(daemon->balancers);
}

void daemon_refresh(struct daemon *daemon)
{
	struct proto_status status;

	daemon_find_identity(daemon);
	daemon_make_status(daemon, &status);
	daemon_tell_state(daemon, &status);
	daemon->status = status;
	daemon->has_status = true;
	if (daemon->has_identity && daemon->net && daemon->phase != DAEMON_LEAVING)
		daemon_announce(daemon);
	daemon_notify(daemon);
}

static void daemon_on_look(void *context)
{
	daemon_refresh(context);
}

/* Runs inside the balancers' own work: looks only. */
static void daemon_on_balancers(void *context)
{
	daemon_notify(context);
}

int daemon_set_admin(struct daemon *daemon, enum report_admin admin)
{
	int r = admin_store(daemon->runtime_dir, admin);

	if (r < 0)
		return r;
	daemon->admin = admin;
	daemon_refresh(daemon);
	return 0;
}

/* ---- reload ---- */

static void daemon_adopt_settings(struct daemon *daemon, struct settings *settings)
{
	const struct config *config = settings->config;

	settings_free(daemon->settings);
	daemon->settings = settings;
	daemon->identity_is_told = false;
	sockets_watch(daemon->sockets, config->vips.items, config->vips.len);
	/* Looks, acts, and comes back by daemon_on_look(). */
	reconcile_serve(daemon->reconcile, config->vips.items, config->vips.len, config->loopback);
}

/* A port that somebody else has must refuse the reload, not break the agent after it. */
static int daemon_try_port(struct daemon *daemon, const struct config *config, char **ret_text)
{
	_cleanup_(net_freep) struct net *net = NULL;
	struct addr_port local = { daemon->identity.real_ip, (uint16_t)config->listen };
	int r;

	if (!daemon->net || net_local(daemon->net)->port == local.port)
		return 0;
	r = net_open(daemon->event, &local, daemon_scope(daemon), balancers_receive,
		daemon->balancers, &net);
	if (r == 0)
		return 0;
	free(*ret_text);
	if (asprintf(ret_text, "listen: cannot use UDP port %u: %s", local.port, strerror(-r)) < 0)
		*ret_text = NULL;
	return r;
}

static int daemon_try_reload(struct daemon *daemon, char **ret_text)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	int r;

	r = settings_load(daemon->config_path, false, &settings, ret_text);
	if (r == 0)
		r = daemon_try_port(daemon, settings->config, ret_text);
	if (r < 0)
		return r;
	r = balancers_configure(daemon->balancers, settings->config->balancers.items,
		settings->config->balancers.len);
	if (r < 0)
		return r;
	daemon_adopt_settings(daemon, TAKE_PTR(settings));
	return 0;
}

int daemon_reload(struct daemon *daemon, char **ret_text)
{
	char *text = NULL;
	int r;

	systemd_tell_reloading(daemon_now(daemon));
	r = daemon_try_reload(daemon, &text);
	systemd_tell_ready();
	if (r < 0)
		log_error("the configuration was not reloaded; nothing has changed");
	else
		log_info("the configuration was reloaded");
	*ret_text = text;
	return r < 0 ? CONTROL_CONFIG : CONTROL_OK;
}

/* ---- the loop ---- */

static int daemon_on_stop_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	stop_begin(context);
	return 0;
}

static int daemon_on_reload_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;
	_cleanup_free_ char *text = NULL;
	int status;

	if (daemon->phase != DAEMON_SERVING)
		return 0;
	status = daemon_reload(daemon, &text);
	if (text)
		daemon_tell_lines(status == CONTROL_OK ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, text);
	return 0;
}

static int daemon_on_pace(sd_event_source *source, uint64_t time_us, void *context)
{
	stop_go_on(context);
	return 0;
}

static int daemon_wire_event(struct daemon *daemon)
{
	int r;

	r = systemd_new_loop(
		daemon_on_stop_signal, daemon_on_reload_signal, daemon, &daemon->event);
	if (r >= 0)
		r = sd_event_add_time(daemon->event, &daemon->pace, CLOCK_MONOTONIC, 0, US_PER_MS,
			daemon_on_pace, daemon);
	if (r >= 0)
		r = sd_event_source_set_enabled(daemon->pace, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

/* Better one clear line than a daemon that can do nothing. */
static bool daemon_has_net_admin(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return true;
	return data[0].effective & (UINT32_C(1) << CAP_NET_ADMIN);
}

/* The control socket comes first: it keeps a second agent from touching the host. */
static int daemon_open_control(struct daemon *daemon)
{
	int r;

	if (mkdir(daemon->runtime_dir, 0755) < 0 && errno != EEXIST)
		return log_errno(-errno, "cannot make %s", daemon->runtime_dir);
	r = control_listen(
		daemon->event, daemon->runtime_dir, verbs_serve, daemon, &daemon->control);
	if (r == -EADDRINUSE)
		return log_errno(r, "another agent serves %s", daemon->runtime_dir);
	return r < 0 ? log_errno(r, "cannot serve %s/control.sock", daemon->runtime_dir) : 0;
}

static int daemon_open_parts(struct daemon *daemon)
{
	int r;

	r = nl_open(NETLINK_ROUTE, &daemon->nl);
	if (r < 0)
		return log_errno(r, "cannot open netlink");
	r = sockets_new(&daemon->sockets);
	if (r < 0)
		return log_errno(r, "cannot open socket diagnosis");
	r = balancers_new(daemon->event, daemon_on_balancers, daemon, &daemon->balancers);
	if (r < 0)
		return log_errno(r, "cannot prepare registrations");
	return reconcile_new(
		daemon->event, daemon->runtime_dir, daemon_on_look, daemon, &daemon->reconcile);
}

/* Silence, VIPs, verification, registration: in the first look of the reconciler. */
static int daemon_start(struct daemon *daemon)
{
	struct settings *settings = TAKE_PTR(daemon->settings);
	int r;

	r = balancers_configure(daemon->balancers, settings->config->balancers.items,
		settings->config->balancers.len);
	if (r < 0) {
		settings_free(settings);
		return log_errno(r, "cannot prepare registrations");
	}
	daemon->started_us = daemon_now(daemon);
	daemon->admin = admin_load(daemon->runtime_dir);
	if (daemon->admin != REPORT_ENABLED)
		log_warning("still in %s from before; dsr-agent enable ends it",
			report_admin_name(daemon->admin));
	daemon_adopt_settings(daemon, settings);
	systemd_tell_ready();
	return 0;
}

static int daemon_load_settings(struct daemon *daemon)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = settings_load(daemon->config_path, false, &daemon->settings, &text);
	if (text)
		daemon_tell_lines(r < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, text);
	return r;
}

static void daemon_clear(struct daemon *daemon)
{
	control_free(daemon->control);
	reconcile_free(daemon->reconcile);
	balancers_free(daemon->balancers);
	net_free(daemon->net);
	sockets_free(daemon->sockets);
	nl_free(daemon->nl);
	settings_free(daemon->settings);
	sd_event_source_disable_unref(daemon->pace);
	sd_event_unref(daemon->event);
	free(daemon);
}

static void daemon_clearp(struct daemon **daemon)
{
	if (*daemon)
		daemon_clear(*daemon);
}

int daemon_run(const char *config_path, const char *runtime_dir)
{
	_cleanup_(daemon_clearp) struct daemon *daemon = calloc(1, sizeof(*daemon));
	int r;

	if (!daemon)
		return EXIT_FAILURE;
	daemon->config_path = config_path;
	daemon->runtime_dir = runtime_dir;
	r = auth_init();
	if (r < 0) {
		(void)log_errno(r, "cannot initialise libsodium");
		return EXIT_FAILURE;
	}
	if (daemon_load_settings(daemon) < 0)
		return CONTROL_CONFIG;
	if (!daemon_has_net_admin()) {
		log_error("needs CAP_NET_ADMIN; start it by its unit, or as root");
		return CONTROL_PERMISSION;
	}
	r = daemon_wire_event(daemon);
	if (r < 0) {
		(void)log_errno(r, "cannot make an event loop");
		return EXIT_FAILURE;
	}
	if (daemon_open_control(daemon) < 0 || daemon_open_parts(daemon) < 0 ||
		daemon_start(daemon) < 0)
		return EXIT_FAILURE;
	r = sd_event_loop(daemon->event);
	if (r < 0) {
		(void)log_errno(r, "the event loop failed");
		return EXIT_FAILURE;
	}
	return r;
}
