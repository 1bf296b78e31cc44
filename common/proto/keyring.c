/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key file: who may read it, its lines, and what the bindings of a line allow. The file is
 * opened once and everything is asked of the descriptor, so that it cannot be exchanged between
 * the question and the reading.
 */
#include "common/proto/keyring.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/read_all.h"

#define SPACE     " \t\r"
#define ACL_MAX   32u /* entries that are looked at; more are refused */
#define WORD_SHOW 40  /* of an unknown word, in a message */

/* Where a complaint belongs. */
struct place {
	const char *name;
	size_t line;
	struct why *ret_why;
};

_printf_(2, 3) static int complain(const struct place *place, const char *format, ...)
{
	struct why what;
	va_list args;

	va_start(args, format);
	vsnprintf(what.text, sizeof(what.text), format, args);
	va_end(args);
	if (place->line > 0)
		return why_fail(place->ret_why, -EINVAL, "%.160s:%zu: %s", place->name, place->line,
			what.text);
	return why_fail(place->ret_why, -EINVAL, "%.160s: %s", place->name, what.text);
}

struct keyring *keyring_free(struct keyring *ring)
{
	if (ring)
		sodium_memzero(ring, sizeof(*ring));
	free(ring);
	return NULL;
}

const struct keyring_key *keyring_find(const struct keyring *ring, const char *id)
{
	ARRAY_FOREACH (key, ring->keys, ring->n_keys)
		if (streq(key->id, id))
			return key;
	return NULL;
}

const struct keyring_key *keyring_newest_master(const struct keyring *ring)
{
	for (size_t i = ring->n_keys; i > 0; i--)
		if (ring->keys[i - 1].is_master)
			return &ring->keys[i - 1];
	return NULL;
}

void keyring_key_of_agent(
	const struct keyring_key *line, const char *name, struct keyring_key *ret_key)
{
	*ret_key = *line;
	if (!line->is_master)
		return;
	ret_key->is_master = false;
	auth_agent_derive(line->secret, name, ret_key->secret);
	snprintf(ret_key->agent, sizeof(ret_key->agent), "%s", name);
}

