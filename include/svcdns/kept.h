/* What one configuration leaves to the next: caches, upstreams, the service table. An object is found again under a key that
 * says everything it is made of; who asks with another key gets another object. All calls on the main thread. */
#ifndef SVCDNS_KEPT_H
#define SVCDNS_KEPT_H

#include "svcdns/error.h"

struct kept;

struct kept *kept_create(void);
void         kept_destroy(struct kept *kept);           /* accepts NULL; every object has been released */

/* The object under a key, made by create() where there is none; NULL: that returned NULL, and has set error. It goes, by
 * destroy(), when it has been released as often as it was taken. The key is copied. */
void *kept_take(struct kept *kept, const char *key, void *(*create)(void *context, struct error *error), void *context,
	void (*destroy)(void *object), struct error *error);
void  kept_release(struct kept *kept, const void *object);     /* accepts NULL for the object */

#endif
