/* Inside cache: what is kept for a question, and how it becomes a reply. */
#ifndef CACHE_LOOKUP_H
#define CACHE_LOOKUP_H

#include "counters.h"
#include "flight.h"
#include "item.h"
#include "settings.h"
#include "store.h"
#include "svcdns/router.h"
#include "svcdns/timer.h"

#define LOOKUP_KEY_FIXED 5

struct cache_stores { /* outlive a configuration that changes nothing of what they hold */
	struct hash_key hash_key;
	struct store *success, *denial;
};

struct cache { /* lifetime: configuration */
	const struct setup *setup;
	const struct cache_settings *settings;
	const char *zones;     /* as metrics name them */
	_Atomic bool *is_used; /* for each site of the block: something was looked up below for it */
	struct cache_stores *kept;
	struct hash_key hash_key; /* theirs, as the next */
	struct store *success, *denial;
};

struct cache_worker {
	const struct cache *cache;
	struct counters *counters; /* for each site of the block; owned */
	struct flights flights;
	void *found[2]; /* ITEM_OCTETS_MAX octets each: what was looked up last in denial and in success */
	void *written;
};

struct cache_request {		     /* request_state() */
	uint64_t hash;		     /* of the key: from look_ahead() or serve() on, as is the next */
	bool may_be_kept;	     /* at least one of the sides may hold it */
	bool is_leading;	     /* flight is under way */
	bool is_stale;		     /* there is an expired item to fall back to */
	bool wants_ad;		     /* the client set AD */
	struct flight flight;	     /* of one that leads */
	uint64_t hits;		     /* of one that refreshes: what refresh_begin() was given */
	struct cache_worker *worker; /* from here on of one that waits or refreshes */
	struct request *request;
	struct flight *joined;
	struct timer timer;
};

struct key {
	struct store_key store_key;
	uint8_t octets[LOOKUP_KEY_FIXED + NAME_WIRE_MAX];
};

struct found {
	const struct item *item; /* NULL: nothing of use. Good until the worker's next look-up */
	struct store *store;
	size_t slot;
};

static inline const struct counters *lookup_counters(const struct cache_worker *w, const struct request *r)
{
	return &w->counters[r->route->site];
}

/* hash: of the key, where it is known already; NULL. */
void lookup_key(const struct cache *cache, const struct request *r, const uint64_t *hash, struct key *ret);
/* What there is in one of the stores, copied to `buffer`. */
struct found lookup_get(
	const struct cache_worker *w, struct store *store, const struct key *key, void *buffer, uint64_t now);
/* What is to be given as an answer. */
struct found lookup_find(const struct cache_worker *w, const struct request *r, const struct key *key);

/* Makes an item the reply to a request, with the AD bit as it was kept. */
void lookup_answer(const struct cache_worker *w, struct request *r, const struct item *item);
/* AD is for those who asked for it (RFC 6840 section 5.8). */
void lookup_mask_ad(struct request *r, bool wants_ad);

#endif
