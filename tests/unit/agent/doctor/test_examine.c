/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's checks on made-up hosts: a healthy one is all ok; each thing that is changed in it is found under
 * the id and with the command that it must have. And the manual explains every id.
 */
#include "agent/doctor/examine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <cmocka.h>

#include "agent/doctor/facts.h"
#include "common/grow.h"

#define LO   1u
#define ETH0 2u
#define ETH1 3u

#define CONFIGURATION \
	"[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10, 2001:db8:f::10\nname = web1\n"

/* A host on which nothing is wrong, in arrays that a case may change. */
struct world {
	struct facts facts;
	struct host_link links[3];
	struct host_address addresses[8];
	struct survey_link survey_links[3];
	struct survey_neighbour neighbours[2];
	struct listener listeners[4];
};

static struct addr addr(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static void put_link(struct world *world, unsigned int ifindex, const char *name, bool arp)
{
	struct facts *facts = &world->facts;
	struct host_link *link = &world->links[facts->host.n_links++];
	struct survey_link *seen = &world->survey_links[facts->survey.n_links++];

	*link = (struct host_link){ .ifindex = ifindex,
		.up = true,
		.arp = arp,
		.has_inet = true,
		.arp_ignore = 1,
		.arp_announce = 2 };
	*seen = (struct survey_link){
		.ifindex = ifindex, .mtu_bytes = arp ? 1500 : 65536, .has_conf4 = true
	};
	snprintf(link->name, sizeof(link->name), "%s", name);
	snprintf(seen->name, sizeof(seen->name), "%s", name);
}

static struct host_address *put_address(
	struct world *world, unsigned int ifindex, const char *text, uint8_t prefix_len)
{
	struct host_address *address = &world->addresses[world->facts.host.n_addresses++];

	*address = (struct host_address){
		.ifindex = ifindex, .addr = addr(text), .prefix_len = prefix_len
	};
	return address;
}

static void put_service(struct service *service)
{
	*service = (struct service){ .program = "dsr-agent",
		.directory = "/run/dsr-agent",
		.pid = 17,
		.has_process = true,
		.capabilities = UINT64_C(1) << CAP_NET_ADMIN,
		.has_systemd = true,
		.has_unit = true,
		.is_enabled = true,
		.is_root = true,
		.status = json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "version",
			DSR_VERSION, "state", "up", "reason", "", "name", "web1", "admin", "enable",
			"balancers", "address", "192.0.2.2", "state", "up", "reason", "") };
	assert_non_null(service->status);
}

static void world_make(struct world *world)
{
	struct facts *facts = &world->facts;

	*world = (struct world){ .facts = { .config_path = "/etc/dsr-agent/dsr-agent.conf" } };
	assert_int_equal(config_load_text("test", CONFIGURATION, strlen(CONFIGURATION),
				 &facts->config, &facts->report),
		0);
	put_service(&facts->service);
	facts->keyfile = (struct keyfile){ .path = strdup("/etc/dsr-agent/key"), .n_keys = 1 };
	facts->host.links = world->links;
	facts->host.addresses = world->addresses;
	facts->survey.links = world->survey_links;
	facts->survey.neighbours = world->neighbours;
	put_link(world, LO, "lo", false);
	put_link(world, ETH0, "eth0", true);
	put_link(world, ETH1, "eth1", true);
	put_address(world, ETH0, "192.0.2.11", 24);
	put_address(world, LO, "198.51.100.10", 32);
	put_address(world, LO, "2001:db8:f::10", 128);
	/* An alias of the agent's own. */
	snprintf(world->addresses[1].label, IFNAMSIZ, "lo:1");
	facts->undo.added[facts->undo.n_added++] =
		(struct host_added){ .addr = addr("198.51.100.10"), .ifindex = LO };
	facts->has_identity = true;
	facts->identity = (struct identity){
		.real_ip = addr("192.0.2.11"), .ifindex = ETH0, .interface = "eth0"
	};
	facts->answer4.route =
		(struct survey_route){ .gateway = addr("192.0.2.1"), .ifindex = ETH0 };
	facts->answer6.route =
		(struct survey_route){ .gateway = addr("2001:db8::1"), .ifindex = ETH0 };
	facts->to_balancer[0].route.ifindex = ETH0;
	facts->echoes[0] = (struct echo_target){
		.addr = addr("192.0.2.2"), .mtu_bytes = 1500, .answers = true, .answers_full = true
	};
	facts->listeners = world->listeners;
	world->listeners[facts->n_listeners++] = (struct listener){
		.takes4 = true, .takes6 = true, .protocol = IPPROTO_TCP, .port = 80
	};
	facts->answers[facts->n_answers++] = (struct answers_place){
		.place = { addr("198.51.100.10"), 80 }, .is_asked = true, .is_answered = true
	};
	facts->tcp_syncookies = 1;
	facts->has_undo = true;
}

