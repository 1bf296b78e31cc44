/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many agents in one process, each with the real registration (agent/registration/register.h) and a socket at an
 * address of its own:
 *
 *	agents INTERFACE FIRST_ADDRESS COUNT BALANCER:PORT KEY_FILE VIP…
 *
 * FIRST_ADDRESS and the COUNT - 1 addresses behind it are on INTERFACE, whose MAC is that of all.
 * They are named agent0001 … and have weights from 1 to 7, and every VIP in good order. Each line on
 * standard input is answered by one line:
 *
 *	report    what they are, and what has come since the last `mark`
 *	mark      counts begin anew
 *	again     all begin anew at once, as after a power cut
 *	say STATE NUMBER…   these agents say that they are `up`, `drain` or `down`
 *	flip TIMES NUMBER…  these agents say that they drain, and that they are up, 200 times a second
 *	mute NUMBER…        these agents neither hear nor speak any more
 *	leave NUMBER…       these agents leave
 *	key FILE NUMBER…    these agents have this key from now on
 *
 * {"agents": 1000, "registered": 1000, "refused": 0, "heard": 1000, "heard_ms": 512, "sessions": 0,
 * "heartbeats": 1234, "late": 0, "rejected": 0, "flips": 0}: heard says how many got a heartbeat since the mark,
 * heard_ms after which time the last of them did for the first time; sessions how many were opened,
 * late how many heartbeats came more than the silence of an agent after the one before, flips how many are
 * still to be said.
 */
#include "tests/harness/tool.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "agent/registration/register.h"
#include "common/proto/auth.h"
#include "common/proto/keyring.h"

#define AGENTS_MAX   4096u
#define TICK_US      (5 * US_PER_MS)
#define WEIGHTS      7u
#define LATE_US      (900 * US_PER_MS) /* three intervals of the default */
#define SIGNAL_KEY   UINT64_MAX
#define TIMER_KEY    (UINT64_MAX - 1)
#define COMMANDS_KEY (UINT64_MAX - 2)

struct agent {
	int fd;
	bool muted;
	struct registration *registration;
	struct addr address;
	struct proto_status status;
	uint64_t due_us;
	uint64_t boot_id; /* of the balancer, as last seen */
	uint64_t session_since_us;
	uint64_t heard_us; /* the last heartbeat */
	bool heard;        /* since the mark */
	size_t flips;      /* to be said */
};

struct agents {
	int epoll_fd;
	struct agent *items;
	size_t len;
	struct mac mac;
	struct addr_port balancer;
	struct addr vips[PROTO_VIPS_WHOLE];
	size_t n_vips;
	struct keyring_key key;
	uint64_t marked_us, last_heard_us;
	size_t n_heard;
	unsigned long sessions, heartbeats, late, rejected;
};

static uint64_t now_us(void)
{
	return tool_now_us(CLOCK_MONOTONIC);
}

/* ---- one agent ---- */

static void agent_send(
	void *context, const struct addr_port *balancer, const uint8_t *data, size_t size_bytes)
{
	const struct agent *agent = context;
	struct sockaddr_storage address;
	socklen_t length = addr_to_sockaddr(balancer, 0, &address);

	/* A full queue is a lost datagram, as on any network. */
	if (!agent->muted)
		(void)sendto(agent->fd, data, size_bytes, MSG_DONTWAIT, (struct sockaddr *)&address,
			length);
}

static int agent_socket(const struct addr *address)
{
	const struct addr_port endpoint = { *address, PROTO_PORT };
	const int ttl = PROTO_TTL, on = 1;
	struct sockaddr_storage name;
	socklen_t length = addr_to_sockaddr(&endpoint, 0, &name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&name, length) < 0)
		err(1, "socket");
	return fd;
}

