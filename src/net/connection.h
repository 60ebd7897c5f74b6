/* Inside net: one TCP connection of a client. */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "svcdns/request.h"
#include "tcp.h"

#define CONNECTION_INPUT 4096 /* octets read at a time */

struct connection {
	struct watch watch;
	struct tcp *tcp;
	struct tcp_listener *listener; /* that it came to */
	union address client, local;

	enum tcp_state state; /* the list it is in; tcp.c keeps these four */
	bool is_listed;
	uint64_t since; /* when it came there, ns */
	struct connection *before, *after;

	/* In: octets that were read and not taken yet, and the query that they are put together to. */
	size_t input_at, input_end;
	struct request *query; /* its length prefix stands in the two octets before its wire */
	size_t query_have;     /* octets of it, prefix included */
	int64_t taken;	       /* queries so far */

	/* Out. */
	struct request *outgoing, **outgoing_end; /* replies, in the order in which they became ready */
	size_t outgoing_sent;			  /* octets of the first that are out, prefix included */
	size_t outgoing_octets;			  /* of all of them */
	unsigned in_flight; /* queries that were taken and whose replies are not out yet */

	bool is_writing; /* the kernel takes no more: the client is slower than we are */
	bool is_ended;	 /* no more queries: the client's FIN, or a drain */
	bool is_closed;	 /* only queries that wait, and tcp->ready, hold the struct now */
	bool is_ready;	 /* in tcp->ready */
	struct connection *ready_next;
	uint8_t input[CONNECTION_INPUT];
};

/* Takes over a connection that was accepted. tcp_flush() frees it some time after connection_close(). */
void connection_open(struct tcp_listener *listener, int fd, const union address *client);
void connection_proceed(struct connection *c); /* takes, answers, sends, as far as it goes now */
void connection_flush(
	struct connection *c);		   /* the same, for tcp_flush(), which has taken it off tcp->ready */
void connection_end(struct connection *c); /* close it when what is under way is done */
void connection_close(struct connection *c); /* at once */

#endif
