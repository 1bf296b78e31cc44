/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capture.h. */
#include "lb/client/capture/capture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/cli/cli.h"
#include "common/cli/cli_events.h"
#include "common/cli/cli_table.h"
#include "common/control/control_call.h"
#include "lb/client/capture/capture_line.h"
#include "lb/client/capture/pcapng.h"

#define CAPTURE_COUNT_DEFAULT 10000u
#define CAPTURE_COUNT_MAX     10000000u
#define CAPTURE_FRAME_MAX     65536u /* bytes of a frame that the daemon may tell */
#define CAPTURE_COMMENT_BYTES 512u
#define CAPTURE_LOST_US       (5 * US_PER_S)

struct capturing {
	const struct cli *cli;
	FILE *file; /* NULL: lines of text on standard output */
	uint64_t count_max;
	uint64_t n_written, n_lost; /* the latter as the daemon says with each frame */
	bool began, failed;
	uint8_t frame[CAPTURE_FRAME_MAX];
	uint8_t block[PCAPNG_PACKET_BYTES(CAPTURE_FRAME_MAX)];
};

static const char *string_of(const json_t *line, const char *name)
{
	const char *value = json_string_value(json_object_get(line, name));

	return value ? value : "";
}

static bool write_block(struct capturing *capturing, size_t size_bytes)
{
	return fwrite(capturing->block, size_bytes, 1, capturing->file) == 1;
}

/* The interfaces' numbers are 0 for what is received and 1 for what is sent. */
static bool write_head(struct capturing *capturing, const json_t *line)
{
	uint32_t snap_bytes = (uint32_t)json_integer_value(json_object_get(line, "snap_bytes"));

	return write_block(capturing, pcapng_section(capturing->block, "dsr-lb " DSR_VERSION)) &&
		write_block(capturing,
			pcapng_interface(
				capturing->block, string_of(line, "interface"), snap_bytes)) &&
		write_block(capturing,
			pcapng_interface(capturing->block, string_of(line, "backend_interface"),
				snap_bytes)) &&
		fflush(capturing->file) == 0;
}

/* The first line of the stream. */
static bool capture_begins(struct capturing *capturing, const json_t *line)
{
	capturing->began = true;
	if (capturing->file && !write_head(capturing, line))
		return false;
	fprintf(stderr, "%s: capturing on %s (%s); interrupt it to end\n", capturing->cli->program,
		string_of(line, "interface"), string_of(line, "mode"));
	return true;
}

static bool write_packet(struct capturing *capturing, const json_t *line, const char *comment)
{
	const char *text = string_of(line, "frame");
	struct pcapng_packet packet = {
		.time_ns = (uint64_t)json_integer_value(json_object_get(line, "time_ns")),
		.is_out = streq(string_of(line, "direction"), "out"),
		.length_bytes = (uint32_t)json_integer_value(json_object_get(line, "length_bytes")),
		.data = capturing->frame,
		.comment = comment,
	};
	size_t size_bytes = 0;

	packet.interface = packet.is_out;
	if (sodium_base642bin(capturing->frame, sizeof(capturing->frame), text, strlen(text), NULL,
		    &size_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) < 0)
		return false;
	packet.captured_bytes = (uint32_t)size_bytes;
	return write_block(capturing, pcapng_packet(capturing->block, &packet)) &&
		fflush(capturing->file) == 0;
}

static bool print_line(struct capturing *capturing, const json_t *line)
{
	const char *text = string_of(line, "frame");
	char words[CAPTURE_LINE_BYTES];
	size_t size_bytes = 0;

	(void)sodium_base642bin(capturing->frame, sizeof(capturing->frame), text, strlen(text),
		NULL, &size_bytes, NULL, sodium_base64_VARIANT_ORIGINAL);
	capture_line_format(line, capturing->frame, size_bytes, words);
	return puts(words) >= 0;
}

/* False: enough, or it cannot be written. */
static bool on_line(json_t *line, void *context)
{
	struct capturing *capturing = context;
	char comment[CAPTURE_COMMENT_BYTES];

	if (!capturing->began) {
		capturing->failed = !capture_begins(capturing, line);
		return !capturing->failed;
	}
	if (capturing->file) {
		capture_comment_format(line, comment, sizeof(comment));
		capturing->failed = !write_packet(capturing, line, comment);
	} else if (capturing->cli->json != CLI_JSON_OFF) {
		cli_print_json(capturing->cli, line);
		capturing->failed = ferror(stdout) != 0;
	} else {
		capturing->failed = !print_line(capturing, line);
	}
	capturing->n_lost = (uint64_t)json_integer_value(json_object_get(line, "lost"));
	if (capturing->failed)
		return false;
	return ++capturing->n_written < capturing->count_max;
}

