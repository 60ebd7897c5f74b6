/* cache: keeps replies of the plugins below, and gives them to whoever asks the same again.
 *
 * Two stores, success and denial, belong to all workers; a worker has two buffers into which it copies what
 * it finds, and a table of the questions that it has under way, so that each is asked once. What a plugin
 * answers from memory (plugin->is_fresh) is not kept: it is there anyway, and always current. */
#include <string.h>

#include "keep.h"
#include "refresh.h"
#include "svcdns/chain.h"
#include "svcdns/kept.h"
#include "svcdns/memory.h"
#include "svcdns/registry.h"
#include "svcdns/worker.h"
#include "wait.h"

static enum verdict hit(
	struct cache_worker *w, struct request *r, const struct key *key, const struct found *found)
{
	const struct cache_settings *settings = w->cache->settings;
	uint64_t now = r->worker->now, hits = 0;
	bool is_due = false;

	if (item_left(found->item, now) <= 0) {
		cell_add(lookup_counters(w, r)->served_stale, 1);
		is_due = !settings->verify && refresh_may_retry(found, now);
	} else if (settings->prefetch) {
		hits = refresh_count_hit(w, found, now);
		is_due = hits;
	}
	lookup_answer(w, r, found->item);
	lookup_mask_ad(r, r->flags & FLAG_AD);
	if (is_due)
		refresh_begin(w, r, key, TRANSPORT_TCP, hits);
	return VERDICT_ANSWERED;
}

/* Asks below, on behalf of all who come with the same question meanwhile. */
static enum verdict lead(struct cache_worker *w, struct request *r, bool is_stale)
{
	struct cache_request *state = request_state(r);

	state->is_leading = true;
	state->is_stale = is_stale;
	state->wants_ad = r->flags & FLAG_AD;
	refresh_set_ad(r, true);
	flight_begin(&w->flights, &state->flight, state->hash, r);
	return VERDICT_NEXT;
}

static struct flight *find_flight(const struct cache_worker *w, struct request *r)
{
	const struct cache_request *state = request_state(r);

	return flight_find(&w->flights, state->hash, r, r->transport);
}

static enum verdict follow(struct cache_worker *w, struct request *r, struct flight *flight)
{
	if (!request_may_wait(r))
		return request_fail(r, RCODE_SERVFAIL, "too many queries are waiting");
	wait_join(w, flight, r, 0);
	return VERDICT_PENDING;
}

/* What loop asks comes by again where there is a loop, and has to be seen to: by waiting it would never end.
 */
static bool may_wait_for_itself(const struct request *r)
{
	return r->question.type != TYPE_HINFO;
}

static enum verdict miss(struct cache_worker *w, struct request *r)
{
	struct flight *flight = find_flight(w, r);

	if (!flight)
		return lead(w, r, false);
	return may_wait_for_itself(r) ? follow(w, r, flight) : VERDICT_NEXT;
}

/* The client waits for a refresh, but not for long. */
static enum verdict verify_in_time(struct cache_worker *w, struct request *r, const struct key *key)
{
	struct flight *flight;
	struct found found;

	refresh_begin(w, r, key, r->transport, 0);
	flight = find_flight(w, r);
	if (flight && request_may_wait(r)) {
		wait_join(w, flight, r, w->cache->settings->verify_timeout);
		return VERDICT_PENDING;
	}
	found = lookup_find(w, r, key);
	return found.item ? hit(w, r, key, &found) : miss(w, r);
}

/* serve_stale verify: an old answer only where there is no new one. */
static enum verdict verify(
	struct cache_worker *w, struct request *r, const struct key *key, const struct found *found)
{
	const struct cache_settings *settings = w->cache->settings;
	struct flight *flight = find_flight(w, r);

	if (!refresh_may_retry(found, r->worker->now) || (flight && settings->stale_recheck))
		return hit(w, r, key, found);
	if (settings->verify_timeout)
		return verify_in_time(w, r, key);
	return flight ? follow(w, r, flight) : lead(w, r, true);
}

/* Transfers and notifications are no look-ups: a kept reply is no answer to them. */
static bool is_for_cache(const struct cache_settings *settings, const struct request *r)
{
	return !(r->flags & FLAG_OPCODE) && r->question.type != TYPE_AXFR && r->question.type != TYPE_IXFR &&
	       zones_match(&settings->zones, &r->question.name);
}

static void count_look_up(const struct cache_worker *w, const struct request *r, const struct found *found)
{
	const struct counters *counters = lookup_counters(w, r);

	cell_add(counters->requests, 1);
	if (found->item)
		cell_add(&counters->hits[found->store == w->cache->success ? SIDE_SUCCESS : SIDE_DENIAL], 1);
	else
		cell_add(counters->misses, 1);
}

/* What is known before the stores are looked into. */
static void understand(const struct cache *cache, const struct request *r, struct cache_request *state)
{
	const struct cache_settings *settings = cache->settings;
	const struct name *name = &r->question.name;
	struct key key;

	lookup_key(cache, r, NULL, &key);
	state->hash = key.store_key.hash;
	state->may_be_kept = !zones_match(&settings->denial.disabled, name) ||
			     !zones_match(&settings->success.disabled, name);
}

