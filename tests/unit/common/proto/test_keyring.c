/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file: who may read it, its lines, its limits, and what bindings allow. */
#include "common/proto/auth.h"
#include "common/proto/keyring.h"
#include "tests/unit/tools/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define HEX32 "0123456789abcdef0123456789ABCDEF"
#define KEY   "hex:" HEX32 HEX32

static char directory[TEMP_DIR_BYTES];
static char path[sizeof(directory) + 16];

static int parse(const char *text, bool with_bindings, struct keyring **ret_ring, struct why *why)
{
	return keyring_parse("keys", text, strlen(text), with_bindings, ret_ring, why);
}

static void keyring_reads_keys_comments_and_blank_lines(void **state)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct why why = { 0 };

	assert_int_equal(
		parse("# all of us\n\n  a " KEY "  \r\n\t# b\nb.2 " KEY, false, &ring, &why), 0);
	assert_int_equal(ring->n_keys, 2);
	assert_non_null(keyring_find(ring, "a"));
	assert_null(keyring_find(ring, "c"));
	assert_int_equal(keyring_find(ring, "b.2")->secret[31], 0xef);
	assert_int_equal(keyring_find(ring, "b.2")->max_weight, 0);
}

static void keyring_reads_bindings(void **state)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct why why = { 0 };
	const struct keyring_key *key;

	assert_int_equal(parse("a " KEY " agent=web1 vip=198.51.100.0/24,2001:db8::1 "
			       "max-weight=65535 mac=02:00:00:00:00:0a\nb " KEY " mac=any\n",
				 true, &ring, &why),
		0);
	key = keyring_find(ring, "a");
	assert_string_equal(key->agent, "web1");
	assert_int_equal(key->n_vips, 2);
	assert_int_equal(key->max_weight, 65535);
	assert_int_equal(key->mac.bytes[5], 0x0a);
	assert_false(key->mac_any);
	assert_true(keyring_find(ring, "b")->mac_any);
}

static void keyring_names_file_line_and_error(void **state)
{
	const struct {
		const char *text;
		const char *why; /* the beginning */
	} cases[] = {
		{ "", "keys: no key" },
		{ "# nothing\n", "keys: no key" },
		{ "a\n", "keys:1: ID a has no key" },
		{ "\n\na 0123\n", "keys:3: the key does not begin with hex:" },
		{ "a hex:" HEX32 "\n", "keys:1: the key is not 64" },
		{ "a " KEY "0\n", "keys:1: the key is not 64" },
		{ "a hex:" HEX32 HEX32 "00\n", "keys:1: the key is not 64" },
		{ "a hex:" HEX32 "x123456789abcdef0123456789abcdef\n", "keys:1: the key is not" },
		{ "a " KEY "\na " KEY "\n", "keys:2: ID a is there twice" },
		{ "a:b " KEY "\n", "keys:1: the ID is not" },
		{ "a2345678901234567890123456789012x " KEY "\n", "keys:1: the ID is not" },
		{ "a " KEY " wieght=3\n", "keys:1: unknown word 'wieght=3'" },
		{ "a " KEY " # mine\n", "keys:1: unknown word '#'" },
		{ "a " KEY " agent=\n", "keys:1: agent= is not a name" },
		{ "a " KEY " agent=w agent=w\n", "keys:1: agent= is given twice" },
		{ "a " KEY " vip=\n", "keys:1: vip= is not" },
		{ "a " KEY " vip=192.0.2.1/24\n", "keys:1: vip=192.0.2.1/24 is not" },
		{ "a " KEY " vip=192.0.2.1,\n", "keys:1: vip= is not" },
		{ "a " KEY " vip=192.0.2.1 vip=192.0.2.2\n", "keys:1: vip= is given twice" },
		{ "a " KEY " max-weight=0\n", "keys:1: max-weight is out of range" },
		{ "a " KEY " max-weight=65536\n", "keys:1: max-weight is out of range" },
		{ "a " KEY " max-weight=4294967297\n", "keys:1: max-weight is not" },
		{ "a " KEY " max-weight=-1\n", "keys:1: max-weight is not" },
		{ "a " KEY " max-weight=\n", "keys:1: max-weight is out of range" },
		{ "a " KEY " max-weight=1 max-weight=1\n", "keys:1: max-weight= is given twice" },
		{ "a " KEY " mac=any mac=any\n", "keys:1: mac= is given twice" },
		{ "a " KEY " mac=ff:ff:ff:ff:ff:ff\n", "keys:1: mac=ff:ff:ff:ff:ff:ff is not" },
		{ "a " KEY " mac=\n", "keys:1: mac= is not" },
		{ "a " KEY " \033[2J\n", "keys:1: a control" },
		{ "a master\n", "keys:1: ID a has no key; write a master hex:" },
		{ "a master 0123\n", "keys:1: the key does not begin with hex:" },
		{ "a master " KEY " agent=w\n", "keys:1: agent= on a master line" },
		{ "a master master " KEY "\n", "keys:1: the key does not begin with hex:" },
		{ "a " KEY " master\n", "keys:1: unknown word 'master'" },
		{ "a master " KEY "\na " KEY "\n", "keys:2: ID a is there twice" },
		{ "a/web1 " KEY "\n", "keys:1: ID/NAME is for an agent's key file" },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct keyring *ring = NULL;
		struct why why = { 0 };

		assert_int_equal(parse(item->text, true, &ring, &why), -EINVAL);
		assert_null(ring);
		assert_memory_equal(why.text, item->why, strlen(item->why));
	}
}