/* The lists are the world's own. */
static void world_clear(struct world *world)
{
	world->facts.host = (struct host){ 0 };
	world->facts.survey = (struct survey){ 0 };
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
	assert_true(doctor_len(doctor) > 20);
	doctor_free(doctor);
	world_clear(&world);
}

/* ---- what may be wrong ---- */

static void all_is_noisy(struct world *world)
{
	world->facts.host.all_arp_ignore = 8;
}

static void eth1_answers(struct world *world)
{
	world->links[2].arp_ignore = 0;
	world->links[2].arp_announce = 0;
}

/* A stricter value of the administrator's stays. */
static void eth1_announces(struct world *world)
{
	world->links[2].arp_ignore = 2;
	world->links[2].arp_announce = 1;
	snprintf(world->links[2].name, IFNAMSIZ, "eth0.7");
}

static void new_ones_are_odd(struct world *world)
{
	world->facts.fresh.arp_ignore = 8;
}

static void eth0_is_a_proxy(struct world *world)
{
	world->survey_links[1].conf4[IPV4_DEVCONF_PROXY_ARP - 1] = 1;
}

static void all_is_a_proxy(struct world *world)
{
	world->facts.all.proxy_ndp = 1;
}

static void eth0_proxies_a_vip(struct world *world)
{
	world->neighbours[0] = (struct survey_neighbour){
		.addr = addr("2001:db8:f::10"), .ifindex = ETH0, .is_proxied = true
	};
	world->facts.survey.n_neighbours = 1;
}

static void a_vip_is_missing(struct world *world)
{
	world->facts.host.n_addresses--;
}

static void it_does_not_run(struct world *world)
{
	json_decref(world->facts.service.status);
	world->facts.service.status = NULL;
	world->facts.service.error = -ENOENT;
	world->facts.service.has_process = false;
	world->facts.host.n_addresses--;
}

static void it_does_not_run_without_systemd(struct world *world)
{
	it_does_not_run(world);
	world->facts.service.has_unit = false;
	snprintf(world->facts.service.again, sizeof(world->facts.service.again), " --config /x");
}

static void loopback_is_down(struct world *world)
{
	world->links[0].up = false;
}

static void a_vip_has_a_subnet(struct world *world)
{
	put_address(world, LO, "198.51.100.10", 24);
}

static void a_vip_is_on_eth0(struct world *world)
{
	put_address(world, ETH0, "2001:db8:f::10", 64);
}

/* Where nobody asks by ARP it harms nobody today. */
static void a_vip_is_there_twice(struct world *world)
{
	world->links[2].arp = false;
	put_address(world, ETH1, "198.51.100.10", 32);
}

static void a_vip_is_an_alias(struct world *world)
{
	world->facts.undo.n_added = 0;
}

static void there_is_no_way_out(struct world *world)
{
	world->facts.answer6.error = -ENETUNREACH;
}

static void answers_go_through_the_balancer(struct world *world)
{
	world->facts.answer4.route.gateway = addr("192.0.2.2");
}

static void reverse_paths_are_strict(struct world *world)
{
	world->facts.answer4.route.ifindex = ETH1;
	world->facts.all.rp_filter = 1;
}

static void eth1_is_smaller(struct world *world)
{
	world->facts.answer4.route.ifindex = ETH1;
	world->survey_links[2].mtu_bytes = 1400;
}

static void the_balancer_is_smaller(struct world *world)
{
	world->facts.echoes[0].answers_full = false;
}

/* It may have its reasons. */
static void the_balancer_is_silent(struct world *world)
{
	world->facts.echoes[0].answers_full = world->facts.echoes[0].answers = false;
}

static void balancers_may_not_be_asked(struct world *world)
{
	world->facts.echo_error = -EACCES;
	world->facts.service.is_root = false;
}

