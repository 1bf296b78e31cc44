/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole agent against a balancer that this test plays: the daemon runs in one network
 * namespace, the balancer's socket stands in another at the end of a veth pair. Skipped where
 * namespaces may not be made.
 */
#include "agent/daemon/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/control/paths.h"
#include "agent/control/verbs.h"
#include "agent/host/observe.h"
#include "common/control/control_call.h"
#include "common/log.h"
#include "common/proto/auth.h"
#include "common/proto/keyring.h"
#include "tests/unit/agent/host/netns.h"
#include "tests/unit/tools/namespace.h"
#include "tests/unit/tools/temp_dir.h"

#define KEY         "k1 hex:abababababababababababababababababababababababababababababababab\n"
#define WRONG_KEY   "k1 hex:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
#define INTERVAL_US (50 * US_PER_MS)
#define DEADLINE_US (20 * US_PER_S)

struct fixture {
	char directory[TEMP_DIR_BYTES];
	char config_path[TEMP_DIR_BYTES + 16];
	int agent_ns;
	int balancer_ns;
	struct nl *nl; /* in the agent's namespace */
	pid_t pid;
	int fd; /* the balancer's socket */
	struct keyring_key key;
	uint8_t challenge_secret[AUTH_KEY_BYTES];
	struct auth_session_keys session_keys;
	uint64_t session_id;
	uint64_t sequence;
	uint64_t heartbeat_us; /* the next is due */
	bool mute;             /* sends and acknowledges nothing */
	/* What the agent said. */
	struct proto_register reg;
	unsigned int n_registers, n_answers, n_updates, n_leaves;
	struct proto_status status;
	bool vip_was_there, link_was_silent; /* when it registered */
	bool vip_was_there_at_leave;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * US_PER_S + (uint64_t)time.tv_nsec / NS_PER_US;
}

static void open_balancer(struct fixture *f)
{
	struct addr_port local = { netns_addr("192.0.2.2"), PROTO_PORT };
	struct sockaddr_storage address;
	socklen_t size_bytes = addr_to_sockaddr(&local, 0, &address);
	const int hops = PROTO_TTL;

	namespace_enter(f->balancer_ns);
	netns_set_up("peer0");
	netns_add_address("peer0", "192.0.2.2", 24);
	f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(f->fd >= 0);
	assert_int_equal(setsockopt(f->fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)), 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&address, size_bytes), 0);
	namespace_enter(f->agent_ns);
}

static void write_config(const struct fixture *f, const char *lines)
{
	char text[512];

	snprintf(text, sizeof(text),
		"[agent]\nbalancer = 192.0.2.2\nkey-file = %s/key\nname = web1\n%s\n", f->directory,
		lines);
	temp_dir_write(f->directory, "agent.conf", text);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	if (!namespace_make_two(&f->agent_ns, &f->balancer_ns)) {
		free(f);
		*state = NULL;
		return 0;
	}
	assert_int_equal(auth_init(), 0);
	netns_add_veth();
	netns_change_link("peer0", NULL, f->balancer_ns);
	netns_set_up("lo");
	netns_set_up("eth0");
	netns_add_address("eth0", "192.0.2.11", 24);
	open_balancer(f);
	assert_int_equal(nl_open(NETLINK_ROUTE, &f->nl), 0);
	temp_dir_make(f->directory);
	snprintf(f->config_path, sizeof(f->config_path), "%s/agent.conf", f->directory);
	memset(f->key.secret, 0xab, sizeof(f->key.secret));
	temp_dir_write(f->directory, "key", KEY);
	write_config(f, "vip = 198.51.100.10\ndrain-on-stop = 0");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (!f)
		return 0;
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	temp_dir_remove(f->directory);
	nl_free(f->nl);
	close(f->fd);
	close(f->agent_ns);
	close(f->balancer_ns);
	free(f);
	return 0;
}

static struct fixture *fixture(void **state)
{
	if (!*state)
		skip();
	return *state;
}

/* Its log goes nowhere: the facts are what is seen from outside. */
static void start(struct fixture *f)
{
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null < 0 || dup2(null, STDERR_FILENO) < 0)
			_exit(99);
		log_open("dsr-agent");
		_exit(daemon_run(f->config_path, f->directory,
			&(struct daemon_verbs){ verbs_serve, paths_start }));
	}
}

