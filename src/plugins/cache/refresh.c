/* A refresh is a child of the query that brought it about, cut loose from it. As in CoreDNS it goes over TCP:
 * what is cut for the client who happens to be there would not be kept, and the old item never be replaced.
 * It has all the time that the plugins below give it.
 *
 * The number beside an item in its store says when to begin one: hits in so many low bits and the second of
 * the last one above them, or, where the highest bit is set, the time of the next attempt after one that
 * failed. */
#include "refresh.h"

#include "keep.h"
#include "svcdns/chain.h"
#include "svcdns/clock.h"
#include "svcdns/worker.h"
#include "wait.h"

#include <stdatomic.h>

#define NOTE_RETRY (UINT64_C(1) << 63) /* the rest is in ms */
#define NOTE_HITS  24
#define HITS_MAX   ((UINT64_C(1) << NOTE_HITS) - 1)

bool refresh_succeeded(const struct request *reply)
{
	return !reply->bare && !(reply->reply_flags & FLAG_TC) &&
	       (reply->rcode == RCODE_NOERROR || reply->rcode == RCODE_NXDOMAIN);
}

void refresh_set_retry(const struct cache_worker *w, const struct found *found, uint64_t now)
{
	int64_t recheck = w->cache->settings->stale_recheck;

	if (found->item && recheck)
		atomic_store_explicit(store_note(found->store, found->slot),
			NOTE_RETRY | (now + (uint64_t)recheck) / CLOCK_MS, memory_order_relaxed);
}

bool refresh_may_retry(const struct found *found, uint64_t now)
{
	uint64_t note = atomic_load_explicit(store_note(found->store, found->slot), memory_order_relaxed);

	return !(note & NOTE_RETRY) || now / CLOCK_MS >= (note & ~NOTE_RETRY);
}

bool refresh_is_due(const struct cache_worker *w, const struct found *found, uint64_t now)
{
	const struct cache_settings *settings = w->cache->settings;
	_Atomic uint64_t *place = store_note(found->store, found->slot);
	uint64_t note = atomic_load_explicit(place, memory_order_relaxed), second = now / CLOCK_S;
	uint64_t hits = note & HITS_MAX, last = note >> NOTE_HITS;
	int64_t threshold = (settings->prefetch_percent * found->item->ttl + 99) / 100;
	bool is_due;

	hits = second > last + (uint64_t)settings->prefetch_window / CLOCK_S ? 1 : hits + (hits < HITS_MAX);
	is_due = (int64_t)hits >= settings->prefetch && item_left(found->item, now) <= threshold;
	atomic_store_explicit(place, second << NOTE_HITS | (is_due ? 0 : hits), memory_order_relaxed);
	return is_due;
}

void refresh_set_ad(struct request *r, bool on)
{
	request_change_flags(r, FLAG_AD, on ? FLAG_AD : 0);
}

static struct cache_request *state_of(const struct cache_worker *w, struct request *r)
{
	return (struct cache_request *)(void *)(r->state + w->state_offset);
}

static void on_refreshed(struct request *child, enum verdict verdict)
{
	struct cache_worker *w = child->owner;
	struct cache_request *state = state_of(w, child);
	struct request *followers = state->is_leading ? flight_end(&w->flights, &state->flight) : NULL;
	struct found found;
	struct key key;

	lookup_key(w->cache, child, &key);
	if (verdict == VERDICT_ANSWERED && refresh_succeeded(child)) {
		keep_reply(w, &key, child, false);
	} else {
		found = lookup_find(w, child, &key);
		refresh_set_retry(w, &found, child->worker->now);
	}
	wait_answer(followers, child);
	request_release(child);
}

void refresh_begin(struct cache_worker *w, struct request *r, const struct key *key)
{
	struct cache_request *state;
	struct request *child;
	struct name name;

	if (flight_find(&w->flights, key->store_key.hash, r, TRANSPORT_TCP) || !request_may_wait(r) ||
		!name_from_wire(r->wire + MESSAGE_HEADER, r->question.name.length, &name))
		return;
	child = request_child(r, &name, r->question.type);
	if (!child)
		return;
	child->transport = TRANSPORT_TCP;
	child->deadline = UINT64_MAX;
	child->owner = w;
	state = state_of(w, child);
	state->is_leading = false;
	refresh_set_ad(child, true);
	if (request_ask_below(child) == VERDICT_ANSWERED) {
		on_refreshed(child, VERDICT_ANSWERED);
		return;
	}
	request_detach(child, on_refreshed, w);
	flight_begin(&w->flights, &state->flight, key->store_key.hash, child);
	state->is_leading = true;
}
