/* Inside cache: those who wait for the answer to what somebody else has asked. */
#ifndef CACHE_WAIT_H
#define CACHE_WAIT_H

#include "lookup.h"

/* Gives them, linked by request->next, the reply that stands in another request, AD included; drops them if
 * that is dropped. */
void wait_answer(struct request *followers, const struct request *reply);

#endif
