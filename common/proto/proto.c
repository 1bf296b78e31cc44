/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages <-> bytes. One parser reads straight down and is asked once at the end;
 * one validator, message_is_valid(), serves both directions, so that whatever can be written
 * can be read and the encoding of a message is unique (proto_parse then proto_write gives the
 * same bytes but for the tag). Knows no key, clock or socket.
 */
#include "common/proto/proto.h"

#include "common/proto/fields.h"
#include "common/proto/peers.h"
#include "common/proto/table.h"
#include "common/proto/vips.h"
#include "common/proto/wire.h"

#include <assert.h>

#define MAGIC 0x44535250u /* "DSRP" */

#define STATUS_BYTES(vips_bytes) (1 + 2 + WIRE_STRING_BYTES(PROTO_REASON_MAX) + (vips_bytes))
#define REGISTER_BYTES_MAX \
	(PROTO_HEADER_BYTES + 2 * PROTO_NONCE_BYTES + WIRE_STRING_BYTES(PROTO_KEY_ID_MAX) + \
		2 * WIRE_STRING_BYTES(PROTO_NAME_MAX) + WIRE_ADDR_BYTES_MAX + MAC_LEN + \
		STATUS_BYTES(VIPS_WHOLE_BYTES_MAX) + PROTO_VIPS_WHOLE * WIRE_ADDR_BYTES_MAX + \
		FIELDS_LIMIT_BYTES + FIELDS_PEERS_BYTES + PROTO_TAG_BYTES)
#define SESSION_BYTES (PROTO_HEADER_BYTES + 3 * sizeof(uint64_t))
#define REPORT_BYTES_MAX \
	(SESSION_BYTES + STATUS_BYTES(VIPS_MANY_BYTES_MAX) + FIELDS_REPORT_BYTES_MAX + \
		PROTO_TAG_BYTES)
#define SERVE_BYTES_MAX (SESSION_BYTES + FIELDS_SERVE_BYTES_MAX + PROTO_TAG_BYTES)
_Static_assert(REGISTER_BYTES_MAX <= PROTO_MESSAGE_MAX, "the largest REGISTER must fit");
_Static_assert(REPORT_BYTES_MAX <= PROTO_MESSAGE_MAX, "the largest ANSWER must fit");
_Static_assert(SESSION_BYTES + TABLE_BYTES_MAX + PROTO_TAG_BYTES <= PROTO_MESSAGE_MAX,
	"the largest RELAY must fit");
_Static_assert(SESSION_BYTES + PEERS_BYTES_MAX + PROTO_TAG_BYTES <= PROTO_MESSAGE_MAX,
	"the largest PEERS must fit");
_Static_assert(SERVE_BYTES_MAX <= PROTO_MESSAGE_MAX, "the largest SERVE must fit");
_Static_assert(PROTO_HEADER_BYTES + VIPS_PART_BYTES_MAX + PROTO_TAG_BYTES <= PROTO_MESSAGE_MAX,
	"the largest PART must fit");

static const char *const state_names[] = {
	[PROTO_STATE_UP] = "up",
	[PROTO_STATE_DRAIN] = "drain",
	[PROTO_STATE_MAINT] = "maint",
	[PROTO_STATE_DOWN] = "down",
};
_Static_assert(ARRAY_LEN(state_names) == PROTO_STATE_N_, "a name for every state");

static const char *const reject_names[] = {
	[PROTO_REJECT_VERSION] = "version",
	[PROTO_REJECT_NOT_ALLOWED] = "not-allowed",
	[PROTO_REJECT_KEY_BINDING] = "key-binding",
	[PROTO_REJECT_NO_VIP] = "no-vip",
	[PROTO_REJECT_CLONE] = "clone",
	[PROTO_REJECT_ADDRESS] = "address",
	[PROTO_REJECT_FULL] = "full",
	[PROTO_REJECT_ADMIN] = "admin",
	[PROTO_REJECT_MAC] = "mac",
};
_Static_assert(ARRAY_LEN(reject_names) == PROTO_REJECT_N_, "a name for every code");

static const char *name_of(const char *const *names, size_t len, unsigned int idx)
{
	return idx < len && names[idx] ? names[idx] : "unknown";
}

const char *proto_state_name(enum proto_state state)
{
	return name_of(state_names, ARRAY_LEN(state_names), state);
}

const char *proto_reject_name(enum proto_reject code)
{
	return name_of(reject_names, ARRAY_LEN(reject_names), code);
}

