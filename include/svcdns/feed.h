/* A feed keeps a service table current: it reads objects from a source on its own thread and publishes snapshots.
 * Lifetime: from feed_open() to feed_close(); subscribers end before it. */
#ifndef SVCDNS_FEED_H
#define SVCDNS_FEED_H

#include "svcdns/error.h"
#include "svcdns/snapshot.h"

struct selector;                            /* a label selector, parsed */

struct feed_config {                        /* all of it outlives the feed */
	const char  *table;                 /* a manifest file, or a folder of them (*.yaml, *.yml, *.json) */
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

/* Reads the table once, before it returns: false and FILE:LINE: FIELD: why, if that fails. Later, a broken file is
 * logged and counted, and the last good table stays. */
struct feed *feed_open(const struct feed_config *config, struct error *error);
void         feed_close(struct feed *feed);                             /* accepts NULL */

bool         feed_is_synced(struct feed *feed);                         /* the table is complete; any thread */

struct feed_counts { uint64_t reads, failures; };   /* of the table, the first one included; of reads, those that were refused */
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
