/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every daemon under systemd does alike; see systemd.h. */
#include "common/os/systemd.h"

#include <inttypes.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"

static int systemd_wire_loop(sd_event *event, sd_event_signal_handler_t on_stop,
	sd_event_signal_handler_t on_reload, void *context)
{
	int r;

	r = sd_event_add_signal(event, NULL, SIGTERM, on_stop, context);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, on_stop, context);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGHUP, on_reload, context);
	/* WATCHDOG=1 twice in each WATCHDOG_USEC, as long as the loop turns. */
	if (r >= 0)
		r = sd_event_set_watchdog(event, true);
	return r < 0 ? r : 0;
}

int systemd_new_loop(sd_event_signal_handler_t on_stop, sd_event_signal_handler_t on_reload,
	void *context, sd_event **ret_event)
{
	sd_event *event = NULL;
	sigset_t signals;
	int r;

	log_never_wait();
	if (sigemptyset(&signals) < 0 || sigaddset(&signals, SIGTERM) < 0 ||
		sigaddset(&signals, SIGINT) < 0 || sigaddset(&signals, SIGHUP) < 0 ||
		sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return util_negative_errno();
	r = sd_event_new(&event);
	if (r < 0)
		return r;
	r = systemd_wire_loop(event, on_stop, on_reload, context);
	if (r < 0) {
		sd_event_unref(event);
		return r;
	}
	*ret_event = event;
	return 0;
}

void systemd_tell_ready(void)
{
	(void)sd_notify(false, "READY=1");
}

void systemd_tell_reloading(uint64_t now_us)
{
	(void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_us);
}

void systemd_tell_stopping(void)
{
	(void)sd_notify(false, "STOPPING=1");
}

int systemd_key_path(
	const char *configured, const char *default_path, const char *credential, char **ret_path)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	_cleanup_free_ char *path = NULL;
	char *copy;

	if (directory && streq(configured, default_path)) {
		if (asprintf(&path, "%s/%s", directory, credential) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (access(path, F_OK) == 0) {
			*ret_path = TAKE_PTR(path);
			return 0;
		}
	}
	copy = strdup(configured);
	if (!copy)
		return -ENOMEM;
	*ret_path = copy;
	return 0;
}
