/* local: what exists, what does not, and whose SOA record says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/log.h"

extern const struct plugin plugin_local;

static enum verdict serve_below(void *self, struct request *r)
{
	(void)self;
	request_fail(r, RCODE_REFUSED, "%s", "not mine");
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_below = {.name = "below", .serve = serve_below};
static const struct link links[] = {{0}, {&plugin_below, NULL, 0}};

#define SOA "604800 SOA"

static const struct {
	const char *directive, *name;
	uint16_t type;
	const char *reply;
} table[] = {
	{"local", "localhost", TYPE_A, "NOERROR rd: localhost. 604800 A 127.0.0.1"},
	{"local", "LocalHost", TYPE_AAAA, "NOERROR rd: LocalHost. 604800 AAAA ::1"},
	{"local", "localhost", TYPE_NS, "NOERROR rd: localhost. 604800 NS localhost."},
	{"local", "localhost", TYPE_SOA, "NOERROR rd: localhost. " SOA},
	{"local", "localhost", TYPE_MX, "NOERROR rd / localhost. " SOA},
	{"local", "a.b.localhost", TYPE_A, "NOERROR rd: a.b.localhost. 604800 A 127.0.0.1"},
	{"local", "a.b.localhost", TYPE_NS, "NOERROR rd / a.b.localhost. " SOA},
	{"local", "localhost.example.org", TYPE_AAAA, "NOERROR rd: localhost.example.org. 604800 AAAA ::1"},
	{"local", "localhost.Example.org", TYPE_TXT, "NOERROR rd / localhost.Example.org. " SOA},
	{"local", "localhost.127.in-addr.arpa", TYPE_A,
		"NOERROR rd: localhost.127.in-addr.arpa. 604800 A 127.0.0.1"},
	{"local", "1.0.0.127.in-addr.arpa", TYPE_PTR,
		"NOERROR rd: 1.0.0.127.in-addr.arpa. 604800 PTR localhost."},
	{"local", "1.0.0.127.IN-addr.arpa", TYPE_A, "NOERROR rd / 127.IN-addr.arpa. " SOA},
	{"local", "2.0.0.127.in-addr.arpa", TYPE_PTR, "NXDOMAIN rd / 127.in-addr.arpa. " SOA},
	{"local", "1.255.in-addr.arpa", TYPE_NS, "NXDOMAIN rd / 255.in-addr.arpa. " SOA},
	{"local", "127.in-addr.arpa", TYPE_SOA, "NOERROR rd: 127.in-addr.arpa. " SOA},
	{"local", "0.in-addr.arpa", TYPE_NS, "NOERROR rd: 0.in-addr.arpa. 604800 NS localhost."},
	{"local", "255.in-addr.arpa", TYPE_A, "NOERROR rd / 255.in-addr.arpa. " SOA},
	/* Not local. */
	{"local", "mylocalhost", TYPE_A, "REFUSED rd"},
	{"local", "localhosts.example.org", TYPE_A, "REFUSED rd"},
	{"local", "1.10.in-addr.arpa", TYPE_PTR, "REFUSED rd"},
	{"local {\nlocalhost_prefix on\nlocalhost_prefix off\n}", "localhost.example.org", TYPE_A,
		"REFUSED rd"},
	{"local {\nlocalhost_prefix off\n}", "x.localhost", TYPE_A,
		"NOERROR rd: x.localhost. 604800 A 127.0.0.1"},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;
		char reply[512];

		assert_true(lab_read(&lab, &plugin_local, table[i].directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		assert_int_equal(lab_ask(&lab, table[i].name, table[i].type), VERDICT_ANSWERED);
		assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), table[i].reply);
		lab_finish(&lab);
	}
}

static void test_soa(void **state)
{
	static const char data[] = "\11localhost\0\4root\11localhost\0"
				   "\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\11\x3a\x80";
	struct lab lab;
	const struct writer *w;

	(void)state;
	assert_true(lab_read(&lab, &plugin_local, "local"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab_ask(&lab, "localhost", TYPE_SOA);
	w = &lab.request->reply;
	assert_memory_equal(w->wire + w->length - (sizeof(data) - 1), data, sizeof(data) - 1);
	lab_finish(&lab);
}

/* Names that only a search list or a mistake brings here are told, with who asked. */
static void test_debug_log(void **state)
{
	struct capture capture;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_local, "local"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	capture_begin(&capture);
	lab_ask(&lab, "x.localhost", TYPE_A);
	log_set_debug(true);
	lab_ask(&lab, "localhost", TYPE_A);
	lab_ask(&lab, "localhost.example.org", TYPE_AAAA);
	log_set_debug(false);
	assert_string_equal(capture_end(&capture), "[DEBUG] plugin/local: Intercepting localhost query for "
						   "\"localhost.example.org.\" AAAA, from "
						   "192.0.2.1\n");
	lab_finish(&lab);
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_local, "local\nlocal {\n}", NULL);
	lab_assert_setup(&plugin_local, "local example.org",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'example.org'");
	lab_assert_setup(&plugin_local, "local {\nlocalhost_prefix yes\n}",
		"Corefile:3 - Error during parsing: localhost_prefix expects 'on' or 'off', got \"yes\"");
	lab_assert_setup(&plugin_local, "local {\nlocalhost_prefix\n}",
		"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'localhost_prefix'");
	lab_assert_setup(&plugin_local, "local {\nlocalhost_prefix on off\n}",
		"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'off'");
	lab_assert_setup(&plugin_local, "local {\nttl 60\n}",
		"Corefile:3 - Error during parsing: unknown property 'ttl'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_soa),
		cmocka_unit_test(test_debug_log),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
