/* Where a feed's objects come from: manifest files or the Kubernetes API. A source fills the feed's store,
 * and says when there is something to be published. */
#ifndef SVCDNS_CLUSTER_SOURCE_H
#define SVCDNS_CLUSTER_SOURCE_H

#include <uv.h>

#include "object_store.h"
#include "svcdns/feed.h"

#define FEED_TOPIC "plugin/kubernetes"

struct feed_core { /* what a source knows of its feed */
	const struct feed_config *config;
	struct object_store *store;
	uv_loop_t *loop; /* of the feed's thread */
};

struct source {
	/* On the caller's thread, before the feed's one begins. False: error set. create() may fill the
	 * store; `ret_synced` is what of it is complete (enum snapshot_part). */
	void *(*create)(
		struct feed *feed, const struct feed_core *core, unsigned *ret_synced, struct error *error);
	void (*start)(void *self); /* puts handles on the loop */
	/* On the caller's thread, while the feed's one runs: until the feed is good enough to be used. NULL:
	 * at once. */
	void (*wait)(void *self);
	void (*stop)(void *self);			    /* on the feed's thread: closes the handles */
	void (*destroy)(void *self);			    /* after the loop has ended */
	void (*count)(void *self, struct feed_counts *ret); /* any thread */
};

extern const struct source source_files, source_api;

/* On the feed's thread: makes a snapshot of what the store has now, if readers would see something new in it.
 * True: they do. */
bool feed_publish(struct feed *feed, unsigned synced, bool always, struct snapshot_counts *ret_counts);
/* Frees snapshots that nobody reads any more; true: some are left. */
bool feed_tidy(struct feed *feed);

#endif