static void the_balancer_is_far(struct world *world)
{
	world->facts.to_balancer[0].route.gateway = addr("192.0.2.1");
}

static void cookies_for_all(struct world *world)
{
	world->facts.tcp_syncookies = 2;
}

static void time_wait_is_recycled(struct world *world)
{
	world->facts.tcp_tw_recycle = 1;
}

static void it_lacks_a_capability(struct world *world)
{
	world->facts.service.capabilities = 0;
}

static void it_is_not_enabled(struct world *world)
{
	world->facts.service.is_enabled = false;
}

static void it_is_old(struct world *world)
{
	json_object_set_new(world->facts.service.status, "version", json_string("0.0.1"));
}

static void it_is_elsewhere(struct world *world)
{
	world->facts.service.in_other_network = true;
}

static void it_may_not_be_asked(struct world *world)
{
	json_decref(world->facts.service.status);
	world->facts.service.status = NULL;
	world->facts.service.error = -EACCES;
	world->facts.service.is_root = false;
}

static void the_key_is_open(struct world *world)
{
	world->facts.keyfile.is_open = true;
	world->facts.keyfile.mode = 0644;
	world->facts.keyfile.error = -EACCES;
}

static void the_key_is_hidden(struct world *world)
{
	world->facts.keyfile.error = -EACCES;
	world->facts.service.is_root = false;
}

static void the_key_is_somebodys(struct world *world)
{
	world->facts.keyfile.is_foreign = true;
	world->facts.keyfile.error = -EACCES;
}

static void it_is_drained(struct world *world)
{
	json_object_set_new(world->facts.service.status, "state", json_string("drain"));
	json_object_set_new(world->facts.service.status, "admin", json_string("drain"));
}

static void nobody_answers(struct world *world)
{
	json_t *balancer =
		json_array_get(json_object_get(world->facts.service.status, "balancers"), 0);

	json_object_set_new(balancer, "state", json_string("pending"));
	json_object_set_new(balancer, "reason", json_string("no answer from 192.0.2.2"));
}

static void a_check_fails(struct world *world)
{
	json_object_set_new(world->facts.service.status, "checks",
		json_pack("[{s:s, s:s, s:s}]", "name", "unit:nginx", "state", "down", "reason",
			"inactive"));
}

static void a_check_warns(struct world *world)
{
	json_object_set_new(world->facts.service.status, "checks",
		json_pack("[{s:s, s:s, s:b, s:s}]", "name", "exec:x", "state", "up", "warning", 1,
			"reason", "slow"));
}

static void put_listener(struct world *world, const char *text, uint16_t port)
{
	world->listeners[world->facts.n_listeners++] =
		(struct listener){ .address = addr(text), .protocol = IPPROTO_TCP, .port = port };
}

static void a_service_is_at_the_real_ip(struct world *world)
{
	put_listener(world, "192.0.2.11", 443);
}

/* As is one that clients never ask. */
static void a_service_is_at_both(struct world *world)
{
	put_listener(world, "192.0.2.11", 443);
	put_listener(world, "198.51.100.10", 443);
	put_listener(world, "192.0.2.11", 22);
}

static void requests_are_dropped(struct world *world)
{
	world->facts.answers[0].is_answered = false;
}

/* Of what nobody asked for, or just now, nothing is known. */
static void nobody_asks(struct world *world)
{
	world->facts.answers[0].is_asked = world->facts.answers[0].is_answered = false;
}

static void requests_are_hidden(struct world *world)
{
	world->facts.answers_error = -EPERM;
	world->facts.service.is_root = false;
}

static void nobody_listens(struct world *world)
{
	world->listeners[0].port = 22;
}

static void nobody_listens_by_ipv6(struct world *world)
{
	world->listeners[0].takes6 = false;
}

static void sockets_are_hidden(struct world *world)
{
	world->facts.listeners_error = -EPERM;
}

static void the_file_is_newer(struct world *world)
{
	world->facts.service.config = json_pack("[s]", "[agent] balancer = 192.0.2.3");
}

/* Files in the order in which they are read; the last word counts, and what names it beats a pattern. */
static void put_line(
	struct facts_lines *lines, const char *path, unsigned int number, const char *text)
{
	assert_int_equal(GROW(lines->items, lines->len), 0);
	lines->items[lines->len++] =
		(struct facts_line){ .path = strdup(path), .number = number, .text = strdup(text) };
}

