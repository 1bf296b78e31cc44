/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink over libmnl; the contract is in the header. libmnl builds and walks messages; the
 * receiving is done here, because mnl_socket_recvfrom() does not say who sent a message.
 */
#include "common/os/nl.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "common/os/socket_buffer.h"

#define NL_ANSWER_TIMEOUT_S      5
#define NL_DUMP_TRIES            5u
#define NL_EVENT_BUFFER_BYTES    (1 << 20)
#define NL_EVENT_DATAGRAMS       1024u /* in one call of nl_read_events() */
#define NL_COLLECT_INITIAL_BYTES NL_BUFFER_BYTES

struct nl {
	struct mnl_socket *socket;
	int protocol;
	unsigned int port_id;
	uint32_t sequence;
	_Alignas(struct nlmsghdr) uint8_t request[NL_BUFFER_BYTES];
	_Alignas(struct nlmsghdr) uint8_t answer[NL_BUFFER_BYTES];
};

/* What an answer is for: given to `fn` as it comes, or collected in `data`. */
struct nl_answer {
	nl_message_fn *fn; /* NULL: nobody wants the messages */
	void *context;
	bool collect;
	uint8_t *data;
	size_t size_bytes, allocated_bytes;
	bool interrupted;
	bool ended;
	int result;          /* the kernel's, once ended */
	int callback_result; /* the first failure of fn; the rest is only drained */
};

static void nl_answer_clear(struct nl_answer *answer)
{
	free(answer->data);
}

static int nl_open_flags(int protocol, int flags, struct nl **ret_nl)
{
	_cleanup_(nl_freep) struct nl *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return -ENOMEM;
	nl->protocol = protocol;
	nl->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC | flags);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return util_negative_errno();
	nl->port_id = mnl_socket_get_portid(nl->socket);
	*ret_nl = TAKE_PTR(nl);
	return 0;
}

int nl_open(int protocol, struct nl **ret_nl)
{
	const struct timeval timeout = { .tv_sec = NL_ANSWER_TIMEOUT_S };
	_cleanup_(nl_freep) struct nl *nl = NULL;
	int r;

	r = nl_open_flags(protocol, 0, &nl);
	if (r < 0)
		return r;
	if (setsockopt(nl_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return util_negative_errno();
	*ret_nl = TAKE_PTR(nl);
	return 0;
}

int nl_open_events(int protocol, const unsigned int *groups, struct nl **ret_nl)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	int r;

	r = nl_open_flags(protocol, SOCK_NONBLOCK, &nl);
	if (r < 0)
		return r;
	/* Without CAP_NET_ADMIN the system's limit holds, and events are lost a little earlier. */
	r = socket_buffer_set_receive(nl_fd(nl), NL_EVENT_BUFFER_BYTES);
	if (r < 0)
		return r;
	for (; *groups != 0; groups++)
		if (setsockopt(nl_fd(nl), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups,
			    sizeof(*groups)) < 0)
			return util_negative_errno();
	*ret_nl = TAKE_PTR(nl);
	return 0;
}

struct nl *nl_free(struct nl *nl)
{
	if (!nl)
		return NULL;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
	return NULL;
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

struct nlmsghdr *nl_request(
	struct nl *nl, uint16_t type, uint16_t flags, size_t extra_bytes, void **ret_extra)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(nl->request);
	void *extra = mnl_nlmsg_put_extra_header(message, extra_bytes);

	message->nlmsg_type = type;
	message->nlmsg_flags = flags | NLM_F_REQUEST;
	if (ret_extra)
		*ret_extra = extra;
	return message;
}

/*
 * Receives one datagram of the kernel into `answer`: its size in bytes; 0 for one that is not the
 * kernel's or was cut, and is to be ignored; negative errno.
 */
static int nl_receive(struct nl *nl)
{
	struct sockaddr_nl sender = { 0 };
	struct iovec buffer = { .iov_base = nl->answer, .iov_len = sizeof(nl->answer) };
	struct msghdr header = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &buffer,
		.msg_iovlen = 1,
	};
	ssize_t size;

	do
		size = recvmsg(nl_fd(nl), &header, 0);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return util_negative_errno();
	if (sender.nl_pid != 0 || (header.msg_flags & MSG_TRUNC))
		return 0;
	return (int)size;
}

static int nl_send(struct nl *nl, struct nlmsghdr *request, uint16_t flags)
{
	request->nlmsg_seq = ++nl->sequence;
	request->nlmsg_pid = nl->port_id;
	request->nlmsg_flags |= flags;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return util_negative_errno();
	return 0;
}

