/* cache: keeps replies of the plugins below, and gives them to whoever asks the same again.
 *
 * Two stores, success and denial, belong to all workers; a worker has two buffers into which it copies what
 * it finds, and a table of the questions that it has under way, so that each is asked once. What a plugin
 * answers from memory (plugin->is_fresh) is not kept: it is there anyway, and always current. */
#include "counters.h"
#include "flight.h"
#include "item.h"
#include "settings.h"
#include "store.h"
#include "svcdns/chain.h"
#include "svcdns/clock.h"
#include "svcdns/memory.h"
#include "svcdns/router.h"
#include "svcdns/worker.h"

#include <stdatomic.h>
#include <string.h>

#define KEY_FIXED  5
#define SHORT_TTL  5		       /* seconds that a reply without any TTL is good for */
#define NOTE_RETRY (UINT64_C(1) << 63) /* store_note(): the rest says when to try again, in ms */
#define NOTE_HITS  24 /* otherwise: hits in so many low bits, above them the second of the last */

struct cache { /* lifetime: configuration */
	const struct setup *setup;
	const struct cache_settings *settings;
	const char *zones;     /* as metrics name them */
	_Atomic bool *is_used; /* for each site of the block: something was looked up below for it */
	struct hash_key hash_key;
	struct store *success, *denial;
};

struct cache_worker {
	const struct cache *cache;
	struct counters *counters; /* for each site of the block; owned */
	struct flights flights;
	size_t state_offset; /* of struct lookup in a request's state */
	void *found[2]; /* ITEM_OCTETS_MAX octets each: what was looked up last in denial and in success */
	void *written;
};

struct lookup {	       /* request_state() */
	uint64_t hash; /* of the key */
	struct flight flight;
	bool is_leading; /* flight is under way */
	bool is_stale;	 /* there is an expired item to fall back to */
	bool wants_ad;	 /* the client set AD */
};

struct key {
	struct store_key store_key;
	uint8_t octets[KEY_FIXED + NAME_WIRE_MAX];
};

struct found {
	const struct item *item; /* NULL: nothing of use */
	struct store *store;
	size_t slot;
};

/* hash: of the key, where it is known already. */
static void make_key(
	const struct cache *cache, const struct request *r, const uint64_t *hash, struct key *key)
{
	const struct question *q = &r->question;

	writer_put_u16_at(key->octets, q->type);
	writer_put_u16_at(key->octets + 2, q->class);
	key->octets[4] = (uint8_t)(r->edns.dnssec_ok << 1 | !!(r->flags & FLAG_CD));
	memcpy(key->octets + KEY_FIXED, q->name.wire, q->name.length);
	key->store_key.octets = key->octets;
	key->store_key.length = (size_t)KEY_FIXED + q->name.length;
	key->store_key.hash = hash ? *hash : hash_bytes(&cache->hash_key, key->octets, key->store_key.length);
}

static bool is_usable(const struct cache_settings *settings, const struct item *item, uint64_t now)
{
	int64_t left = item_left(item, now);

	return left > 0 || (settings->serve_stale && -left < settings->stale_for / (int64_t)CLOCK_S);
}

static struct found get(
	const struct cache_worker *w, struct store *store, const struct key *key, void *buffer, uint64_t now)
{
	struct store_hit hit = store_get(store, &key->store_key, buffer, ITEM_OCTETS_MAX);
	struct found found = {NULL, store, hit.slot};

	if (hit.slot != STORE_NOWHERE && is_usable(w->cache->settings, buffer, now))
		found.item = buffer;
	return found;
}

/* A denial comes before a success: it is the newer one of the two. But a failure does not hide a success (RFC
 * 8767 section 4), and under prefer_positive nothing does. */
static struct found find(const struct cache_worker *w, const struct request *r, const struct key *key)
{
	const struct cache *cache = w->cache;
	uint64_t now = r->worker->now;
	struct found success, denial;

	if (cache->settings->prefer_positive) {
		success = get(w, cache->success, key, w->found[1], now);
		if (success.item && success.item->answers)
			return success;
	}
	denial = get(w, cache->denial, key, w->found[0], now);
	if (denial.item && denial.item->rcode != RCODE_SERVFAIL)
		return denial;
	success = get(w, cache->success, key, w->found[1], now);
	return success.item ? success : denial;
}

