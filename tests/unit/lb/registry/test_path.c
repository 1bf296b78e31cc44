/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Admission and failure by path probes, of agents and statics; what is kept, and over a restart. */
#include "registry_world.h"

static const struct mac mac1 = { { 2, 0, 0, 0, 0, 0x50 } }, mac2 = { { 2, 0, 0, 0, 0, 0x51 } };

static void neighbour(struct world *world, const char *address, const struct mac *mac)
{
	struct addr addr = world_addr(address);

	registry_neighbour(world->registry, &addr, mac, world->now_us);
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
}

static void results(struct world *world, const char *name, size_t service,
	enum registry_path_verdict verdict, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		(void)world_path_result(world, name, service, verdict, MS(1));
}

static void assert_state(const struct world *world, const char *name, enum backend_state state)
{
	assert_string_equal(
		backend_state_name(world_backend(world, name)->state), backend_state_name(state));
}

static void assert_reason(const struct world *world, const char *name, const char *part)
{
	const char *reason = world_backend(world, name)->reason;

	if (!strstr(reason, part))
		fail_msg("'%s' is not in '%s'", part, reason);
}

/* web with a path, and on demand mail; statics win and two. */
static void open_statics(struct world *world, size_t n_services)
{
	world->services[0].path = REGISTRY_PATH_TCP;
	world->services[0].path_port = 80;
	world_static(world, "web", "win", "192.0.2.50");
	world_static(world, "web", "two", "192.0.2.51");
	if (n_services > 1) {
		world_service(world, 1, "mail", "198.51.100.20");
		world->services[1].path = REGISTRY_PATH_ECHO;
		world_static(world, "mail", "win", "192.0.2.50");
	}
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac1);
	neighbour(world, "192.0.2.51", &mac2);
}

static void registry_ups_nobody_before_every_path_is_proven(void **state)
{
	struct world *world = *state;

	open_statics(world, 2);
	assert_true(world->n_paths >= 2);
	assert_state(world, "win", BACKEND_PENDING);
	assert_reason(world, "win", "path: 198.51.100.20 has not answered yet");
	assert_reason(world, "win", "path: 198.51.100.10:80 has not answered yet");
	assert_false(world_backend(world, "win")->takes_flows);
	assert_true(world_path_result(world, "win", 0, REGISTRY_PATH_OK, MS(1)));
	assert_state(world, "win", BACKEND_PENDING);
	assert_reason(world, "win", "path: 198.51.100.20 has not answered yet");
	assert_true(world_path_result(world, "win", 1, REGISTRY_PATH_OK, MS(1)));
	assert_state(world, "win", BACKEND_UP);
	assert_string_equal(world_backend(world, "win")->reason, "");
	assert_true(world_serves(world, "win", 0));
	/* What goes on as it was is no news. */
	assert_false(world_path_result(world, "win", 1, REGISTRY_PATH_OK, MS(1)));
	assert_state(world, "two", BACKEND_PENDING);
}

static void registry_says_why_a_path_fails(void **state)
{
	static const struct {
		enum registry_path_verdict verdict;
		const char *words;
	} cases[] = {
		{ REGISTRY_PATH_NO_ANSWER,
			"path: no answer for 198.51.100.10:80 from 02:00:00:00:00:50 (VIP missing on lo?" },
		{ REGISTRY_PATH_REFUSED,
			"path: nothing listens on 198.51.100.10:80 (connection refused)" },
		{ REGISTRY_PATH_PORT_UNREACHABLE, "nothing listens on 198.51.100.10:80 (ICMP" },
		{ REGISTRY_PATH_PROHIBITED, "198.51.100.10:80 is prohibited by ICMP (firewall?)" },
		{ REGISTRY_PATH_UNREACHABLE, "198.51.100.10:80 is unreachable by ICMP" },
		{ REGISTRY_PATH_UNEXPECTED,
			"the answer of 198.51.100.10:80 has not what check-expect" },
	};
	struct world *world = *state;

	open_statics(world, 1);
	ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
		assert_true(world_path_result(world, "win", 0, one->verdict, MS(1)));
		assert_state(world, "win", BACKEND_DOWN);
		assert_reason(world, "win", one->words);
	}
	/* Of one that was never up the first success is the proof. */
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "win", BACKEND_UP);
}

