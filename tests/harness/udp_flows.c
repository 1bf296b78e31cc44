/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps many UDP flows to named_server, each from a port of its own, and tells which move:
 *
 *	udp_flows ADDRESS:PORT COUNT [FIRST_ID [WAIT_MS]]
 *
 * Commands on stdin; every flow then asks one question, and one line of JSON says who answered:
 *
 *	whole      in one packet
 *	patiently  so, and twice more where no answer came: a machine that is busy drops datagrams, too
 *	in-order   in three fragments
 *	reverse    the last fragment first
 *	random     the fragments of sixteen datagrams mixed up, the same way every time
 *
 * {"asked": 1000, "answered": 1000, "intact": 1000, "again": 0, "moved": 0,
 *  "servers": {"web1": 333, …}, "moved_of": {}}: intact are the answers that hold every byte of their
 * question, again the questions that were asked once more, moved the answers by another server than the
 * flow's first one, moved_of counts them by that first server. An answer
 * that is late or doubled is no answer to the next question, but a server's it is. Fragments
 * need a raw socket; their datagrams are numbered from FIRST_ID on, and no number may come again
 * while the former one may still be on its way (RFC 6864 §4). WAIT_MS (3000) is how long answers may
 * take. Ends at the end of stdin.
 */
#include "tests/harness/tool.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sys/resource.h>

#include "common/packet/checksum.h"

#define COUNT_MAX      20000u
#define IDS_MAX        65000u
#define SERVERS_MAX    64u
#define NAME_BYTES     64u
#define QUESTION_BYTES 1000u
#define FRAGMENTS      3u
#define FRAGMENT_BYTES 400u /* of the datagram, UDP header included; a multiple of eight */
#define BATCH          16u  /* flows that ask together, then wait for all their answers */
#define WAIT_MS        3000u
#define WAIT_MAX_MS    60000u
#define PATIENT_ASKS   3u
#define LOST_MAX       (2 * BATCH) /* after that many nobody hopes any more, and waits LOST_WAIT_US */
#define LOST_WAIT_US   (50 * US_PER_MS)
#define DATAGRAM_BYTES (sizeof(struct udphdr) + QUESTION_BYTES)

_Static_assert(
	(size_t)(FRAGMENTS - 1) * FRAGMENT_BYTES < DATAGRAM_BYTES, "three fragments, no fewer");
_Static_assert((size_t)FRAGMENTS *FRAGMENT_BYTES >= DATAGRAM_BYTES, "three fragments, no more");

enum way { WAY_WHOLE, WAY_PATIENTLY, WAY_IN_ORDER, WAY_REVERSE, WAY_RANDOM, WAY_N_ };
static const char *const way_names[] = { "whole", "patiently", "in-order", "reverse", "random" };
_Static_assert(ARRAY_LEN(way_names) == WAY_N_, "a name for each");

struct flow {
	int fd;
	unsigned int server; /* index + 1 of the first that answered; 0: none yet */
	uint32_t id;         /* of the datagram in work */
	bool is_answered;    /* it, or one before it of the same command */
	uint8_t datagram[DATAGRAM_BYTES];
};

struct flows {
	int raw_fd;
	struct sockaddr_storage address;
	socklen_t length;
	struct flow *flows;
	size_t n_flows;
	uint32_t last_id;
	uint64_t random;
	uint64_t wait_us;
	char servers[SERVERS_MAX][NAME_BYTES];
	size_t n_servers;
	/* Of the command in work: */
	unsigned long answered, intact, again, moved;
	unsigned long counts[SERVERS_MAX], moved_of[SERVERS_MAX];
};

struct piece {
	struct flow *flow;
	size_t number;
};

static bool is_ip6(const struct flows *flows)
{
	return flows->address.ss_family == AF_INET6;
}

