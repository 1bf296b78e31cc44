/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One table of nftables and one log group: see synack_log.h. */
#include "agent/host/synack_log.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/nl.h"
#include "common/os/socket_buffer.h"

#define SYNACK_BUFFER_BYTES  (4 << 20) /* of the socket */
#define SYNACK_BATCH_BYTES   8192u     /* of our requests */
#define SYNACK_MESSAGE_BYTES 32768u /* that the kernel fills with packets before it sends them, */
#define SYNACK_PACKETS       100u   /* or so many, */
#define SYNACK_DELAY_10MS    2u     /* or after so long */
#define SYNACK_GROUP_FIRST   0x4453u
#define SYNACK_GROUPS        16u /* that are tried, until one has no reader */
/* After source NAT (100): what a container of this host answers has the VIP again. */
#define SYNACK_PRIORITY 300
#define SYNACK_CHAIN    "synack"
/* Before connection tracking and destination NAT: a published port has the VIP still. */
#define SYNACK_STRAY_PRIORITY (-300)
#define SYNACK_STRAY_CHAIN    "stray"
/* A flood of them says no more than a few. */
#define SYNACK_STRAYS_PER_S 10u

struct synack_log {
	struct mnl_socket *socket;
	uint16_t group;
	uint8_t buffer[2 * SYNACK_MESSAGE_BYTES] __attribute__((aligned(8)));
};

struct synack_log *synack_log_free(struct synack_log *log)
{
	if (!log)
		return NULL;
	if (log->socket)
		mnl_socket_close(log->socket);
	free(log);
	return NULL;
}

int synack_log_fd(const struct synack_log *log)
{
	return mnl_socket_get_fd(log->socket);
}

/* ---- requests ---- */

static struct nlmsghdr *synack_message(void *buffer, uint16_t subsystem, uint16_t type,
	uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *extra;

	message->nlmsg_type = (uint16_t)(subsystem << 8 | type);
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	extra = mnl_nlmsg_put_extra_header(message, sizeof(*extra));
	extra->nfgen_family = family;
	extra->version = NFNETLINK_V0;
	extra->res_id = htons(resource);
	return message;
}

/* The kernel answers while it takes a request. 0 when it acknowledged, else the first error. */
static int synack_answer(struct synack_log *log)
{
	int r = -EPROTO;

	for (;;) {
		ssize_t got =
			recv(synack_log_fd(log), log->buffer, sizeof(log->buffer), MSG_DONTWAIT);
		const struct nlmsghdr *message = (const struct nlmsghdr *)log->buffer;

		if (got <= 0)
			return r;
		for (int left = (int)got; nl_message_ok(message, left);
			message = mnl_nlmsg_next(message, &left)) {
			const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

			/* Else it is a packet already. */
			if (message->nlmsg_type != NLMSG_ERROR ||
				mnl_nlmsg_get_payload_len(message) < sizeof(error->error))
				continue;
			if (error->error < 0)
				return error->error;
			r = 0;
		}
	}
}

static int synack_send(struct synack_log *log, const void *data, size_t size_bytes)
{
	if (mnl_socket_sendto(log->socket, data, size_bytes) < 0)
		return util_negative_errno();
	return synack_answer(log);
}

/* ---- the log group ---- */

static int synack_bind(struct synack_log *log, uint16_t group)
{
	uint8_t buffer[SYNACK_BATCH_BYTES] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *message = synack_message(
		buffer, NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, AF_UNSPEC, group);
	const struct nfulnl_msg_config_cmd command = { NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(SYNACK_LOG_SNAP_BYTES),
		.copy_mode = NFULNL_COPY_PACKET };

	mnl_attr_put(message, NFULA_CFG_CMD, sizeof(command), &command);
	mnl_attr_put(message, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(SYNACK_MESSAGE_BYTES));
	mnl_attr_put_u32(message, NFULA_CFG_TIMEOUT, htonl(SYNACK_DELAY_10MS));
	mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(SYNACK_PACKETS));
	return synack_send(log, message, message->nlmsg_len);
}

