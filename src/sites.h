/* Beside server.c: which zones are served at which addresses. */
#ifndef SVCDNS_SITES_H
#define SVCDNS_SITES_H

#include "svcdns/arena.h"
#include "svcdns/network.h"
#include "svcdns/setup.h"

struct site { /* one zone at one address */
	const struct name *zone;
	const char *host; /* as the Corefile has it; "": everywhere */
	uint16_t port;
	struct tcp_limits tcp; /* that its block sets */
	size_t block;	       /* index of its server block */
	unsigned index;	       /* among those of the block */
	size_t listener;       /* set by sites_add() */
};

struct sites {
	struct arena *arena; /* holds all of it */
	struct site *sites;  /* in the order of the Corefile */
	size_t count;
	struct network_listener *listeners; /* each address once; many sites may share one */
	size_t listener_count;
};

void sites_init(struct sites *sites, struct arena *arena, size_t max);
/* False: it is no address, or the zone is served there already. */
bool sites_add(struct sites *sites, const struct site *site, struct error *error);
/* What the sites of a block are called in metrics, by their index. */
const struct place_site *sites_describe(const struct sites *sites, size_t block, size_t *ret_count);
/* One line for each, sorted at each address, as CoreDNS does; a port 0 appears as the one that was found. */
void sites_print(const struct sites *sites, const struct network *network);

#endif
