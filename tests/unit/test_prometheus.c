/* prometheus: what is counted of a query and its reply, and under which labels. The plugins below are the
 * test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "../support/http_lab.h"
#include "../support/plugin_lab.h"
#include "svcdns/traffic.h"

extern const struct plugin plugin_prometheus;

#define LABELS "server=\"dns://:53\",view=\"\",zone=\".\""

/* Answers as the first label says: "ok" with an address, "long" with a name to be expanded, "none", "fail",
 * "drop". */
static bool begins(const struct request *r, const char *label)
{
	uint8_t length;
	const uint8_t *first = name_label(&r->question.name, 0, &length);

	return length == strlen(label) && memcmp(first, label, length) == 0;
}

static enum verdict serve_first(void *self, struct request *r)
{
	(void)self;
	if (!begins(r, "ok"))
		return VERDICT_NEXT;
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 5);
	return VERDICT_ANSWERED;
}

static enum verdict serve_second(void *self, struct request *r)
{
	struct writer *w = &r->reply;

	(void)self;
	if (begins(r, "drop"))
		return VERDICT_DROP;
	if (begins(r, "fail"))
		return request_fail(r, RCODE_SERVFAIL, "broken");
	if (!begins(r, "long"))
		return VERDICT_NEXT;
	request_reply(r, RCODE_NXDOMAIN, 0);
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_CNAME, CLASS_IN, 5);
	writer_u16(w, WRITER_QUESTION);
	writer_close(w);
	return VERDICT_ANSWERED;
}

static const struct plugin silent = {.name = "silent"}, first = {.name = "first", .serve = serve_first},
			   second = {.name = "second", .serve = serve_second};

struct fixture {
	struct metrics_collector collector;
	struct lab lab;
	struct place_plugin plugins[4];
	struct buffer page;
};

static void begin(struct fixture *f, const char *directive)
{
	const struct link links[] = {{0}, {&first, NULL, 0}, {&second, NULL, 0}};

	if (!lab_read(&f->lab, &plugin_prometheus, directive))
		fail_msg("%s", f->lab.error.message);
	f->plugins[0] = (struct place_plugin){&silent, NULL};
	f->plugins[1] = (struct place_plugin){&plugin_prometheus, f->lab.config};
	f->plugins[2] = (struct place_plugin){&first, NULL};
	f->plugins[3] = (struct place_plugin){&second, NULL};
	f->lab.place.plugins = f->plugins;
	f->lab.place.plugin_count = ARRAY_LENGTH(f->plugins);
	assert_true(plugin_prometheus.open(f->lab.config, &f->lab.error));
	metrics_declare(f->lab.setup.metrics, plugin_prometheus.families);
	f->collector = (struct metrics_collector){plugin_prometheus.collect, f->lab.config};
	metrics_set_collectors(f->lab.setup.metrics, &f->collector, 1);
	lab_start(&f->lab, links, ARRAY_LENGTH(links));
}

static void end(struct fixture *f)
{
	metrics_set_collectors(f->lab.setup.metrics, NULL, 0);
	lab_finish(&f->lab);
	buffer_finish(&f->page);
}

static void assert_shows(struct fixture *f, const char *line)
{
	char whole[512];

	buffer_clear(&f->page);
	metrics_write(f->lab.setup.metrics, &f->page);
	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(f->page.bytes, whole))
		fail_msg("no line %s in\n%s", line, f->page.bytes);
}

static unsigned count_lines(struct fixture *f, const char *begin_of_line)
{
	unsigned count = 0;

	buffer_clear(&f->page);
	metrics_write(f->lab.setup.metrics, &f->page);
	for (const char *at = f->page.bytes; (at = strstr(at, begin_of_line)); at++)
		count += at[-1] == '\n';
	return count;
}

static void test_queries(void **state)
{
	struct fixture f = {0};

	(void)state;
	begin(&f, "prometheus 127.0.0.1:0");
	assert_int_equal(count_lines(&f, "coredns_dns_"), 0);
	lab_ask(&f.lab, "ok.example.org", TYPE_A);
	lab_ask(&f.lab, "ok.example.org", TYPE_A);
	lab_ask(&f.lab, "ok.example.org", TYPE_TXT);
	f.lab.transport = TRANSPORT_TCP;
	lab_ask(&f.lab, "ok.example.org", TYPE_A);
	f.lab.client = "2001:db8::1";
	lab_ask(&f.lab, "ok.example.org", TYPE_AXFR);
	lab_ask(&f.lab, "ok.example.org", 257);
	lab_ask(&f.lab, "ok.example.org", 65280);
	assert_shows(&f,
		"coredns_dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://:53\",type=\"A\","
		"view=\"\",zone=\".\"} 2");
	assert_shows(&f,
		"coredns_dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://:53\",type=\"TXT\","
		"view=\"\",zone=\".\"} 1");
	assert_shows(&f,
		"coredns_dns_requests_total{family=\"1\",proto=\"tcp\",server=\"dns://:53\",type=\"A\","
		"view=\"\",zone=\".\"} 1");
	assert_shows(&f,
		"coredns_dns_requests_total{family=\"2\",proto=\"tcp\",server=\"dns://:53\",type=\"AXFR\","
		"view=\"\",zone=\".\"} 1");
	assert_shows(&f,
		"coredns_dns_requests_total{family=\"2\",proto=\"tcp\",server=\"dns://:53\",type=\"other\","
		"view=\"\",zone=\".\"} 2");
	assert_int_equal(count_lines(&f, "coredns_dns_requests_total{"), 5);
	assert_shows(&f, "coredns_dns_request_duration_seconds_count{" LABELS "} 7");
	end(&f);
}