void proto_named_mac(uint64_t boot_id, uint8_t ret_named_mac[PROTO_NAMED_MAC_BYTES])
{
	uint64_t fold = boot_id ^ boot_id >> 24 ^ boot_id >> 48;

	ret_named_mac[0] = PROTO_NAMED_MAC_FIRST;
	for (unsigned int i = 1; i < PROTO_NAMED_MAC_BYTES; i++, fold >>= 8)
		ret_named_mac[i] = (uint8_t)fold;
}

/* ---- what is legal, in both directions ---- */

bool proto_name_is_valid(const char *name)
{
	return wire_word_is_valid(name, PROTO_NAME_MAX);
}

bool proto_key_id_is_valid(const char *id)
{
	return wire_word_is_valid(id, PROTO_KEY_ID_MAX);
}

static bool status_is_valid(const struct proto_status *status, unsigned int version)
{
	if (status->state >= PROTO_STATE_N_ || !vips_status_is_valid(status, version))
		return false;
	if (!wire_text_is_valid(status->reason, PROTO_REASON_MAX))
		return false;
	/* A state that is not `up` always carries a reason in words. */
	return status->state == PROTO_STATE_UP || status->reason[0] != '\0';
}

static bool register_is_valid(const struct proto_register *reg, unsigned int version)
{
	size_t n_vips = vips_are_many(reg->status.n_vips) ? 0 : reg->status.n_vips;

	return proto_key_id_is_valid(reg->key_id) && proto_name_is_valid(reg->name) &&
		wire_text_is_valid(reg->version, PROTO_NAME_MAX) && reg->version[0] != '\0' &&
		addr_is_unicast(&reg->real_ip) && wire_mac_is_host(&reg->mac) &&
		status_is_valid(&reg->status, version) && vips_are_valid(reg->vips, n_vips);
}

static bool accept_is_valid(const struct proto_accept *accept)
{
	return accept->session_id != 0 && accept->sequence != 0 &&
		accept->interval_us >= PROTO_INTERVAL_MIN_US &&
		accept->interval_us <= PROTO_INTERVAL_MAX_US && accept->multiplier >= 1 &&
		accept->multiplier <= PROTO_MULTIPLIER_MAX;
}

static bool session_is_valid(const struct proto_session *session, enum proto_type type)
{
	if (session->session_id == 0 || session->sequence == 0)
		return false;
	/* What a balancer says by itself acknowledges nothing; everything else names what it answers. */
	return (type == PROTO_HEARTBEAT || type == PROTO_SERVE || type == PROTO_TABLE ||
		       type == PROTO_PEERS) == (session->echo == 0);
}

static bool body_is_valid(const struct proto_message *message)
{
	switch (message->type) {
	case PROTO_HELLO:
		return proto_key_id_is_valid(message->hello.key_id);
	case PROTO_CHALLENGE:
		return true;
	case PROTO_REGISTER:
		return register_is_valid(&message->reg, message->version);
	case PROTO_ACCEPT:
		return accept_is_valid(&message->accept);
	case PROTO_REJECT:
		return message->rejected.code < PROTO_REJECT_N_ &&
			wire_text_is_valid(message->rejected.reason, PROTO_REASON_MAX);
	case PROTO_HEARTBEAT:
	case PROTO_LEAVE:
	case PROTO_ACK:
		return session_is_valid(&message->session, message->type);
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		return session_is_valid(&message->report.session, message->type) &&
			status_is_valid(&message->report.status, message->version);
	case PROTO_SERVE:
		return message->version >= PROTO_VERSION_SERVE &&
			session_is_valid(&message->serve.session, message->type) &&
			fields_serve_is_valid(&message->serve, message->version);
	case PROTO_TABLE:
	case PROTO_RELAY:
		return message->version >= PROTO_VERSION_TABLE &&
			session_is_valid(&message->told.session, message->type) &&
			table_told_is_valid(&message->told, message->type == PROTO_RELAY);
	case PROTO_PEERS:
		return message->version >= PROTO_VERSION_PEERS &&
			session_is_valid(&message->peers.session, message->type) &&
			peers_are_valid(&message->peers);
	case PROTO_PART:
		return message->version >= PROTO_VERSION_VIPS && vips_part_is_valid(&message->part);
	case PROTO_TYPE_N_:
		break;
	}
	return false;
}

static bool version_is_known(unsigned int version)
{
	return version >= PROTO_VERSION_1 && version <= PROTO_VERSION;
}

static bool message_is_valid(const struct proto_message *message)
{
	return version_is_known(message->version) && body_is_valid(message) &&
		fields_are_valid(message);
}

/* The handshake's first two messages, and those that later versions added, are as they are. */
static bool has_fields(const struct proto_message *message)
{
	return message->version > PROTO_VERSION_1 && message->type >= PROTO_REGISTER &&
		message->type < PROTO_SERVE;
}

