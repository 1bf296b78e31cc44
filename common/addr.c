/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses as values; the contract is in the header. Every parser fills its result completely,
 * unused bytes included, so that two equal addresses are equal bytes.
 */
#include "common/addr.h"

#include "common/search.h"

#include <arpa/inet.h>
#include <netinet/ip6.h>

#define PORT_DIGITS_MAX       5u
#define PREFIX_DIGITS_MAX     3u
#define IP4_LOOPBACK_BYTE     127u
#define IP4_MULTICAST_FIRST   224u
#define IP4_MULTICAST_LAST    239u
#define IP6_MAPPED_IP4_OFFSET 12u

static void addr_set_ip4(const void *bytes, struct addr *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = AF_INET;
	memcpy(ret_addr->bytes, bytes, sizeof(struct in_addr));
}

/*
 * ::ffff:192.0.2.1 is how a dual-stack socket writes an IPv4 peer (RFC 4291 §2.5.5.2). It never
 * stands on the wire, so it is read as the IPv4 address that it means: one host, one value.
 */
static void addr_set_ip6(const struct in6_addr *ip6, struct addr *ret_addr)
{
	if (IN6_IS_ADDR_V4MAPPED(ip6)) {
		addr_set_ip4(&ip6->s6_addr[IP6_MAPPED_IP4_OFFSET], ret_addr);
		return;
	}
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = AF_INET6;
	memcpy(ret_addr->bytes, ip6, sizeof(*ip6));
}

int addr_parse(const char *text, struct addr *ret_addr)
{
	struct in_addr ip4;
	struct in6_addr ip6;

	if (inet_pton(AF_INET, text, &ip4) == 1) {
		addr_set_ip4(&ip4, ret_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ip6) == 1) {
		addr_set_ip6(&ip6, ret_addr);
		return 0;
	}
	return -EINVAL;
}

/* Digits only: no sign, blank or leading zero, which strtoul() would let pass. */
static int addr_parse_decimal(const char *text, size_t max_digits, unsigned int *ret_value)
{
	size_t len = strspn(text, "0123456789");
	unsigned int value = 0;

	if (len == 0 || len > max_digits || text[len] != '\0' || (text[0] == '0' && len > 1))
		return -EINVAL;
	for (size_t idx = 0; idx < len; idx++)
		value = value * 10 + (unsigned int)(text[idx] - '0');
	*ret_value = value;
	return 0;
}

static int addr_parse_port(const char *text, uint16_t *ret_port)
{
	unsigned int value;

	if (addr_parse_decimal(text, PORT_DIGITS_MAX, &value) < 0 || value == 0 ||
		value > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)value;
	return 0;
}

/* Parses the address in text[0, len). */
static int addr_parse_part(const char *text, size_t len, struct addr *ret_addr)
{
	char part[ADDR_STRLEN];

	if (len >= sizeof(part))
		return -EINVAL;
	memcpy(part, text, len);
	part[len] = '\0';
	return addr_parse(part, ret_addr);
}