static uint32_t ttl_to_show(const struct cache_settings *settings, const struct item *item, int64_t left)
{
	if (left <= 0 && settings->stale_ttl)
		return (uint32_t)settings->stale_ttl;
	if (settings->keep_ttl)
		return item->ttl;
	return left > 0 ? (uint32_t)left : 0;
}

/* AD is for those who asked for it (RFC 6840 section 5.8). */
static void mask_ad(struct request *r, bool wants_ad)
{
	if (!wants_ad && !r->edns.dnssec_ok)
		r->reply_flags &= (uint16_t)~FLAG_AD;
}

/* Replies from the cache have AA set, as CoreDNS' have: some old stub resolvers insist on it. */
static void answer(const struct cache_worker *w, struct request *r, const struct item *item, bool wants_ad)
{
	const struct cache_settings *settings = w->cache->settings;

	item_reply(item, r, ttl_to_show(settings, item, item_left(item, r->worker->now)));
	r->reply_flags |= FLAG_AA;
	mask_ad(r, wants_ad);
}

static int64_t clamp(int64_t ttl, const struct cache_side *side)
{
	ttl = ttl > side->min_ttl ? ttl : side->min_ttl;
	return ttl < side->ttl ? ttl : side->ttl;
}

static int64_t ttl_to_keep(const struct cache_settings *settings, const struct judgement *judgement)
{
	int64_t ttl = judgement->has_ttl ? judgement->lowest_ttl : SHORT_TTL;

	if (judgement->kind == REPLY_FAILURE)
		return settings->failure_ttl;
	if (judgement->kind == REPLY_NXDOMAIN || judgement->kind == REPLY_NODATA)
		return clamp(ttl, &settings->denial);
	return clamp(ttl, &settings->success);
}

static bool is_fresh_anyway(const struct request *reply)
{
	return reply->answered_by && reply->answered_by->is_fresh;
}

static const struct counters *counters_of(const struct cache_worker *w, const struct request *r)
{
	return &w->counters[r->route->site];
}

static void forget_denial(struct cache_worker *w, const struct key *key)
{
	const struct item gone = {0};

	store_put(w->cache->denial, &key->store_key, &gone, sizeof(gone), NULL);
}

static void put(struct cache_worker *w, const struct key *key, const struct request *reply,
	const struct judgement *judgement, uint32_t ttl)
{
	const struct cache *cache = w->cache;
	bool is_success = judgement->kind == REPLY_SUCCESS || judgement->kind == REPLY_DELEGATION;
	const struct cache_side *side = is_success ? &cache->settings->success : &cache->settings->denial;
	struct store *store = is_success ? cache->success : cache->denial;
	struct found old;
	size_t length, evicted = 0;

	if (zones_match(&side->disabled, &reply->question.name))
		return;
	if (is_success && cache->settings->prefer_positive && !judgement->answers) {
		old = get(w, store, key, w->found[1], reply->worker->now);
		if (old.item && old.item->answers)
			return;
	}
	length = item_write(reply, judgement, ttl, reply->worker->now, w->written);
	store_put(store, &key->store_key, w->written, length, &evicted);
	if (evicted)
		cell_add(&counters_of(w, reply)->evictions[is_success ? SIDE_SUCCESS : SIDE_DENIAL], evicted);
	if (is_success && (judgement->answers || !cache->settings->prefer_positive) &&
		get(w, cache->denial, key, w->found[0], reply->worker->now).item)
		forget_denial(w, key);
}

/* Keeps a reply if it is worth it. Either way its TTLs become those that a hit would show now. */
static void keep(struct cache_worker *w, const struct key *key, struct request *reply, bool is_fresh)
{
	struct judgement judgement = item_judge(reply, clock_unix());
	int64_t ttl = ttl_to_keep(w->cache->settings, &judgement);

	atomic_store_explicit(&w->cache->is_used[reply->route->site], true, memory_order_relaxed);
	item_set_ttls(reply, (uint32_t)ttl);
	if (judgement.is_storable && ttl > 0 && !is_fresh)
		put(w, key, reply, &judgement, (uint32_t)ttl);
}