static int nl_collect(struct nl_answer *answer, const struct nlmsghdr *message)
{
	size_t size_bytes = NLMSG_ALIGN(message->nlmsg_len);

	if (answer->size_bytes + size_bytes > NL_DUMP_MAX_BYTES)
		return -EMSGSIZE;
	if (!answer->data || answer->size_bytes + size_bytes > answer->allocated_bytes) {
		size_t allocated_bytes =
			MAX(answer->allocated_bytes * 2, size_bytes + NL_COLLECT_INITIAL_BYTES);
		uint8_t *data = realloc(answer->data, allocated_bytes);

		if (!data)
			return -ENOMEM;
		answer->data = data;
		answer->allocated_bytes = allocated_bytes;
	}
	memcpy(answer->data + answer->size_bytes, message, message->nlmsg_len);
	answer->size_bytes += size_bytes;
	return 0;
}

/* NLMSG_ERROR and NLMSG_DONE both begin with an int; an older kernel's DONE may be empty. */
static int nl_end_result(const struct nlmsghdr *message)
{
	int result;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(result))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&result, mnl_nlmsg_get_payload(message), sizeof(result));
	return MIN(result, 0);
}

static void nl_take_message(struct nl_answer *answer, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		answer->ended = true;
		answer->result = nl_end_result(message);
		return;
	}
	if (message->nlmsg_type < NLMSG_MIN_TYPE || !answer->fn || answer->callback_result < 0)
		return;
	answer->callback_result = answer->collect ? nl_collect(answer, message)
						  : answer->fn(message, answer->context);
}

/*
 * Receives until the end of the answer to the newest request. Answers to earlier ones, given up
 * after their timeout, have another sequence. A callback that failed does not end it: the kernel
 * refuses the next dump (EBUSY) until this one has been read.
 */
static int nl_receive_answer(struct nl *nl, struct nl_answer *answer)
{
	while (!answer->ended) {
		const struct nlmsghdr *message = (const void *)nl->answer;
		int size = nl_receive(nl);

		if (size < 0)
			return size == -EAGAIN ? -ETIMEDOUT : size;
		for (; nl_message_ok(message, size) && !answer->ended;
			message = mnl_nlmsg_next(message, &size))
			if (message->nlmsg_seq == nl->sequence && message->nlmsg_pid == nl->port_id)
				nl_take_message(answer, message);
	}
	return answer->result < 0 ? answer->result : answer->callback_result;
}

int nl_query(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *context)
{
	struct nl_answer answer = { .fn = fn, .context = context };
	int r;

	r = nl_send(nl, request, NLM_F_ACK);
	if (r < 0)
		return r;
	return nl_receive_answer(nl, &answer);
}

int nl_transact(struct nl *nl, struct nlmsghdr *request)
{
	return nl_query(nl, request, NULL, NULL);
}

static int nl_give_out(const struct nl_answer *answer)
{
	const struct nlmsghdr *message = (const void *)answer->data;
	int size = (int)answer->size_bytes, r = 0;

	for (; r == 0 && nl_message_ok(message, size); message = mnl_nlmsg_next(message, &size))
		r = answer->fn(message, answer->context);
	return r;
}

int nl_query_all(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *context)
{
	int r;

	for (unsigned int try = 0; try < NL_DUMP_TRIES; try++) {
		_cleanup_(nl_answer_clear) struct nl_answer answer = {
			.fn = fn,
			.context = context,
			.collect = nl->protocol != NETLINK_SOCK_DIAG,
		};

		r = nl_send(nl, request, NLM_F_DUMP);
		if (r < 0)
			return r;
		r = nl_receive_answer(nl, &answer);
		if (r < 0)
			return r;
		if (!answer.collect)
			return 0;
		if (!answer.interrupted)
			return nl_give_out(&answer);
	}
	return -EINTR;
}

int nl_read_events(struct nl *nl, nl_message_fn *fn, void *context)
{
	int result = 0;

	for (unsigned int idx = 0; idx < NL_EVENT_DATAGRAMS; idx++) {
		const struct nlmsghdr *message = (const void *)nl->answer;
		int size = nl_receive(nl), r;

		if (size == -EAGAIN)
			break;
		/* What is still queued is read on: it is newer than what was lost. */
		if (size == -ENOBUFS) {
			result = -ENOBUFS;
			continue;
		}
		if (size < 0)
			return size;
		for (; nl_message_ok(message, size); message = mnl_nlmsg_next(message, &size)) {
			if (message->nlmsg_type < NLMSG_MIN_TYPE)
				continue;
			r = fn(message, context);
			if (r < 0)
				return r;
		}
	}
	return result;
}