static int wait_for_end(struct fixture *f)
{
	pid_t pid = f->pid;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	f->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool host_has_vip(struct fixture *f)
{
	struct addr vip = netns_addr("198.51.100.10");
	struct host host;
	bool found;

	assert_int_equal(observe_host(f->nl, &host), 0);
	found = host_vip(&host, host_link_by_name(&host, "lo")->ifindex, &vip);
	host_clear(&host);
	return found;
}

static bool host_is_silent(struct fixture *f)
{
	struct host host;
	bool silent;

	assert_int_equal(observe_host(f->nl, &host), 0);
	silent = host_link_is_silent(&host, host_link_by_name(&host, "eth0"));
	host_clear(&host);
	return silent;
}

static void write_all_arp_ignore(const char *value)
{
	int fd = open("/proc/sys/net/ipv4/conf/all/arp_ignore", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), (ssize_t)strlen(value));
	close(fd);
}

/* ---- the balancer ---- */

static void send_to_agent(
	struct fixture *f, const struct proto_message *message, const uint8_t *secret)
{
	struct addr_port agent = { netns_addr("192.0.2.11"), PROTO_PORT };
	struct sockaddr_storage address;
	socklen_t length = addr_to_sockaddr(&agent, 0, &address);
	uint8_t buffer[PROTO_MESSAGE_MAX];
	int size_bytes = proto_write(message, buffer);

	assert_true(size_bytes > 0);
	if (secret)
		auth_seal(buffer, (size_t)size_bytes, secret);
	(void)sendto(f->fd, buffer, (size_t)size_bytes, 0, (struct sockaddr *)&address, length);
}

static void answer_hello(
	struct fixture *f, const struct proto_hello *hello, const struct addr_port *source)
{
	struct proto_message challenge = { .version = PROTO_VERSION_1, .type = PROTO_CHALLENGE };

	memcpy(challenge.challenge.nonce_agent, hello->nonce_agent, PROTO_NONCE_BYTES);
	auth_challenge_make(f->challenge_secret, source, hello->nonce_agent, now(),
		challenge.challenge.nonce_balancer);
	send_to_agent(f, &challenge, NULL);
}

static void answer_register(struct fixture *f, const struct proto_register *reg)
{
	struct proto_message accept = { .version = PROTO_VERSION_1, .type = PROTO_ACCEPT };

	f->reg = *reg;
	f->status = reg->status;
	f->n_registers++;
	f->vip_was_there = host_has_vip(f);
	f->link_was_silent = host_is_silent(f);
	f->session_id++;
	f->sequence = 1;
	memcpy(accept.accept.nonce_agent, reg->nonce_agent, PROTO_NONCE_BYTES);
	memcpy(accept.accept.nonce_balancer, reg->nonce_balancer, PROTO_NONCE_BYTES);
	accept.accept.session_id = f->session_id;
	accept.accept.boot_id = 1;
	accept.accept.sequence = f->sequence;
	accept.accept.interval_us = (uint32_t)INTERVAL_US;
	accept.accept.multiplier = 3;
	auth_session_derive(f->key.secret, reg->nonce_agent, reg->nonce_balancer, f->session_id,
		&f->session_keys);
	send_to_agent(f, &accept, f->key.secret);
}

static void acknowledge(struct fixture *f, uint64_t sequence)
{
	struct proto_message ack = { .version = PROTO_VERSION_1, .type = PROTO_ACK };

	ack.session.session_id = f->session_id;
	ack.session.sequence = ++f->sequence;
	ack.session.echo = sequence;
	send_to_agent(f, &ack, f->session_keys.to_agent);
}

static void take_session_message(struct fixture *f, const struct proto_message *message)
{
	switch (message->type) {
	case PROTO_ANSWER:
		f->n_answers++;
		f->status = message->report.status;
		break;
	case PROTO_UPDATE:
		f->n_updates++;
		f->status = message->report.status;
		acknowledge(f, message->report.session.sequence);
		break;
	case PROTO_LEAVE:
		f->n_leaves++;
		f->vip_was_there_at_leave = host_has_vip(f);
		acknowledge(f, message->session.sequence);
		f->session_id++; /* no heartbeats for it any more */
		f->sequence = 0;
		break;
	default:
		break;
	}
}