void keyring_key_wipe(struct keyring_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

/* ---- words of a line ---- */

static int parse_secret(const struct place *place, const char *word, uint8_t *ret_secret)
{
	static const char prefix[] = "hex:";
	const char *end = NULL;
	size_t size = 0;

	/* The word itself is never shown: it may be a secret with a slip of the pen in it. */
	if (strncmp(word, prefix, strlen(prefix)) != 0)
		return complain(
			place, "the key does not begin with hex:; write ID hex:<64 digits>");
	word += strlen(prefix);
	if (strlen(word) != 2 * (size_t)AUTH_KEY_BYTES ||
		sodium_hex2bin(ret_secret, AUTH_KEY_BYTES, word, strlen(word), NULL, &size, &end) !=
			0 ||
		size != AUTH_KEY_BYTES || *end != '\0')
		return complain(
			place, "the key is not 64 hexadecimal digits; make one with keygen");
	return 0;
}

static int parse_vips(const struct place *place, char *list, struct keyring_key *key)
{
	char *rest = list;
	char *item;

	if (key->n_vips > 0)
		return complain(place, "vip= is given twice; join the lists by commas");
	while ((item = strsep(&rest, ","))) {
		if (key->n_vips == KEYRING_KEY_VIPS_MAX)
			return complain(place, "more than %u prefixes in vip=; use wider ones",
				KEYRING_KEY_VIPS_MAX);
		if (addr_prefix_parse(item, &key->vips[key->n_vips]) < 0)
			return complain(place,
				"vip=%.*s is not an address or prefix; no host bits may be set",
				WORD_SHOW, item);
		key->n_vips++;
	}
	return 0;
}

static int parse_max_weight(const struct place *place, const char *text, struct keyring_key *key)
{
	uint32_t weight = 0;

	if (key->max_weight > 0)
		return complain(place, "max-weight= is given twice; keep one");
	/* Own digits: strtoul() takes signs and spaces. Five of them cannot overflow. */
	for (const char *digit = text; *digit; digit++) {
		if (*digit < '0' || *digit > '9' || digit - text >= 5)
			return complain(place, "max-weight is not a number; give 1 to 65535");
		weight = weight * 10 + (uint32_t)(*digit - '0');
	}
	if (weight < 1 || weight > UINT16_MAX)
		return complain(place, "max-weight is out of range; give 1 to 65535");
	key->max_weight = weight;
	return 0;
}

static int parse_mac(const struct place *place, const char *text, struct keyring_key *key)
{
	if (key->mac_any || !mac_is_zero(&key->mac))
		return complain(place, "mac= is given twice; keep one");
	key->mac_any = streq(text, "any");
	if (key->mac_any || mac_parse(text, &key->mac) == 0)
		return 0;
	return complain(place, "mac=%.*s is not a host's MAC, nor 'any'", WORD_SHOW, text);
}

static int parse_binding(const struct place *place, char *word, struct keyring_key *key)
{
	if (strncmp(word, "agent=", 6) == 0) {
		if (key->is_master)
			return complain(place,
				"agent= on a master line; each key of it is bound to its agent already");
		if (key->agent[0] != '\0')
			return complain(place, "agent= is given twice; a key binds to one name");
		if (!proto_name_is_valid(word + 6))
			return complain(place,
				"agent=%.*s is not a name; use letters, digits, . - _", WORD_SHOW,
				word + 6);
		snprintf(key->agent, sizeof(key->agent), "%s", word + 6);
		return 0;
	}
	if (strncmp(word, "vip=", 4) == 0)
		return parse_vips(place, word + 4, key);
	if (strncmp(word, "max-weight=", 11) == 0)
		return parse_max_weight(place, word + 11, key);
	if (strncmp(word, "mac=", 4) == 0)
		return parse_mac(place, word + 4, key);
	return complain(place,
		"unknown word '%.*s'; known are agent=, vip=, max-weight= and mac=", WORD_SHOW,
		word);
}

/* Words end up on terminals. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((*text < 0x20 || *text > 0x7e) && !strchr(SPACE, *text))
			return false;
	return true;
}

static char *next_word(char **rest)
{
	char *word;

	while ((word = strsep(rest, SPACE)))
		if (*word != '\0')
			return word;
	return NULL;
}

/* ID, or in an agent's file ID/NAME: the key of that agent under a master. */
static int parse_id(
	const struct place *place, char *word, bool with_bindings, struct keyring_key *key)
{
	char *slash = strchr(word, '/');

	if (slash && with_bindings)
		return complain(place,
			"ID/NAME is for an agent's key file; here stands ID master hex:<64 digits>");
	if (slash)
		*slash++ = '\0';
	if (!proto_key_id_is_valid(word))
		return complain(place, "the ID is not 1 to %u letters, digits, . - _; rename it",
			PROTO_KEY_ID_MAX);
	if (slash && !proto_name_is_valid(slash))
		return complain(
			place, "what follows %s/ is not a name; use letters, digits, . - _", word);
	snprintf(key->id, sizeof(key->id), "%s", word);
	snprintf(key->agent, sizeof(key->agent), "%s", slash ? slash : "");
	return 0;
}

/* The word `master`, where it stands, and the secret. */
static int parse_key(
	const struct place *place, char **rest, bool with_bindings, struct keyring_key *key)
{
	char *word = next_word(rest);

	key->is_master = word && streq(word, "master");
	if (key->is_master && !with_bindings)
		return complain(place,
			"a master line is for balancers alone; an agent has ID/NAME "
			"hex:<64 digits>, of `dsr-lb token NAME`");
	if (key->is_master)
		word = next_word(rest);
	if (!word)
		return complain(place, "ID %s has no key; write %s %shex:<64 digits>", key->id,
			key->id, key->is_master ? "master " : "");
	return parse_secret(place, word, key->secret);
}

/* Another kind of line is another key. */
static uint64_t fingerprint(const struct keyring_key *key)
{
	char id[PROTO_KEY_ID_MAX + sizeof("/")];

	snprintf(id, sizeof(id), "%s%s", key->id, key->is_master ? "/" : "");
	return auth_fingerprint(key->secret, id);
}

static int parse_line(
	const struct place *place, char *line, bool with_bindings, struct keyring *ring)
{
	struct keyring_key *key;
	char *rest = line;
	char *word;
	int r;

	if (line[strspn(line, SPACE)] == '#')
		return 0;
	if (!is_printable(line))
		return complain(
			place, "a control or non-ASCII character; key files are plain ASCII");
	word = next_word(&rest);
	if (!word)
		return 0;
	if (ring->n_keys == KEYRING_KEYS_MAX)
		return complain(
			place, "more than %u keys; remove those not in use", KEYRING_KEYS_MAX);
	key = &ring->keys[ring->n_keys];
	*key = (struct keyring_key){ 0 };
	r = parse_id(place, word, with_bindings, key);
	if (r == 0 && keyring_find(ring, key->id))
		return complain(place, "ID %s is there twice; remove one of the lines", key->id);
	if (r == 0)
		r = parse_key(place, &rest, with_bindings, key);
	while (r == 0 && (word = next_word(&rest)))
		r = with_bindings
			? parse_binding(place, word, key)
			: complain(place,
				  "unknown word '%.*s'; an agent's line is ID hex:<64 digits>",
				  WORD_SHOW, word);
	if (r < 0)
		return r;
	key->fingerprint = fingerprint(key);
	ring->n_keys++;
	return 0;
}

static int parse_text(
	const char *name, char *text, bool with_bindings, struct keyring *ring, struct why *ret_why)
{
	struct place place = { name, 0, ret_why };
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		int r;

		place.line++;
		r = parse_line(&place, line, with_bindings, ring);
		if (r < 0)
			return r;
	}
	place.line = 0;
	if (ring->n_keys == 0)
		return complain(&place, "no key in it; make one with dsr-lb keygen");
	return 0;
}