static void registry_fails_a_path_with_fall_and_rise(void **state)
{
	struct world *world = *state;

	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "two", 0, REGISTRY_PATH_OK, 1);
	results(world, "win", 0, REGISTRY_PATH_REFUSED, 2);
	assert_state(world, "win", BACKEND_UP);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "win", 0, REGISTRY_PATH_REFUSED, 2);
	assert_state(world, "win", BACKEND_UP);
	world->n_urgent = 0;
	results(world, "win", 0, REGISTRY_PATH_REFUSED, 1);
	assert_state(world, "win", BACKEND_DOWN);
	assert_true(world->n_urgent > 0);
	assert_false(world_backend(world, "win")->takes_flows);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "win", BACKEND_DOWN);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "win", BACKEND_UP);
}

static void registry_blames_nobody_for_probes_that_were_not_made(void **state)
{
	struct world *world = *state;

	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_NOT_MADE, 9);
	assert_state(world, "win", BACKEND_PENDING);
	assert_true(world_path_result(world, "win", 0, REGISTRY_PATH_NO_ADDRESS, MS(1)));
	assert_false(world_path_result(world, "win", 0, REGISTRY_PATH_NO_ADDRESS, MS(1)));
	assert_reason(world, "win",
		"path: 198.51.100.10:80 cannot be probed: this balancer has no address of its kind");
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "win", 0, REGISTRY_PATH_NO_ADDRESS, 9);
	results(world, "win", 0, REGISTRY_PATH_NOT_MADE, 9);
	assert_state(world, "win", BACKEND_UP);
}

static void registry_lets_nothing_unproven_serve_after_a_reload(void **state)
{
	struct world *world = *state;

	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	world_service(world, 1, "mail", "198.51.100.20");
	world->services[1].path = REGISTRY_PATH_TCP;
	world->services[1].path_port = 25;
	world_static(world, "mail", "win", "192.0.2.50");
	world_configure(world);
	/* What it was proven for goes on. */
	assert_state(world, "win", BACKEND_UP);
	assert_true(world_serves(world, "win", 0));
	assert_false(world_serves(world, "win", 1));
	assert_reason(world, "win", "path: 198.51.100.20:25 has not answered yet");
	results(world, "win", 1, REGISTRY_PATH_REFUSED, 5);
	assert_state(world, "win", BACKEND_UP);
	assert_false(world_serves(world, "win", 1));
	assert_reason(world, "win", "nothing listens on 198.51.100.20:25");
	results(world, "win", 1, REGISTRY_PATH_OK, 1);
	assert_true(world_serves(world, "win", 1));
	/* Once proven, its failure is the backend's. */
	results(world, "win", 1, REGISTRY_PATH_REFUSED, 3);
	assert_state(world, "win", BACKEND_DOWN);
}

static void registry_lets_go_on_what_a_reload_begins_to_probe(void **state)
{
	struct world *world = *state;

	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	world->services[0].path = REGISTRY_PATH_NONE;
	world_configure(world);
	assert_state(world, "two", BACKEND_UP);
	world->services[0].path = REGISTRY_PATH_TCP;
	world_configure(world);
	assert_state(world, "two", BACKEND_UP);
	assert_true(world_serves(world, "two", 0));
	results(world, "two", 0, REGISTRY_PATH_NO_ANSWER, 3);
	assert_state(world, "two", BACKEND_DOWN);
}