static void take_datagram(struct fixture *f)
{
	uint8_t data[PROTO_MESSAGE_MAX + 1];
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct proto_message message;
	struct addr_port source;
	ssize_t size_bytes;

	size_bytes = recvfrom(f->fd, data, sizeof(data), 0, (struct sockaddr *)&address, &length);
	if (size_bytes < 0 || f->mute)
		return;
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&address, &source), 0);
	assert_int_equal(proto_parse(data, (size_t)size_bytes, &message), PROTO_OK);
	if (message.type == PROTO_HELLO)
		answer_hello(f, &message.hello, &source);
	else if (message.type == PROTO_REGISTER) {
		if (auth_open(data, (size_t)size_bytes, f->key.secret))
			answer_register(f, &message.reg);
	} else if (f->sequence && auth_open(data, (size_t)size_bytes, f->session_keys.to_balancer))
		take_session_message(f, &message);
}

static void send_heartbeat(struct fixture *f)
{
	struct proto_message heartbeat = { .version = PROTO_VERSION_1, .type = PROTO_HEARTBEAT };

	if (f->sequence == 0 || f->mute)
		return;
	heartbeat.session.session_id = f->session_id;
	heartbeat.session.sequence = ++f->sequence;
	send_to_agent(f, &heartbeat, f->session_keys.to_agent);
}

typedef bool condition_fn(struct fixture *f);

/* Plays the balancer until the condition holds; false after DEADLINE_US. */
static bool play_until(struct fixture *f, condition_fn *condition)
{
	uint64_t deadline_us = now() + DEADLINE_US;

	while (now() < deadline_us) {
		struct pollfd wait = { .fd = f->fd, .events = POLLIN };

		if (condition(f))
			return true;
		if (now() >= f->heartbeat_us) {
			send_heartbeat(f);
			f->heartbeat_us = now() + INTERVAL_US;
		}
		if (poll(&wait, 1, 10) > 0)
			take_datagram(f);
	}
	return false;
}

static bool has_registered(struct fixture *f)
{
	return f->n_registers > 0;
}

static bool has_answered_up(struct fixture *f)
{
	return f->n_answers > 0 && f->status.state == PROTO_STATE_UP;
}

static bool is_maint(struct fixture *f)
{
	return f->n_updates > 0 && f->status.state == PROTO_STATE_MAINT;
}

static bool is_down(struct fixture *f)
{
	return f->n_updates > 0 && f->status.state == PROTO_STATE_DOWN;
}

static bool is_up_again(struct fixture *f)
{
	return f->n_updates > 1 && f->status.state == PROTO_STATE_UP;
}

static bool has_left(struct fixture *f)
{
	return f->n_leaves > 0;
}

static bool has_registered_again(struct fixture *f)
{
	return f->n_registers > 1;
}

/* A verb by the control socket; its exit status, or negative errno. */
static int call(struct fixture *f, const char *verb, json_t **ret_result, char **ret_error)
{
	return control_call(f->directory, verb, NULL, 10 * US_PER_S, ret_result, ret_error);
}

static int change(struct fixture *f, const char *verb)
{
	json_t *result = NULL;
	char *error = NULL;
	int status = call(f, verb, &result, &error);

	json_decref(result);
	free(error);
	return status;
}

/* The state and reason that `status` gives; false: nobody listens yet. */
static bool look(struct fixture *f, char *ret_state, char *ret_reason, size_t size_bytes)
{
	json_t *document = NULL;
	char *error = NULL;
	int r = call(f, "status", &document, &error);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return false;
	assert_int_equal(r, 0);
	snprintf(
		ret_state, size_bytes, "%s", json_string_value(json_object_get(document, "state")));
	snprintf(ret_reason, size_bytes, "%s",
		json_string_value(json_object_get(document, "reason")));
	json_decref(document);
	free(error);
	return true;
}

static bool status_names_no_answer(struct fixture *f)
{
	char state[512], reason[512];

	return look(f, state, reason, sizeof(state)) && streq(state, "pending") &&
		streq(reason, "no answer from 192.0.2.2 (unreachable, or the key differs)");
}

static bool status_names_all(struct fixture *f)
{
	char state[512], reason[512];

	return look(f, state, reason, sizeof(state)) && streq(state, "down") &&
		strstr(reason, "net.ipv4.conf.all.arp_ignore is 3");
}

/* ---- facts ---- */

static void daemon_registers_when_the_host_is_right(void **state)
{
	struct fixture *f = fixture(state);
	struct addr vip = netns_addr("198.51.100.10");
	struct addr real_ip = netns_addr("192.0.2.11");

	assert_false(host_has_vip(f));
	start(f);
	assert_true(play_until(f, has_registered));
	assert_true(f->vip_was_there);
	assert_true(f->link_was_silent);
	assert_string_equal(f->reg.name, "web1");
	assert_true(addr_equal(&f->reg.real_ip, &real_ip));
	assert_false(mac_is_zero(&f->reg.mac));
	assert_int_equal(f->reg.status.n_vips, 1);
	assert_true(addr_equal(&f->reg.vips[0], &vip));
	assert_true(play_until(f, has_answered_up));
	assert_true(f->status.vips[0].present && f->status.vips[0].silent);
}

