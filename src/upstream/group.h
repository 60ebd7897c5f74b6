/* Inside upstream: a group of servers, and what one query in it looks like. Everything belongs to one worker.
 */
#ifndef UPSTREAM_GROUP_H
#define UPSTREAM_GROUP_H

#include <ares.h>
#include <uv.h>

#include "svcdns/upstream.h"
#include "svcdns/worker.h"

#define SERVERS_MAX 15

struct exchange { /* one query under way; pooled */
	struct upstream_group *group;
	struct request *request; /* NULL: a health probe */
	void (*done)(void *context, struct request *request);
	void *context;
	struct server *server;		/* that is asked now */
	struct udp_socket *socket;	/* that it was sent on; NULL: over TCP, or not sent */
	struct exchange *next_by_id;	/* in the socket's table */
	struct exchange *older, *newer; /* in the order in which tries time out */
	uint64_t deadline, give_up;	/* ns: of this try, of the whole */
	int code;			/* errno with which this try has failed; 0: it has not, and waits */
	uint16_t id;
	bool is_tcp;
	bool is_starting; /* upstream_ask() has not returned yet: it tells the end itself */
	bool is_over;
	unsigned serial;      /* changes with every try: late callbacks of earlier ones are recognised */
	unsigned first, step; /* place in the list of servers */
	unsigned fails;	      /* servers found down on this pass through the list */
	unsigned attempts, failovers;
};

struct server {
	union address address;
	char text[ADDRESS_TEXT_MAX];
	struct upstream_group *group;
	struct udp_pool *pool;
	struct tcp_channel *tcp;
	struct exchange *probe; /* under way; NULL: none */
	unsigned fails;		/* probes since the last that was answered */
	bool is_probing;
	uv_timer_t probe_timer;
};

struct upstream_group {
	const struct upstream_config *config;
	struct worker *worker;
	struct server servers[SERVERS_MAX];
	struct exchange *free;		  /* pool */
	struct exchange *oldest, *newest; /* tries under way, oldest deadline first */
	uv_timer_t timer;		  /* at the oldest deadline */
	unsigned next;			  /* round robin */
	unsigned handles;		  /* open ones: the group is freed when the last is closed */
	bool is_stopping;
	uint8_t probe_query[MESSAGE_HEADER + NAME_WIRE_MAX + 4];
	size_t probe_length;
};

/* The octets to send; id is not in them yet. */
uint8_t *exchange_query(const struct exchange *exchange, size_t *ret_length);

/* What became of a try. `message` answers the question, or is a bare refusal without one. */
void exchange_on_reply(struct exchange *exchange, const uint8_t *message, size_t length);
void exchange_on_error(struct exchange *exchange, const char *reason);
/* The same for an errno, in the loop's next round: when the caller is within somebody else's try. */
void exchange_fail_soon(struct exchange *exchange, int code);

void group_hold(struct upstream_group *group);	  /* one more handle */
void group_release(struct upstream_group *group); /* in its close callback */

#endif