static void registry_ups_an_agent_by_its_word_and_its_path(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world->services[0].path = REGISTRY_PATH_TCP;
	world->services[0].path_port = 80;
	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	assert_true(world->n_paths >= 1);
	assert_reason(world, "web1", "no heartbeat answered yet");
	assert_reason(world, "web1", "path: 198.51.100.10:80 has not answered yet");
	world_pass(world, MS(1000));
	assert_state(world, "web1", BACKEND_PENDING);
	assert_string_equal(world_backend(world, "web1")->reason,
		"path: 198.51.100.10:80 has not answered yet");
	results(world, "web1", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "web1", BACKEND_UP);
	/* It says itself that the VIP is missing; its path says so too, which adds nothing. */
	agent->reg.status.vips[0].present = false;
	world_update(world, agent);
	assert_state(world, "web1", BACKEND_DOWN);
	assert_reason(world, "web1", "VIP 198.51.100.10 is missing on its loopback interface");
	results(world, "web1", 0, REGISTRY_PATH_NO_ANSWER, 5);
	assert_reason(world, "web1", "VIP 198.51.100.10 is missing on its loopback interface");
	/* It is back: what failed before is forgotten, also what was asked before. */
	agent->reg.status.vips[0].present = true;
	world_update(world, agent);
	world_pass(world, MS(2000));
	(void)world_path_result(world, "web1", 0, REGISTRY_PATH_NO_ANSWER, MS(9000));
	assert_state(world, "web1", BACKEND_DOWN);
	assert_string_equal(world_backend(world, "web1")->reason,
		"path: 198.51.100.10:80 has not answered yet");
	results(world, "web1", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "web1", BACKEND_UP);
}

/* One of two VIPs goes and comes: the other is not touched by it. */
static void registry_proves_a_vip_anew_that_was_away(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_service(world, 1, "mail", "198.51.100.20");
	for (size_t i = 0; i < 2; i++) {
		world->services[i].path = REGISTRY_PATH_TCP;
		world->services[i].path_port = 80;
	}
	world_configure(world);
	agent = world_agent(world, "web1", 11, "198.51.100.10");
	agent->reg.vips[1] = world_addr("198.51.100.20");
	agent->reg.status.n_vips = 2;
	agent->reg.status.vips[1] = agent->reg.status.vips[0];
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	results(world, "web1", 0, REGISTRY_PATH_OK, 1);
	results(world, "web1", 1, REGISTRY_PATH_OK, 1);
	assert_state(world, "web1", BACKEND_UP);
	agent->reg.status.vips[1].present = false;
	world_update(world, agent);
	results(world, "web1", 1, REGISTRY_PATH_NO_ANSWER, 5);
	assert_state(world, "web1", BACKEND_UP);
	assert_false(world_serves(world, "web1", 1));
	agent->reg.status.vips[1].present = true;
	world_update(world, agent);
	world_pass(world, MS(2000));
	assert_state(world, "web1", BACKEND_UP);
	assert_true(world_serves(world, "web1", 0));
	assert_false(world_serves(world, "web1", 1));
	results(world, "web1", 1, REGISTRY_PATH_OK, 1);
	assert_true(world_serves(world, "web1", 1));
}

/* All of them are asked once more, and time passes. */
static void silence(struct world *world, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		world_pass(world, MS(2000));
		(void)world_path_result(world, "win", 0, REGISTRY_PATH_NO_ANSWER, MS(1000));
		(void)world_path_result(world, "two", 0, REGISTRY_PATH_NO_ANSWER, MS(1000));
	}
}

static void registry_keeps_paths_that_fall_silent_together(void **state)
{
	struct world *world = *state;

	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "two", 0, REGISTRY_PATH_OK, 1);
	silence(world, 5);
	assert_state(world, "win", BACKEND_DOWN);
	assert_reason(world, "win", "kept: most of virtual server web vanished at once");
	assert_true(world_backend(world, "win")->kept && world_backend(world, "two")->kept);
	assert_true(world_backend(world, "win")->takes_flows);
	assert_true(world_serves(world, "win", 0));
	/* One is back, at once; the other has not been asked since then. */
	world_pass(world, MS(500));
	results(world, "two", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "two", BACKEND_UP);
	assert_true(world_backend(world, "win")->kept || !world_backend(world, "win")->takes_flows);
	world_pass(world, MS(2000));
	(void)world_path_result(world, "win", 0, REGISTRY_PATH_NO_ANSWER, MS(1000));
	results(world, "two", 0, REGISTRY_PATH_OK, 1);
	world_pass(world, MS(500));
	assert_false(world_backend(world, "win")->takes_flows);
	assert_state(world, "win", BACKEND_DOWN);
}

