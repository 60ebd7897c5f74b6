/* Hands the newest version of something immutable from the thread that makes it to those that read it. A reader keeps a
 * reference to the version that it uses, and asks for a newer one where it suits it: at a cost of one relaxed load. */
#ifndef SVCDNS_PUBLISHED_H
#define SVCDNS_PUBLISHED_H

#include <pthread.h>

#include "svcdns/shared.h"

struct published {
	pthread_mutex_t mutex;
	struct shared *newest;              /* holds a reference; NULL: nothing yet. Guarded by mutex */
	_Atomic uint64_t version;           /* grows with every published_set() */
	void (*free)(struct shared *object); /* when its last reference is gone */
};

struct published_view {                     /* a reader's */
	struct shared *object;              /* holds a reference; NULL: nothing yet */
	uint64_t version;
};

void published_init(struct published *published, void (*free)(struct shared *object));
void published_finish(struct published *published);
void published_set(struct published *published, struct shared *fresh);          /* takes over the caller's reference */

/* Zero a view to begin. True: view->object is another one than before. */
bool published_refresh(struct published *published, struct published_view *view);
void published_release(struct published *published, struct published_view *view);

#endif
