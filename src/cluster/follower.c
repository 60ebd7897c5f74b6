/* Every input of the reflector is followed by drive(), which does what it wants next. The reflector is told
 * the time here, and nowhere else. */
#include "follower.h"

#include <stdio.h>
#include <string.h>

#include "source.h"

static void drive(struct follower *f);

static const struct selector *labels_of(const struct follower *f)
{
	const struct feed_config *config = f->host->config;

	return f->reflector.resource->kind == OBJECT_NAMESPACE ? config->namespace_labels : config->labels;
}

static void flush_notice(struct follower *f)
{
	struct reflector_notice *notice = &f->reflector.notice;

	if (*notice->text)
		log_line(notice->level, FEED_TOPIC, "%s", notice->text);
	*notice->text = '\0';
}

static void on_timer(uv_timer_t *timer)
{
	drive(timer->data);
}

static void wake_at(struct follower *f, uint64_t when, uint64_t now)
{
	uint64_t wait = when > now ? when - now : 0;

	uv_timer_start(&f->timer, on_timer, (wait + CLOCK_MS - 1) / CLOCK_MS, 0);
}

static void send_request(struct follower *f, const struct resource_request *request)
{
	struct buffer target;

	buffer_init(&target);
	resource_target(f->reflector.resource, request, labels_of(f), &target);
	fetch_begin(&f->fetch, target.bytes, BODY_ACCEPT, request->ask != ASK_LIST);
	buffer_finish(&target);
}

/* True: the limiter has to let a request through first. */
static bool must_wait(struct follower *f, uint64_t now)
{
	uint64_t wait;

	if (!reflector_will_send(&f->reflector, now))
		return false;
	wait = fetch_wait(&f->fetch, now);
	if (wait)
		wake_at(f, now + wait, now);
	return wait;
}

static void drive(struct follower *f)
{
	uint64_t now = clock_monotonic();

	flush_notice(f);
	for (;;) {
		struct reflector_step step;

		if (must_wait(f, now))
			return;
		step = reflector_next(&f->reflector, now);
		flush_notice(f);
		if (step.action == REFLECTOR_CANCEL) {
			fetch_cancel(&f->fetch);
			continue;
		}
		if (step.action == REFLECTOR_WAIT) {
			wake_at(f, step.until, now);
			return;
		}
		send_request(f, &step.request);
	}
}

static void on_head(void *context, const struct api_head *head)
{
	struct follower *f = context;

	uint64_t now = clock_monotonic();

	reflector_on_head(&f->reflector, now, head->status, head->retry_after_s);
	wake_at(f, reflector_deadline(&f->reflector), now);
	flush_notice(f);
	if (head->status == 200)
		f->host->on_reached(f->host->context);
}

static bool on_octets(void *context)
{
	struct follower *f = context;

	reflector_on_octets(&f->reflector, clock_monotonic());
	return reflector_reads(&f->reflector);
}

static void on_end(void *context, enum api_end end, bool is_whole, const char *why)
{
	static const enum reflector_end ends[] = {[API_COMPLETE] = REFLECTOR_COMPLETE,
		[API_CUT] = REFLECTOR_CUT,
		[API_UNREACHED] = REFLECTOR_UNREACHED};
	struct follower *f = context;

	if (reflector_on_end(&f->reflector, clock_monotonic(), ends[end], is_whole, &f->fetch.decoder, why))
		f->host->on_change(f->host->context);
	if (f->reflector.wants_fresh_token)
		api_forget_token(f->host->api);
	f->reflector.wants_fresh_token = false;
	drive(f);
}

static bool on_object(void *context, struct decoder *decoder, enum decoded what, const struct object *object)
{
	struct follower *f = context;

	if (f->reflector.state == REFLECTOR_WATCHING && what == DECODED_OBJECT && decoder->triggered_at > 0 &&
		decoder->event.type != EVENT_DELETED)
		f->host->on_slice(f->host->context, object, decoder->triggered_at);
	if (reflector_on_object(&f->reflector, clock_monotonic(), decoder, what, object))
		f->host->on_change(f->host->context);
	flush_notice(f);
	return true;
}

static const struct fetch_user user = {on_head, on_octets, on_end};

static void on_audit_timer(uv_timer_t *timer);

static void rest_audit(struct follower *f, uint64_t wait)
{
	uv_timer_start(&f->auditor.timer, on_audit_timer, wait / CLOCK_MS, 0);
}

static uint64_t audit_ns(const struct follower *f)
{
	int64_t configured = f->host->config->api.audit_ns;

	return configured ? (uint64_t)configured : FOLLOWER_AUDIT_NS;
}

/* At random up to a tenth later, so that many servers do not audit at the same time. */
static void rest_until_next_audit(struct follower *f)
{
	uint64_t wait = audit_ns(f);

	rest_audit(f,
		wait + random_below(&f->reflector.random, (uint32_t)(wait / CLOCK_MS / 10) + 1) * CLOCK_MS);
}

