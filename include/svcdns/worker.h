/* One thread that serves: what every layer may know of it. net/ runs it. */
#ifndef SVCDNS_WORKER_H
#define SVCDNS_WORKER_H

#include "svcdns/random.h"
#include "svcdns/timer.h"

struct request;
struct uv_loop_s;

#define WORKER_WAITING_MAX 16384            /* queries of one worker that may wait for an upstream at a time */

struct worker {
	unsigned          index;            /* 0 .. workers - 1 */
	struct uv_loop_s *loop;             /* for upstream/ and net/; core never looks inside */
	uint64_t          now;              /* clock_monotonic() when the current batch began, ns */
	struct random     random;
	struct request   *free;             /* pooled requests, newest first */
	unsigned          free_count;
	unsigned          free_lowest;      /* free_count at its lowest since worker_trim() */
	unsigned          requests;         /* that exist: free ones, being served and waiting */
	unsigned          waiting;          /* requests made pending by a plugin */
	struct timer     *first_timer, *last_timer;     /* timer.h */
};

void worker_init(struct worker *worker, unsigned index, struct uv_loop_s *loop);
/* Gives back half of the pooled requests that nobody has needed since the last call; to be called now and then. */
void worker_trim(struct worker *worker);
void worker_finish(struct worker *worker);  /* frees the pool; no request may be in use, no timer set */

#endif