static void agent_identify(struct agents *agents, struct agent *agent)
{
	struct register_identity identity = { .version = "harness", .real_ip = agent->address };

	snprintf(identity.name, sizeof(identity.name), "agent%04zu",
		(size_t)(agent - agents->items) + 1);
	identity.mac = agents->mac;
	identity.key = agents->key;
	identity.n_vips = agents->n_vips;
	memcpy(identity.vips, agents->vips, sizeof(agents->vips));
	register_set_identity(agent->registration, &identity, now_us());
}

static void agent_open(struct agents *agents, size_t idx, const struct addr *address)
{
	struct agent *agent = &agents->items[idx];
	uint8_t seed[REGISTER_SEED_BYTES];

	agent->address = *address;
	agent->status = (struct proto_status){ .state = PROTO_STATE_UP,
		.weight = (uint16_t)(1 + idx % WEIGHTS),
		.n_vips = (uint8_t)agents->n_vips };
	for (size_t i = 0; i < agents->n_vips; i++)
		agent->status.vips[i] =
			(struct proto_vip_status){ .present = true, .silent = true };
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		err(1, "getrandom");
	agent->fd = agent_socket(address);
	agent->registration = register_new(&agents->balancer, seed, agent_send, agent, now_us());
	if (!agent->registration)
		err(1, "register_new");
	agent_identify(agents, agent);
	if (register_set_status(agent->registration, &agent->status, now_us()) < 0)
		errx(1, "the status of agent%04zu is not legal", idx + 1);
	tool_watch(agents->epoll_fd, agent->fd, EPOLLIN, idx);
}

/* What a datagram changed, for the counts. */
static void agent_observe(struct agents *agents, struct agent *agent)
{
	const struct register_view *view = register_view(agent->registration);

	if (view->state == REGISTER_REGISTERED && view->since_us != agent->session_since_us) {
		agents->sessions += view->last_heartbeat_us == agent->heard_us;
		agent->session_since_us = view->since_us;
	}
	if (view->last_heartbeat_us == agent->heard_us)
		return;
	agents->heartbeats++;
	agents->late += agent->heard_us > 0 && agent->heard_us >= agents->marked_us &&
		view->last_heartbeat_us - agent->heard_us > LATE_US;
	agent->heard_us = view->last_heartbeat_us;
	if (agent->heard)
		return;
	agent->heard = true;
	agents->n_heard++;
	agents->last_heard_us = agent->heard_us;
}

/* Everybody listens everywhere. */
static void agent_answer_ports(struct agent *agent)
{
	const struct ports *asked = register_asked(agent->registration);
	struct proto_ports_status answer = { .digest = asked->digest,
		.n_ports = (uint8_t)asked->len };

	if (ports_are_answered(asked))
		return;
	ARRAY_FOREACH (item, answer.items, answer.n_ports)
		item->listening = true;
	(void)register_set_ports(agent->registration, &answer, now_us());
}

static int agent_receive_one(struct agents *agents, struct agent *agent)
{
	_Alignas(struct cmsghdr) uint8_t control[64];
	uint8_t data[PROTO_MESSAGE_MAX + 1];
	struct sockaddr_storage from;
	struct iovec part = { data, sizeof(data) };
	struct msghdr message = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t size_bytes = recvmsg(agent->fd, &message, MSG_DONTWAIT);
	const struct cmsghdr *header = size_bytes < 0 ? NULL : CMSG_FIRSTHDR(&message);
	struct addr_port source;
	int ttl = -1;

	if (size_bytes < 0)
		return 0;
	if (header && header->cmsg_type == IP_TTL)
		memcpy(&ttl, CMSG_DATA(header), sizeof(ttl));
	if (agent->muted || addr_from_sockaddr((struct sockaddr *)&from, &source) < 0)
		return 1;
	agents->rejected +=
		register_receive(agent->registration,
			&(struct register_datagram){ source, ttl, data, (size_t)size_bytes },
			now_us()) != REGISTER_ACCEPTED;
	agent_answer_ports(agent);
	agent_observe(agents, agent);
	return 1;
}