/*
 * A group has one reader in a network namespace: another agent's, or ulogd's, are not ours. Of those the kernel says
 * -EPERM (nfulnl_recv_config() in net/netfilter/nfnetlink_log.c, 6.18), as without the capability.
 */
static int synack_bind_any(struct synack_log *log)
{
	int r = -EPERM;

	for (unsigned int i = 0; i < SYNACK_GROUPS && r == -EPERM; i++) {
		log->group = (uint16_t)(SYNACK_GROUP_FIRST + i);
		r = synack_bind(log, log->group);
	}
	return r;
}

/* ---- the table ---- */

static void synack_put_text(struct nlmsghdr *message, uint16_t type, const char *text)
{
	mnl_attr_put_strz(message, type, text);
}

static struct nlattr *synack_begin(
	struct nlmsghdr *rule, const char *name, struct nlattr **ret_element)
{
	*ret_element = mnl_attr_nest_start(rule, NFTA_LIST_ELEM);
	synack_put_text(rule, NFTA_EXPR_NAME, name);
	return mnl_attr_nest_start(rule, NFTA_EXPR_DATA);
}

static void synack_end(struct nlmsghdr *rule, struct nlattr *element, struct nlattr *data)
{
	mnl_attr_nest_end(rule, data);
	mnl_attr_nest_end(rule, element);
}

static void synack_put_value(
	struct nlmsghdr *rule, uint16_t type, const void *value, size_t size_bytes)
{
	struct nlattr *nest = mnl_attr_nest_start(rule, type);

	mnl_attr_put(rule, NFTA_DATA_VALUE, size_bytes, value);
	mnl_attr_nest_end(rule, nest);
}

static void synack_load_meta(struct nlmsghdr *rule, enum nft_meta_keys key)
{
	struct nlattr *element, *data = synack_begin(rule, "meta", &element);

	mnl_attr_put_u32(rule, NFTA_META_KEY, htonl(key));
	mnl_attr_put_u32(rule, NFTA_META_DREG, htonl(NFT_REG_1));
	synack_end(rule, element, data);
}

static void synack_compare(
	struct nlmsghdr *rule, enum nft_cmp_ops operation, const void *value, size_t size_bytes)
{
	struct nlattr *element, *data = synack_begin(rule, "cmp", &element);

