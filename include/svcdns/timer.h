/* What a worker is to do at a later time. The worker keeps its timers in order; whoever runs its loop asks when the first
 * one is due, and runs them then. A test does so with a clock of its own. */
#ifndef SVCDNS_TIMER_H
#define SVCDNS_TIMER_H

#include "svcdns/compiler.h"

struct worker;

struct timer {                              /* its owner's; all zero: not set */
	uint64_t       due;                 /* worker->now, ns */
	void         (*expired)(struct timer *timer); /* NULL: not set */
	struct timer  *earlier, *later;
};

/* On the worker's own thread. A timer that is set already gets the new time; expired() finds it no longer set. */
void timer_set(struct worker *worker, struct timer *timer, uint64_t due, void (*expired)(struct timer *timer));
void timer_cancel(struct worker *worker, struct timer *timer);          /* accepts one that is not set */

uint64_t timers_next(const struct worker *worker);      /* when the first one is due; UINT64_MAX: none is set */
void     timers_run(struct worker *worker);             /* those that are due at worker->now, in their order */

#endif
