/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's checks on made-up hosts: a healthy one is all ok; each thing that is changed in it is found
 * under the id and with the command that it must have. And the manual explains every id.
 */
#include "lb/doctor/examine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <linux/capability.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/doctor/facts.h"

#define ETH0 2u
#define ETH1 3u
#define BR0  4u

#define CONFIGURATION \
	"[balancer]\ninterface = eth0\nbackend-interface = eth1\n" \
	"[virtual-server web]\nvip = 198.51.100.10, 2001:db8:f::10\nport = 80\n" \
	"real-server = 10.9.0.11 name=web2\n"

/* A host on which nothing is wrong, in arrays that a case may change. */
struct world {
	struct facts facts;
	struct survey_link links[3];
	struct survey_address addresses[4];
	struct survey_route routes[4];
	struct survey_neighbour neighbours[2];
	struct survey_filter filters[3];
};

static struct addr addr(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static void put_link(struct world *world, unsigned int ifindex, const char *name)
{
	struct survey_link *link = &world->links[world->facts.survey.n_links++];

	*link = (struct survey_link){ .ifindex = ifindex,
		.flags = IFF_UP | IFF_RUNNING,
		.mtu_bytes = 1500,
		.has_conf4 = true };
	snprintf(link->name, sizeof(link->name), "%s", name);
}

static void put_address(struct world *world, unsigned int ifindex, const char *text, uint8_t len)
{
	world->addresses[world->facts.survey.n_addresses++] = (struct survey_address){
		.ifindex = ifindex, .addr = addr(text), .prefix_len = len
	};
}

static json_t *document(void)
{
	json_t *status = json_pack(
		"{s:s, s:s, s:s, s:b, s:s, s:{s:I}, s:{s:b}, s:[], s:[], s:[{s:s, s:[{s:s, s:s, s:s, s:s}]}]}",
		"version", DSR_VERSION, "mode", "packet", "mode_reason", "as configured", "active",
		1, "inactive_reason", "", "packets", "forwarded", (json_int_t)0, "control",
		"listening", 1, "claims", "refusals", "virtual_servers", "name", "web", "backends",
		"name", "web1", "state", "up", "reason", "", "version", DSR_VERSION);

	assert_non_null(status);
	return status;
}

static void world_make(struct world *world)
{
	struct facts *facts = &world->facts;

	*world = (struct world){ .facts = { .config_path = "/etc/dsr-lb/dsr-lb.conf" } };
	assert_int_equal(config_load_text("test", CONFIGURATION, strlen(CONFIGURATION),
				 &facts->config, &facts->report),
		0);
	facts->service = (struct service){ .program = "dsr-lb",
		.directory = "/run/dsr-lb",
		.pid = 17,
		.has_process = true,
		.capabilities = UINT64_MAX & ~(UINT64_C(1) << CAP_SYS_ADMIN),
		.has_systemd = true,
		.has_unit = true,
		.is_enabled = true,
		.is_root = true,
		.status = document() };
	facts->keyfile = (struct keyfile){
		.path = strdup("/etc/dsr-lb/keys"), .n_keys = 1, .is_balancers = true
	};
	facts->survey.links = world->links;
	facts->survey.addresses = world->addresses;
	facts->survey.routes = world->routes;
	facts->survey.neighbours = world->neighbours;
	facts->filters = world->filters;
	put_link(world, ETH0, "eth0");
	put_link(world, ETH1, "eth1");
	put_address(world, ETH0, "192.0.2.2", 24);
	put_address(world, ETH1, "10.9.0.2", 24);
	world->routes[facts->survey.n_routes++] = (struct survey_route){
		.destination.addr.family = AF_INET,
		.gateway = addr("192.0.2.1"),
		.ifindex = ETH0,
		.type = RTN_UNICAST,
		.table = RT_TABLE_MAIN,
	};
	facts->echoes[facts->n_echoes++] = (struct echo_target){
		.addr = addr("10.9.0.11"), .mtu_bytes = 1500, .answers = true, .answers_full = true
	};
	facts->neighbours4 = facts->neighbours6 = 1024;
	facts->has_bpf = facts->has_btf = facts->has_jit = true;
}

/* The lists are the world's own. */
static void world_clear(struct world *world)
{
	world->facts.survey = (struct survey){ 0 };
	world->facts.filters = NULL;
	facts_clear(&world->facts);
}

static struct doctor *world_examine(const struct world *world)
{
	struct doctor *doctor = doctor_new();
	size_t n_checks;
	const struct doctor_check *checks = examine_checks(&n_checks);

	assert_non_null(doctor);
	doctor_run(doctor, checks, n_checks, &world->facts);
	return doctor;
}

static void a_healthy_host_is_all_ok(void **state)
{
	struct world world;
	struct doctor *doctor;

	world_make(&world);
	doctor = world_examine(&world);
	for (size_t idx = 0; idx < doctor_len(doctor); idx++) {
		const struct doctor_finding *finding = doctor_finding(doctor, idx);

		if (finding->state != DOCTOR_OK)
			fail_msg("%s: %s: %s", finding->id, finding->subject, finding->what);
	}
	assert_true(doctor_len(doctor) >= 20);
	doctor_free(doctor);
	world_clear(&world);
}

/* ---- what may be wrong ---- */

static void set(struct world *world, const char *name, json_t *value)
{
	assert_int_equal(json_object_set_new(world->facts.service.status, name, value), 0);
}

/* The one backend that there is. */
static void set_backend(
	struct world *world, const char *state, const char *reason, const char *version)
{
	set(world, "virtual_servers",
		json_pack("[{s:s, s:[{s:s, s:s, s:s, s:s}]}]", "name", "web", "backends", "name",
			"web1", "state", state, "reason", reason, "version", version));
}

static void it_does_not_run(struct world *world)
{
	json_decref(world->facts.service.status);
	world->facts.service.status = NULL;
	world->facts.service.error = -ECONNREFUSED;
	world->facts.service.has_process = false;
}

static void it_lacks_a_capability(struct world *world)
{
	world->facts.service.capabilities &= ~(UINT64_C(1) << CAP_BPF);
}

static void it_is_not_enabled(struct world *world)
{
	world->facts.service.is_enabled = false;
}

static void the_key_is_missing(struct world *world)
{
	world->facts.keyfile.error = -ENOENT;
}

static void it_is_on_standby(struct world *world)
{
	set(world, "active", json_false());
	set(world, "inactive_reason", json_string("on standby by an administrator"));
}

static void no_engine_starts(struct world *world)
{
	set(world, "active", json_false());
	set(world, "mode_reason", json_string("interface eth0 is not there"));
}

static void it_cannot_listen(struct world *world)
{
	set(world, "control", json_pack("{s:b, s:s}", "listening", 0, "listening_reason", "why"));
}

static void eth0_is_gone(struct world *world)
{
	snprintf(world->links[0].name, IFNAMSIZ, "eth7");
}

static void eth1_is_down(struct world *world)
{
	world->links[1].flags = 0;
}

static void eth0_has_no_cable(struct world *world)
{
	world->links[0].flags = IFF_UP;
}

static void eth0_is_a_port(struct world *world)
{
	put_link(world, BR0, "br0");
	world->links[0].master = BR0;
}

static void eth0_is_a_strange_bond(struct world *world)
{
	world->links[0].has_bond_mode = true;
	world->links[0].bond_mode = 6;
}

static void a_program_is_there(struct world *world)
{
	world->links[0].xdp_id = 9;
}

/* In the other modes frames come to ours before they come there. */
static void a_tc_program_is_first(struct world *world)
{
	set(world, "mode", json_string("tc"));
	world->facts.tcx_before = 9;
}

static void a_tc_program_is_behind(struct world *world)
{
	world->facts.tcx_before = 9;
}

static void put_filter(struct world *world, const char *kind, uint32_t priority)
{
	struct survey_filter *filter = &world->filters[world->facts.n_filters++];

	*filter = (struct survey_filter){ .priority = priority };
	snprintf(filter->kind, sizeof(filter->kind), "%s", kind);
}

/* Without tcx our program is a filter itself. */
static void a_filter_is_first(struct world *world)
{
	set(world, "mode", json_string("tc"));
	put_filter(world, "u32", 0xd59);
	put_filter(world, "bpf", 0xd5a);
}

static void the_filters_are_not_known(struct world *world)
{
	set(world, "mode", json_string("tc"));
	world->facts.filters_error = -EPERM;
}

static void a_filter_is_behind(struct world *world)
{
	set(world, "mode", json_string("tc"));
	put_filter(world, "bpf", 0xd5a);
	put_filter(world, "u32", 0xd5b);
}

/* At tcx ours is none of them, and before them all. */
static void a_filter_is_behind_tcx(struct world *world)
{
	set(world, "mode", json_string("tc"));
	put_filter(world, "u32", 1);
}

/* The packet engine's sockets have frames before it, too. */
static void a_filter_is_before_the_guard(struct world *world)
{
	put_filter(world, "u32", 1);
	put_filter(world, "bpf", 0xd5b);
}

static void eth0_joins_frames(struct world *world)
{
	world->facts.card = (struct facts_card){ .driver = "ixgbe", .has_lro = true };
}

static void eth0_takes_large_frames(struct world *world)
{
	world->facts.card = (struct facts_card){ .driver = "ixgbe" };
	world->links[0].mtu_bytes = world->links[1].mtu_bytes = 9000;
}

static void there_is_no_jit(struct world *world)
{
	world->facts.has_jit = false;
}

static void eth1_is_smaller(struct world *world)
{
	world->links[1].mtu_bytes = 1400;
}

static void a_backend_is_smaller(struct world *world)
{
	world->facts.echoes[0].answers_full = false;
}

static void it_is_a_router(struct world *world)
{
	world->facts.forwards4 = world->facts.forwards6 = true;
	/* The other VIP has its route. */
	world->routes[world->facts.survey.n_routes++] =
		(struct survey_route){ .destination = { addr("198.51.100.10"), 32 },
			.type = RTN_BLACKHOLE,
			.table = RT_TABLE_MAIN };
}

static void it_checks_reverse_paths(struct world *world)
{
	it_is_a_router(world);
	world->facts.all_rp_filter = 2;
}

/* In two virtual servers, which is no reason to count them twice. */
static void set_farm(struct world *world, unsigned int n_backends)
{
	json_t *backends = json_array();
	char name[16];

	for (unsigned int i = 0; i < n_backends; i++) {
		snprintf(name, sizeof(name), "web%u", i);
		json_array_append_new(backends,
			json_pack("{s:s, s:s, s:s, s:s}", "name", name, "state", "up", "reason", "",
				"version", DSR_VERSION));
	}
	set(world, "virtual_servers",
		json_pack("[{s:s, s:O}, {s:s, s:o}]", "name", "web", "backends", backends, "name",
			"dns", "backends", backends));
}

static void the_farm_is_large(struct world *world)
{
	set_farm(world, 513);
	world->facts.neighbours6 = 4096;
}

static void the_farm_is_as_large_as_it_may_be(struct world *world)
{
	set_farm(world, 512);
}

static void the_host_has_a_vip(struct world *world)
{
	put_address(world, ETH1, "2001:db8:f::10", 128);
}

static void somebody_claims(struct world *world)
{
	set(world, "claims",
		json_pack("[{s:s, s:s, s:n, s:I, s:f}]", "vip", "198.51.100.10", "mac",
			"02:00:00:00:00:01", "backend", "count", (json_int_t)1, "last_s", 2.0));
}

static void a_new_vip_is_somebodys(struct world *world)
{
	json_t *server =
		json_array_get(json_object_get(world->facts.service.status, "virtual_servers"), 0);

	assert_int_equal(json_object_set_new(server, "ready", json_true()), 0);
	assert_int_equal(
		json_object_set_new(server, "ready_reason",
			json_string("198.51.100.10 is not announced: 02:00:00:00:00:01 has it")),
		0);
}

static void the_router_is_away(struct world *world)
{
	world->neighbours[world->facts.survey.n_neighbours++] = (struct survey_neighbour){
		.addr = addr("192.0.2.1"), .ifindex = ETH0, .state = NUD_FAILED
	};
}

/* Announced for so long; `asker` NULL: nobody asked. Its other virtual server has had so many packets. */
static void announced(struct world *world, double since_s, const char *asker, json_int_t packets)
{
	set(world, "virtual_servers",
		json_pack(
			"[{s:s, s:[{s:s, s:s}], s:I, s:[{s:s, s:f, s:f, s:s?}]}, {s:s, s:[{s:s, s:s}], s:I, "
			"s:[{s:s, s:f, s:f, s:s?}]}]",
			"name", "web", "backends", "name", "web1", "state", "up", "packets",
			(json_int_t)0, "announced", "vip", "198.51.100.10", "since_s", since_s,
			"asked_s", 7.0, "asker", asker, "name", "dns", "backends", "name", "web1",
			"state", "up", "packets", packets, "announced", "vip", "198.51.100.10",
			"since_s", since_s, "asked_s", 7.0, "asker", asker));
}

static void nobody_was_heard_of_a_vip(struct world *world)
{
	announced(world, 601, NULL, 0);
}

static void the_announcement_is_fresh(struct world *world)
{
	announced(world, 599, NULL, 0);
}

static void somebody_asked_for_the_vip(struct world *world)
{
	announced(world, 601, "192.0.2.1", 0);
}

static void packets_came_for_the_vip(struct world *world)
{
	announced(world, 601, NULL, 1);
}

/* One VIP has its route; what a user put there for the other announces nothing. */
static void a_vip_has_no_route(struct world *world)
{
	static const uint8_t protocols[] = { 83, RTPROT_STATIC };
	static const char *const vips[] = { "198.51.100.10", "2001:db8:f::10" };

	world->facts.config->announce = CONFIG_ANNOUNCE_ROUTE;
	for (size_t i = 0; i < ARRAY_LEN(vips); i++) {
		struct addr vip = addr(vips[i]);

		world->routes[world->facts.survey.n_routes++] = (struct survey_route){
			.destination = { vip, vip.family == AF_INET ? 32 : 128 },
			.type = RTN_BLACKHOLE,
			.protocol = protocols[i],
			.table = RT_TABLE_MAIN
		};
	}
}

static void a_standby_announces_nothing(struct world *world)
{
	a_vip_has_no_route(world);
	set(world, "active", json_false());
}

/* The fixed address of eth0 is in another subnet. */
static void advertisements_may_move_backends(struct world *world)
{
	static const char text[] = "[balancer]\ninterface = eth0\nbackend-interface = eth0, eth1\n"
				   "[virtual-server web]\nvip = 198.51.100.10\nport = 80\n";

	config_free(world->facts.config);
	ini_report_free(world->facts.report);
	assert_int_equal(config_load_text("test", text, strlen(text), &world->facts.config,
				 &world->facts.report),
		0);
	world->links[0].takes_prefixes6 = world->links[1].takes_prefixes6 = true;
	put_address(world, ETH1, "2001:db8:b::2", 64);
	put_address(world, ETH0, "2001:db8:a::2", 64);
	world->addresses[3].lasting = true;
}

/* Then no advertisement counts. */
static void the_subnet_is_a_fixed_addresses(struct world *world)
{
	advertisements_may_move_backends(world);
	world->addresses[2].lasting = true;
}

/* A lease of DHCPv6 is no subnet. */
static void the_address_has_no_subnet(struct world *world)
{
	advertisements_may_move_backends(world);
	world->addresses[2].prefix_len = 128;
}

static void a_real_server_is_far(struct world *world)
{
	world->addresses[1].addr = addr("10.8.0.2");
}

static void a_backend_is_down(struct world *world)
{
	set_backend(world, "down", "no answer to 3 heartbeats", DSR_VERSION);
}

static void a_backend_is_disabled(struct world *world)
{
	set_backend(world, "maint", "disabled by an administrator", DSR_VERSION);
}

static void a_backend_waits(struct world *world)
{
	set_backend(world, "pending", "waits for approval: dsr-lb adopt web1", DSR_VERSION);
}

static void a_check_fails_at(struct world *world, const char *state)
{
	set(world, "virtual_servers",
		json_pack("[{s:s, s:[{s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:b, s:s}]}]}]", "name",
			"web", "backends", "name", "web1", "state", state, "reason", "why",
			"version", DSR_VERSION, "checks", "check", "path", "vip", "198.51.100.10",
			"ok", 0, "reason", "no answer"));
}

static void a_check_of_one_that_is_down_fails(struct world *world)
{
	a_check_fails_at(world, "down");
}

static void a_check_of_one_that_is_up_fails(struct world *world)
{
	a_check_fails_at(world, "up");
}

static void nobody_registered(struct world *world)
{
	set(world, "virtual_servers", json_pack("[{s:s, s:[]}]", "name", "web", "backends"));
}

static void an_agent_is_old(struct world *world)
{
	set_backend(world, "up", "", "0.0.1");
}

static void somebody_was_refused(struct world *world)
{
	set(world, "refusals",
		json_pack("[{s:s, s:s, s:s, s:I, s:f}]", "address", "10.9.0.12", "reason", "tag",
			"words", "its key 1 has other bytes than ours", "count", (json_int_t)4,
			"last_s", 2.0));
}

static void another_balancer_differs(struct world *world)
{
	set(world, "balancers",
		json_pack("[{s:s, s:n, s:[s], s:[{s:s, s:s}]}]", "address", "192.0.2.3", "name",
			"table_digests_differ", "web", "differences", "virtual_server", "web",
			"words", "has other weights"));
}

static void the_file_is_newer(struct world *world)
{
	world->facts.service.config = json_pack("[s]", "[balancer] interface = eth9");
}

static const struct {
	void (*plant)(struct world *world);
	const char *id;
	enum doctor_state state;
	const char *subject;
	const char *mend; /* NULL: none */
} faults[] = {
	{ it_does_not_run, "daemon", DOCTOR_FAIL, "dsr-lb", "systemctl start dsr-lb" },
	{ it_lacks_a_capability, "capabilities", DOCTOR_FAIL, "dsr-lb",
		"systemctl revert dsr-lb && systemctl restart dsr-lb" },
	{ it_is_not_enabled, "boot", DOCTOR_WARN, "dsr-lb", "systemctl enable dsr-lb" },
	{ the_file_is_newer, "config", DOCTOR_WARN, "/etc/dsr-lb/dsr-lb.conf", "dsr-lb reload" },
	{ the_key_is_missing, "key", DOCTOR_FAIL, "/etc/dsr-lb/keys",
		"(umask 077; dsr-lb keygen > /etc/dsr-lb/keys)" },
	{ it_is_on_standby, "state", DOCTOR_WARN, "balancer", "dsr-lb active" },
	{ no_engine_starts, "state", DOCTOR_FAIL, "balancer", NULL },
	{ it_cannot_listen, "listen", DOCTOR_FAIL, "agents", NULL },
	{ eth0_is_gone, "interface", DOCTOR_FAIL, "eth0", NULL },
	{ eth1_is_down, "interface", DOCTOR_FAIL, "eth1", "ip link set dev eth1 up" },
	{ eth0_has_no_cable, "interface", DOCTOR_FAIL, "eth0", NULL },
	{ eth0_is_a_port, "interface", DOCTOR_FAIL, "eth0", NULL },
	{ eth0_is_a_strange_bond, "bond", DOCTOR_WARN, "eth0", NULL },
	{ a_program_is_there, "mode", DOCTOR_WARN, "eth0", "ip link set dev eth0 xdp off" },
	{ a_tc_program_is_first, "mode", DOCTOR_WARN, "eth0", NULL },
	{ a_tc_program_is_behind, "mode", DOCTOR_OK, "eth0", NULL },
	{ a_filter_is_first, "mode", DOCTOR_WARN, "eth0",
		"tc filter del dev eth0 ingress pref 3417" },
	{ the_filters_are_not_known, "mode", DOCTOR_WARN, "eth0", NULL },
	{ a_filter_is_behind, "mode", DOCTOR_OK, "eth0", NULL },
	{ a_filter_is_behind_tcx, "mode", DOCTOR_OK, "eth0", NULL },
	{ a_filter_is_before_the_guard, "mode", DOCTOR_OK, "eth0", NULL },
	{ eth0_joins_frames, "mode", DOCTOR_WARN, "eth0", "ethtool -K eth0 lro off" },
	{ eth0_takes_large_frames, "mode", DOCTOR_WARN, "eth0", "ip link set dev eth0 mtu 3498" },
	{ there_is_no_jit, "kernel", DOCTOR_WARN, "kernel", "sysctl -w net.core.bpf_jit_enable=1" },
	{ eth1_is_smaller, "mtu", DOCTOR_WARN, "eth1", "ip link set dev eth1 mtu 1500" },
	{ a_backend_is_smaller, "mtu", DOCTOR_WARN, "10.9.0.11", NULL },
	{ it_is_a_router, "forwarding", DOCTOR_FAIL, "2001:db8:f::10",
		"ip route add blackhole 2001:db8:f::10 proto 217" },
	{ it_checks_reverse_paths, "rp-filter", DOCTOR_WARN, "eth1",
		"sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0" },
	{ the_farm_is_large, "neighbours", DOCTOR_WARN, "ipv4",
		"sysctl -w net.ipv4.neigh.default.gc_thresh3=4096" },
	{ the_farm_is_as_large_as_it_may_be, "neighbours", DOCTOR_OK, "neighbours", NULL },
	{ the_host_has_a_vip, "vip", DOCTOR_WARN, "2001:db8:f::10",
		"ip address del 2001:db8:f::10/128 dev eth1" },
	{ somebody_claims, "claim", DOCTOR_FAIL, "198.51.100.10", NULL },
	{ a_new_vip_is_somebodys, "claim", DOCTOR_FAIL, "web", NULL },
	{ the_router_is_away, "router", DOCTOR_FAIL, "192.0.2.1", NULL },
	{ nobody_was_heard_of_a_vip, "router", DOCTOR_WARN, "192.0.2.1", NULL },
	{ the_announcement_is_fresh, "router", DOCTOR_OK, "192.0.2.1", NULL },
	{ somebody_asked_for_the_vip, "router", DOCTOR_OK, "192.0.2.1", NULL },
	{ packets_came_for_the_vip, "router", DOCTOR_OK, "192.0.2.1", NULL },
	{ a_vip_has_no_route, "router", DOCTOR_FAIL, "2001:db8:f::10", NULL },
	{ a_standby_announces_nothing, "router", DOCTOR_OK, "192.0.2.1", NULL },
	{ a_real_server_is_far, "off-link", DOCTOR_FAIL, "10.9.0.11", NULL },
	{ advertisements_may_move_backends, "advertisements", DOCTOR_WARN, "eth0",
		"sysctl -w net/ipv6/conf/eth0/accept_ra=0" },
	{ advertisements_may_move_backends, "advertisements", DOCTOR_OK, "eth1", NULL },
	{ the_subnet_is_a_fixed_addresses, "advertisements", DOCTOR_OK, "eth0", NULL },
	{ the_address_has_no_subnet, "advertisements", DOCTOR_OK, "eth0", NULL },
	{ a_backend_is_down, "backend", DOCTOR_FAIL, "web1", NULL },
	{ a_backend_is_disabled, "backend", DOCTOR_WARN, "web1", "dsr-lb enable web1" },
	{ a_backend_waits, "backend", DOCTOR_WARN, "web1", "dsr-lb adopt web1" },
	{ a_check_of_one_that_is_down_fails, "check", DOCTOR_FAIL, "web1", NULL },
	{ a_check_of_one_that_is_up_fails, "check", DOCTOR_WARN, "web1", NULL },
	{ nobody_registered, "backend", DOCTOR_FAIL, "web", NULL },
	{ an_agent_is_old, "agent-version", DOCTOR_WARN, "web1", NULL },
	{ somebody_was_refused, "refused", DOCTOR_WARN, "10.9.0.12", NULL },
	{ another_balancer_differs, "tables", DOCTOR_WARN, "192.0.2.3", NULL },
};

static void check_fault(size_t idx, const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor_len(doctor); i++) {
		const struct doctor_finding *finding = doctor_finding(doctor, i);

		if (!streq(finding->id, faults[idx].id) ||
			!streq(finding->subject, faults[idx].subject) ||
			finding->state != faults[idx].state)
			continue;
		if (!faults[idx].mend)
			assert_null(finding->mend);
		else
			assert_string_equal(
				finding->mend ? finding->mend : "none", faults[idx].mend);
		return;
	}
	fail_msg("fault %zu: nothing is found under %s about %s", idx, faults[idx].id,
		faults[idx].subject);
}

static void each_fault_is_found_and_has_its_mend(void **state)
{
	for (size_t idx = 0; idx < ARRAY_LEN(faults); idx++) {
		struct world world;
		struct doctor *doctor;

		world_make(&world);
		faults[idx].plant(&world);
		doctor = world_examine(&world);
		check_fault(idx, doctor);
		doctor_free(doctor);
		world_clear(&world);
	}
}

#define MANUAL_PAGE "man/dsr-lb.8.scd"
#include "tests/unit/doctor_manual.h"

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_host_is_all_ok),
		cmocka_unit_test(each_fault_is_found_and_has_its_mend),
		cmocka_unit_test(the_manual_explains_each_check_and_no_other),
	};

	return cmocka_run_group_tests_name("examine", tests, NULL, NULL);
}