	mnl_attr_put_u32(rule, NFTA_CMP_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(rule, NFTA_CMP_OP, htonl(operation));
	synack_put_value(rule, NFTA_CMP_DATA, value, size_bytes);
	synack_end(rule, element, data);
}

/* One byte of the TCP header, as far as the mask has it. */
static void synack_load_tcp_byte(struct nlmsghdr *rule, uint32_t offset, uint8_t mask)
{
	static const uint8_t none;
	struct nlattr *element, *data = synack_begin(rule, "payload", &element);

	mnl_attr_put_u32(rule, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(rule, NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_TRANSPORT_HEADER));
	mnl_attr_put_u32(rule, NFTA_PAYLOAD_OFFSET, htonl(offset));
	mnl_attr_put_u32(rule, NFTA_PAYLOAD_LEN, htonl(1));
	synack_end(rule, element, data);
	data = synack_begin(rule, "bitwise", &element);
	mnl_attr_put_u32(rule, NFTA_BITWISE_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(rule, NFTA_BITWISE_DREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(rule, NFTA_BITWISE_LEN, htonl(1));
	synack_put_value(rule, NFTA_BITWISE_MASK, &mask, sizeof(mask));
	synack_put_value(rule, NFTA_BITWISE_XOR, &none, sizeof(none));
	synack_end(rule, element, data);
}

/* TCP with these of the flags SYN and ACK, not over the loopback interface, which is `interface`'s of the packet. */
static void synack_put_segments(struct nlmsghdr *rule, uint8_t flags, enum nft_meta_keys interface)
{
	const uint8_t tcp = IPPROTO_TCP;
	const uint32_t loopback = if_nametoindex("lo");

	synack_load_meta(rule, NFT_META_L4PROTO);
	synack_compare(rule, NFT_CMP_EQ, &tcp, sizeof(tcp));
	synack_load_tcp_byte(rule, 13, SYNACK_FLAGS);
	synack_compare(rule, NFT_CMP_EQ, &flags, sizeof(flags));
	synack_load_meta(rule, interface);
	synack_compare(rule, NFT_CMP_NEQ, &loopback, sizeof(loopback));
}

static void synack_put_log(const struct synack_log *log, struct nlmsghdr *rule)
{
	struct nlattr *element, *data = synack_begin(rule, "log", &element);

	mnl_attr_put_u16(rule, NFTA_LOG_GROUP, htons(log->group));
	mnl_attr_put_u32(rule, NFTA_LOG_SNAPLEN, htonl(SYNACK_LOG_SNAP_BYTES));
	synack_end(rule, element, data);
}

/* What rp_filter asks in net/ipv4/fib_frontend.c: does any way to the source leave by where the packet came in? */
static void synack_put_no_way_back(struct nlmsghdr *rule)
{
	const uint8_t ipv4 = NFPROTO_IPV4;
	const uint32_t none = 0;
	struct nlattr *element, *data;

	synack_load_meta(rule, NFT_META_NFPROTO);
	synack_compare(rule, NFT_CMP_EQ, &ipv4, sizeof(ipv4));
	data = synack_begin(rule, "fib", &element);
	mnl_attr_put_u32(rule, NFTA_FIB_DREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(rule, NFTA_FIB_RESULT, htonl(NFT_FIB_RESULT_OIF));
	mnl_attr_put_u32(rule, NFTA_FIB_FLAGS, htonl(NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF));
	synack_end(rule, element, data);
	synack_compare(rule, NFT_CMP_EQ, &none, sizeof(none));
	data = synack_begin(rule, "limit", &element);
	mnl_attr_put_u64(rule, NFTA_LIMIT_RATE, htobe64(SYNACK_STRAYS_PER_S));
	mnl_attr_put_u64(rule, NFTA_LIMIT_UNIT, htobe64(1));
	mnl_attr_put_u32(rule, NFTA_LIMIT_BURST, htonl(SYNACK_STRAYS_PER_S));
	mnl_attr_put_u32(rule, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
	synack_end(rule, element, data);
}

static struct nlmsghdr *synack_put_nft(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags)
{
	return synack_message(
		mnl_nlmsg_batch_current(batch), NFNL_SUBSYS_NFTABLES, type, flags, NFPROTO_INET, 0);
}

static void synack_put_mark(struct mnl_nlmsg_batch *batch, uint16_t type)
{
	struct nlmsghdr *message = synack_message(
		mnl_nlmsg_batch_current(batch), 0, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);

	message->nlmsg_type = type;
	mnl_nlmsg_batch_next(batch);
}

static void synack_put_chain(struct mnl_nlmsg_batch *batch, const char *table, const char *name,
	enum nf_inet_hooks hook_number, int priority)
{
	struct nlmsghdr *message = synack_put_nft(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	synack_put_text(message, NFTA_CHAIN_TABLE, table);
	synack_put_text(message, NFTA_CHAIN_NAME, name);
	synack_put_text(message, NFTA_CHAIN_TYPE, "filter");
	mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(hook_number));
	mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
	mnl_attr_nest_end(message, hook);
	mnl_nlmsg_batch_next(batch);
}

static struct nlmsghdr *synack_begin_rule(struct mnl_nlmsg_batch *batch, const char *table,
	const char *chain, struct nlattr **ret_expressions)
{
	struct nlmsghdr *message =
		synack_put_nft(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);

	synack_put_text(message, NFTA_RULE_TABLE, table);
	synack_put_text(message, NFTA_RULE_CHAIN, chain);
	*ret_expressions = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
	return message;
}

static void synack_end_rule(
	struct mnl_nlmsg_batch *batch, struct nlmsghdr *rule, struct nlattr *expressions)
{
	mnl_attr_nest_end(rule, expressions);
	mnl_nlmsg_batch_next(batch);
}

static void synack_put_rules(
	const struct synack_log *log, struct mnl_nlmsg_batch *batch, const char *table, bool strays)
{
	struct nlattr *expressions;
	struct nlmsghdr *rule;

	synack_put_chain(batch, table, SYNACK_CHAIN, NF_INET_POST_ROUTING, SYNACK_PRIORITY);
	rule = synack_begin_rule(batch, table, SYNACK_CHAIN, &expressions);
	synack_put_segments(rule, SYNACK_FLAGS, NFT_META_OIF);
	synack_put_log(log, rule);
	synack_end_rule(batch, rule, expressions);
	if (!strays)
		return;
	synack_put_chain(
		batch, table, SYNACK_STRAY_CHAIN, NF_INET_PRE_ROUTING, SYNACK_STRAY_PRIORITY);
	rule = synack_begin_rule(batch, table, SYNACK_STRAY_CHAIN, &expressions);
	synack_put_segments(rule, SYNACK_FLAG_SYN, NFT_META_IIF);
	synack_put_no_way_back(rule);
	synack_put_log(log, rule);
	synack_end_rule(batch, rule, expressions);
}

/* The whole table at once or nothing; its name says whose it is. */
static int synack_make_table(struct synack_log *log, bool strays)
{
	uint8_t buffer[SYNACK_BATCH_BYTES] __attribute__((aligned(8))) = { 0 };
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buffer, sizeof(buffer) / 2);
	struct nlmsghdr *message;
	char table[NFT_NAME_MAXLEN];
	int r;

	if (!batch)
		return -ENOMEM;
	snprintf(table, sizeof(table), "dsr_agent_%u", mnl_socket_get_portid(log->socket));
	synack_put_mark(batch, NFNL_MSG_BATCH_BEGIN);
	message = synack_put_nft(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	synack_put_text(message, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	mnl_nlmsg_batch_next(batch);
	synack_put_rules(log, batch, table, strays);
	synack_put_mark(batch, NFNL_MSG_BATCH_END);
	r = synack_send(log, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch));
	mnl_nlmsg_batch_stop(batch);
	return r;
}

/* ---- opening and reading ---- */

int synack_log_open(struct synack_log **ret_log)
{
	_cleanup_(synack_log_freep) struct synack_log *log = calloc(1, sizeof(*log));
	const int yes = 1;
	int fd, r;

	if (!log)
		return -ENOMEM;
	log->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!log->socket || mnl_socket_bind(log->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return util_negative_errno();
	fd = synack_log_fd(log);
	(void)socket_buffer_set_receive(fd, SYNACK_BUFFER_BYTES);
	/* What is lost in a flood is not counted, and nothing can be done about it. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof(yes));
	/* The group first: of what the rule lets through nothing is lost then. */
	r = synack_bind_any(log);
	if (r == 0)
		r = synack_make_table(log, true);
	if (r == -ENOENT)
		r = synack_make_table(log, false);
	if (r < 0)
		return r;
	*ret_log = TAKE_PTR(log);
	return 0;
}

static void synack_give(const struct nlmsghdr *message, synack_log_fn *fn, void *context)
{
	const struct nlattr *attr, *payload = NULL;
	unsigned int ifindex = 0;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFULA_PAYLOAD)
			payload = attr;
		else if (mnl_attr_get_type(attr) == NFULA_IFINDEX_INDEV &&
			mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			ifindex = ntohl(mnl_attr_get_u32(attr));
	}
	if (payload)
		fn(mnl_attr_get_payload(payload), mnl_attr_get_payload_len(payload), ifindex,
			context);
}

bool synack_log_read(struct synack_log *log, synack_log_fn *fn, void *context)
{
	ssize_t got = recv(synack_log_fd(log), log->buffer, sizeof(log->buffer), MSG_DONTWAIT);
	const struct nlmsghdr *message = (const struct nlmsghdr *)log->buffer;

	if (got <= 0)
		return false;
	for (int left = (int)got; nl_message_ok(message, left);
		message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
			synack_give(message, fn, context);
	}
	return true;
}
