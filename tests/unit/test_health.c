/* health: the endpoint, its own requests, lameduck, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/http_lab.h"
#include "../support/plugin_lab.h"
#include "svcdns/clock.h"

extern const struct plugin plugin_health;

static bool open_at(struct lab *lab, const char *address, const char *block)
{
	char directive[256];

	snprintf(directive, sizeof(directive), "health %s %s", address, block);
	assert_true(lab_read(lab, &plugin_health, directive));
	metrics_declare(lab->setup.metrics, plugin_health.families);
	return plugin_health.open(lab->config, &lab->error);
}

/* A value of the page of metrics, as text. */
static const char *value(const struct lab *lab, const char *name, char *out, size_t size)
{
	struct buffer page;
	const char *at;

	buffer_init(&page);
	metrics_write(lab->setup.metrics, &page);
	at = strstr(page.bytes, name);
	assert_non_null(at);
	at += strlen(name) + 1;
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
	buffer_finish(&page);
	return out;
}

static void test_endpoint(void **state)
{
	struct http_lab http;
	struct lab lab;
	char text[32];

	(void)state;
	http_lab_open(&http);
	assert_true(open_at(&lab, http.address, ""));
	http_lab_ask(&http, "GET", "/health");
	assert_true(http_lab_has_status(&http, "200 "));
	assert_string_equal(http_lab_body(&http), "OK");
	assert_string_equal(value(&lab, "\ncoredns_health_request_failures_total", text, sizeof(text)), "0");
	plugin_health.leave(lab.config);
	assert_int_equal(http_lab_connect(&http), -1);
	lab_finish(&lab);
	http_lab_close(&http);
}

/* It asks itself once a second: the test waits until it has. */
static void test_own_requests(void **state)
{
	struct http_lab http;
	struct lab lab;
	char text[32];

	(void)state;
	http_lab_open(&http);
	assert_true(open_at(&lab, http.address, ""));
	while (*value(&lab, "\ncoredns_health_request_duration_seconds_count", text, sizeof(text)) == '0')
		usleep(20000);
	assert_string_equal(value(&lab, "\ncoredns_health_request_failures_total", text, sizeof(text)), "0");
	lab_finish(&lab);
	http_lab_close(&http);
}

/* The endpoint is closed under it, as by a server that could not start. */
static void test_own_requests_that_fail(void **state)
{
	struct capture capture;
	struct http_lab http;
	struct lab lab;
	char text[32];

	(void)state;
	http_lab_open(&http);
	assert_true(open_at(&lab, http.address, ""));
	capture_begin(&capture);
	http_stop(lab.setup.http);
	while (*value(&lab, "\ncoredns_health_request_failures_total", text, sizeof(text)) == '0')
		usleep(20000);
	assert_non_null(strstr(capture_end(&capture),
		"[WARNING] plugin/health: Local health request to \"http://127.0.0.1:"));
	lab_finish(&lab);
	http_lab_close(&http);
}

static void test_lameduck(void **state)
{
	struct capture capture;
	struct http_lab http;
	struct lab lab;
	uint64_t begin;

	(void)state;
	http_lab_open(&http);
	assert_true(open_at(&lab, http.address, "{\nlameduck 200ms\n}"));
	capture_begin(&capture);
	begin = clock_monotonic();
	plugin_health.leave(lab.config);
	assert_true(clock_monotonic() - begin >= 200 * CLOCK_MS);
	assert_string_equal(
		capture_end(&capture), "[INFO] plugin/health: Going into lameduck mode for 200ms\n");
	assert_int_equal(http_lab_connect(&http), -1);
	lab_finish(&lab);
	http_lab_close(&http);
}

static void test_no_lameduck(void **state)
{
	static const char *const blocks[] = {"", "{\nlameduck 0\n}", "{\nlameduck -5s\n}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
		struct capture capture;
		struct lab lab;

		assert_true(open_at(&lab, "127.0.0.1:0", blocks[i]));
		capture_begin(&capture);
		plugin_health.leave(lab.config);
		assert_string_equal(capture_end(&capture), "");
		lab_finish(&lab);
	}
}

static void test_address_that_cannot_be_had(void **state)
{
	struct lab lab;

	(void)state;
	assert_false(open_at(&lab, "203.0.113.77:8080", ""));
	assert_string_equal(
		lab.error.message, "listen tcp 203.0.113.77:8080: bind: cannot assign requested address");
	lab_finish(&lab);
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"health 8080", "address 8080: missing port in address"},
		{"health :1 :2",
			"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending "
			"after ':2'"},
		{"health {\nlameduck\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending "
			"after 'lameduck'"},
		{"health {\nlameduck 5\n}", "unable to parse lameduck duration value: '5' : time: missing "
					    "unit in duration \"5\""},
		{"health {\npath /health\n}", "Corefile:3 - Error during parsing: unknown property 'path'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_health, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_own_requests),
		cmocka_unit_test(test_own_requests_that_fail),
		cmocka_unit_test(test_lameduck),
		cmocka_unit_test(test_no_lameduck),
		cmocka_unit_test(test_address_that_cannot_be_had),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
