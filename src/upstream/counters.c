#include "counters.h"

#include "group.h"
#include "svcdns/traffic.h"

static const char *const protocols[] = {"udp", "tcp", NULL};

static const struct metric_family durations = {
	.name = "coredns_proxy_request_duration_seconds",
	.help = "Histogram of the time each request took.",
	.type = METRIC_HISTOGRAM,
	.labels = {{.name = "proxy_name"}, {"rcode", traffic_rcodes}, {.name = "to"}},
	.bounds = metric_times,
	.bound_count = METRIC_TIMES,
	.divisor = 1e9,
};
static const struct metric_family hits = {
	.name = "coredns_proxy_conn_cache_hits_total",
	.help = "Counter of connection cache hits per upstream and protocol.",
	.labels = {{"proto", protocols}, {.name = "proxy_name"}, {.name = "to"}},
};
static const struct metric_family misses = {
	.name = "coredns_proxy_conn_cache_misses_total",
	.help = "Counter of connection cache misses per upstream and protocol.",
	.labels = {{"proto", protocols}, {.name = "proxy_name"}, {.name = "to"}},
};
static const struct metric_family failures = {
	.name = "coredns_proxy_healthcheck_failures_total",
	.help = "Counter of the number of failed healthchecks.",
	.labels = {{.name = "proxy_name"}, {.name = "to"}},
};
static const struct metric_family broken = {
	.name = "coredns_forward_healthcheck_broken_total",
	.help = "Counter of the number of complete failures of the healthchecks.",
};
static const struct metric_family rejects = {
	.name = "coredns_forward_max_concurrent_rejects_total",
	.help = "Counter of the number of queries rejected because the concurrent queries were at maximum.",
};

const struct metric_family *const upstream_families[] = {
	&durations, &hits, &misses, &failures, &broken, &rejects, NULL};

static void start_server(struct server *server, const struct upstream_config *config, unsigned worker)
{
	const char *const values[] = {config->proxy_name, server->text};

	server->counters.durations = metrics_cells(config->metrics, worker, &durations, values);
	server->counters.hits = metrics_cells(config->metrics, worker, &hits, values);
	server->counters.misses = metrics_cells(config->metrics, worker, &misses, values);
	server->counters.failures = metrics_cells(config->metrics, worker, &failures, values);
}

void counters_start(struct upstream_group *group)
{
	const struct upstream_config *config = group->config;
	unsigned worker = group->worker->index;

	if (!config->metrics)
		return;
	group->counters.broken = metrics_cells(config->metrics, worker, &broken, NULL);
	group->counters.rejects = metrics_cells(config->metrics, worker, &rejects, NULL);
	for (size_t i = 0; i < config->server_count; i++)
		start_server(&group->servers[i], config, worker);
}

void count_reply(struct server *server, uint16_t rcode, uint64_t duration)
{
	struct cell *cells = server->counters.durations;

	if (cells)
		histogram_add(
			&durations, cells + traffic_rcode_place(rcode) * metric_width(&durations), duration);
}

void count_connection(struct server *server, bool is_tcp, bool is_open)
{
	struct cell *cells = is_open ? server->counters.hits : server->counters.misses;

	if (cells)
		cell_add(&cells[is_tcp], 1);
}

void count_failed_probe(struct server *server)
{
	if (server->counters.failures)
		cell_add(server->counters.failures, 1);
}

void count_broken(struct upstream_group *group)
{
	if (group->counters.broken)
		cell_add(group->counters.broken, 1);
}

void count_reject(struct upstream_group *group)
{
	if (group->counters.rejects)
		cell_add(group->counters.rejects, 1);
}
