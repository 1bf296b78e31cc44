/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks for the status once a second and shows what it came to: see top.h. The frame itself is top_frame.c's. */
#include "lb/client/top.h"

#include <curses.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <time.h>

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/control/control_call.h"
#include "common/os/clock.h"
#include "lb/client/print_rates.h"
#include "lb/client/top_frame.h"

#define TOP_INTERVAL_US (1 * US_PER_S)
#define TOP_CALL_US     (2 * US_PER_S) /* a daemon that is busy keeps nobody from leaving for longer */
#define TOP_COLUMNS     80

struct top_samples {
	json_t *before, *now;
	uint64_t before_us, now_us;
};

static void top_samples_clear(struct top_samples *samples)
{
	json_decref(samples->before);
	json_decref(samples->now);
	*samples = (struct top_samples){ 0 };
}

/* 0, or what control_call() returned. */
static int top_sample(const struct cli *cli, struct top_samples *samples)
{
	_cleanup_free_ char *error = NULL;
	json_t *document = NULL;
	int r = control_call(cli->runtime_dir, "status", NULL, TOP_CALL_US, &document, &error);

	if (r != 0) {
		json_decref(document);
		return r;
	}
	json_decref(samples->before);
	samples->before = samples->now;
	samples->before_us = samples->now_us;
	samples->now = document;
	samples->now_us = clock_now_us();
	return 0;
}

static void top_make(
	const struct top_samples *samples, const struct top_view *view, struct top_frame *ret_frame)
{
	top_frame_make(samples->before, samples->now,
		(double)(samples->now_us - samples->before_us) / (double)US_PER_S, view, ret_frame);
}

/* ---- as text ---- */

static size_t top_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return columns && atoi(columns) > 0 ? (size_t)atoi(columns) : TOP_COLUMNS;
}

static int top_once(const struct cli *cli)
{
	const struct timespec interval = { .tv_sec = TOP_INTERVAL_US / US_PER_S };
	const struct top_view view = { .columns = top_width() };
	struct top_samples samples = { 0 };
	struct top_frame frame = { 0 };
	int r = top_sample(cli, &samples);

	if (r == 0) {
		(void)nanosleep(&interval, NULL);
		r = top_sample(cli, &samples);
	}
	if (r == 0 && cli->json != CLI_JSON_OFF) {
		print_rates_add(samples.before, samples.now,
			(double)(samples.now_us - samples.before_us) / (double)US_PER_S);
		cli_print_json(cli, samples.now);
	} else if (r == 0) {
		top_make(&samples, &view, &frame);
	}
	ARRAY_FOREACH (line, frame.lines, frame.len)
		printf("%s\n", line->text);
	top_frame_clear(&frame);
	top_samples_clear(&samples);
	return r == 0 ? 0 : cli_fail_call(cli, r, CONTROL_UNAVAILABLE);
}

/* ---- as a screen ---- */

struct top_screen {
	const struct cli *cli;
	struct top_samples samples;
	struct top_view view;
	struct top_frame frame;
	size_t first; /* line of the frame at the top */
	int error;    /* of the last call; 0: the daemon answers */
	uint64_t due_us;
};

static void top_set_colors(const struct cli *cli)
{
	if (!cli->color || !has_colors())
		return;
	start_color();
	(void)use_default_colors();
	init_pair(TOP_GOOD, COLOR_GREEN, -1);
	init_pair(TOP_WARN, COLOR_YELLOW, -1);
	init_pair(TOP_BAD, COLOR_RED, -1);
}

/* The words of a state stand beside its colour, so that nothing is lost without. */
static void top_draw_line(int y, const char *text, enum top_style style)
{
	int attributes = style == TOP_HEAD ? A_BOLD
		: style == TOP_PLAIN       ? A_NORMAL
					   : COLOR_PAIR(style);

	(void)attrset(attributes);
	(void)mvaddnstr(y, 0, text, COLS);
	(void)attrset(A_NORMAL);
}

static void top_draw(struct top_screen *screen)
{
	size_t room = LINES > 1 ? (size_t)LINES - 1 : 0, y = 0;
	char text[TOP_LINE_BYTES];

	top_frame_clear(&screen->frame);
	screen->view.columns = (size_t)COLS;
	if (screen->samples.now)
		top_make(&screen->samples, &screen->view, &screen->frame);
	screen->first = MIN(screen->first, screen->frame.len > room ? screen->frame.len - room : 0);
	(void)erase();
	if (screen->error && room > 0) {
		snprintf(text, sizeof(text), "waiting for a daemon: none answers in %s (%s)",
			screen->cli->runtime_dir,
			screen->error < 0 ? strerror(-screen->error) : "it stops");
		top_draw_line((int)y++, text, TOP_BAD);
	}
	for (size_t i = screen->first; i < screen->frame.len && y < room; i++)
		top_draw_line((int)y++, screen->frame.lines[i].text, screen->frame.lines[i].style);
	top_draw_line(LINES - 1, top_frame_keys(screen->view.sort, text, sizeof(text)), TOP_HEAD);
	(void)refresh();
}

/* False: leave. */
static bool top_take_key(struct top_screen *screen, int key)
{
	size_t page = LINES > 2 ? (size_t)LINES - 2 : 1;
	enum top_sort sort = top_frame_sort(key);

	if (key == 'q' || key == 'Q' || key == 3)
		return false;
	if (sort != TOP_SORT_N_)
		screen->view.sort = sort;
	else if (key == KEY_DOWN)
		screen->first++;
	else if (key == KEY_UP)
		screen->first -= MIN(screen->first, (size_t)1);
	else if (key == KEY_NPAGE)
		screen->first += page;
	else if (key == KEY_PPAGE)
		screen->first -= MIN(screen->first, page);
	return true;
}

static void top_run(struct top_screen *screen)
{
	int key = ERR;

	do {
		uint64_t now_us = clock_now_us();

		if (now_us >= screen->due_us) {
			screen->error = top_sample(screen->cli, &screen->samples);
			now_us = clock_now_us();
			screen->due_us = now_us + TOP_INTERVAL_US;
		}
		top_draw(screen);
		timeout((int)((screen->due_us - now_us) / US_PER_MS) + 1);
		key = getch();
		/* The terminal has gone. */
		if (key == ERR && !isatty(STDIN_FILENO))
			return;
	} while (top_take_key(screen, key));
}

int top(const struct cli *cli, void *context)
{
	struct top_screen screen = { .cli = cli };
	SCREEN *terminal;

	if (cli->json != CLI_JSON_OFF && !cli->once)
		return cli_fail(cli, CONTROL_USAGE,
			"top: JSON is no live view; write --once, or `%s status --json`",
			cli->program);
	if (cli->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return top_once(cli);
	(void)setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return top_once(cli);
	(void)cbreak();
	(void)noecho();
	(void)curs_set(0);
	(void)keypad(stdscr, TRUE);
	top_set_colors(cli);
	top_run(&screen);
	(void)endwin();
	delscreen(terminal);
	top_frame_clear(&screen.frame);
	top_samples_clear(&screen.samples);
	return 0;
}