static void copy_reply(const struct request *from, struct request *to)
{
	if (from->bare) {
		request_fail(to, from->rcode, "%s", from->error);
		return;
	}
	request_reply(to, from->rcode, from->reply_flags & (FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD));
	writer_bytes(&to->reply, from->wire + from->question.end, from->reply.length - from->question.end);
	memcpy(to->reply.count, from->reply.count, sizeof(to->reply.count));
}

static void answer_followers(struct request *follower, const struct request *reply)
{
	while (follower) {
		struct request *next = follower->next;
		struct lookup *lookup = request_state(follower);

		copy_reply(reply, follower);
		mask_ad(follower, lookup->wants_ad);
		request_resume(follower, VERDICT_ANSWERED);
		follower = next;
	}
}

/* Whether a reply may take the place of an expired item (RFC 8767 section 4). */
static bool is_refresh(const struct request *reply)
{
	return !reply->bare && !(reply->reply_flags & FLAG_TC) &&
	       (reply->rcode == RCODE_NOERROR || reply->rcode == RCODE_NXDOMAIN);
}

static void set_retry(const struct cache_worker *w, const struct found *found, uint64_t now)
{
	int64_t recheck = w->cache->settings->stale_recheck;

	if (found->item && recheck)
		atomic_store_explicit(store_note(found->store, found->slot),
			NOTE_RETRY | (now + (uint64_t)recheck) / CLOCK_MS, memory_order_relaxed);
}

static bool may_retry(const struct found *found, uint64_t now)
{
	uint64_t note = atomic_load_explicit(store_note(found->store, found->slot), memory_order_relaxed);

	return !(note & NOTE_RETRY) || now / CLOCK_MS >= (note & ~NOTE_RETRY);
}

static struct lookup *lookup_of(const struct cache_worker *w, struct request *r)
{
	return (struct lookup *)(void *)(r->state + w->state_offset);
}

static void on_refreshed(struct request *child, enum verdict verdict)
{
	struct cache_worker *w = child->owner;
	struct lookup *lookup = lookup_of(w, child);
	struct request *followers = lookup->is_leading ? flight_end(&w->flights, &lookup->flight) : NULL;
	struct found found;
	struct key key;

	make_key(w->cache, child, NULL, &key);
	if (verdict == VERDICT_ANSWERED && is_refresh(child)) {
		keep(w, &key, child, false);
	} else {
		found = find(w, child, &key);
		set_retry(w, &found, child->worker->now);
	}
	answer_followers(followers, child);
	request_release(child);
}

/* Below the cache, AD is asked for: what is kept serves all clients. */
static void set_ad(struct request *r, bool on)
{
	request_change_flags(r, FLAG_AD, on ? FLAG_AD : 0);
}

/* Asks below without anybody waiting for it. */
static void refresh(struct cache_worker *w, struct request *r, const struct key *key)
{
	struct request *child;
	struct lookup *lookup;
	struct name name;

	if (flight_find(&w->flights, key->store_key.hash, r) || !request_may_wait(r) ||
		!name_from_wire(r->wire + MESSAGE_HEADER, r->question.name.length, &name))
		return;
	child = request_child(r, &name, r->question.type);
	if (!child)
		return;
	child->owner = w;
	lookup = lookup_of(w, child);
	lookup->is_leading = false;
	set_ad(child, true);
	cell_add(counters_of(w, r)->prefetches, 1);
	if (request_ask_below(child) == VERDICT_ANSWERED) {
		on_refreshed(child, VERDICT_ANSWERED);
		return;
	}
	request_detach(child, on_refreshed, w);
	flight_begin(&w->flights, &lookup->flight, key->store_key.hash, child);
	lookup->is_leading = true;
}

/* Counts a hit; true when it is one of a name so popular, and so near its end, that it is worth asking again
 * now. */
