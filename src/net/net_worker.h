/* Inside net: one worker, its loop, and all that it serves. From net_worker_start() to net_worker_join() only
 * its own thread touches it. */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <uv.h>

#include "svcdns/clock.h"
#include "svcdns/network.h"
#include "tcp.h"
#include "udp.h"

#define NET_WORKER_NOWHERE SIZE_MAX

struct net_sockets { /* a pair, for one worker */
	size_t listener;
	union address address;
	int udp, tcp;
};

struct net_change { /* what one worker is to serve from now on; read until it has reported */
	const struct network_generation *generation;
	const struct network_listener *listeners; /* the generation's, complete */
	const size_t *kept; /* for each listener before: its index now, or NET_WORKER_NOWHERE */
	const struct net_sockets *sockets; /* of further ones; taken over */
	size_t socket_count;
};

struct tenure {					     /* a generation as this worker serves it */
	const struct network_generation *generation; /* NULL: none */
	struct router *routers;			     /* one per listener; owned */
};

struct net_worker {
	struct worker worker;
	uv_loop_t loop;
	const struct network_config *config; /* the network's */
	struct tenure current, retired;	     /* retired: its last queries are under way */
	struct udp_batch *batch;	     /* owned */
	struct udp *udp;		     /* a list; owned */
	struct tcp tcp;
	uv_idle_t spin;	      /* while sockets are busy */
	unsigned busy;	      /* how many are */
	uv_prepare_t prepare; /* before the loop waits: sends what was delivered meanwhile */
	uv_timer_t tick;      /* an idle worker lets go of what is out of date, too */
	uv_timer_t grace;
	uv_timer_t due;	 /* the first of the worker's timers */
	uint64_t armed;	 /* the time that it is set for; UINT64_MAX: it is not */
	uv_async_t wake; /* net_worker_change(), net_worker_retire(), net_worker_stop() */
	const struct net_change *_Atomic change; /* NULL: none is wanted */
	_Atomic int64_t retire_ns;		 /* NET_WORKER_NEVER: not asked for yet */
	_Atomic int64_t grace_ns;		 /* the same */
	uint64_t retire_by;			 /* 0: not asked for yet */
	bool has_retired;			 /* and has to report it */
	bool is_stopping;
	sem_t *reports; /* the network's: a change was made, the generation before is retired */
	pthread_t thread;
};

#define NET_WORKER_NEVER INT64_MIN

void net_worker_init(
	struct net_worker *w, unsigned index, const struct network_config *config, sem_t *reports);
/* Starts the thread, which reports when it serves `first`. */
void net_worker_start(struct net_worker *w, const struct net_change *first);
/* These may be called on any thread, and do not wait. The first two are reported when they are done. */
void net_worker_change(struct net_worker *w, const struct net_change *change);
void net_worker_retire(struct net_worker *w, int64_t grace_ns);
void net_worker_stop(struct net_worker *w, int64_t grace_ns);
void net_worker_join(struct net_worker *w); /* and frees what it held */
/* One more or less of its sockets is busy: as long as there is one, the loop does not wait. */
void net_worker_count_busy(struct net_worker *w, bool is_more);

static inline void tenure_refresh(const struct tenure *tenure, struct worker *worker)
{
	if (tenure->generation)
		tenure->generation->refresh(tenure->generation->context, worker);
}

/* What comes first in every batch of queries. */
static inline void net_worker_turn(struct net_worker *w)
{
	w->worker.now = clock_monotonic();
	tenure_refresh(&w->current, &w->worker);
	tenure_refresh(&w->retired, &w->worker);
}

#endif
