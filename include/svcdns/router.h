/* Which server block answers a name: the longest zone on the listener (facts: CoreDNS core/dnsserver/server.go). */
#ifndef SVCDNS_ROUTER_H
#define SVCDNS_ROUTER_H

#include "svcdns/chain.h"
#include "svcdns/name.h"

struct traffic;

struct route {
	struct name         zone;           /* lower case */
	const struct chain *chain;
	unsigned            site;           /* which zone at which address of its server block: struct place (setup.h) */
};

struct router {
	struct route *routes;               /* sorted by router_init(): most labels first */
	unsigned      count;
	unsigned      labels_max;           /* of any zone */
	bool          any_class;            /* a plugin on this listener takes other classes than IN */
	const struct traffic *refused;      /* counts what no chain gets; NULL: nothing does. Set by whoever built the router */
};

/* Takes over `routes` (memory_alloc), which need no order. */
void router_init(struct router *router, struct route *routes, unsigned count);
void router_finish(struct router *router);

/* The route of a lower-case name; NULL: no zone holds it. A DS question goes to the parent's side of a zone cut where
 * both sides are served here (RFC 4035 section 3.1.4.1). */
const struct route *router_find(const struct router *router, const struct name *name, uint16_t type);

#endif
