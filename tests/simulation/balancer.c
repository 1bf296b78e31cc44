/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The balancer's rooms without its engine, sockets and event loop: see sim.h. */
#include "tests/simulation/sim.h"

#include "lb/config/config.h"
#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/document.h"
#include "lb/daemon/role.h"
#include "lb/state/keep.h"
#include "lb/table/flow_walk.h"
#include "tests/unit/tools/temp_dir.h"

#define HOUSEKEEPING_US US_PER_S
#define JOIN_US         (20 * US_PER_MS)  /* lb/daemon/update.c */
#define STALL_US        (100 * US_PER_MS) /* lb/daemon/actions.c */
#define MAX_FLOWS       4096u

static const char key_file[] =
	"k hex:0101010101010101010101010101010101010101010101010101010101010101\n";

static const struct addr_prefix subnet = {
	.addr = { .family = AF_INET, .bytes = { 192, 0, 2, 0 } },
	.len = 24,
};

struct addr sim_balancer_address(uint8_t balancer)
{
	return (struct addr){ .family = AF_INET, .bytes = { 192, 0, 2, (uint8_t)(2 + balancer) } };
}

const struct backend *sim_balancer_backend(const struct sim_balancer *balancer, uint8_t agent)
{
	return registry_find(balancer->registry, balancer->sim->agents[agent].identity.name);
}

/* Sends to whom the address belongs. */
static int on_send(
	void *context, const struct session_path *path, const uint8_t *data, size_t size_bytes)
{
	struct sim_balancer *balancer = context;

	for (uint8_t i = 0; i < balancer->sim->n_agents; i++)
		if (addr_equal(&balancer->sim->agents[i].identity.real_ip, &path->remote.addr))
			sim_send(balancer->sim, false, balancer->number, i, data, size_bytes);
	return 0;
}

/* ---- publication ---- */

static const struct snapshot *snapshot_of(void *context)
{
	return ((const struct sim_balancer *)context)->snapshot;
}

static const struct fwd_service *service_of(uint16_t service, void *context)
{
	const struct sim_balancer *balancer = context;

	return balancer->snapshot ? snapshot_service(balancer->snapshot, service) : NULL;
}

static size_t link_of(const void *context, const struct addr *address)
{
	(void)context;
	(void)address;
	return 0;
}

/* By the agent's own words, as far as they were heard: it is up, and has the VIP for itself alone. */
static bool is_fit(const struct backend *backend, uint8_t vip)
{
	return backend->status.state == PROTO_STATE_UP && backend->status.vips[vip].present &&
		backend->status.vips[vip].silent;
}

static void note_backend(struct sim_balancer *balancer, const struct backend *backend, uint8_t vip,
	struct sim_serving *serving)
{
	struct registry_member member = { 0 };
	bool serves = backend &&
		registry_member_of(
			balancer->registry, backend, &balancer->services->registry[vip], &member) &&
		member.serves;

	if (!serves || !backend->takes_flows || backend->id != serving->backend)
		serving->not_us = balancer->sim->now_us;
	if (serves && backend->takes_flows)
		serving->none_us = 0;
	else if (serving->none_us == 0)
		serving->none_us = balancer->sim->now_us;
	serving->backend = backend ? backend->id : 0;
	serving->takes_new = serves && backend->takes_new && member.proven &&
		member.effective_weight > 0 && is_fit(backend, vip);
}

/* What is in force from now on. */
static void note_serving(struct sim_balancer *balancer)
{
	for (uint8_t vip = 0; vip < SIM_VIPS; vip++)
		for (uint8_t i = 0; i < balancer->sim->n_agents; i++)
			note_backend(balancer, sim_balancer_backend(balancer, i), vip,
				&balancer->serving[vip][i]);
}

static void publish_now(struct sim_balancer *balancer)
{
	const struct publish_request request = { balancer->services, balancer->registry,
		&balancer->links };
	struct balancer parts = { .registry = balancer->registry,
		.sessions = balancer->sessions,
		.role = balancer->role,
		.publish = balancer->publish,
		.service_ids = balancer->ids,
		.keep = balancer->keep,
		.boot_id = balancer->boot_id };
	struct snapshot *snapshot = NULL;
	int r = publish_build(balancer->publish, &request, balancer->sim->now_us, &snapshot);

	if (r < 0) {
		sim_fail(balancer->sim, "publish_build: %s", strerror(-r));
		return;
	}
	json_decref(balancer->document);
	balancer->document = document_make(&parts);
	snapshot_free(balancer->snapshot);
	balancer->snapshot = snapshot;
	balancer->publish_due = false;
	balancer->sim->totals.n_published++;
	note_serving(balancer);
}

