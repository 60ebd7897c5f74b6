/* A response that is not 200 is read as a Status, which may say why, in JSON or protobuf; anything else is
 * not understood, and does not matter. */
#include "fetch.h"

#include <string.h>

#include "tally.h"

static void on_head(void *context, const struct api_head *head)
{
	struct fetch *fetch = context;

	fetch->is_answered = true;
	limiter_answered(fetch->limiter);
	tally_code(fetch->counts->codes, head->status);
	tally_request(
		&fetch->counts->requests, (double)(clock_monotonic() - fetch->begun_at) / (double)CLOCK_S);
	fetch->is_refused = head->status != 200;
	body_init(&fetch->body, &fetch->decoder, fetch->is_watch && !fetch->is_refused, head->content_type);
	fetch->user->on_head(fetch->context, head);
}

static bool take(struct fetch *fetch, const uint8_t *octets, size_t length)
{
	if (!fetch->is_unreadable && !body_push(&fetch->body, octets, length))
		fetch->is_unreadable = true;
	return !fetch->is_unreadable;
}

static bool on_octets(void *context, const uint8_t *octets, size_t length)
{
	struct fetch *fetch = context;
	bool is_good = take(fetch, octets, length);

	fetch->octets += length;
	if (fetch->is_refused) {
		fetch->refusal_octets += length;
		return fetch->refusal_octets <= FETCH_REFUSAL_MAX;
	}
	return fetch->user->on_octets(fetch->context) && is_good;
}

static void forget_call(struct fetch *fetch)
{
	if (!fetch->is_answered)
		limiter_answered(fetch->limiter);
	body_finish(&fetch->body);
	fetch->call = NULL;
}

static void on_end(void *context, enum api_end end, const char *why)
{
	struct fetch *fetch = context;
	bool is_whole = end == API_COMPLETE && !fetch->is_unreadable;

	if (is_whole && !fetch->is_watch)
		is_whole = body_end(&fetch->body);
	if (!fetch->is_answered)
		tally_code(fetch->counts->codes, 0);
	if (fetch->is_answered && !is_whole && end == API_COMPLETE)
		fetch->is_unreadable = true;
	forget_call(fetch);
	fetch->user->on_end(fetch->context, end, is_whole, fetch->is_unreadable ? fetch->error.message : why);
}

void fetch_init(
	struct fetch *fetch, const struct feed_config *config, const struct fetch_user *user, void *context)
{
	memset(fetch, 0, sizeof(*fetch));
	fetch->user = user;
	fetch->context = context;
	decoder_init(&fetch->decoder);
	fetch->decoder.config = config;
	fetch->decoder.error = &fetch->error;
}

void fetch_finish(struct fetch *fetch)
{
	body_finish(&fetch->body);
	decoder_finish(&fetch->decoder);
}

uint64_t fetch_wait(struct fetch *fetch, uint64_t now)
{
	uint64_t wait = limiter_take(fetch->limiter, now);

	if (!fetch->waits_since)
		fetch->waits_since = now;
	if (wait)
		return wait;
	tally_request(&fetch->counts->limiter_waits, (double)(now - fetch->waits_since) / (double)CLOCK_S);
	fetch->waits_since = 0;
	return 0;
}

void fetch_skip_wait(struct fetch *fetch)
{
	limiter_add(fetch->limiter);
	tally_request(&fetch->counts->limiter_waits, 0);
}

void fetch_give_up_wait(struct fetch *fetch)
{
	fetch->waits_since = 0;
}

void fetch_begin(struct fetch *fetch, const char *target, const char *accept, bool is_watch)
{
	static const struct api_reader reader = {on_head, on_octets, on_end};

	assert(!fetch->call);
	fetch->is_watch = is_watch;
	fetch->is_answered = fetch->is_refused = fetch->is_unreadable = false;
	fetch->refusal_octets = 0;
	fetch->begun_at = clock_monotonic();
	memset(&fetch->decoder.status, 0, sizeof(fetch->decoder.status));
	fetch->call = api_get(fetch->api, target, accept, &reader, fetch);
}

void fetch_cancel(struct fetch *fetch)
{
	if (!fetch->call)
		return;
	api_cancel(fetch->call);
	forget_call(fetch);
}
