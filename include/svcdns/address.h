/* An IPv4 or IPv6 address, with and without a port, and the prefix of a network. */
#ifndef SVCDNS_ADDRESS_H
#define SVCDNS_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "svcdns/error.h"

struct ip {
	uint8_t bytes[16];                  /* network order; IPv4 in the first four, the rest zero */
	uint8_t family;                     /* 4, 6; 0: none */
};

struct prefix {                             /* "10.0.0.0/8", "fd00::/8" */
	struct ip ip;                       /* bits behind the prefix are zero */
	uint8_t   bits;
};

union address {                             /* what the socket calls take */
	struct sockaddr     any;
	struct sockaddr_in  in;
	struct sockaddr_in6 in6;
};

#define ADDRESS_TEXT_MAX 64                 /* "[ffff:...%interface]:65535" */
#define PREFIX_TEXT_MAX  (ADDRESS_TEXT_MAX + 4)

bool      ip_parse(const char *text, struct ip *ret);                   /* "10.0.0.1", "::1"; no zone, no port */
bool      ip_parse_n(const char *text, size_t length, struct ip *ret);
void      ip_text(const struct ip *ip, char *out);                      /* canonical (RFC 5952); ADDRESS_TEXT_MAX */
bool      ip_equal(const struct ip *a, const struct ip *b);
int       ip_compare(const struct ip *a, const struct ip *b);           /* as memcmp; IPv4 comes before IPv6 */
size_t    ip_length(const struct ip *ip);                               /* 4 or 16 octets */

/* A numeric host, with its interface where it has one: "10.0.0.1", "fe80::1%eth0". */
bool      address_parse(const char *host, uint16_t port, union address *ret, struct error *error);
bool      prefix_parse(const char *text, struct prefix *ret);           /* "ADDRESS/BITS"; what is behind the bits is cleared */
bool      prefix_holds(const struct prefix *prefix, const struct ip *ip);
void      prefix_text(const struct prefix *prefix, char *out);          /* PREFIX_TEXT_MAX */

void      address_set(union address *address, const struct ip *ip, uint16_t port);
void      address_ip(const union address *address, struct ip *ret);     /* a v4-mapped address comes back as IPv4 */
bool      address_is_wildcard(const union address *address);
uint16_t  address_port(const union address *address);
socklen_t address_length(const union address *address);
bool      address_equal(const union address *a, const union address *b); /* address and port */
void      address_text(const union address *address, char *out);        /* "10.0.0.1:53", "[::1]:53"; ADDRESS_TEXT_MAX */

#endif
