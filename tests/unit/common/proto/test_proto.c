/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol's messages: round trips at the smallest and largest of everything, every error,
 * every truncation, every flipped bit, and the promises about sizes.
 */
#include "common/proto/ports.h"
#include "common/proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <dirent.h>

#define HEADER PROTO_HEADER_BYTES

/* Of each version, each type that it has. */
#define EACH(version, type) \
	for (unsigned int version = PROTO_VERSION_1; version <= PROTO_VERSION; version++) \
		for (enum proto_type type = PROTO_HELLO; type < end_of_types(version); type++)

static enum proto_type end_of_types(unsigned int version)
{
	static const enum proto_type ends[] = { 0, PROTO_SERVE, PROTO_TABLE, PROTO_PEERS,
		PROTO_PART, PROTO_TYPE_N_ };
	_Static_assert(ARRAY_LEN(ends) == PROTO_VERSION + 1, "every version has its types");

	return ends[version];
}

static void fill(char *text, size_t length)
{
	memset(text, 'x', length);
	text[length] = '\0';
}

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void nonces(uint8_t *agent, uint8_t *balancer, uint8_t value)
{
	memset(agent, value, PROTO_NONCE_BYTES);
	memset(balancer, (uint8_t)~value, PROTO_NONCE_BYTES);
}

static struct proto_status status_smallest(void)
{
	return (struct proto_status){ .weight = 0, .n_vips = 1 };
}

static struct proto_status status_largest(void)
{
	struct proto_status status = {
		.state = PROTO_STATE_DOWN, .weight = UINT16_MAX, .n_vips = PROTO_VIPS_WHOLE
	};

	fill(status.reason, PROTO_REASON_MAX);
	ARRAY_FOREACH (vip, status.vips, PROTO_VIPS_WHOLE)
		*vip = (struct proto_vip_status){ true, true, UINT32_MAX };
	return status;
}

static struct proto_message smallest(unsigned int version, enum proto_type type)
{
	struct proto_message message = { .version = version, .type = type };

	switch (type) {
	case PROTO_HELLO:
		snprintf(message.hello.key_id, sizeof(message.hello.key_id), "%s", "k");
		break;
	case PROTO_REGISTER:
		snprintf(message.reg.key_id, sizeof(message.reg.key_id), "%s", "k");
		snprintf(message.reg.name, sizeof(message.reg.name), "%s", "w");
		snprintf(message.reg.version, sizeof(message.reg.version), "%s", "0");
		message.reg.real_ip = address("192.0.2.1");
		message.reg.mac.bytes[5] = 1;
		message.reg.vips[0] = address("198.51.100.10");
		message.reg.status = status_smallest();
		break;
	case PROTO_ACCEPT:
		message.accept.session_id = 1;
		message.accept.sequence = 1;
		message.accept.interval_us = PROTO_INTERVAL_MIN_US;
		message.accept.multiplier = 1;
		break;
	case PROTO_HEARTBEAT:
	case PROTO_SERVE:
		message.session = (struct proto_session){ 1, 1, 0 };
		break;
	case PROTO_TABLE:
	case PROTO_RELAY:
		message.session = (struct proto_session){ 1, 1, type == PROTO_RELAY };
		if (type == PROTO_RELAY)
			message.told.other = address("192.0.2.3");
		fill(message.told.table.name, 1);
		fill(message.told.table.version, 1);
		break;
	case PROTO_PART:
		fill(message.part.key_id, 1);
		fill(message.part.name, 1);
		message.part.n_vips = PROTO_VIPS_WHOLE + 1;
		for (size_t i = 0; i < PROTO_VIPS_WHOLE + 1; i++) {
			message.part.vips[i] = address("198.51.100.1");
			message.part.vips[i].bytes[3] = (uint8_t)(i + 1);
		}
		break;
	case PROTO_PEERS:
		message.peers = (struct proto_peers){ { 1, 1, 0 }, { PROTO_NAMED_MAC_FIRST }, 0, 1,
			1, { { .id = 1 } } };
		break;
	case PROTO_LEAVE:
	case PROTO_ACK:
		message.session = (struct proto_session){ 1, 1, 1 };
		break;
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		message.report.session = (struct proto_session){ 1, 1, 1 };
		message.report.status = status_smallest();
		break;
	default:
		break;
	}
	return message;
}

