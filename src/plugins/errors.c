/* errors: a line for every query that failed, or one for many that failed alike.
 *
 * Patterns and their counts belong to all workers. The count of a pattern is written out by whichever worker
 * first finds its period over; queries that do not fail touch none of it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define TOPIC	    "plugin/errors"
#define PATTERN_MAX 10000
#define MATCH_LIMIT 100000 /* steps of the matcher: a pattern that needs more does not match */

struct pattern {
	const char *text, *period_text;
	int64_t period; /* ns */
	enum log_level level;
	bool show_first;
	pcre2_code *code;
	_Atomic uint64_t due;	/* monotonic ns; 0: nothing has been counted */
	_Atomic uint32_t count; /* since then */
	struct pattern *next;
};

struct errors { /* lifetime: configuration */
	struct pattern *patterns, **last;
};

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

/* The syntax is Go's (RE2), which has neither look-around nor references; what PCRE2 would understand beyond
 * it is refused, so that a pattern means the same as under CoreDNS. */
static const char *find_foreign_syntax(const char *pattern)
{
	for (const char *at = pattern; *at; at++) {
		if (*at == '\\' && at[1]) {
			if (strchr("123456789gkKNRXGZhH", at[1]))
				return at;
			at++;
		} else if (at[0] == '(' && at[1] == '*') {
			return at;
		} else if (at[0] == '(' && at[1] == '?') {
			const char *flags = at + 2 + strspn(at + 2, "imsU-");
			bool is_named = strncmp(at + 2, "P<", 2) == 0 ||
					(at[2] == '<' && at[3] != '=' && at[3] != '!');

			if (!is_named && *flags != ':' && *flags != ')')
				return at;
		} else if (strchr("*+?}", at[0]) && at[1] == '+') {
			return at;
		}
	}
	return NULL;
}

static bool compile(struct pattern *pattern, struct dispenser *d)
{
	const char *foreign = find_foreign_syntax(pattern->text);
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	int code;

	if (strlen(pattern->text) > PATTERN_MAX)
		return dispenser_error(
			d, "regex pattern too long: %zu > %d", strlen(pattern->text), PATTERN_MAX);
	if (foreign)
		return dispenser_error(
			d, "error parsing regexp: invalid or unsupported Perl syntax: `%.3s`", foreign);
	pattern->code = pcre2_compile((PCRE2_SPTR)pattern->text, PCRE2_ZERO_TERMINATED,
		PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &code, &offset, NULL);
	if (!pattern->code) {
		pcre2_get_error_message(code, message, sizeof(message));
		return dispenser_error(d, "error parsing regexp: %s at offset %zu: `%s`", (char *)message,
			(size_t)offset, pattern->text);
	}
	pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
	return true;
}

static bool read_level(const char *word, enum log_level *ret)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (strcmp(names[i], word) == 0) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* [LEVEL] [show_first], in this order */
static bool read_rest(struct pattern *pattern, struct dispenser *d)
{
	bool has_level = false;

	while (dispenser_argument(d)) {
		enum log_level level;

		if (strcmp(dispenser_value(d), "show_first") == 0) {
			pattern->show_first = true;
		} else if (!read_level(dispenser_value(d), &level)) {
			return dispenser_error(d, "unknown option in consolidate: %s", dispenser_value(d));
		} else if (has_level) {
			return dispenser_error(d, "multiple log levels specified in consolidate");
		} else if (pattern->show_first) {
			return dispenser_error(d, "log level must come before show_first in consolidate");
		} else {
			pattern->level = level;
			has_level = true;
		}
	}
	return true;
}

/* consolidate DURATION REGEX [LEVEL] [show_first] */
static bool parse_consolidate(void *config, struct setup *setup, struct dispenser *d)
{
	struct errors *errors = config;
	struct pattern *pattern = arena_alloc(setup->arena, sizeof(*pattern));
	size_t words = dispenser_arguments(d);
	struct error reason;

	if (words < 2 || words > 4) {
		while (dispenser_argument(d))
			;
		return dispenser_argument_error(d);
	}
	dispenser_argument(d);
	pattern->period_text = dispenser_value(d);
	if (!duration_parse(pattern->period_text, &pattern->period, &reason))
		return dispenser_error(d, "%s", reason.message);
	dispenser_argument(d);
	pattern->text = dispenser_value(d);
	pattern->level = LOG_ERROR;
	if (!read_rest(pattern, d) || !compile(pattern, d))
		return false;
	*errors->last = pattern;
	errors->last = &pattern->next;
	return true;
}

static bool parse_stacktrace(void *config, struct setup *setup, struct dispenser *d)
{
	(void)config;
	(void)setup;
	return !dispenser_argument(d) ||
	       dispenser_error(d, "stacktrace takes no argument: %s", dispenser_value(d));
}

static const struct option options[] = {
	{.name = "stacktrace", .type = OPTION_CALL, .parse = parse_stacktrace},
	{.name = "consolidate", .type = OPTION_CALL, .parse = parse_consolidate},
	{.name = NULL},
};

static bool read_directive(struct errors *errors, struct setup *setup, struct dispenser *d)
{
	if (!setup_once(setup, d))
		return false;
	if (dispenser_argument(d) && strcmp(dispenser_value(d), "stdout") != 0)
		return dispenser_error(d, "invalid log file: %s", dispenser_value(d));
	if (dispenser_argument(d))
		return dispenser_argument_error(d);
	return options_parse(options, errors, setup, d);
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
	struct dispenser d;

	errors->last = &errors->patterns;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		if (!read_directive(errors, setup, &d)) {
			close_patterns(errors);
			return NULL;
		}
	}
	return errors;
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
