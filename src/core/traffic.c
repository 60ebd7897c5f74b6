/* Every query is counted in six places, whose cells are known from the start. The values of labels are
 * bounded: types and rcodes that have none of their own count as "other". */
#include "svcdns/traffic.h"

#include <string.h>

#include "svcdns/memory.h"

#define OTHER "other"

enum { PROTOCOLS = 2, TYPES = 20, RCODES = 21 };

static const char *const families[] = {"1", "2", NULL}; /* of addresses: IPv4, IPv6 */
static const char *const protocols[PROTOCOLS + 1] = {"udp", "tcp"};
static const char *const types[TYPES + 1] = {OTHER, "A", "AAAA", "CNAME", "DNSKEY", "DS", "MX", "NSEC",
	"NSEC3", "NS", "PTR", "RRSIG", "SOA", "SRV", "TXT", "HTTPS", "SVCB", "IXFR", "AXFR", "ANY"};
const char *const traffic_rcodes[RCODES + 1] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
	"REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI", "BADVERS", "BADKEY",
	"BADTIME", "BADMODE", "BADNAME", "BADALG", "BADTRUNC", "BADCOOKIE", OTHER};

/* Places in types[]. */
static const uint8_t type_places[256] = {
	[TYPE_A] = 1,
	[TYPE_AAAA] = 2,
	[TYPE_CNAME] = 3,
	[TYPE_DNSKEY] = 4,
	[TYPE_DS] = 5,
	[TYPE_MX] = 6,
	[TYPE_NSEC] = 7,
	[TYPE_NSEC3] = 8,
	[TYPE_NS] = 9,
	[TYPE_PTR] = 10,
	[TYPE_RRSIG] = 11,
	[TYPE_SOA] = 12,
	[TYPE_SRV] = 13,
	[TYPE_TXT] = 14,
	[TYPE_HTTPS] = 15,
	[TYPE_SVCB] = 16,
	[TYPE_IXFR] = 17,
	[TYPE_AXFR] = 18,
	[TYPE_ANY] = 19,
};

static const uint64_t sizes[] = {
	0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000};

static const struct metric_family requests = {
	.name = "coredns_dns_requests_total",
	.help = "Counter of DNS requests made per zone, protocol and family.",
	.labels = {{"family", families}, {"proto", protocols}, {.name = "server"}, {"type", types},
		{.name = "view"}, {.name = "zone"}},
};

static const struct metric_family durations = {
	.name = "coredns_dns_request_duration_seconds",
	.help = "Histogram of the time (in seconds) each request took per zone.",
	.type = METRIC_HISTOGRAM,
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zone"}},
	.bounds = metric_times,
	.bound_count = METRIC_TIMES,
	.divisor = 1e9,
};

static const struct metric_family request_sizes = {
	.name = "coredns_dns_request_size_bytes",
	.help = "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.",
	.type = METRIC_HISTOGRAM,
	.labels = {{"proto", protocols}, {.name = "server"}, {.name = "view"}, {.name = "zone"}},
	.bounds = sizes,
	.bound_count = ARRAY_LENGTH(sizes),
};

static const struct metric_family response_sizes = {
	.name = "coredns_dns_response_size_bytes",
	.help = "Size of the returned response in bytes.",
	.type = METRIC_HISTOGRAM,
	.labels = {{"proto", protocols}, {.name = "server"}, {.name = "view"}, {.name = "zone"}},
	.bounds = sizes,
	.bound_count = ARRAY_LENGTH(sizes),
};

static const struct metric_family do_requests = {
	.name = "coredns_dns_do_requests_total",
	.help = "Counter of DNS requests with DO bit set per zone.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zone"}},
};

static const struct metric_family responses = {
	.name = "coredns_dns_responses_total",
	.help = "Counter of response status codes.",
	.labels = {{.name = "plugin"}, {"rcode", traffic_rcodes}, {.name = "server"}, {.name = "view"},
		{.name = "zone"}},
};

struct traffic {
	struct cell *requests, *durations, *request_sizes, *response_sizes, *do_requests;
	struct cell *responses[]; /* for each plugin, then for nobody */
};

static struct cell *responses_of(
	struct metrics *metrics, unsigned worker, const struct traffic_labels *labels, const char *plugin)
{
	return metrics_cells(metrics, worker, &responses,
		(const char *const[]){plugin, labels->server, labels->view, labels->zone});
}

struct traffic *traffic_create(struct metrics *metrics, unsigned worker, const struct traffic_labels *labels)
{
	const char *const values[] = {labels->server, labels->view, labels->zone};
	unsigned plugins = labels->plugin_count;
	struct traffic *traffic = memory_alloc(sizeof(*traffic) + (plugins + 1) * sizeof(struct cell *));

	traffic->requests = metrics_cells(metrics, worker, &requests, values);
	traffic->durations = metrics_cells(metrics, worker, &durations, values);
	traffic->request_sizes = metrics_cells(metrics, worker, &request_sizes, values);
	traffic->response_sizes = metrics_cells(metrics, worker, &response_sizes, values);
	traffic->do_requests = metrics_cells(metrics, worker, &do_requests, values);
	for (unsigned i = 0; i < plugins; i++)
		traffic->responses[i] = responses_of(metrics, worker, labels, labels->plugins[i]);
	traffic->responses[plugins] = responses_of(metrics, worker, labels, "");
	return traffic;
}

void traffic_destroy(struct traffic *traffic)
{
	memory_free(traffic);
}

static unsigned type_place(uint16_t type)
{
	return type < ARRAY_LENGTH(type_places) ? type_places[type] : 0;
}

/* 12 to 15 are not assigned. */
unsigned traffic_rcode_place(uint16_t rcode)
{
	if (rcode <= 11)
		return rcode;
	return rcode >= RCODE_BADVERS && rcode <= 23 ? rcode - 4u : RCODES - 1;
}

void traffic_count(
	const struct traffic *traffic, const struct request *request, const struct traffic_reply *reply)
{
	unsigned protocol = request->transport == TRANSPORT_TCP;
	unsigned family = request->client.any.sa_family == AF_INET6;
	unsigned width = metric_width(&request_sizes);

	cell_add(&traffic->requests[(family * PROTOCOLS + protocol) * TYPES +
				    type_place(request->question.type)],
		1);
	if (request->edns.present && request->edns.dnssec_ok)
		cell_add(traffic->do_requests, 1);
	histogram_add(&durations, traffic->durations, reply->duration);
	histogram_add(&request_sizes, traffic->request_sizes + protocol * width, request->query_length);
	histogram_add(&response_sizes, traffic->response_sizes + protocol * width, reply->size);
	cell_add(&traffic->responses[reply->plugin][traffic_rcode_place(reply->rcode)], 1);
}
