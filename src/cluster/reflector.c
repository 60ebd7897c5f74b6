/* The life of a resource: list, then watch from the list's version on, and so for ever. Invariants: objects
 * go out of the store only by a DELETED event or after a complete list; `version` never names a state that we
 * have not seen whole: while the objects that were there at first arrive, it stays. */
#include "reflector.h"

#include <stdio.h>
#include <string.h>

#define WATCH_MIN_S	  300u /* after 5 to 10 minutes the server ends a watch, and a new one goes on */
#define SHORT_NS	  CLOCK_S
#define SHORT_REST_NS	  (200 * CLOCK_MS)
#define UNREACHED_MAX_NS  (5 * CLOCK_S)	 /* trying to connect costs the server nothing */
#define RELIST_FREE_NS	  (10 * CLOCK_S) /* after a list, another one waits */
#define HURRY_MS	  500u
#define TELL_AGAIN_NS	  (60 * CLOCK_S)
#define RETRY_AFTER_MAX_S 300u
#define ERRORS_MAX	  3u /* of watches from one version, until everything is listed anew */

void reflector_init(
	struct reflector *r, const struct resource *resource, struct object_store *store, uint64_t now)
{
	memset(r, 0, sizeof(*r));
	r->resource = resource;
	r->store = store;
	r->silence_ns = REFLECTOR_SILENCE_NS;
	r->needs_list = true;
	r->due = now;
	ledger_init(&r->ledger);
}

void reflector_finish(struct reflector *r)
{
	ledger_finish(&r->ledger);
}

static void say(struct reflector *r, enum log_level level, const char *format, ...) ATTRIBUTE_PRINTF(3, 4);

static void say(struct reflector *r, enum log_level level, const char *format, ...)
{
	int length = snprintf(r->notice.text, sizeof(r->notice.text), "%s: ", r->resource->name);
	va_list arguments;

	r->notice.level = level;
	va_start(arguments, format);
	vsnprintf(r->notice.text + length, sizeof(r->notice.text) - (size_t)length, format, arguments);
	va_end(arguments);
}

/* The same failure is told once a minute. */
static void say_failure(struct reflector *r, uint64_t now, const char *which, const char *text)
{
	r->counts.failures++;
	snprintf(r->failure, sizeof(r->failure), "%s", text);
	if (strcmp(which, r->told_failure) == 0 && now - r->told_at < TELL_AGAIN_NS)
		return;
	snprintf(r->told_failure, sizeof(r->told_failure), "%s", which);
	r->told_at = now;
	say(r, LOG_ERROR, "%s", text);
}

static void say_success(struct reflector *r)
{
	if (*r->told_failure)
		say(r, LOG_INFO, "the API server is followed again");
	*r->told_failure = '\0';
	r->has_retried_token = false;
}

static void rest(struct reflector *r, uint64_t now, uint64_t wait)
{
	r->state = REFLECTOR_RESTING;
	r->due = now + wait;
}

static void back_off(struct reflector *r, uint64_t now)
{
	uint64_t wait = backoff_wait(&r->backoff, BACKOFF_LIMIT_NS, &r->random);

	if (r->retry_after_s)
		wait = (r->retry_after_s < RETRY_AFTER_MAX_S ? r->retry_after_s : RETRY_AFTER_MAX_S) *
		       CLOCK_S;
	rest(r, now, wait);
}

uint64_t reflector_deadline(const struct reflector *r)
{
	uint64_t silence = r->silence_ns;

	if (r->state == REFLECTOR_RESTING)
		return r->due;
	if (r->state != REFLECTOR_WATCHING && silence > REFLECTOR_ANSWER_NS)
		silence = REFLECTOR_ANSWER_NS;
	return r->heard_at + silence;
}

static void choose(struct reflector *r)
{
	if (!r->needs_list)
		r->ask = ASK_WATCH;
	else if (*r->next || r->prefers_list)
		r->ask = ASK_LIST;
	else
		r->ask = ASK_WATCH_LIST;
}

/* A list may come from any server's memory at first (version "0"), later from one that knows at least what we
 * know; the newest one, and none but that, comes in pages. */
static struct resource_request request_of(struct reflector *r)
{
	struct resource_request request = {.ask = r->ask, .version = r->version, .next = r->next};

	if (r->ask != ASK_LIST)
		request.timeout_s = WATCH_MIN_S + random_below(&r->random, WATCH_MIN_S);
	if (r->ask != ASK_WATCH && (r->wants_newest || *r->next))
		request.version = "";
	else if (r->ask == ASK_LIST && !*r->version)
		request.version = "0";
	if (r->ask == ASK_LIST && !r->wants_one_page && (!*request.version || !*r->version))
		request.limit = REFLECTOR_PAGE;
	return request;
}