static int capture_end(struct capturing *capturing, int r, const char *error)
{
	const struct cli *cli = capturing->cli;

	if (capturing->failed && errno != EPIPE)
		return cli_fail(
			cli, CONTROL_UNAVAILABLE, "capture: cannot write: %s", strerror(errno));
	if (r > 0)
		return cli_fail(cli, r, "%s", error ? error : "capture: refused");
	if (r < 0 && r != -ECANCELED && r != -ECONNRESET)
		return cli_fail_call(cli, r, CONTROL_UNAVAILABLE);
	fprintf(stderr, "%s: %" PRIu64 " frames written%s%s, %" PRIu64 " lost to the capture\n",
		cli->program, capturing->n_written, cli->capture.file ? " to " : "",
		cli->capture.file ? cli->capture.file : "", capturing->n_lost);
	return r == -ECONNRESET ? cli_fail(cli, CONTROL_UNAVAILABLE,
					  "capture: the daemon of %s has ended", cli->runtime_dir)
				: 0;
}

/* Those after the last frame that was written are known to the daemon alone. */
static void ask_for_lost(struct capturing *capturing)
{
	_cleanup_free_ char *error = NULL;
	json_t *answer = NULL;

	if (control_call(capturing->cli->runtime_dir, "capture", json_pack("{s:b}", "lost", 1),
		    CAPTURE_LOST_US, &answer, &error) == 0)
		capturing->n_lost = (uint64_t)json_integer_value(json_object_get(answer, "lost"));
	json_decref(answer);
}

static int capture_run(struct capturing *capturing)
{
	const struct cli *cli = capturing->cli;
	const struct cli_capture *asked = &cli->capture;
	_cleanup_close_ int signals = cli_signals();
	/* Of its output only the error is asked for: that nobody reads it any more. */
	const struct control_watch watch = { .fds = { { signals, POLLIN, 0 },
						     { STDOUT_FILENO, 0, 0 } } };
	_cleanup_free_ char *error = NULL;
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	r = control_follow(cli->runtime_dir, "capture",
		json_pack("{s:s*, s:s*, s:s*}", "client", cli->client, "vip", asked->vip, "backend",
			cli->backend),
		&watch, on_line, capturing, &error);
	if (r == 0 || r == -ECANCELED)
		ask_for_lost(capturing);
	return capture_end(capturing, r, error);
}

/* What frames carry is nobody else's: the file is the caller's alone. */
static int open_file(struct capturing *capturing)
{
	const char *name = capturing->cli->capture.file;
	int fd;

	if (!name)
		return 0;
	if (streq(name, "-")) {
		if (isatty(STDOUT_FILENO))
			return cli_fail(capturing->cli, CONTROL_USAGE,
				"capture: -w -: a terminal cannot show it; send it into a pipe or a file");
		capturing->file = stdout;
		return 0;
	}
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	capturing->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!capturing->file)
		return cli_fail(
			capturing->cli, CONTROL_USAGE, "capture: -w %s: %s", name, strerror(errno));
	return 0;
}

/* What the daemon knows (is there such a backend) it refuses itself. */
static int check(const struct cli *cli, uint64_t *ret_count)
{
	const struct cli_capture *asked = &cli->capture;
	unsigned long long count = CAPTURE_COUNT_DEFAULT;
	struct addr_prefix prefix;
	struct addr vip;
	char *end = NULL;

	if (asked->count)
		count = strtoull(asked->count, &end, 10);
	if (asked->count &&
		(asked->count[0] < '0' || asked->count[0] > '9' || *end || count < 1 ||
			count > CAPTURE_COUNT_MAX))
		return cli_fail(cli, CONTROL_USAGE,
			"capture: --count: '%s' is not understood; a number of frames from 1 to %u",
			asked->count, CAPTURE_COUNT_MAX);
	if (cli->client && addr_prefix_parse(cli->client, &prefix) < 0)
		return cli_fail(cli, CONTROL_USAGE,
			"capture: --client: '%s' is not understood; an address, or a prefix such as "
			"192.0.2.0/24",
			cli->client);
	if (asked->vip && addr_parse(asked->vip, &vip) < 0)
		return cli_fail(cli, CONTROL_USAGE,
			"capture: --vip: '%s' is not understood; an address", asked->vip);
	if (cli->client && asked->vip && prefix.addr.family != vip.family)
		return cli_fail(cli, CONTROL_USAGE,
			"capture: --client and --vip are not of one address family");
	if (asked->file && cli->json != CLI_JSON_OFF)
		return cli_fail(cli, CONTROL_USAGE, "capture: -w and --json exclude each other");
	*ret_count = count;
	return 0;
}

int capture(const struct cli *cli, void *context)
{
	struct capturing *capturing = calloc(1, sizeof(*capturing));
	int status;

	if (!capturing)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "capture: out of memory");
	capturing->cli = cli;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	status = check(cli, &capturing->count_max);
	if (status == 0)
		status = open_file(capturing);
	if (status == 0)
		status = capture_run(capturing);
	if (capturing->file && capturing->file != stdout && fclose(capturing->file) != 0 &&
		status == 0)
		status = cli_fail(cli, CONTROL_UNAVAILABLE, "capture: cannot write %s: %s",
			cli->capture.file, strerror(errno));
	free(capturing);
	return status;
}
