/* Inside cache: asking below without anybody waiting for it, before an item runs out or after it has. */
#ifndef CACHE_REFRESH_H
#define CACHE_REFRESH_H

#include "lookup.h"

/* Below the cache, AD is asked for: what is kept serves all clients. */
void refresh_set_ad(struct request *r, bool on);

/* Counts a hit. Not 0: the name is so popular, and the item so near its end, that it is worth asking now; the
 * number is for refresh_begin(). */
uint64_t refresh_count_hit(const struct cache_worker *w, const struct found *found, uint64_t now);
/* Asks what `r` asks, over `transport`, unless that is under way. hits: with which the new item begins; 0:
 * none, as the old one has run out. */
void refresh_begin(struct cache_worker *w, struct request *r, const struct key *key, enum transport transport,
	uint64_t hits);

/* Keeps the reply to a question for which there is an old item. True: it takes its place (RFC 8767 section
 * 4). */
bool refresh_take(struct cache_worker *w, const struct key *key, struct request *reply);
/* After a failure it is not tried again for a while, if that is wanted. */
void refresh_set_retry(const struct cache_worker *w, const struct found *found, uint64_t now);
bool refresh_may_retry(const struct found *found, uint64_t now);

#endif