static void agent_tick(struct agent *agent)
{
	if (!agent->muted)
		agent->due_us = register_run_due(agent->registration, now_us());
}

/* ---- commands ---- */

static void report(const struct agents *agents)
{
	size_t registered = 0, refused = 0, flips = 0;

	ARRAY_FOREACH (agent, agents->items, agents->len) {
		enum register_state state = register_view(agent->registration)->state;

		registered += !agent->muted && state == REGISTER_REGISTERED;
		refused += state == REGISTER_REFUSED;
		flips += agent->flips;
	}
	printf("{\"agents\": %zu, \"registered\": %zu, \"refused\": %zu, \"heard\": %zu, "
	       "\"heard_ms\": %llu, \"sessions\": %lu, \"heartbeats\": %lu, \"late\": %lu, "
	       "\"rejected\": %lu, \"flips\": %zu}\n",
		agents->len, registered, refused, agents->n_heard,
		(unsigned long long)((agents->last_heard_us -
					     MIN(agents->marked_us, agents->last_heard_us)) /
			US_PER_MS),
		agents->sessions, agents->heartbeats, agents->late, agents->rejected, flips);
}

static void mark(struct agents *agents)
{
	ARRAY_FOREACH (agent, agents->items, agents->len)
		agent->heard = false;
	agents->marked_us = agents->last_heard_us = now_us();
	agents->n_heard = 0;
	agents->sessions = agents->heartbeats = agents->late = agents->rejected = 0;
}

static void begin_all(struct agents *agents)
{
	ARRAY_FOREACH (agent, agents->items, agents->len) {
		register_start(agent->registration, now_us());
		agent_tick(agent);
	}
}

static bool say(struct agent *agent, enum proto_state state)
{
	agent->status.state = state;
	snprintf(agent->status.reason, sizeof(agent->status.reason), "%s",
		state == PROTO_STATE_UP ? "" : "told so");
	return register_set_status(agent->registration, &agent->status, now_us()) == 0;
}

static bool say_word(struct agent *agent, const char *word)
{
	for (enum proto_state state = PROTO_STATE_UP; state <= PROTO_STATE_DOWN; state++)
		if (streq(word, proto_state_name(state)))
			return say(agent, state);
	return false;
}

static void agent_flip(struct agent *agent)
{
	agent->flips--;
	(void)say(agent, PROTO_STATE_DRAIN);
	(void)say(agent, PROTO_STATE_UP);
}

static void load_key(struct agents *agents, const char *path)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct why why = { 0 };

	if (auth_init() < 0 || keyring_load(path, false, &ring, &why) < 0)
		errx(1, "%s", why.text);
	agents->key = ring->keys[0];
}

/* `verb` for each agent that the rest of the line names; false: it makes no sense. */
static bool command_each(struct agents *agents, const char *verb, char **rest)
{
	bool with_value = streq(verb, "say") || streq(verb, "flip") || streq(verb, "key");
	const char *value = with_value ? strtok_r(NULL, " \n", rest) : "";
	const char *word;

	if (value && streq(verb, "key"))
		load_key(agents, value);
	while (value && (word = strtok_r(NULL, " \n", rest))) {
		size_t number = tool_number(word, agents->len);
		struct agent *agent = &agents->items[number > 0 ? number - 1 : 0];

		if (streq(verb, "say") && !say_word(agent, value))
			return false;
		if (streq(verb, "flip"))
			agent->flips = tool_number(value, 1000000);
		if (streq(verb, "key"))
			agent_identify(agents, agent);
		if (streq(verb, "mute"))
			agent->muted = true;
		if (streq(verb, "leave"))
			register_leave(agent->registration, now_us());
		agent_tick(agent);
	}
	return value != NULL;
}

