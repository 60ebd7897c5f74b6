/* A refresh is a child of the query that brought it about, cut loose from it. It has all the time that the
 * plugins below give it.
 *
 * The number beside an item in its store says when to begin one: hits in so many low bits and the second of
 * the last one above them, or, where the highest bit is set, the time of the next attempt after one that
 * failed. */
#include "refresh.h"

#include "keep.h"
#include "svcdns/clock.h"
#include "svcdns/worker.h"
#include "wait.h"

#include <stdatomic.h>

#define NOTE_RETRY (UINT64_C(1) << 63) /* the rest is in ms */
#define NOTE_HITS  24
#define HITS_MAX   ((UINT64_C(1) << NOTE_HITS) - 1)

static uint64_t note_of(const struct found *found)
{
	return atomic_load_explicit(store_note(found->store, found->slot), memory_order_relaxed);
}

static void set_note(const struct found *found, uint64_t note)
{
	atomic_store_explicit(store_note(found->store, found->slot), note, memory_order_relaxed);
}

void refresh_set_retry(const struct cache_worker *w, const struct found *found, uint64_t now)
{
	int64_t recheck = w->cache->settings->stale_recheck;

	if (recheck)
		set_note(found, NOTE_RETRY | (now + (uint64_t)recheck) / CLOCK_MS);
}

bool refresh_may_retry(const struct found *found, uint64_t now)
{
	uint64_t note = note_of(found);

	return !(note & NOTE_RETRY) || now / CLOCK_MS >= (note & ~NOTE_RETRY);
}

uint64_t refresh_count_hit(const struct cache_worker *w, const struct found *found, uint64_t now)
{
	const struct cache_settings *settings = w->cache->settings;
	uint64_t note = note_of(found), second = now / CLOCK_S;
	uint64_t hits = note & HITS_MAX, last = note >> NOTE_HITS;
	int64_t threshold = (settings->prefetch_percent * found->item->ttl + 99) / 100;
	bool is_due;

	hits = second > last + (uint64_t)settings->prefetch_window / CLOCK_S ? 1 : hits + (hits < HITS_MAX);
	is_due = (int64_t)hits >= settings->prefetch && item_left(found->item, now) <= threshold;
	set_note(found, second << NOTE_HITS | (is_due ? 0 : hits));
	return is_due ? hits : 0;
}

void refresh_set_ad(struct request *r, bool on)
{
	request_change_flags(r, FLAG_AD, on ? FLAG_AD : 0);
}

/* Under prefer_positive a denial is kept, but takes nothing's place. */
bool refresh_take(struct cache_worker *w, const struct key *key, struct request *reply)
{
	struct judgement judgement;

	if (reply->bare || reply->reply_flags & FLAG_TC ||
		(reply->rcode != RCODE_NOERROR && reply->rcode != RCODE_NXDOMAIN))
		return false;
	judgement = item_judge(reply);
	if (judgement.kind == REPLY_OTHER)
		return false;
	keep_reply(w, key->store_key.hash, reply);
	if (keep_is_needless(reply))
		keep_nothing(w, key);
	return judgement.answers || !w->cache->settings->prefer_positive;
}

/* What there is now, be it new, counts on where the old item was; after a failure it has to wait. */
static void note_outcome(struct cache_worker *w, const struct request *child, const struct key *key,
	bool is_taken, uint64_t hits)
{
	uint64_t now = child->worker->now;
	struct found found = lookup_find(w, child, key);

	if (!found.item)
		return;
	if (hits)
		set_note(&found, now / CLOCK_S << NOTE_HITS | hits);
	else if (!is_taken)
		refresh_set_retry(w, &found, now);
}

static void on_refreshed(struct request *child, enum verdict verdict)
{
	struct cache_request *state = child->owner;
	struct cache_worker *w = state->worker;
	struct request *followers = state->is_leading ? flight_end(&w->flights, &state->flight) : NULL;
	struct key key;
	bool is_taken;

	lookup_key(w->cache, child, NULL, &key);
	is_taken = verdict == VERDICT_ANSWERED && refresh_take(w, &key, child);
	note_outcome(w, child, &key, is_taken, state->hits);
	wait_answer(w, followers, child, is_taken);
	request_release(child);
}

static struct request *make_child(struct cache_worker *w, struct request *r, enum transport transport)
{
	size_t offset = (size_t)((unsigned char *)request_state(r) - r->state);
	struct cache_request *state;
	struct request *child;
	struct name name;

	if (!request_may_wait(r) || !name_from_wire(r->wire + MESSAGE_HEADER, r->question.name.length, &name))
		return NULL;
	child = request_child(r, &name, r->question.type);
	if (!child)
		return NULL;
	child->transport = transport;
	child->deadline = UINT64_MAX;
	state = (struct cache_request *)(void *)(child->state + offset);
	state->worker = w;
	state->is_leading = false;
	child->owner = state;
	refresh_set_ad(child, true);
	return child;
}

void refresh_begin(struct cache_worker *w, struct request *r, const struct key *key, enum transport transport,
	uint64_t hits)
{
	struct cache_request *state;
	struct request *child;

	if (flight_find(&w->flights, key->store_key.hash, r, transport))
		return;
	child = make_child(w, r, transport);
	if (!child)
		return;
	cell_add(lookup_counters(w, r)->prefetches, 1);
	state = child->owner;
	state->hits = hits;
	if (request_ask_below(child) == VERDICT_ANSWERED) {
		on_refreshed(child, VERDICT_ANSWERED);
		return;
	}
	request_detach(child, on_refreshed, state);
	flight_begin(&w->flights, &state->flight, key->store_key.hash, child);
	state->is_leading = true;
}