static void a_file_spoils_all(struct world *world)
{
	struct facts_lines *lines = &world->facts.files.sysctl;

	put_line(lines, "/etc/sysctl.d/10-a.conf", 1, "net.ipv4.conf.all.arp_ignore = 0");
	put_line(lines, "/etc/sysctl.d/20-b.conf", 3, "net/ipv4/conf/all/arp_ignore=8");
}

static void a_pattern_spoils_one(struct world *world)
{
	struct facts_lines *lines = &world->facts.files.sysctl;

	put_line(lines, "/etc/sysctl.d/10-a.conf", 1, "net.ipv4.conf.eth0.arp_announce = 2");
	put_line(lines, "/etc/sysctl.d/10-a.conf", 2, "-net.ipv4.conf.default.arp_announce");
	put_line(lines, "/usr/lib/sysctl.d/20-b.conf", 7, "-net.ipv4.conf.*.arp_announce = 1");
}

static void a_file_is_right_in_the_end(struct world *world)
{
	struct facts_lines *lines = &world->facts.files.sysctl;

	put_line(lines, "/etc/sysctl.d/10-a.conf", 1, "net.ipv4.conf.all.arp_ignore = 8");
	put_line(lines, "/etc/sysctl.d/20-b.conf", 1, "net.ipv4.conf.all.arp_ignore = 1");
	put_line(lines, "/etc/sysctl.d/20-b.conf", 2, "net.ipv4.conf.eth1.arp_ignore = 0");
	put_line(lines, "/etc/sysctl.d/20-b.conf", 3, "net.ipv4.conf.eth1.arp_ignore = 2");
	put_line(lines, "/etc/sysctl.d/20-b.conf", 4, "net.ipv4.conf.eth7.arp_ignore = 0");
}

static void networkd_manages_it(struct world *world)
{
	snprintf(world->facts.files.network_file, FACTS_FILE_BYTES,
		"/usr/lib/systemd/network/lo.network");
}

static void networkmanager_manages_it(struct world *world)
{
	world->facts.files.is_networkmanagers = true;
}

static void a_script_is_left(struct world *world)
{
	put_line(&world->facts.files.leftovers, "/etc/init.d/realserver", 0, "");
}

static void a_line_is_left(struct world *world)
{
	put_line(&world->facts.files.leftovers, "/etc/rc.local", 4,
		"ip a a 198.51.100.10/32 dev lo");
}