static void command(struct agents *agents, char *line)
{
	char *rest = NULL;
	const char *verb = strtok_r(line, " \n", &rest);
	bool good = verb != NULL;

	if (good && streq(verb, "mark"))
		mark(agents);
	else if (good && streq(verb, "again"))
		begin_all(agents);
	else if (good &&
		(streq(verb, "say") || streq(verb, "flip") || streq(verb, "mute") ||
			streq(verb, "leave") || streq(verb, "key")))
		good = command_each(agents, verb, &rest);
	else if (good)
		good = streq(verb, "report");
	if (good)
		report(agents);
	else
		printf("{\"error\": \"not a command\"}\n");
	fflush(stdout);
}

/* ---- the program ---- */

static struct mac mac_of(const char *interface)
{
	struct ifreq request = { 0 };
	struct mac mac;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s", interface);
	memcpy(mac.bytes, request.ifr_hwaddr.sa_data, MAC_LEN);
	util_close(fd);
	return mac;
}

static void allow_descriptors(size_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "getrlimit");
	limit.rlim_cur = MIN((rlim_t)count, limit.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "setrlimit");
}

static bool on_event(struct agents *agents, uint64_t key, int timer_fd)
{
	char line[4096];

	switch (key) {
	case SIGNAL_KEY:
		return false;
	case TIMER_KEY:
		(void)tool_timer_rang(timer_fd);
		ARRAY_FOREACH (agent, agents->items, agents->len) {
			if (agent->flips > 0)
				agent_flip(agent);
			if (agent->due_us <= now_us())
				agent_tick(agent);
		}
		return true;
	case COMMANDS_KEY:
		if (!fgets(line, sizeof(line), stdin))
			return false;
		command(agents, line);
		return true;
	default:
		while (agent_receive_one(agents, &agents->items[key]))
			;
		agent_tick(&agents->items[key]);
		return true;
	}
}

static void run(struct agents *agents)
{
	int timer_fd = tool_timer_fd(TICK_US), signal_fd = tool_signal_fd();
	struct epoll_event events[256];
	bool goes_on = true;

	tool_watch(agents->epoll_fd, signal_fd, EPOLLIN, SIGNAL_KEY);
	tool_watch(agents->epoll_fd, timer_fd, EPOLLIN, TIMER_KEY);
	tool_watch(agents->epoll_fd, STDIN_FILENO, EPOLLIN, COMMANDS_KEY);
	mark(agents);
	begin_all(agents);
	while (goes_on) {
		int n = epoll_wait(agents->epoll_fd, events, ARRAY_LEN(events), -1);

		for (int i = 0; i < n && goes_on; i++)
			goes_on = on_event(agents, events[i].data.u64, timer_fd);
	}
	report(agents);
}

int main(int argc, char **argv)
{
	static struct agents agents;
	struct addr first;

	if (argc < 7 || (size_t)argc - 6 > PROTO_VIPS_WHOLE)
		errx(64, "usage: agents INTERFACE FIRST_ADDRESS COUNT BALANCER:PORT KEY_FILE VIP…");
	first = tool_address(argv[2]);
	agents.len = tool_number(argv[3], AGENTS_MAX);
	agents.balancer = tool_endpoint(argv[4]);
	agents.mac = mac_of(argv[1]);
	load_key(&agents, argv[5]);
	for (int i = 6; i < argc; i++)
		agents.vips[agents.n_vips++] = tool_address(argv[i]);
	agents.items = calloc(agents.len + 1, sizeof(*agents.items));
	agents.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!agents.items || agents.epoll_fd < 0)
		err(1, "set-up");
	setvbuf(stdin, NULL, _IONBF, 0);
	allow_descriptors(agents.len + 64);
	for (size_t i = 0; i < agents.len; i++) {
		struct addr address = first;

		address.ip4.s_addr = htobe32(be32toh(first.ip4.s_addr) + (uint32_t)i);
		agent_open(&agents, i, &address);
	}
	run(&agents);
	return 0;
}