static void largest_register(struct proto_register *reg)
{
	nonces(reg->nonce_agent, reg->nonce_balancer, 0xa5);
	fill(reg->key_id, PROTO_KEY_ID_MAX);
	fill(reg->name, PROTO_NAME_MAX);
	fill(reg->version, PROTO_NAME_MAX);
	reg->real_ip = address("2001:db8::1");
	memset(reg->mac.bytes, 0xfe, MAC_LEN);
	reg->status = status_largest();
	for (size_t i = 0; i < PROTO_VIPS_WHOLE; i++) {
		reg->vips[i] = address("2001:db8:ffff::1");
		reg->vips[i].bytes[15] = (uint8_t)(i + 1);
	}
}

/* Every other one is listened on, so that both are there. */
static struct proto_ports_status ports_largest(void)
{
	struct proto_ports_status ports = { .digest = UINT32_MAX, .n_ports = PROTO_PORTS_MAX };

	for (size_t i = 0; i < PROTO_PORTS_MAX; i++)
		ports.items[i] = (struct proto_port_status){ i % 2, true, UINT32_MAX };
	fill(ports.why, PROTO_REASON_MAX);
	return ports;
}

static void largest_serve(unsigned int version, struct proto_serve *serve)
{
	uint16_t last = version < PROTO_VERSION_VIPS ? PROTO_VIPS_WHOLE - 1 : PROTO_VIPS_MAX - 1;

	serve->n_ports = PROTO_PORTS_MAX;
	for (size_t i = 0; i < PROTO_PORTS_MAX; i++)
		serve->ports[i] = (struct proto_port){ last, IPPROTO_UDP,
			(uint16_t)(UINT16_MAX - PROTO_PORTS_MAX + i), UINT16_MAX, true };
}

static struct proto_place place_largest(void)
{
	struct proto_place place = { .n_addresses = PROTO_PLACE_MAX };

	memset(place.mac.bytes, 0xfe, MAC_LEN);
	for (size_t i = 0; i < PROTO_PLACE_MAX; i++) {
		place.addresses[i] = address("2001:db8::1");
		place.addresses[i].bytes[15] = (uint8_t)(i + 1);
	}
	return place;
}

/* What later versions have besides. */
static void add_largest_fields(struct proto_message *message)
{
	if (message->version >= PROTO_VERSION_PLACE && message->type == PROTO_ACCEPT)
		message->accept.place = place_largest();
	if (message->version >= PROTO_VERSION_PLACE && message->type == PROTO_HEARTBEAT)
		message->heartbeat.place = place_largest();
	if (message->type == PROTO_REGISTER) {
		message->reg.status.max_connections = PROTO_CONNECTIONS_MAX;
		message->reg.status.second_chance = message->version >= PROTO_VERSION_PEERS;
	}
	if (message->type == PROTO_ACCEPT)
		fill(message->accept.name, PROTO_NAME_MAX);
	if (message->type != PROTO_ANSWER && message->type != PROTO_UPDATE)
		return;
	message->report.status.max_connections = PROTO_CONNECTIONS_MAX;
	if (message->version >= PROTO_VERSION_PEERS) {
		message->report.status.second_chance = true;
		message->report.peers_heard = UINT64_MAX;
	}
	message->report.ports = ports_largest();
	message->report.other.address = address("2001:db8::2");
	fill(message->report.other.name, PROTO_NAME_MAX);
}

static struct proto_message largest(unsigned int version, enum proto_type type)
{
	const struct proto_session session = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct proto_message message = smallest(version, type);