static void registry_keeps_no_path_where_somebody_answers(void **state)
{
	struct world *world = *state;

	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "two", 0, REGISTRY_PATH_OK, 1);
	/* Hosts that answer ARP have lost their VIPs. */
	for (int i = 0; i < 3; i++) {
		world_pass(world, MS(2000));
		(void)world_path_result(world, "win", 0, REGISTRY_PATH_NO_ANSWER, MS(1000));
		(void)world_path_result(world, "two", 0, REGISTRY_PATH_NO_ANSWER, MS(1000));
		neighbour(world, "192.0.2.50", &mac1);
	}
	world_pass(world, MS(500));
	assert_state(world, "win", BACKEND_DOWN);
	assert_state(world, "two", BACKEND_DOWN);
	assert_false(world_backend(world, "win")->takes_flows);
	assert_false(world_backend(world, "two")->takes_flows);
	/* And who refuses is there. */
	results(world, "win", 0, REGISTRY_PATH_OK, 2);
	results(world, "two", 0, REGISTRY_PATH_OK, 2);
	assert_state(world, "win", BACKEND_UP);
	world_pass(world, MS(100000));
	results(world, "two", 0, REGISTRY_PATH_REFUSED, 3);
	results(world, "win", 0, REGISTRY_PATH_REFUSED, 3);
	assert_false(world_backend(world, "win")->kept || world_backend(world, "two")->kept);
}

/* Agents whose heartbeats are lost, but whose paths answer: they serve. */
static void registry_keeps_silent_agents_whose_paths_answer(void **state)
{
	struct world *world = *state;
	static const char *const names[] = { "web1", "web2" };
	struct addr addr = world_addr("192.0.2.12");

	world->services[0].path = REGISTRY_PATH_TCP;
	world->services[0].path_port = 80;
	world_configure(world);
	for (uint8_t i = 0; i < 2; i++) {
		world_join(world, names[i], 11 + i, "198.51.100.10");
		world_pass(world, MS(10));
		results(world, names[i], 0, REGISTRY_PATH_OK, 1);
	}
	world_pass(world, MS(2000));
	assert_state(world, "web1", BACKEND_UP);
	world->agents[0].answers = world->agents[1].answers = false;
	for (int i = 0; i < 5; i++) {
		world_pass(world, MS(2000));
		results(world, "web1", 0, REGISTRY_PATH_OK, 1);
		(void)world_path_result(world, "web2", 0, REGISTRY_PATH_NO_ANSWER, MS(1000));
	}
	registry_neighbour(world->registry, &addr, &(struct mac){ 0 }, world->now_us);
	world_pass(world, MS(500));
	assert_true(world_backend(world, "web1")->kept);
	assert_true(world_backend(world, "web1")->takes_flows);
	assert_false(world_backend(world, "web2")->takes_flows);
}

/* A path that missed an answer is no silence of an agent that answers: it is not lost. */
static void registry_counts_agents_by_their_own_word(void **state)
{
	struct world *world = *state;
	char name[] = "web1";

	world->services[0].path = REGISTRY_PATH_TCP;
	world->services[0].path_port = 80;
	world_configure(world);
	for (uint8_t i = 0; i < 5; i++) {
		name[3] = (char)('1' + i);
		world_join(world, name, 11 + i, "198.51.100.10");
		world_pass(world, MS(10));
		results(world, name, 0, REGISTRY_PATH_OK, 1);
	}
	world_pass(world, MS(2000));
	results(world, "web1", 0, REGISTRY_PATH_NO_ANSWER, 1);
	results(world, "web2", 0, REGISTRY_PATH_NO_ANSWER, 1);
	assert_state(world, "web2", BACKEND_UP);
	world->agents[3].answers = world->agents[4].answers = false;
	world_pass(world, MS(900));
	assert_state(world, "web4", BACKEND_DOWN);
	assert_false(world_backend(world, "web4")->takes_flows);
	assert_false(world_backend(world, "web5")->takes_flows);
}

static void restart(
	struct world *world, const struct backend *kept, const uint16_t *paths, size_t n_paths)
{
	registry_free(world->registry);
	world->registry = registry_new(7);
	assert_int_equal(registry_restore(world->registry, kept, world->now_us), 0);
	if (paths)
		assert_int_equal(
			registry_restore_paths(world->registry, kept->id, paths, n_paths), 0);
	world_configure(world);
}

