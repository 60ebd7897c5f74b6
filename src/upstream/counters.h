/* Inside upstream: what a group counts. All of it does nothing where the group has no metrics. */
#ifndef UPSTREAM_COUNTERS_H
#define UPSTREAM_COUNTERS_H

#include "svcdns/metrics.h"

struct upstream_group;
struct server;

struct server_counters {	    /* NULL: not counted */
	struct cell *durations;	    /* a histogram for each rcode */
	struct cell *hits, *misses; /* of connections, for each protocol */
	struct cell *failures;	    /* of probes */
};

struct group_counters { /* NULL: not counted */
	struct cell *broken, *rejects;
};

void counters_start(struct upstream_group *group); /* and of its servers */

void count_reply(struct server *server, uint16_t rcode, uint64_t duration);
/* Whether a query found a socket or connection to go by. */
void count_connection(struct server *server, bool is_tcp, bool is_open);
void count_failed_probe(struct server *server);
void count_broken(struct upstream_group *group); /* all servers are down */
void count_reject(struct upstream_group *group); /* max_concurrent */

#endif
