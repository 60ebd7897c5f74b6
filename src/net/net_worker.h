/* Inside net: one worker, its loop, and all that it serves. From net_worker_start() to net_worker_join() only
 * its own thread touches it. */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "svcdns/clock.h"
#include "svcdns/network.h"
#include "tcp.h"
#include "udp.h"

struct net_worker {
	struct worker worker;
	uv_loop_t loop;
	const struct network_config *config; /* the network's */
	struct router *routers;		     /* one per listener; owned */
	struct udp_batch *batch;	     /* owned */
	struct udp *udp;		     /* owned; one per socket */
	size_t udp_count;
	struct tcp tcp;
	uv_prepare_t prepare; /* before the loop waits: sends what was delivered meanwhile */
	uv_timer_t tick;      /* an idle worker lets go of what is out of date, too */
	uv_timer_t grace;
	uv_timer_t due;	 /* the first of the worker's timers */
	uint64_t armed;	 /* the time that it is set for; UINT64_MAX: it is not */
	uv_async_t wake; /* net_worker_stop() */
	_Atomic int64_t grace_ns;
	bool is_stopping;
	pthread_barrier_t *begun; /* the network's */
	pthread_t thread;
};

void net_worker_init(
	struct net_worker *w, unsigned index, const struct network_config *config, size_t sockets);
/* Serves a pair of sockets, which it takes over; called before net_worker_start(), at most `sockets` times.
 */
void net_worker_add(
	struct net_worker *w, size_t listener, const union address *address, int udp_fd, int tcp_fd);
void net_worker_start(struct net_worker *w, pthread_barrier_t *begun);
void net_worker_stop(struct net_worker *w, int64_t grace_ns); /* any thread; does not wait */
void net_worker_join(struct net_worker *w);		      /* and frees what it held */

/* What comes first in every batch of queries. */
static inline void net_worker_turn(struct net_worker *w)
{
	w->worker.now = clock_monotonic();
	w->config->refresh(w->config->context, &w->worker);
}

#endif
