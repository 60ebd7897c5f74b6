/* Success or denial, and for how long: as CoreDNS has it. */
#include "keep.h"

#include "svcdns/plugin.h"
#include "svcdns/worker.h"

#define SHORT_TTL 5 /* seconds that a reply without any TTL is good for */

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

static void put(struct cache_worker *w, uint64_t hash, const struct request *reply,
	const struct judgement *judgement, uint32_t ttl)
{
	const struct cache *cache = w->cache;
	bool is_success = judgement->kind == REPLY_SUCCESS || judgement->kind == REPLY_DELEGATION;
	const struct cache_side *side = is_success ? &cache->settings->success : &cache->settings->denial;
	struct store *store = is_success ? cache->success : cache->denial;
	struct found old;
	size_t length, evicted = 0;
	struct key key;

	if (zones_match(&side->disabled, &reply->question.name))
		return;
	lookup_key(cache, reply, &hash, &key);
	if (is_success && cache->settings->prefer_positive && !judgement->answers) {
		old = lookup_get(w, store, &key, w->found[1], reply->worker->now);
		if (old.item && old.item->answers)
			return;
	}
	length = item_write(reply, judgement, ttl, reply->worker->now, w->written);
	store_put(store, &key.store_key, w->written, length, &evicted);
	if (evicted)
		cell_add(&lookup_counters(w, reply)->evictions[is_success ? SIDE_SUCCESS : SIDE_DENIAL],
			evicted);
	if (is_success && (judgement->answers || !cache->settings->prefer_positive) &&
		lookup_get(w, cache->denial, &key, w->found[0], reply->worker->now).item)
		store_forget(cache->denial, &key.store_key);
}

bool keep_is_needless(const struct request *reply)
{
	return reply->answered_by && reply->answered_by->is_fresh;
}

void keep_nothing(struct cache_worker *w, const struct key *key)
{
	store_forget(w->cache->success, &key->store_key);
	store_forget(w->cache->denial, &key->store_key);
}

/* Written once, and only read then: all workers have the line. */
static void note_use(const struct cache *cache, unsigned site)
{
	if (!atomic_load_explicit(&cache->is_used[site], memory_order_relaxed))
		atomic_store_explicit(&cache->is_used[site], true, memory_order_relaxed);
}

void keep_reply(struct cache_worker *w, uint64_t hash, struct request *reply)
{
	struct judgement judgement = item_judge(reply);
	int64_t ttl = ttl_to_keep(w->cache->settings, &judgement);

	note_use(w->cache, reply->route->site);
	if (judgement.lowest_ttl != ttl || judgement.highest_ttl != ttl)
		item_set_ttls(reply, (uint32_t)ttl);
	if (judgement.is_storable && ttl > 0 && !keep_is_needless(reply))
		put(w, hash, reply, &judgement, (uint32_t)ttl);
}
