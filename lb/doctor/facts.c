/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only place of the doctor that looks: configuration, daemon, netlink, ethtool, /proc/sys. Called by examine.c.
 */
#include "lb/doctor/facts.h"

#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/cli/cli.h"
#include "common/doctor/files.h"
#include "lb/config/config.h"

#define FACTS_DIRECTORY    "/run/dsr-lb"
#define FACTS_PROGRAM      "dsr_tc" /* dsr.bpf.c */
#define FACTS_PROGRAMS_MAX 64u
#define FACTS_TCX_INGRESS  46 /* BPF_TCX_INGRESS since Linux 6.6; the headers may be older */

/* A number of /proc/sys; `unknown` where it is not there. */
static uint32_t facts_sysctl(const char *name, uint32_t unknown)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	if (asprintf(&path, "/proc/sys/%s", name) < 0) {
		path = NULL;
		return unknown;
	}
	return files_read("", path, &text) == 0 ? (uint32_t)strtol(text, NULL, 10) : unknown;
}

static bool facts_ethtool(int fd, const char *interface, void *command)
{
	struct ifreq request = { .ifr_data = command };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static struct facts_card facts_read_card(const char *interface)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct facts_card card = { 0 };

	if (fd >= 0 && facts_ethtool(fd, interface, &info))
		snprintf(card.driver, sizeof(card.driver), "%.31s", info.driver);
	if (fd >= 0 && facts_ethtool(fd, interface, &flags))
		card.has_lro = flags.data & ETH_FLAG_LRO;
	return card;
}

static int facts_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static bool facts_is_our_program(uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr;
	_cleanup_close_ int fd = -1;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = facts_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return false;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	return facts_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && streq(info.name, FACTS_PROGRAM);
}

/* They run in the order in which they are listed, and filters of a qdisc behind them all. */
static uint32_t facts_read_tcx(const char *interface)
{
	uint32_t ids[FACTS_PROGRAMS_MAX] = { 0 };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = if_nametoindex(interface);
	attr.query.attach_type = FACTS_TCX_INGRESS;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = FACTS_PROGRAMS_MAX;
	if (facts_bpf(BPF_PROG_QUERY, &attr) < 0 || attr.query.prog_cnt == 0 ||
		facts_is_our_program(ids[0]))
		return 0;
	return ids[0];
}

static bool facts_is_asked(const struct facts *facts, const struct addr *address)
{
	ARRAY_FOREACH (echo, facts->echoes, facts->n_echoes) {
		if (addr_equal(&echo->addr, address))
			return true;
	}
	return false;
}

/* Real servers that are up, each once, with frames as long as the link to them takes. */
static void facts_ask_backends(struct facts *facts)
{
	const struct survey_link *link;
	json_t *server, *backend;
	struct addr address;
	size_t s, b;

	json_array_foreach (json_object_get(facts->service.status, "virtual_servers"), s, server) {
		json_array_foreach (json_object_get(server, "backends"), b, backend) {
			if (facts->n_echoes == ECHO_TARGETS_MAX ||
				!streq(facts_text(backend, "state"), "up") ||
				addr_parse(facts_text(backend, "address"), &address) < 0 ||
				facts_is_asked(facts, &address))
				continue;
			link = facts_link_of(facts, &address);
			if (!link && facts_n_backends(facts) == 1)
				link = facts_backends(facts, 0);
			if (!link)
				continue;
			facts->echoes[facts->n_echoes++] = (struct echo_target){ .addr = address,
				.mtu_bytes = link->mtu_bytes };
		}
	}
	facts->echo_error = echo_probe(facts->echoes, facts->n_echoes);
}

static int facts_read_host(const char *root, struct facts *facts)
{
	int r = survey_make(&facts->survey);

	if (r < 0)
		return r;
	if (facts->config) {
		facts->card = facts_read_card(facts->config->interface);
		facts->tcx_before = facts_read_tcx(facts->config->interface);
		facts->filters_error = survey_filters(if_nametoindex(facts->config->interface),
			&facts->filters, &facts->n_filters);
		facts_ask_backends(facts);
	}
	facts->forwards4 = facts_sysctl("net/ipv4/ip_forward", 0);
	facts->forwards6 = facts_sysctl("net/ipv6/conf/all/forwarding", 0);
	facts->all_rp_filter = facts_sysctl("net/ipv4/conf/all/rp_filter", 0);
	/* Of all network namespaces together, and told in the first one alone. */
	facts->neighbours4 = facts_sysctl("net/ipv4/neigh/default/gc_thresh3", 0);
	facts->neighbours6 = facts_sysctl("net/ipv6/neigh/default/gc_thresh3", 0);
	/* The setting is there in a kernel that has the system call. */
	facts->has_bpf = facts_sysctl("kernel/unprivileged_bpf_disabled", UINT32_MAX) != UINT32_MAX;
	facts->has_btf = files_exist(root, "/sys/kernel/btf/vmlinux");
	facts->has_jit = facts_sysctl("net/core/bpf_jit_enable", 1) != 0;
	return 0;
}

int facts_read(const struct cli *cli, const char *root, struct facts *ret_facts)
{
	struct facts facts = { 0 };
	int r;

	service_look(cli, FACTS_DIRECTORY, root, &facts.service);
	facts.config_path = service_config_path(&facts.service, cli);
	facts.config_error = config_load(facts.config_path, &facts.config, &facts.report);
	r = facts.config_error == -ENOMEM ? -ENOMEM : 0;
	if (r == 0 && facts.config)
		r = keyfile_look(facts.config->key_file, true, &facts.service, &facts.keyfile);
	if (r == 0) {
		facts.host_error = facts_read_host(root, &facts);
		r = facts.host_error == -ENOMEM ? -ENOMEM : 0;
	}
	if (r < 0)
		facts_clear(&facts);
	else
		*ret_facts = facts;
	return r;
}

void facts_clear(struct facts *facts)
{
	service_clear(&facts->service);
	config_free(facts->config);
	ini_report_free(facts->report);
	keyfile_clear(&facts->keyfile);
	survey_clear(&facts->survey);
	free(facts->filters);
	*facts = (struct facts){ 0 };
}

const struct survey_link *facts_clients(const struct facts *facts)
{
	return survey_link_by_name(&facts->survey, facts->config->interface);
}

size_t facts_n_backends(const struct facts *facts)
{
	return facts->config->backend_interfaces.len;
}

const struct survey_link *facts_backends(const struct facts *facts, size_t idx)
{
	return survey_link_by_name(&facts->survey, config_backend_interface(facts->config, idx));
}

const struct survey_link *facts_link_of(const struct facts *facts, const struct addr *address)
{
	for (size_t i = 0; i < facts_n_backends(facts); i++) {
		const struct survey_link *link = facts_backends(facts, i);

		if (link && survey_is_on_link(&facts->survey, link->ifindex, address))
			return link;
	}
	return NULL;
}

bool facts_are_whole(const struct facts *facts)
{
	return facts->config && facts->host_error == 0;
}

const char *facts_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}