	switch (type) {
	case PROTO_HELLO:
		memset(message.hello.nonce_agent, 0xff, PROTO_NONCE_BYTES);
		fill(message.hello.key_id, PROTO_KEY_ID_MAX);
		break;
	case PROTO_CHALLENGE:
		nonces(message.challenge.nonce_agent, message.challenge.nonce_balancer, 0x5a);
		break;
	case PROTO_REGISTER:
		largest_register(&message.reg);
		break;
	case PROTO_ACCEPT:
		nonces(message.accept.nonce_agent, message.accept.nonce_balancer, 0x5a);
		message.accept.session_id = message.accept.boot_id = UINT64_MAX;
		message.accept.sequence = UINT64_MAX;
		message.accept.interval_us = PROTO_INTERVAL_MAX_US;
		message.accept.multiplier = PROTO_MULTIPLIER_MAX;
		break;
	case PROTO_REJECT:
		nonces(message.rejected.nonce_agent, message.rejected.nonce_balancer, 0x5a);
		message.rejected.code = PROTO_REJECT_N_ - 1;
		fill(message.rejected.reason, PROTO_REASON_MAX);
		break;
	case PROTO_HEARTBEAT:
		message.session = session;
		message.session.echo = 0;
		break;
	case PROTO_LEAVE:
	case PROTO_ACK:
		message.session = session;
		break;
	case PROTO_SERVE:
		largest_serve(version, &message.serve);
		message.serve.session = session;
		message.serve.session.echo = 0;
		break;
	case PROTO_PART:
		nonces(message.part.nonce_agent, message.part.nonce_balancer, 0x5a);
		fill(message.part.key_id, PROTO_KEY_ID_MAX);
		fill(message.part.name, PROTO_NAME_MAX);
		message.part.n_vips = PROTO_VIPS_MAX;
		message.part.part = PROTO_PARTS_MAX - 1;
		for (size_t i = 0; i < PROTO_VIPS_PART; i++) {
			message.part.vips[i] = address("2001:db8:ffff::1");
			message.part.vips[i].bytes[15] = (uint8_t)(i + 1);
		}
		break;
	case PROTO_PEERS:
		message.peers = (struct proto_peers){ .session = session,
			.named_mac = { PROTO_NAMED_MAC_FIRST, 255, 255, 255 },
			.after = UINT64_MAX - 1,
			.change = UINT64_MAX,
			.n_items = PROTO_PEERS_MAX };
		message.peers.session.echo = 0;
		memset(message.peers.items, 2, sizeof(message.peers.items));
		break;
	case PROTO_TABLE:
	case PROTO_RELAY:
		message.told.session = session;
		message.told.table = (struct proto_table){
			.digest = UINT64_MAX, .members = UINT32_MAX, .weights = UINT32_MAX
		};
		if (type == PROTO_TABLE)
			message.told.session.echo = 0;
		else
			message.told.other = address("2001:db8::3");
		fill(message.told.table.name, PROTO_NAME_MAX);
		fill(message.told.table.version, PROTO_NAME_MAX);
		break;
	default:
		message.report.session = session;
		message.report.status = status_largest();
		break;
	}
	if (version > PROTO_VERSION_1)
		add_largest_fields(&message);
	return message;
}

/* Every field of a parsed message is written by the parser, so whole structs can be compared. */
static void check_round_trip(const struct proto_message *message)
{
	uint8_t bytes[PROTO_MESSAGE_MAX], again[PROTO_MESSAGE_MAX];
	struct proto_message parsed;
	enum proto_type type;
	int size = proto_write(message, bytes);

	assert_true(size > 0 && size <= (int)PROTO_MESSAGE_MAX);
	assert_int_equal(proto_peek_type(bytes, (size_t)size, &type), PROTO_OK);
	assert_int_equal(type, message->type);
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_OK);
	assert_int_equal(proto_write(&parsed, again), size);
	assert_memory_equal(bytes, again, (size_t)size);
	assert_memory_equal(&parsed, message, sizeof(parsed));
}

static void proto_keeps_the_smallest_of_every_type(void **state)
{
	EACH(version, type)
	{
		struct proto_message message = smallest(version, type);

		check_round_trip(&message);
	}
}

static void proto_keeps_the_largest_of_every_type(void **state)
{
	EACH(version, type)
	{
		struct proto_message message = largest(version, type);

		check_round_trip(&message);
	}
}

static void proto_challenge_is_never_larger_than_a_hello(void **state)
{
	struct proto_message hello = { .version = PROTO_VERSION_1, .type = PROTO_HELLO };
	struct proto_message challenge = smallest(PROTO_VERSION_1, PROTO_CHALLENGE);
	uint8_t bytes[PROTO_MESSAGE_MAX];
	int challenge_size = proto_write(&challenge, bytes);

	assert_int_equal(challenge_size, PROTO_CHALLENGE_BYTES);
	for (size_t length = 1; length <= PROTO_KEY_ID_MAX; length++) {
		fill(hello.hello.key_id, length);
		assert_true(proto_write(&hello, bytes) >= challenge_size);
		check_round_trip(&hello);
	}
}

