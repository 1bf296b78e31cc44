/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol's sockets: see session_socket.h. A family that the host does not have is left out, as long
 * as one remains.
 */
#include "lb/session/session_socket.h"

#include <linux/filter.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "common/os/idle.h"
#include "common/os/socket_buffer.h"
#include "common/proto/proto.h"

#define SESSION_SOCKET_RECEIVE_BUFFER_BYTES (4 << 20)
/* A challenge to an address that nobody has waits for ARP, three seconds, in its socket's buffer. */
#define SESSION_SOCKET_CHALLENGES_BYTES (16 << 20)
/* What has arrived is heard before anybody is judged silent. */
#define SESSION_SOCKET_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)
/* So many turns without an end are no burst of honest agents: two of a thousand each. */
#define SESSION_SOCKET_CROWD_TURNS 32u

/*
 * Three sockets a family share the port. The kernel gives the first REGISTERs that say another MAC than their
 * frame came from, the second HELLOs, which anybody may send, and the last all else: so this costs nothing where
 * frames are forwarded, what was seen of a datagram's frame never belongs to another one's, and a flood of HELLOs
 * takes no room from what agents say, nor its challenges from heartbeats.
 */
enum { SESSION_SOCKET_DOUBTFUL, SESSION_SOCKET_HELLO, SESSION_SOCKET_USUAL, SESSION_SOCKET_N_ };

struct session_socket_listener {
	struct session_socket *sockets;
	int fd; /* -1: not there */
	bool mac_is_source;
	unsigned int n_full; /* turns in a row that did not empty it */
	sd_event_source *source;
};

struct session_socket {
	struct session_socket_listener listeners[2][SESSION_SOCKET_N_]; /* IPv4, IPv6 */
	unsigned int ifindex; /* scope of link-local addresses */
	session_socket_receive_fn *fn;
	void *context;
};

struct session_socket *session_socket_free(struct session_socket *sockets)
{
	if (!sockets)
		return NULL;
	for (size_t family = 0; family < 2; family++) {
		ARRAY_FOREACH (listener, sockets->listeners[family], SESSION_SOCKET_N_) {
			sd_event_source_disable_unref(listener->source);
			util_close(listener->fd);
		}
	}
	free(sockets);
	return NULL;
}

static void session_socket_on_datagram(const struct udp_datagram *datagram, void *context)
{
	const struct session_socket_listener *listener = context;

	listener->sockets->fn(datagram, listener->mac_is_source, listener->sockets->context);
}

static int session_socket_on_readable(
	sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct session_socket_listener *listener = context;
	uint8_t data[PROTO_MESSAGE_MAX + 1];
	bool crowded;

	if (udp_receive(fd, data, sizeof(data), session_socket_on_datagram, listener))
		listener->n_full = 0;
	else if (listener->n_full < SESSION_SOCKET_CROWD_TURNS)
		listener->n_full++;
	crowded = listener->n_full == SESSION_SOCKET_CROWD_TURNS;
	idle_if_crowded(source, crowded, SESSION_SOCKET_PRIORITY);
	return 0;
}

bool session_socket_is_crowded(const struct session_socket *sockets)
{
	for (size_t family = 0; family < 2; family++)
		for (size_t i = 0; i < SESSION_SOCKET_N_; i++)
			if (i != SESSION_SOCKET_HELLO &&
				sockets->listeners[family][i].n_full == SESSION_SOCKET_CROWD_TURNS)
				return true;
	return false;
}

static int session_socket_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? util_negative_errno() : 0;
}

/* The layout of a REGISTER (doc/protocol.md): header, two nonces, three strings, an address, the MAC. */
#define REGISTER_STRINGS_OFFSET (PROTO_HEADER_BYTES + 2 * PROTO_NONCE_BYTES)
#define TYPE_OFFSET             5u
/* X to behind the string that it is at. */
#define SKIP_STRING \
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), \
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1), BPF_STMT(BPF_MISC | BPF_TAX, 0)

/*
 * Which of them a datagram goes to; it begins behind the UDP header, and what is too short to be read
 * goes to the first (net/core/filter.c:bpf_prog_run: a load beyond the end returns 0).
 */
static struct sock_filter session_socket_choice[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TYPE_OFFSET),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTO_HELLO, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SESSION_SOCKET_HELLO),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTO_REGISTER, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SESSION_SOCKET_USUAL),
	BPF_STMT(BPF_LDX | BPF_IMM, REGISTER_STRINGS_OFFSET),
	SKIP_STRING,
	SKIP_STRING,
	SKIP_STRING,
	/* An address: its family, then 4 or 16 bytes. */
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 2),
	BPF_STMT(BPF_LD | BPF_IMM, 5),
	BPF_STMT(BPF_JMP | BPF_JA, 1),
	BPF_STMT(BPF_LD | BPF_IMM, 17),
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	/* The MAC in two parts, against the Ethernet source. */
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
	BPF_STMT(BPF_ST, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_LL_OFF + ETH_ALEN)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 4),
	BPF_STMT(BPF_LDX | BPF_MEM, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_LL_OFF + ETH_ALEN + 4)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SESSION_SOCKET_USUAL),
	BPF_STMT(BPF_RET | BPF_K, SESSION_SOCKET_DOUBTFUL),
};