size_t addr_size_bytes(const struct addr *addr)
{
	return addr->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

/* The mask of byte `idx` of a prefix of `len` bits. */
static uint8_t addr_prefix_mask(unsigned int len, size_t idx)
{
	if (len >= (idx + 1) * 8)
		return 0xff;
	if (len <= idx * 8)
		return 0;
	return (uint8_t)(0xff00u >> (len - idx * 8));
}

int addr_prefix_parse(const char *text, struct addr_prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	struct addr_prefix prefix = { 0 };
	unsigned int len;
	int r;

	r = addr_parse_part(text, slash ? (size_t)(slash - text) : strlen(text), &prefix.addr);
	if (r < 0)
		return r;
	len = (unsigned int)addr_size_bytes(&prefix.addr) * 8;
	if (slash) {
		unsigned int len_max = len;

		r = addr_parse_decimal(slash + 1, PREFIX_DIGITS_MAX, &len);
		if (r < 0 || len > len_max)
			return -EINVAL;
	}
	for (size_t idx = 0; idx < addr_size_bytes(&prefix.addr); idx++)
		if (prefix.addr.bytes[idx] & (uint8_t)~addr_prefix_mask(len, idx))
			return -EINVAL;
	prefix.len = (uint8_t)len;
	*ret_prefix = prefix;
	return 0;
}

int addr_port_parse(const char *text, bool port_only_allowed, struct addr_port *ret_endpoint)
{
	struct addr_port endpoint = { 0 };
	const char *colon = strchr(text, ':');
	const char *bracket;
	int r;

	/* Two colons without brackets: a bare IPv6 address, whose last group is no port. */
	if (addr_parse(text, &endpoint.addr) == 0)
		goto success;

	if (text[0] == '[') {
		bracket = strchr(text, ']');
		if (!bracket || bracket[1] != ':')
			return -EINVAL;
		r = addr_parse_part(text + 1, (size_t)(bracket - text - 1), &endpoint.addr);
		if (r < 0 || !memchr(text, ':', (size_t)(bracket - text)))
			return -EINVAL;
		colon = bracket + 1;
	} else if (colon && colon != text) {
		r = addr_parse_part(text, (size_t)(colon - text), &endpoint.addr);
		if (r < 0)
			return r;
	} else if (!port_only_allowed) {
		return -EINVAL;
	}
	r = addr_parse_port(colon ? colon + 1 : text, &endpoint.port);
	if (r < 0)
		return r;
success:
	*ret_endpoint = endpoint;
	return 0;
}

static int mac_parse_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -EINVAL;
}

