/* Inside net: TCP of one worker: its listening sockets, how many connections there may be, and how long each
 * may be waited for (RFC 7766 section 6.2.3). */
#ifndef NET_TCP_H
#define NET_TCP_H

#include <uv.h>

#include "svcdns/network.h"
#include "watch.h"

struct connection;
struct net_worker;

/* What a connection waits for. Each state is a list in the order in which connections came to it, so that,
 * all of a state and listener having the same patience, the first of a list is the one to give up next. */
enum tcp_state {
	TCP_FIRST,   /* the client has not asked anything yet */
	TCP_IDLE,    /* all that it asked is answered */
	TCP_WRITING, /* the client does not read its replies */
	TCP_SERVING, /* a plugin has queries: no time-out of ours */
	TCP_STATES
};

struct tcp_list {
	struct connection *first, *last;
};

struct tcp_listener {
	struct watch watch;
	struct tcp *tcp;
	union address address; /* that it is bound to */
	struct tcp_listener *next;
	size_t listener; /* of the generation that the worker serves */
	bool is_retired; /* of the one before: no connections any more, and no queries over those that there
			    are */
	const struct router *router;
	struct tcp_limits limits;
	struct tcp_list lists[TCP_STATES]; /* every open connection is in exactly one */
};

struct tcp {
	struct net_worker *owner;
	struct tcp_listener *listeners; /* owned */
	unsigned connections;		/* open ones */
	struct watch_set watched;	/* listeners and connections */
	struct connection *ready;	/* got replies, or were closed, since the loop last waited */
	uv_timer_t timer;
	uint64_t timer_due; /* ns; 0: not set */
	bool is_short;	    /* the last connection could not be accepted, which the log says */
	bool is_paused;	    /* no connections are taken until the timer runs */
	bool is_draining;
};

void tcp_init(struct tcp *tcp, struct net_worker *owner);
/* Takes over a listening socket; tcp_start() says for what. */
struct tcp_listener *tcp_create(struct tcp *tcp, const union address *address, int fd);
void tcp_start(struct tcp_listener *listener, size_t index, const struct router *router,
	const struct tcp_limits *limits);
void tcp_retire(struct tcp_listener *listener); /* what is under way goes on */
void tcp_free_retired(struct tcp *tcp);		/* even if it does */
void tcp_flush(struct tcp *tcp);		/* goes on with those of `ready`, frees the closed ones */
void tcp_drain(struct tcp *tcp);  /* no more connections or queries; what is under way goes on */
void tcp_close(struct tcp *tcp);  /* all at once; the loop has to run once more */
void tcp_finish(struct tcp *tcp); /* after the loop's end */

/* Moves a connection to the end of a list, as it got on just now; or takes it from its list for good. */
void tcp_enlist(struct tcp *tcp, struct connection *connection, enum tcp_state state);
void tcp_remove(struct tcp *tcp, struct connection *connection);

#endif
