/* The contract of a plugin. A plugin is a const struct; what it keeps belongs to the pointers that it returned. A
 * request meets it at most twice: on the way down it may answer, on the way up it may look at or change the answer. */
#ifndef SVCDNS_PLUGIN_H
#define SVCDNS_PLUGIN_H

#include "svcdns/error.h"
#include "svcdns/request.h"

struct buffer;
struct metric_family;
struct metrics_page;
struct setup;
struct worker;

struct plugin {
	const char *name;                   /* as in the Corefile */
	size_t      state_size;             /* octets of request_state() */
	bool        takes_any_class;        /* queries of other classes than IN get past the server's door */
	bool        is_fresh;               /* its answers come from memory and are always current: caching them is no use */
	bool        passes_on;              /* it has no names of its own: one that does not exist below it does not exist */
	const struct metric_family *const *families;    /* that it counts in (metrics.h), NULL behind the last; NULL: none */

	/* Reads the Corefile's properties (setup.h). No effect outside its result, which may live in the arena of the
	 * setup. NULL: refused, error says why. */
	void *(*setup)(struct setup *setup, struct error *error);
	/* Begins what all workers share (a feed, a thread); once, after every setup of the configuration succeeded, in the
	 * order of the registry and before anything is asked. May be NULL, as every one that follows. */
	bool (*open)(void *config, struct error *error);
	void *(*start)(void *config, struct worker *worker);   /* once per worker; without it, self is the config */
	void (*refresh)(void *self);        /* on the worker's thread, between two batches of queries */
	/* Before serve(), for a whole batch: step 0 of every request, then step 1 of every one, and step 2. It asks the
	 * processor for memory that serve() will read, and may keep what it has computed in request_state(), which is good
	 * as long as request->is_foreseen. For children there is step 0 at most. */
	void (*look_ahead)(void *self, struct request *request, unsigned step);
	/* Whether it can tell without serve(), and for less, that it would answer NXDOMAIN; after look_ahead() for this
	 * request, which a plugin that has this has, too. Plugins that try one name after the other ask so
	 * (request_is_ruled_out()). False: not known. */
	bool (*rules_out)(void *self, struct request *request);
	enum verdict (*serve)(void *self, struct request *request);           /* way down; NULL: not part of the chain */
	enum verdict (*resume)(void *self, struct request *request, struct request *child);   /* request_ask_below() */
	/* Way up: once for every request for which serve() returned VERDICT_NEXT. A query that a plugin below dropped
	 * passes as a bare SERVFAIL that will not be sent. */
	void (*reply)(void *self, struct request *request);
	/* Behind reply(), for a plugin that has to ask something before an answer may go further up: VERDICT_ANSWERED, or
	 * VERDICT_PENDING until resume() has its child. Not called for what a plugin below dropped. */
	enum verdict (*amend)(void *self, struct request *request);
	/* The namespace of the Pod that has a client's address, as a lower-case label; false: not known here. */
	bool (*find_namespace)(void *self, const struct ip *client, uint8_t ret_label[63], uint8_t *ret_length);
	/* Name `index` of the search list that the client of a request has, in lower case; false: the list is at its end, or
	 * there is none. */
	bool (*find_search_name)(void *self, const struct request *request, unsigned index, struct name *ret);
	/* The value of a label of metadata that this plugin gives; false: the label is none of its. */
	bool (*find_label)(void *self, const struct request *request, const char *label, char ret[METADATA_MAX]);
	/* Whether it could answer now; for the ready plugin. Any thread, and also while open() has not returned yet. False: it
	 * may have added to ret_why what it waits for, a line for each thing, without a newline at the end. */
	bool (*is_ready)(void *config, struct buffer *ret_why);
	/* Adds what is looked up, not counted, to a page of metrics; between open() and close(), on the page's thread. */
	void (*collect)(void *config, struct metrics_page *page);
	/* The server is about to go and serves on meanwhile: this may take its time. On the main thread, in the order of the
	 * registry, before the first stop(); not called of a server that never served. */
	void (*leave)(void *config);
	void (*stop)(void *self);           /* ends what start() began; on the worker's thread, loop still alive */
	void (*close)(void *config);        /* ends what setup() and open() began */
};

#endif