/* A short HELLO would be an amplifier, however well the rest is formed. */
static void proto_refuses_hello_without_its_padding(void **state)
{
	struct proto_message hello = smallest(PROTO_VERSION_1, PROTO_HELLO), parsed;
	uint8_t bytes[PROTO_MESSAGE_MAX];
	int size = proto_write(&hello, bytes);

	for (int shorter = size - 1; shorter >= 0; shorter--)
		assert_int_not_equal(proto_parse(bytes, (size_t)shorter, &parsed), PROTO_OK);
}

/* A whole field may be missing, and then what is left is another message, of another tag. */
static void check_cut(const uint8_t *bytes, size_t cut, unsigned int version)
{
	uint8_t again[PROTO_MESSAGE_MAX];
	struct proto_message parsed;
	enum proto_error error = proto_parse(bytes, cut, &parsed);

	if (cut < HEADER + PROTO_TAG_BYTES) {
		assert_int_equal(error, PROTO_ERROR_SHORT);
	} else if (version > PROTO_VERSION_1 && error == PROTO_OK) {
		assert_int_equal(proto_write(&parsed, again), cut);
		assert_memory_equal(bytes, again, cut - PROTO_TAG_BYTES);
	} else {
		assert_true(error == PROTO_ERROR_TRUNCATED || error == PROTO_ERROR_VALUE);
	}
}

static void proto_refuses_every_truncation_of_every_type(void **state)
{
	EACH(version, type)
	{
		struct proto_message message = largest(version, type);
		uint8_t bytes[PROTO_MESSAGE_MAX];
		int size = proto_write(&message, bytes);

		for (size_t cut = 0; cut < (size_t)size; cut++) {
			/* Exactly so many bytes on the heap: a sanitizer sees one byte too far. */
			_cleanup_free_ uint8_t *exact = malloc(cut ? cut : 1);

			memcpy(exact, bytes, cut);
			check_cut(exact, cut, version);
		}
	}
}

static void proto_refuses_one_byte_more_on_every_type(void **state)
{
	EACH(version, type)
	{
		struct proto_message message = smallest(version, type), parsed;
		uint8_t bytes[PROTO_MESSAGE_MAX + 1] = { 0 };
		int size = proto_write(&message, bytes);

		enum proto_error error = proto_parse(bytes, (size_t)size + 1, &parsed);

		/* Where fields may follow it is the begin of one. */
		if (version == PROTO_VERSION_1)
			assert_int_equal(error, PROTO_ERROR_LONG);
		else
			assert_int_not_equal(error, PROTO_OK);
	}
}

/* What a flipped bit leaves legal must still have one encoding only: the flipped bytes. */
static void proto_survives_every_flipped_bit(void **state)
{
	EACH(version, type)
	{
		struct proto_message message = largest(version, type), parsed;
		uint8_t bytes[PROTO_MESSAGE_MAX], again[PROTO_MESSAGE_MAX];
		int size = proto_write(&message, bytes);

		for (size_t bit = 0; bit < (size_t)size * 8; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			if (proto_parse(bytes, (size_t)size, &parsed) == PROTO_OK) {
				assert_int_equal(proto_write(&parsed, again), size);
				assert_memory_equal(bytes, again, (size_t)size - PROTO_TAG_BYTES);
			}
			bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
	}
}

static enum proto_error parse_changed(enum proto_type type, size_t offset, uint8_t value)
{
	struct proto_message message = smallest(PROTO_VERSION_1, type), parsed;
	uint8_t bytes[PROTO_MESSAGE_MAX];
	int size = proto_write(&message, bytes);

	assert_true(offset < (size_t)size);
	bytes[offset] = value;
	return proto_parse(bytes, (size_t)size, &parsed);
}

static void proto_names_what_is_wrong_with_a_header(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX + 1] = { 0 };
	struct proto_message parsed;

	assert_int_equal(proto_parse(bytes, 0, &parsed), PROTO_ERROR_SHORT);
	assert_int_equal(
		proto_parse(bytes, HEADER + PROTO_TAG_BYTES - 1, &parsed), PROTO_ERROR_SHORT);
	assert_int_equal(proto_parse(bytes, PROTO_MESSAGE_MAX, &parsed), PROTO_ERROR_MAGIC);
	assert_int_equal(proto_parse(bytes, PROTO_MESSAGE_MAX + 1, &parsed), PROTO_ERROR_LONG);
	assert_int_equal(parse_changed(PROTO_ACK, 0, 0), PROTO_ERROR_MAGIC);
	assert_int_equal(parse_changed(PROTO_ACK, 4, 0), PROTO_ERROR_VERSION);
	assert_int_equal(parse_changed(PROTO_ACK, 4, PROTO_VERSION + 1), PROTO_ERROR_VERSION);
	assert_int_equal(parse_changed(PROTO_ACK, 5, 0), PROTO_ERROR_TYPE);
	assert_int_equal(parse_changed(PROTO_ACK, 5, PROTO_TYPE_N_), PROTO_ERROR_TYPE);
	assert_int_equal(parse_changed(PROTO_ACK, 5, PROTO_SERVE), PROTO_ERROR_TYPE);
	assert_int_equal(parse_changed(PROTO_ACK, 7, 1), PROTO_ERROR_VALUE);
}