static void daemon_stops_in_order(void **state)
{
	struct fixture *f = fixture(state);

	start(f);
	assert_true(play_until(f, has_answered_up));
	kill(f->pid, SIGTERM);
	assert_true(play_until(f, has_left));
	/* Drained first, in an UPDATE; and the VIP stays until it has left. */
	assert_true(f->n_updates > 0);
	assert_int_equal(f->status.state, PROTO_STATE_DRAIN);
	assert_true(f->vip_was_there_at_leave);
	assert_int_equal(wait_for_end(f), 0);
	assert_false(host_has_vip(f));
	assert_false(host_is_silent(f));
}

static void daemon_tells_a_change_at_once(void **state)
{
	struct fixture *f = fixture(state);

	start(f);
	assert_true(play_until(f, has_answered_up));
	assert_int_equal(change(f, "disable"), 0);
	assert_true(play_until(f, is_maint));
	/* A crash does not forget it. */
	kill(f->pid, SIGKILL);
	assert_int_equal(wait_for_end(f), -SIGKILL);
	f->n_registers = 0;
	start(f);
	assert_true(play_until(f, has_registered));
	assert_int_equal(f->reg.status.state, PROTO_STATE_MAINT);
	f->n_answers = 0;
	assert_int_equal(change(f, "enable"), 0);
	assert_true(play_until(f, has_answered_up));
}

/* Its file was damaged while it was away: it may have been under maintenance. */
static void daemon_that_cannot_read_its_wish_takes_nothing(void **state)
{
	struct fixture *f = fixture(state);

	temp_dir_write(f->directory, "admin", "maint?\n");
	start(f);
	assert_true(play_until(f, has_registered));
	assert_int_equal(f->reg.status.state, PROTO_STATE_MAINT);
	assert_int_equal(change(f, "enable"), 0);
	assert_true(play_until(f, has_answered_up));
}

static void daemon_adopts_after_a_crash(void **state)
{
	struct fixture *f = fixture(state);

	start(f);
	assert_true(play_until(f, has_answered_up));
	kill(f->pid, SIGKILL);
	assert_int_equal(wait_for_end(f), -SIGKILL);
	assert_true(host_has_vip(f) && host_is_silent(f));
	f->n_answers = 0;
	start(f);
	assert_true(play_until(f, has_registered_again));
	/* Who was not yet told that it is registered would have nothing to leave. */
	assert_true(play_until(f, has_answered_up));
	kill(f->pid, SIGTERM);
	assert_true(play_until(f, has_left));
	assert_int_equal(wait_for_end(f), 0);
	assert_false(host_has_vip(f));
	assert_false(host_is_silent(f));
}

static void daemon_keeps_the_host_when_told_so(void **state)
{
	struct fixture *f = fixture(state);

	write_config(f, "vip = 198.51.100.10\non-stop = keep");
	start(f);
	assert_true(play_until(f, has_answered_up));
	kill(f->pid, SIGTERM);
	assert_int_equal(wait_for_end(f), 0);
	assert_true(host_has_vip(f) && host_is_silent(f));
	assert_int_equal(f->n_leaves, 0);
}

static void daemon_is_down_while_all_spoils(void **state)
{
	struct fixture *f = fixture(state);

	start(f);
	assert_true(play_until(f, has_answered_up));
	write_all_arp_ignore("3");
	assert_true(play_until(f, is_down));
	assert_non_null(strstr(f->status.reason, "net.ipv4.conf.all.arp_ignore is 3"));
	assert_true(host_has_vip(f));
	write_all_arp_ignore("0");
	assert_true(play_until(f, is_up_again));
}

static void daemon_does_not_begin_while_all_spoils(void **state)
{
	struct fixture *f = fixture(state);

	write_all_arp_ignore("3");
	start(f);
	assert_true(play_until(f, status_names_all));
	assert_int_equal(f->n_registers, 0);
	assert_false(host_has_vip(f));
	write_all_arp_ignore("0");
	assert_true(play_until(f, has_registered));
}

static void daemon_is_pending_with_another_key(void **state)
{
	struct fixture *f = fixture(state);

	temp_dir_write(f->directory, "key", WRONG_KEY);
	start(f);
	assert_true(play_until(f, status_names_no_answer));
	assert_int_equal(f->n_registers, 0);
}

