/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client writes to the control socket. Whatever it is, the connection ends, and an answer is one line of JSON with a
 * status.
 */
#include "common/control/control.h"

#include <sys/socket.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX  (CONTROL_REQUEST_MAX + 4096u) /* one connection's buffer holds it */
#define ANSWER_MAX ((size_t)8 * INPUT_MAX)

struct bench {
	char directory[64];
	sd_event *event;
	struct control *control;
	struct sockaddr_un address;
};

static struct bench bench;

static void serve(struct control_request *request, const char *verb, json_t *args, bool may_change,
	void *context)
{
	(void)may_change;
	(void)context;
	if (streq(verb, "fail"))
		control_fail(request, CONTROL_USAGE, "%s", verb);
	else
		control_reply(
			request, CONTROL_OK, json_pack("{s:s, s:O}", "verb", verb, "args", args));
}

static void end(void)
{
	char lock[sizeof(bench.directory) + sizeof("/control.lock")];

	bench.control = control_free(bench.control);
	sd_event_unref(bench.event);
	/* Which stays for the daemon's next start. */
	snprintf(lock, sizeof(lock), "%s/control.lock", bench.directory);
	(void)unlink(lock);
	(void)rmdir(bench.directory);
}

static void begin(void)
{
	const char *below = getenv("TMPDIR"), *run = getenv("DSR_TEST_RUN");

	snprintf(bench.directory, sizeof(bench.directory), "%s/%s-XXXXXX", below ? below : "/tmp",
		run ? run : "dsr-fuzz");
	if (!mkdtemp(bench.directory) || sd_event_new(&bench.event) < 0 ||
		control_listen(bench.event, bench.directory, serve, NULL, &bench.control) < 0)
		abort();
	bench.address.sun_family = AF_UNIX;
	snprintf(bench.address.sun_path, sizeof(bench.address.sun_path), "%s/control.sock",
		bench.directory);
	atexit(end);
}

static void judge(const char *answer, size_t size_bytes)
{
	json_t *json;

	if (size_bytes == 0)
		return;
	json = json_loadb(answer, size_bytes, JSON_REJECT_DUPLICATES, NULL);
	if (answer[size_bytes - 1] != '\n' || !json_is_integer(json_object_get(json, "status")))
		abort();
	json_decref(json);
}

/* Until the daemon has closed; it never waits, as everything has been written. */
static void talk(int fd)
{
	static char answer[ANSWER_MAX];
	size_t size_bytes = 0;

	for (;;) {
		int r = sd_event_run(bench.event, 0);
		ssize_t n = read(fd, answer + size_bytes, sizeof(answer) - size_bytes);

		if (n == 0)
			break;
		if (n > 0)
			size_bytes += (size_t)n;
		else if (errno == ECONNRESET)
			return;
		else if (errno != EAGAIN || r <= 0)
			abort();
	}
	judge(answer, size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = -1;

	if (size > INPUT_MAX)
		return 0;
	if (!bench.event)
		begin();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		connect(fd, (const struct sockaddr *)&bench.address, sizeof(bench.address)) < 0 ||
		send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size || shutdown(fd, SHUT_WR) < 0)
		abort();
	talk(fd);
	return 0;
}