static void housekeep(struct sim_balancer *balancer)
{
	uint64_t now_us = balancer->sim->now_us;
	bool again = publish_tick(balancer->publish, now_us), more;

	do {
		more = flow_walk_step(balancer->walk, (uint32_t)(now_us / US_PER_S));
		more |= publish_step(balancer->publish, now_us);
	} while (more);
	balancer->second_us = now_us + HOUSEKEEPING_US;
	if (!again)
		return;
	if (balancer->quiet_us == 0)
		balancer->quiet_us = now_us;
	publish_now(balancer);
}

/* ---- what the registry wants ---- */

static void act(struct sim_balancer *balancer)
{
	struct registry_action action;
	bool urgent = false;

	while (registry_next_action(balancer->registry, &action)) {
		switch (action.type) {
		case REGISTRY_HEARTBEAT:
			(void)session_heartbeat(
				balancer->sessions, action.backend, balancer->sim->now_us);
			break;
		case REGISTRY_FORGOTTEN:
			session_forget(balancer->sessions, action.backend);
			break;
		case REGISTRY_STATE:
			sim_tell(balancer->sim, "lb%u: %s %s -> %s: %s", balancer->number,
				registry_backend(balancer->registry, action.backend)->name,
				backend_state_name(action.old_state),
				backend_state_name(action.new_state),
				registry_backend(balancer->registry, action.backend)->reason);
			break;
		case REGISTRY_CHANGED:
			if (!balancer->publish_due)
				balancer->publish_us = balancer->sim->now_us + JOIN_US;
			balancer->publish_due = true;
			urgent |= action.urgent;
			break;
		default:
			break;
		}
	}
	if (urgent)
		publish_now(balancer);
}

void sim_balancer_act(struct sim_balancer *balancer)
{
	act(balancer);
	balancer->due_us = balancer->sim->now_us;
}

void sim_balancer_receive(struct sim_balancer *balancer, const struct sim_datagram *datagram)
{
	const struct session_arrival arrival = {
		.path = { .remote = { sim_agent_address(datagram->agent), PROTO_PORT },
			.local = sim_balancer_address(balancer->number) },
		.hop_limit = PROTO_TTL,
		.mac_is_source = true,
		.data = datagram->data,
		.size_bytes = datagram->size_bytes,
	};

	(void)session_receive(balancer->sessions, &arrival, balancer->sim->now_us);
	sim_balancer_act(balancer);
}

uint64_t sim_balancer_due_us(const struct sim_balancer *balancer)
{
	uint64_t due;

	if (!balancer->host.is_up)
		return balancer->back_us;
	due = MIN(balancer->due_us, balancer->second_us);
	if (balancer->publish_due)
		due = MIN(due, balancer->publish_us);
	return MAX(due, balancer->host.frozen_until_us);
}

void sim_balancer_work(struct sim_balancer *balancer)
{
	uint64_t now_us = balancer->sim->now_us;

	if (!balancer->host.is_up) {
		sim_balancer_start(balancer);
		return;
	}
	if (balancer->due_us <= now_us) {
		if (now_us > balancer->due_us + STALL_US)
			registry_stalled(balancer->registry, now_us - balancer->due_us, now_us);
		balancer->due_us = registry_tick(balancer->registry, now_us);
		act(balancer);
	}
	if (balancer->publish_due && balancer->publish_us <= now_us)
		publish_now(balancer);
	if (balancer->second_us <= now_us)
		housekeep(balancer);
}

/* ---- its life ---- */

static void configure(struct sim_balancer *balancer)
{
	const char text[] =
		"[balancer]\ninterface = eth0\n[virtual-server web]\n"
		"vip = 198.51.100.10, 198.51.100.11\nport = 80\ncheck = agent\ntcp-timeout = 20\n"
		"fin-timeout = 10\n";
	struct registry_config config = {
		.subnets = &subnet,
		.n_subnets = 1,
		.interval_us = SIM_INTERVAL_US,
		.fall = SIM_FALL,
		.rise = 2,
		.adopt = REGISTRY_ADOPT_AUTO,
	};
	struct ini_report *report = NULL;
	struct why why = { 0 };

	if (config_load_text("sim", text, sizeof(text) - 1, &balancer->config, &report) < 0 ||
		service_list_new(balancer->config, balancer->ids, &balancer->services) < 0)
		abort();
	ini_report_free(report);
	config.services = balancer->services->registry;
	config.n_services = balancer->services->len;
	if (registry_configure(balancer->registry, &config, balancer->sim->now_us, &why) < 0)
		sim_fail(balancer->sim, "registry_configure: %s", why.text);
}