static void daemon_registers_again_after_silence(void **state)
{
	struct fixture *f = fixture(state);

	start(f);
	assert_true(play_until(f, has_answered_up));
	f->sequence = 0; /* the balancer forgot everything: no heartbeat, no acknowledgement */
	assert_true(play_until(f, has_registered_again));
}

static void daemon_reloads_whole_or_not_at_all(void **state)
{
	struct fixture *f = fixture(state);
	struct addr other = netns_addr("198.51.100.11");
	json_t *result = NULL;
	char *error = NULL;

	start(f);
	assert_true(play_until(f, has_answered_up));
	write_config(f, "vip = nonsense\nweight = 65536");
	assert_int_equal(call(f, "reload", &result, &error), CONTROL_CONFIG);
	assert_non_null(strstr(error, "agent.conf:5: vip: "));
	assert_non_null(strstr(error, "agent.conf:6: weight: "));
	free(error);
	assert_true(host_has_vip(f));
	assert_int_equal(f->n_registers, 1);
	write_config(f, "vip = 198.51.100.11\nweight = 0\ndrain-on-stop = 0");
	assert_int_equal(change(f, "reload"), 0);
	assert_true(play_until(f, has_registered_again));
	assert_int_equal(f->reg.status.weight, 0);
	assert_true(addr_equal(&f->reg.vips[0], &other));
	assert_false(host_has_vip(f));
}

static bool vip_is_gone(struct fixture *f)
{
	return !host_has_vip(f);
}

/* A connection to the VIP within the agent's namespace; both ends are the caller's to close. */
static void connect_to_vip(int *ret_client, int *ret_server)
{
	struct addr_port vip = { netns_addr("198.51.100.10"), 8080 };
	struct sockaddr_storage address;
	socklen_t length = addr_to_sockaddr(&vip, 0, &address);
	_cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 1), 0);
	*ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*ret_client, (struct sockaddr *)&address, length), 0);
	*ret_server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*ret_server >= 0);
}

static void daemon_keeps_a_vip_for_its_connections(void **state)
{
	struct fixture *f = fixture(state);
	int client, server;

	start(f);
	assert_true(play_until(f, has_answered_up));
	connect_to_vip(&client, &server);
	write_config(f, "vip = 198.51.100.11\ndrain-on-stop = 1h");
	assert_int_equal(change(f, "reload"), 0);
	assert_true(play_until(f, has_registered_again));
	assert_true(host_has_vip(f));
	/* Any number of reloads later it is still there. */
	assert_int_equal(change(f, "reload"), 0);
	assert_true(host_has_vip(f));
	close(client);
	close(server);
	assert_true(play_until(f, vip_is_gone));
	/* At once where nothing may wait. */
	write_config(f, "vip = 198.51.100.10\ndrain-on-stop = 0");
	assert_int_equal(change(f, "reload"), 0);
	assert_true(host_has_vip(f));
	write_config(f, "vip = 198.51.100.11\ndrain-on-stop = 0");
	assert_int_equal(change(f, "reload"), 0);
	assert_false(host_has_vip(f));
}

static void daemon_refuses_to_start_on_errors(void **state)
{
	struct fixture *f = fixture(state);

	write_config(f, "vip = nonsense");
	start(f);
	assert_int_equal(wait_for_end(f), CONTROL_CONFIG);
	write_config(f, "vip = 198.51.100.10");
	temp_dir_write(f->directory, "key", "k1 hex:00\n");
	start(f);
	assert_int_equal(wait_for_end(f), CONTROL_CONFIG);
	assert_false(host_has_vip(f));
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(daemon_registers_when_the_host_is_right),
		fact(daemon_stops_in_order),
		fact(daemon_tells_a_change_at_once),
		fact(daemon_that_cannot_read_its_wish_takes_nothing),
		fact(daemon_adopts_after_a_crash),
		fact(daemon_keeps_the_host_when_told_so),
		fact(daemon_is_down_while_all_spoils),
		fact(daemon_does_not_begin_while_all_spoils),
		fact(daemon_is_pending_with_another_key),
		fact(daemon_registers_again_after_silence),
		fact(daemon_reloads_whole_or_not_at_all),
		fact(daemon_keeps_a_vip_for_its_connections),
		fact(daemon_refuses_to_start_on_errors),
	};

	return cmocka_run_group_tests_name("agent/daemon", tests, NULL, NULL);
}
