/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wires the parts to one event loop: host, sockets, balancers, control socket, signals, systemd.
 * Called by main. Decides nothing that a pure module decides.
 */
#include "agent/daemon/daemon.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/check/checks.h"
#include "agent/daemon/admin.h"
#include "agent/daemon/listening.h"
#include "agent/daemon/refresh.h"
#include "agent/daemon/reload.h"
#include "agent/daemon/second_chance.h"
#include "agent/daemon/stop.h"
#include "agent/host/listeners.h"
#include "agent/host/reconcile.h"
#include "agent/host/sockets.h"
#include "agent/registration/balancers.h"
#include "agent/registration/pins.h"
#include "common/events/events_verb.h"
#include "common/http/http_common.h"
#include "common/log.h"
#include "common/os/systemd.h"

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

/* After a look at the host, and when a check has something new. */
static void daemon_on_look(void *context)
{
	refresh_all(context);
}

/* Runs inside the balancers' own work: looks only. */
static void daemon_on_balancers(void *context)
{
	refresh_notify(context);
}

static void daemon_on_heartbeat(void *context)
{
	refresh_counts(context);
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
	struct agent *agent = context;
	_cleanup_free_ char *text = NULL;
	int status;

	if (agent->phase != AGENT_SERVING)
		return 0;
	status = reload_run(agent, &text);
	/* Errors are in its event. */
	if (text && status == CONTROL_OK)
		daemon_tell_lines(LOG_LEVEL_WARNING, text);
	return 0;
}

static int daemon_on_wait_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	stop_go_on(context);
	return 0;
}

