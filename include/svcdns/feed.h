/* A feed keeps a service table current: it reads objects from a source on its own thread and publishes snapshots.
 * Lifetime: from feed_open() to feed_close(); subscribers end before it. */
#ifndef SVCDNS_FEED_H
#define SVCDNS_FEED_H

#include "svcdns/error.h"
#include "svcdns/snapshot.h"

struct access;
struct selector;                            /* a label selector, parsed */

struct feed_api {                           /* the Kubernetes API as the source */
	struct access *access;
	int64_t startup_timeout_ns;         /* how long feed_open() waits at most for all objects */
	double  qps;                        /* requests in a second, 0: any number; `burst` of them may come at once */
	int64_t burst, max_inflight;        /* max_inflight: requests that wait for an answer; 0: any number */
	const char *saved;                  /* a file that keeps the table for the next start; NULL: none */
	int64_t saved_max_age_ns;           /* an older one is not used */
	int64_t silence_ns;                 /* a watch that is silent for so long is dead; 0: 3 minutes */
	int64_t audit_ns;                   /* between two audits; 0: 15 minutes */
};

struct feed_config {                        /* all of it outlives the feed */
	const char  *table;                 /* a manifest file, or a folder of them (*.yaml, *.yml, *.json); NULL: the API */
	struct feed_api api;
	const char **namespaces;            /* only these are there for snapshot_has_namespace(); NULL: all. Services of
					     * others stay in the table, as CoreDNS keeps them: the plugin does not answer them */
	size_t       namespace_count;
	const struct selector *labels;      /* of Services, EndpointSlices and Pods; NULL: all */
	const struct selector *namespace_labels;
	bool         endpoints;             /* false: EndpointSlices are not read (noendpoints) */
	bool         endpoint_pod_names;
	bool         pods;                  /* Pods are read (pods verified, search from client) */
};

struct feed;
struct feed_subscriber;

/* Files are read once, before it returns: NULL and FILE:LINE: FIELD: why, if that fails. Later, a broken file is
 * logged and counted, and the last good table stays. An API server that is not there is waited for, but no longer than
 * api.startup_timeout_ns, nor once the process has been told to end (interrupt.h): then the feed is there all the same, and
 * its snapshots say what they do not know yet. */
struct feed *feed_open(const struct feed_config *config, struct error *error);
void         feed_close(struct feed *feed);                             /* accepts NULL */

bool         feed_is_synced(struct feed *feed);                         /* the table is complete; any thread */

enum { FEED_RESOURCES = 4, FEED_CODES = 16, FEED_BUCKETS = 20, FEED_WHY_MAX = 704 };

struct feed_resource {                      /* one resource of the API */
	const char *name;                   /* "services"; NULL: it is not read */
	bool        is_synced;              /* it has been listed once */
	uint64_t    objects;                /* that the server has */
	uint64_t    events, lists, failures, broken;     /* changes; complete lists; requests that failed; objects that could
							  * not be read */
	uint64_t    audits, losses;         /* audits; of those, the ones that found events lost */
	uint64_t    octets;                 /* of responses' bodies */
	uint64_t    silent_ns;              /* since the last of them */
	char        failure[FEED_WHY_MAX];  /* of the last request, in the words of the log; "": since then a response has begun */
};

struct feed_code      { unsigned code; uint64_t count; };               /* of responses; code 0: there was none */
struct feed_histogram { uint64_t buckets[FEED_BUCKETS], count, sum_ns; };       /* what is above all buckets is in count only */

extern const uint64_t feed_request_bounds[11];          /* ns: 5 10 25 50 100 250 500 ms, 1 2.5 5 10 s */
extern const uint64_t feed_programming_bounds[20];      /* ns: 1 ms, each twice the last */

struct feed_counts {
	uint64_t reads, failures;           /* of the files, the first time included; of those, the times it was refused */
	struct feed_code codes[FEED_CODES]; /* the first with a count of 0 ends them */
	struct feed_histogram requests;     /* from a request to the head of its response */
	struct feed_histogram limiter_waits;    /* of every request, for qps and max_inflight; bounds as requests has them */
	struct feed_histogram cluster_ip, headless;     /* from a change of endpoints in the cluster, as their controller notes
							 * it, to the snapshot that has it; by the kind of their Service */
	uint64_t saved_age_s;               /* of the saved table that the answers come from; 0: they come from the API */
	uint64_t snapshots;
	struct feed_resource resources[FEED_RESOURCES];
};

struct feed_counts feed_counts(const struct feed *feed);                /* any thread */

/* A subscriber belongs to one worker. feed_take() returns the newest snapshot if there is one that it has not returned
 * before, with a reference for the caller; otherwise NULL. It costs one relaxed load when there is none. */
struct feed_subscriber *feed_subscribe(struct feed *feed);
void                    feed_unsubscribe(struct feed_subscriber *subscriber);  /* accepts NULL */
struct snapshot        *feed_take(struct feed_subscriber *subscriber);

/* Kubernetes label selectors: "app=web, tier in (a, b), !old, env". False: the reason, as the Kubernetes library words it. */
bool selector_parse(const char *text, struct selector **ret, struct error *error);
void selector_free(struct selector *selector);                          /* accepts NULL */

#endif