static void keyring_derives_keys_of_a_master_line(void **state)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	const struct keyring_key *plain, *old;
	struct keyring_key key, other;
	struct why why = { 0 };

	assert_int_equal(parse("p " KEY "\nold master " KEY "\nnew master " KEY
			       " vip=198.51.100.0/24 max-weight=10 mac=any\nq " KEY,
				 true, &ring, &why),
		0);
	plain = keyring_find(ring, "p");
	old = keyring_find(ring, "old");
	assert_ptr_equal(keyring_newest_master(ring), keyring_find(ring, "new"));
	assert_true(old->is_master);
	keyring_key_of_agent(plain, "web1", &key);
	assert_memory_equal(&key, plain, sizeof(key));
	keyring_key_of_agent(old, "web1", &key);
	assert_memory_not_equal(key.secret, old->secret, AUTH_KEY_BYTES);
	assert_true(keyring_key_allows(&key, "web1", NULL, 0, 1, &why));
	assert_false(keyring_key_allows(&key, "web2", NULL, 0, 1, &why));
	/* Other words of the line apply to all of its keys; its bytes alone make them. */
	keyring_key_of_agent(keyring_newest_master(ring), "web1", &other);
	assert_memory_equal(key.secret, other.secret, AUTH_KEY_BYTES);
	assert_int_equal(other.max_weight, 10);
	assert_int_equal(other.n_vips, 1);
	assert_true(other.mac_any);
	/* A line that becomes a master is another key, and what has its sessions knows that. */
	assert_true(key.fingerprint == old->fingerprint);
	assert_true(plain->fingerprint == auth_fingerprint(plain->secret, "p"));
	assert_true(old->fingerprint != auth_fingerprint(old->secret, "old"));
}

static void keyring_of_an_agent_has_derived_keys(void **state)
{
	const struct {
		const char *text;
		const char *why; /* the beginning */
	} cases[] = {
		{ "a master " KEY "\n", "keys:1: a master line is for balancers alone" },
		{ "a/ " KEY "\n", "keys:1: what follows a/ is not a name" },
		{ "a/b/c " KEY "\n", "keys:1: what follows a/ is not a name" },
		{ "/web1 " KEY "\n", "keys:1: the ID is not" },
		{ "a/web1\n", "keys:1: ID a has no key" },
	};
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct why why = { 0 };

	assert_int_equal(parse("main/web1 " KEY "\n", false, &ring, &why), 0);
	assert_string_equal(ring->keys[0].id, "main");
	assert_string_equal(ring->keys[0].agent, "web1");
	assert_false(ring->keys[0].is_master);
	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct keyring *none = NULL;

		assert_int_equal(parse(item->text, false, &none, &why), -EINVAL);
		assert_null(none);
		assert_memory_equal(why.text, item->why, strlen(item->why));
	}
}

static void keyring_of_an_agent_has_no_bindings(void **state)
{
	struct keyring *ring = NULL;
	struct why why = { 0 };

	assert_int_equal(parse("a " KEY " agent=web1\n", false, &ring, &why), -EINVAL);
	assert_non_null(strstr(why.text, "keys:1: unknown word 'agent=web1'"));
}

