/* What the feed counts, on the page of metrics: CoreDNS' families, and ours by resource. Every block has a
 * feed of its own, so that what several count is added up without counting anything twice. */
#include <stdio.h>

#include "kubernetes.h"
#include "svcdns/access.h"
#include "svcdns/clock.h"
#include "svcdns/metrics.h"

static const struct metric_family requests = {
	.name = "coredns_kubernetes_rest_client_requests_total",
	.help = "Number of HTTP requests, partitioned by status code, method, and host.",
	.type = METRIC_COUNTER,
	.labels = {{.name = "code"}, {.name = "host"}, {.name = "method"}},
};

static const struct metric_family request_time = {
	.name = "coredns_kubernetes_rest_client_request_duration_seconds",
	.help = "Request latency in seconds. Broken down by verb and host.",
	.type = METRIC_HISTOGRAM,
	.labels = {{.name = "host"}, {.name = "verb"}},
	.bounds = feed_request_bounds,
	.bound_count = ARRAY_LENGTH(feed_request_bounds),
	.divisor = CLOCK_S,
};

static const struct metric_family limiter_time = {
	.name = "coredns_kubernetes_rest_client_rate_limiter_duration_seconds",
	.help = "Client side rate limiter latency in seconds. Broken down by verb and host.",
	.type = METRIC_HISTOGRAM,
	.labels = {{.name = "host"}, {.name = "verb"}},
	.bounds = feed_request_bounds,
	.bound_count = ARRAY_LENGTH(feed_request_bounds),
	.divisor = CLOCK_S,
};

static const struct metric_family programming_time = {
	.name = "coredns_kubernetes_dns_programming_duration_seconds",
	.help = "Histogram of the time (in seconds) it took to program a dns instance.",
	.type = METRIC_HISTOGRAM,
	.labels = {{.name = "service_kind"}},
	.bounds = feed_programming_bounds,
	.bound_count = ARRAY_LENGTH(feed_programming_bounds),
	.divisor = CLOCK_S,
};

enum {
	SYNCED,
	OBJECTS,
	WATCH_AGE,
	EVENTS,
	LISTS,
	FAILURES,
	UNREADABLE,
	AUDITS,
	LOST_EVENTS,
	RECEIVED,
	BY_RESOURCE
};

#define RESOURCE                                                                                             \
	{                                                                                                    \
		{                                                                                            \
			.name = "resource"                                                                   \
		}                                                                                            \
	}

