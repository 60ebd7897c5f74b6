/* ready: who is waited for, who is asked again, and what stands in the answer. The plugins of the block are
 * the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/http_lab.h"
#include "../support/plugin_lab.h"

extern const struct plugin plugin_ready;

static bool is_ready(void *config, struct buffer *ret_why)
{
	const bool *ready = config;

	(void)ret_why;
	return *ready;
}

static bool explains(void *config, struct buffer *ret_why)
{
	const char *why = config;

	buffer_text(ret_why, why);
	return !*why;
}

static const struct plugin first = {.name = "first", .is_ready = is_ready}, silent = {.name = "silent"},
			   second = {.name = "second", .is_ready = is_ready},
			   talker = {.name = "talker", .is_ready = explains};

struct fixture {
	struct http_lab http;
	struct lab lab;
	bool first, second;
	struct place_plugin plugins[3];
};

static void begin(struct fixture *f, const char *block)
{
	char directive[256];

	http_lab_open(&f->http);
	snprintf(directive, sizeof(directive), "ready %s %s", f->http.address, block);
	assert_true(lab_read(&f->lab, &plugin_ready, directive));
	f->plugins[0] = (struct place_plugin){&first, &f->first};
	f->plugins[1] = (struct place_plugin){&silent, NULL};
	f->plugins[2] = (struct place_plugin){&second, &f->second};
	f->lab.place.plugins = f->plugins;
	f->lab.place.plugin_count = ARRAY_LENGTH(f->plugins);
	assert_true(plugin_ready.open(f->lab.config, &f->lab.error));
}

static void end(struct fixture *f)
{
	lab_finish(&f->lab);
	http_lab_close(&f->http);
}

static bool is_answer(struct fixture *f, const char *status, const char *body)
{
	http_lab_ask(&f->http, "GET", "/ready");
	return http_lab_has_status(&f->http, status) && strcmp(http_lab_body(&f->http), body) == 0;
}

static void test_until_ready(void **state)
{
	struct fixture f = {.first = false};
	struct capture capture;
	const char *text;

	(void)state;
	begin(&f, "");
	capture_begin(&capture);
	assert_true(is_answer(&f, "503 ", "first,second"));
	f.second = true;
	assert_true(is_answer(&f, "503 ", "first"));
	f.second = false; /* it was, once */
	assert_true(is_answer(&f, "503 ", "first"));
	f.first = true;
	assert_true(is_answer(&f, "200 ", "OK"));
	f.first = false;
	assert_true(is_answer(&f, "200 ", "OK"));
	text = capture_end(&capture);
	assert_string_equal(text, "[INFO] plugin/ready: Plugins not ready: \"first,second\"\n"
				  "[INFO] plugin/ready: Plugins not ready: \"first\"\n"
				  "[INFO] plugin/ready: Plugins not ready: \"first\"\n");
	end(&f);
}

static void test_continuously(void **state)
{
	struct fixture f = {.first = true, .second = true};
	struct capture capture;

	(void)state;
	begin(&f, "{\nmonitor continuously\n}");
	capture_begin(&capture);
	assert_true(is_answer(&f, "200 ", "OK"));
	f.first = false;
	assert_true(is_answer(&f, "503 ", "first"));
	f.first = true;
	assert_true(is_answer(&f, "200 ", "OK"));
	capture_end(&capture);
	end(&f);
}

/* Two blocks at one address: a name appears once. */
static void test_two_blocks(void **state)
{
	struct fixture f = {.first = false};
	struct setup setup;
	void *other;
	struct place_plugin plugins[] = {{&second, &f.second}};
	struct place place = {.plugins = plugins, .plugin_count = 1};
	struct capture capture;

	(void)state;
	begin(&f, "");
	setup = f.lab.setup;
	setup.place = &place;
	other = plugin_ready.setup(&setup, &f.lab.error);
	assert_non_null(other);
	assert_true(plugin_ready.open(other, &f.lab.error));
	capture_begin(&capture);
	assert_true(is_answer(&f, "503 ", "first,second"));
	f.first = true;
	assert_true(is_answer(&f, "503 ", "second"));
	f.second = true;
	assert_true(is_answer(&f, "200 ", "OK"));
	capture_end(&capture);
	plugin_ready.close(other);
	end(&f);
}

/* CoreDNS' line first; of two blocks, too. */
static void test_reasons(void **state)
{
	static char why[] = "pods: 403\nslices: not yet", other_why[] = "pods: cut";
	struct fixture f = {.first = false};
	struct setup setup;
	void *other;
	struct place_plugin plugins[] = {{&second, &f.second}, {&talker, other_why}};
	struct place place = {.plugins = plugins, .plugin_count = ARRAY_LENGTH(plugins)};
	struct capture capture;
	const char *text;

	(void)state;
	begin(&f, "");
	f.plugins[1] = (struct place_plugin){&talker, why};
	setup = f.lab.setup;
	setup.place = &place;
	other = plugin_ready.setup(&setup, &f.lab.error);
	assert_non_null(other);
	assert_true(plugin_ready.open(other, &f.lab.error));
	f.second = true;
	capture_begin(&capture);
	assert_true(is_answer(
		&f, "503 ", "first,talker\ntalker: pods: 403\ntalker: slices: not yet\ntalker: pods: cut"));
	f.first = true;
	*why = '\0';
	assert_true(is_answer(&f, "503 ", "talker\ntalker: pods: cut"));
	*other_why = '\0';
	assert_true(is_answer(&f, "200 ", "OK"));
	text = capture_end(&capture);
	assert_string_equal(text, "[INFO] plugin/ready: Plugins not ready: \"first,talker\"\n"
				  "[INFO] plugin/ready: Plugins not ready: \"talker\"\n"
				  "[INFO] plugin/ready: Plugins not ready: \"talker\"\n");
	plugin_ready.close(other);
	end(&f);
}

/* At the end of the server it is the first to be gone. */
static void test_leave(void **state)
{
	struct fixture f = {.first = true};

	(void)state;
	begin(&f, "");
	plugin_ready.leave(f.lab.config);
	assert_int_equal(http_lab_connect(&f.http), -1);
	end(&f);
}

static void test_address_that_cannot_be_had(void **state)
{
	struct capture capture;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_ready, "ready 127.0.0.1:65536"));
	capture_begin(&capture);
	assert_true(plugin_ready.open(lab.config, &lab.error));
	assert_string_equal(capture_end(&capture), "[ERROR] plugin/ready: Failed to start ready handler: "
						   "listen tcp: address 65536: invalid port\n");
	lab_finish(&lab);
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"ready localhost", "address localhost: missing port in address"},
		{"ready :1 :2",
			"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending "
			"after ':2'"},
		{"ready {\nmonitor\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending "
			"after 'monitor'"},
		{"ready {\nmonitor always\n}",
			"Corefile:3 - Error during parsing: monitor type 'always' not supported"},
		{"ready {\nlameduck 5s\n}", "Corefile:3 - Error during parsing: unknown property 'lameduck'"},
		{"ready\nready", "Corefile:3 - Error during parsing: this plugin can only be used once per "
				 "Server Block"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_ready, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_until_ready),
		cmocka_unit_test(test_continuously),
		cmocka_unit_test(test_two_blocks),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_address_that_cannot_be_had),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
