/* Asking other servers: a group of upstreams with CoreDNS' forward semantics, one instance per worker. */
#ifndef SVCDNS_UPSTREAM_H
#define SVCDNS_UPSTREAM_H

#include "svcdns/address.h"
#include "svcdns/error.h"
#include "svcdns/name.h"
#include "svcdns/request.h"

enum upstream_policy { UPSTREAM_RANDOM, UPSTREAM_ROUND_ROBIN, UPSTREAM_SEQUENTIAL };

struct upstream_config {                    /* outlives every group made of it */
	union address       *servers;
	size_t               server_count;  /* 1 .. 15 */
	enum upstream_policy policy;
	bool                 force_tcp, prefer_udp;
	bool                 failfast;      /* failfast_all_unhealthy_upstreams */
	int64_t              expire;        /* ns that an idle connection is kept */
	int64_t              max_age;       /* ns; 0: no limit */
	int64_t              max_idle;      /* connections per server; 0: no limit */
	int64_t              read_timeout;  /* ns for one try */
	int64_t              max_fails;     /* failed probes after which a server is down; 0: never */
	int64_t              max_connect_attempts; /* tries per query; 0: twice the number of servers */
	int64_t              max_concurrent;/* queries under way in this worker's share; 0: no limit */
	int64_t              health_interval;      /* ns */
	bool                 health_recursion;     /* RD in probes */
	struct name          health_domain;
	uint16_t             failover[16];  /* rcodes for which the next server is tried */
	size_t               failover_count;
	bool                 has_source;
	struct ip            source;        /* source_address */
};

struct upstream_group;
struct worker;

struct upstream_group *upstream_start(const struct upstream_config *config, struct worker *worker);
void                   upstream_stop(struct upstream_group *group);     /* what is under way is answered SERVFAIL */

/* Forwards the query in request->wire as it came (wire[0 .. query_length)). Always VERDICT_PENDING or a failure that is
 * answered at once. The request is resumed with VERDICT_ANSWERED: the upstream's reply (OPT left out), or a bare SERVFAIL
 * with request->error set when the time budget (5 s) or the number of tries is used up. */
enum verdict upstream_ask(struct upstream_group *group, struct request *request);

/* resolv.conf "nameserver" lines -> addresses with port 53; false with a reason. Read through c-ares. */
bool upstream_read_resolv_conf(const char *path, union address *ret, size_t max, size_t *ret_count, struct error *error);
/* A host name -> its addresses, asked of `resolvers` (none: the system's), at start-up only. */
bool upstream_resolve(const char *host, uint16_t port, const union address *resolvers, size_t resolver_count,
	union address *ret, size_t max, size_t *ret_count, struct error *error);

#endif
