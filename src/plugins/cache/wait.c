/* What one has got is copied to all, each with its own id, letters, bits and size. */
#include "wait.h"

#include "svcdns/worker.h"

#include <string.h>

/* Both write behind questions of the same length. */
static void copy_reply(const struct request *from, struct request *to)
{
	size_t begin = from->question.end;

	if (from->bare) {
		request_fail(to, from->rcode, "%s", from->error);
	} else {
		request_reply(to, from->rcode, from->reply_flags & (FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD));
		memcpy(to->wire + begin, from->wire + begin, from->reply.length - begin);
		to->reply = from->reply;
		to->reply.wire = to->wire;
	}
	to->extended_error = from->extended_error;
	to->extended_error_code = from->extended_error_code;
}

static bool answer_old(const struct cache_worker *w, struct request *r)
{
	const struct cache_request *state = request_state(r);
	struct found found;
	struct key key;

	lookup_key(w->cache, r, &state->hash, &key);
	found = lookup_find(w, r, &key);
	if (!found.item)
		return false;
	cell_add(lookup_counters(w, r)->served_stale, 1);
	lookup_answer(w, r, found.item);
	return true;
}

static void go_on(struct request *follower, enum verdict verdict)
{
	const struct cache_request *state = request_state(follower);

	lookup_mask_ad(follower, state->wants_ad);
	request_resume(follower, verdict);
}

/* Where the old answer has become too old meanwhile, the new one is waited for. */
static void on_time_over(struct timer *timer)
{
	struct cache_request *state = CONTAINER_OF(timer, struct cache_request, timer);

	if (!answer_old(state->worker, state->request))
		return;
	flight_leave(state->joined, state->request);
	go_on(state->request, VERDICT_ANSWERED);
}

void wait_join(struct cache_worker *w, struct flight *flight, struct request *r, int64_t time_out)
{
	struct cache_request *state = request_state(r);

	state->worker = w;
	state->request = r;
	state->joined = flight;
	state->is_stale = time_out;
	state->wants_ad = r->flags & FLAG_AD;
	state->timer = (struct timer){0};
	if (time_out)
		timer_set(r->worker, &state->timer, r->worker->now + (uint64_t)time_out, on_time_over);
	flight_join(flight, r);
}

void wait_answer(struct cache_worker *w, struct request *followers, const struct request *reply, bool is_good)
{
	enum verdict verdict = reply->is_dropped ? VERDICT_DROP : VERDICT_ANSWERED;

	while (followers) {
		struct request *follower = followers;
		struct cache_request *state = request_state(follower);

		followers = follower->next;
		timer_cancel(follower->worker, &state->timer);
		if (!is_good && state->is_stale && answer_old(w, follower)) {
			go_on(follower, VERDICT_ANSWERED);
			continue;
		}
		if (verdict == VERDICT_ANSWERED)
			copy_reply(reply, follower);
		go_on(follower, verdict);
	}
}
