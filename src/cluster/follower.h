/* Runs the reflector and the auditor of one resource over HTTP. */
#ifndef SVCDNS_CLUSTER_FOLLOWER_H
#define SVCDNS_CLUSTER_FOLLOWER_H

#include "audit.h"
#include "fetch.h"
#include "reflector.h"

#define FOLLOWER_AUDIT_NS (900 * CLOCK_S)
#define FOLLOWER_AGAIN_NS (15 * CLOCK_S) /* after an audit that found something: is it still so? */

struct follower_host { /* what the resources of a feed share */
	uv_loop_t *loop;
	struct api *api;
	struct limiter limiter;
	struct feed_counts *counts; /* of all of them */
	const struct feed_config *config;
	struct object_store *store;
	void (*on_change)(void *context); /* the store may have changed, or a list has become complete */
	void (*on_reached)(void *context);
	/* A slice has changed, and its controller has noted when: Unix time in seconds. */
	void (*on_slice)(void *context, const struct object *slice, double triggered_at);
	void *context;
};

struct follower {
	struct follower_host *host;
	struct reflector reflector;
	struct fetch fetch;
	uv_timer_t timer;
	struct {
		struct audit audit;
		struct fetch fetch;
		uv_timer_t timer;
		char next[CONTINUE_MAX + 1];
		uint64_t lists;	     /* that had been complete when it began */
		uint64_t done, hits; /* audits; of those, the ones that found events lost */
	} auditor;
};

void follower_init(struct follower *follower, struct follower_host *host, const struct resource *resource);
void follower_start(struct follower *follower);
void follower_close(struct follower *follower); /* its handles, in the loop's next round */
void follower_finish(struct follower *follower);
void follower_hurry(struct follower *follower); /* another one has reached the server */

#endif