/* ---- bytes -> message ---- */

static void get_zeros(struct wire_parser *parser, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		if (cursor_get_u8(&parser->reader) != 0)
			wire_mark_bad(parser);
}

static void get_status(struct wire_parser *parser, struct proto_status *ret_status)
{
	ret_status->state = cursor_get_u8(&parser->reader);
	ret_status->weight = cursor_get_u16(&parser->reader);
	wire_get_string(parser, ret_status->reason, PROTO_REASON_MAX);
	vips_get_status(parser, ret_status);
}

static void get_nonces(struct wire_parser *parser, uint8_t *ret_agent, uint8_t *ret_balancer)
{
	cursor_get(&parser->reader, ret_agent, PROTO_NONCE_BYTES);
	cursor_get(&parser->reader, ret_balancer, PROTO_NONCE_BYTES);
}

/* The padding makes the HELLO as large as its answer: nobody can be flooded by way of us. */
static void get_hello(struct wire_parser *parser, struct proto_hello *ret_hello)
{
	size_t body = PROTO_CHALLENGE_BYTES - PROTO_HEADER_BYTES - PROTO_TAG_BYTES;
	size_t used;

	cursor_get(&parser->reader, ret_hello->nonce_agent, PROTO_NONCE_BYTES);
	wire_get_string(parser, ret_hello->key_id, PROTO_KEY_ID_MAX);
	used = PROTO_NONCE_BYTES + WIRE_STRING_BYTES(strlen(ret_hello->key_id));
	if (used < body)
		get_zeros(parser, body - used);
}

static void get_register(struct wire_parser *parser, struct proto_register *ret_reg)
{
	get_nonces(parser, ret_reg->nonce_agent, ret_reg->nonce_balancer);
	wire_get_string(parser, ret_reg->key_id, PROTO_KEY_ID_MAX);
	wire_get_string(parser, ret_reg->name, PROTO_NAME_MAX);
	wire_get_string(parser, ret_reg->version, PROTO_NAME_MAX);
	wire_get_addr(parser, &ret_reg->real_ip);
	cursor_get(&parser->reader, ret_reg->mac.bytes, MAC_LEN);
	get_status(parser, &ret_reg->status);
	if (!vips_are_many(ret_reg->status.n_vips))
		for (size_t i = 0; i < ret_reg->status.n_vips; i++)
			wire_get_addr(parser, &ret_reg->vips[i]);
}

static void get_accept(struct wire_parser *parser, struct proto_accept *ret_accept)
{
	get_nonces(parser, ret_accept->nonce_agent, ret_accept->nonce_balancer);
	ret_accept->session_id = cursor_get_u64(&parser->reader);
	ret_accept->boot_id = cursor_get_u64(&parser->reader);
	ret_accept->sequence = cursor_get_u64(&parser->reader);
	ret_accept->interval_us = cursor_get_u32(&parser->reader);
	ret_accept->multiplier = cursor_get_u8(&parser->reader);
}

static void get_rejected(struct wire_parser *parser, struct proto_rejected *ret_rejected)
{
	get_nonces(parser, ret_rejected->nonce_agent, ret_rejected->nonce_balancer);
	ret_rejected->code = cursor_get_u8(&parser->reader);
	wire_get_string(parser, ret_rejected->reason, PROTO_REASON_MAX);
}

static void get_session(struct wire_parser *parser, struct proto_session *ret_session)
{
	ret_session->session_id = cursor_get_u64(&parser->reader);
	ret_session->sequence = cursor_get_u64(&parser->reader);
	ret_session->echo = cursor_get_u64(&parser->reader);
}

static void get_body(struct wire_parser *parser, struct proto_message *message)
{
	switch (message->type) {
	case PROTO_HELLO:
		get_hello(parser, &message->hello);
		break;
	case PROTO_CHALLENGE:
		get_nonces(
			parser, message->challenge.nonce_agent, message->challenge.nonce_balancer);
		break;
	case PROTO_REGISTER:
		get_register(parser, &message->reg);
		break;
	case PROTO_ACCEPT:
		get_accept(parser, &message->accept);
		break;
	case PROTO_REJECT:
		get_rejected(parser, &message->rejected);
		break;
	case PROTO_HEARTBEAT:
	case PROTO_LEAVE:
	case PROTO_ACK:
		get_session(parser, &message->session);
		break;
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		get_session(parser, &message->report.session);
		get_status(parser, &message->report.status);
		break;
	case PROTO_SERVE:
		get_session(parser, &message->serve.session);
		fields_get_serve(parser, message->version, &message->serve);
		break;
	case PROTO_TABLE:
	case PROTO_RELAY:
		get_session(parser, &message->told.session);
		table_get(parser, message->type == PROTO_RELAY, &message->told);
		break;
	case PROTO_PEERS:
		get_session(parser, &message->peers.session);
		peers_get(parser, &message->peers);
		break;
	case PROTO_PART:
		vips_get_part(parser, &message->part);
		break;
	case PROTO_TYPE_N_:
		break;
	}
}

