/* Zones as a Corefile writes them: names, and CIDRs that stand for reverse zones (CoreDNS plugin/normalize.go). */
#ifndef SVCDNS_ZONES_H
#define SVCDNS_ZONES_H

#include "svcdns/arena.h"
#include "svcdns/error.h"
#include "svcdns/name.h"

/* Made by zones_add() and zones_parse_key(), or only read. Copies share their names; only one of them may be added to. */
struct zones {
	struct name *names;                 /* lower case; in the arena */
	size_t       count;
};

/* "scheme://zone:port" taken apart; a CIDR gives several zones. */
struct server_key {
	const char  *scheme;                /* "dns", "tls", "quic", "grpc", "https", "https3" */
	struct zones zones;
	const char  *port;                  /* digits; NULL: the default of the scheme */
};

/* Words that CoreDNS takes for a zone and that cannot have been meant as one are refused: "example.org:domain",
 * "a.example,b.example", "10.0.0.0/33", "udp://.". */
bool zones_parse_key(const char *key, struct arena *arena, struct server_key *ret, struct error *error);
/* Adds a plugin's zone argument: a name, or a CIDR whose mask may end anywhere. False: not a zone (CoreDNS ignores those). */
bool zones_add(struct zones *zones, struct arena *arena, const char *text);
/* The longest of zones that name (lower case) is in; NULL: none. */
const struct name *zones_match(const struct zones *zones, const struct name *name);

#endif
