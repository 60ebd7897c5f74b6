/* Inside net: one UDP socket of one worker. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include <uv.h>

#include "svcdns/request.h"

struct net_worker;
struct udp_batch; /* the arrays of recvmmsg() and sendmmsg(), shared by a worker's sockets */

struct udp {
	uv_poll_t poll;
	struct net_worker *owner;
	struct udp *next; /* in the worker's list */
	size_t listener;  /* of the generation that the worker serves */
	bool is_retired;  /* of the one before: no reading any more */
	const struct router *router;
	int fd; /* owned; -1 once it is closed */
	bool is_wildcard;
	bool is_blocked;  /* the kernel took no more: no reading until it does */
	bool is_draining; /* no reading any more */
	union address local;
	struct request *outgoing, **outgoing_end; /* replies in the order in which they became ready */
};

struct udp_batch *udp_batch_create(struct worker *worker);
void udp_batch_free(struct udp_batch *batch);

/* Takes over the descriptor, and begins to read. */
struct udp *udp_create(struct net_worker *owner, const union address *address, int fd);
void udp_start(struct udp *udp, size_t listener, const struct router *router);
void udp_flush(struct udp *udp); /* sends what it can of outgoing */
void udp_drain(struct udp *udp); /* answers what the kernel holds, then reads no more */
void udp_close(struct udp *udp); /* the loop has to run once more; a retired one is freed then */
void udp_free(struct udp *udp);	 /* any other, after the loop's end */

#endif
