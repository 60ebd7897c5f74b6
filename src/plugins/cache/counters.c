#include "counters.h"

#include "svcdns/memory.h"

static const char *const sides[] = {"denial", "success", NULL};

static const struct metric_family entries = {
	.name = "coredns_cache_entries",
	.help = "The number of elements in the cache.",
	.type = METRIC_GAUGE,
	.labels = {{.name = "server"}, {.name = "type"}, {.name = "view"}, {.name = "zones"}},
};
static const struct metric_family requests = {
	.name = "coredns_cache_requests_total",
	.help = "The count of cache requests.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zones"}},
};
static const struct metric_family hits = {
	.name = "coredns_cache_hits_total",
	.help = "The count of cache hits.",
	.labels = {{.name = "server"}, {"type", sides}, {.name = "view"}, {.name = "zones"}},
};
static const struct metric_family misses = {
	.name = "coredns_cache_misses_total",
	.help = "The count of cache misses. Deprecated, derive misses from cache hits/requests counters.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zones"}},
};
static const struct metric_family prefetches = {
	.name = "coredns_cache_prefetch_total",
	.help = "The number of times the cache has prefetched a cached item.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zones"}},
};
static const struct metric_family served_stale = {
	.name = "coredns_cache_served_stale_total",
	.help = "The number of requests served from stale cache entries.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zones"}},
};
static const struct metric_family evictions = {
	.name = "coredns_cache_evictions_total",
	.help = "The count of cache evictions.",
	.labels = {{.name = "server"}, {"type", sides}, {.name = "view"}, {.name = "zones"}},
};

const struct metric_family *const cache_counters_families[] = {
	&entries, &requests, &hits, &misses, &prefetches, &served_stale, &evictions, NULL};

const char *cache_counters_zones(struct arena *arena, const struct zones *zones)
{
	const char *all = "";
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < zones->count; i++) {
		name_to_text(&zones->names[i], text);
		all = arena_format(arena, "%s%s%s", all, i ? "," : "", text);
	}
	return all;
}

struct counters *cache_counters_start(const struct setup *setup, unsigned worker, const char *zones)
{
	const struct place *place = setup->place;
	struct counters *all = memory_zero(place->site_count, sizeof(*all));

	for (size_t i = 0; i < place->site_count; i++) {
		const char *const values[] = {place->sites[i].server, place->view, zones};

		all[i].requests = metrics_cells(setup->metrics, worker, &requests, values);
		all[i].hits = metrics_cells(setup->metrics, worker, &hits, values);
		all[i].misses = metrics_cells(setup->metrics, worker, &misses, values);
		all[i].prefetches = metrics_cells(setup->metrics, worker, &prefetches, values);
		all[i].served_stale = metrics_cells(setup->metrics, worker, &served_stale, values);
		all[i].evictions = metrics_cells(setup->metrics, worker, &evictions, values);
	}
	return all;
}

void cache_counters_entries(struct metrics_page *page, const struct place *place,
	const struct place_site *site, const char *zones, size_t denial, size_t success)
{
	const size_t counts[] = {denial, success};

	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
		metrics_sample(page, &entries,
			(const char *const[]){site->server, sides[i], place->view, zones}, (double)counts[i]);
}
