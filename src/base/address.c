#include "svcdns/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

bool ip_parse(const char *text, struct ip *ret)
{
	struct ip ip = {0};

	if (inet_pton(AF_INET, text, ip.bytes) == 1)
		ip.family = 4;
	else if (inet_pton(AF_INET6, text, ip.bytes) == 1)
		ip.family = 6;
	else
		return false;
	*ret = ip;
	return true;
}

bool ip_parse_n(const char *text, size_t length, struct ip *ret)
{
	char copy[ADDRESS_TEXT_MAX];

	if (length >= sizeof(copy) || memchr(text, '\0', length))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return ip_parse(copy, ret);
}

void ip_text(const struct ip *ip, char *out)
{
	inet_ntop(ip->family == 6 ? AF_INET6 : AF_INET, ip->bytes, out, ADDRESS_TEXT_MAX);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

size_t ip_length(const struct ip *ip)
{
	return ip->family == 6 ? 16 : 4;
}

static void clear_behind(struct ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < 8 * sizeof(ip->bytes); i++)
		ip->bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

bool prefix_parse(const char *text, struct prefix *ret)
{
	const char *slash = strchr(text, '/');
	struct ip ip;
	unsigned long bits;

	if (!slash || !ip_parse_n(text, (size_t)(slash - text), &ip))
		return false;
	if (!slash[1] || slash[1 + strspn(slash + 1, DIGITS)])
		return false;
	bits = strtoul(slash + 1, NULL, 10);
	if (bits > 8 * ip_length(&ip))
		return false;
	clear_behind(&ip, (unsigned)bits);
	*ret = (struct prefix){.ip = ip, .bits = (uint8_t)bits};
	return true;
}

bool prefix_holds(const struct prefix *prefix, const struct ip *ip)
{
	unsigned whole = prefix->bits / 8;
	uint8_t rest = (uint8_t) ~(0xff >> prefix->bits % 8);

	return ip->family == prefix->ip.family && memcmp(ip->bytes, prefix->ip.bytes, whole) == 0 &&
	       (!rest || (ip->bytes[whole] & rest) == prefix->ip.bytes[whole]);
}

void prefix_text(const struct prefix *prefix, char *out)
{
	ip_text(&prefix->ip, out);
	sprintf(out + strlen(out), "/%u", prefix->bits);
}

void address_set(union address *address, const struct ip *ip, uint16_t port)
{
	memset(address, 0, sizeof(*address));
	if (ip->family == 6) {
		address->in6.sin6_family = AF_INET6;
		address->in6.sin6_port = htons(port);
		memcpy(&address->in6.sin6_addr, ip->bytes, 16);
	} else {
		address->in.sin_family = AF_INET;
		address->in.sin_port = htons(port);
		memcpy(&address->in.sin_addr, ip->bytes, 4);
	}
}

bool address_parse(const char *host, uint16_t port, union address *ret, struct error *error)
{
	const char *zone = strchr(host, '%');
	union address address;
	struct ip ip;

	if (!ip_parse_n(host, zone ? (size_t)(zone - host) : strlen(host), &ip))
		return error_set(error, "not a valid IP address: %s", host);
	address_set(&address, &ip, port);
	if (zone && ip.family == 6) {
		address.in6.sin6_scope_id = if_nametoindex(zone + 1);
		if (!address.in6.sin6_scope_id)
			return error_set(error, "no such network interface: %s", zone + 1);
	}
	*ret = address;
	return true;
}

bool address_is_wildcard(const union address *address)
{
	static const struct ip any4 = {.family = 4}, any6 = {.family = 6};
	struct ip ip;

	address_ip(address, &ip);
	return ip_equal(&ip, &any4) || ip_equal(&ip, &any6);
}

void address_ip(const union address *address, struct ip *ret)
{
	*ret = (struct ip){0};
	if (address->any.sa_family == AF_INET) {
		ret->family = 4;
		memcpy(ret->bytes, &address->in.sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr)) {
		ret->family = 4;
		memcpy(ret->bytes, address->in6.sin6_addr.s6_addr + 12, 4);
	} else {
		ret->family = 6;
		memcpy(ret->bytes, &address->in6.sin6_addr, 16);
	}
}

uint16_t address_port(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET ? address->in.sin_port : address->in6.sin6_port);
}

socklen_t address_length(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

bool address_equal(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
}

void address_text(const union address *address, char *out)
{
	char text[INET6_ADDRSTRLEN], interface[IF_NAMESIZE], zone[IF_NAMESIZE + 1] = "";
	struct ip ip;

	address_ip(address, &ip);
	ip_text(&ip, out);
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, out);
	if (ip.family == 6 && address->in6.sin6_scope_id &&
		if_indextoname(address->in6.sin6_scope_id, interface))
		snprintf(zone, sizeof(zone), "%%%.15s", interface);
	snprintf(out, ADDRESS_TEXT_MAX, ip.family == 6 ? "[%.45s%s]:%u" : "%.45s%s:%u", text, zone,
		address_port(address));
}