static const struct {
	void (*plant)(struct world *world);
	const char *id;
	enum doctor_state state;
	const char *subject;
	const char *mend; /* NULL: none */
} faults[] = {
	{ all_is_noisy, "arp", DOCTOR_FAIL, "all", "sysctl -w net.ipv4.conf.all.arp_ignore=0" },
	{ eth1_answers, "arp", DOCTOR_FAIL, "eth1",
		"sysctl -w net.ipv4.conf.eth1.arp_ignore=1 net.ipv4.conf.eth1.arp_announce=2" },
	{ eth1_announces, "arp", DOCTOR_FAIL, "eth0.7",
		"sysctl -w net/ipv4/conf/eth0.7/arp_ignore=2 net/ipv4/conf/eth0.7/arp_announce=2" },
	{ new_ones_are_odd, "arp-default", DOCTOR_WARN, "default",
		"sysctl -w net.ipv4.conf.default.arp_ignore=1 net.ipv4.conf.default.arp_announce=2" },
	{ eth0_is_a_proxy, "proxy-arp", DOCTOR_WARN, "eth0",
		"sysctl -w net.ipv4.conf.eth0.proxy_arp=0" },
	{ all_is_a_proxy, "proxy-ndp", DOCTOR_WARN, "all",
		"sysctl -w net.ipv6.conf.all.proxy_ndp=0" },
	{ eth0_proxies_a_vip, "proxy-ndp", DOCTOR_FAIL, "eth0",
		"ip neigh del proxy 2001:db8:f::10 dev eth0" },
	{ a_vip_is_missing, "vip", DOCTOR_FAIL, "2001:db8:f::10",
		"ip address add 2001:db8:f::10/128 dev lo nodad preferred_lft 0" },
	{ it_does_not_run, "daemon", DOCTOR_FAIL, "dsr-agent", "systemctl start dsr-agent" },
	{ it_does_not_run, "vip", DOCTOR_FAIL, "2001:db8:f::10", "systemctl start dsr-agent" },
	{ it_does_not_run_without_systemd, "daemon", DOCTOR_FAIL, "dsr-agent",
		"setsid --fork dsr-agent run --config /x > /dev/null 2>&1" },
	{ loopback_is_down, "vip", DOCTOR_FAIL, "lo", "ip link set lo up" },
	{ a_vip_has_a_subnet, "vip-prefix", DOCTOR_FAIL, "198.51.100.10",
		"ip address del 198.51.100.10/24 dev lo" },
	{ a_vip_is_on_eth0, "vip-place", DOCTOR_FAIL, "2001:db8:f::10",
		"ip address del 2001:db8:f::10/64 dev eth0" },
	{ a_vip_is_there_twice, "vip-place", DOCTOR_WARN, "198.51.100.10",
		"ip address del 198.51.100.10/32 dev eth1" },
	{ a_vip_is_an_alias, "vip-alias", DOCTOR_WARN, "198.51.100.10",
		"ip address del 198.51.100.10/32 dev lo" },
	{ there_is_no_way_out, "route", DOCTOR_FAIL, "IPv6", NULL },
	{ answers_go_through_the_balancer, "route", DOCTOR_WARN, "IPv4", NULL },
	{ reverse_paths_are_strict, "rp-filter", DOCTOR_FAIL, "eth0",
		"sysctl -w net.ipv4.conf.eth0.rp_filter=2" },
	{ eth1_is_smaller, "mtu", DOCTOR_WARN, "eth0", "ip link set dev eth0 mtu 1400" },
	{ the_balancer_is_smaller, "mtu", DOCTOR_WARN, "192.0.2.2", NULL },
	{ the_balancer_is_silent, "mtu", DOCTOR_OK, "192.0.2.2", NULL },
	{ balancers_may_not_be_asked, "mtu", DOCTOR_WARN, "balancers", "sudo dsr-agent doctor" },
	{ the_balancer_is_far, "off-link", DOCTOR_FAIL, "192.0.2.2", NULL },
	{ cookies_for_all, "tcp", DOCTOR_WARN, "tcp_syncookies",
		"sysctl -w net.ipv4.tcp_syncookies=1" },
	{ time_wait_is_recycled, "tcp", DOCTOR_FAIL, "tcp_tw_recycle",
		"sysctl -w net.ipv4.tcp_tw_recycle=0" },
	{ it_lacks_a_capability, "capabilities", DOCTOR_FAIL, "dsr-agent",
		"systemctl revert dsr-agent && systemctl restart dsr-agent" },
	{ it_is_not_enabled, "boot", DOCTOR_WARN, "dsr-agent", "systemctl enable dsr-agent" },
	{ it_is_old, "daemon", DOCTOR_WARN, "dsr-agent", "systemctl restart dsr-agent" },
	{ it_is_elsewhere, "daemon", DOCTOR_WARN, "dsr-agent",
		"nsenter --net=/proc/17/ns/net dsr-agent doctor" },
	{ it_may_not_be_asked, "daemon", DOCTOR_WARN, "dsr-agent", "sudo dsr-agent doctor" },
	{ the_key_is_open, "key", DOCTOR_FAIL, "/etc/dsr-agent/key",
		"chmod 600 /etc/dsr-agent/key" },
	{ the_key_is_hidden, "key", DOCTOR_WARN, "/etc/dsr-agent/key", "sudo dsr-agent doctor" },
	{ the_key_is_somebodys, "key", DOCTOR_FAIL, "/etc/dsr-agent/key",
		"chown root /etc/dsr-agent/key" },
	{ it_is_drained, "state", DOCTOR_WARN, "web1", "dsr-agent enable" },
	{ nobody_answers, "balancer", DOCTOR_FAIL, "192.0.2.2", NULL },
	{ a_check_fails, "check", DOCTOR_FAIL, "unit:nginx", NULL },
	{ a_check_warns, "check", DOCTOR_WARN, "exec:x", NULL },
	{ a_service_is_at_the_real_ip, "listener", DOCTOR_WARN, "192.0.2.11", NULL },
	{ a_service_is_at_both, "listener", DOCTOR_OK, "198.51.100.10", NULL },
	{ requests_are_dropped, "filter", DOCTOR_FAIL, "198.51.100.10:80", NULL },
	{ nobody_asks, "filter", DOCTOR_OK, "requests", NULL },
	{ requests_are_hidden, "filter", DOCTOR_WARN, "requests", "sudo dsr-agent doctor" },
	{ nobody_listens, "listener", DOCTOR_WARN, "198.51.100.10", NULL },
	{ nobody_listens_by_ipv6, "listener", DOCTOR_WARN, "2001:db8:f::10", NULL },
	{ sockets_are_hidden, "listener", DOCTOR_WARN, "sockets", NULL },
	{ the_file_is_newer, "config", DOCTOR_WARN, "/etc/dsr-agent/dsr-agent.conf",
		"dsr-agent reload" },
	{ a_file_spoils_all, "sysctl", DOCTOR_FAIL, "/etc/sysctl.d/20-b.conf:3",
		"sed -i '3s/^/# /' /etc/sysctl.d/20-b.conf" },
	{ a_pattern_spoils_one, "sysctl", DOCTOR_WARN, "/usr/lib/sysctl.d/20-b.conf:7",
		"sed -i '7s/^/# /' /usr/lib/sysctl.d/20-b.conf" },
	{ a_file_is_right_in_the_end, "sysctl", DOCTOR_OK, "sysctl.d", NULL },
	{ networkd_manages_it, "managed", DOCTOR_WARN, "lo",
		"mkdir -p /etc/systemd/network/lo.network.d && printf "
		"'[Network]\\nKeepConfiguration=yes\\n' > "
		"/etc/systemd/network/lo.network.d/dsr-agent.conf && networkctl reload" },
	{ networkmanager_manages_it, "managed", DOCTOR_WARN, "lo",
		"mkdir -p /etc/NetworkManager/conf.d && printf "
		"'[keyfile]\\nunmanaged-devices+=interface-name:lo\\n' > "
		"/etc/NetworkManager/conf.d/dsr-agent.conf && nmcli general reload" },
	{ a_script_is_left, "leftover", DOCTOR_WARN, "/etc/init.d/realserver",
		"chmod a-x /etc/init.d/realserver" },
	{ a_line_is_left, "leftover", DOCTOR_WARN, "/etc/rc.local:4",
		"sed -i '4s/^/# /' /etc/rc.local" },
};