static void look_ahead(void *self, struct request *r, unsigned step)
{
	const struct cache *cache = ((struct cache_worker *)self)->cache;
	struct cache_request *state = request_state(r);

	if (step == 0)
		understand(cache, r, state);
	if (!state->may_be_kept)
		return;
	if (step == 0) {
		store_prefetch_index(cache->denial, state->hash);
		store_prefetch_index(cache->success, state->hash);
	} else if (step == 1) {
		store_prefetch_value(cache->denial, state->hash);
		store_prefetch_value(cache->success, state->hash);
	}
}

static enum verdict serve(void *self, struct request *r)
{
	struct cache_worker *w = self;
	const struct cache_settings *settings = w->cache->settings;
	struct cache_request *state = request_state(r);
	struct found found = {0};
	struct key key;

	state->is_leading = false;
	if (!is_for_cache(settings, r))
		return VERDICT_NEXT;
	if (!r->is_foreseen)
		understand(w->cache, r, state);
	if (state->may_be_kept) {
		lookup_key(w->cache, r, &state->hash, &key);
		found = lookup_find(w, r, &key);
	}
	count_look_up(w, r, &found);
	if (!found.item)
		return miss(w, r);
	if (settings->verify && item_left(found.item, r->worker->now) <= 0)
		return verify(w, r, &key, &found);
	return hit(w, r, &key, &found);
}

/* The answer to a miss: kept, or replaced by an expired one that is better. */
static void settle(struct cache_worker *w, struct request *r)
{
	const struct cache_request *state = request_state(r);
	struct found found;
	struct key key;

	if (!state->is_stale) {
		if (!r->bare)
			keep_reply(w, state->hash, r);
		return;
	}
	lookup_key(w->cache, r, &state->hash, &key);
	if (refresh_take(w, &key, r))
		return;
	found = lookup_find(w, r, &key);
	if (!found.item)
		return;
	refresh_set_retry(w, &found, r->worker->now);
	cell_add(lookup_counters(w, r)->served_stale, 1);
	r->error[0] = '\0';
	lookup_answer(w, r, found.item);
}

/* And it is given to those who wait for the same. */
static void reply(void *self, struct request *r)
{
	struct cache_worker *w = self;
	const struct cache_request *state = request_state(r);
	struct request *followers;

	if (!state->is_leading)
		return;
	followers = flight_end(&w->flights, &state->flight);
	r->opt_length = 0; /* as CoreDNS, whose cache takes it out */
	refresh_set_ad(r, state->wants_ad);
	if (!r->is_dropped)
		settle(w, r);
	wait_answer(w, followers, r, true);
	lookup_mask_ad(r, state->wants_ad);
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
	return cache;
}

static void *create_stores(void *context, struct error *error)
{
	const struct cache_settings *settings = context;
	size_t success = (size_t)settings->success.capacity, denial = (size_t)settings->denial.capacity;
	double bytes = (double)settings->bytes / (double)(success + denial);
	struct cache_stores *stores = memory_zero(1, sizeof(*stores));

	(void)error;
	hash_key_random(&stores->hash_key);
	stores->success = store_create(success, (size_t)(bytes * (double)success));
	stores->denial = store_create(denial, (size_t)(bytes * (double)denial));
	return stores;
}

static void destroy_stores(void *object)
{
	struct cache_stores *stores = object;

	store_destroy(stores->success);
	store_destroy(stores->denial);
	memory_free(stores);
}

/* What is in a cache came from the plugins below it: while they say the same, the next configuration has it.
 */
static void make_key(const struct setup *setup, struct buffer *ret)
{
	const struct registration *r = registry;

	while (strcmp(r->name, "cache") != 0)
		r++;
	setup_key(setup, "cache", ret);
	for (; r->name; r++)
		for (const struct directive *d = setup->directives; d; d = d->next)
			if (strcmp(d->name, r->name) == 0)
				setup_key_add(ret, d, NULL);
}

/* What the last configuration has left in the stores is there for every site of this one. */
static void prepare_sites(struct cache *cache)
{
	const struct setup *setup = cache->setup;
	size_t count = setup->place->site_count;
	bool is_used = store_count(cache->denial) || store_count(cache->success);

	cache->is_used = arena_alloc(setup->arena, count * sizeof(*cache->is_used));
	for (size_t i = 0; i < count; i++)
		atomic_init(&cache->is_used[i], is_used);
}

static bool open_stores(void *config, struct error *error)
{
	struct cache *cache = config;
	const struct setup *setup = cache->setup;
	struct buffer key;

	make_key(setup, &key);
	cache->kept = kept_take(
		setup->kept, key.bytes, create_stores, (void *)cache->settings, destroy_stores, error);
	buffer_finish(&key);
	cache->hash_key = cache->kept->hash_key;
	cache->success = cache->kept->success;
	cache->denial = cache->kept->denial;
	prepare_sites(cache);
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
	const struct cache *cache = config;

	kept_release(cache->setup->kept, cache->kept);
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
	.passes_on = true,
	.state_size = sizeof(struct cache_request),
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