static enum proto_error peek(
	const void *data, size_t size_bytes, unsigned int *ret_version, enum proto_type *ret_type)
{
	struct cursor_reader reader = cursor_reader_make(data, size_bytes);
	uint32_t magic;
	uint8_t version, type;

	if (size_bytes < PROTO_HEADER_BYTES + PROTO_TAG_BYTES)
		return PROTO_ERROR_SHORT;
	if (size_bytes > PROTO_MESSAGE_MAX)
		return PROTO_ERROR_LONG;
	magic = cursor_get_u32(&reader);
	version = cursor_get_u8(&reader);
	type = cursor_get_u8(&reader);
	if (magic != MAGIC)
		return PROTO_ERROR_MAGIC;
	if (!version_is_known(version))
		return PROTO_ERROR_VERSION;
	if (type < PROTO_HELLO || type >= PROTO_TYPE_N_ ||
		(type == PROTO_SERVE && version < PROTO_VERSION_SERVE) ||
		(type > PROTO_SERVE && version < PROTO_VERSION_TABLE) ||
		(type > PROTO_RELAY && version < PROTO_VERSION_PEERS) ||
		(type > PROTO_PEERS && version < PROTO_VERSION_VIPS))
		return PROTO_ERROR_TYPE;
	if (cursor_get_u16(&reader) != 0) /* reserved */
		return PROTO_ERROR_VALUE;
	*ret_version = version;
	*ret_type = type;
	return PROTO_OK;
}

enum proto_error proto_peek_type(const void *data, size_t size_bytes, enum proto_type *ret_type)
{
	unsigned int version;

	return peek(data, size_bytes, &version, ret_type);
}

uint64_t proto_peek_session(const void *data, size_t size_bytes)
{
	enum proto_type type;
	uint64_t session_id;

	if (proto_peek_type(data, size_bytes, &type) != PROTO_OK || type < PROTO_HEARTBEAT ||
		type == PROTO_PART ||
		size_bytes < PROTO_HEADER_BYTES + sizeof(session_id) + PROTO_TAG_BYTES)
		return 0;
	memcpy(&session_id, (const uint8_t *)data + PROTO_HEADER_BYTES, sizeof(session_id));
	return be64toh(session_id);
}

static bool tag_is_zero(const uint8_t *data, size_t size_bytes)
{
	static const uint8_t zeros[PROTO_TAG_BYTES];

	return memcmp(data + size_bytes - PROTO_TAG_BYTES, zeros, sizeof(zeros)) == 0;
}

enum proto_error proto_parse(const void *data, size_t size_bytes, struct proto_message *ret_message)
{
	struct proto_message message = { 0 };
	struct wire_parser parser = { 0 };
	enum proto_error error;

	error = peek(data, size_bytes, &message.version, &message.type);
	if (error != PROTO_OK)
		return error;
	parser.reader = cursor_reader_make((const uint8_t *)data + PROTO_HEADER_BYTES,
		size_bytes - PROTO_HEADER_BYTES - PROTO_TAG_BYTES);
	get_body(&parser, &message);
	if (has_fields(&message))
		fields_get(&parser, &message);
	if (parser.bad)
		return PROTO_ERROR_VALUE;
	if (parser.reader.failed)
		return PROTO_ERROR_TRUNCATED;
	if (cursor_left(&parser.reader) > 0)
		return PROTO_ERROR_LONG;
	if (message.type <= PROTO_CHALLENGE && !tag_is_zero(data, size_bytes))
		return PROTO_ERROR_VALUE;
	if (!message_is_valid(&message))
		return PROTO_ERROR_VALUE;
	*ret_message = message;
	return PROTO_OK;
}

/* ---- message -> bytes; everything was validated before the first byte is written ---- */

static void put_zeros(struct cursor_writer *writer, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		cursor_put_u8(writer, 0);
}

static void put_status(struct cursor_writer *writer, const struct proto_status *status)
{
	cursor_put_u8(writer, (uint8_t)status->state);
	cursor_put_u16(writer, status->weight);
	wire_put_string(writer, status->reason);
	vips_put_status(writer, status);
}