int keyring_parse(const char *name, const char *text, size_t size_bytes, bool with_bindings,
	struct keyring **ret_ring, struct why *ret_why)
{
	struct place place = { name, 0, ret_why };
	struct keyring *ring;
	char *copy;
	int r = -ENOMEM;

	if (size_bytes > KEYRING_FILE_MAX_BYTES)
		return complain(
			&place, "larger than %u bytes; is it a key file?", KEYRING_FILE_MAX_BYTES);
	if (memchr(text, '\0', size_bytes))
		return complain(&place, "a NUL byte in it; is it a key file?");
	ring = calloc(1, sizeof(*ring));
	copy = calloc(1, size_bytes + 1);
	if (ring && copy) {
		memcpy(copy, text, size_bytes);
		r = parse_text(name, copy, with_bindings, ring, ret_why);
		sodium_memzero(copy, size_bytes);
	} else {
		complain(&place, "out of memory");
	}
	free(copy);
	if (r < 0) {
		keyring_free(ring);
		return r;
	}
	*ret_ring = ring;
	return 0;
}

/* ---- the file ---- */

/*
 * A credential of systemd on tmpfs is root's, and an access control list lets the service's user
 * read it; the group bits of the mode then show the list's mask (acl(5)). That is as good as
 * 0600 when the list names nobody but us.
 */
static bool acl_is_ours_alone(int fd, uid_t us)
{
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[ACL_MAX];
	} acl;
	ssize_t size = fgetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl));

	if (size < (ssize_t)sizeof(acl.header) ||
		le32toh(acl.header.a_version) != POSIX_ACL_XATTR_VERSION)
		return false;
	ARRAY_FOREACH (
		entry, acl.entries, ((size_t)size - sizeof(acl.header)) / sizeof(acl.entries[0])) {
		unsigned int permissions = le16toh(entry->e_perm);

		switch (le16toh(entry->e_tag)) {
		case ACL_USER_OBJ:
		case ACL_MASK:
			break;
		case ACL_USER:
			if (permissions != 0 && le32toh(entry->e_id) != us)
				return false;
			break;
		default: /* the group, other groups, others */
			if (permissions != 0)
				return false;
		}
	}
	return true;
}

static int check_file(const struct place *place, int fd, const struct stat *status, uid_t us)
{
	unsigned int mode = status->st_mode & 07777;

	if (!S_ISREG(status->st_mode))
		return complain(place, "not a regular file; give the path of a key file");
	if (status->st_uid != us && status->st_uid != 0) {
		complain(place, "owned by user %u, who could change it; chown it to root",
			status->st_uid);
		return -EACCES;
	}
	/* With a list, only the mask may show in the mode: the bits of others are always true. */
	if ((mode & S_IRWXO) || ((mode & S_IRWXG) && !acl_is_ours_alone(fd, us))) {
		complain(place, "mode %04o: others than its owner have access; chmod 600 it", mode);
		return -EACCES;
	}
	return 0;
}