static void check_fault(size_t idx, const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor_len(doctor); i++) {
		const struct doctor_finding *finding = doctor_finding(doctor, i);

		if (!streq(finding->id, faults[idx].id) ||
			!streq(finding->subject, faults[idx].subject) ||
			finding->state != faults[idx].state)
			continue;
		if (faults[idx].mend)
			assert_non_null(finding->mend);
		else
			assert_null(finding->mend);
		if (faults[idx].mend)
			assert_string_equal(finding->mend, faults[idx].mend);
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

/* What it finds about new interfaces, where they begin with these. */
static void expect_new_ones(uint32_t arp_ignore, uint32_t arp_announce, const char *words)
{
	const struct doctor_finding *found = NULL;
	struct world world;
	struct doctor *doctor;

	world_make(&world);
	world.facts.fresh.arp_ignore = arp_ignore;
	world.facts.fresh.arp_announce = arp_announce;
	doctor = world_examine(&world);
	for (size_t idx = 0; idx < doctor_len(doctor); idx++)
		if (streq(doctor_finding(doctor, idx)->id, "arp-default"))
			found = doctor_finding(doctor, idx);
	assert_non_null(found);
	assert_int_equal(found->state, DOCTOR_OK);
	assert_non_null(strstr(found->what, words));
	doctor_free(doctor);
	world_clear(&world);
}

static void new_interfaces_are_silent_at_once_or_soon(void **state)
{
	expect_new_ones(1, 2, "silent from the start");
	expect_new_ones(0, 2, "within 100 ms");
	expect_new_ones(1, 0, "within 100 ms");
}

#define MANUAL_PAGE "man/dsr-agent.8.scd"
#include "tests/unit/doctor_manual.h"

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_host_is_all_ok),
		cmocka_unit_test(each_fault_is_found_and_has_its_mend),
		cmocka_unit_test(new_interfaces_are_silent_at_once_or_soon),
		cmocka_unit_test(the_manual_explains_each_check_and_no_other),
	};

	return cmocka_run_group_tests_name("examine", tests, NULL, NULL);
}
