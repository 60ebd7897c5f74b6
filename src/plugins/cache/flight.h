/* Inside cache: the questions of one worker that are under way below. Whoever asks one of them again waits
 * for its answer instead of asking once more. */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "svcdns/request.h"

struct flight {		     /* lives in the per-request state of its leader */
	struct flight *next; /* in the same bucket */
	uint64_t hash;	     /* of the key */
	struct request *leader;
	struct request *waiting,
		**last; /* followers, in the order in which they came; linked by request->next */
};

#define FLIGHT_BUCKETS 1024

struct flights {
	struct flight *buckets[FLIGHT_BUCKETS];
};

/* The flight whose reply will do for `request`, were it sent over `transport`: the same question, DO, RD and
 * CD bits, the same transport, and no less room for the reply. NULL: none. Several may be under way for one
 * key. */
struct flight *flight_find(const struct flights *flights, uint64_t hash, const struct request *request,
	enum transport transport);
void flight_begin(struct flights *flights, struct flight *flight, uint64_t hash, struct request *leader);
void flight_join(struct flight *flight, struct request *follower);
void flight_leave(struct flight *flight, struct request *follower);
/* Takes the flight out; returns its followers, linked by request->next. */
struct request *flight_end(struct flights *flights, const struct flight *flight);

#endif
