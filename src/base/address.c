#include "svcdns/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

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

size_t ip_length(const struct ip *ip)
{
	return ip->family == 6 ? 16 : 4;
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