static void begin_request(struct reflector *r, uint64_t now)
{
	r->state = REFLECTOR_ASKED;
	r->heard_at = now;
	r->status = r->retry_after_s = 0;
	if (r->ask == ASK_WATCH || *r->next)
		return;
	object_store_begin_list(r->store, r->resource->kind);
	ledger_begin_list(&r->ledger);
}

static void give_list_up(struct reflector *r)
{
	*r->next = '\0';
}

static struct reflector_step fall_silent(struct reflector *r, uint64_t now)
{
	char text[128];

	snprintf(text, sizeof(text), "no octet came for %u s: trying again",
		(unsigned)((now - r->heard_at) / CLOCK_S));
	say_failure(r, now, "silence", text);
	if (r->state == REFLECTOR_INITIAL)
		r->prefers_list = true;
	back_off(r, now);
	return (struct reflector_step){.action = REFLECTOR_CANCEL};
}

/* True: a request is under way that is of no use any more. */
static bool begin_anew(struct reflector *r, uint64_t now)
{
	bool is_under_way = r->state != REFLECTOR_RESTING;

	r->is_distrusted = false;
	give_list_up(r);
	rest(r, now, 0);
	return is_under_way;
}

struct reflector_step reflector_next(struct reflector *r, uint64_t now)
{
	struct reflector_step step = {.action = REFLECTOR_WAIT};

	if (r->is_distrusted && begin_anew(r, now))
		return (struct reflector_step){.action = REFLECTOR_CANCEL};
	step.until = reflector_deadline(r);
	if (now < step.until)
		return step;
	if (r->state != REFLECTOR_RESTING)
		return fall_silent(r, now);
	choose(r);
	begin_request(r, now);
	step.action = REFLECTOR_SEND;
	step.request = request_of(r);
	return step;
}

bool reflector_will_send(const struct reflector *r, uint64_t now)
{
	return r->state == REFLECTOR_RESTING && (r->due <= now || r->is_distrusted);
}

void reflector_on_head(struct reflector *r, uint64_t now, unsigned status, unsigned retry_after_s)
{
	static const enum reflector_state states[] = {[ASK_WATCH_LIST] = REFLECTOR_INITIAL,
		[ASK_LIST] = REFLECTOR_LISTING,
		[ASK_WATCH] = REFLECTOR_WATCHING};

	r->heard_at = r->head_at = now;
	r->events_at_head = r->counts.events;
	r->is_unreached = false;
	r->status = status;
	r->retry_after_s = retry_after_s;
	r->state = status == 200 ? states[r->ask] : REFLECTOR_REFUSED;
	if (status == 200)
		*r->failure = '\0';
	if (r->state == REFLECTOR_WATCHING)
		say_success(r);
}

void reflector_on_octets(struct reflector *r, uint64_t now)
{
	r->heard_at = now;
}

bool reflector_reads(const struct reflector *r)
{
	return r->state != REFLECTOR_REFUSED;
}

static void complete_list(struct reflector *r, uint64_t now, const char *version)
{
	object_store_sweep(r->store, r->resource->kind);
	ledger_sweep(&r->ledger);
	snprintf(r->version, sizeof(r->version), "%s", version);
	give_list_up(r);
	r->needs_list = r->prefers_list = r->wants_newest = r->wants_one_page = false;
	r->is_synced = true;
	r->listed_at = now;
	r->errors_in_a_row = 0;
	r->counts.lists++;
	say_success(r);
}

static void say_broken(
	struct reflector *r, const struct decoder *decoder, const struct object *object, uint64_t name)
{
	bool has_name = object && object->name.length;

	r->counts.broken++;
	for (unsigned i = 0; i < r->told_count; i++)
		if (r->told[i] == name)
			return;
	if (r->told_count == REFLECTOR_TOLD)
		return;
	r->told[r->told_count++] = name;
	if (has_name)
		say(r, LOG_ERROR, "%.*s%s%.*s cannot be read, and is skipped: %s", object->namespace.length,
			(const char *)text_of(object, object->namespace), object->namespace.length ? "/" : "",
			object->name.length, (const char *)text_of(object, object->name),
			decoder->failure.message);
	else
		say(r, LOG_ERROR, "an object without a name cannot be read, and is skipped: %s",
			decoder->failure.message);
}