static int daemon_wire_event(struct agent *agent)
{
	int r;

	r = systemd_new_loop(daemon_on_stop_signal, daemon_on_reload_signal, agent, &agent->event);
	if (r >= 0)
		r = sd_event_add_time(agent->event, &agent->wait_timer, CLOCK_MONOTONIC, 0,
			US_PER_MS, daemon_on_wait_timer, agent);
	if (r >= 0)
		r = sd_event_source_set_enabled(agent->wait_timer, SD_EVENT_OFF);
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
static int daemon_open_control(struct agent *agent, const struct daemon_verbs *verbs)
{
	int r;

	if (mkdir(agent->runtime_dir, 0755) < 0 && errno != EEXIST)
		return log_errno(-errno, "cannot make %s", agent->runtime_dir);
	r = control_listen(agent->event, agent->runtime_dir, verbs->serve, agent, &agent->control);
	if (r == -EADDRINUSE)
		return log_errno(r, "another agent serves %s", agent->runtime_dir);
	if (r < 0)
		return log_errno(r, "cannot serve %s/control.sock", agent->runtime_dir);
	agent->events = events_new(agent->runtime_dir);
	agent->events_verb = agent->events ? events_verb_new(agent->events) : NULL;
	if (!agent->events_verb)
		return log_errno(-ENOMEM, "cannot keep events");
	r = verbs->start(agent);
	if (r < 0)
		return log_errno(r, "cannot answer HTTP");
	control_set_http(agent->control, http_adopt, http_common_server(agent->http));
	return 0;
}

/* Before anything of the host is touched. False: it was told why not. */
static bool daemon_open_http(struct agent *agent)
{
	_cleanup_free_ char *text = NULL;
	int fd, r = reload_open_http(agent, agent->settings, &fd, &text);

	if (r < 0)
		daemon_tell_lines(LOG_LEVEL_ERROR, text);
	else
		r = http_set_listener(http_common_server(agent->http), fd);
	return r >= 0;
}

static void daemon_listen(struct agent *agent)
{
	balancers_on_heartbeat(agent->balancers, daemon_on_heartbeat);
	balancers_on_peers(agent->balancers, second_chance_on_peers);
}

static int daemon_open_parts(struct agent *agent)
{
	int r;

	r = nl_open(NETLINK_ROUTE, &agent->nl);
	if (r < 0)
		return log_errno(r, "cannot open netlink");
	r = sockets_new(&agent->sockets);
	if (r == 0)
		r = sockets_new(&agent->parting_sockets);
	if (r == 0)
		r = listeners_new(&agent->listeners);
	if (r < 0)
		return log_errno(r, "cannot open socket diagnosis");
	r = balancers_new(
		agent->event, agent->events, daemon_on_balancers, agent, &agent->balancers);
	if (r == 0)
		daemon_listen(agent);
	if (r < 0)
		return log_errno(r, "cannot prepare registrations");
	r = pins_new(&agent->pins);
	if (r < 0)
		return log_errno(r, "cannot look at neighbour entries");
	balancers_use_pins(agent->balancers, agent->pins);
	balancers_use_counts(agent->balancers, agent->established);
	r = checks_new(agent->event, daemon_on_look, agent, &agent->checks);
	if (r < 0)
		return log_errno(r, "cannot prepare checks");
	return reconcile_new(agent->event, agent->runtime_dir, agent->events, daemon_on_look, agent,
		&agent->reconcile);
}

/*
 * A server under maintenance must not get traffic because a file was damaged. Not to start would
 * leave nobody to ask, and VIPs of a previous run that nobody watches.
 */
static void daemon_restore_admin(struct agent *agent)
{
	struct why why = { 0 };

	if (admin_load(agent->runtime_dir, &agent->admin, &why) < 0) {
		agent->admin = REPORT_MAINT;
		log_error("%s; what the administrator said is not known, so that this host takes "
			  "nothing (maint); dsr-agent enable ends it",
			why.text);
	} else if (agent->admin != REPORT_ENABLED) {
		log_warning("still in %s from before; dsr-agent enable ends it",
			report_admin_name(agent->admin));
	}
}

/* Silence, VIPs, verification, registration: in the first look of the reconciler. */
static int daemon_start(struct agent *agent)
{
	_cleanup_(settings_freep) struct settings *settings = TAKE_PTR(agent->settings);
	struct check_set *set;
	int r;

	r = balancers_configure(agent->balancers, settings->config->balancers.items,
		settings->config->balancers.len);
	if (r < 0)
		return log_errno(r, "cannot prepare registrations");
	r = checks_prepare(agent->checks, settings->config, &set);
	if (r < 0)
		return log_errno(r, "cannot prepare checks");
	agent->started_us = agent_now(agent);
	daemon_restore_admin(agent);
	reload_adopt(agent, TAKE_PTR(settings), set);
	r = listening_start(agent);
	if (r < 0)
		return log_errno(r, "cannot look for listening sockets");
	systemd_tell_ready();
	return 0;
}

static int daemon_load_settings(struct agent *agent)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = settings_load(agent->config_path, SETTINGS_RUN, &agent->settings, &text);
	if (text)
		daemon_tell_lines(r < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, text);
	return r;
}

int daemon_run(const char *config_path, const char *runtime_dir, const struct daemon_verbs *verbs)
{
	_cleanup_(agent_freep) struct agent *agent = agent_new(config_path, runtime_dir);
	int r;

	if (!agent) {
		(void)log_errno(-ENOMEM, "cannot start");
		return EXIT_FAILURE;
	}
	r = auth_init();
	if (r < 0) {
		(void)log_errno(r, "cannot initialise libsodium");
		return EXIT_FAILURE;
	}
	r = daemon_load_settings(agent);
	if (r == -ENOMEM) {
		(void)log_errno(r, "cannot read the configuration");
		return EXIT_FAILURE;
	}
	if (r < 0)
		return CONTROL_CONFIG;
	if (!daemon_has_net_admin()) {
		log_error("needs CAP_NET_ADMIN; start it by its unit, or as root");
		return CONTROL_PERMISSION;
	}
	r = daemon_wire_event(agent);
	if (r < 0) {
		(void)log_errno(r, "cannot make an event loop");
		return EXIT_FAILURE;
	}
	if (daemon_open_control(agent, verbs) < 0)
		return EXIT_FAILURE;
	if (!daemon_open_http(agent))
		return CONTROL_CONFIG;
	if (daemon_open_parts(agent) < 0 || daemon_start(agent) < 0)
		return EXIT_FAILURE;
	r = sd_event_loop(agent->event);
	if (r < 0) {
		(void)log_errno(r, "the event loop failed");
		return EXIT_FAILURE;
	}
	return r;
}
