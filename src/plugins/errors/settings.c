/* consolidate: patterns of errors that are counted instead of told. They are compiled here, once; how they
 * are matched is for errors.c. */
#include "settings.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "svcdns/clock.h"

#define PATTERN_MAX 10000

/* Letters and digits that mean something in Go behind a backslash; others are refused there, whatever they
 * mean to PCRE2. */
static bool is_escape(const char *at)
{
	return !isalnum((unsigned char)at[1]) || strchr("AzbBdDsSwWpPafnrtvxQE0", at[1]);
}

/* "(?:", "(?i)", "(?i:", "(?P<name>" and "(?<name>" are all that may follow a bracket and a question mark. */
static bool is_group(const char *at)
{
	const char *flags = at + 2 + strspn(at + 2, "imsU-");

	if (at[2] == '<')
		return at[3] != '=' && at[3] != '!';
	return strncmp(at + 2, "P<", 2) == 0 || *flags == ':' || *flags == ')';
}

/* A bracket that opens what Go does not have: a verb of PCRE2, look-around, an atomic group. */
static bool is_foreign_group(const char *at)
{
	return at[0] == '(' && (at[1] == '*' || (at[1] == '?' && !is_group(at)));
}

static bool is_possessive(const char *at)
{
	return strchr("*+?}", at[0]) && at[1] == '+';
}

/* The last octet of what stands at `at` in a character class: "[:alpha:]" is one thing. */
static const char *skip_class_item(const char *at)
{
	const char *end = at[0] == '[' && at[1] == ':' ? strstr(at, ":]") : NULL;

	return end ? end + 1 : at;
}

/* The syntax is Go's (RE2), which has neither look-around nor references; what PCRE2 would understand beyond
 * it is refused, so that a pattern means the same as under CoreDNS. */
static const char *find_foreign_syntax(const char *pattern)
{
	bool in_class = false;

	for (const char *at = pattern; *at; at++) {
		if (at[0] == '\\' && at[1]) {
			if (!is_escape(at))
				return at;
			at++;
		} else if (in_class) {
			in_class = *at != ']';
			at = skip_class_item(at);
		} else if (at[0] == '[') {
			in_class = true;
			at += at[1] == '^';
			at += at[1] == ']'; /* stands for itself as the first of a class */
		} else if (is_foreign_group(at) || is_possessive(at)) {
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
		PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &code,
		&offset, NULL);
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

/* value / 10^digits, without zeros at the end. */
static const char *decimal(struct arena *arena, uint64_t value, int digits, const char *unit)
{
	uint64_t scale = 1;
	const char *text;
	size_t length;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	text = arena_format(arena, "%" PRIu64 ".%0*" PRIu64, value / scale, digits, value % scale);
	length = strlen(text);
	while (text[length - 1] == '0')
		length--;
	length -= text[length - 1] == '.';
	return arena_format(arena, "%.*s%s", (int)length, text, unit);
}

/* As Go writes a duration: "300ms", "1.5s", "1h0m0s". */
static const char *period_text(struct arena *arena, int64_t period)
{
	uint64_t ns = period < 0 ? 0 - (uint64_t)period : (uint64_t)period;
	uint64_t minutes = ns / (60 * CLOCK_S);
	const char *seconds = decimal(arena, ns % (60 * CLOCK_S), 9, "s"), *sign = period < 0 ? "-" : "";

	if (ns == 0)
		return "0s";
	if (ns < CLOCK_S)
		seconds = ns < 1000	  ? decimal(arena, ns, 0, "ns")
			  : ns < CLOCK_MS ? decimal(arena, ns, 3, "\xc2\xb5s")
					  : decimal(arena, ns, 6, "ms");
	if (minutes < 60)
		return minutes ? arena_format(arena, "%s%" PRIu64 "m%s", sign, minutes, seconds)
			       : arena_format(arena, "%s%s", sign, seconds);
	return arena_format(arena, "%s%" PRIu64 "h%" PRIu64 "m%s", sign, minutes / 60, minutes % 60, seconds);
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
	if (!duration_parse(dispenser_value(d), &pattern->period, &reason))
		return dispenser_error(d, "%s", reason.message);
	pattern->period_text = period_text(setup->arena, pattern->period);
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

bool errors_read(struct errors *errors, struct setup *setup, struct error *error)
{
	struct dispenser d;

	errors->last = &errors->patterns;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(errors, setup, &d))
			return false;
	return true;
}
