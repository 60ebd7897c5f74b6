/* Asking other servers: a group of upstreams with CoreDNS' forward semantics, one instance per worker. */
#ifndef SVCDNS_UPSTREAM_H
#define SVCDNS_UPSTREAM_H

#include <stdatomic.h>

#include "svcdns/address.h"
#include "svcdns/error.h"
#include "svcdns/metrics.h"
#include "svcdns/name.h"
#include "svcdns/request.h"

#define UPSTREAM_ATTEMPTS_EACH 2            /* tries for each server, as CoreDNS has it where nothing else is said */

enum upstream_policy {
	UPSTREAM_RANDOM, UPSTREAM_ROUND_ROBIN, UPSTREAM_SEQUENTIAL,
	UPSTREAM_FASTEST                    /* the smallest smoothed round-trip time; now and then another, to know theirs */
};

extern const struct metric_family *const upstream_families[];

struct upstream_config {                    /* outlives every group made of it */
	const char          *proxy_name;    /* what metrics call it */
	struct metrics      *metrics;       /* NULL: nothing is counted */
	union address       *servers;
	size_t               server_count;  /* 1 .. 15 */
	enum upstream_policy policy;
	bool                 force_tcp, prefer_udp;
	bool                 failfast;      /* failfast_all_unhealthy_upstreams */
	bool                 random_case;   /* letters of names are sent in random case, which a reply has to repeat */
	int64_t              hedge;         /* ns after which a second server is asked besides; 0: never. UDP only */
	int64_t              expire;        /* ns that an idle connection is kept */
	int64_t              max_age;       /* ns; 0: no limit */
	int64_t              max_idle;      /* connections per server; 0: no limit */
	int64_t              read_timeout;  /* ns for one try */
	int64_t              max_fails;     /* failed probes after which a server is down; 0: never */
	int64_t              max_connect_attempts; /* tries per query */
	int64_t              max_concurrent;/* queries under way, all workers together; 0: no limit */
	_Atomic int64_t     *under_way;     /* shared by the groups made of this */
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
/* What is under way comes back as a bare SERVFAIL first. The loop has to run on until its handles are closed. */
void                   upstream_stop(struct upstream_group *group);

/* What was asked with this context comes back as a bare SERVFAIL before it returns; nothing may be asked with it meanwhile. */
void                   upstream_call_off(struct upstream_group *group, const void *context);

/* Forwards the query in request->wire as it came (wire[0 .. query_length)), with an id of its own. done() is called, never
 * from within upstream_ask(), when the upstream's reply stands in the request (OPT left out), or a bare SERVFAIL with
 * request->error set because the time budget (5 s, but not beyond request->deadline) or the number of tries is used up.
 * VERDICT_PENDING, or VERDICT_ANSWERED when it failed at once: REFUSED because more than max_concurrent are under way,
 * SERVFAIL because nothing can be sent. */
enum verdict upstream_ask(struct upstream_group *group, struct request *request,
	void (*done)(void *context, struct request *request), void *context);

/* resolv.conf "nameserver" lines -> addresses with port 53; false with a reason. Read through c-ares. */
bool upstream_read_resolv_conf(const char *path, union address *ret, size_t max, size_t *ret_count, struct error *error);
/* A host name -> its addresses, asked of `resolvers` (none: the system's), at start-up only. */
bool upstream_resolve(const char *host, uint16_t port, const union address *resolvers, size_t resolver_count,
	union address *ret, size_t max, size_t *ret_count, struct error *error);

#endif