static void send_audit(struct follower *f)
{
	struct resource_request request = {
		.ask = ASK_LIST, .version = "", .next = f->auditor.next, .limit = REFLECTOR_PAGE};
	struct buffer target;

	buffer_init(&target);
	resource_target(f->reflector.resource, &request, labels_of(f), &target);
	fetch_begin(&f->auditor.fetch, target.bytes, BODY_ACCEPT_NAMES, false);
	buffer_finish(&target);
}

static void on_audit_timer(uv_timer_t *timer)
{
	struct follower *f = timer->data;
	uint64_t wait;

	if (f->reflector.state != REFLECTOR_WATCHING) {
		fetch_give_up_wait(&f->auditor.fetch);
		rest_until_next_audit(f);
		return;
	}
	wait = fetch_wait(&f->auditor.fetch, clock_monotonic());
	if (wait) {
		rest_audit(f, wait + CLOCK_MS);
		return;
	}
	*f->auditor.next = '\0';
	f->auditor.lists = f->reflector.counts.lists;
	audit_begin(&f->auditor.audit, &f->reflector.ledger);
	send_audit(f);
}

static void on_audit_head(void *context, const struct api_head *head)
{
	(void)context;
	(void)head;
}

static bool on_audit_octets(void *context)
{
	(void)context;
	return true;
}

static bool on_audit_object(
	void *context, struct decoder *decoder, enum decoded what, const struct object *object)
{
	struct follower *f = context;
	struct ledger *ledger = &f->reflector.ledger;

	if (what == DECODED_OBJECT && !f->auditor.fetch.is_refused)
		audit_object(&f->auditor.audit, ledger, ledger_name(ledger, object),
			ledger_version(ledger, decoder->version));
	return true;
}

static void judge_audit(struct follower *f)
{
	size_t lost = audit_end(&f->auditor.audit, &f->reflector.ledger);
	uint64_t again = audit_ns(f) < FOLLOWER_AGAIN_NS ? audit_ns(f) : FOLLOWER_AGAIN_NS;
	char why[96];

	f->auditor.done++;
	if (lost) {
		f->auditor.hits++;
		snprintf(why, sizeof(why), "an audit found %zu objects that differ from the API server's",
			lost);
		reflector_distrust(&f->reflector, why);
		drive(f);
	}
	if (f->auditor.audit.found.count)
		rest_audit(f, again);
	else
		rest_until_next_audit(f);
}

/* An audit that does not come to its end, or that a list overtook, says nothing. */
static void on_audit_end(void *context, enum api_end end, bool is_whole, const char *why)
{
	struct follower *f = context;
	bool is_good =
		is_whole && !f->auditor.fetch.is_refused && f->auditor.lists == f->reflector.counts.lists;
	const char *next = f->auditor.fetch.decoder.list.next;

	(void)end;
	(void)why;
	if (!is_good) {
		rest_until_next_audit(f);
	} else if (*next) {
		snprintf(f->auditor.next, sizeof(f->auditor.next), "%s", next);
		fetch_skip_wait(&f->auditor.fetch);
		send_audit(f);
	} else {
		judge_audit(f);
	}
}

static const struct fetch_user audit_user = {on_audit_head, on_audit_octets, on_audit_end};

static void init_fetch(struct follower *f, struct fetch *fetch, const struct fetch_user *fetch_user)
{
	fetch_init(fetch, f->host->config, fetch_user, f);
	fetch->api = f->host->api;
	fetch->limiter = &f->host->limiter;
	fetch->counts = f->host->counts;
	fetch->decoder.context = f;
	fetch->decoder.expected = f->reflector.resource->kind;
}

void follower_init(struct follower *f, struct follower_host *host, const struct resource *resource)
{
	memset(f, 0, sizeof(*f));
	f->host = host;
	reflector_init(&f->reflector, resource, host->store, clock_monotonic());
	if (host->config->api.silence_ns)
		f->reflector.silence_ns = (uint64_t)host->config->api.silence_ns;
	init_fetch(f, &f->fetch, &user);
	f->fetch.decoder.on_object = on_object;
	init_fetch(f, &f->auditor.fetch, &audit_user);
	f->auditor.fetch.decoder.on_object = on_audit_object;
	f->auditor.fetch.decoder.only_names = true;
	uv_timer_init(host->loop, &f->timer);
	uv_timer_init(host->loop, &f->auditor.timer);
	f->timer.data = f->auditor.timer.data = f;
}

void follower_start(struct follower *f)
{
	wake_at(f, 0, 0);
	rest_until_next_audit(f);
}

void follower_close(struct follower *f)
{
	fetch_cancel(&f->fetch);
	fetch_cancel(&f->auditor.fetch);
	uv_close((uv_handle_t *)&f->timer, NULL);
	uv_close((uv_handle_t *)&f->auditor.timer, NULL);
}

void follower_finish(struct follower *f)
{
	fetch_finish(&f->fetch);
	fetch_finish(&f->auditor.fetch);
	reflector_finish(&f->reflector);
}

void follower_hurry(struct follower *f)
{
	uint64_t now = clock_monotonic();

	reflector_hurry(&f->reflector, now);
	if (f->reflector.state == REFLECTOR_RESTING)
		wake_at(f, f->reflector.due, now);
}