static void keyring_never_shows_a_secret(void **state)
{
	struct keyring *ring = NULL;
	struct why why = { 0 };

	assert_int_equal(parse("a " HEX32 HEX32 "\n", true, &ring, &why), -EINVAL);
	assert_null(strstr(why.text, "0123"));
	assert_int_equal(parse(KEY " a\n", true, &ring, &why), -EINVAL);
	assert_null(strstr(why.text, "0123"));
	assert_int_equal(parse("a " KEY "x\n", true, &ring, &why), -EINVAL);
	assert_null(strstr(why.text, "0123"));
}

static void keyring_refuses_a_nul_byte(void **state)
{
	static const char text[] = "a " KEY "\n\0b";
	struct keyring *ring = NULL;
	struct why why = { 0 };

	assert_int_equal(keyring_parse("keys", text, sizeof(text), true, &ring, &why), -EINVAL);
	assert_non_null(strstr(why.text, "NUL"));
}

/* One more key than fits, one more prefix than fits, one more byte than fits. */
static void keyring_has_limits(void **state)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	_cleanup_free_ char *text = calloc(1, KEYRING_FILE_MAX_BYTES + 2);
	struct why why = { 0 };
	size_t size = 0;

	for (unsigned int i = 0; i < KEYRING_KEYS_MAX; i++)
		size += (size_t)sprintf(text + size, "k%u " KEY "\n", i);
	assert_int_equal(parse(text, true, &ring, &why), 0);
	assert_int_equal(ring->n_keys, KEYRING_KEYS_MAX);
	sprintf(text + size, "one-more " KEY "\n");
	ring = keyring_free(ring);
	assert_int_equal(parse(text, true, &ring, &why), -EINVAL);
	assert_non_null(strstr(why.text, "keys:65: more than 64 keys"));

	size = (size_t)sprintf(text, "a " KEY " vip=192.0.2.0");
	for (unsigned int i = 1; i < KEYRING_KEY_VIPS_MAX; i++)
		size += (size_t)sprintf(text + size, ",192.0.2.%u", i);
	assert_int_equal(parse(text, true, &ring, &why), 0);
	sprintf(text + size, ",192.0.2.200");
	ring = keyring_free(ring);
	assert_int_equal(parse(text, true, &ring, &why), -EINVAL);
	assert_non_null(strstr(why.text, "more than 64 prefixes"));

	size = (size_t)sprintf(text, "a " KEY "\n");
	memset(text + size, '#', KEYRING_FILE_MAX_BYTES + 1 - size);
	assert_int_equal(keyring_parse("keys", text, KEYRING_FILE_MAX_BYTES, true, &ring, &why), 0);
	ring = keyring_free(ring);
	assert_int_equal(keyring_parse("keys", text, KEYRING_FILE_MAX_BYTES + 1, true, &ring, &why),
		-EINVAL);
	assert_non_null(strstr(why.text, "larger than 65536"));
}

/* ---- the file itself ---- */

static void write_file(mode_t mode)
{
	temp_dir_write(directory, "keys", "a " KEY "\n");
	assert_int_equal(chmod(path, mode), 0);
}

static int load(const char *file, struct why *why)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;

	return keyring_load(file, true, &ring, why);
}

static void keyring_file_is_readable_by_its_owner_only(void **state)
{
	static const mode_t wrong[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644, 0660, 0666,
		0777 };
	struct why why = { 0 };

	write_file(0600);
	assert_int_equal(load(path, &why), 0);
	write_file(0400);
	assert_int_equal(load(path, &why), 0);
	ARRAY_FOREACH (mode, wrong, ARRAY_LEN(wrong)) {
		write_file(*mode);
		assert_int_equal(load(path, &why), -EACCES);
		assert_non_null(strstr(why.text, "chmod 600"));
	}
}

static void keyring_file_belongs_to_us_or_root(void **state)
{
	struct why why = { 0 };

	if (geteuid() != 0) {
		print_message("skipped: only root can give a file away\n");
		skip();
	}
	write_file(0600);
	assert_int_equal(chown(path, 12345, 0), 0);
	assert_int_equal(load(path, &why), -EACCES);
	assert_non_null(strstr(why.text, "owned by user 12345"));
}

