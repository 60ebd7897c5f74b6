/* Zones at addresses. Invariant: no zone stands twice at an address, and no two listeners would want the same
 * socket. */
#include "sites.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/log.h"
#include "svcdns/memory.h"

void sites_init(struct sites *sites, struct arena *arena, size_t max)
{
	*sites = (struct sites){.arena = arena};
	sites->sites = arena_alloc(arena, max * sizeof(*sites->sites));
	sites->listeners = arena_alloc(arena, max * sizeof(*sites->listeners));
}

static const char *describe(struct sites *sites, const struct site *site)
{
	char zone[NAME_TEXT_MAX];

	name_to_text(site->zone, zone);
	return arena_format(
		sites->arena, "dns://%s:%u%s%s", zone, site->port, *site->host ? " on " : "", site->host);
}

/* A zone may be served once at an address; a block without bind is at all of them. */
static bool is_free(struct sites *sites, const struct site *site, struct error *error)
{
	const struct site *overlap = NULL;

	for (const struct site *s = sites->sites; s < sites->sites + sites->count; s++) {
		if (s->port != site->port || !name_equal(s->zone, site->zone))
			continue;
		if (strcmp(s->host, site->host) == 0)
			return error_set(
				error, "cannot serve %s - it is already defined", describe(sites, site));
		if (!*s->host || !*site->host)
			overlap = s;
	}
	if (!overlap)
		return true;
	return error_set(error, "cannot serve %s - zone overlap listener capacity with %s",
		describe(sites, site), describe(sites, overlap));
}

/* "10.0.0.1", "fe80::1%eth0"; "" is the wildcard. */
static bool parse_host(const char *host, uint16_t port, union address *ret, struct error *error)
{
	static const struct ip any = {.family = 4};

	if (*host)
		return address_parse(host, port, ret, error);
	address_set(ret, &any, port);
	return true;
}

static bool is_same_listener(const union address *a, const union address *b)
{
	if (address_is_wildcard(a) && address_is_wildcard(b))
		return address_port(a) == address_port(b);
	return address_equal(a, b);
}

static bool find_listener(
	struct sites *sites, const struct site *site, size_t *ret_index, struct error *error)
{
	struct network_listener *listener = sites->listeners;
	char text[ADDRESS_TEXT_MAX];
	union address address;
	size_t i;

	if (!parse_host(site->host, site->port, &address, error))
		return false;
	for (i = 0; i < sites->listener_count; i++, listener++)
		if (is_same_listener(&listener->address, &address))
			break;
	if (i == sites->listener_count) {
		address_text(&address, text);
		listener->address = address;
		listener->text = *site->host ? arena_text(sites->arena, text)
					     : arena_format(sites->arena, ":%u", site->port);
		sites->listener_count++;
	}
	*ret_index = i;
	return true;
}

bool sites_add(struct sites *sites, const struct site *site, struct error *error)
{
	struct site *added = &sites->sites[sites->count];

	*added = *site;
	if (!is_free(sites, site, error) || !find_listener(sites, site, &added->listener, error))
		return false;
	tcp_limits_set(
		&sites->listeners[added->listener].tcp, &site->tcp); /* of several blocks the last counts */
	sites->count++;
	return true;
}

static const char *server_text(const struct sites *sites, const struct site *site)
{
	bool is_ipv6 = strchr(site->host, ':');

	return arena_format(sites->arena, "dns://%s%s%s:%u", is_ipv6 ? "[" : "", site->host,
		is_ipv6 ? "]" : "", site->port);
}

const struct place_site *sites_describe(const struct sites *sites, size_t block, size_t *ret_count)
{
	struct place_site *described = arena_alloc(sites->arena, sites->count * sizeof(*described));
	size_t count = 0;

	for (const struct site *site = sites->sites; site < sites->sites + sites->count; site++) {
		char zone[NAME_TEXT_MAX];

		if (site->block != block)
			continue;
		name_to_text(site->zone, zone);
		described[site->index].server = server_text(sites, site);
		described[site->index].zone = arena_text(sites->arena, zone);
		count++;
	}
	*ret_count = count;
	return described;
}

/* Letter, then letters, digits and hyphens, no hyphen last: RFC 1035 section 2.3.1. */
static bool is_preferred_label(const uint8_t *label, uint8_t length)
{
	if (!isalpha(label[0]) || !isalnum(label[length - 1]))
		return false;
	for (uint8_t i = 0; i < length; i++)
		if (!isalnum(label[i]) && label[i] != '-')
			return false;
	return true;
}

static bool is_reverse(const struct name *zone)
{
	static const char *const texts[] = {"in-addr.arpa.", "ip6.arpa."};
	struct name reverse;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		if (name_from_text(texts[i], &reverse) && name_is_under(zone, &reverse))
			return true;
	return false;
}

static bool is_preferred_name(const struct name *zone)
{
	if (is_reverse(zone))
		return true;
	for (unsigned i = 0; i < zone->labels; i++) {
		uint8_t length;
		const uint8_t *label = name_label(zone, i, &length);

		if (!is_preferred_label(label, length))
			return false;
	}
	return true;
}

static void print(const struct site *site, uint16_t port)
{
	char zone[NAME_TEXT_MAX];

	name_to_text(site->zone, zone);
	if (!is_preferred_name(site->zone))
		log_plain("Warning: Domain \"%s\" does not follow RFC1035 preferred syntax", zone);
	log_plain("%s:%u%s%s", zone, port, *site->host ? " on " : "", site->host);
}

static int compare(const void *a, const void *b)
{
	const struct site *left = a, *right = b;
	char left_zone[NAME_TEXT_MAX], right_zone[NAME_TEXT_MAX];

	if (left->listener != right->listener)
		return left->listener < right->listener ? -1 : 1;
	name_to_text(left->zone, left_zone);
	name_to_text(right->zone, right_zone);
	return strcmp(left_zone, right_zone);
}

void sites_print(const struct sites *sites, const struct network *network)
{
	struct site *sorted = memory_alloc(sites->count * sizeof(*sorted));

	memcpy(sorted, sites->sites, sites->count * sizeof(*sorted));
	qsort(sorted, sites->count, sizeof(*sorted), compare);
	for (size_t i = 0; i < sites->count; i++)
		print(&sorted[i], network_port(network, sorted[i].listener));
	memory_free(sorted);
}
