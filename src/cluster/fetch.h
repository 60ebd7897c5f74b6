/* One request at a time to the API server, its response decoded as it comes. */
#ifndef SVCDNS_CLUSTER_FETCH_H
#define SVCDNS_CLUSTER_FETCH_H

#include "api.h"
#include "body.h"
#include "limiter.h"

#define FETCH_REFUSAL_MAX 65536 /* octets of a body that says why something was refused */

struct fetch_user {
	void (*on_head)(void *context, const struct api_head *head);
	/* Octets have come, and have been decoded if they could be; false: no more of them. */
	bool (*on_octets)(void *context);
	/* is_whole: the body could be read from its beginning to its end. A new request may be sent from
	 * here. */
	void (*on_end)(void *context, enum api_end end, bool is_whole, const char *why);
};

struct fetch {
	struct api *api;
	struct limiter *limiter;
	struct feed_counts *counts; /* codes, requests and their waits are counted there */
	const struct fetch_user *user;
	void *context;
	struct decoder decoder; /* the user sets who is told of objects, and which */
	struct body body;
	struct error error;
	struct api_call *call; /* NULL: nothing is under way */
	bool is_watch, is_answered, is_refused, is_unreadable;
	size_t refusal_octets;
	uint64_t waits_since;	   /* for the limiter; 0: it does not */
	uint64_t begun_at, octets; /* octets: of all bodies */
};

/* The user sets api, limiter and counts. */
void fetch_init(
	struct fetch *fetch, const struct feed_config *config, const struct fetch_user *user, void *context);
void fetch_finish(struct fetch *fetch); /* nothing is told any more */
/* 0: the limiter lets a request through, which is then begun; otherwise nanoseconds to wait before asking
 * again. Its whole wait is counted. */
uint64_t fetch_wait(struct fetch *fetch, uint64_t now);
void fetch_skip_wait(struct fetch *fetch);    /* a request that goes without asking */
void fetch_give_up_wait(struct fetch *fetch); /* the request is not wanted any more */
void fetch_begin(struct fetch *fetch, const char *target, const char *accept, bool is_watch);
void fetch_cancel(struct fetch *fetch); /* without a word; not from within on_head() and on_octets() */

#endif
