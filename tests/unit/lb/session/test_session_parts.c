/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registrations of many VIPs, in several messages: lost, doubled, reordered, replayed, forged and mixed; how much of them
 * is kept, and for how long; and what such an agent says of its VIPs.
 */
#include "common/proto/vips.h"
#include "lb/session/session_parts.h"
#include "tests/unit/lb/session/session_bench.h"

static struct addr numbered(unsigned int number)
{
	struct addr addr;

	assert_int_equal(addr_parse(number % 2 ? "2001:db8::" : "10.1.0.0", &addr), 0);
	addr.bytes[addr_size_bytes(&addr) - 2] = (uint8_t)((number + 2) / 2 >> 8);
	addr.bytes[addr_size_bytes(&addr) - 1] = (uint8_t)((number + 2) / 2);
	return addr;
}

/* The first is one that a virtual server has. */
static struct addr vip_of(unsigned int number)
{
	struct addr first;

	assert_int_equal(addr_parse("198.51.100.10", &first), 0);
	return number == 0 ? first : numbered(number);
}

static struct proto_message part_of(const struct agent *agent, size_t n_vips, unsigned int number)
{
	struct proto_message message = { .version = agent->version, .type = PROTO_PART };
	struct proto_part *part = &message.part;

	memcpy(part->nonce_agent, agent->nonce, PROTO_NONCE_BYTES);
	memcpy(part->nonce_balancer, agent->nonce_balancer, PROTO_NONCE_BYTES);
	snprintf(part->key_id, sizeof(part->key_id), "%s", agent->key_id);
	snprintf(part->name, sizeof(part->name), "%s", agent->name);
	part->n_vips = (uint16_t)n_vips;
	part->part = (uint8_t)number;
	for (unsigned int i = 0; i < vips_in_part(n_vips, number); i++)
		part->vips[i] = vip_of(number * PROTO_VIPS_PART + i);
	return message;
}

static size_t seal(const struct agent *agent, const struct proto_message *message, uint8_t *buffer)
{
	int size = proto_write(message, buffer);

	assert_true(size > 0);
	auth_seal(buffer, (size_t)size, agent->secret);
	return (size_t)size;
}

/* Nothing is ever answered to one. */
static enum session_refusal send_part(
	struct bench *bench, const struct agent *agent, const struct proto_message *message)
{
	uint8_t buffer[PROTO_MESSAGE_MAX];
	size_t size = seal(agent, message, buffer);
	enum session_refusal refusal = deliver(bench, agent, buffer, size);

	assert_int_equal(bench->n_sent, 0);
	return refusal;
}

static enum session_refusal say_part(
	struct bench *bench, const struct agent *agent, size_t n_vips, unsigned int number)
{
	struct proto_message message = part_of(agent, n_vips, number);

	return send_part(bench, agent, &message);
}

static void say_parts(struct bench *bench, const struct agent *agent, size_t n_vips)
{
	for (unsigned int i = 0; i < vips_parts(n_vips); i++)
		assert_int_equal(say_part(bench, agent, n_vips, i), SESSION_ACCEPTED);
}

static struct proto_message register_many(const struct agent *agent, size_t n_vips)
{
	struct proto_message message = register_of(agent);

	message.reg.status =
		(struct proto_status){ .weight = agent->weight, .n_vips = (uint16_t)n_vips };
	return message;
}

static enum session_refusal say_register(struct bench *bench, struct agent *agent, size_t n_vips)
{
	struct proto_message message = register_many(agent, n_vips);

	return send_register(bench, agent, &message);
}

static void begin(struct bench *bench, struct agent *agent)
{
	assert_int_equal(say_hello(bench, agent), SESSION_ACCEPTED);
	take_challenge(bench, agent);
}

static void check_vips(struct bench *bench, const struct agent *agent, size_t n_vips)
{
	const struct backend *backend = backend_of(bench, agent);

	assert_non_null(backend);
	assert_int_equal(backend->status.n_vips, n_vips);
	for (unsigned int i = 0; i < n_vips; i++) {
		const struct addr vip = vip_of(i);

		assert_true(addr_equal(&backend->status.vips[i].address, &vip));
		assert_true(backend->status.vips[i].present && backend->status.vips[i].silent);
	}
}