static bool is_worth_prefetching(const struct cache_worker *w, const struct found *found, uint64_t now)
{
	const struct cache_settings *settings = w->cache->settings;
	_Atomic uint64_t *place = store_note(found->store, found->slot);
	uint64_t note = atomic_load_explicit(place, memory_order_relaxed), second = now / CLOCK_S;
	uint64_t hits = note & ((UINT64_C(1) << NOTE_HITS) - 1), last = note >> NOTE_HITS;
	int64_t threshold = (settings->prefetch_percent * found->item->ttl + 99) / 100;
	bool is_due;

	hits = second - last > (uint64_t)settings->prefetch_window / CLOCK_S ? 1 : hits + 1;
	is_due = (int64_t)hits >= settings->prefetch && item_left(found->item, now) <= threshold;
	atomic_store_explicit(place, second << NOTE_HITS | (is_due ? 0 : hits), memory_order_relaxed);
	return is_due;
}

static enum verdict hit(
	struct cache_worker *w, struct request *r, const struct key *key, const struct found *found)
{
	const struct cache_settings *settings = w->cache->settings;
	uint64_t now = r->worker->now;
	bool is_stale = item_left(found->item, now) <= 0, again;

	again = is_stale ? may_retry(found, now) : settings->prefetch && is_worth_prefetching(w, found, now);
	if (is_stale)
		cell_add(counters_of(w, r)->served_stale, 1);
	answer(w, r, found->item, r->flags & FLAG_AD);
	if (again)
		refresh(w, r, key);
	return VERDICT_ANSWERED;
}

/* What loop asks comes by again where there is a loop, and has to be seen to: by waiting it would never end.
 */
static bool may_wait_for_itself(const struct request *r)
{
	return r->question.type != TYPE_HINFO;
}

static enum verdict miss(struct cache_worker *w, struct request *r, const struct key *key, bool is_stale)
{
	struct lookup *lookup = request_state(r);
	struct flight *flight = flight_find(&w->flights, key->store_key.hash, r);

	lookup->is_leading = false;
	lookup->is_stale = is_stale;
	lookup->wants_ad = r->flags & FLAG_AD;
	if (flight && !request_may_wait(r))
		return request_fail(r, RCODE_SERVFAIL, "too many queries are waiting");
	if (flight && !may_wait_for_itself(r))
		return VERDICT_NEXT;
	if (flight) {
		flight_join(flight, r);
		return VERDICT_PENDING;
	}
	set_ad(r, true);
	flight_begin(&w->flights, &lookup->flight, key->store_key.hash, r);
	lookup->is_leading = true;
	return VERDICT_NEXT;
}

static void count_look_up(const struct cache_worker *w, const struct request *r, const struct found *found)
{
	const struct counters *counters = counters_of(w, r);

	cell_add(counters->requests, 1);
	if (found->item)
		cell_add(&counters->hits[found->store == w->cache->success ? SIDE_SUCCESS : SIDE_DENIAL], 1);
	else
		cell_add(counters->misses, 1);
}

static void look_ahead(void *self, struct request *r, unsigned step)
{
	const struct cache *cache = ((struct cache_worker *)self)->cache;
	struct lookup *lookup = request_state(r);
	struct key key;

	if (step == 0) {
		make_key(cache, r, NULL, &key);
		lookup->hash = key.store_key.hash;
		store_prefetch_index(cache->denial, lookup->hash);
		store_prefetch_index(cache->success, lookup->hash);
	} else {
		store_prefetch_value(cache->denial, lookup->hash);
		store_prefetch_value(cache->success, lookup->hash);
	}
}

static enum verdict serve(void *self, struct request *r)
{
	struct cache_worker *w = self;
	const struct cache_settings *settings = w->cache->settings;
	struct lookup *lookup = request_state(r);
	struct found found;
	struct key key;
	bool is_stale;

	lookup->is_leading = false;
	if (!zones_match(&settings->zones, &r->question.name))
		return VERDICT_NEXT;
	w->state_offset = (size_t)((unsigned char *)lookup - r->state);
	make_key(w->cache, r, r->is_foreseen ? &lookup->hash : NULL, &key);
	lookup->hash = key.store_key.hash;
	found = find(w, r, &key);
	count_look_up(w, r, &found);
	if (!found.item)
		return miss(w, r, &key, false);
	is_stale = item_left(found.item, r->worker->now) <= 0;
	if (is_stale && settings->verify && may_retry(&found, r->worker->now))
		return miss(w, r, &key, true);
	return hit(w, r, &key, &found);
}

