/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks for events and prints each as it comes: see cli_events.h. */
#include "common/cli/cli_events.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/control/control_call.h"
#include "common/events/event_print.h"
#include "common/events/events_verb.h"

struct cli_events {
	const struct cli *cli;
	enum event_format format;
	bool failed;
};

/* False: it cannot be written any more. */
static bool cli_events_print(json_t *event, void *context)
{
	struct cli_events *events = context;
	_cleanup_free_ char *text = NULL;

	if (events->cli->json != CLI_JSON_OFF) {
		cli_print_json(events->cli, event);
	} else {
		text = event_print(event, events->format);
		if (!text || fputs(text, stdout) < 0)
			events->failed = true;
	}
	events->failed |= ferror(stdout) != 0;
	return !events->failed;
}

static int cli_events_kept(struct cli_events *events)
{
	json_t *result = NULL, *event;
	int status = cli_call(events->cli, EVENTS_VERB, NULL, CONTROL_UNAVAILABLE, &result);
	const json_t *list = json_object_get(result, "events");
	size_t idx;

	if (status != 0)
		return status;
	json_array_foreach ((json_t *)list, idx, event) {
		if (!cli_events_print(event, events))
			break;
	}
	if (json_array_size(list) == 0 && events->cli->json == CLI_JSON_OFF &&
		events->cli->header && events->format == EVENT_FORMAT_TEXT)
		fprintf(stderr, "%s: nothing has happened yet\n", events->cli->program);
	json_decref(result);
	return 0;
}

int cli_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int cli_events_follow(struct cli_events *events)
{
	_cleanup_close_ int signals = cli_signals();
	/* Of its output only the error is asked for: that nobody reads it any more. */
	const struct control_watch watch = { .fds = { { signals, POLLIN, 0 },
						     { STDOUT_FILENO, 0, 0 } } };
	_cleanup_free_ char *error = NULL;
	int r = control_follow(events->cli->runtime_dir, EVENTS_VERB,
		json_pack("{s:b}", "follow", 1), &watch, cli_events_print, events, &error);

	/* Interrupted, or nobody reads. */
	if (r == -ECANCELED)
		return 0;
	if (r == -ECONNRESET)
		return cli_fail(events->cli, CONTROL_UNAVAILABLE,
			"events: the daemon of %s has ended", events->cli->runtime_dir);
	if (r < 0)
		return cli_fail_call(events->cli, r, CONTROL_UNAVAILABLE);
	return r == 0 ? 0 : cli_fail(events->cli, r, "events: %s", error ? error : "");
}

int cli_events(const struct cli *cli)
{
	struct cli_events events = { .cli = cli };

	if (cli->format && !event_format_parse(cli->format, &events.format))
		return cli_fail(cli, CONTROL_USAGE,
			"--format: '%s' is not understood; text or keepalived", cli->format);
	if (cli->format && cli->json != CLI_JSON_OFF)
		return cli_fail(
			cli, CONTROL_USAGE, "events: --format and --json exclude each other");
	/* Each line at once, into pipes too. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	return cli->follow ? cli_events_follow(&events) : cli_events_kept(&events);
}