static void parts_make_a_registration(void **state)
{
	static const size_t lens[] = { PROTO_VIPS_WHOLE + 1, PROTO_VIPS_PART, PROTO_VIPS_PART + 1,
		1000, PROTO_VIPS_MAX };
	struct agent agent = agent_make("192.0.2.11:7377");
	struct bench *bench = *state;

	ARRAY_FOREACH (len, lens, ARRAY_LEN(lens)) {
		bench->now_us += 10 * US_PER_S;
		begin(bench, &agent);
		say_parts(bench, &agent, *len);
		assert_int_equal(say_register(bench, &agent, *len), SESSION_ACCEPTED);
		take_accept(bench, &agent);
		check_vips(bench, &agent, *len);
	}
}

/* In whatever order, each twice: it is accepted when the last has come, and not before. */
static void parts_come_in_any_order(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	struct bench *bench = *state;

	begin(bench, &agent);
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_PARTS);
	for (unsigned int i = 0; i < PROTO_PARTS_MAX; i++) {
		unsigned int number = (i * 7 + 3) % PROTO_PARTS_MAX;

		assert_int_equal(bench->n_sent, 0);
		assert_null(backend_of(bench, &agent));
		for (unsigned int twice = 0; twice < 2; twice++)
			assert_int_equal(
				say_part(bench, &agent, PROTO_VIPS_MAX, number), SESSION_ACCEPTED);
		bench->now_us += 100 * US_PER_MS;
		if (i + 1 < PROTO_PARTS_MAX)
			assert_int_equal(
				say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_PARTS);
	}
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	check_vips(bench, &agent, PROTO_VIPS_MAX);
}

/* The ACCEPT was lost: the same again, PARTs and all, gets the same. */
static void parts_again_make_no_other_session(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	struct bench *bench = *state;
	uint64_t session_id;

	begin(bench, &agent);
	say_parts(bench, &agent, 100);
	assert_int_equal(say_register(bench, &agent, 100), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	session_id = agent.session_id;
	say_parts(bench, &agent, 100);
	assert_int_equal(say_register(bench, &agent, 100), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	assert_int_equal(agent.session_id, session_id);
	/* And without them, too: nothing of them is kept. */
	assert_int_equal(say_register(bench, &agent, 100), SESSION_ACCEPTED);
}

/* What was recorded of a registration changes nothing in the one after it, nor in the session that it made. */
static void parts_of_before_are_replays(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377"), before;
	struct bench *bench = *state;

	begin(bench, &agent);
	before = agent;
	assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_ACCEPTED);
	begin(bench, &agent);
	assert_int_equal(say_part(bench, &agent, 100, 1), SESSION_ACCEPTED);
	assert_int_equal(say_part(bench, &before, 100, 0), SESSION_REPLAY);
	/* Mixed of both it is none of them. */
	assert_int_equal(say_register(bench, &agent, 100), SESSION_PARTS);
	assert_int_equal(say_register(bench, &before, 100), SESSION_PARTS);
	assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_ACCEPTED);
	assert_int_equal(say_register(bench, &agent, 100), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	assert_int_equal(say_part(bench, &before, 100, 1), SESSION_REPLAY);
	assert_int_equal(say_register(bench, &before, 100), SESSION_PARTS);
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_VALUE); /* of one VIP */
	check_vips(bench, &agent, 100);
}