static void flow_open(struct flows *flows, struct flow *flow)
{
	flow->fd = socket(flows->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Connected: only answers that come from the address that was asked are heard. */
	if (flow->fd < 0 ||
		connect(flow->fd, (struct sockaddr *)&flows->address, flows->length) < 0)
		err(1, "socket");
}

static const void *ip_of(const struct sockaddr_storage *address, size_t *ret_size_bytes)
{
	if (address->ss_family == AF_INET6) {
		*ret_size_bytes = sizeof(struct in6_addr);
		return &((const struct sockaddr_in6 *)address)->sin6_addr;
	}
	*ret_size_bytes = sizeof(struct in_addr);
	return &((const struct sockaddr_in *)address)->sin_addr;
}

/* RFC 768, and RFC 8200 §8.1: over a pseudo-header of addresses, length and protocol. */
static uint16_t checksum(
	const struct flows *flows, const struct sockaddr_storage *source, const uint8_t *datagram)
{
	size_t size_bytes;
	const void *ip = ip_of(source, &size_bytes);
	uint64_t sum = checksum_add(DATAGRAM_BYTES + IPPROTO_UDP, ip, size_bytes);
	uint16_t check;

	ip = ip_of(&flows->address, &size_bytes);
	sum = checksum_add(sum, ip, size_bytes);
	check = checksum_finish(checksum_add(sum, datagram, DATAGRAM_BYTES));
	return htons(check ? check : UINT16_MAX);
}

/* A question that no other is like: its number all over. */
static void flow_ask_make(struct flows *flows, struct flow *flow)
{
	struct udphdr udp = { .len = htons(DATAGRAM_BYTES) };
	struct sockaddr_storage source;
	socklen_t length = sizeof(source);

	if (getsockname(flow->fd, (struct sockaddr *)&source, &length) < 0)
		err(1, "getsockname");
	flow->id = ++flows->last_id;
	/* The port lies in the same place in both families' addresses. */
	udp.source = ((struct sockaddr_in *)&source)->sin_port;
	udp.dest = ((struct sockaddr_in *)&flows->address)->sin_port;
	memcpy(flow->datagram, &udp, sizeof(udp));
	for (size_t i = sizeof(udp); i < DATAGRAM_BYTES; i += sizeof(flow->id))
		memcpy(flow->datagram + i, &flow->id, MIN(sizeof(flow->id), DATAGRAM_BYTES - i));
	udp.check = checksum(flows, &source, flow->datagram);
	memcpy(flow->datagram, &udp, sizeof(udp));
}

static size_t piece_size_bytes(const struct piece *piece)
{
	return MIN((size_t)FRAGMENT_BYTES, DATAGRAM_BYTES - piece->number * FRAGMENT_BYTES);
}

/* The kernel fills in source, total length and checksum (net/ipv4/raw.c:raw_send_hdrinc). */
static size_t put_ip4(const struct flows *flows, const struct piece *piece, uint8_t *packet)
{
	bool more = piece->number + 1 < FRAGMENTS;
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		/* The kernel chooses another id where it finds 0. */
		.id = htons((uint16_t)(piece->flow->id % 65535 + 1)),
		.frag_off =
			htons((uint16_t)(piece->number * FRAGMENT_BYTES / 8 | (more ? IP_MF : 0))),
		.daddr = ((const struct sockaddr_in *)&flows->address)->sin_addr.s_addr,
	};
	struct sockaddr_in source = { 0 };
	socklen_t length = sizeof(source);

	if (getsockname(piece->flow->fd, (struct sockaddr *)&source, &length) < 0)
		err(1, "getsockname");
	ip.saddr = source.sin_addr.s_addr;
	memcpy(packet, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_ip6(const struct flows *flows, const struct piece *piece, uint8_t *packet)
{
	bool more = piece->number + 1 < FRAGMENTS;
	struct ip6_frag fragment = {
		.ip6f_nxt = IPPROTO_UDP,
		.ip6f_offlg = htons((uint16_t)(piece->number * FRAGMENT_BYTES)) |
			(more ? IP6F_MORE_FRAG : 0),
		.ip6f_ident = htonl(piece->flow->id),
	};
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons((uint16_t)(sizeof(fragment) + piece_size_bytes(piece))),
		.ip6_nxt = IPPROTO_FRAGMENT,
		.ip6_hlim = 64,
		.ip6_dst = ((const struct sockaddr_in6 *)&flows->address)->sin6_addr,
	};
	struct sockaddr_in6 source;
	socklen_t length = sizeof(source);

	if (getsockname(piece->flow->fd, (struct sockaddr *)&source, &length) < 0)
		err(1, "getsockname");
	ip.ip6_src = source.sin6_addr;
	memcpy(packet, &ip, sizeof(ip));
	memcpy(packet + sizeof(ip), &fragment, sizeof(fragment));
	return sizeof(ip) + sizeof(fragment);
}

static void piece_send(const struct flows *flows, const struct piece *piece)
{
	uint8_t packet[sizeof(struct ip6_hdr) + sizeof(struct ip6_frag) + FRAGMENT_BYTES];
	struct sockaddr_storage address = flows->address;
	size_t size_bytes =
		is_ip6(flows) ? put_ip6(flows, piece, packet) : put_ip4(flows, piece, packet);

	memcpy(packet + size_bytes, piece->flow->datagram + piece->number * FRAGMENT_BYTES,
		piece_size_bytes(piece));
	size_bytes += piece_size_bytes(piece);
	/* A raw socket of IPv6 takes a port for a protocol. */
	((struct sockaddr_in *)&address)->sin_port = 0;
	if (sendto(flows->raw_fd, packet, size_bytes, 0, (struct sockaddr *)&address,
		    flows->length) != (ssize_t)size_bytes)
		err(1, "cannot send a fragment");
}

/* splitmix64 */
static uint64_t random_next(struct flows *flows)
{
	uint64_t z = (flows->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void pieces_shuffle(struct flows *flows, struct piece *pieces, size_t n_pieces)
{
	for (size_t i = n_pieces; i > 1; i--) {
		size_t other = random_next(flows) % i;
		struct piece kept = pieces[i - 1];

		pieces[i - 1] = pieces[other];
		pieces[other] = kept;
	}
}

/* In one packet; the kernel puts the header before it. */
static void batch_send_whole(struct flows *flows, struct flow *batch, size_t n_batch)
{
	for (size_t i = 0; i < n_batch; i++) {
		if (batch[i].is_answered)
			continue;
		flow_ask_make(flows, &batch[i]);
		if (send(batch[i].fd, batch[i].datagram + sizeof(struct udphdr), QUESTION_BYTES,
			    0) != QUESTION_BYTES)
			err(1, "cannot send");
	}
}

static void batch_send_pieces(struct flows *flows, struct flow *batch, size_t n_batch, enum way way)
{
	struct piece pieces[BATCH * FRAGMENTS];
	size_t n_pieces = 0;

	for (size_t i = 0; i < n_batch; i++) {
		flow_ask_make(flows, &batch[i]);
		for (size_t number = 0; number < FRAGMENTS; number++)
			pieces[n_pieces++] = (struct piece){ &batch[i],
				way == WAY_REVERSE ? FRAGMENTS - 1 - number : number };
	}
	if (way == WAY_RANDOM)
		pieces_shuffle(flows, pieces, n_pieces);
	for (size_t i = 0; i < n_pieces; i++)
		piece_send(flows, &pieces[i]);
}

static unsigned int server_number(struct flows *flows, const char *name)
{
	for (size_t i = 0; i < flows->n_servers; i++)
		if (streq(flows->servers[i], name))
			return (unsigned int)i + 1;
	if (flows->n_servers == SERVERS_MAX)
		errx(1, "more than %u servers", SERVERS_MAX);
	snprintf(flows->servers[flows->n_servers], NAME_BYTES, "%.63s", name);
	return (unsigned int)++flows->n_servers;
}

/* Whether it is a whole question, but one of an earlier number. */
static bool is_earlier(const struct flow *flow, const char *question)
{
	uint32_t id;

	memcpy(&id, question, sizeof(id));
	return id < flow->id &&
		memcmp(question, question + sizeof(id), QUESTION_BYTES - sizeof(id)) == 0;
}

/* By whom an answer is, and whether that is the flow's server. */
static void flow_served(struct flows *flows, struct flow *flow, const char *name)
{
	unsigned int server = server_number(flows, name);

	if (flow->server && flow->server != server) {
		flows->moved++;
		flows->moved_of[flow->server - 1]++;
	}
	if (!flow->server)
		flow->server = server;
}

/* The answer is the server's name, a space and the question. Whether it was to this one. */
static bool flow_answered(struct flows *flows, struct flow *flow, char *answer, size_t size_bytes)
{
	size_t name_len = strcspn(answer, " ");
	const char *question = answer + name_len + 1;
	bool is_whole = size_bytes == name_len + 1 + QUESTION_BYTES;

	answer[MIN(name_len, NAME_BYTES - 1)] = '\0';
	flow_served(flows, flow, answer);
	if (is_whole && is_earlier(flow, question))
		return false;
	flow->is_answered = true;
	flows->answered++;
	flows->intact += is_whole &&
		memcmp(question, flow->datagram + sizeof(struct udphdr), QUESTION_BYTES) == 0;
	flows->counts[server_number(flows, answer) - 1]++;
	return true;
}

static void flow_hear(struct flows *flows, struct flow *flow, uint64_t deadline_us)
{
	char answer[2048];
	ssize_t size_bytes;

	do {
		uint64_t now_us = tool_now_us(CLOCK_MONOTONIC);
		uint64_t wait_us = MAX(deadline_us, now_us + 1) - now_us;
		struct timeval wait = { (time_t)(wait_us / US_PER_S),
			(suseconds_t)(wait_us % US_PER_S) };

		(void)setsockopt(flow->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		size_bytes = recv(flow->fd, answer, sizeof(answer) - 1, 0);
		if (size_bytes <= 0)
			return;
		answer[size_bytes] = '\0';
	} while (!flow_answered(flows, flow, answer, (size_t)size_bytes));
}

static void print_counts(const struct flows *flows, const unsigned long *counts)
{
	const char *comma = "";

	for (size_t i = 0; i < flows->n_servers; i++) {
		if (counts[i] == 0)
			continue;
		printf("%s\"%s\": %lu", comma, flows->servers[i], counts[i]);
		comma = ", ";
	}
}

/* Each of those that have no answer yet. */
static void batch_ask(
	struct flows *flows, struct flow *batch, size_t n_batch, enum way way, uint64_t wait_us)
{
	uint64_t deadline_us = tool_now_us(CLOCK_MONOTONIC) + wait_us;

	if (way == WAY_WHOLE || way == WAY_PATIENTLY)
		batch_send_whole(flows, batch, n_batch);
	else
		batch_send_pieces(flows, batch, n_batch, way);
	for (size_t i = 0; i < n_batch; i++)
		if (!batch[i].is_answered)
			flow_hear(flows, &batch[i], deadline_us);
}

static unsigned long n_unanswered(const struct flow *batch, size_t n_batch)
{
	unsigned long n = 0;

	for (size_t i = 0; i < n_batch; i++)
		n += !batch[i].is_answered;
	return n;
}

static void ask_all(struct flows *flows, enum way way)
{
	unsigned int n_asks = way == WAY_PATIENTLY ? PATIENT_ASKS : 1;

	flows->answered = flows->intact = flows->again = flows->moved = 0;
	memset(flows->counts, 0, sizeof(flows->counts));
	memset(flows->moved_of, 0, sizeof(flows->moved_of));
	for (size_t i = 0; i < flows->n_flows; i += BATCH) {
		struct flow *batch = &flows->flows[i];
		size_t n_batch = MIN((size_t)BATCH, flows->n_flows - i);
		bool is_lost = i - flows->answered > (size_t)LOST_MAX;

		for (size_t j = 0; j < n_batch; j++)
			batch[j].is_answered = false;
		for (unsigned int ask = 0; ask < n_asks && n_unanswered(batch, n_batch) > 0;
			ask++) {
			flows->again += ask > 0 ? n_unanswered(batch, n_batch) : 0;
			batch_ask(flows, batch, n_batch, way,
				is_lost ? LOST_WAIT_US : flows->wait_us);
		}
	}
	printf("{\"asked\": %zu, \"answered\": %lu, \"intact\": %lu, \"again\": %lu, \"moved\": %lu, "
	       "\"servers\": {",
		flows->n_flows, flows->answered, flows->intact, flows->again, flows->moved);
	print_counts(flows, flows->counts);
	printf("}, \"moved_of\": {");
	print_counts(flows, flows->moved_of);
	printf("}}\n");
	fflush(stdout);
}

static enum way way_of(const char *name)
{
	for (size_t way = 0; way < WAY_N_; way++)
		if (streq(name, way_names[way]))
			return (enum way)way;
	errx(64, "%s: no command", name);
}

int main(int argc, char **argv)
{
	static struct flows flows;
	struct rlimit files = { 65536, 65536 };
	struct addr_port endpoint;
	char line[64];

	if (argc < 3 || argc > 5)
		errx(64, "usage: udp_flows ADDRESS:PORT COUNT [FIRST_ID [WAIT_MS]]");
	(void)setrlimit(RLIMIT_NOFILE, &files);
	endpoint = tool_endpoint(argv[1]);
	flows.length = addr_to_sockaddr(&endpoint, 0, &flows.address);
	flows.n_flows = tool_number(argv[2], COUNT_MAX);
	flows.last_id = argc > 3 ? (uint32_t)tool_number(argv[3], IDS_MAX) : 0;
	flows.wait_us = (argc > 4 ? tool_number(argv[4], WAIT_MAX_MS) : WAIT_MS) * US_PER_MS;
	flows.flows = calloc(flows.n_flows + 1, sizeof(*flows.flows));
	/* IPPROTO_RAW: packets come with their IP header, in both families. */
	flows.raw_fd = socket(flows.address.ss_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (!flows.flows || flows.raw_fd < 0)
		err(1, "cannot begin");
	for (size_t i = 0; i < flows.n_flows; i++)
		flow_open(&flows, &flows.flows[i]);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		ask_all(&flows, way_of(line));
	}
	return 0;
}
