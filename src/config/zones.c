/* Zones from words. A CIDR whose mask does not end on a label of its reverse name becomes several zones.
 * Names live in the caller's arena. */
#include "svcdns/zones.h"

#include <string.h>
#include <strings.h>

#include "svcdns/address.h"
#include "svcdns/buffer.h"

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

/* The reverse zone of a prefix that ends on a label. */
static void reverse_zone(const struct ip *ip, unsigned bits, struct buffer *text)
{
	unsigned labels = bits / (ip->family == 4 ? 8 : 4);

	buffer_clear(text);
	for (unsigned i = labels; i-- > 0;) {
		if (ip->family == 4)
			buffer_format(text, "%u.", ip->bytes[i]);
		else
			buffer_format(text, "%x.", i % 2 ? ip->bytes[i / 2] & 15 : ip->bytes[i / 2] >> 4);
	}
	buffer_text(text, ip->family == 4 ? "in-addr.arpa." : "ip6.arpa.");
}

/* A mask that ends within a label stands for all labels that it leaves open: at most 128 of IPv4, 8 of IPv6.
 */
static void add_cidr(struct zones *zones, struct arena *arena, const struct prefix *prefix)
{
	unsigned step = prefix->ip.family == 4 ? 8 : 4, whole = (prefix->bits + step - 1) / step * step;
	unsigned shift = whole % 8 ? 4 : 0; /* the last label may be the high half of an octet */
	struct buffer text;

	buffer_init(&text);
	for (unsigned i = 0; i < 1u << (whole - prefix->bits); i++) {
		struct ip part = prefix->ip;

		if (whole)
			part.bytes[(whole - 1) / 8] |= (uint8_t)(i << shift);
		reverse_zone(&part, whole, &text);
		add_name(zones, arena, text.bytes);
	}
	buffer_finish(&text);
}

/* What stands before "://" is taken off the key. Schemes know no case (RFC 3986 section 3.1). */
static bool take_scheme(const char **key, const char **ret, struct error *error)
{
	static const char *const schemes[] = {"dns", "tls", "quic", "grpc", "https", "https3"};
	const char *end = strstr(*key, "://");

	*ret = "dns";
	if (!end)
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
		size_t length = strlen(schemes[i]);

		if ((size_t)(end - *key) == length && strncasecmp(*key, schemes[i], length) == 0) {
			*ret = schemes[i];
			*key = end + strlen("://");
			return true;
		}
	}
	return error_set(error, "unknown scheme: %s", *key);
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

/* A name may hold any octet, but not these in a word that a person wrote. A slash may stand in a name of RFC
 * 2317, though not in its last label: there it was to be a CIDR. */
static bool is_plausible(const char *text)
{
	const char *slash = strrchr(text, '/');

	return !strpbrk(text, " \t\r\n,:(){}\"'") && !(slash && !strchr(slash, '.'));
}

static bool add_zone(struct zones *zones, struct arena *arena, const char *text, struct error *error)
{
	struct prefix prefix;

	if (strlen(text) > ZONE_TEXT_MAX)
		return error_set(error, "specified zone is too long: %zu > %d", strlen(text), ZONE_TEXT_MAX);
	if (!prefix_parse(text, &prefix))
		return (is_plausible(text) && add_name(zones, arena, text)) ||
		       error_set(error, "zone is not a valid domain name: %s", text);
	/* CoreDNS cannot tell such an address from a port. */
	if (prefix.ip.family == 6 && (*text == ':' || *text == '0'))
		return error_set(error, "invalid CIDR %s", text);
	add_cidr(zones, arena, &prefix);
	return true;
}

bool zones_parse_key(const char *key, struct arena *arena, struct server_key *ret, struct error *error)
{
	const char *zone;

	*ret = (struct server_key){0};
	return take_scheme(&key, &ret->scheme, error) && take_port(key, arena, &zone, &ret->port, error) &&
	       add_zone(&ret->zones, arena, zone, error);
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
		if ((!longest || zones->names[i].labels > longest->labels) &&
			name_is_under(name, &zones->names[i]))
			longest = &zones->names[i];
	return longest;
}