static void keyring_judges_a_link_by_its_target(void **state)
{
	char link_path[sizeof(directory) + 16];
	struct why why = { 0 };

	snprintf(link_path, sizeof(link_path), "%s/link", directory);
	assert_int_equal(symlink("keys", link_path), 0);
	write_file(0600);
	assert_int_equal(load(link_path, &why), 0);
	write_file(0644);
	assert_int_equal(load(link_path, &why), -EACCES);
	unlink(path);
	assert_int_equal(load(link_path, &why), -ENOENT);
	unlink(link_path);
}

static void keyring_refuses_what_is_no_regular_file(void **state)
{
	struct why why = { 0 };

	assert_int_equal(load(directory, &why), -EINVAL);
	assert_non_null(strstr(why.text, "not a regular file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load(path, &why), -EINVAL); /* and does not wait for a writer */
	assert_int_equal(load("/dev/zero", &why), -EINVAL);
	unlink(path);
}

static void keyring_says_when_there_is_none(void **state)
{
	struct why why = { 0 };

	unlink(path);
	assert_int_equal(load(path, &why), -ENOENT);
	assert_non_null(strstr(why.text, path));
	assert_non_null(strstr(why.text, "keygen"));
}

/* An access control list as systemd puts on credentials: the group bits show its mask. */
static int set_acl(uint32_t user, uint16_t group_permissions)
{
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[5];
	} acl = {
		{ htole32(POSIX_ACL_XATTR_VERSION) },
		{
			{ htole16(ACL_USER_OBJ), htole16(ACL_READ), htole32((uint32_t)-1) },
			{ htole16(ACL_USER), htole16(ACL_READ), htole32(user) },
			{ htole16(ACL_GROUP_OBJ), htole16(group_permissions),
				htole32((uint32_t)-1) },
			{ htole16(ACL_MASK), htole16(ACL_READ), htole32((uint32_t)-1) },
			{ htole16(ACL_OTHER), 0, htole32((uint32_t)-1) },
		},
	};

	return setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0);
}