/* It is there, whether we can use it or not. Of one that cannot be read, what we had stays. */
static void keep(struct reflector *r, const struct decoder *decoder, enum decoded what,
	const struct object *object, uint64_t name)
{
	if (name)
		ledger_put(&r->ledger, name, ledger_version(&r->ledger, decoder->version));
	if (what == DECODED_OBJECT)
		object_store_put(r->store, object);
	else if (what == DECODED_UNWANTED)
		object_store_delete(r->store, object);
	else if (name)
		object_store_keep(r->store, object);
	if (what == DECODED_BROKEN)
		say_broken(r, decoder, object, name);
}

static void drop(struct reflector *r, const struct object *object, uint64_t name)
{
	if (!name)
		return;
	ledger_remove(&r->ledger, name);
	object_store_delete(r->store, object);
}

static void take_bookmark(struct reflector *r, uint64_t now, const struct decoder *decoder)
{
	if (r->state == REFLECTOR_INITIAL && decoder->event.ends_initial && *decoder->version) {
		complete_list(r, now, decoder->version);
		r->state = REFLECTOR_WATCHING;
	}
}

static void take_change(struct reflector *r, const struct decoder *decoder, enum decoded what,
	const struct object *object, uint64_t name)
{
	r->counts.events++;
	if (what == DECODED_OTHER_KIND) {
		r->counts.broken++;
		return;
	}
	if (decoder->event.type == EVENT_DELETED)
		drop(r, object, name);
	else
		keep(r, decoder, what, object, name);
}

static bool take_event(struct reflector *r, uint64_t now, const struct decoder *decoder, enum decoded what,
	const struct object *object, uint64_t name)
{
	switch (decoder->event.type) {
	case EVENT_ADDED:
	case EVENT_MODIFIED:
	case EVENT_DELETED:
		take_change(r, decoder, what, object, name);
		break;
	case EVENT_BOOKMARK:
		take_bookmark(r, now, decoder);
		break;
	case EVENT_ERROR:
		r->state = REFLECTOR_REFUSED;
		return false;
	default:
		say_broken(r, decoder, object, name);
		return false;
	}
	if (r->state == REFLECTOR_WATCHING && *decoder->version) {
		snprintf(r->version, sizeof(r->version), "%s", decoder->version);
		r->errors_in_a_row = 0;
	}
	return true;
}

bool reflector_on_object(struct reflector *r, uint64_t now, const struct decoder *decoder, enum decoded what,
	const struct object *object)
{
	bool has_name = object && object->name.length && object->kind == r->resource->kind;
	uint64_t name = has_name ? ledger_name(&r->ledger, object) : 0;

	if (r->state == REFLECTOR_INITIAL || r->state == REFLECTOR_WATCHING)
		return take_event(r, now, decoder, what, object, name);
	if (r->state != REFLECTOR_LISTING || what == DECODED_OTHER_KIND)
		return false;
	keep(r, decoder, what, object, name);
	return true;
}

/* A page, or the last one of a list. */
static void end_page(struct reflector *r, uint64_t now, const struct decoder *decoder)
{
	if (*decoder->list.next) {
		snprintf(r->next, sizeof(r->next), "%s", decoder->list.next);
	} else {
		complete_list(r, now, decoder->list.version);
	}
	rest(r, now, 0);
}

static bool is_our_list(const struct reflector *r, const struct decoder *decoder)
{
	const char *kind = decoder->is_list ? decoder->list_kind : decoder->kind;
	const char *version = decoder->is_list ? decoder->list_version : decoder->api_version;

	return *decoder->list.version && strcmp(kind, r->resource->list_kind) == 0 &&
	       strcmp(version, r->resource->api_version) == 0;
}

/* Of a watch that was healthy for a while, or brought something, the next one follows at once. */
static void end_watch(struct reflector *r, uint64_t now, enum reflector_end end, const char *why)
{
	bool was_long = now - r->head_at >= SHORT_NS;

	if (was_long)
		backoff_reset(&r->backoff);
	if (was_long || r->counts.events > r->events_at_head) {
		rest(r, now, was_long ? 0 : SHORT_REST_NS);
		return;
	}
	say_failure(r, now, "short", end == REFLECTOR_CUT ? why : "a watch ended at once, without any event");
	back_off(r, now);
}

/* The objects that were there at first have not all come. It may be that the server never says where they
 * end. */
static void end_initial(struct reflector *r, uint64_t now, const char *why)
{
	char text[512];

	r->prefers_list = true;
	snprintf(text, sizeof(text), "the watch ended before all objects had come: %s", why);
	say_failure(r, now, "initial", text);
	back_off(r, now);
}

/* What was cut is asked for again, page by page, since those are short; what cannot be read is begun anew. */
static void fail_list(struct reflector *r, uint64_t now, enum reflector_end end, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "the list cannot be read: %s", why);
	say_failure(r, now, "list", text);
	r->wants_newest = true;
	if (end == REFLECTOR_COMPLETE)
		give_list_up(r);
	back_off(r, now);
}