static void make_sessions(struct sim_balancer *balancer)
{
	const struct session_calls calls = { .send = on_send, .context = balancer };
	struct session_config config = { .boot_id = balancer->boot_id,
		.interval_us = (uint32_t)SIM_INTERVAL_US,
		.multiplier = SIM_FALL };
	struct keyring *ring = NULL;
	struct why why = { 0 };

	for (size_t i = 0; i < sizeof(config.seed); i++)
		config.seed[i] = (uint8_t)sim_draw(balancer->sim, 256);
	balancer->sessions = session_new(&config, balancer->registry, &calls);
	if (!balancer->sessions ||
		keyring_parse("keys", key_file, sizeof(key_file) - 1, true, &ring, &why) < 0)
		abort();
	session_configure(balancer->sessions, ring, (uint32_t)SIM_INTERVAL_US, (uint8_t)SIM_FALL);
}

static void restore(struct sim_balancer *balancer)
{
	struct balancer parts = { .registry = balancer->registry,
		.sessions = balancer->sessions,
		.role = balancer->role,
		.publish = balancer->publish,
		.service_ids = balancer->ids,
		.keep = balancer->keep };

	document_restore(&parts, balancer->document);
}

/* In a directory of its own, unless it has one. */
static void open_keep(struct sim_balancer *balancer, bool *ret_fresh)
{
	struct why why = { 0 };

	if (!balancer->directory[0]) {
		snprintf(balancer->directory, sizeof(balancer->directory), "%s/%s-XXXXXX",
			getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
			getenv("DSR_TEST_RUN") ? getenv("DSR_TEST_RUN") : "dsr-sim");
		if (!mkdtemp(balancer->directory))
			abort();
	}
	if (keep_open(&(struct keep_config){ balancer->directory, KEEP_FILES, MAX_FLOWS },
		    &balancer->keep, ret_fresh, &why) < 0) {
		fprintf(stderr, "%s: %s\n", balancer->directory, why.text);
		abort();
	}
}

void sim_balancer_start(struct sim_balancer *balancer)
{
	struct sim *sim = balancer->sim;
	uint64_t kept_boot = 0;
	bool fresh;

	open_keep(balancer, &fresh);
	if (balancer->document)
		kept_boot = document_boot_id(
			balancer->document, keep_boot(balancer->keep), sim->now_us);
	balancer->boot_id = kept_boot ? kept_boot : 1 + sim_draw(sim, UINT32_MAX);
	balancer->registry = registry_new(1 + sim_draw(sim, UINT32_MAX));
	balancer->role = role_new();
	balancer->ids = service_ids_new();
	balancer->walk = flow_walk_new(keep_flows(balancer->keep), service_of, NULL, balancer);
	balancer->publish = publish_new(&(struct publish_config){
		balancer->keep, balancer->walk, "", fresh, snapshot_of, balancer });
	balancer->links = (struct publish_links){
		.own_mac = { { 2, 0, 0, 0, 1, balancer->number } },
		.out = { { 1, { { 2, 0, 0, 0, 1, balancer->number } }, 1500 } },
		.find = link_of,
		.active = true,
	};
	make_sessions(balancer);
	if (kept_boot)
		restore(balancer);
	configure(balancer);
	keep_sweep(balancer->keep);
	balancer->host = (struct sim_host){ .is_up = true };
	balancer->started_us = balancer->due_us = balancer->second_us = sim->now_us;
	balancer->quiet_us = fresh ? 0 : sim->now_us;
	for (uint8_t vip = 0; vip < SIM_VIPS && fresh; vip++)
		for (uint8_t i = 0; i < sim->n_agents; i++)
			balancer->serving[vip][i] = (struct sim_serving){ .not_us = sim->now_us };
	sim_tell(sim, "lb%u starts, %s", balancer->number,
		fresh ? "with nothing" : "with what it kept");
	act(balancer);
	publish_now(balancer);
}

void sim_balancer_forget(struct sim_balancer *balancer)
{
	if (balancer->directory[0])
		temp_dir_remove(balancer->directory);
	balancer->directory[0] = '\0';
	json_decref(TAKE_PTR(balancer->document));
}

void sim_balancer_kill(struct sim_balancer *balancer, bool is_empty)
{
	sim_tell(balancer->sim, "lb%u is killed", balancer->number);
	keep_preserve(balancer->keep);
	snapshot_free(TAKE_PTR(balancer->snapshot));
	publish_free(TAKE_PTR(balancer->publish));
	flow_walk_free(TAKE_PTR(balancer->walk));
	session_free(TAKE_PTR(balancer->sessions));
	registry_free(TAKE_PTR(balancer->registry));
	role_free(TAKE_PTR(balancer->role));
	service_list_free(TAKE_PTR(balancer->services));
	service_ids_free(TAKE_PTR(balancer->ids));
	config_free(TAKE_PTR(balancer->config));
	keep_free(TAKE_PTR(balancer->keep));
	balancer->host.is_up = false;
	balancer->publish_due = false;
	balancer->back_us = UINT64_MAX;
	if (is_empty)
		sim_balancer_forget(balancer);
}