static void registry_keeps_what_was_proven_over_a_restart(void **state)
{
	struct world *world = *state;
	struct backend kept;
	uint16_t paths[1];

	open_statics(world, 2);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "win", 1, REGISTRY_PATH_OK, 1);
	kept = *world_backend(world, "win");
	paths[0] = world->services[0].id;
	restart(world, &kept, paths, 1);
	assert_state(world, "win", BACKEND_UP);
	assert_true(world_serves(world, "win", 0));
	assert_false(world_serves(world, "win", 1));
	results(world, "win", 0, REGISTRY_PATH_REFUSED, 2);
	assert_state(world, "win", BACKEND_UP);
	results(world, "win", 0, REGISTRY_PATH_REFUSED, 1);
	assert_state(world, "win", BACKEND_DOWN);
	/* What was down stays down until it is proven. */
	kept = *world_backend(world, "win");
	restart(world, &kept, paths, 0);
	assert_state(world, "win", BACKEND_DOWN);
	neighbour(world, "192.0.2.50", &mac1);
	assert_state(world, "win", BACKEND_DOWN);
	assert_reason(world, "win", "path: 198.51.100.10:80 has not answered yet");
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	results(world, "win", 1, REGISTRY_PATH_OK, 1);
	assert_state(world, "win", BACKEND_UP);
	kept = *world_backend(world, "win");
	/* A version that kept no paths had what was up proven by other means. */
	restart(world, &kept, NULL, 0);
	assert_state(world, "win", BACKEND_UP);
	assert_true(world_serves(world, "win", 0) && world_serves(world, "win", 1));
	assert_int_equal(registry_restore_paths(world->registry, 999, paths, 1), -ENOENT);
}

static void registry_shows_each_check(void **state)
{
	struct world *world = *state;
	struct registry_check_view view;
	const struct backend *backend;

	open_statics(world, 1);
	backend = world_backend(world, "win");
	assert_false(registry_agent_view(world->registry, backend, &view));
	assert_true(registry_path_view(world->registry, backend, &world->services[0], 0, &view));
	assert_false(view.ok);
	assert_string_equal(view.reason.text, "path: 198.51.100.10:80 has not answered yet");
	world_pass(world, MS(3000));
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_true(registry_path_view(world->registry, backend, &world->services[0], 0, &view));
	assert_true(view.ok);
	assert_string_equal(view.reason.text, "");
	assert_int_equal(view.since_us, world->now_us);
	world_join(world, "web1", 11, "198.51.100.10");
	backend = world_backend(world, "web1");
	assert_true(registry_agent_view(world->registry, backend, &view));
	assert_false(view.ok);
	world_pass(world, MS(1000));
	assert_true(registry_agent_view(world->registry, backend, &view));
	assert_true(view.ok);
	assert_string_equal(view.reason.text, "");
	assert_true(view.since_us > 0 && view.since_us < world->now_us);
}

static bool lose(struct world *world, const char *name, size_t service, uint32_t n_syns)
{
	const struct registry_loss loss = { world_backend(world, name)->id,
		world->services[service].id, n_syns };
	bool changed = registry_lost(world->registry, &loss, world->now_us);

	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
	return changed;
}

/* Probes pass: only those that begin ten seconds later bring it back. */
static void registry_takes_out_whose_clients_come_to_nothing(void **state)
{
	static const struct registry_port http = { 80, 80 };
	struct registry_check_view view;
	struct world *world = *state;

	world->services[0].ports = &http;
	world->services[0].n_ports = 1;
	open_statics(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_false(lose(world, "win", 0, 0));
	assert_true(lose(world, "win", 0, 1200));
	assert_state(world, "win", BACKEND_DOWN);
	assert_reason(world, "win", "no client went on after 1,200 SYNs to 198.51.100.10:80");
	assert_false(world_backend(world, "win")->takes_flows);
	assert_true(registry_path_view(
		world->registry, world_backend(world, "win"), &world->services[0], 0, &view));
	assert_false(view.ok);
	assert_non_null(strstr(view.reason.text, "1,200 SYNs"));
	assert_false(lose(world, "win", 0, 20));
	world_pass(world, MS(9900));
	results(world, "win", 0, REGISTRY_PATH_OK, 5);
	assert_state(world, "win", BACKEND_DOWN);
	world_pass(world, MS(200));
	results(world, "win", 0, REGISTRY_PATH_OK, world->services[0].check_rise - 1);
	assert_state(world, "win", BACKEND_DOWN);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "win", BACKEND_UP);
	assert_string_equal(world_backend(world, "win")->reason, "");
}

