/* From a question to what is kept for it. */
#include "lookup.h"

#include "svcdns/clock.h"
#include "svcdns/worker.h"

#include <string.h>

void lookup_key(const struct cache *cache, const struct request *r, const uint64_t *hash, struct key *ret)
{
	const struct question *q = &r->question;

	writer_put_u16_at(ret->octets, q->type);
	writer_put_u16_at(ret->octets + 2, q->class);
	ret->octets[4] = (uint8_t)(r->edns.dnssec_ok << 1 | !!(r->flags & FLAG_CD));
	memcpy(ret->octets + LOOKUP_KEY_FIXED, q->name.wire, q->name.length);
	ret->store_key.octets = ret->octets;
	ret->store_key.length = (size_t)LOOKUP_KEY_FIXED + q->name.length;
	ret->store_key.hash = hash ? *hash : hash_bytes(&cache->hash_key, ret->octets, ret->store_key.length);
}

static bool is_failure(const struct item *item)
{
	return item->rcode != RCODE_NOERROR && item->rcode != RCODE_NXDOMAIN;
}

/* An old failure is of no use: it must not be remembered for more than five minutes (RFC 9520 section 3.2).
 */
static bool is_usable(const struct cache_settings *settings, const struct item *item, uint64_t now)
{
	int64_t left = item_left(item, now);

	if (left > 0 || !settings->serve_stale || is_failure(item))
		return left > 0;
	return -left < settings->stale_for / (int64_t)CLOCK_S;
}

struct found lookup_get(
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
struct found lookup_find(const struct cache_worker *w, const struct request *r, const struct key *key)
{
	const struct cache *cache = w->cache;
	uint64_t now = r->worker->now;
	struct found success, denial;

	if (cache->settings->prefer_positive) {
		success = lookup_get(w, cache->success, key, w->found[1], now);
		if (success.item && success.item->answers)
			return success;
	}
	denial = lookup_get(w, cache->denial, key, w->found[0], now);
	if (denial.item && !is_failure(denial.item))
		return denial;
	success = lookup_get(w, cache->success, key, w->found[1], now);
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

void lookup_mask_ad(struct request *r, bool wants_ad)
{
	if (!wants_ad && !r->edns.dnssec_ok)
		r->reply_flags &= (uint16_t)~FLAG_AD;
}

/* Replies from the cache have AA set, as CoreDNS' have: some old stub resolvers insist on it. */
void lookup_answer(const struct cache_worker *w, struct request *r, const struct item *item)
{
	const struct cache_settings *settings = w->cache->settings;

	item_reply(item, r, ttl_to_show(settings, item, item_left(item, r->worker->now)));
	r->reply_flags |= FLAG_AA;
}