int mac_parse(const char *text, struct mac *ret_mac)
{
	struct mac mac = { 0 };
	char separator;

	if (strlen(text) != MAC_STRLEN - 1)
		return -EINVAL;
	separator = text[2];
	if (separator != ':' && separator != '-')
		return -EINVAL;
	for (size_t idx = 0; idx < MAC_LEN; idx++) {
		int high = mac_parse_digit(text[idx * 3]);
		int low = mac_parse_digit(text[idx * 3 + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		if (idx > 0 && text[idx * 3 - 1] != separator)
			return -EINVAL;
		mac.bytes[idx] = (uint8_t)(high << 4 | low);
	}
	/* The group bit marks multicast and broadcast (IEEE 802.3 §3.2.3): nobody's own address. */
	if ((mac.bytes[0] & 1) || mac_is_zero(&mac))
		return -EINVAL;
	*ret_mac = mac;
	return 0;
}

const char *addr_format(const struct addr *addr, char *buffer)
{
	buffer[0] = '\0';
	if (addr->family == AF_INET || addr->family == AF_INET6)
		inet_ntop(addr->family, addr->bytes, buffer, ADDR_STRLEN);
	return buffer;
}

const char *addr_port_format(const struct addr_port *endpoint, char *buffer)
{
	char text[ADDR_STRLEN];
	bool brackets = endpoint->addr.family == AF_INET6;

	addr_format(&endpoint->addr, text);
	if (endpoint->port == 0)
		return addr_format(&endpoint->addr, buffer);
	snprintf(buffer, ADDR_PORT_STRLEN, "%s%s%s:%u", brackets ? "[" : "", text,
		brackets ? "]" : "", endpoint->port);
	return buffer;
}

const char *mac_format(const struct mac *mac, char *buffer)
{
	const uint8_t *b = mac->bytes;

	snprintf(buffer, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		b[5]);
	return buffer;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

/* Field by field: the two bytes between family and address are padding that a copy may change. */
int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int addr_prefix_compare(const struct addr_prefix *a, const struct addr_prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : a->len - b->len;
}

bool addr_in_prefix(const struct addr *addr, const struct addr_prefix *prefix)
{
	if (addr->family != prefix->addr.family || addr->family == AF_UNSPEC)
		return false;
	for (size_t idx = 0; idx < addr_size_bytes(addr); idx++)
		if ((addr->bytes[idx] & addr_prefix_mask(prefix->len, idx)) !=
			prefix->addr.bytes[idx])
			return false;
	return true;
}

/* 0.0.0.0/8 is "this host on this network" and no destination: RFC 1122 §3.2.1.3 (a), (b). */
static bool addr_is_unicast4(const struct addr *addr)
{
	uint8_t first = addr->bytes[0];

	if (first == 0 || first == IP4_LOOPBACK_BYTE)
		return false;
	if (first >= IP4_MULTICAST_FIRST && first <= IP4_MULTICAST_LAST)
		return false;
	return addr->ip4.s_addr != htonl(INADDR_BROADCAST);
}

bool addr_is_unicast(const struct addr *addr)
{
	if (addr->family == AF_INET)
		return addr_is_unicast4(addr);
	if (addr->family != AF_INET6)
		return false;
	return !IN6_IS_ADDR_UNSPECIFIED(&addr->ip6) && !IN6_IS_ADDR_LOOPBACK(&addr->ip6) &&
		!IN6_IS_ADDR_MULTICAST(&addr->ip6);
}

bool addr_is_link_local6(const struct addr *addr)
{
	return addr->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->ip6);
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->bytes, b->bytes, MAC_LEN) == 0;
}

bool mac_is_zero(const struct mac *mac)
{
	static const struct mac zero;

	return mac_equal(mac, &zero);
}

/* Copied out of the caller's storage: a `struct sockaddr` promises no alignment of the others. */
int addr_from_sockaddr(const struct sockaddr *address, struct addr_port *ret_endpoint)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	memset(ret_endpoint, 0, sizeof(*ret_endpoint));
	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		addr_set_ip4(&in4.sin_addr, &ret_endpoint->addr);
		ret_endpoint->port = ntohs(in4.sin_port);
		return 0;
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		addr_set_ip6(&in6.sin6_addr, &ret_endpoint->addr);
		ret_endpoint->port = ntohs(in6.sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}

socklen_t addr_to_sockaddr(const struct addr_port *endpoint, unsigned int scope_ifindex,
	struct sockaddr_storage *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (endpoint->addr.family == AF_INET) {
		struct sockaddr_in in4 = {
			.sin_family = AF_INET,
			.sin_port = htons(endpoint->port),
			.sin_addr = endpoint->addr.ip4,
		};

		memcpy(ret_address, &in4, sizeof(in4));
		return sizeof(in4);
	}
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(endpoint->port),
		.sin6_addr = endpoint->addr.ip6,
		.sin6_scope_id = addr_is_link_local6(&endpoint->addr) ? scope_ifindex : 0,
	};

	memcpy(ret_address, &in6, sizeof(in6));
	return sizeof(in6);
}

/* ---- many look-ups among many ---- */

static int addr_compare_items(const void *a, const void *b)
{
	const struct addr_index_item *left = a, *right = b;
	int order = addr_compare(left->addr, right->addr);

	if (order)
		return order;
	return left->idx < right->idx ? -1 : left->idx > right->idx;
}

static int addr_compare_key(const void *key, const void *element)
{
	const struct addr_index_item *item = element;

	return addr_compare(key, item->addr);
}

int addr_index_make(const void *array, size_t len, size_t element_bytes, size_t offset_bytes,
	struct addr_index *ret_index)
{
	struct addr_index_item *items = calloc(len + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		items[i] = (struct addr_index_item){
			(const void *)((const char *)array + i * element_bytes + offset_bytes), i
		};
	qsort(items, len, sizeof(*items), addr_compare_items);
	*ret_index = (struct addr_index){ items, len };
	return 0;
}

void addr_index_clear(struct addr_index *index)
{
	free(index->items);
	*index = (struct addr_index){ 0 };
}

size_t addr_index_find(const struct addr_index *index, const struct addr *addr)
{
	size_t position;

	return search_find(addr, index->items, index->len, sizeof(*index->items), addr_compare_key,
		       &position)
		? position
		: index->len;
}

bool addr_index_has(const struct addr_index *index, const struct addr *addr)
{
	return addr_index_find(index, addr) < index->len;
}
