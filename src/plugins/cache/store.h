/* Inside cache: octets under keys, shared by all workers, bounded in entries and in octets. A reader copies
 * out what it finds and never waits for anyone; writers of one shard exclude one another. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include "svcdns/hash.h"

struct store;

#define STORE_NOWHERE SIZE_MAX

struct store_hit {
	size_t length; /* octets of the value */
	size_t slot;   /* for store_note(); STORE_NOWHERE: not found */
};

struct store_key {
	const void *octets;
	size_t length;
	uint64_t hash; /* of the octets, with a key that nobody outside can know */
};

/* At most `entries` values in `bytes` octets, with their keys and 16 octets each; what was put again and has
 * not been passed yet takes room, too. The index takes 34 octets an entry besides. */
struct store *store_create(size_t entries, size_t bytes);
void store_destroy(struct store *store); /* accepts NULL; nobody may be reading */

/* Asks for the memory that store_get() will read: first the index, then, when that is near, the value. */
void store_prefetch_index(const struct store *store, uint64_t hash);
void store_prefetch_value(const struct store *store, uint64_t hash);

/* Copies the value under a key to `out`, which holds `capacity` octets; what does not fit counts as not
 * found. */
struct store_hit store_get(
	const struct store *store, const struct store_key *key, void *out, size_t capacity);

/* Puts a value under a key, in place of one that is there. The oldest values that nobody reads make room.
 * False: it is too large. */
bool store_put(struct store *store, const struct store_key *key, const void *value, size_t length,
	size_t *ret_evicted); /* values that went for it; NULL: of no interest */

/* Takes the value under a key out, if there is one. Who is just reading it may still get it. */
void store_forget(struct store *store, const struct store_key *key);

/* A number beside each value, zero when it is put there; any thread may change it. It may belong to another
 * value by the time it is used: it serves for counting hits and the like, not for anything that has to be
 * right. */
_Atomic uint64_t *store_note(const struct store *store, size_t slot);

size_t store_count(
	const struct store *store); /* values, those that were overwritten but not yet missed included */

#endif
