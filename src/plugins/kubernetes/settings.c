/* The properties of kubernetes: CoreDNS', and ours: `table`, and what concerns the API feed. */
#include <ifaddrs.h>
#include <string.h>
#include <sys/stat.h>

#include "kubernetes.h"
#include "svcdns/access.h"
#include "svcdns/clock.h"

#define TTL_DEFAULT  5
#define TTL_MAX	     3600
#define STARTUP_NS   (5 * (int64_t)CLOCK_S)
#define SAVED_AGE_NS (86400 * (int64_t)CLOCK_S)
#define RESOLV_CONF  "/etc/resolv.conf"

struct settings { /* while the block is read */
	struct kubernetes *kubernetes;
	struct words endpoint, tls, kubeconfig;
	bool has_duration; /* one that only concerns the API feed */
	struct zones multicluster;
	bool has_multicluster;
};

static bool no_argument(struct dispenser *d)
{
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool one_word(struct dispenser *d)
{
	if (dispenser_arguments(d) == 1)
		return dispenser_argument(d);
	while (dispenser_argument(d))
		;
	return dispenser_argument_error(d);
}

static bool parse_table(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	if (!one_word(d))
		return false;
	settings->kubernetes->feed_config.table = setup_path(setup, dispenser_value(d));
	return true;
}

static bool parse_namespaces(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;
	struct feed_config *feed = &settings->kubernetes->feed_config;
	struct words words = {feed->namespaces, feed->namespace_count};

	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	setup_words(setup, d, &words);
	feed->namespaces = words.words;
	feed->namespace_count = words.count;
	return true;
}

/* The words of a selector may be several: "env in (a, b), tier". */
static bool read_selector(struct setup *setup, struct dispenser *d, const char *what, struct selector **ret)
{
	const char *text = "";
	struct error reason;

	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	while (dispenser_argument(d))
		text = arena_format(setup->arena, "%s%s%s", text, *text ? " " : "", dispenser_value(d));
	selector_free(*ret);
	*ret = NULL;
	return selector_parse(text, ret, &reason) ||
	       dispenser_error(d, "unable to parse %s selector value: '%s': %s", what, text, reason.message);
}

static bool parse_labels(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	return read_selector(setup, d, "label", &settings->kubernetes->labels);
}

static bool parse_namespace_labels(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	return read_selector(setup, d, "namespace_label", &settings->kubernetes->namespace_labels);
}

static bool parse_pods(void *config, struct setup *setup, struct dispenser *d)
{
	static const char *const modes[] = {"disabled", "insecure", "verified"};
	struct settings *settings = config;

	(void)setup;
	if (!one_word(d))
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		if (strcmp(modes[i], dispenser_value(d)) == 0) {
			settings->kubernetes->pods = (enum pods_mode)i;
			return true;
		}
	}
	return dispenser_error(d, "wrong value for pods: %s,  must be one of: disabled, verified, insecure",
		dispenser_value(d));
}

static bool parse_ttl(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;
	struct error reason;
	int64_t ttl;

	(void)setup;
	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!integer_parse(dispenser_value(d), &ttl, &reason))
		return dispenser_error(d, "%s", reason.message);
	if (ttl < 0 || ttl > TTL_MAX)
		return dispenser_error(d, "ttl must be in range [0, %d]: %lld", TTL_MAX, (long long)ttl);
	while (dispenser_argument(d))
		;
	settings->kubernetes->ttl = (uint32_t)ttl;
	return true;
}

static bool parse_fallthrough(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;
	struct kubernetes *kubernetes = settings->kubernetes;

	kubernetes->has_fallthrough = true;
	kubernetes->fallthrough = (struct zones){0};
	if (!dispenser_arguments(d))
		zones_add(&kubernetes->fallthrough, setup->arena, ".");
	while (dispenser_argument(d))
		zones_add(&kubernetes->fallthrough, setup->arena, dispenser_value(d));
	return true;
}

static bool parse_ignore(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	if (!dispenser_argument(d))
		return true;
	if (strcmp(dispenser_value(d), "empty_service") != 0)
		return dispenser_error(d, "unable to parse ignore value: '%s'", dispenser_value(d));
	settings->kubernetes->ignore_empty = true;
	return true;
}

