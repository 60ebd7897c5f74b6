/* Inside cache: which replies are kept, and for how long. */
#ifndef CACHE_KEEP_H
#define CACHE_KEEP_H

#include "lookup.h"

/* Keeps a reply if it is worth it. In any case its TTLs become those that a hit would show now. hash: of its
 * key. */
void keep_reply(struct cache_worker *w, uint64_t hash, struct request *reply);

/* A plugin has it in memory, always current. */
bool keep_is_needless(const struct request *reply);
/* Forgets what there is. */
void keep_nothing(struct cache_worker *w, const struct key *key);

#endif
