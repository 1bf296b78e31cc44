/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of files, as systemd-sysctl and others read them. Called by examine.c. */
#include "agent/doctor/checks_files.h"

#include <fnmatch.h>

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

#define CHECKS_KEY_BYTES 256u

/* One assignment of sysctl.d(5): the name with slashes, as below /proc/sys. */
struct checks_assignment {
	char key[CHECKS_KEY_BYTES];
	bool is_pattern;
	bool is_excluded; /* patterns pass it over */
	long value;
};

/* Where the first separator is a dot, dots and slashes change places. */
static bool checks_parse(const char *text, struct checks_assignment *ret_assignment)
{
	struct checks_assignment assignment = { 0 };
	bool is_optional = text[0] == '-', is_dotted;
	const char *equals = strchr(text, '=');
	size_t len;

	text += is_optional;
	len = equals ? (size_t)(equals - text) : strlen(text);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0 || len >= CHECKS_KEY_BYTES || (!equals && !is_optional))
		return false;
	memcpy(assignment.key, text, len);
	is_dotted = assignment.key[strcspn(assignment.key, "./")] == '.';
	for (char *each = assignment.key; is_dotted && *each; each++)
		*each = *each == '.' ? '/' : *each == '/' ? '.' : *each;
	assignment.is_pattern = strpbrk(assignment.key, "*?[");
	assignment.is_excluded = !equals;
	assignment.value = equals ? strtol(equals + 1, NULL, 0) : 0;
	*ret_assignment = assignment;
	return true;
}

/* The line that has the last word about a setting; NULL: none speaks of it. What names it beats a pattern. */
static const struct facts_line *checks_last_word(
	const struct facts_lines *lines, const char *setting, long *ret_value)
{
	const struct facts_line *named = NULL, *pattern = NULL;
	long named_value = 0, pattern_value = 0;
	bool is_excluded = false;

	ARRAY_FOREACH (line, lines->items, lines->len) {
		struct checks_assignment assignment;

		if (!checks_parse(line->text, &assignment) ||
			fnmatch(assignment.key, setting, FNM_PATHNAME) != 0)
			continue;
		if (assignment.is_excluded) {
			is_excluded = true;
		} else if (assignment.is_pattern) {
			pattern = line;
			pattern_value = assignment.value;
		} else {
			named = line;
			named_value = assignment.value;
		}
	}
	*ret_value = named ? named_value : pattern_value;
	return named ? named : is_excluded ? NULL : pattern;
}

static void checks_mend_line(const struct facts_line *line, struct doctor *doctor)
{
	char word[DOCTOR_WORD_BYTES];

	doctor_mend(doctor, "sed -i '%us/^/# /' %s", line->number, doctor_word(line->path, word));
}

/* `all` spoils an interface only by what is more than right; others must be right themselves. */
static bool checks_is_spoilt(const char *which, bool is_ignore, long value)
{
	if (streq(which, "all"))
		return value < 0 || value > 2;
	return is_ignore ? value != 1 && value != 2 : value != 2;
}

static bool checks_sysctl_of(
	const struct facts *facts, const char *which, const char *name, struct doctor *doctor)
{
	char setting[CHECKS_KEY_BYTES], subject[DOCTOR_SUBJECT_BYTES];
	const struct facts_line *line;
	long value;

	snprintf(setting, sizeof(setting), "net/ipv4/conf/%s/%s", which, name);
	line = checks_last_word(&facts->files.sysctl, setting, &value);
	if (!line || !checks_is_spoilt(which, streq(name, "arp_ignore"), value))
		return false;
	snprintf(subject, sizeof(subject), "%s:%u", line->path, line->number);
	if (streq(which, "all"))
		doctor_fail(doctor, subject,
			"sets %s of all to %ld at the next boot, and spoils every interface", name,
			value);
	else
		doctor_warn(doctor, subject,
			"sets %s of %s to %ld at the next boot: it answers for a VIP until the agent "
			"has mended it",
			name, which, value);
	checks_mend_line(line, doctor);
	return true;
}

void checks_sysctl(const void *context, struct doctor *doctor)
{
	static const char *const names[] = { "arp_ignore", "arp_announce" };
	const struct facts *facts = context;
	bool found = false;

	if (!facts->config || facts->host_error < 0 || !facts_have_vip_of(facts, AF_INET))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		found |= checks_sysctl_of(facts, "all", names[i], doctor);
		found |= checks_sysctl_of(facts, "default", names[i], doctor);
		ARRAY_FOREACH (link, facts->host.links, facts->host.n_links) {
			if (link->arp && link->has_inet && !link->exempt)
				found |= checks_sysctl_of(facts, link->name, names[i], doctor);
		}
	}
	if (!found)
		doctor_ok(doctor, "sysctl.d", "no file spoils ARP silence at the next boot");
}

static void checks_networkd(const struct facts *facts, struct doctor *doctor)
{
	const char *file = facts->files.network_file;
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	char folder[DOCTOR_SUBJECT_BYTES + FACTS_FILE_BYTES], word[DOCTOR_WORD_BYTES];

	doctor_warn(doctor, facts->config->loopback,
		"systemd-networkd manages it by %s, and may take away a VIP that it does not know",
		file);
	snprintf(folder, sizeof(folder), "/etc/systemd/network/%s.d", base);
	doctor_word(folder, word);
	doctor_mend(doctor,
		"mkdir -p %s && printf '[Network]\\nKeepConfiguration=yes\\n' > %s/dsr-agent.conf && "
		"networkctl reload",
		word, word);
}

void checks_managed(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool is_networkds;

	if (!facts->config || facts->host_error < 0)
		return;
	is_networkds = facts->files.network_file[0] && !facts->files.network_keeps;
	if (is_networkds)
		checks_networkd(facts, doctor);
	if (facts->files.is_networkmanagers) {
		doctor_warn(doctor, facts->config->loopback,
			"NetworkManager manages it, and may take away a VIP that it does not know");
		doctor_mend(doctor,
			"mkdir -p /etc/NetworkManager/conf.d && printf "
			"'[keyfile]\\nunmanaged-devices+=interface-name:%s\\n' > "
			"/etc/NetworkManager/conf.d/dsr-agent.conf && nmcli general reload",
			facts->config->loopback);
	}
	if (!is_networkds && !facts->files.is_networkmanagers)
		doctor_ok(doctor, facts->config->loopback, "nobody else manages it");
}

void checks_leftover(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts->config || facts->host_error < 0)
		return;
	ARRAY_FOREACH (line, facts->files.leftovers.items, facts->files.leftovers.len) {
		char subject[DOCTOR_SUBJECT_BYTES], word[DOCTOR_WORD_BYTES];

		if (line->number == 0 || strstr(line->path, "/init.d/")) {
			doctor_warn(doctor, line->path,
				"is a script of a real server: at boot it puts a VIP there before all "
				"interfaces are silent");
			doctor_mend(doctor, "chmod a-x %s", doctor_word(line->path, word));
			continue;
		}
		snprintf(subject, sizeof(subject), "%s:%u", line->path, line->number);
		doctor_warn(doctor, subject,
			"is about a VIP: at boot it is there before all interfaces are silent (%.80s)",
			line->text);
		checks_mend_line(line, doctor);
	}
	if (facts->files.leftovers.len == 0)
		doctor_ok(doctor, "VIPs", "no other file puts one there at boot");
}