static bool parse_endpoint_pod_names(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	settings->kubernetes->feed_config.endpoint_pod_names = true;
	return no_argument(d);
}

static bool parse_noendpoints(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	settings->kubernetes->feed_config.endpoints = false;
	return no_argument(d);
}

static bool parse_zonal(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	settings->kubernetes->zonal = true;
	return no_argument(d);
}

static bool parse_multicluster(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	settings->has_multicluster = true;
	while (dispenser_argument(d))
		zones_add(&settings->multicluster, setup->arena, dispenser_value(d));
	return true;
}

static bool read_duration(struct dispenser *d, int64_t *ret)
{
	const char *name = dispenser_value(d);
	struct error reason;

	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!duration_parse(dispenser_value(d), ret, &reason))
		return dispenser_error(
			d, "failed to parse %s: %s, %s", name, dispenser_value(d), reason.message);
	return *ret > 0 || dispenser_error(d, "%s must be positive: %s", name, dispenser_value(d));
}

static bool parse_startup_timeout(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	return read_duration(d, &settings->kubernetes->feed_config.api.startup_timeout_ns);
}

static bool parse_silence(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	settings->has_duration = true;
	return read_duration(d, &settings->kubernetes->feed_config.api.silence_ns);
}

static bool parse_audit(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	settings->has_duration = true;
	return read_duration(d, &settings->kubernetes->feed_config.api.audit_ns);
}