static void proto_refuses_values_out_of_range(void **state)
{
	const size_t session = HEADER, sequence = HEADER + 8, echo = HEADER + 16;
	const size_t body = HEADER + 24; /* of a report */
	const size_t accept = HEADER + 2 * PROTO_NONCE_BYTES;
	const struct {
		enum proto_type type;
		uint8_t value;
		size_t offset;
	} cases[] = {
		{ PROTO_HELLO, 0, HEADER + PROTO_NONCE_BYTES },       /* empty key ID */
		{ PROTO_HELLO, 33, HEADER + PROTO_NONCE_BYTES },      /* over-long key ID */
		{ PROTO_HELLO, ' ', HEADER + PROTO_NONCE_BYTES + 1 }, /* no word */
		{ PROTO_HELLO, 0, HEADER + PROTO_NONCE_BYTES + 1 },   /* early NUL */
		{ PROTO_HELLO, 1, HEADER + PROTO_NONCE_BYTES + 2 },   /* padding */
		{ PROTO_HELLO, 1, PROTO_CHALLENGE_BYTES - 1 },        /* tag of a HELLO */
		{ PROTO_CHALLENGE, 1, PROTO_CHALLENGE_BYTES - 1 },    /* of a CHALLENGE */
		{ PROTO_ACCEPT, 0, accept + 7 },                      /* session 0 */
		{ PROTO_ACCEPT, 0, accept + 23 },                     /* sequence 0 */
		{ PROTO_ACCEPT, 0, accept + 26 },                     /* interval too short */
		{ PROTO_ACCEPT, 0xff, accept + 24 },                  /* too long */
		{ PROTO_ACCEPT, 0, accept + 28 },                     /* multiplier */
		{ PROTO_ACCEPT, PROTO_MULTIPLIER_MAX + 1, accept + 28 },
		{ PROTO_REJECT, PROTO_REJECT_N_, accept }, { PROTO_HEARTBEAT, 0, session + 7 },
		{ PROTO_HEARTBEAT, 0, sequence + 7 },
		{ PROTO_HEARTBEAT, 1, echo + 7 }, /* echoes nothing */
		{ PROTO_ACK, 0, echo + 7 }, { PROTO_LEAVE, 0, echo + 7 },
		{ PROTO_ANSWER, 0, echo + 7 }, { PROTO_ANSWER, PROTO_STATE_N_, body },
		{ PROTO_ANSWER, PROTO_STATE_DOWN, body }, /* without a reason */
		{ PROTO_ANSWER, PROTO_REASON_MAX + 1, body + 3 },
		{ PROTO_ANSWER, PROTO_VIPS_WHOLE + 1, body + 4 },
		{ PROTO_ANSWER, 0x04, body + 5 },    /* unknown flag */
		{ PROTO_REGISTER, 5, accept + 6 },   /* no address family */
		{ PROTO_REGISTER, 224, accept + 7 }, /* multicast real IP */
		{ PROTO_REGISTER, 0, accept + 16 },  /* MAC of zeros */
		{ PROTO_REGISTER, 1, accept + 11 },  /* group MAC */
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases))
		assert_int_equal(
			parse_changed(item->type, item->offset, item->value), PROTO_ERROR_VALUE);
}

