/* pprof: its pages, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "../support/http_lab.h"
#include "../support/plugin_lab.h"

extern const struct plugin plugin_pprof;

struct fixture {
	struct http_lab http;
	struct lab lab;
};

static int set_up(void **state)
{
	struct fixture *f = memory_zero(1, sizeof(*f));
	char directive[64];

	http_lab_open(&f->http);
	snprintf(directive, sizeof(directive), "pprof %s", f->http.address);
	assert_true(lab_read(&f->lab, &plugin_pprof, directive));
	assert_true(plugin_pprof.open(f->lab.config, &f->lab.error));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	lab_finish(&f->lab);
	http_lab_close(&f->http);
	memory_free(f);
	return 0;
}

static const char *get(struct fixture *f, const char *path, const char *status)
{
	http_lab_ask(&f->http, "GET", path);
	if (!http_lab_has_status(&f->http, status))
		fail_msg("%s: %s", path, f->http.reply);
	return http_lab_body(&f->http);
}

static void test_index(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(get(f, "/debug/pprof/", "200 "), "\n/debug/pprof/threads "));
	assert_string_equal(get(f, "/debug/pprof", "302 "), "<a href=\"/debug/pprof/\">Found</a>.\n\n");
	assert_non_null(strstr(f->http.reply, "\r\nLocation: /debug/pprof/\r\n"));
	assert_string_equal(get(f, "/debug/pprof/nothing", "404 "), "404 page not found\n");
	assert_string_equal(get(f, "/debug/", "404 "), "404 page not found\n");
}

/* This thread, under its name. */
static void test_threads(void **state)
{
	char id[32];

	pthread_setname_np(pthread_self(), "a) b (c");
	snprintf(id, sizeof(id), "%7d", getpid());
	get(*state, "/debug/pprof/threads", "200 ");
	assert_non_null(strstr(((struct fixture *)*state)->http.reply, "\na) b (c          "));
	assert_non_null(strstr(((struct fixture *)*state)->http.reply, id));
	assert_non_null(strstr(get(*state, "/debug/pprof/goroutine?debug=1", "200 "), "thread "));
}

static void test_heap(void **state)
{
	const char *text = get(*state, "/debug/pprof/heap", "200 ");
	const char *resident = strstr(text, "\nVmRSS:");

	assert_non_null(strstr(text, "\nin use "));
	assert_non_null(resident);
	assert_true(strtoul(resident + strlen("\nVmRSS:"), NULL, 10) > 0);
}

static void test_descriptors_and_command(void **state)
{
	assert_non_null(strstr(get(*state, "/debug/pprof/descriptors", "200 "), " socket:["));
	assert_non_null(strstr(get(*state, "/debug/pprof/cmdline", "200 "), "test_pprof"));
}

/* What only Go's runtime can tell. */
static void test_what_is_not_here(void **state)
{
	static const char *const paths[] = {"/debug/pprof/profile?seconds=1", "/debug/pprof/trace",
		"/debug/pprof/symbol", "/debug/pprof/mutex"};

	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		assert_non_null(strstr(get(*state, paths[i], "501 "), ": not here: "));
}

static void test_address_that_cannot_be_had(void **state)
{
	struct capture capture;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_pprof, "pprof 203.0.113.77:6053"));
	capture_begin(&capture);
	assert_false(plugin_pprof.open(lab.config, &lab.error));
	assert_string_equal(capture_end(&capture), "[ERROR] plugin/pprof: Failed to start pprof handler: "
						   "listen tcp 203.0.113.77:6053: bind: cannot "
						   "assign requested address\n");
	assert_string_equal(
		lab.error.message, "listen tcp 203.0.113.77:6053: bind: cannot assign requested address");
	lab_finish(&lab);
}

static void test_settings(void **state)
{
	static const struct {
		const char *directive, *message; /* "": accepted */
	} table[] = {
		{"pprof", ""},
		{"pprof :6053 {\nblock\n}", ""},
		{"pprof :6053 {\nblock 10\n}", ""},
		{"pprof {\nblock often\n}",
			"Corefile:3 - Error during parsing: property 'block' invalid integer value 'often'"},
		{"pprof {\nblock 1 2\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending "
			"after '2'"},
		{"pprof {\nrate 1\n}", "Corefile:3 - Error during parsing: unknown property 'rate'"},
		{"pprof 127.0.0.1",
			"Corefile:2 - Error during parsing: address 127.0.0.1: missing port in address"},
		{"pprof\npprof",
			"Corefile:3 - Error during parsing: this plugin can only be used once per Server "
			"Block"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_int_equal(lab_read(&lab, &plugin_pprof, table[i].directive), !*table[i].message);
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_index, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_heap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptors_and_command, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_here, set_up, tear_down),
		cmocka_unit_test(test_address_that_cannot_be_had),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
