/* The properties of cache, with CoreDNS' defaults, ranges and words for what is wrong. */
#include "settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND	       INT64_C(1000000000)
#define CAPACITY       9984 /* what CoreDNS makes of 10000 */
#define CAPACITY_LEAST 1024 /* as in CoreDNS, whatever smaller number is asked for */
#define BYTES_AN_ENTRY 512  /* a usual reply takes 100 to 300 octets */
#define BYTES_LEAST    (1 << 18)
#define FAILURE_MAX    (300 * SECOND) /* RFC 2308 section 7.1 */

static bool take(struct dispenser *d, const char **ret)
{
	if (!dispenser_argument(d))
		return false;
	*ret = dispenser_value(d);
	return true;
}

/* CoreDNS has read all words when it counts them, and names the last. */
static bool refuse_count(struct dispenser *d)
{
	while (dispenser_argument(d))
		;
	return dispenser_argument_error(d);
}

/* Passes on what a parser of values said, with the place, and with what it was about if that is not NULL. */
static bool refuse(struct dispenser *d, const char *what, const struct error *reason)
{
	char message[sizeof(reason->message)];

	memcpy(message, reason->message, sizeof(message));
	return dispenser_error(d, "%s%s%.900s", what ? what : "", what ? ": " : "", message);
}

static bool read_integer(struct dispenser *d, const char *text, int64_t *ret)
{
	struct error reason;

	return integer_parse(text, ret, &reason) || refuse(d, NULL, &reason);
}

static bool read_duration(struct dispenser *d, const char *what, const char *text, int64_t *ret)
{
	struct error reason;

	return duration_parse(text, ret, &reason) || refuse(d, what, &reason);
}

static bool read_ttl(struct dispenser *d, const char *text, int64_t *ret)
{
	if (!read_integer(d, text, ret))
		return false;
	return *ret > 0 || dispenser_error(d, "cache TTL can not be zero or negative: %lld", (long long)*ret);
}

/* CAPACITY [TTL [MINTTL]]; further words are ignored, as in CoreDNS. */
static bool read_side(struct dispenser *d, struct cache_side *side)
{
	const char *word;

	if (!take(d, &word))
		return dispenser_argument_error(d);
	if (!read_integer(d, word, &side->capacity))
		return false;
	if (take(d, &word) && !read_ttl(d, word, &side->ttl))
		return false;
	if (!take(d, &word))
		return true;
	if (!read_integer(d, word, &side->min_ttl))
		return false;
	if (side->min_ttl < 0)
		return dispenser_error(
			d, "cache min TTL can not be negative: %lld", (long long)side->min_ttl);
	while (dispenser_argument(d))
		;
	return true;
}

static bool parse_success(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;

	(void)setup;
	return read_side(d, &settings->success);
}

static bool parse_denial(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;

	(void)setup;
	return read_side(d, &settings->denial);
}

static bool read_percent(struct dispenser *d, const char *text, int64_t *ret)
{
	size_t length = strlen(text);
	char number[16];

	if (!length || text[length - 1] != '%')
		return dispenser_error(d, "last character of percentage should be `%%`, but is: '%c'",
			length ? text[length - 1] : ' ');
	if (length > sizeof(number))
		return dispenser_error(d, "percentage should fall in range [10, 90]: %s", text);
	memcpy(number, text, length - 1);
	number[length - 1] = '\0';
	if (!read_integer(d, number, ret))
		return false;
	return (*ret >= 10 && *ret <= 90) ||
	       dispenser_error(d, "percentage should fall in range [10, 90]: %lld", (long long)*ret);
}

static bool parse_prefetch(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;
	size_t words = dispenser_arguments(d);
	const char *word;

	(void)setup;
	if (words < 1 || words > 3)
		return refuse_count(d);
	if (!take(d, &word) || !read_integer(d, word, &settings->prefetch))
		return false;
	if (settings->prefetch < 0)
		return dispenser_error(
			d, "prefetch amount should be positive: %lld", (long long)settings->prefetch);
	if (take(d, &word) && !read_duration(d, NULL, word, &settings->prefetch_window))
		return false;
	return !take(d, &word) || read_percent(d, word, &settings->prefetch_percent);
}

static bool read_stale_ttl(struct dispenser *d, const char *text, int64_t *ret)
{
	int64_t duration;

	if (!read_duration(d, "invalid serve_stale response TTL", text, &duration))
		return false;
	if (duration < 0)
		return dispenser_error(d, "invalid negative response TTL for serve_stale");
	if (duration % SECOND)
		return dispenser_error(d, "serve_stale response TTL must be a whole number of seconds");
	if (duration / SECOND > UINT32_MAX)
		return dispenser_error(d, "serve_stale response TTL exceeds the DNS TTL range");
	*ret = duration / SECOND;
	return true;
}

static bool read_recheck(struct dispenser *d, const char *text, int64_t *ret)
{
	if (!read_duration(d, "invalid serve_stale failure recheck", text, ret))
		return false;
	if (*ret < 0)
		return dispenser_error(d, "invalid negative failure recheck for serve_stale");
	return *ret <= FAILURE_MAX ||
	       dispenser_error(d, "serve_stale failure recheck cannot exceed 5 minutes");
}

static bool read_mode(struct dispenser *d, const char *text, bool *ret_verify)
{
	*ret_verify = strcasecmp(text, "verify") == 0;
	return *ret_verify || strcasecmp(text, "immediate") == 0 ||
	       dispenser_error(d, "invalid value for serve_stale refresh mode: %s", text);
}

