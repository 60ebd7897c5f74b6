/* Inside forward: its properties. */
#ifndef FORWARD_SETTINGS_H
#define FORWARD_SETTINGS_H

#include "svcdns/setup.h"
#include "svcdns/upstream.h"

#define FORWARD_RCODES_MAX  16
#define FORWARD_SERVERS_MAX 15

struct pool;

struct forward { /* one forward directive; lifetime: configuration */
	struct name from;
	struct zones except;
	struct upstream_config upstream;
	struct pool *pool;		   /* from open() to close() */
	uint16_t next[FORWARD_RCODES_MAX]; /* rcodes after which the next directive is asked */
	size_t next_count;
	bool next_on_nodata;
	/* Of use only until the servers are found. */
	const char *tls_name;
	int doh_method; /* of no meaning yet */
	union address resolvers[FORWARD_SERVERS_MAX];
	size_t resolver_count;
};

/* Reads one directive; the dispenser stands on its name. NULL: refused, error set. */
struct forward *forward_read(struct setup *setup, struct dispenser *d);

/* "10.0.0.1", "10.0.0.1:53", "::1", "[::1]", "[::1]:53"; an interface behind an address is left out. */
bool forward_read_address(const char *text, union address *ret);
/* Words behind FROM -> forward->upstream.servers, each once, in the order in which they were named. */
bool forward_find_servers(
	struct forward *forward, const struct words *to, struct setup *setup, struct dispenser *d);

#endif