static void put_nonces(struct cursor_writer *writer, const uint8_t *agent, const uint8_t *balancer)
{
	cursor_put(writer, agent, PROTO_NONCE_BYTES);
	cursor_put(writer, balancer, PROTO_NONCE_BYTES);
}

static void put_hello(struct cursor_writer *writer, const struct proto_hello *hello)
{
	size_t body = PROTO_CHALLENGE_BYTES - PROTO_HEADER_BYTES - PROTO_TAG_BYTES;
	size_t used = PROTO_NONCE_BYTES + WIRE_STRING_BYTES(strlen(hello->key_id));

	cursor_put(writer, hello->nonce_agent, PROTO_NONCE_BYTES);
	wire_put_string(writer, hello->key_id);
	if (used < body)
		put_zeros(writer, body - used);
}

static void put_register(struct cursor_writer *writer, const struct proto_register *reg)
{
	put_nonces(writer, reg->nonce_agent, reg->nonce_balancer);
	wire_put_string(writer, reg->key_id);
	wire_put_string(writer, reg->name);
	wire_put_string(writer, reg->version);
	wire_put_addr(writer, &reg->real_ip);
	cursor_put(writer, reg->mac.bytes, MAC_LEN);
	put_status(writer, &reg->status);
	if (!vips_are_many(reg->status.n_vips))
		for (size_t i = 0; i < reg->status.n_vips; i++)
			wire_put_addr(writer, &reg->vips[i]);
}

static void put_accept(struct cursor_writer *writer, const struct proto_accept *accept)
{
	put_nonces(writer, accept->nonce_agent, accept->nonce_balancer);
	cursor_put_u64(writer, accept->session_id);
	cursor_put_u64(writer, accept->boot_id);
	cursor_put_u64(writer, accept->sequence);
	cursor_put_u32(writer, accept->interval_us);
	cursor_put_u8(writer, accept->multiplier);
}

static void put_rejected(struct cursor_writer *writer, const struct proto_rejected *rejected)
{
	put_nonces(writer, rejected->nonce_agent, rejected->nonce_balancer);
	cursor_put_u8(writer, (uint8_t)rejected->code);
	wire_put_string(writer, rejected->reason);
}

static void put_session(struct cursor_writer *writer, const struct proto_session *session)
{
	cursor_put_u64(writer, session->session_id);
	cursor_put_u64(writer, session->sequence);
	cursor_put_u64(writer, session->echo);
}

static void put_body(struct cursor_writer *writer, const struct proto_message *message)
{
	switch (message->type) {
	case PROTO_HELLO:
		put_hello(writer, &message->hello);
		break;
	case PROTO_CHALLENGE:
		put_nonces(
			writer, message->challenge.nonce_agent, message->challenge.nonce_balancer);
		break;
	case PROTO_REGISTER:
		put_register(writer, &message->reg);
		break;
	case PROTO_ACCEPT:
		put_accept(writer, &message->accept);
		break;
	case PROTO_REJECT:
		put_rejected(writer, &message->rejected);
		break;
	case PROTO_HEARTBEAT:
	case PROTO_LEAVE:
	case PROTO_ACK:
		put_session(writer, &message->session);
		break;
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		put_session(writer, &message->report.session);
		put_status(writer, &message->report.status);
		break;
	case PROTO_SERVE:
		put_session(writer, &message->serve.session);
		fields_put_serve(writer, message->version, &message->serve);
		break;
	case PROTO_TABLE:
	case PROTO_RELAY:
		put_session(writer, &message->told.session);
		table_put(writer, &message->told);
		break;
	case PROTO_PEERS:
		put_session(writer, &message->peers.session);
		peers_put(writer, &message->peers);
		break;
	case PROTO_PART:
		vips_put_part(writer, &message->part);
		break;
	case PROTO_TYPE_N_:
		break;
	}
}

int proto_write(const struct proto_message *message, uint8_t *buffer)
{
	struct cursor_writer writer = cursor_writer_make(buffer, PROTO_MESSAGE_MAX);

	if (!message_is_valid(message))
		return -EINVAL;
	cursor_put_u32(&writer, MAGIC);
	cursor_put_u8(&writer, (uint8_t)message->version);
	cursor_put_u8(&writer, (uint8_t)message->type);
	cursor_put_u16(&writer, 0);
	put_body(&writer, message);
	if (has_fields(message))
		fields_put(&writer, message);
	put_zeros(&writer, PROTO_TAG_BYTES);
	/* The largest of each fits, as is asserted above, but for counts, which take the room that there is. */
	if (writer.failed)
		return -EMSGSIZE;
	return (int)(writer.next - buffer);
}