static void proto_refuses_to_write_what_it_would_not_read(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message message = smallest(PROTO_VERSION_1, PROTO_REGISTER);

	message.reg.status.n_vips = 2;
	message.reg.vips[1] = message.reg.vips[0];
	assert_int_equal(proto_write(&message, bytes), -EINVAL); /* one VIP twice */
	message.reg.vips[1] = address("127.0.0.1");
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.reg.vips[1] = address("198.51.100.11");
	assert_true(proto_write(&message, bytes) > 0);
	snprintf(message.reg.status.reason, sizeof(message.reg.status.reason), "%s", "\033[2J");
	assert_int_equal(proto_write(&message, bytes), -EINVAL); /* a terminal's control */
	message = smallest(PROTO_VERSION_1, PROTO_REGISTER);
	message.reg.status.n_vips = PROTO_VIPS_WHOLE + 1;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.reg.status.n_vips = 0;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = (struct proto_message){ .version = PROTO_VERSION_1, .type = PROTO_TYPE_N_ };
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = smallest(PROTO_VERSION_1, PROTO_HELLO);
	memset(message.hello.key_id, 'x', sizeof(message.hello.key_id)); /* no end */
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

/* ---- version 2 ---- */

/* An ANSWER of version 2 without fields, with these bytes where fields stand. */
static enum proto_error parse_fields(enum proto_type type, const uint8_t *fields, size_t size_bytes)
{
	struct proto_message message = smallest(PROTO_VERSION, type), parsed;
	uint8_t bytes[PROTO_MESSAGE_MAX] = { 0 };
	size_t size = (size_t)proto_write(&message, bytes);

	memcpy(bytes + size - PROTO_TAG_BYTES, fields, size_bytes);
	return proto_parse(bytes, size + size_bytes, &parsed);
}

static void proto_has_one_list_of_fields(void **state)
{
	static const struct {
		enum proto_type type;
		enum proto_error error;
		size_t size_bytes;
		uint8_t bytes[24];
	} cases[] = {
		{ PROTO_ANSWER, PROTO_OK, 7, { 1, 0, 4, 0, 0, 0, 9 } },
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 7, { 1, 0, 4, 0, 0, 0, 0 } }, /* says nothing */
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 8, { 1, 0, 5, 0, 0, 0, 9, 0 } }, /* too long */
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 6, { 1, 0, 3, 0, 0, 9 } },
		{ PROTO_ANSWER, PROTO_ERROR_TRUNCATED, 6, { 1, 0, 4, 0, 0, 9 } },
		{ PROTO_ANSWER, PROTO_ERROR_TRUNCATED, 2, { 1, 0 } },
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 3, { 0, 0, 0 } },
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 3, { 99, 0, 0 } },     /* unknown */
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 4, { 5, 0, 1, 'x' } }, /* an ACCEPT's */
		{ PROTO_ANSWER, PROTO_ERROR_VALUE, 14,                    /* twice */
			{ 1, 0, 4, 0, 0, 0, 9, 1, 0, 4, 0, 0, 0, 9 } },
		{ PROTO_ANSWER, PROTO_OK, 13, { 2, 0, 10, 0, 0, 0, 1, 1, 3, 0, 0, 0, 1 } },
		{ PROTO_ANSWER, PROTO_OK, 20, /* both */
			{ 1, 0, 4, 0, 0, 0, 9, 2, 0, 10, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0 } },
		{ PROTO_HEARTBEAT, PROTO_ERROR_VALUE, 7, { 1, 0, 4, 0, 0, 0, 9 } },
		{ PROTO_ACCEPT, PROTO_OK, 5, { 5, 0, 2, 'l', 'b' } },
		{ PROTO_ACCEPT, PROTO_ERROR_VALUE, 5, { 5, 0, 2, '-', 'b' } },
		{ PROTO_ACCEPT, PROTO_ERROR_VALUE, 3, { 5, 0, 0 } },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases))
		assert_int_equal(
			parse_fields(item->type, item->bytes, item->size_bytes), item->error);
}