static void keyring_takes_an_access_list_that_names_us_alone(void **state)
{
	struct why why = { 0 };
	struct stat status;

	write_file(0400);
	if (set_acl(geteuid(), 0) < 0) {
		print_message("skipped: no access control lists here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0440);
	assert_int_equal(load(path, &why), 0);
	assert_int_equal(set_acl(geteuid() + 1, 0), 0);
	assert_int_equal(load(path, &why), -EACCES);
	assert_int_equal(set_acl(geteuid(), ACL_READ), 0);
	assert_int_equal(load(path, &why), -EACCES);
}

/* ---- bindings ---- */

static void key_without_bindings_allows_everything(void **state)
{
	const struct keyring_key key = { .id = "k" };
	struct why why = { 0 };
	struct addr vip;

	assert_int_equal(addr_parse("198.51.100.10", &vip), 0);
	assert_true(keyring_key_allows(&key, "web1", &vip, 1, 65535, &why));
}

static void key_allows_the_mac_of_the_frame_or_its_own(void **state)
{
	const struct mac first = { { 2, 0, 0, 0, 0, 1 } }, second = { { 2, 0, 0, 0, 0, 2 } };
	const struct keyring_key unbound = { .id = "k" }, any = { .id = "k", .mac_any = true },
				 bound = { .id = "k", .mac = first };
	struct why why = { 0 };

	assert_true(keyring_key_allows_mac(&unbound, &first, true, &why));
	assert_false(keyring_key_allows_mac(&unbound, &first, false, &why));
	assert_string_equal(why.text,
		"MAC 02:00:00:00:00:01 is not that of the frame; if it leaves by another card, "
		"bind key k by mac=");
	assert_true(keyring_key_allows_mac(&any, &first, false, &why));
	assert_true(keyring_key_allows_mac(&bound, &first, false, &why));
	assert_false(keyring_key_allows_mac(&bound, &second, true, &why));
	assert_string_equal(
		why.text, "key k is bound to MAC 02:00:00:00:00:01, not 02:00:00:00:00:02");
}

static void key_allows_what_it_is_bound_to_only(void **state)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct addr vips[2];
	struct why why = { 0 };
	const struct keyring_key *key;

	assert_int_equal(parse("k " KEY " agent=web1 vip=198.51.100.0/28,2001:db8::/64 "
			       "max-weight=10",
				 true, &ring, &why),
		0);
	key = &ring->keys[0];
	assert_int_equal(addr_parse("198.51.100.10", &vips[0]), 0);
	assert_int_equal(addr_parse("2001:db8::7", &vips[1]), 0);
	assert_true(keyring_key_allows(key, "web1", vips, 2, 10, &why));
	assert_false(keyring_key_allows(key, "web2", vips, 2, 10, &why));
	assert_string_equal(why.text, "key k is bound to agent web1, not web2");
	assert_false(keyring_key_allows(key, "web1", vips, 2, 11, &why));
	assert_string_equal(why.text, "key k is bound to a weight of at most 10, not 11");
	assert_int_equal(addr_parse("198.51.100.16", &vips[1]), 0);
	assert_false(keyring_key_allows(key, "web1", vips, 2, 10, &why));
	assert_string_equal(why.text, "key k is not bound to VIP 198.51.100.16");
}

static int setup(void **state)
{
	temp_dir_make(directory);
	snprintf(path, sizeof(path), "%s/keys", directory);
	return auth_init();
}

static int teardown(void **state)
{
	temp_dir_remove(directory);
	return 0;
}

static void keyring_formats_what_it_parses(void **state)
{
	static const char hex[] = "hex:" HEX32 "0123456789abcdef0123456789abcdef";
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	char line[KEYRING_LINE_BYTES], expected[KEYRING_LINE_BYTES];
	struct keyring_key key;
	struct why why = { 0 };

	assert_int_equal(parse("main master " KEY "\nplain " KEY "\n", true, &ring, &why), 0);
	keyring_format(&ring->keys[0], line);
	assert_memory_equal(line, "main master hex:01", 18);
	keyring_format(&ring->keys[1], line);
	snprintf(expected, sizeof(expected), "plain %s", hex);
	assert_int_equal(strcasecmp(line, expected), 0);
	keyring_key_of_agent(&ring->keys[0], "web1", &key);
	keyring_format(&key, line);
	assert_memory_equal(line, "main/web1 hex:", 14);
	ring = keyring_free(ring);
	assert_int_equal(parse(line, false, &ring, &why), 0);
	assert_memory_equal(ring->keys[0].secret, key.secret, AUTH_KEY_BYTES);
}

static void keyring_keygen_makes_lines_that_parse(void **state)
{
	char line[KEYRING_LINE_BYTES], other[KEYRING_LINE_BYTES];
	struct why why = { 0 };
	_cleanup_(keyring_freep) struct keyring *ring = NULL;

	assert_int_equal(keyring_keygen("web1", false, line), 0);
	assert_int_equal(keyring_keygen("web1", false, other), 0);
	assert_string_not_equal(line, other);
	assert_int_equal(keyring_parse("k", line, strlen(line), true, &ring, &why), 0);
	assert_string_equal(ring->keys[0].id, "web1");
	assert_int_equal(keyring_keygen("main", true, line), 0);
	assert_memory_equal(line, "main master hex:", 16);
	assert_int_equal(keyring_keygen(NULL, false, line), 0);
	assert_int_equal(keyring_keygen("no id", false, line), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyring_formats_what_it_parses),
		cmocka_unit_test(keyring_keygen_makes_lines_that_parse),
		cmocka_unit_test(keyring_reads_keys_comments_and_blank_lines),
		cmocka_unit_test(keyring_reads_bindings),
		cmocka_unit_test(keyring_names_file_line_and_error),
		cmocka_unit_test(keyring_of_an_agent_has_no_bindings),
		cmocka_unit_test(keyring_derives_keys_of_a_master_line),
		cmocka_unit_test(keyring_of_an_agent_has_derived_keys),
		cmocka_unit_test(keyring_never_shows_a_secret),
		cmocka_unit_test(keyring_refuses_a_nul_byte),
		cmocka_unit_test(keyring_has_limits),
		cmocka_unit_test(keyring_file_is_readable_by_its_owner_only),
		cmocka_unit_test(keyring_file_belongs_to_us_or_root),
		cmocka_unit_test(keyring_judges_a_link_by_its_target),
		cmocka_unit_test(keyring_refuses_what_is_no_regular_file),
		cmocka_unit_test(keyring_says_when_there_is_none),
		cmocka_unit_test(keyring_takes_an_access_list_that_names_us_alone),
		cmocka_unit_test(key_without_bindings_allows_everything),
		cmocka_unit_test(key_allows_what_it_is_bound_to_only),
		cmocka_unit_test(key_allows_the_mac_of_the_frame_or_its_own),
	};

	return cmocka_run_group_tests_name("keyring", tests, setup, teardown);
}
