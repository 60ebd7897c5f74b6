/* A list in the order of due times. Timers are few, and most are set for a later time than all others: a new
 * one finds its place from the end. */
#include "svcdns/timer.h"

#include "svcdns/worker.h"

void timer_cancel(struct worker *worker, struct timer *timer)
{
	if (!timer->expired)
		return;
	*(timer->earlier ? &timer->earlier->later : &worker->first_timer) = timer->later;
	*(timer->later ? &timer->later->earlier : &worker->last_timer) = timer->earlier;
	*timer = (struct timer){0};
}

void timer_set(struct worker *worker, struct timer *timer, uint64_t due, void (*expired)(struct timer *timer))
{
	struct timer *before;

	timer_cancel(worker, timer);
	before = worker->last_timer;
	while (before && before->due > due)
		before = before->earlier;
	*timer = (struct timer){.due = due, .expired = expired, .earlier = before};
	timer->later = before ? before->later : worker->first_timer;
	*(timer->later ? &timer->later->earlier : &worker->last_timer) = timer;
	*(before ? &before->later : &worker->first_timer) = timer;
}

uint64_t timers_next(const struct worker *worker)
{
	return worker->first_timer ? worker->first_timer->due : UINT64_MAX;
}

void timers_run(struct worker *worker)
{
	while (timers_next(worker) <= worker->now) {
		struct timer *timer = worker->first_timer;
		void (*expired)(struct timer *) = timer->expired;

		timer_cancel(worker, timer);
		expired(timer);
	}
}
