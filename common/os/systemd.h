/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every daemon under systemd does alike: an event loop with signals and watchdog, the messages
 * of a life from start to stop, keys handed over as credentials. Called by both daemons. Knows
 * nothing of what they do. Outside of systemd the messages and the watchdog are nothing at all.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/util.h"

/*
 * Makes the loop: SIGTERM and SIGINT call on_stop, SIGHUP calls on_reload, both with `context`, and
 * the loop itself tells systemd's watchdog that it turns. From here on a log that nobody reads holds nobody up. Blocks these signals in this thread: call
 * it before there are others. 0 or negative errno; the caller unrefs the loop.
 */
int systemd_new_loop(sd_event_signal_handler_t on_stop, sd_event_signal_handler_t on_reload,
	void *context, sd_event **ret_event);

/* To systemd: started, or a reload has ended, however. */
void systemd_tell_ready(void);
/* A reload begins; now_us of CLOCK_MONOTONIC. */
void systemd_tell_reloading(uint64_t now_us);
void systemd_tell_stopping(void);

/*
 * The key file to read: $CREDENTIALS_DIRECTORY/`credential` when it is there and the configuration
 * leaves the default, else `configured`. 0 or -ENOMEM; the caller frees the path.
 */
int systemd_key_path(
	const char *configured, const char *default_path, const char *credential, char **ret_path);
