/* How many requests may go to the API server: so many in a second, a burst of them at once, and so many that
 * wait for an answer. */
#ifndef SVCDNS_CLUSTER_LIMITER_H
#define SVCDNS_CLUSTER_LIMITER_H

#include "svcdns/clock.h"

#define LIMITER_BURST 10 /* where only a rate is set */
#define LIMITER_POLL  (50 * CLOCK_MS)

struct limiter {
	double rate; /* requests in a second; 0: any number */
	double burst, left;
	int64_t max_waiting, waiting; /* max 0: any number */
	uint64_t at;		      /* when `left` was right */
};

static inline void limiter_init(struct limiter *limiter, double rate, int64_t burst, int64_t max_waiting)
{
	*limiter = (struct limiter){.rate = rate, .max_waiting = max_waiting};
	limiter->burst = burst > 0 ? (double)burst : LIMITER_BURST;
	limiter->left = limiter->burst;
}

/* 0: a request may be sent, and counts; otherwise nanoseconds to wait before asking again. */
static inline uint64_t limiter_take(struct limiter *limiter, uint64_t now)
{
	if (limiter->max_waiting && limiter->waiting >= limiter->max_waiting)
		return LIMITER_POLL;
	if (limiter->rate > 0) {
		double gained = (double)(now - limiter->at) / (double)CLOCK_S * limiter->rate;

		limiter->left =
			limiter->left + gained < limiter->burst ? limiter->left + gained : limiter->burst;
		limiter->at = now;
		if (limiter->left < 1)
			return (uint64_t)((1 - limiter->left) / limiter->rate * (double)CLOCK_S) + 1;
		limiter->left -= 1;
	}
	limiter->waiting++;
	return 0;
}

/* A request that goes without asking. */
static inline void limiter_add(struct limiter *limiter)
{
	limiter->waiting++;
}

static inline void limiter_answered(struct limiter *limiter)
{
	limiter->waiting--;
}

#endif
