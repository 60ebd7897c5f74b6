/* The properties of forward, with CoreDNS' defaults and ranges. */
#include "settings.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/clock.h"
#include "svcdns/log.h"

#define TOPIC	      "plugin/forward"
#define SECOND	      ((int64_t)CLOCK_S)
#define TLS_ARGUMENTS 3
#define NOT_SET	      (-1) /* max_connect_attempts, where 0 means any number */

static bool read_health_domain(struct upstream_config *upstream, struct dispenser *d)
{
	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!name_from_text(dispenser_value(d), &upstream->health_domain))
		return dispenser_error(d, "health_check: invalid domain name %s", dispenser_value(d));
	name_lower(&upstream->health_domain);
	return true;
}

/* health_check DURATION [no_rec] [domain FQDN] */
static bool parse_health_check(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = &((struct forward *)config)->upstream;
	struct error reason;

	(void)setup;
	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!duration_parse(dispenser_value(d), &upstream->health_interval, &reason))
		return dispenser_error(d, "%s", reason.message);
	if (upstream->health_interval < 0)
		return dispenser_error(d, "health_check can't be negative: %s", dispenser_value(d));
	while (dispenser_argument(d)) {
		if (strcmp(dispenser_value(d), "no_rec") == 0)
			upstream->health_recursion = false;
		else if (strcmp(dispenser_value(d), "domain") != 0)
			return dispenser_error(d, "health_check: unknown option %s", dispenser_value(d));
		else if (!read_health_domain(upstream, d))
			return false;
	}
	return true;
}

static bool read_rcodes(struct dispenser *d, uint16_t *ret, size_t *ret_count)
{
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	while (dispenser_argument(d)) {
		if (*ret_count == FORWARD_RCODES_MAX)
			return dispenser_error(d, "more than %d rcodes", FORWARD_RCODES_MAX);
		if (!rcode_parse(dispenser_value(d), &ret[(*ret_count)++]))
			return dispenser_error(d, "%s is not a valid rcode", dispenser_value(d));
	}
	return true;
}

static bool parse_next(void *config, struct setup *setup, struct dispenser *d)
{
	struct forward *forward = config;

	(void)setup;
	return read_rcodes(d, forward->next, &forward->next_count);
}

static bool parse_failover(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = &((struct forward *)config)->upstream;

	(void)setup;
	if (!read_rcodes(d, upstream->failover, &upstream->failover_count))
		return false;
	for (size_t i = 0; i < upstream->failover_count; i++)
		if (upstream->failover[i] == RCODE_NOERROR)
			return dispenser_error(d, "NoError cannot be used in failover");
	return true;
}

static bool parse_resolver(void *config, struct setup *setup, struct dispenser *d)
{
	struct forward *forward = config;

	(void)setup;
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	forward->resolver_count = 0;
	while (dispenser_argument(d)) {
		if (forward->resolver_count == FORWARD_SERVERS_MAX)
			return dispenser_error(d, "more than %d resolvers", FORWARD_SERVERS_MAX);
		if (!forward_read_address(dispenser_value(d), &forward->resolvers[forward->resolver_count++]))
			return dispenser_error(
				d, "resolver must be an IP address or IP:port: \"%s\"", dispenser_value(d));
	}
	return true;
}

static bool parse_source_address(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = &((struct forward *)config)->upstream;

	(void)setup;
	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	upstream->has_source = ip_parse(dispenser_value(d), &upstream->source);
	return upstream->has_source || dispenser_error(d, "invalid IP address: %s", dispenser_value(d));
}

/* Files are looked at; upstreams over TLS are refused where they are named. */
static bool parse_tls(void *config, struct setup *setup, struct dispenser *d)
{
	(void)config;
	if (dispenser_arguments(d) > TLS_ARGUMENTS)
		return dispenser_wrong_count(d);
	while (dispenser_argument(d)) {
		const char *path = setup_path(setup, dispenser_value(d));

		if (access(path, R_OK) != 0)
			return dispenser_error(
				d, "error reading %s: open %s: no such file or directory", path, path);
	}
	return true;
}

static const char *const policies[] = {"random", "round_robin", "sequential", "fastest", NULL};
static const char *const methods[] = {"POST", "GET", NULL};

#define UPSTREAM(member) offsetof(struct forward, upstream.member)

