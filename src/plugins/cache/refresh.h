/* Inside cache: asking below without anybody waiting for it, before an item runs out or after it has. */
#ifndef CACHE_REFRESH_H
#define CACHE_REFRESH_H

#include "lookup.h"

/* Below the cache, AD is asked for: what is kept serves all clients. */
void refresh_set_ad(struct request *r, bool on);

/* Counts a hit; true when it is one of a name so popular, and so near its end, that it is worth asking again
 * now. */
bool refresh_is_due(const struct cache_worker *w, const struct found *found, uint64_t now);
/* Asks what `r` asks, over TCP, unless that is under way. */
void refresh_begin(struct cache_worker *w, struct request *r, const struct key *key);

/* Whether a reply may take the place of an expired item (RFC 8767 section 4). */
bool refresh_succeeded(const struct request *reply);
/* After a failure it is not tried again for a while, if that is wanted. */
void refresh_set_retry(const struct cache_worker *w, const struct found *found, uint64_t now);
bool refresh_may_retry(const struct found *found, uint64_t now);

#endif
