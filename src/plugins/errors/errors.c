/* errors: a line for every query that failed, or one for many that failed alike.
 *
 * Patterns and their counts belong to all workers. The count of a pattern is written out by whichever worker
 * first finds its period over; queries that do not fail touch none of it. */
#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "svcdns/memory.h"
#include "svcdns/worker.h"

#define TOPIC	    "plugin/errors"
#define MATCH_LIMIT 100000 /* steps of the matcher: a pattern that needs more does not match */

struct errors_worker {
	struct errors *errors;
	struct worker *worker;
	pcre2_match_data *match_data;
	pcre2_match_context *match_context;
};

static void write_count(struct pattern *pattern)
{
	uint32_t count = atomic_exchange_explicit(&pattern->count, 0, memory_order_relaxed);

	if (count > 1 || (count && !pattern->show_first))
		log_line(pattern->level, TOPIC, "%u errors like '%s' occurred in last %s", count,
			pattern->text, pattern->period_text);
}

static bool matches(const struct errors_worker *w, const struct pattern *pattern, const char *text)
{
	return pcre2_match(pattern->code, (PCRE2_SPTR)text, strlen(text), 0, 0, w->match_data,
		       w->match_context) >= 0;
}

/* Counts an error; true when it is the first of its period and is to be shown. */
static bool count(struct pattern *pattern, uint64_t now)
{
	bool is_first = atomic_fetch_add_explicit(&pattern->count, 1, memory_order_relaxed) == 0;

	if (is_first)
		atomic_store_explicit(&pattern->due, now + (uint64_t)pattern->period, memory_order_relaxed);
	return is_first && pattern->show_first;
}

static void write_error(enum log_level level, const struct request *r)
{
	char name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];

	name_to_text(&r->question.name, name);
	type_text(r->question.type, type);
	log_line(level, TOPIC, "%u %s %s: %s", r->rcode, name, type, r->error);
}

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

static void reply(void *self, struct request *r)
{
	struct errors_worker *w = self;

	if (LIKELY(!r->error[0]))
		return;
	for (struct pattern *pattern = w->errors->patterns; pattern; pattern = pattern->next) {
		if (!matches(w, pattern, r->error))
			continue;
		if (count(pattern, w->worker->now))
			write_error(pattern->level, r);
		return;
	}
	write_error(LOG_ERROR, r);
}

static void refresh(void *self)
{
	struct errors_worker *w = self;

	for (struct pattern *pattern = w->errors->patterns; pattern; pattern = pattern->next) {
		uint64_t due = atomic_load_explicit(&pattern->due, memory_order_relaxed);

		if (due && w->worker->now >= due && atomic_compare_exchange_strong(&pattern->due, &due, 0))
			write_count(pattern);
	}
}

static void close_patterns(void *config)
{
	struct errors *errors = config;

	for (struct pattern *pattern = errors->patterns; pattern; pattern = pattern->next) {
		write_count(pattern);
		pcre2_code_free(pattern->code);
	}
}

static void *setup(struct setup *setup, struct error *error)
{
	struct errors *errors = arena_alloc(setup->arena, sizeof(*errors));

	if (errors_read(errors, setup, error))
		return errors;
	close_patterns(errors);
	return NULL;
}

static void *start(void *config, struct worker *worker)
{
	struct errors_worker *w = memory_zero(1, sizeof(*w));

	w->errors = config;
	w->worker = worker;
	w->match_data = pcre2_match_data_create(1, NULL);
	w->match_context = pcre2_match_context_create(NULL);
	if (!w->match_data || !w->match_context)
		abort();
	pcre2_set_match_limit(w->match_context, MATCH_LIMIT);
	return w;
}

static void stop(void *self)
{
	struct errors_worker *w = self;

	pcre2_match_data_free(w->match_data);
	pcre2_match_context_free(w->match_context);
	memory_free(w);
}

extern const struct plugin plugin_errors;

const struct plugin plugin_errors = {
	.name = "errors",
	.setup = setup,
	.start = start,
	.refresh = refresh,
	.serve = serve,
	.reply = reply,
	.stop = stop,
	.close = close_patterns,
};
