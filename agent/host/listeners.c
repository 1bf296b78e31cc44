/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets by sock_diag: see listeners.h. */
#include "agent/host/listeners.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "common/grow.h"

#define LISTENERS_PROCESSES_MAX 4096u /* looked through for the owner of a socket */

struct listeners {
	struct nl *nl;
	struct listener *items;
	size_t len;
	/* While a dump runs. */
	struct listener *next;
	size_t n_next;
	uint8_t protocol;
};

int listeners_new(struct listeners **ret_listeners)
{
	_cleanup_(listeners_freep) struct listeners *listeners = calloc(1, sizeof(*listeners));
	int r;

	if (!listeners)
		return -ENOMEM;
	r = nl_open(NETLINK_SOCK_DIAG, &listeners->nl);
	if (r < 0)
		return r;
	*ret_listeners = TAKE_PTR(listeners);
	return 0;
}

struct listeners *listeners_free(struct listeners *listeners)
{
	if (!listeners)
		return NULL;
	nl_free(listeners->nl);
	free(listeners->items);
	free(listeners->next);
	free(listeners);
	return NULL;
}

/* ---- the dump ---- */

/* The kernel tells it of each socket of IPv6 that listens (inet_sk_diag_fill() in net/ipv4/inet_diag.c, 6.18). */
static bool listeners_is_only6(const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message,
		sizeof(struct inet_diag_msg)) if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY &&
		mnl_attr_validate(attr, MNL_TYPE_U8) >= 0) return mnl_attr_get_u8(attr) != 0;
	return false;
}

static void listeners_set_address(struct listener *listener, const struct inet_diag_msg *socket,
	const struct nlmsghdr *message)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;
	struct in6_addr ip6;

	memcpy(&ip6, socket->id.idiag_src, sizeof(ip6));
	if (socket->idiag_family == AF_INET) {
		listener->address.family = AF_INET;
		memcpy(listener->address.bytes, &ip6, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(&ip6)) {
		listener->address.family = AF_INET;
		memcpy(listener->address.bytes, &ip6.s6_addr[12], 4);
	} else {
		listener->address.family = AF_INET6;
		listener->address.ip6 = ip6;
	}
	if (memcmp(listener->address.bytes, &any, sizeof(any)) != 0)
		return;
	listener->takes4 = listener->address.family == AF_INET || !listeners_is_only6(message);
	listener->takes6 = listener->address.family == AF_INET6;
	listener->address = (struct addr){ 0 };
}

static int listeners_add(const struct nlmsghdr *message, void *context)
{
	struct listeners *listeners = context;
	const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
	struct listener listener = { .protocol = listeners->protocol };
	int r;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*socket) ||
		listeners->n_next == LISTENERS_MAX || socket->id.idiag_sport == 0 ||
		(socket->idiag_family != AF_INET && socket->idiag_family != AF_INET6))
		return 0;
	listener.port = ntohs(socket->id.idiag_sport);
	listener.inode = socket->idiag_inode;
	listeners_set_address(&listener, socket, message);
	r = GROW(listeners->next, listeners->n_next);
	if (r < 0)
		return r;
	listeners->next[listeners->n_next++] = listener;
	return 0;
}

static int listeners_dump(
	struct listeners *listeners, sa_family_t family, uint8_t protocol, uint32_t states)
{
	struct inet_diag_req_v2 *query;
	struct nlmsghdr *request;
	void *extra;
	int r;

	request = nl_request(listeners->nl, SOCK_DIAG_BY_FAMILY, 0, sizeof(*query), &extra);
	query = extra;
	query->sdiag_family = (uint8_t)family;
	query->sdiag_protocol = protocol;
	query->idiag_states = states;
	listeners->protocol = protocol;
	r = nl_query_all(listeners->nl, request, listeners_add, listeners);
	/* A kernel without IPv6 knows no such sockets. */
	return family == AF_INET6 && (r == -ENOENT || r == -EAFNOSUPPORT) ? 0 : r;
}

static int listeners_compare(const void *a, const void *b)
{
	const struct listener *left = a, *right = b;

	if (left->protocol != right->protocol)
		return left->protocol < right->protocol ? -1 : 1;
	return left->port < right->port ? -1 : left->port > right->port;
}

