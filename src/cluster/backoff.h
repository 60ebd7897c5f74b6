/* How long to wait before the next try, as the Kubernetes client library does: 0.8 s, twice as long each
 * time, up to a limit, and at random up to twice that, so that many clients do not come at the same time. */
#ifndef SVCDNS_CLUSTER_BACKOFF_H
#define SVCDNS_CLUSTER_BACKOFF_H

#include "svcdns/clock.h"
#include "svcdns/random.h"

#define BACKOFF_FIRST_NS (800 * CLOCK_MS)
#define BACKOFF_LIMIT_NS (30 * CLOCK_S)

struct backoff { /* a zeroed one has not failed yet */
	uint64_t next;
};

static inline void backoff_reset(struct backoff *backoff)
{
	backoff->next = 0;
}

static inline uint64_t backoff_wait(struct backoff *backoff, uint64_t limit, struct random *random)
{
	uint64_t wait = backoff->next ? backoff->next : BACKOFF_FIRST_NS;

	if (wait > limit)
		wait = limit;
	backoff->next = wait * 2;
	return wait + random_below(random, (uint32_t)(wait / CLOCK_MS) + 1) * CLOCK_MS;
}

#endif