/* serve_stale [DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]] */
static bool parse_serve_stale(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;
	size_t words = dispenser_arguments(d);
	const char *word;

	(void)setup;
	if (words > 5)
		return refuse_count(d);
	settings->serve_stale = true;
	settings->stale_for = 3600 * SECOND;
	settings->verify = false;
	settings->verify_timeout = settings->stale_ttl = settings->stale_recheck = 0;
	if (take(d, &word) && !read_duration(d, NULL, word, &settings->stale_for))
		return false;
	if (settings->stale_for < 0)
		return dispenser_error(d, "invalid negative duration for serve_stale");
	if (take(d, &word) && !read_mode(d, word, &settings->verify))
		return false;
	if (settings->verify && take(d, &word) &&
		!read_duration(d, "invalid serve_stale verify timeout", word, &settings->verify_timeout))
		return false;
	if (settings->verify_timeout < 0)
		return dispenser_error(d, "invalid negative timeout for serve_stale verify");
	if (take(d, &word) && !read_stale_ttl(d, word, &settings->stale_ttl))
		return false;
	if (take(d, &word) && !read_recheck(d, word, &settings->stale_recheck))
		return false;
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool parse_policy(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;
	const char *word;

	(void)setup;
	if (settings->has_policy)
		return dispenser_error(d, "serve_stale_policy can only be specified once");
	settings->has_policy = true;
	if (dispenser_arguments(d) != 1 || !take(d, &word))
		return refuse_count(d);
	settings->prefer_positive = true;
	return strcasecmp(word, "prefer_positive") == 0 ||
	       dispenser_error(d, "invalid serve_stale_policy: %s", word);
}

static bool parse_servfail(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;
	const char *word;
	int64_t duration;

	(void)setup;
	if (dispenser_arguments(d) != 1 || !take(d, &word))
		return refuse_count(d);
	if (!read_duration(d, NULL, word, &duration))
		return false;
	if (duration < 0)
		return dispenser_error(d, "invalid negative ttl for servfail");
	if (duration > FAILURE_MAX)
		return dispenser_error(d, "caching SERVFAIL responses over 5 minutes is not permitted");
	settings->failure_ttl = duration / SECOND;
	return true;
}

/* disable success|denial [ZONES...] */
static bool parse_disable(void *config, struct setup *setup, struct dispenser *d)
{
	struct cache_settings *settings = config;
	struct zones zones = {0};
	const char *side, *word;

	if (!take(d, &side))
		return dispenser_argument_error(d);
	if (!dispenser_arguments(d))
		zones_add(&zones, setup->arena, ".");
	while (take(d, &word))
		if (!zones_add(&zones, setup->arena, word))
			return dispenser_error(d, "invalid disabled zone: %s", word);
	if (strcmp(side, "success") == 0)
		settings->success.disabled = zones;
	else if (strcmp(side, "denial") == 0)
		settings->denial.disabled = zones;
	else
		return dispenser_error(d, "cache type for disable must be \"success\" or \"denial\"");
	return true;
}

static const struct option options[] = {
	{.name = "success", .type = OPTION_CALL, .parse = parse_success},
	{.name = "denial", .type = OPTION_CALL, .parse = parse_denial},
	{.name = "prefetch", .type = OPTION_CALL, .parse = parse_prefetch},
	{.name = "serve_stale", .type = OPTION_CALL, .parse = parse_serve_stale},
	{.name = "serve_stale_policy", .type = OPTION_CALL, .parse = parse_policy},
	{.name = "servfail", .type = OPTION_CALL, .parse = parse_servfail},
	{.name = "disable", .type = OPTION_CALL, .parse = parse_disable},
	{.name = "keepttl", .type = OPTION_FLAG, .offset = offsetof(struct cache_settings, keep_ttl)},
	{.name = "bytes",
		.type = OPTION_INTEGER,
		.offset = offsetof(struct cache_settings, bytes),
		.low = BYTES_LEAST,
		.high = INT64_MAX},
	{.name = NULL},
};

static int64_t capacity(int64_t wanted)
{
	if (wanted > INT32_MAX)
		return INT32_MAX;
	return wanted < CAPACITY_LEAST ? CAPACITY_LEAST : wanted;
}

/* cache [TTL] [ZONES...]: a first word that is no number is a zone. */
static bool read_arguments(struct cache_settings *settings, struct setup *setup, struct dispenser *d)
{
	struct dispenser first = *d;
	struct error ignored;
	int64_t ttl;

	if (dispenser_argument(&first) && integer_parse(dispenser_value(&first), &ttl, &ignored)) {
		*d = first;
		if (!read_ttl(d, dispenser_value(d), &ttl))
			return false;
		settings->success.ttl = settings->denial.ttl = ttl;
	}
	setup_zones(setup, d, &settings->zones);
	return true;
}

struct cache_settings *cache_settings_read(struct setup *setup, struct error *error)
{
	struct cache_settings *settings = arena_alloc(setup->arena, sizeof(*settings));
	struct dispenser d;

	*settings = (struct cache_settings){
		.success = {.capacity = CAPACITY, .ttl = 3600, .min_ttl = 5},
		.denial = {.capacity = CAPACITY, .ttl = 1800, .min_ttl = 5},
		.failure_ttl = 5,
		.prefetch_window = 60 * SECOND,
		.prefetch_percent = 10,
	};
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		if (!setup_once(setup, &d) || !read_arguments(settings, setup, &d) ||
			!options_parse(options, settings, setup, &d))
			return NULL;
	}
	if (settings->has_policy && !settings->serve_stale) {
		dispenser_error(&d, "serve_stale_policy requires serve_stale");
		return NULL;
	}
	settings->success.capacity = capacity(settings->success.capacity);
	settings->denial.capacity = capacity(settings->denial.capacity);
	if (!settings->bytes)
		settings->bytes = (settings->success.capacity + settings->denial.capacity) * BYTES_AN_ENTRY;
	return settings;
}
