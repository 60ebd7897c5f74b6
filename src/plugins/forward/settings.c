/* The properties of forward, with CoreDNS' defaults and ranges. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "svcdns/log.h"

#define TOPIC	      "plugin/forward"
#define SECOND	      INT64_C(1000000000)
#define SERVERS_MAX   15
#define FOUND_MAX     64 /* addresses that files and names may give, before doubles are left out */
#define DNS_PORT      53
#define TLS_ARGUMENTS 3

struct settings { /* what is read of a block before it is put together */
	struct forward *forward;
	const char *tls_name;
	union address resolvers[SERVERS_MAX];
	size_t resolver_count;
};

static struct upstream_config *upstream_of(void *config)
{
	struct settings *settings = config;

	return &settings->forward->upstream;
}

/* The one word of a property. */
static bool take_word(struct dispenser *d)
{
	return dispenser_argument(d) || dispenser_argument_error(d);
}

static bool take_duration(struct dispenser *d, int64_t *ret)
{
	struct error reason;

	if (!take_word(d))
		return false;
	return duration_parse(dispenser_value(d), ret, &reason) || dispenser_error(d, "%s", reason.message);
}

static bool take_unsigned(struct dispenser *d, int64_t *ret)
{
	struct error reason;

	if (!take_word(d))
		return false;
	if (integer_parse(dispenser_value(d), ret, &reason) && *ret >= 0 && *ret <= UINT32_MAX)
		return true;
	return dispenser_error(d, "strconv.ParseUint: parsing \"%s\": invalid syntax", dispenser_value(d));
}

static bool take_integer(struct dispenser *d, int64_t *ret)
{
	struct error reason;

	if (!take_word(d))
		return false;
	return integer_parse(dispenser_value(d), ret, &reason) || dispenser_error(d, "%s", reason.message);
}

static bool parse_except(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	while (dispenser_argument(d))
		zones_add(&settings->forward->except, setup->arena, dispenser_value(d));
	return true;
}

static bool parse_max_fails(void *config, struct setup *setup, struct dispenser *d)
{
	(void)setup;
	return take_unsigned(d, &upstream_of(config)->max_fails);
}

static bool parse_max_connect_attempts(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	if (!take_unsigned(d, &upstream->max_connect_attempts))
		return false;
	if (!upstream->max_connect_attempts)
		upstream->max_connect_attempts = UINT32_MAX; /* 0: as many as there is time for */
	return true;
}

static bool read_health_domain(struct upstream_config *upstream, struct dispenser *d)
{
	if (!take_word(d))
		return false;
	if (!name_from_text(dispenser_value(d), &upstream->health_domain))
		return dispenser_error(d, "health_check: invalid domain name %s", dispenser_value(d));
	name_lower(&upstream->health_domain);
	return true;
}

/* health_check DURATION [no_rec] [domain FQDN] */
static bool parse_health_check(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	if (!take_duration(d, &upstream->health_interval))
		return false;
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

static bool parse_expire(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	return take_duration(d, &upstream->expire) &&
	       (upstream->expire >= 0 ||
		       dispenser_error(d, "expire can't be negative: %s", dispenser_value(d)));
}

static bool parse_max_age(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	return take_duration(d, &upstream->max_age) &&
	       (upstream->max_age >= 0 ||
		       dispenser_error(d, "max_age can't be negative: %s", dispenser_value(d)));
}

static bool parse_max_idle_conns(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	return take_integer(d, &upstream->max_idle) &&
	       (upstream->max_idle >= 0 ||
		       dispenser_error(d, "max_idle_conns can't be negative: %s", dispenser_value(d)));
}

static bool parse_read_timeout(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	return take_duration(d, &upstream->read_timeout) &&
	       (upstream->read_timeout > 0 ||
		       dispenser_error(d, "read_timeout must be positive: %s", dispenser_value(d)));
}

static bool parse_max_concurrent(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	return take_integer(d, &upstream->max_concurrent) &&
	       (upstream->max_concurrent >= 0 ||
		       dispenser_error(d, "max_concurrent can't be negative: %s", dispenser_value(d)));
}

static bool parse_policy(void *config, struct setup *setup, struct dispenser *d)
{
	static const char *const names[] = {"random", "round_robin", "sequential"};
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	if (!take_word(d))
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (strcmp(names[i], dispenser_value(d)) == 0) {
			upstream->policy = (enum upstream_policy)i;
			return !dispenser_argument(d) || dispenser_unknown_property(d);
		}
	}
	return dispenser_error(d, "unknown policy '%s'", dispenser_value(d));
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
	struct settings *settings = config;

	(void)setup;
	return read_rcodes(d, settings->forward->next, &settings->forward->next_count);
}

static bool parse_failover(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	if (!read_rcodes(d, upstream->failover, &upstream->failover_count))
		return false;
	for (size_t i = 0; i < upstream->failover_count; i++)
		if (upstream->failover[i] == RCODE_NOERROR)
			return dispenser_error(d, "NoError cannot be used in failover");
	return true;
}