static void say_refusal(struct reflector *r, uint64_t now, unsigned code, const char *message)
{
	char which[32], text[700], rule[200] = "";

	snprintf(which, sizeof(which), "%u", code);
	if (code == 403)
		snprintf(rule, sizeof(rule),
			": the service account needs the verbs list and watch for resource \"%s\" of API "
			"group \"%s\"",
			r->resource->name, r->resource->group);
	snprintf(text, sizeof(text), "the API server answers %u: %.400s%s", code,
		*message ? message : "no reason given", rule);
	say_failure(r, now, which, text);
}

/* The server has forgotten the version from which we asked. */
static void expire(struct reflector *r, uint64_t now)
{
	bool was_list = r->ask != ASK_WATCH && r->needs_list;

	say(r, LOG_INFO, "the API server does not know version %s any more: listing all of them anew",
		*r->version ? r->version : "0");
	if (was_list)
		r->wants_newest = true;
	if (*r->next)
		r->wants_one_page = true;
	r->needs_list = true;
	give_list_up(r);
	if (!was_list && (!r->is_synced || now - r->listed_at >= RELIST_FREE_NS))
		rest(r, now, 0);
	else
		back_off(r, now);
}

/* Tokens are replaced all the time: one try with a fresh one goes without saying. */
static void refuse_token(struct reflector *r, uint64_t now, const char *message)
{
	r->wants_fresh_token = true;
	if (!r->has_retried_token) {
		r->has_retried_token = true;
		rest(r, now, 0);
		return;
	}
	say_refusal(r, now, 401, message);
	back_off(r, now);
}

/* A watch that fails from the same version again and again may have to begin elsewhere. */
static void count_error(struct reflector *r)
{
	if (r->ask == ASK_WATCH && ++r->errors_in_a_row >= ERRORS_MAX)
		r->needs_list = true;
}

static bool is_about_watch_list(const struct reflector *r, unsigned code)
{
	return r->ask == ASK_WATCH_LIST && (code == 400 || code == 404 || code == 405 || code == 422);
}

static void fail(struct reflector *r, uint64_t now, unsigned code, const char *message)
{
	bool is_passing = code == 429 || (code >= 500 && code != 504);

	say_refusal(r, now, code, message);
	if (code == 504) /* our version may be one that the server has not reached: etcd was restored */
		r->wants_newest = r->needs_list = true;
	else if (code != 429)
		count_error(r);
	if (!is_passing)
		give_list_up(r);
	back_off(r, now);
}

static void be_refused(struct reflector *r, uint64_t now, unsigned code, const char *message)
{
	if (is_about_watch_list(r, code)) {
		r->prefers_list = true;
		rest(r, now, 0);
	} else if (code == 401) {
		refuse_token(r, now, message);
	} else if (code == 410) {
		expire(r, now);
	} else {
		fail(r, now, code, message);
	}
}

static void be_unreached(struct reflector *r, uint64_t now, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "the API server cannot be reached: %.400s", why);
	say_failure(r, now, "unreached", text);
	r->is_unreached = true;
	rest(r, now, backoff_wait(&r->backoff, UNREACHED_MAX_NS, &r->random));
}

bool reflector_on_end(struct reflector *r, uint64_t now, enum reflector_end end, bool is_whole,
	const struct decoder *decoder, const char *why)
{
	unsigned code = r->status == 200 ? (unsigned)decoder->status.code : r->status;

	switch (r->state) {
	case REFLECTOR_LISTING:
		if (end == REFLECTOR_COMPLETE && is_whole && is_our_list(r, decoder))
			end_page(r, now, decoder);
		else
			fail_list(r, now, end, why);
		return r->is_synced;
	case REFLECTOR_INITIAL:
		end_initial(r, now, why);
		break;
	case REFLECTOR_WATCHING:
		end_watch(r, now, end, why);
		break;
	case REFLECTOR_REFUSED:
		be_refused(r, now, code, decoder->status.message);
		break;
	default:
		be_unreached(r, now, why);
		break;
	}
	return false;
}

void reflector_hurry(struct reflector *r, uint64_t now)
{
	uint64_t soon = now + random_below(&r->random, HURRY_MS) * CLOCK_MS;

	if (r->state == REFLECTOR_RESTING && r->is_unreached && r->due > soon)
		r->due = soon;
}

void reflector_distrust(struct reflector *r, const char *why)
{
	say(r, LOG_WARNING, "%s: listing all of them anew", why);
	r->needs_list = r->wants_newest = r->is_distrusted = true;
}
