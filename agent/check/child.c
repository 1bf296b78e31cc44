/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork, exec and the end of it. Called by check_exec.c and check_file.c. Must not know what a status means. */
#include "agent/check/child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/check/check_kind.h"

#define CHILD_CANNOT_RUN 127
#define CHILD_READS_MAX  16u /* of CHILD_OUTPUT_BYTES: what a pipe holds */

struct child {
	struct child_room *room;
	struct child *next, **link;
	pid_t pid;
	int pidfd;
	int output_fd;
	sd_event_source *end;
	sd_event_source *output;
	child_end_fn *ended; /* NULL: killed, and nobody asks any more */
	void *context;
	size_t n_read;
	char text[CHILD_OUTPUT_BYTES + 1];
};

struct child_room {
	sd_event *event;
	struct child *children;
	size_t n_children;
};

int child_room_new(sd_event *event, struct child_room **ret_room)
{
	struct child_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	room->event = event;
	*ret_room = room;
	return 0;
}

static void child_free(struct child *child)
{
	if (child->link) {
		*child->link = child->next;
		if (child->next)
			child->next->link = child->link;
		child->room->n_children--;
	}
	sd_event_source_disable_unref(child->end);
	sd_event_source_disable_unref(child->output);
	util_close(child->pidfd);
	util_close(child->output_fd);
	free(child);
}
DEFINE_CLEANUP(struct child *, child_free)

struct child_room *child_room_free(struct child_room *room)
{
	if (!room)
		return NULL;
	while (room->children) {
		(void)kill(-room->children->pid, SIGKILL);
		child_free(room->children);
	}
	free(room);
	return NULL;
}

/* ---- in the child: nothing but what is safe after fork() ---- */

static void child_say(const char *text)
{
	ssize_t r = write(STDERR_FILENO, text, strlen(text));

	(void)r;
}

static void child_reset_signals(void)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The ambient set alone is what a program would inherit. Where the unit forbids capset(2) the inheritable set
 * stays, which without file capabilities gives nothing.
 */
static bool child_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return false;
	return syscall(SYS_capset, &header, none) == 0 || errno == EPERM;
}

/* The agent's death ends it too. */
static bool child_settle(int output_fd, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	child_reset_signals();
	return null >= 0 && setpgid(0, 0) == 0 && dup2(null, STDIN_FILENO) >= 0 &&
		dup2(output_fd, STDOUT_FILENO) >= 0 && dup2(output_fd, STDERR_FILENO) >= 0 &&
		syscall(SYS_close_range, 3u, ~0u, 0u) == 0 &&
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent &&
		child_drop_capabilities();
}

_Noreturn static void child_work(const struct child_work *work, int output_fd, pid_t parent)
{
	/* Neither the unit's credentials nor its notification socket are anybody's business. */
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char locale[] = "LC_ALL=C";
	char *const environment[] = { path, locale, NULL };

	if (!child_settle(output_fd, parent)) {
		child_say("cannot be prepared: ");
	} else if (work->file) {
		_exit(access(work->file, F_OK) == 0 ? 0 : errno);
	} else {
		(void)execve(work->argv[0], work->argv, environment);
		child_say("cannot be run: ");
	}
	child_say(strerrordesc_np(errno));
	_exit(CHILD_CANNOT_RUN);
}

/* ---- in the agent ---- */

/*
 * Reads what is there, so that nobody waits for a full pipe, and no more than one holds: a child that writes as fast as we
 * read would hold up heartbeats, and its own deadline.
 */
static void child_read(struct child *child)
{
	char rest[CHILD_OUTPUT_BYTES];
	ssize_t n_bytes = 0;

	for (unsigned int i = 0; i < CHILD_READS_MAX; i++) {
		size_t room_bytes = CHILD_OUTPUT_BYTES - child->n_read;

		n_bytes = read(child->output_fd, rest, sizeof(rest));
		if (n_bytes <= 0)
			break;
		room_bytes = MIN(room_bytes, (size_t)n_bytes);
		memcpy(child->text + child->n_read, rest, room_bytes);
		child->n_read += room_bytes;
		if ((size_t)n_bytes < sizeof(rest))
			return;
	}
	if (n_bytes == 0 || (n_bytes < 0 && errno != EAGAIN && errno != EINTR))
		(void)sd_event_source_set_enabled(child->output, SD_EVENT_OFF);
}

static int child_on_output(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	child_read(context);
	return 0;
}

/* The group goes before its leader is reaped, while its number cannot be another's. */
static int child_on_end(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct child *child = context;
	child_end_fn *ended = child->ended;
	void *end_context = child->context;
	_cleanup_free_ char *output = NULL;
	siginfo_t info = { 0 };
	int status = CHILD_CANNOT_RUN;

	(void)kill(-child->pid, SIGKILL);
	if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
		status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
	child_read(child);
	output = strdup(child->text);
	child_free(child);
	if (ended)
		ended(end_context, status, output ? output : "");
	return 0;
}

static int child_listen(struct child *child)
{
	sd_event *event = child->room->event;
	int r;

	r = sd_event_add_io(event, &child->end, child->pidfd, EPOLLIN, child_on_end, child);
	if (r >= 0)
		r = sd_event_add_io(
			event, &child->output, child->output_fd, EPOLLIN, child_on_output, child);
	if (r >= 0)
		r = sd_event_source_set_priority(child->end, CHECK_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_priority(child->output, CHECK_PRIORITY);
	return r < 0 ? r : 0;
}

/* A process that cannot be watched is not left alone. */
static int child_fork(struct child *child, const struct child_work *work)
{
	_cleanup_close_ int write_fd = -1;
	pid_t parent = getpid();
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	child->output_fd = fds[0];
	write_fd = fds[1];
	/* A writer that is told to come again loses what it had to say. */
	if (fcntl(write_fd, F_SETFL, 0) < 0)
		return -errno;
	child->pid = fork();
	if (child->pid < 0)
		return -errno;
	if (child->pid == 0)
		child_work(work, write_fd, parent);
	(void)setpgid(child->pid, child->pid);
	child->pidfd = pidfd_open(child->pid, 0);
	r = child->pidfd < 0 ? -errno : child_listen(child);
	if (r < 0) {
		(void)kill(-child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
	}
	return r;
}

int child_start(struct child_room *room, const struct child_work *work, child_end_fn *ended,
	void *context, struct child **ret_child)
{
	_cleanup_(child_freep) struct child *child = NULL;
	int r;

	if (room->n_children >= CHILD_ROOM_MAX)
		return -EAGAIN;
	child = calloc(1, sizeof(*child));
	if (!child)
		return -ENOMEM;
	child->room = room;
	child->pidfd = -1;
	child->output_fd = -1;
	child->ended = ended;
	child->context = context;
	r = child_fork(child, work);
	if (r < 0)
		return r;
	child->next = room->children;
	child->link = &room->children;
	if (child->next)
		child->next->link = &child->next;
	room->children = child;
	room->n_children++;
	*ret_child = TAKE_PTR(child);
	return 0;
}

void child_kill(struct child *child)
{
	child->ended = NULL;
	(void)kill(-child->pid, SIGKILL);
}