/* A UDP socket that is connected takes from its peer alone; one that is not is in CLOSE. */
int listeners_refresh(struct listeners *listeners)
{
	static const struct {
		uint8_t protocol;
		uint32_t states;
	} kinds[] = { { IPPROTO_TCP, UINT32_C(1) << TCP_LISTEN },
		{ IPPROTO_UDP, UINT32_C(1) << TCP_CLOSE } };
	int r = 0;

	listeners->n_next = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(kinds); i++) {
		r = listeners_dump(listeners, AF_INET, kinds[i].protocol, kinds[i].states);
		if (r == 0)
			r = listeners_dump(listeners, AF_INET6, kinds[i].protocol, kinds[i].states);
	}
	if (r < 0)
		return r;
	free(listeners->items);
	listeners->items = TAKE_PTR(listeners->next);
	listeners->len = listeners->n_next;
	listeners->n_next = 0;
	if (listeners->len > 0)
		qsort(listeners->items, listeners->len, sizeof(*listeners->items),
			listeners_compare);
	return 0;
}

/* ---- looking ---- */

const struct listener *listeners_all(const struct listeners *listeners, size_t *ret_len)
{
	*ret_len = listeners->len;
	return listeners->items;
}

bool listener_takes(const struct listener *listener, const struct addr *address)
{
	if (listener->address.family != AF_UNSPEC)
		return addr_equal(&listener->address, address);
	return address->family == AF_INET ? listener->takes4 : listener->takes6;
}

bool listeners_have(
	const struct listeners *listeners, const struct addr_port *place, uint8_t protocol)
{
	ARRAY_FOREACH (listener, listeners->items, listeners->len)
		if (listener->protocol == protocol && listener->port == place->port &&
			listener_takes(listener, &place->addr))
			return true;
	return false;
}

/* ---- words ---- */

static bool listeners_owns(int processes_fd, const char *process, const char *wanted)
{
	char path[64], target[64];
	struct dirent *item;
	bool found = false;
	DIR *folder;
	int fd;

	snprintf(path, sizeof(path), "%.20s/fd", process);
	fd = openat(processes_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return false;
	}
	while (!found && (item = readdir(folder))) {
		ssize_t size = readlinkat(fd, item->d_name, target, sizeof(target) - 1);

		target[MAX(size, (ssize_t)0)] = '\0';
		found = streq(target, wanted);
	}
	closedir(folder);
	return found;
}

/* Names are what a program chose to be called; on the wire texts are printable ASCII. */
static bool listeners_read_name(int processes_fd, const char *process, char *ret_name, size_t size)
{
	char path[64];
	ssize_t n_read;
	int fd;

	snprintf(path, sizeof(path), "%.20s/comm", process);
	fd = openat(processes_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n_read = read(fd, ret_name, size - 1);
	close(fd);
	ret_name[MAX(n_read, (ssize_t)0)] = '\0';
	ret_name[strcspn(ret_name, "\n")] = '\0';
	for (char *at = ret_name; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			*at = '?';
	return ret_name[0] != '\0';
}

/* Only who may look into the process finds it: root, or its own user. */
static void listeners_name_owner(uint32_t inode, char *ret_name, size_t size)
{
	DIR *processes = opendir("/proc");
	unsigned int n_seen = 0;
	struct dirent *item;
	bool found = false;
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
	while (processes && !found && n_seen < LISTENERS_PROCESSES_MAX &&
		(item = readdir(processes))) {
		if (item->d_name[0] < '1' || item->d_name[0] > '9')
			continue;
		n_seen++;
		found = listeners_owns(dirfd(processes), item->d_name, wanted) &&
			listeners_read_name(dirfd(processes), item->d_name, ret_name, size);
	}
	if (processes)
		closedir(processes);
	if (!found)
		snprintf(ret_name, size, "a socket");
}

void listeners_say(const struct listeners *listeners, const struct addr_port *place,
	uint8_t protocol, struct why *ret_why)
{
	char wanted[ADDR_PORT_STRLEN], other[ADDR_PORT_STRLEN], name[32];
	const char *udp = protocol == IPPROTO_UDP ? "udp " : "";

	addr_port_format(place, wanted);
	ARRAY_FOREACH (listener, listeners->items, listeners->len) {
		struct addr_port elsewhere = { listener->address, listener->port };

		/* Who listens in the other family has another address of the virtual server in mind. */
		if (listener->protocol != protocol || listener->port != place->port ||
			listener->address.family != place->addr.family)
			continue;
		listeners_name_owner(listener->inode, name, sizeof(name));
		why_set(ret_why, "nothing listens on %s%s (%s listens on %s alone)", udp, wanted,
			name, addr_port_format(&elsewhere, other));
		return;
	}
	why_set(ret_why, "nothing listens on %s%s", udp, wanted);
}