static const struct metric_family by_resource[BY_RESOURCE] = {
	[SYNCED] =
		{
			.name = "svcdns_kubernetes_synced",
			.help = "1: all objects have been listed once.",
			.type = METRIC_GAUGE,
			.alike = METRIC_LEAST,
			.labels = RESOURCE,
		},
	[OBJECTS] =
		{
			.name = "svcdns_kubernetes_objects",
			.help = "Objects that the API server has.",
			.type = METRIC_GAUGE,
			.alike = METRIC_SUM,
			.labels = RESOURCE,
		},
	[WATCH_AGE] =
		{
			.name = "svcdns_kubernetes_watch_age_seconds",
			.help = "Seconds since the last octet of the watch.",
			.type = METRIC_GAUGE,
			.labels = RESOURCE,
		},
	[EVENTS] =
		{
			.name = "svcdns_kubernetes_events_total",
			.help = "Changes that were followed.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
	[LISTS] =
		{
			.name = "svcdns_kubernetes_lists_total",
			.help = "Complete lists, the first included.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
	[FAILURES] =
		{
			.name = "svcdns_kubernetes_failures_total",
			.help = "Requests that failed.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
	[UNREADABLE] =
		{
			.name = "svcdns_kubernetes_unreadable_total",
			.help = "Objects that could not be read and were skipped.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
	[AUDITS] =
		{
			.name = "svcdns_kubernetes_audits_total",
			.help = "Comparisons with what the API server has.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
	[LOST_EVENTS] =
		{
			.name = "svcdns_kubernetes_lost_events_total",
			.help = "Audits that found events lost.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
	[RECEIVED] =
		{
			.name = "svcdns_kubernetes_received_bytes_total",
			.help = "Octets of responses.",
			.type = METRIC_COUNTER,
			.labels = RESOURCE,
		},
};

static const struct metric_family saved_age = {
	.name = "svcdns_kubernetes_saved_table_age_seconds",
	.help = "Age of the saved table that answers come from. 0: they come from the API.",
	.type = METRIC_GAUGE,
};

static const struct metric_family table_reads = {
	.name = "svcdns_kubernetes_table_reads_total",
	.help = "Times that the table's files were read.",
	.type = METRIC_COUNTER,
};

static const struct metric_family table_failures = {
	.name = "svcdns_kubernetes_table_failures_total",
	.help = "Times that the table's files were refused, and the last good table stayed.",
	.type = METRIC_COUNTER,
};

/* The feed counts by bucket and all; the page wants what is above all buckets, and a sum in the family's
 * unit. */
static void sample_histogram(struct metrics_page *page, const struct metric_family *family,
	const char *const *values, const struct feed_histogram *histogram)
{
	uint64_t numbers[FEED_BUCKETS + 2], above = histogram->count;

	if (!histogram->count)
		return;
	for (unsigned i = 0; i < family->bound_count; i++) {
		numbers[i] = histogram->buckets[i];
		above -= numbers[i];
	}
	numbers[family->bound_count] = above;
	numbers[family->bound_count + 1] = histogram->sum_ns;
	metrics_sample_histogram(page, family, values, numbers);
}

/* A request without a response has the code that Kubernetes' own client gives it. */
static void sample_codes(
	struct metrics_page *page, const struct feed_code codes[FEED_CODES], const char *host)
{
	for (size_t i = 0; i < FEED_CODES && codes[i].count; i++) {
		char code[16] = "<error>";

		if (codes[i].code)
			snprintf(code, sizeof(code), "%u", codes[i].code);
		metrics_sample(
			page, &requests, (const char *const[]){code, host, "GET"}, (double)codes[i].count);
	}
}

static void sample_resource(struct metrics_page *page, const struct feed_resource *resource)
{
	const double values[BY_RESOURCE] = {
		[SYNCED] = resource->is_synced,
		[OBJECTS] = (double)resource->objects,
		[WATCH_AGE] = (double)resource->silent_ns / (double)CLOCK_S,
		[EVENTS] = (double)resource->events,
		[LISTS] = (double)resource->lists,
		[FAILURES] = (double)resource->failures,
		[UNREADABLE] = (double)resource->broken,
		[AUDITS] = (double)resource->audits,
		[LOST_EVENTS] = (double)resource->losses,
		[RECEIVED] = (double)resource->octets,
	};

	for (size_t i = 0; i < BY_RESOURCE; i++)
		metrics_sample(page, &by_resource[i], &resource->name, values[i]);
}

static void collect_api(
	const struct kubernetes *kubernetes, const struct feed_counts *counts, struct metrics_page *page)
{
	const char *host = access_host(kubernetes->feed_config.api.access);

	sample_codes(page, counts->codes, host);
	sample_histogram(page, &request_time, (const char *const[]){host, "GET"}, &counts->requests);
	sample_histogram(page, &limiter_time, (const char *const[]){host, "GET"}, &counts->limiter_waits);
	sample_histogram(page, &programming_time, (const char *const[]){"cluster_ip"}, &counts->cluster_ip);
	sample_histogram(
		page, &programming_time, (const char *const[]){"headless_with_selector"}, &counts->headless);
	for (size_t i = 0; i < FEED_RESOURCES; i++)
		if (counts->resources[i].name)
			sample_resource(page, &counts->resources[i]);
	metrics_sample(page, &saved_age, NULL, (double)counts->saved_age_s);
}

void kubernetes_collect(void *config, struct metrics_page *page)
{
	const struct kubernetes *kubernetes = config;
	struct feed_counts counts = feed_counts(kubernetes->feed);

	if (!kubernetes->feed_config.table) {
		collect_api(kubernetes, &counts, page);
		return;
	}
	metrics_sample(page, &table_reads, NULL, (double)counts.reads);
	metrics_sample(page, &table_failures, NULL, (double)counts.failures);
}