static void parts_that_are_forged_are_nothing(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377"), other;
	struct bench *bench = *state;
	struct proto_message message;
	uint8_t buffer[PROTO_MESSAGE_MAX];
	size_t size;

	begin(bench, &agent);
	message = part_of(&agent, 100, 0);
	size = seal(&agent, &message, buffer);
	buffer[size - PROTO_TAG_BYTES - 1] ^= 1; /* another VIP */
	assert_int_equal(deliver(bench, &agent, buffer, size), SESSION_TAG);
	/* From elsewhere, or by nonces that nobody made. */
	buffer[size - PROTO_TAG_BYTES - 1] ^= 1;
	other = agent_make("192.0.2.12:7377");
	assert_int_equal(deliver(bench, &other, buffer, size), SESSION_CHALLENGE);
	message.part.nonce_balancer[31] ^= 1;
	assert_int_equal(send_part(bench, &agent, &message), SESSION_CHALLENGE);
	/* By a key that is another's, and in the name of another. */
	other = agent;
	other.key_id = "nobody";
	assert_int_equal(say_part(bench, &other, 100, 0), SESSION_KEY);
	other = agent;
	other.name = "web9";
	assert_int_equal(say_part(bench, &other, 100, 1), SESSION_ACCEPTED);
	assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_ACCEPTED);
	assert_int_equal(say_register(bench, &agent, 100), SESSION_PARTS);
	/* Too late. */
	bench->now_us += AUTH_CHALLENGE_VALID_US;
	assert_int_equal(say_part(bench, &agent, 100, 1), SESSION_CHALLENGE);
	assert_null(backend_of(bench, &agent));
}

static void parts_that_name_a_vip_twice_are_refused(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	struct bench *bench = *state;
	struct proto_message message;

	begin(bench, &agent);
	assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_ACCEPTED);
	message = part_of(&agent, 100, 1);
	message.part.vips[7] = vip_of(3);
	assert_int_equal(send_part(bench, &agent, &message), SESSION_VALUE);
	assert_int_equal(say_register(bench, &agent, 100), SESSION_PARTS);
}

/* A VIP that the key may not be used for, in the last part: the whole is refused, with a reason, and nothing is left. */
static void parts_are_accepted_whole_or_not_at_all(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	struct bench *bench = *state;
	struct proto_message message;

	session_configure(bench->sessions,
		ring_of("web1 hex:"
			"0101010101010101010101010101010101010101010101010101010101010101 "
			"vip=198.51.100.10,10.1.0.0/16,2001:db8::/120\n"),
		300000, 3);
	begin(bench, &agent);
	say_parts(bench, &agent, PROTO_VIPS_MAX);
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX),
		SESSION_POLICY_0 + PROTO_REJECT_KEY_BINDING);
	message = take(bench, PROTO_REJECT, agent.secret);
	assert_non_null(strstr(message.rejected.reason, "2001:db8::1"));
	assert_int_equal(registry_len(bench->registry), 0);
	assert_int_equal(n_sessions(bench), 0);
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_PARTS);
}

/* So many at a time, each as long as its challenge holds; nobody gives way. */
static void parts_are_bounded_and_aged(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	struct bench *bench = *state;
	char name[16];

	begin(bench, &agent);
	agent.name = name;
	for (unsigned int i = 0; i <= SESSION_PARTS_MAX; i++) {
		snprintf(name, sizeof(name), "web%u", i);
		bench->now_us += 10 * US_PER_MS;
		assert_int_equal(say_part(bench, &agent, 100, 0),
			i < SESSION_PARTS_MAX ? SESSION_ACCEPTED : SESSION_PARTS);
	}
	/* Those that were there go on. */
	snprintf(name, sizeof(name), "web0");
	assert_int_equal(say_part(bench, &agent, 100, 1), SESSION_ACCEPTED);
	assert_int_equal(say_register(bench, &agent, 100), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	check_vips(bench, &agent, 100);
	/* There is room for one, and when their challenge is old for all. */
	agent = agent_make("192.0.2.12:7377");
	agent.name = name;
	begin(bench, &agent);
	snprintf(name, sizeof(name), "new0");
	assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_ACCEPTED);
	snprintf(name, sizeof(name), "new1");
	assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_PARTS);
	bench->now_us += AUTH_CHALLENGE_VALID_US;
	begin(bench, &agent);
	for (unsigned int i = 0; i < SESSION_PARTS_MAX; i++) {
		snprintf(name, sizeof(name), "new%u", i);
		bench->now_us += 10 * US_PER_MS;
		assert_int_equal(say_part(bench, &agent, 100, 0), SESSION_ACCEPTED);
	}
}

