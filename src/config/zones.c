#include "svcdns/zones.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/address.h"

#define ZONE_TEXT_MAX 255

/* The array doubles; its capacity is the power of two that holds what is in it. */
static void append(struct zones *zones, struct arena *arena, const struct name *name)
{
	size_t count = zones->count;

	if ((count & (count - 1)) == 0) {
		struct name *names = arena_alloc(arena, (count ? 2 * count : 1) * sizeof(*names));

		if (count)
			memcpy(names, zones->names, count * sizeof(*names));
		zones->names = names;
	}
	zones->names[zones->count++] = *name;
}

static bool add_name(struct zones *zones, struct arena *arena, const char *text)
{
	struct name name;

	if (!name_from_text(text, &name))
		return false;
	name_lower(&name);
	append(zones, arena, &name);
	return true;
}

/* "ADDRESS/BITS"; bits behind the mask are cleared. */
static bool parse_cidr(const char *text, struct ip *ret_ip, unsigned *ret_bits)
{
	const char *slash = strchr(text, '/');
	unsigned bits = 0, width;

	if (!slash || !ip_parse_n(text, (size_t)(slash - text), ret_ip))
		return false;
	width = ret_ip->family == 4 ? 32 : 128;
	if (!slash[1] || strlen(slash + 1) > 3 || strspn(slash + 1, "0123456789") != strlen(slash + 1))
		return false;
	bits = (unsigned)strtoul(slash + 1, NULL, 10);
	if (bits > width)
		return false;
	for (unsigned i = bits; i < width; i++)
		ret_ip->bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	*ret_bits = bits;
	return true;
}

/* The reverse zone of a prefix that ends on a label. */
static void reverse_zone(const struct ip *ip, unsigned bits, char out[NAME_TEXT_MAX])
{
	static const char hex[] = "0123456789abcdef";
	char *at = out;

	if (ip->family == 4) {
		for (unsigned i = bits / 8; i > 0; i--)
			at += sprintf(at, "%u.", ip->bytes[i - 1]);
		strcpy(at, "in-addr.arpa.");
		return;
	}
	for (unsigned i = bits / 4; i > 0; i--) {
		uint8_t octet = ip->bytes[(i - 1) / 2];

		*at++ = hex[(i - 1) % 2 ? octet & 15 : octet >> 4];
		*at++ = '.';
	}
	strcpy(at, "ip6.arpa.");
}

/* A mask that ends within a label stands for all labels that it leaves open: at most 128 of IPv4, 8 of IPv6.
 */
static void add_cidr(struct zones *zones, struct arena *arena, const struct ip *ip, unsigned bits)
{
	unsigned step = ip->family == 4 ? 8 : 4, whole = (bits + step - 1) / step * step;
	unsigned count = 1u << (whole - bits);
	char text[NAME_TEXT_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct ip part = *ip;

		if (whole) {
			unsigned shift = step == 8 || whole % 8 == 0 ? 0 : 4;

			part.bytes[(whole - 1) / 8] |= (uint8_t)(i << shift);
		}
		reverse_zone(&part, whole, text);
		add_name(zones, arena, text);
	}
}

/* Taken from the front of a key: what stands before "://". */
static const char *take_scheme(const char **key)
{
	static const char *const schemes[] = {"dns", "tls", "quic", "grpc", "https", "https3"};

	for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
		size_t length = strlen(schemes[i]);

		if (strncmp(*key, schemes[i], length) == 0 && strncmp(*key + length, "://", 3) == 0) {
			*key += length + 3;
			return schemes[i];
		}
	}
	return "dns";
}

/* Digits behind the last colon are a port. A zone name may hold colons of its own. */
static bool take_port(const char *key, struct arena *arena, const char **ret_zone, const char **ret_port,
	struct error *error)
{
	const char *colon = strrchr(key, ':'), *digits;
	size_t length;

	*ret_zone = key;
	*ret_port = NULL;
	if (!colon)
		return true;
	if (!colon[1])
		return error_set(error, "expecting data after last colon: \"%s\"", key);
	digits = colon[1] == '+' || colon[1] == '-' ? colon + 2 : colon + 1;
	length = strspn(digits, "0123456789");
	if (!length || digits[length])
		return true;
	while (digits[0] == '0' && digits[1])
		digits++;
	*ret_port = colon[1] == '-' ? colon + 1 : digits;
	*ret_zone = arena_text_n(arena, key, (size_t)(colon - key));
	return true;
}

static bool add_zone(struct zones *zones, struct arena *arena, const char *text, struct error *error)
{
	struct ip ip;
	unsigned bits;

	if (strlen(text) > ZONE_TEXT_MAX)
		return error_set(error, "specified zone is too long: %zu > %d", strlen(text), ZONE_TEXT_MAX);
	if (parse_cidr(text, &ip, &bits)) {
		if (ip.family == 6 && (*text == ':' || *text == '0'))
			return error_set(error, "invalid CIDR %s", text);
		add_cidr(zones, arena, &ip, bits);
		return true;
	}
	return add_name(zones, arena, text) || error_set(error, "zone is not a valid domain name: %s", text);
}

bool zones_parse_key(const char *key, struct arena *arena, struct server_key *ret, struct error *error)
{
	const char *zone;

	*ret = (struct server_key){0};
	ret->scheme = take_scheme(&key);
	return take_port(key, arena, &zone, &ret->port, error) && add_zone(&ret->zones, arena, zone, error);
}

bool zones_add(struct zones *zones, struct arena *arena, const char *text)
{
	struct error ignored;
	struct server_key key;

	/* A scheme or port in a zone argument is accepted and means nothing, as in CoreDNS. */
	if (!zones_parse_key(text, arena, &key, &ignored))
		return false;
	for (size_t i = 0; i < key.zones.count; i++)
		append(zones, arena, &key.zones.names[i]);
	return true;
}

const struct name *zones_match(const struct zones *zones, const struct name *name)
{
	const struct name *longest = NULL;

	for (size_t i = 0; i < zones->count; i++)
		if (name_is_under(name, &zones->names[i]) &&
			(!longest || zones->names[i].labels > longest->labels))
			longest = &zones->names[i];
	return longest;
}
