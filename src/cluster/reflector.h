/* Keeps the store's objects of one resource those of the API server: lists them, watches what changes, and
 * knows what to do when either goes wrong. A state machine without sockets and clock: it is told what
 * happened, and asked what to do next. */
#ifndef SVCDNS_CLUSTER_REFLECTOR_H
#define SVCDNS_CLUSTER_REFLECTOR_H

#include "backoff.h"
#include "decode.h"
#include "ledger.h"
#include "object_store.h"
#include "resource.h"
#include "svcdns/log.h"

#define REFLECTOR_SILENCE_NS (180 * CLOCK_S) /* of a watch: three times what lies between two bookmarks */
#define REFLECTOR_ANSWER_NS  (60 * CLOCK_S)  /* of everything else */
#define REFLECTOR_PAGE	     500u	     /* objects of a list's page */
#define REFLECTOR_TOLD	     32		     /* names of broken objects that are remembered */

struct reflector_step {
	enum { REFLECTOR_WAIT, REFLECTOR_SEND, REFLECTOR_CANCEL } action;
	uint64_t until;			 /* WAIT: ask again then, at the latest */
	struct resource_request request; /* SEND: valid until the reflector is told something */
};

enum reflector_end { REFLECTOR_COMPLETE, REFLECTOR_CUT, REFLECTOR_UNREACHED };

struct reflector_notice { /* for the log */
	enum log_level level;
	char text[768]; /* "": nothing is to be said */
};

struct reflector_counts {
	uint64_t events, lists; /* lists that were complete */
	uint64_t failures;	/* requests that did not do what they were to do */
	uint64_t broken;	/* objects that could not be read */
};

enum reflector_state {
	REFLECTOR_RESTING, /* until `due` */
	REFLECTOR_ASKED,   /* nothing has been answered yet */
	REFLECTOR_LISTING, /* a page of a list */
	REFLECTOR_INITIAL, /* a watch: the objects that are there at first */
	REFLECTOR_WATCHING,
	REFLECTOR_REFUSED /* what comes is not read any more, but for the Status that says why */
};

struct reflector {
	const struct resource *resource;
	struct object_store *store;
	struct ledger ledger;
	struct random random;
	uint64_t silence_ns;
	struct reflector_counts counts;
	bool is_synced;		/* a list has been complete */
	bool wants_fresh_token; /* the server has refused the one that we have; cleared by the owner */
	struct reflector_notice notice; /* cleared by the owner */

	enum reflector_state state;
	enum resource_ask ask; /* what is asked for, or will be next */
	bool needs_list;
	bool prefers_list;   /* the server cannot begin a watch with all objects */
	bool wants_newest;   /* the next list is not to be of a version that we name */
	bool wants_one_page; /* the server has forgotten a list before we had its last page */
	bool has_retried_token, is_unreached, is_distrusted;
	char version[VERSION_MAX + 1]; /* the last that we know; "": none */
	char next[CONTINUE_MAX + 1];
	uint64_t due;
	uint64_t heard_at, head_at,
		listed_at; /* the last octet, the response's head, the last complete list */
	uint64_t events_at_head;
	unsigned errors_in_a_row; /* of watches, each of which ended with an error of the server's own */
	unsigned status, retry_after_s; /* of the response */
	struct backoff backoff;

	char failure[FEED_WHY_MAX]; /* of the last request; "": since then a response has begun */
	char told_failure[64];	    /* which the log has; "": none */
	uint64_t told_at;
	uint64_t told[REFLECTOR_TOLD];
	unsigned told_count;
};

void reflector_init(struct reflector *reflector, const struct resource *resource, struct object_store *store,
	uint64_t now);
void reflector_finish(struct reflector *reflector);

/* To be asked after everything that was told, and when the time has come. After SEND a request is under way,
 * until reflector_on_end(); CANCEL: it is to be ended without a word. */
struct reflector_step reflector_next(struct reflector *reflector, uint64_t now);

uint64_t reflector_deadline(
	const struct reflector *reflector); /* when it has to be asked, if nothing is told */
bool reflector_will_send(
	const struct reflector *reflector, uint64_t now); /* reflector_next() would say SEND */

void reflector_on_head(struct reflector *reflector, uint64_t now, unsigned status, unsigned retry_after_s);
void reflector_on_octets(struct reflector *reflector, uint64_t now);
/* An item of a list, or an event; true: the store has changed. */
bool reflector_on_object(struct reflector *reflector, uint64_t now, const struct decoder *decoder,
	enum decoded what, const struct object *object);
bool reflector_reads(const struct reflector *reflector); /* false: the request may be ended */
/* `is_whole`: the body could be read to its end. `decoder` has what it said besides objects; `why` what went
 * wrong otherwise. True: the store may have changed. */
bool reflector_on_end(struct reflector *reflector, uint64_t now, enum reflector_end end, bool is_whole,
	const struct decoder *decoder, const char *why);

/* Somebody else has reached the server. */
void reflector_hurry(struct reflector *reflector, uint64_t now);
/* What we have is not what the server has: everything is to be listed anew. */
void reflector_distrust(struct reflector *reflector, const char *why);

#endif