static int load_file(const char *path, bool with_bindings, bool as_owner, struct keyring **ret_ring,
	struct why *ret_why)
{
	/* O_NONBLOCK: a FIFO must be refused, not waited for. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct place place = { path, 0, ret_why };
	struct stat status;
	char *text;
	size_t size_bytes;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0) {
		r = util_negative_errno();
		complain(&place, "cannot open the key file: %s; make one with dsr-lb keygen",
			strerror(-r));
		return r;
	}
	r = check_file(&place, fd, &status, as_owner && geteuid() == 0 ? status.st_uid : geteuid());
	if (r < 0)
		return r;
	text = malloc(KEYRING_FILE_MAX_BYTES + 1);
	if (!text) {
		complain(&place, "out of memory");
		return -ENOMEM;
	}
	/* One byte over the limit, which the parser then refuses. */
	r = read_all(fd, text, KEYRING_FILE_MAX_BYTES + 1, &size_bytes);
	if (r < 0)
		complain(&place, "cannot read the key file: %s", strerror(-r));
	else
		r = keyring_parse(path, text, size_bytes, with_bindings, ret_ring, ret_why);
	sodium_memzero(text, KEYRING_FILE_MAX_BYTES + 1);
	free(text);
	return r;
}

int keyring_load(
	const char *path, bool with_bindings, struct keyring **ret_ring, struct why *ret_why)
{
	return load_file(path, with_bindings, false, ret_ring, ret_why);
}

int keyring_load_as_owner(
	const char *path, bool with_bindings, struct keyring **ret_ring, struct why *ret_why)
{
	return load_file(path, with_bindings, true, ret_ring, ret_why);
}

/* ---- what a key may be used for ---- */

static bool key_covers_vip(const struct keyring_key *key, const struct addr *vip)
{
	if (key->n_vips == 0)
		return true;
	ARRAY_FOREACH (prefix, key->vips, key->n_vips)
		if (addr_in_prefix(vip, prefix))
			return true;
	return false;
}

bool keyring_key_allows(const struct keyring_key *key, const char *name, const struct addr *vips,
	size_t n_vips, uint32_t weight, struct why *ret_why)
{
	char text[ADDR_STRLEN];

	if (key->agent[0] != '\0' && !streq(key->agent, name)) {
		why_set(ret_why, "key %s is bound to agent %s, not %s", key->id, key->agent, name);
		return false;
	}
	ARRAY_FOREACH (vip, vips, n_vips) {
		if (!key_covers_vip(key, vip)) {
			why_set(ret_why, "key %s is not bound to VIP %s", key->id,
				addr_format(vip, text));
			return false;
		}
	}
	if (key->max_weight > 0 && weight > key->max_weight) {
		why_set(ret_why, "key %s is bound to a weight of at most %u, not %u", key->id,
			key->max_weight, weight);
		return false;
	}
	return true;
}

bool keyring_key_allows_mac(
	const struct keyring_key *key, const struct mac *mac, bool is_source, struct why *ret_why)
{
	char said[MAC_STRLEN], bound[MAC_STRLEN];

	if (key->mac_any)
		return true;
	if (mac_is_zero(&key->mac)) {
		if (!is_source)
			why_set(ret_why,
				"MAC %s is not that of the frame; if it leaves by another card, bind key "
				"%s by mac=",
				mac_format(mac, said), key->id);
		return is_source;
	}
	if (mac_equal(&key->mac, mac))
		return true;
	why_set(ret_why, "key %s is bound to MAC %s, not %s", key->id, mac_format(&key->mac, bound),
		mac_format(mac, said));
	return false;
}

/* ---- new keys ---- */

void keyring_format(const struct keyring_key *key, char ret_line[KEYRING_LINE_BYTES])
{
	char hex[2 * AUTH_KEY_BYTES + 1];

	sodium_bin2hex(hex, sizeof(hex), key->secret, sizeof(key->secret));
	snprintf(ret_line, KEYRING_LINE_BYTES, "%s%s%s %shex:%s", key->id, key->agent[0] ? "/" : "",
		key->agent, key->is_master ? "master " : "", hex);
	sodium_memzero(hex, sizeof(hex));
}

int keyring_keygen(const char *id, bool is_master, char ret_line[KEYRING_LINE_BYTES])
{
	struct keyring_key key = { .is_master = is_master };

	if (id && !proto_key_id_is_valid(id))
		return -EINVAL;
	if (id)
		snprintf(key.id, sizeof(key.id), "%s", id);
	else
		snprintf(key.id, sizeof(key.id), "key-%08x", randombytes_random());
	randombytes_buf(key.secret, sizeof(key.secret));
	keyring_format(&key, ret_line);
	keyring_key_wipe(&key);
	return 0;
}