static int session_socket_bind(const char *interface, const struct addr_port *listen,
	sa_family_t family, unsigned int ifindex, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage address;
	struct addr_port endpoint = *listen;
	socklen_t length;
	int r = udp_open(family, PROTO_TTL, true, &fd);

	if (r < 0)
		return r;
	endpoint.addr.family = family;
	length = addr_to_sockaddr(&endpoint, ifindex, &address);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
		    (socklen_t)strlen(interface) + 1) < 0)
		return util_negative_errno();
	/* A burst of a thousand registrations must fit; without the privilege the default serves. */
	(void)socket_buffer_set_receive(fd, SESSION_SOCKET_RECEIVE_BUFFER_BYTES);
	r = session_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&address, length) < 0)
		return util_negative_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int session_socket_listen(sd_event *event, const struct session_socket_config *config,
	sa_family_t family, struct session_socket_listener *listener)
{
	int r = session_socket_bind(config->interface, config->listen, family,
		listener->sockets->ifindex, &listener->fd);

	if (r < 0)
		return r;
	r = sd_event_add_io(event, &listener->source, listener->fd, EPOLLIN,
		session_socket_on_readable, listener);
	if (r < 0)
		return r;
	return sd_event_source_set_priority(listener->source, SESSION_SOCKET_PRIORITY);
}

/* 0 too where the host does not have the family. */
static int session_socket_open_family(sd_event *event, const struct session_socket_config *config,
	sa_family_t family, struct session_socket *sockets)
{
	const struct sock_fprog choice = { ARRAY_LEN(session_socket_choice),
		session_socket_choice };
	struct session_socket_listener *listeners = sockets->listeners[family == AF_INET6];
	int r;

	if (config->listen->addr.family != AF_UNSPEC && config->listen->addr.family != family)
		return 0;
	/* In this order: the choice is by when they were bound. */
	for (size_t i = 0; i < SESSION_SOCKET_N_; i++) {
		r = session_socket_listen(event, config, family, &listeners[i]);
		if (r < 0)
			return r == -EAFNOSUPPORT ? 0 : r;
	}
	(void)socket_buffer_set_send(
		listeners[SESSION_SOCKET_HELLO].fd, SESSION_SOCKET_CHALLENGES_BYTES);
	if (setsockopt(listeners[SESSION_SOCKET_USUAL].fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
		    &choice, sizeof(choice)) < 0)
		return util_negative_errno();
	return 0;
}

static void session_socket_prepare(
	struct session_socket *sockets, const struct session_socket_config *config)
{
	sockets->fn = config->fn;
	sockets->context = config->context;
	sockets->ifindex = if_nametoindex(config->interface);
	for (size_t family = 0; family < 2; family++)
		for (size_t i = 0; i < SESSION_SOCKET_N_; i++)
			sockets->listeners[family][i] =
				(struct session_socket_listener){ .sockets = sockets,
					.fd = -1,
					.mac_is_source = i != SESSION_SOCKET_DOUBTFUL };
}

int session_socket_open(sd_event *event, const struct session_socket_config *config,
	struct session_socket **ret_sockets, struct why *ret_why)
{
	_cleanup_(session_socket_freep) struct session_socket *sockets =
		calloc(1, sizeof(*sockets));
	char text[ADDR_PORT_STRLEN];
	int r;

	if (!sockets)
		return why_fail(ret_why, -ENOMEM, "out of memory");
	session_socket_prepare(sockets, config);
	r = session_socket_open_family(event, config, AF_INET, sockets);
	if (r >= 0)
		r = session_socket_open_family(event, config, AF_INET6, sockets);
	if (r >= 0 && sockets->listeners[0][0].fd < 0 && sockets->listeners[1][0].fd < 0)
		r = -EAFNOSUPPORT;
	if (r < 0)
		return why_fail(ret_why, r, "cannot listen on UDP %s on %s",
			addr_port_format(config->listen, text), config->interface);
	*ret_sockets = TAKE_PTR(sockets);
	return 0;
}

int session_socket_send(struct session_socket *sockets, const struct addr *local,
	const struct addr_port *target, const uint8_t *data, size_t size_bytes)
{
	bool is_challenge = size_bytes > TYPE_OFFSET && data[TYPE_OFFSET] == PROTO_CHALLENGE;
	int fd = sockets->listeners[target->addr.family == AF_INET6]
				   [is_challenge ? SESSION_SOCKET_HELLO : SESSION_SOCKET_USUAL]
					   .fd;

	if (fd < 0)
		return -EAFNOSUPPORT;
	return udp_send(fd, local, target, sockets->ifindex, data, size_bytes);
}