/* "10.0.0.1", "10.0.0.1:53", "::1", "[::1]", "[::1]:53"; an interface behind an address is left out. */
static bool read_address(const char *text, uint16_t default_port, union address *ret)
{
	const char *host = text, *end = text + strlen(text), *port = NULL, *zone;
	unsigned long number = default_port;
	char *rest;
	struct ip ip;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		host = text + 1;
		port = end[1] ? end + 2 : NULL;
	} else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
		end = strchr(text, ':');
		port = end + 1;
	}
	zone = memchr(host, '%', (size_t)(end - host));
	if (!ip_parse_n(host, (size_t)((zone ? zone : end) - host), &ip))
		return false;
	if (port) {
		number = strtoul(port, &rest, 10);
		if (*rest || rest == port || number > UINT16_MAX)
			return false;
	}
	address_set(ret, &ip, (uint16_t)number);
	return true;
}

static bool parse_resolver(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	settings->resolver_count = 0;
	while (dispenser_argument(d)) {
		union address *next = &settings->resolvers[settings->resolver_count];

		if (settings->resolver_count == SERVERS_MAX)
			return dispenser_error(d, "more than %d resolvers", SERVERS_MAX);
		if (!read_address(dispenser_value(d), DNS_PORT, next))
			return dispenser_error(
				d, "resolver must be an IP address or IP:port: \"%s\"", dispenser_value(d));
		settings->resolver_count++;
	}
	return true;
}

static bool parse_source_address(void *config, struct setup *setup, struct dispenser *d)
{
	struct upstream_config *upstream = upstream_of(config);

	(void)setup;
	if (!take_word(d))
		return false;
	upstream->has_source = ip_parse(dispenser_value(d), &upstream->source);
	return upstream->has_source || dispenser_error(d, "invalid IP address: %s", dispenser_value(d));
}

static bool parse_tls(void *config, struct setup *setup, struct dispenser *d)
{
	(void)config;
	if (dispenser_arguments(d) > TLS_ARGUMENTS) {
		while (dispenser_argument(d))
			;
		return dispenser_argument_error(d);
	}
	while (dispenser_argument(d)) {
		const char *path = setup_path(setup, dispenser_value(d));

		if (access(path, R_OK) != 0)
			return dispenser_error(
				d, "error reading %s: open %s: no such file or directory", path, path);
	}
	return true;
}

static bool parse_doh_method(void *config, struct setup *setup, struct dispenser *d)
{
	(void)config;
	(void)setup;
	if (!take_word(d))
		return false;
	return strcmp(dispenser_value(d), "POST") == 0 || strcmp(dispenser_value(d), "GET") == 0 ||
	       dispenser_error(d, "doh_method must be either POST or GET");
}

