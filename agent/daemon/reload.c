/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Called by the daemon (start, SIGHUP) and by the verb. Must not know what a setting means. */
#include "agent/daemon/reload.h"

#include <assert.h>

#include "agent/check/checks.h"
#include "agent/daemon/parting.h"
#include "agent/daemon/refresh.h"
#include "agent/host/reconcile.h"
#include "agent/host/sockets.h"
#include "agent/registration/balancers.h"
#include "common/control/control.h"
#include "common/events/events.h"
#include "common/http/http_common.h"
#include "common/os/systemd.h"

static_assert(BALANCERS_MAX > CONFIG_BALANCERS_MAX, "all of them, and some that are being left");

static void reload_make_wanted(const struct config *config, struct host_wanted *ret_wanted)
{
	struct host_wanted wanted = {
		.n_vips = config->vips.len,
		.exempt = config->arp_exempt.items,
		.n_exempt = config->arp_exempt.len,
	};

	memcpy(wanted.vips, config->vips.items, config->vips.len * sizeof(struct addr));
	snprintf(wanted.loopback, sizeof(wanted.loopback), "%s", config->loopback);
	*ret_wanted = wanted;
}

void reload_adopt(struct agent *agent, struct settings *settings, struct check_set *set)
{
	const struct config *config = settings->config;
	struct host_wanted wanted;

	checks_adopt(agent->checks, set);
	settings_free(agent->settings);
	agent->settings = settings;
	agent->identity_is_told = false;
	agent->chance_retry_us = 0;
	if (sockets_watch(agent->sockets, config->vips.items, config->vips.len) < 0)
		log_warning("out of memory: connections are not counted");
	/* Comes back by the reconciler's callback, which tells everybody. */
	reload_make_wanted(config, &wanted);
	reconcile_serve(agent->reconcile, &wanted);
}

/* A port that somebody else has must refuse the reload, not break the agent after it. */
static int reload_try_port(struct agent *agent, const struct config *config, char **ret_text)
{
	_cleanup_(net_freep) struct net *net = NULL;
	struct net_options options = {
		.local = { agent->identity.real_ip, (uint16_t)config->listen },
		.scope_ifindex = refresh_scope(agent),
		.receive = balancers_receive,
		.context = agent->balancers,
	};
	int r;

	if (!agent->net || net_local(agent->net)->port == options.local.port)
		return 0;
	r = net_open(agent->event, &options, &net);
	if (r == 0)
		return 0;
	free(*ret_text);
	if (asprintf(ret_text, "listen: cannot use UDP port %u: %s", options.local.port,
		    strerror(-r)) < 0)
		*ret_text = NULL;
	return r;
}

int reload_open_http(
	const struct agent *agent, const struct settings *settings, int *ret_fd, char **ret_text)
{
	const struct addr_port *address = &settings->config->http_listen;
	struct ini_report *report = settings->report;
	int r = http_bind(http_common_server(agent->http), address, ret_fd);
	char text[ADDR_PORT_STRLEN];

	if (r == 0)
		return 0;
	ini_report_add(report, "agent", NULL, "http-listen",
		"cannot listen on %s: %s; write another address or port, or off",
		addr_port_format(address, text), strerror(-r));
	free(*ret_text);
	*ret_text = strdup(ini_report_line(report, ini_report_len(report) - 1));
	return r;
}

static int reload_try(struct agent *agent, char **ret_text)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	_cleanup_(check_set_freep) struct check_set *set = NULL;
	_cleanup_close_ int http_fd = -1;
	int r;

	r = settings_load(agent->config_path, SETTINGS_RUN, &settings, ret_text);
	if (r == 0)
		r = reload_try_port(agent, settings->config, ret_text);
	if (r == 0)
		r = reload_open_http(agent, settings, &http_fd, ret_text);
	if (r == 0)
		r = checks_prepare(agent->checks, settings->config, &set);
	if (r < 0)
		return r;
	r = balancers_configure(agent->balancers, settings->config->balancers.items,
		settings->config->balancers.len);
	if (r < 0)
		return r;
	(void)http_set_listener(http_common_server(agent->http), http_fd);
	http_fd = -1;
	parting_begin(agent, settings->config);
	reload_adopt(agent, TAKE_PTR(settings), TAKE_PTR(set));
	return 0;
}

/* Errors are lines; an event is one. */
static void reload_tell(const struct agent *agent, int error, const char *text)
{
	_cleanup_free_ char *line = text ? strdup(text) : NULL;

	for (size_t i = 0; line && line[i]; i++)
		if (line[i] == '\n')
			line[i] = ';';
	if (error < 0)
		events_raise(agent->events,
			&(struct event){ .message = EVENT_CONFIG_REFUSED,
				.level = LOG_LEVEL_ERROR,
				.reason = line },
			"the configuration was not reloaded; nothing has changed: %s",
			line ? line : strerror(-error));
	else
		events_raise(agent->events,
			&(struct event){ .message = EVENT_CONFIG_LOADED, .level = LOG_LEVEL_INFO },
			"the configuration was reloaded");
}

int reload_run(struct agent *agent, char **ret_text)
{
	char *text = NULL;
	int r;

	systemd_tell_reloading(agent_now(agent));
	r = reload_try(agent, &text);
	systemd_tell_ready();
	reload_tell(agent, r, text);
	*ret_text = text;
	return r < 0 ? CONTROL_CONFIG : CONTROL_OK;
}