/* Every type that has a value of its own. */
static void test_types(void **state)
{
	static const char *const types[] = {"A", "AAAA", "CNAME", "DNSKEY", "DS", "MX", "NSEC", "NSEC3", "NS",
		"PTR", "RRSIG", "SOA", "SRV", "TXT", "HTTPS", "SVCB", "IXFR", "AXFR", "ANY"};
	struct fixture f = {0};
	char line[256];

	(void)state;
	begin(&f, "prometheus 127.0.0.1:0");
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		uint16_t type;

		assert_true(type_parse(types[i], &type));
		lab_ask(&f.lab, "ok.example.org", type);
		snprintf(line, sizeof(line),
			"coredns_dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://"
			":53\",type=\"%s\","
			"view=\"\",zone=\".\"} 1",
			types[i]);
		assert_shows(&f, line);
	}
	end(&f);
}

/* Nobody is named where the chain came to its end, or nothing is sent. */
static void test_replies(void **state)
{
	struct fixture f = {0};

	(void)state;
	begin(&f, "prometheus 127.0.0.1:0");
	lab_ask(&f.lab, "ok.example.org", TYPE_A);
	lab_ask(&f.lab, "long.example.org", TYPE_A);
	lab_ask(&f.lab, "fail.example.org", TYPE_A);
	lab_ask(&f.lab, "none.example.org", TYPE_A);
	lab_ask(&f.lab, "drop.example.org", TYPE_A);
	assert_shows(&f, "coredns_dns_responses_total{plugin=\"first\",rcode=\"NOERROR\"," LABELS "} 1");
	assert_shows(&f, "coredns_dns_responses_total{plugin=\"second\",rcode=\"NXDOMAIN\"," LABELS "} 1");
	assert_shows(&f, "coredns_dns_responses_total{plugin=\"second\",rcode=\"SERVFAIL\"," LABELS "} 1");
	assert_shows(&f, "coredns_dns_responses_total{plugin=\"\",rcode=\"SERVFAIL\"," LABELS "} 1");
	assert_shows(&f, "coredns_dns_responses_total{plugin=\"\",rcode=\"NOERROR\"," LABELS "} 1");
	assert_int_equal(count_lines(&f, "coredns_dns_responses_total{"), 5);
	end(&f);
}

/* Replies count as if they were not compressed, those that nobody wrote with nothing; queries as they came.
 */
static void test_sizes(void **state)
{
	struct fixture f = {0};

	(void)state;
	begin(&f, "prometheus 127.0.0.1:0");
	lab_ask(&f.lab, "ok.example.org", TYPE_A); /* 12 + 16 + 4 = 32; reply + 16 + 10 + 4 = 62 */
	assert_shows(&f, "coredns_dns_request_size_bytes_sum{proto=\"udp\"," LABELS "} 32");
	assert_shows(&f, "coredns_dns_response_size_bytes_sum{proto=\"udp\"," LABELS "} 62");
	f.lab.payload =
		1232; /* the OPT record has 11 octets in the query; that of the reply is not counted */
	f.lab.dnssec_ok = true;
	lab_ask(&f.lab, "ok.example.org", TYPE_A);
	assert_shows(&f, "coredns_dns_request_size_bytes_sum{proto=\"udp\"," LABELS "} 75");
	assert_shows(&f, "coredns_dns_response_size_bytes_sum{proto=\"udp\"," LABELS "} 124");
	assert_shows(&f, "coredns_dns_do_requests_total{" LABELS "} 1");
	f.lab.payload = 0;
	lab_ask(&f.lab, "long.example.org", TYPE_A); /* 34; reply + 18 + 10 + 18 = 80 */
	assert_shows(&f, "coredns_dns_response_size_bytes_sum{proto=\"udp\"," LABELS "} 204");
	lab_ask(&f.lab, "fail.example.org", TYPE_A);
	lab_ask(&f.lab, "drop.example.org", TYPE_A);
	assert_shows(&f, "coredns_dns_response_size_bytes_sum{proto=\"udp\"," LABELS "} 204");
	assert_shows(&f, "coredns_dns_response_size_bytes_bucket{proto=\"udp\"," LABELS ",le=\"0\"} 2");
	assert_shows(&f, "coredns_dns_response_size_bytes_bucket{proto=\"udp\"," LABELS ",le=\"100\"} 5");
	end(&f);
}