static bool parse_force_tcp(void *config, struct setup *setup, struct dispenser *d)
{
	(void)setup;
	upstream_of(config)->force_tcp = true;
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool parse_prefer_udp(void *config, struct setup *setup, struct dispenser *d)
{
	(void)setup;
	upstream_of(config)->prefer_udp = true;
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool parse_failfast(void *config, struct setup *setup, struct dispenser *d)
{
	(void)setup;
	upstream_of(config)->failfast = true;
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool parse_next_on_nodata(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	settings->forward->next_on_nodata = true;
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static const struct option options[] = {
	{.name = "except", .type = OPTION_CALL, .parse = parse_except},
	{.name = "max_fails", .type = OPTION_CALL, .parse = parse_max_fails},
	{.name = "max_connect_attempts", .type = OPTION_CALL, .parse = parse_max_connect_attempts},
	{.name = "health_check", .type = OPTION_CALL, .parse = parse_health_check},
	{.name = "force_tcp", .type = OPTION_CALL, .parse = parse_force_tcp},
	{.name = "prefer_udp", .type = OPTION_CALL, .parse = parse_prefer_udp},
	{.name = "tls", .type = OPTION_CALL, .parse = parse_tls},
	{.name = "tls_servername", .type = OPTION_WORD, .offset = offsetof(struct settings, tls_name)},
	{.name = "expire", .type = OPTION_CALL, .parse = parse_expire},
	{.name = "max_age", .type = OPTION_CALL, .parse = parse_max_age},
	{.name = "max_idle_conns", .type = OPTION_CALL, .parse = parse_max_idle_conns},
	{.name = "read_timeout", .type = OPTION_CALL, .parse = parse_read_timeout},
	{.name = "doh_method", .type = OPTION_CALL, .parse = parse_doh_method},
	{.name = "policy", .type = OPTION_CALL, .parse = parse_policy},
	{.name = "max_concurrent", .type = OPTION_CALL, .parse = parse_max_concurrent},
	{.name = "next", .type = OPTION_CALL, .parse = parse_next},
	{.name = "next_on_nodata", .type = OPTION_CALL, .parse = parse_next_on_nodata},
	{.name = "failfast_all_unhealthy_upstreams", .type = OPTION_CALL, .parse = parse_failfast},
	{.name = "failover", .type = OPTION_CALL, .parse = parse_failover},
	{.name = "resolver", .type = OPTION_CALL, .parse = parse_resolver},
	{.name = "source_address", .type = OPTION_CALL, .parse = parse_source_address},
	{.name = NULL},
};

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What is checked of an upstream that is no plain DNS server, before it is refused for that. */
static bool refuse_transport(const struct settings *settings, struct dispenser *d, const char *word)
{
	const char *host = strstr(word, "://") + 3, *name = strchr(host, '%');

	if (has_prefix(word, "https://") && strchr(host, '/'))
		return dispenser_error(d,
			"paths are not allowed in HTTPS upstream addresses (the /dns-query path is used by "
			"default): %s",
			word);
	if (has_prefix(word, "tls://") && name && settings->tls_name)
		return dispenser_error(d,
			"both forward ('%s') and proxy level ('%s') TLS servernames are set for upstream "
			"proxy "
			"'%.*s'",
			settings->tls_name, name + 1, (int)(name - word), word);
	if (!has_prefix(word, "tls://") && !has_prefix(word, "https://"))
		return dispenser_error(d, "'%.*s' is not supported as a destination protocol in forward: %s",
			(int)(host - 3 - word), word, word);
	return dispenser_error(d, "upstreams over TLS are not built into this version: %s", word);
}

struct servers {
	union address addresses[FOUND_MAX];
	size_t count;
};

static bool add_name(
	const struct settings *settings, struct dispenser *d, const char *word, struct servers *servers)
{
	union address *next = servers->addresses + servers->count;
	const char *colon = strrchr(word, ':');
	uint16_t port = DNS_PORT;
	char host[256];
	struct error reason;
	size_t found;

	if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1))
		port = (uint16_t)strtoul(colon + 1, NULL, 10);
	else
		colon = word + strlen(word);
	if ((size_t)(colon - word) >= sizeof(host))
		return dispenser_error(d, "not an address, a file or a host name: %s", word);
	memcpy(host, word, (size_t)(colon - word));
	host[colon - word] = '\0';
	if (!upstream_resolve(host, port, settings->resolvers, settings->resolver_count, next,
		    FOUND_MAX - servers->count, &found, &reason))
		return dispenser_error(d, "%s", reason.message);
	servers->count += found;
	return true;
}

/* An address, a file in the format of resolv.conf, or a host name, in that order. */
static bool add_servers(
	const struct settings *settings, struct dispenser *d, const char *word, struct servers *servers)
{
	union address *next = servers->addresses + servers->count;
	const char *plain = has_prefix(word, "dns://") ? word + strlen("dns://") : word;
	struct error reason;
	size_t found;

	if (servers->count == FOUND_MAX)
		return dispenser_error(d, "more than %d upstreams", FOUND_MAX);
	if (plain == word && strstr(word, "://"))
		return refuse_transport(settings, d, word);
	if (read_address(plain, DNS_PORT, next)) {
		servers->count++;
		return true;
	}
	if (access(plain, F_OK) != 0)
		return add_name(settings, d, plain, servers);
	if (!upstream_read_resolv_conf(plain, next, FOUND_MAX - servers->count, &found, &reason))
		return dispenser_error(d, "%s", reason.message);
	servers->count += found;
	return true;
}

/* Each address once, in the order in which they were named. */
static bool keep_servers(
	struct forward *forward, struct setup *setup, struct dispenser *d, const struct servers *found)
{
	struct upstream_config *upstream = &forward->upstream;

	upstream->servers = arena_alloc(setup->arena, found->count * sizeof(*upstream->servers));
	for (size_t i = 0; i < found->count; i++) {
		bool is_known = false;

		for (size_t j = 0; j < upstream->server_count; j++)
			is_known |= address_equal(&found->addresses[i], &upstream->servers[j]);
		if (!is_known)
			upstream->servers[upstream->server_count++] = found->addresses[i];
	}
	if (!upstream->server_count)
		return dispenser_error(d, "no valid upstream addresses found");
	return upstream->server_count <= SERVERS_MAX ||
	       dispenser_error(d, "more than %d TOs configured: %zu", SERVERS_MAX, upstream->server_count);
}

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
	upstream->health_interval = SECOND / 2;
	upstream->health_recursion = true;
	name_from_text(".", &upstream->health_domain);
}

bool forward_read(struct forward *ret, struct setup *setup, struct dispenser *d)
{
	struct settings settings = {.forward = ret};
	struct servers servers = {.count = 0};
	struct words to = {0};

	set_defaults(&ret->upstream);
	if (!read_from(ret, setup, d))
		return false;
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	setup_words(setup, d, &to);
	if (!options_parse(options, &settings, setup, d))
		return false;
	if (ret->upstream.max_age && ret->upstream.max_age < ret->upstream.expire)
		return dispenser_error(d, "max_age (%llds) must not be less than expire (%llds)",
			(long long)(ret->upstream.max_age / SECOND),
			(long long)(ret->upstream.expire / SECOND));
	for (size_t i = 0; i < to.count; i++)
		if (!add_servers(&settings, d, to.words[i], &servers))
			return false;
	ret->upstream.under_way = &ret->under_way;
	return keep_servers(ret, setup, d, &servers);
}
