/* Memory that versions of the service table share: it goes with its last reference, in whichever thread drops that. */
#ifndef SVCDNS_SHARED_H
#define SVCDNS_SHARED_H

#include <stdatomic.h>

#include "svcdns/compiler.h"

struct shared {                             /* first member of what is shared */
	_Atomic uint32_t references;
};

static inline void shared_init(struct shared *shared)       /* the caller holds the first reference */
{
	atomic_init(&shared->references, 1);
}

static inline void shared_ref(struct shared *shared)
{
	atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

/* True: that was the last reference, and the caller has to free it. */
static inline bool shared_drop(struct shared *shared)
{
	return atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1;
}

#endif