static void test_rcodes(void **state)
{
	static const struct {
		uint16_t rcode;
		const char *text;
	} cases[] = {{0, "NOERROR"}, {5, "REFUSED"}, {11, "DSOTYPENI"}, {12, "other"}, {15, "other"},
		{16, "BADVERS"}, {17, "BADKEY"}, {23, "BADCOOKIE"}, {24, "other"}, {4095, "other"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_string_equal(traffic_rcodes[traffic_rcode_place(cases[i].rcode)], cases[i].text);
}

static void test_enabled_plugins(void **state)
{
	struct fixture f = {0};

	(void)state;
	begin(&f, "prometheus 127.0.0.1:0");
	assert_shows(&f, "coredns_plugin_enabled{name=\"first\"," LABELS "} 1");
	assert_shows(&f, "coredns_plugin_enabled{name=\"prometheus\"," LABELS "} 1");
	assert_shows(&f, "coredns_plugin_enabled{name=\"second\"," LABELS "} 1");
	assert_int_equal(count_lines(&f, "coredns_plugin_enabled{"), 3);
	assert_shows(&f, "coredns_panics_total 0");
	end(&f);
}

static double value_of(struct fixture *f, const char *name)
{
	char begin_of_line[128];
	const char *at;

	buffer_clear(&f->page);
	metrics_write(f->lab.setup.metrics, &f->page);
	snprintf(begin_of_line, sizeof(begin_of_line), "\n%s ", name);
	at = strstr(f->page.bytes, begin_of_line);
	if (!at)
		fail_msg("no %s in\n%s", name, f->page.bytes);
	return strtod(at + strlen(begin_of_line), NULL);
}

/* What can be known of them here. */
static void test_process(void **state)
{
	struct fixture f = {0};
	double open_fds, now = (double)time(NULL);
	int fd;

	(void)state;
	begin(&f, "prometheus 127.0.0.1:0");
	open_fds = value_of(&f, "process_open_fds");
	fd = dup(0);
	assert_true(value_of(&f, "process_open_fds") == open_fds + 1);
	close(fd);
	assert_true(value_of(&f, "process_max_fds") >= open_fds);
	assert_true(value_of(&f, "process_cpu_seconds_total") > 0);
	assert_true(value_of(&f, "process_resident_memory_bytes") > 100000);
	assert_true(
		value_of(&f, "process_virtual_memory_bytes") > value_of(&f, "process_resident_memory_bytes"));
	assert_true(value_of(&f, "process_virtual_memory_max_bytes") > 0);
	assert_true(value_of(&f, "process_start_time_seconds") <= now + 1);
	assert_true(value_of(&f, "process_start_time_seconds") > now - 24 * 3600);
	assert_true(value_of(&f, "process_network_receive_bytes_total") >= 0);
	assert_true(value_of(&f, "process_network_transmit_bytes_total") >= 0);
	end(&f);
}

static void test_page_over_http(void **state)
{
	struct fixture f = {0};
	struct http_lab http;
	char directive[64];

	(void)state;
	http_lab_open(&http);
	snprintf(directive, sizeof(directive), "prometheus %s {\nruntime_metrics\n}", http.address);
	begin(&f, directive);
	http_lab_ask(&http, "GET", "/metrics");
	assert_true(http_lab_has_status(&http, "200 "));
	assert_non_null(strstr(http.reply,
		"\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n"));
	assert_non_null(strstr(http_lab_body(&http), "\ncoredns_panics_total 0\n"));
	plugin_prometheus.leave(f.lab.config);
	assert_int_equal(http_lab_connect(&http), -1);
	end(&f);
	http_lab_close(&http);
}

static void test_address_that_cannot_be_had(void **state)
{
	struct capture capture;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_prometheus, "prometheus 127.0.0.1:65536"));
	capture_begin(&capture);
	assert_true(plugin_prometheus.open(lab.config, &lab.error));
	assert_string_equal(capture_end(&capture),
		"[ERROR] Failed to start metrics handler: listen tcp: address 65536: invalid port\n");
	lab_finish(&lab);
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"prometheus 9153", "address 9153: missing port in address"},
		{"prometheus :1 :2",
			"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending "
			"after ':2'"},
		{"prometheus {\npath /metrics\n}", "Corefile:3 - Error during parsing: unknown option: path"},
		{"prometheus {\nruntime_metrics on\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending "
			"after 'on'"},
		{"prometheus\nprometheus",
			"Corefile:3 - Error during parsing: this plugin can only be used once per Server "
			"Block"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_prometheus, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_rcodes),
		cmocka_unit_test(test_enabled_plugins),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_page_over_http),
		cmocka_unit_test(test_address_that_cannot_be_had),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
