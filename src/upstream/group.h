/* Inside upstream: a group of servers, and what one query in it looks like. Everything belongs to one worker.
 */
#ifndef UPSTREAM_GROUP_H
#define UPSTREAM_GROUP_H

#include <ares.h>
#include <uv.h>

#include "counters.h"
#include "letter_case.h"
#include "svcdns/upstream.h"
#include "svcdns/worker.h"

#define SERVERS_MAX 15

struct attempt { /* one server that is asked for an exchange */
	struct exchange *exchange;
	struct server *server;
	struct udp_socket *socket;  /* that it was sent on; NULL: over TCP, or not under way */
	struct attempt *next_by_id; /* in the socket's table */
	uint64_t sent;		    /* ns */
	int code; /* errno with which it has failed, though nobody has been told yet; 0: none */
	uint16_t id;
	bool is_under_way;
	unsigned serial; /* changes with every use: late callbacks of earlier ones are recognised */
};

#define ATTEMPTS 2 /* at a time: the second one is a hedge */

struct exchange { /* one query under way; pooled */
	struct upstream_group *group;
	struct request *request; /* NULL: a health probe */
	void (*done)(void *context, struct request *request);
	void *context;
	struct attempt attempts[ATTEMPTS];
	struct deadlines *queue;	/* that it waits in; NULL: none */
	struct exchange *older, *newer; /* in there */
	uint64_t deadline, give_up;	/* ns: of what it waits for, of the whole */
	bool is_tcp;
	bool is_starting; /* upstream_ask() has not returned yet: it tells the end itself */
	bool is_over;
	unsigned first, step; /* place in the list of servers */
	unsigned fails;	      /* servers found down on this pass through the list */
	unsigned tries, failovers;
	struct letter_case letter_case; /* of the query's name, where it is mixed */
};

struct deadlines { /* exchanges, the one with the earliest deadline first */
	struct exchange *oldest, *newest;
};

struct server {
	union address address;
	char text[ADDRESS_TEXT_MAX];
	struct upstream_group *group;
	struct udp_pool *pool;
	struct tcp_channel *tcp;
	struct exchange *probe; /* under way; NULL: none */
	uint64_t round_trip;	/* ns, smoothed; 0: not known yet */
	unsigned fails;		/* probes since the last that was answered */
	bool is_probing;
	uv_timer_t probe_timer;
	struct server_counters counters;
};

struct upstream_group {
	const struct upstream_config *config;
	struct worker *worker;
	struct server servers[SERVERS_MAX];
	size_t server_count;	    /* the configuration's, which is gone when the last handle is closed */
	struct exchange *free;	    /* pool */
	struct deadlines time_outs; /* of attempts under way */
	struct deadlines hedges;    /* when a second server is asked besides */
	uv_timer_t timer;	    /* at the earliest deadline */
	unsigned next;		    /* round robin */
	unsigned handles;	    /* open ones: the group is freed when the last is closed */
	bool is_stopping;
	struct group_counters counters;
	uint8_t probe_query[MESSAGE_HEADER + NAME_WIRE_MAX + 4];
	size_t probe_length;
};

/* The octets to send; id is not in them yet. */
uint8_t *exchange_query(const struct exchange *exchange, size_t *ret_length);

/* What became of an attempt. `message` answers the question, or is a bare refusal without one. */
void attempt_on_reply(struct attempt *attempt, const uint8_t *message, size_t length);
void attempt_on_error(struct attempt *attempt, const char *reason);
/* The same for an errno, in the loop's next round: when the caller is within another attempt. */
void attempt_fail_soon(struct attempt *attempt, int code);

/* Puts an exchange into a queue of its group, and sees to it that the deadline is kept. */
void deadlines_add(struct deadlines *queue, struct exchange *exchange, uint64_t deadline);
void deadlines_remove(struct exchange *exchange); /* accepts one that is in none */
/* The one timer of the group, for the earliest of all deadlines. */
void deadlines_set_timer(struct upstream_group *group);

struct exchange *exchange_take(struct upstream_group *group);
void exchange_release(struct exchange *exchange);

/* Sends over UDP or TCP, whichever the exchange is to use; false: it could not, reason set. */
bool attempt_send(struct attempt *attempt, struct server *server, char *ret_reason, size_t size);
/* A reply to it is of no use any more. */
void attempt_forget(struct attempt *attempt);

/* Probes a server until it answers. Nothing is probed as long as it answers queries (CoreDNS plugin/pkg/up).
 */
void probe_init(struct upstream_group *group, struct server *server);
void probe_start(struct server *server);
void probe_stop(struct server *server);
void probe_close(struct server *server);
void probe_on_end(struct exchange *probe, bool is_answered);

void group_hold(struct upstream_group *group);	  /* one more handle */
void group_release(struct upstream_group *group); /* in its close callback */

#endif