/* snapshot FILE [MAX_AGE] */
static bool parse_snapshot(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;
	struct feed_api *api = &settings->kubernetes->feed_config.api;
	struct error reason;

	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	api->saved = setup_path(setup, dispenser_value(d));
	api->saved_max_age_ns = SAVED_AGE_NS;
	if (!dispenser_argument(d))
		return true;
	if (!duration_parse(dispenser_value(d), &api->saved_max_age_ns, &reason))
		return dispenser_error(
			d, "failed to parse snapshot: %s, %s", dispenser_value(d), reason.message);
	if (api->saved_max_age_ns <= 0)
		return dispenser_error(d, "snapshot must have a positive age: %s", dispenser_value(d));
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool parse_tls(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	if (dispenser_arguments(d) != 3) {
		while (dispenser_argument(d))
			;
		return dispenser_argument_error(d);
	}
	settings->tls = (struct words){0};
	setup_words(setup, d, &settings->tls);
	return true;
}

static bool parse_kubeconfig(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;
	struct stat status;

	if (dispenser_arguments(d) < 1 || dispenser_arguments(d) > 2)
		return dispenser_argument_error(d);
	settings->kubeconfig = (struct words){0};
	setup_words(setup, d, &settings->kubeconfig);
	return stat(settings->kubeconfig.words[0], &status) == 0 ||
	       dispenser_error(d, "stat %s: no such file or directory", settings->kubeconfig.words[0]);
}

static bool read_number(struct dispenser *d, int64_t *ret)
{
	const char *name = dispenser_value(d);
	struct error reason;

	if (!one_word(d))
		return false;
	if (!integer_parse(dispenser_value(d), ret, &reason))
		return dispenser_error(d, "invalid %s \"%s\": %s", name, dispenser_value(d), reason.message);
	return *ret >= 0 || dispenser_error(d, "%s must be >= 0", name);
}

static bool parse_burst(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	return read_number(d, &settings->kubernetes->feed_config.api.burst);
}

static bool parse_max_inflight(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	return read_number(d, &settings->kubernetes->feed_config.api.max_inflight);
}

static bool parse_qps(void *config, struct setup *setup, struct dispenser *d)
{
	const struct option option = {
		.name = "apiserver_qps", .type = OPTION_NUMBER, .offset = offsetof(struct feed_api, qps)};
	struct settings *settings = config;
	struct feed_api *api = &settings->kubernetes->feed_config.api;

	if (!option_read(&option, api, setup, d))
		return false;
	return api->qps >= 0 || dispenser_error(d, "apiserver_qps must be >= 0");
}

static const struct option options[] = {
	{.name = "table", .type = OPTION_CALL, .parse = parse_table},
	{.name = "endpoint", .type = OPTION_WORDS, .offset = offsetof(struct settings, endpoint)},
	{.name = "tls", .type = OPTION_CALL, .parse = parse_tls},
	{.name = "kubeconfig", .type = OPTION_CALL, .parse = parse_kubeconfig},
	{.name = "apiserver_qps", .type = OPTION_CALL, .parse = parse_qps},
	{.name = "apiserver_burst", .type = OPTION_CALL, .parse = parse_burst},
	{.name = "apiserver_max_inflight", .type = OPTION_CALL, .parse = parse_max_inflight},
	{.name = "namespaces", .type = OPTION_CALL, .parse = parse_namespaces},
	{.name = "labels", .type = OPTION_CALL, .parse = parse_labels},
	{.name = "namespace_labels", .type = OPTION_CALL, .parse = parse_namespace_labels},
	{.name = "pods", .type = OPTION_CALL, .parse = parse_pods},
	{.name = "endpoint_pod_names", .type = OPTION_CALL, .parse = parse_endpoint_pod_names},
	{.name = "ttl", .type = OPTION_CALL, .parse = parse_ttl},
	{.name = "noendpoints", .type = OPTION_CALL, .parse = parse_noendpoints},
	{.name = "fallthrough", .type = OPTION_CALL, .parse = parse_fallthrough},
	{.name = "ignore", .type = OPTION_CALL, .parse = parse_ignore},
	{.name = "multicluster", .type = OPTION_CALL, .parse = parse_multicluster},
	{.name = "zonal", .type = OPTION_CALL, .parse = parse_zonal},
	{.name = "startup_timeout", .type = OPTION_CALL, .parse = parse_startup_timeout},
	{.name = "snapshot", .type = OPTION_CALL, .parse = parse_snapshot},
	{.name = "silence", .type = OPTION_CALL, .parse = parse_silence},
	{.name = "audit", .type = OPTION_CALL, .parse = parse_audit},
	{.name = NULL},
};

/* A name below in-addr.arpa or ip6.arpa that stands for a network, which those two themselves do not. */
static bool is_reverse(const struct name *zone)
{
	static const char *const texts[] = {"in-addr.arpa", "ip6.arpa"};
	struct name arpa;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		if (name_from_text(texts[i], &arpa) && zone->labels > arpa.labels &&
			name_is_under(zone, &arpa))
			return true;
	return false;
}

static bool find_primary(struct kubernetes *kubernetes)
{
	const struct zones *zones = &kubernetes->zones;

	assert(zones->names || !zones->count);
	for (size_t i = 0; i < zones->count && !kubernetes->primary; i++)
		if (!is_reverse(&zones->names[i]))
			kubernetes->primary = &zones->names[i];
	return kubernetes->primary;
}

static void add_local(struct kubernetes *kubernetes, const struct ip *ip)
{
	bool is_loopback = ip->family == 4
				   ? ip->bytes[0] == 127
				   : memcmp(ip->bytes, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;

	if (!is_loopback && kubernetes->local_count < LOCAL_ADDRESSES_MAX)
		kubernetes->local[kubernetes->local_count++] = *ip;
}

/* The addresses at which this server can be asked: those of bind, or of all interfaces. */
static void find_local(struct kubernetes *kubernetes, const struct setup *setup)
{
	struct ifaddrs *all;
	struct ip ip;

	for (size_t i = 0; i < setup->bind->count; i++)
		if (ip_parse(setup->bind->addresses[i], &ip))
			add_local(kubernetes, &ip);
	if (setup->bind->count || getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
		union address address;

		if (!entry->ifa_addr ||
			(entry->ifa_addr->sa_family != AF_INET && entry->ifa_addr->sa_family != AF_INET6))
			continue;
		memcpy(&address, entry->ifa_addr,
			entry->ifa_addr->sa_family == AF_INET ? sizeof(address.in) : sizeof(address.in6));
		address_ip(&address, &ip);
		add_local(kubernetes, &ip);
	}
	freeifaddrs(all);
}

static bool concerns_api(const struct settings *settings)
{
	return settings->endpoint.count || settings->tls.count || settings->kubeconfig.count ||
	       settings->kubernetes->feed_config.api.saved || settings->has_duration;
}

static bool check(const struct settings *settings, struct dispenser *d)
{
	const struct kubernetes *kubernetes = settings->kubernetes;
	const struct feed_config *feed = &kubernetes->feed_config;
	char text[NAME_TEXT_MAX];

	if (feed->namespace_count && kubernetes->namespace_labels)
		return dispenser_error(d, "namespaces and namespace_labels cannot both be set");
	for (size_t i = 0; i < settings->multicluster.count; i++) {
		const struct name *zone = zones_match(&kubernetes->zones, &settings->multicluster.names[i]);

		name_to_text(&settings->multicluster.names[i], text);
		if (!zone || !name_equal(zone, &settings->multicluster.names[i]))
			return dispenser_error(d, "is not authoritative for the multicluster zone %s", text);
	}
	if (kubernetes->zonal && !feed->endpoints)
		return dispenser_error(d, "zonal requires the endpoint cache; remove noendpoints");
	if (settings->has_multicluster)
		return dispenser_error(d, "multicluster is not built into this version");
	if (feed->table && concerns_api(settings))
		return dispenser_error(d,
			"with `table` no API server is read: endpoint, tls, kubeconfig, snapshot, "
			"silence and audit cannot be set");
	return true;
}

/* Where the API server is and who we are: what is wrong with that stops the start, as in CoreDNS. */
static bool find_api(const struct settings *settings, struct error *error)
{
	struct feed_api *api = &settings->kubernetes->feed_config.api;
	const struct words *tls = &settings->tls, *kubeconfig = &settings->kubeconfig;
	struct access_options where = {0};

	if (settings->endpoint.count)
		where.endpoint = settings->endpoint.words[0];
	if (settings->endpoint.count && tls->count) {
		where.certificate = tls->words[0];
		where.key = tls->words[1];
		where.authority = tls->words[2];
	}
	if (kubeconfig->count)
		where.kubeconfig = kubeconfig->words[0];
	if (kubeconfig->count > 1)
		where.context = kubeconfig->words[1];
	settings->kubernetes->files = kubeconfig->count ? (struct words){kubeconfig->words, 1} : *tls;
	api->access = access_open(&where, error);
	return api->access || error_prefix(error, "plugin/kubernetes: ");
}

static bool read_directive(struct settings *settings, struct setup *setup, struct dispenser *d)
{
	struct kubernetes *kubernetes = settings->kubernetes;

	if (!setup_once(setup, d))
		return false;
	setup_zones(setup, d, &kubernetes->zones);
	if (!find_primary(kubernetes))
		return dispenser_error(d, "non-reverse zone name must be used");
	return options_parse(options, settings, setup, d) && check(settings, d);
}

struct kubernetes *kubernetes_settings(struct setup *setup, struct error *error)
{
	struct kubernetes *kubernetes = arena_alloc(setup->arena, sizeof(*kubernetes));
	struct settings settings = {.kubernetes = kubernetes};
	struct error no_list;
	struct dispenser d;

	kubernetes->setup = setup;
	kubernetes->directive = setup->directive;
	kubernetes->ttl = TTL_DEFAULT;
	kubernetes->feed_config.endpoints = true;
	kubernetes->feed_config.api.startup_timeout_ns = STARTUP_NS;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		if (!read_directive(&settings, setup, &d)) {
			kept_feed_forget(kubernetes);
			return NULL;
		}
	}
	if (!kubernetes->feed_config.table && !find_api(&settings, error)) {
		kept_feed_forget(kubernetes);
		return NULL;
	}
	find_local(kubernetes, setup);
	resolv_conf_read(&kubernetes->machine, RESOLV_CONF, setup->arena, &no_list);
	kubernetes->has_namespaces = kubernetes->feed_config.namespace_count;
	kubernetes->feed_config.labels = kubernetes->labels;
	kubernetes->feed_config.namespace_labels = kubernetes->namespace_labels;
	return kubernetes;
}