static void registry_takes_out_whose_path_is_not_probed(void **state)
{
	static const struct registry_port http = { 80, 80 };
	struct world *world = *state;

	open_statics(world, 1);
	world->services[0].ports = &http;
	world->services[0].n_ports = 1;
	world->services[0].path = REGISTRY_PATH_NONE;
	world_configure(world);
	neighbour(world, "192.0.2.50", &mac1);
	assert_state(world, "win", BACKEND_UP);
	assert_true(lose(world, "win", 0, 20));
	assert_state(world, "win", BACKEND_DOWN);
	assert_reason(world, "win", "no client went on after 20 SYNs to 198.51.100.10:80");
	assert_true(lose(world, "win", 0, 0));
	assert_false(lose(world, "win", 0, 0));
	neighbour(world, "192.0.2.50", &mac1);
	world_pass(world, MS(3000));
	assert_state(world, "win", BACKEND_UP);
}

static const struct registry_request requests[] = {
	{ "http://www.example.org/health", "/health", 80 },
	{ "http://www.example.org:8080/", "/", 8080 },
	{ "http://www.example.org/other", "/other", 80 },
};

/* Of a request; `check` counts from 1. */
static void request_results(struct world *world, const char *name, uint16_t check,
	enum registry_path_verdict verdict, uint16_t status, unsigned int n)
{
	const struct registry_path_result told = { world_backend(world, name)->id,
		world->services[0].id, verdict, world->now_us - MS(1), check, status };

	for (unsigned int i = 0; i < n; i++)
		(void)registry_path_result(world->registry, &told, world->now_us);
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
}

static void open_requests(struct world *world, size_t n_requests)
{
	world->services[0].requests = requests;
	world->services[0].n_requests = n_requests;
	open_statics(world, 1);
}

static void registry_ups_nobody_before_every_request_is_answered(void **state)
{
	struct world *world = *state;
	struct registry_check_view view;

	open_requests(world, 2);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	assert_state(world, "win", BACKEND_PENDING);
	assert_reason(world, "win", "GET /health at 198.51.100.10:80 has not been answered yet");
	assert_reason(world, "win", "GET / at 198.51.100.10:8080 has not been answered yet");
	request_results(world, "win", 1, REGISTRY_PATH_OK, 0, 1);
	assert_state(world, "win", BACKEND_PENDING);
	assert_false(world_backend(world, "win")->takes_flows);
	request_results(world, "win", 2, REGISTRY_PATH_OK, 0, 1);
	assert_state(world, "win", BACKEND_UP);
	/* One that there is not. */
	request_results(world, "win", 3, REGISTRY_PATH_STATUS, 500, 9);
	request_results(world, "win", 99, REGISTRY_PATH_STATUS, 500, 9);
	assert_state(world, "win", BACKEND_UP);
	for (size_t i = 0; i < 3; i++)
		assert_true(registry_path_view(world->registry, world_backend(world, "win"),
				    &world->services[0], i, &view) &&
			view.ok);
	assert_false(registry_path_view(
		world->registry, world_backend(world, "win"), &world->services[0], 3, &view));
}

static void registry_says_why_a_request_fails(void **state)
{
	static const struct {
		enum registry_path_verdict verdict;
		uint16_t status;
		const char *words;
	} cases[] = {
		{ REGISTRY_PATH_STATUS, 503, "answered 503 to GET /health at 198.51.100.10:80" },
		{ REGISTRY_PATH_STATUS, 404, "answered 404 to GET /health at 198.51.100.10:80" },
		{ REGISTRY_PATH_MUTE, 0,
			"took the connection, but did not answer GET /health at 198.51.100.10:80 within" },
		{ REGISTRY_PATH_CLOSED, 0,
			"closed the connection without an answer to GET /health" },
		{ REGISTRY_PATH_NOT_HTTP, 0, "something else than HTTP to GET /health" },
		{ REGISTRY_PATH_REFUSED, 0, "connection refused for GET /health" },
		{ REGISTRY_PATH_NO_ANSWER, 0, "no connection for GET /health" },
		{ REGISTRY_PATH_PROHIBITED, 0, "prohibited by ICMP: GET /health" },
	};
	struct world *world = *state;

	open_requests(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
		request_results(world, "win", 1, one->verdict, one->status, 1);
		assert_state(world, "win", BACKEND_DOWN);
		assert_reason(world, "win", one->words);
	}
}

