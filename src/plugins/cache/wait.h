/* Inside cache: those who wait for the answer to what somebody else has asked. */
#ifndef CACHE_WAIT_H
#define CACHE_WAIT_H

#include "lookup.h"

/* `r` waits for a flight. time_out: ns after which it gets the old answer, if there is one still; 0: it has
 * none. */
void wait_join(struct cache_worker *w, struct flight *flight, struct request *r, int64_t time_out);

/* Gives to those who waited for a flight, linked by request->next, the reply that stands in its leader, AD
 * included; drops them if that is dropped. is_good: otherwise those who have an old answer get that. */
void wait_answer(
	struct cache_worker *w, struct request *followers, const struct request *reply, bool is_good);

#endif