/* The answer to a miss: kept, given to those who wait for the same, or replaced by an expired one that is
 * better. */
static void reply(void *self, struct request *r)
{
	struct cache_worker *w = self;
	struct lookup *lookup = request_state(r);
	struct request *followers;
	struct found found = {0};
	struct key key;

	if (!lookup->is_leading)
		return;
	followers = flight_end(&w->flights, &lookup->flight);
	r->opt_length = 0; /* as CoreDNS, whose cache takes it out */
	set_ad(r, lookup->wants_ad);
	make_key(w->cache, r, &lookup->hash, &key);
	if (lookup->is_stale && !is_refresh(r))
		found = find(w, r, &key);
	if (found.item) {
		set_retry(w, &found, r->worker->now);
		cell_add(counters_of(w, r)->served_stale, 1);
		r->error[0] = '\0';
		answer(w, r, found.item, lookup->wants_ad);
	} else if (!r->bare) {
		keep(w, &key, r, is_fresh_anyway(r));
		mask_ad(r, lookup->wants_ad);
	}
	answer_followers(followers, r);
}

static void *setup(struct setup *setup, struct error *error)
{
	const struct cache_settings *settings = cache_settings_read(setup, error);
	struct cache *cache;

	if (!settings)
		return NULL;
	cache = arena_alloc(setup->arena, sizeof(*cache));
	cache->setup = setup;
	cache->settings = settings;
	cache->zones = cache_counters_zones(setup->arena, &settings->zones);
	hash_key_random(&cache->hash_key);
	return cache;
}

static bool open_stores(void *config, struct error *error)
{
	struct cache *cache = config;
	size_t success = (size_t)cache->settings->success.capacity,
	       denial = (size_t)cache->settings->denial.capacity;
	size_t bytes = (size_t)cache->settings->bytes;

	(void)error;
	cache->is_used =
		arena_alloc(cache->setup->arena, cache->setup->place->site_count * sizeof(*cache->is_used));
	cache->success =
		store_create(success, (size_t)((double)bytes * (double)success / (double)(success + denial)));
	cache->denial =
		store_create(denial, (size_t)((double)bytes * (double)denial / (double)(success + denial)));
	return true;
}

static void collect(void *config, struct metrics_page *page)
{
	const struct cache *cache = config;
	const struct place *place = cache->setup->place;

	for (size_t i = 0; i < place->site_count; i++)
		if (atomic_load_explicit(&cache->is_used[i], memory_order_relaxed))
			cache_counters_entries(page, place, &place->sites[i], cache->zones,
				store_count(cache->denial), store_count(cache->success));
}

static void close_stores(void *config)
{
	struct cache *cache = config;

	store_destroy(cache->success);
	store_destroy(cache->denial);
}

static void *start(void *config, struct worker *worker)
{
	struct cache_worker *w = memory_zero(1, sizeof(*w));

	w->cache = config;
	w->counters = cache_counters_start(w->cache->setup, worker->index, w->cache->zones);
	w->found[0] = memory_reserve(ITEM_OCTETS_MAX);
	w->found[1] = memory_reserve(ITEM_OCTETS_MAX);
	w->written = memory_reserve(ITEM_OCTETS_MAX);
	return w;
}

static void stop(void *self)
{
	struct cache_worker *w = self;

	memory_unreserve(w->found[0], ITEM_OCTETS_MAX);
	memory_unreserve(w->found[1], ITEM_OCTETS_MAX);
	memory_unreserve(w->written, ITEM_OCTETS_MAX);
	memory_free(w->counters);
	memory_free(w);
}

extern const struct plugin plugin_cache;

const struct plugin plugin_cache = {
	.name = "cache",
	.state_size = sizeof(struct lookup),
	.families = cache_counters_families,
	.setup = setup,
	.open = open_stores,
	.start = start,
	.look_ahead = look_ahead,
	.serve = serve,
	.reply = reply,
	.collect = collect,
	.stop = stop,
	.close = close_stores,
};
