/* Workers, their sockets and connections: everything between the kernel and query_answer(). */
#ifndef SVCDNS_NETWORK_H
#define SVCDNS_NETWORK_H

#include "svcdns/address.h"
#include "svcdns/error.h"
#include "svcdns/router.h"
#include "svcdns/worker.h"

struct tcp_limits {                         /* of a connection; where a listener has 0, the network's counts */
	int64_t first_ns, idle_ns;          /* waiting for the first query, and for a further one */
	int64_t write_ns;                   /* the client does not read its replies */
	int64_t queries;                    /* after so many it is closed; 0: any number */
};

/* What `set` has takes the place of what stands in limits. */
void tcp_limits_set(struct tcp_limits *limits, const struct tcp_limits *set);

struct network_listener {                   /* one address that is served, over UDP and TCP */
	union address address;              /* a wildcard address, of whichever family, stands for both; port 0: a free one */
	const char   *text;                 /* for messages; outlives the network */
	struct tcp_limits tcp;
};

struct network_config {
	unsigned workers;                   /* 0: network_default_workers() */
	unsigned tcp_connections;           /* at a time, per worker */
	struct tcp_limits tcp;
};

/* What is served, from network_start() or network_switch() on until the network has another one, or stops. */
struct network_generation {
	const struct network_listener *listeners;
	size_t   listener_count;
	/* Called on each worker's own thread. begin() fills one router per listener; refresh() runs between batches;
	 * end() comes last, while the loop still runs callbacks. Of a generation that another one follows: when
	 * is_idle(), which says whether no query that it was given is under way any more, or when its time is up. */
	void (*begin)(void *context, struct worker *worker, struct router *routers);
	void (*refresh)(void *context, struct worker *worker);
	bool (*is_idle)(void *context, const struct worker *worker);
	void (*end)(void *context, struct worker *worker, struct router *routers);
	void *context;
};

struct network;

unsigned network_default_workers(void);     /* CPUs of the affinity mask, bounded by the cgroup's quota; at least 1 */

/* Binds everything before it starts a thread, so that an address that cannot be had is an error here and nothing serves. */
struct network *network_start(const struct network_config *config, const struct network_generation *first, struct error *error);
/* Serves another generation, on the same workers. Addresses that both have keep their sockets and connections, so that no
 * query is lost; new ones are bound first, and if one cannot be had nothing changes. Returns when every worker serves `next`;
 * network_retire() is due then. */
bool            network_switch(struct network *network, const struct network_generation *next, struct error *error);
/* Returns when every worker has ended the generation before: its queries are answered, or grace_ns are over. */
void            network_retire(struct network *network, int64_t grace_ns);
uint16_t        network_port(const struct network *network, size_t listener);  /* of the generation that is served */
/* Stops listening, lets what is under way finish for grace_ns at most, ends the threads. */
void            network_stop(struct network *network, int64_t grace_ns);

#endif
