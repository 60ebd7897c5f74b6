/* Inside cache: what it counts. */
#ifndef CACHE_COUNTERS_H
#define CACHE_COUNTERS_H

#include "svcdns/metrics.h"
#include "svcdns/setup.h"

enum { SIDE_DENIAL, SIDE_SUCCESS }; /* values of the label "type" */

struct counters { /* of one address, on one worker */
	struct cell *requests, *misses, *prefetches, *served_stale;
	struct cell *hits, *evictions; /* [SIDE_...] */
};

extern const struct metric_family *const cache_counters_families[];

/* "example.org.,example.net.": the value of the label "zones"; in the arena. */
const char *cache_counters_zones(struct arena *arena, const struct zones *zones);
/* For each site of the block; several may share their cells. To be freed by memory_free(). */
struct counters *cache_counters_start(const struct setup *setup, unsigned worker, const char *zones);
/* How many entries there are, as shown for one address. */
void cache_counters_entries(struct metrics_page *page, const struct place *place,
	const struct place_site *site, const char *zones, size_t denial, size_t success);

#endif