static const struct option options[] = {
	{.name = "except",
		.type = OPTION_ZONES,
		.offset = offsetof(struct forward, except),
		.min = 1,
		.max = UINT_MAX,
		.is_repeatable = true},
	{.name = "max_fails",
		.type = OPTION_INTEGER,
		.offset = UPSTREAM(max_fails),
		.low = 0,
		.high = UINT32_MAX},
	{.name = "max_connect_attempts",
		.type = OPTION_INTEGER,
		.offset = UPSTREAM(max_connect_attempts),
		.low = 0,
		.high = UINT32_MAX},
	{.name = "health_check", .type = OPTION_CALL, .parse = parse_health_check},
	{.name = "force_tcp", .type = OPTION_FLAG, .offset = UPSTREAM(force_tcp)},
	{.name = "prefer_udp", .type = OPTION_FLAG, .offset = UPSTREAM(prefer_udp)},
	{.name = "tls", .type = OPTION_CALL, .parse = parse_tls},
	{.name = "tls_servername", .type = OPTION_WORD, .offset = offsetof(struct forward, tls_name)},
	{.name = "expire", .type = OPTION_DURATION, .offset = UPSTREAM(expire), .low = 0, .high = INT64_MAX},
	{.name = "max_age",
		.type = OPTION_DURATION,
		.offset = UPSTREAM(max_age),
		.low = 0,
		.high = INT64_MAX},
	{.name = "max_idle_conns",
		.type = OPTION_INTEGER,
		.offset = UPSTREAM(max_idle),
		.low = 0,
		.high = INT64_MAX},
	{.name = "read_timeout",
		.type = OPTION_DURATION,
		.offset = UPSTREAM(read_timeout),
		.low = 1,
		.high = INT64_MAX},
	{.name = "doh_method",
		.type = OPTION_CHOICE,
		.offset = offsetof(struct forward, doh_method),
		.choices = methods},
	{.name = "policy", .type = OPTION_CHOICE, .offset = UPSTREAM(policy), .choices = policies},
	{.name = "max_concurrent",
		.type = OPTION_INTEGER,
		.offset = UPSTREAM(max_concurrent),
		.low = 0,
		.high = INT64_MAX},
	{.name = "next", .type = OPTION_CALL, .parse = parse_next},
	{.name = "next_on_nodata", .type = OPTION_FLAG, .offset = offsetof(struct forward, next_on_nodata)},
	{.name = "failfast_all_unhealthy_upstreams", .type = OPTION_FLAG, .offset = UPSTREAM(failfast)},
	{.name = "failover", .type = OPTION_CALL, .parse = parse_failover},
	{.name = "resolver", .type = OPTION_CALL, .parse = parse_resolver},
	{.name = "random_case", .type = OPTION_FLAG, .offset = UPSTREAM(random_case)}, /* ours */
	{.name = "hedge",
		.type = OPTION_DURATION,
		.offset = UPSTREAM(hedge),
		.low = 1,
		.high = INT64_MAX}, /* ours */
	{.name = "source_address", .type = OPTION_CALL, .parse = parse_source_address},
	{.name = NULL},
};

static bool read_from(struct forward *forward, struct setup *setup, struct dispenser *d)
{
	struct zones zones = {0};

	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!zones_add(&zones, setup->arena, dispenser_value(d)))
		return dispenser_error(d, "unable to normalize '%s'", dispenser_value(d));
	forward->from = zones.names[0];
	if (zones.count > 1) {
		char text[NAME_TEXT_MAX];

		name_to_text(&forward->from, text);
		log_line(LOG_WARNING, TOPIC,
			"Unsupported CIDR notation: '%s' expands to multiple zones. Using only '%s'.",
			dispenser_value(d), text);
	}
	return true;
}

static void set_defaults(struct upstream_config *upstream)
{
	upstream->expire = 10 * SECOND;
	upstream->read_timeout = 2 * SECOND;
	upstream->max_fails = 2;
	upstream->max_connect_attempts = NOT_SET;
	upstream->health_interval = SECOND / 2;
	upstream->health_recursion = true;
	name_from_text(".", &upstream->health_domain);
}

/* What follows from several properties together. */
static bool settle(struct forward *forward, struct dispenser *d)
{
	struct upstream_config *upstream = &forward->upstream;

	if (upstream->max_connect_attempts == NOT_SET)
		upstream->max_connect_attempts = UPSTREAM_ATTEMPTS_EACH * (int64_t)upstream->server_count;
	else if (!upstream->max_connect_attempts)
		upstream->max_connect_attempts = INT64_MAX;
	return !upstream->max_age || upstream->max_age >= upstream->expire ||
	       dispenser_error(d, "max_age (%llds) must not be less than expire (%llds)",
		       (long long)(upstream->max_age / SECOND), (long long)(upstream->expire / SECOND));
}

struct forward *forward_read(struct setup *setup, struct dispenser *d)
{
	struct forward *forward = arena_alloc(setup->arena, sizeof(*forward));
	struct words to = {0};

	set_defaults(&forward->upstream);
	forward->upstream.proxy_name = setup->plugin->name;
	forward->upstream.metrics = setup->metrics;
	if (!read_from(forward, setup, d))
		return NULL;
	if (!dispenser_arguments(d)) {
		dispenser_argument_error(d);
		return NULL;
	}
	setup_words(setup, d, &to);
	if (!options_parse(options, forward, setup, d) || !forward_find_servers(forward, &to, setup, d) ||
		!settle(forward, d))
		return NULL;
	return forward;
}