/* Whoever forges HELLOs in its name uses up nothing of it; nor do PARTs of a REGISTER's. */
static void parts_have_a_budget_of_their_own(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377"), flood = agent;
	struct bench *bench = *state;
	size_t n_taken = 0;

	begin(bench, &agent);
	while (say_hello(bench, &flood) == SESSION_ACCEPTED)
		;
	while (say_part(bench, &agent, PROTO_VIPS_MAX, 0) == SESSION_ACCEPTED)
		n_taken++;
	assert_int_equal(
		session_counters(bench->sessions)->rejected[SESSION_RATE], 2); /* one each */
	assert_in_range(n_taken, SESSION_PART_BURST, 2 * SESSION_PART_BURST);
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_PARTS);
	bench->now_us += US_PER_S;
	say_parts(bench, &agent, PROTO_VIPS_MAX);
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_ACCEPTED);
}

static enum session_refusal report(
	struct bench *bench, struct agent *agent, const struct proto_status *status)
{
	struct proto_message message = { .version = agent->version, .type = PROTO_UPDATE };
	uint8_t buffer[PROTO_MESSAGE_MAX];
	int size;

	message.report.session =
		(struct proto_session){ agent->session_id, ++agent->sequence, agent->echo };
	message.report.status = *status;
	size = proto_write(&message, buffer);
	assert_true(size > 0);
	auth_seal(buffer, (size_t)size, agent->session_keys.to_balancer);
	return deliver(bench, agent, buffer, (size_t)size);
}

/* One that goes bad is known by the first message, whoever's counts it has. */
static void parts_of_a_status_tell_all_that_is_ill(void **state)
{
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_status status = { .weight = 1, .n_vips = PROTO_VIPS_MAX };
	uint32_t established[PROTO_VIPS_MAX];
	struct bench *bench = *state;
	const struct backend *backend;

	for (unsigned int i = 0; i < PROTO_VIPS_MAX; i++)
		established[i] = i;
	begin(bench, &agent);
	say_parts(bench, &agent, PROTO_VIPS_MAX);
	assert_int_equal(say_register(bench, &agent, PROTO_VIPS_MAX), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	backend = backend_of(bench, &agent);
	vips_say(&status, 1023, &(struct proto_vip_status){ false, true, 0 });
	vips_say_counts(&status, established, 100, SIZE_MAX);
	assert_int_equal(report(bench, &agent, &status), SESSION_ACCEPTED);
	assert_false(backend->status.vips[1023].present);
	assert_true(backend->status.vips[1022].present);
	assert_int_equal(backend->status.vips[99].established, 0);
	assert_int_equal(backend->status.vips[100].established, 100);
	vips_say(&status, 1023, &(struct proto_vip_status){ true, true, 0 });
	vips_say_counts(&status, established, 0, SIZE_MAX);
	assert_int_equal(report(bench, &agent, &status), SESSION_ACCEPTED);
	assert_true(backend->status.vips[1023].present);
	assert_int_equal(backend->status.vips[99].established, 99);
	/* What was told in another's turn stands. */
	assert_int_equal(backend->status.vips[200].established, 200);
	status.n_vips = 1000;
	assert_int_equal(report(bench, &agent, &status), SESSION_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(parts_make_a_registration),
		BENCH_TEST(parts_come_in_any_order),
		BENCH_TEST(parts_again_make_no_other_session),
		BENCH_TEST(parts_of_before_are_replays),
		BENCH_TEST(parts_that_are_forged_are_nothing),
		BENCH_TEST(parts_that_name_a_vip_twice_are_refused),
		BENCH_TEST(parts_are_accepted_whole_or_not_at_all),
		BENCH_TEST(parts_are_bounded_and_aged),
		BENCH_TEST(parts_have_a_budget_of_their_own),
		BENCH_TEST(parts_of_a_status_tell_all_that_is_ill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