static void registry_fails_a_request_with_fall_and_rise(void **state)
{
	struct world *world = *state;

	open_requests(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	request_results(world, "win", 1, REGISTRY_PATH_OK, 0, 1);
	request_results(world, "win", 1, REGISTRY_PATH_NOT_MADE, 0, 9);
	request_results(world, "win", 1, REGISTRY_PATH_STATUS, 500, 2);
	/* The path's own successes do not end the row of failures. */
	results(world, "win", 0, REGISTRY_PATH_OK, 3);
	assert_state(world, "win", BACKEND_UP);
	request_results(world, "win", 1, REGISTRY_PATH_MUTE, 0, 1);
	assert_state(world, "win", BACKEND_DOWN);
	request_results(world, "win", 1, REGISTRY_PATH_OK, 0, 1);
	assert_state(world, "win", BACKEND_DOWN);
	request_results(world, "win", 1, REGISTRY_PATH_OK, 0, 1);
	assert_state(world, "win", BACKEND_UP);
}

static void registry_asks_anew_what_a_reload_changes(void **state)
{
	struct world *world = *state;

	open_requests(world, 1);
	results(world, "win", 0, REGISTRY_PATH_OK, 1);
	request_results(world, "win", 1, REGISTRY_PATH_OK, 0, 1);
	results(world, "two", 0, REGISTRY_PATH_OK, 1);
	request_results(world, "two", 1, REGISTRY_PATH_STATUS, 404, 1);
	assert_state(world, "two", BACKEND_DOWN);
	world->services[0].requests = &requests[2];
	world->n_paths = 0;
	world_configure(world);
	assert_true(world->n_paths > 0);
	/* What gets clients goes on and is failed as ever; what gets none has to prove itself. */
	assert_state(world, "win", BACKEND_UP);
	assert_reason(world, "two", "GET /other at 198.51.100.10:80 has not been answered yet");
	assert_false(world_backend(world, "two")->takes_flows);
	request_results(world, "two", 1, REGISTRY_PATH_OK, 0, 1);
	assert_state(world, "two", BACKEND_UP);
	request_results(world, "win", 1, REGISTRY_PATH_STATUS, 404, 3);
	assert_state(world, "win", BACKEND_DOWN);
	/* And what is not asked any more does not keep anybody out. */
	world->services[0].n_requests = 0;
	world_configure(world);
	assert_state(world, "win", BACKEND_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup_bare, world_teardown)
		FACT(registry_ups_nobody_before_every_path_is_proven),
		FACT(registry_says_why_a_path_fails),
		FACT(registry_fails_a_path_with_fall_and_rise),
		FACT(registry_blames_nobody_for_probes_that_were_not_made),
		FACT(registry_lets_nothing_unproven_serve_after_a_reload),
		FACT(registry_lets_go_on_what_a_reload_begins_to_probe),
		FACT(registry_ups_an_agent_by_its_word_and_its_path),
		FACT(registry_proves_a_vip_anew_that_was_away),
		FACT(registry_keeps_paths_that_fall_silent_together),
		FACT(registry_keeps_no_path_where_somebody_answers),
		FACT(registry_keeps_silent_agents_whose_paths_answer),
		FACT(registry_counts_agents_by_their_own_word),
		FACT(registry_keeps_what_was_proven_over_a_restart),
		FACT(registry_shows_each_check),
		FACT(registry_takes_out_whose_clients_come_to_nothing),
		FACT(registry_takes_out_whose_path_is_not_probed),
		FACT(registry_ups_nobody_before_every_request_is_answered),
		FACT(registry_says_why_a_request_fails),
		FACT(registry_fails_a_request_with_fall_and_rise),
		FACT(registry_asks_anew_what_a_reload_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
