/* prometheus: counts the queries of its block, and shows all counters of the process over HTTP.
 *
 * What a query is counted in is laid out when the worker starts: for each zone at each address of the block
 * one set of cells (traffic.h), found by the index that the router left in the request. */
#include <string.h>

#include "process.h"
#include "svcdns/clock.h"
#include "svcdns/http.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/traffic.h"
#include "svcdns/worker.h"

#define PATH "/metrics"
#define TYPE "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

struct prometheus { /* lifetime: configuration */
	const struct setup *setup;
	const char *address;
	struct http_endpoint *endpoint;
	double start; /* of the process */
};

struct prometheus_worker {
	const struct place *place;
	const struct plugin **plugins; /* that may answer; owned */
	unsigned plugin_count;
	struct traffic *traffic[]; /* for each site of the block; owned */
};

static const struct metric_family build_info = {
	.name = "coredns_build_info",
	.help = "A metric with a constant '1' value labeled by version, revision, and goversion from which "
		"CoreDNS "
		"was built.",
	.type = METRIC_GAUGE,
	.labels = {{.name = "goversion"}, {.name = "revision"}, {.name = "version"}},
};

static const struct metric_family plugin_enabled = {
	.name = "coredns_plugin_enabled",
	.help = "A metric that indicates whether a plugin is enabled on per server and zone basis.",
	.type = METRIC_GAUGE,
	.labels = {{.name = "name"}, {.name = "server"}, {.name = "view"}, {.name = "zone"}},
};

/* A C program that panics is no longer there to be asked; the family is, for alert rules that name it. */
static const struct metric_family panics = {
	.name = "coredns_panics_total",
	.help = "A metrics that counts the number of panics.",
};

static const struct metric_family *const families[] = {&build_info, &plugin_enabled, &panics, NULL};

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

static unsigned index_of(const struct prometheus_worker *w, const struct plugin *plugin)
{
	unsigned i = 0;

	while (i < w->plugin_count && w->plugins[i] != plugin)
		i++;
	return i;
}

/* A query that is not answered has neither rcode nor octets: CoreDNS counts it as NOERROR of nobody. */
static void reply(void *self, struct request *r)
{
	const struct prometheus_worker *w = self;
	const struct traffic_reply reply = {
		.plugin = index_of(w, r->is_dropped ? NULL : r->answered_by),
		.rcode = r->is_dropped ? RCODE_NOERROR : r->rcode,
		.size = r->bare ? 0 : request_reply_size(r),
		.duration = clock_monotonic() - r->received,
	};

	traffic_count(w->traffic[r->route->site], r, &reply);
}

static void answer(void *context, const char *rest, struct http_answer *ret)
{
	const struct prometheus *prometheus = context;

	(void)rest;
	if (ret->body.length)
		return; /* another block's prometheus wrote the same page */
	ret->type = TYPE;
	metrics_write(prometheus->setup->metrics, &ret->body);
}

/* The first zone of a block stands for all of them, as in CoreDNS. */
static void add_enabled(const struct place *place, struct metrics_page *page)
{
	for (const struct place_site *site = place->sites; site < place->sites + place->site_count; site++) {
		if (strcmp(site->zone, place->sites->zone) != 0)
			continue;
		for (size_t i = 0; i < place->plugin_count; i++)
			if (place->plugins[i].plugin->serve)
				metrics_sample(page, &plugin_enabled,
					(const char *const[]){place->plugins[i].plugin->name, site->server,
						place->view, site->zone},
					1);
	}
}

static void collect(void *config, struct metrics_page *page)
{
	const struct prometheus *prometheus = config;

	metrics_sample(page, &build_info, (const char *const[]){"C17", "", SVCDNS_VERSION}, 1);
	add_enabled(prometheus->setup->place, page);
	process_collect(page, prometheus->start);
}

/* An address that cannot be had costs the endpoint, not the start, as in CoreDNS. */
static bool open_endpoint(void *config, struct error *error)
{
	struct prometheus *prometheus = config;

	prometheus->start = process_start();
	prometheus->endpoint =
		http_open(prometheus->setup->http, prometheus->address, PATH, answer, prometheus, error);
	if (!prometheus->endpoint)
		log_line(LOG_ERROR, NULL, "Failed to start metrics handler: %s", error->message);
	return true;
}

static void close_endpoint(void *config)
{
	struct prometheus *prometheus = config;

	http_close(prometheus->endpoint);
	prometheus->endpoint = NULL;
}

/* Those of the chain, each once. */
static void list_plugins(struct prometheus_worker *w)
{
	w->plugins = memory_alloc(w->place->plugin_count * sizeof(struct plugin *));
	for (size_t i = 0; i < w->place->plugin_count; i++) {
		const struct plugin *plugin = w->place->plugins[i].plugin;

		if (plugin->serve && index_of(w, plugin) == w->plugin_count)
			w->plugins[w->plugin_count++] = plugin;
	}
}

static void *start(void *config, struct worker *worker)
{
	const struct prometheus *prometheus = config;
	const struct place *place = prometheus->setup->place;
	struct prometheus_worker *w =
		memory_zero(1, sizeof(*w) + place->site_count * sizeof(struct traffic *));
	const char **names;

	w->place = place;
	list_plugins(w);
	names = memory_alloc(w->plugin_count * sizeof(*names));
	for (unsigned i = 0; i < w->plugin_count; i++)
		names[i] = w->plugins[i]->name;
	for (size_t i = 0; i < place->site_count; i++) {
		const struct traffic_labels labels = {
			.server = place->sites[i].server,
			.zone = place->sites[i].zone,
			.view = place->view,
			.plugins = names,
			.plugin_count = w->plugin_count,
		};

		w->traffic[i] = traffic_create(prometheus->setup->metrics, worker->index, &labels);
	}
	memory_free(names);
	return w;
}

static void stop(void *self)
{
	struct prometheus_worker *w = self;

	for (size_t i = 0; i < w->place->site_count; i++)
		traffic_destroy(w->traffic[i]);
	memory_free(w->plugins);
	memory_free(w);
}

/* runtime_metrics asks for more of what Go's runtime counts: there is none here. */
static bool read_block(struct dispenser *d)
{
	while (dispenser_block(d)) {
		const char *word = dispenser_value(d);

		if (strcmp(word, "tls") == 0)
			return dispenser_error(d, "metrics over TLS are not built into this version");
		if (strcmp(word, "runtime_metrics") != 0)
			return dispenser_error(d, "unknown option: %s", word);
		if (dispenser_argument(d))
			return dispenser_argument_error(d);
	}
	return true;
}

static bool read_directive(struct prometheus *prometheus, struct setup *setup, struct dispenser *d)
{
	struct words words = {0};

	if (!setup_once(setup, d))
		return false;
	setup_words(setup, d, &words);
	if (words.count > 1)
		return dispenser_argument_error(d);
	if (words.count) {
		prometheus->address = words.words[0];
		if (!http_check_address(prometheus->address, d->error))
			return false;
	}
	return read_block(d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct prometheus *prometheus = arena_alloc(setup->arena, sizeof(*prometheus));
	struct dispenser d;

	prometheus->setup = setup;
	prometheus->address = "localhost:9153";
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(prometheus, setup, &d))
			return NULL;
	return prometheus;
}

extern const struct plugin plugin_prometheus;

const struct plugin plugin_prometheus = {
	.name = "prometheus",
	.families = families,
	.setup = setup,
	.open = open_endpoint,
	.start = start,
	.serve = serve,
	.reply = reply,
	.collect = collect,
	.leave = close_endpoint,
	.stop = stop,
	.close = close_endpoint,
};