static void proto_writes_no_field_into_version_1(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message message = smallest(PROTO_VERSION_1, PROTO_ANSWER);

	message.report.status.max_connections = 1;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = smallest(PROTO_VERSION_1, PROTO_UPDATE);
	message.report.ports = ports_largest();
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = smallest(PROTO_VERSION_1, PROTO_UPDATE);
	message.report.other.address = address("192.0.2.3");
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = smallest(PROTO_VERSION_1, PROTO_ACCEPT);
	message.accept.name[0] = 'l';
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = smallest(PROTO_VERSION + 1, PROTO_ACCEPT);
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

/* What programs of version 1 wrote, kept as they wrote it: all of it is read, and written again to the byte. */
static void proto_reads_and_writes_what_version_1_wrote(void **state)
{
	DIR *folder = opendir("tests/fuzz/corpus/fuzz_proto");
	unsigned int n_read = 0;

	assert_non_null(folder);
	for (const struct dirent *item; (item = readdir(folder));) {
		uint8_t bytes[PROTO_MESSAGE_MAX], again[PROTO_MESSAGE_MAX];
		struct proto_message message;
		char path[512];
		FILE *file;
		size_t size;

		if (item->d_name[0] == '.' || item->d_name[0] == 'v')
			continue;
		snprintf(path, sizeof(path), "tests/fuzz/corpus/fuzz_proto/%s", item->d_name);
		file = fopen(path, "re");
		assert_non_null(file);
		size = fread(bytes, 1, sizeof(bytes), file);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(proto_parse(bytes, size, &message), PROTO_OK);
		assert_int_equal(message.version, PROTO_VERSION_1);
		assert_int_equal(proto_write(&message, again), size);
		assert_memory_equal(again, bytes, size - PROTO_TAG_BYTES);
		n_read++;
	}
	assert_int_equal(closedir(folder), 0);
	assert_int_equal(n_read, 2 * (PROTO_SERVE - 1));
}

static void proto_peeks_at_sessions_only(void **state)
{
	EACH(version, type)
	{
		struct proto_message message = largest(version, type);
		uint8_t bytes[PROTO_MESSAGE_MAX];
		size_t size = (size_t)proto_write(&message, bytes);

		assert_true(proto_peek_session(bytes, size) ==
			(type >= PROTO_HEARTBEAT && type != PROTO_PART ? UINT64_MAX : 0));
		assert_true(proto_peek_session(bytes, HEADER + PROTO_TAG_BYTES + 7) == 0);
	}
}

static void proto_leaves_the_result_alone_on_error(void **state)
{
	struct proto_message parsed, before;

	memset(&parsed, 0x77, sizeof(parsed));
	memcpy(&before, &parsed, sizeof(before));
	assert_int_equal(proto_parse("DSRP", 4, &parsed), PROTO_ERROR_SHORT);
	assert_memory_equal(&parsed, &before, sizeof(parsed));
}

static void proto_judges_names(void **state)
{
	char name[PROTO_NAME_MAX + 2];

	assert_true(proto_name_is_valid("web-1.example_x"));
	assert_false(proto_name_is_valid(""));
	assert_false(proto_name_is_valid("-web"));
	assert_false(proto_name_is_valid("we b"));
	assert_false(proto_name_is_valid("w\xc3\xa4"));
	fill(name, PROTO_NAME_MAX);
	assert_true(proto_name_is_valid(name));
	fill(name, PROTO_NAME_MAX + 1);
	assert_false(proto_name_is_valid(name));
	assert_true(proto_key_id_is_valid(name + PROTO_NAME_MAX + 1 - PROTO_KEY_ID_MAX));
	assert_false(proto_key_id_is_valid(name + PROTO_NAME_MAX - PROTO_KEY_ID_MAX));
}

static void proto_names_everything(void **state)
{
	for (unsigned int i = 0; i < PROTO_STATE_N_; i++)
		assert_string_not_equal(proto_state_name(i), "unknown");
	for (unsigned int i = 0; i < PROTO_REJECT_N_; i++)
		assert_string_not_equal(proto_reject_name(i), "unknown");
	assert_string_equal(proto_state_name(PROTO_STATE_N_), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proto_keeps_the_smallest_of_every_type),
		cmocka_unit_test(proto_keeps_the_largest_of_every_type),
		cmocka_unit_test(proto_challenge_is_never_larger_than_a_hello),
		cmocka_unit_test(proto_refuses_hello_without_its_padding),
		cmocka_unit_test(proto_refuses_every_truncation_of_every_type),
		cmocka_unit_test(proto_refuses_one_byte_more_on_every_type),
		cmocka_unit_test(proto_survives_every_flipped_bit),
		cmocka_unit_test(proto_names_what_is_wrong_with_a_header),
		cmocka_unit_test(proto_refuses_values_out_of_range),
		cmocka_unit_test(proto_refuses_to_write_what_it_would_not_read),
		cmocka_unit_test(proto_has_one_list_of_fields),
		cmocka_unit_test(proto_writes_no_field_into_version_1),
		cmocka_unit_test(proto_reads_and_writes_what_version_1_wrote),
		cmocka_unit_test(proto_peeks_at_sessions_only),
		cmocka_unit_test(proto_leaves_the_result_alone_on_error),
		cmocka_unit_test(proto_judges_names),
		cmocka_unit_test(proto_names_everything),
	};

	return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}
