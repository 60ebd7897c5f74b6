/* hosts: lines of a file and of the Corefile, what is found of them, and what passes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/buffer.h"

extern const struct plugin plugin_hosts;

struct fixture {
	struct lab lab;
	char path[32];
	char reply[4096];
};

/* Below hosts: "REFUSED" tells that a query has passed. */
static enum verdict serve_below(void *self, struct request *r)
{
	(void)self;
	return request_fail(r, RCODE_REFUSED, "%s", "");
}

static const struct plugin plugin_below = {.name = "below", .serve = serve_below};

static void write_file(const char *path, const char *octets, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(octets, 1, length, file), length);
	fclose(file);
}

/* zones: behind the file's name. */
static void start_octets(
	struct fixture *f, const char *octets, size_t length, const char *zones, const char *properties)
{
	const struct link links[] = {{0}, {&plugin_below, NULL, 0}};
	char directive[1024];
	int fd;

	strcpy(f->path, "/tmp/svcdns-test-XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	write_file(f->path, octets, length);
	snprintf(directive, sizeof(directive), "hosts %s %s {\n%s\n}", f->path, zones, properties);
	if (!lab_read(&f->lab, &plugin_hosts, directive))
		fail_msg("%s", f->lab.error.message);
	assert_true(plugin_hosts.open(f->lab.config, &f->lab.error));
	lab_start(&f->lab, links, ARRAY_LENGTH(links));
}

static void start(struct fixture *f, const char *text, const char *zones, const char *properties)
{
	start_octets(f, text, strlen(text), zones, properties);
}

static void finish(struct fixture *f)
{
	unlink(f->path);
	lab_finish(&f->lab);
}

static const char *ask(struct fixture *f, const char *name, uint16_t type)
{
	assert_int_equal(lab_ask(&f->lab, name, type), VERDICT_ANSWERED);
	assert_string_equal(f->lab.request->error, "");
	return lab_reply(&f->lab, f->reply, sizeof(f->reply));
}

struct look_up {
	const char *name;
	uint16_t type;
	const char *reply;
};

static void check(const char *text, const char *zones, const char *properties,
	const struct look_up *questions, size_t count)
{
	struct fixture f;

	start(&f, text, zones, properties);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(ask(&f, questions[i].name, questions[i].type), questions[i].reply);
	finish(&f);
}

#define CHECK(text, zones, properties, ...)                                                                  \
	do {                                                                                                 \
		static const struct look_up questions[] = {__VA_ARGS__};                                     \
		check(text, zones, properties, questions, ARRAY_LENGTH(questions));                          \
	} while (0)

#define PASSED "REFUSED rd"
#define FAILED "SERVFAIL rd"
#define EMPTY  "NOERROR aa rd"

static void test_addresses_and_names(void **state)
{
	(void)state;
	CHECK("10.0.0.2 web.test www.test\n"
	      "10.0.0.1 web.test\n"
	      "2001:db8::1 web.test\n",
		"", "",
		{"web.test", TYPE_A, "NOERROR aa rd: web.test. 3600 A 10.0.0.2; web.test. 3600 A 10.0.0.1"},
		{"web.test", TYPE_AAAA, "NOERROR aa rd: web.test. 3600 AAAA 2001:db8::1"},
		{"www.test", TYPE_A, "NOERROR aa rd: www.test. 3600 A 10.0.0.2"},
		{"2.0.0.10.in-addr.arpa", TYPE_PTR,
			"NOERROR aa rd: 2.0.0.10.in-addr.arpa. 3600 PTR web.test.; "
			"2.0.0.10.in-addr.arpa. 3600 PTR www.test."},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", TYPE_PTR,
			"NOERROR aa rd: "
			"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. "
			"3600 PTR web.test."});
}

/* A name that is there has no other types, and fails nobody; one that is not fails, without a word to errors.
 */
static void test_what_is_not_there(void **state)
{
	(void)state;
	CHECK("10.0.0.1 web.test\n", "", "", {"web.test", TYPE_AAAA, EMPTY}, {"web.test", TYPE_TXT, EMPTY},
		{"web.test", TYPE_SOA, EMPTY}, {"web.test", TYPE_ANY, EMPTY}, {"w.test", TYPE_A, FAILED},
		{"test", TYPE_A, FAILED}, {".", TYPE_A, FAILED}, {"x.web.test", TYPE_A, FAILED},
		{"w.test", TYPE_TXT, FAILED}, {"1.0.0.10.in-addr.arpa", TYPE_A, FAILED},
		/* No address, an unknown one, and a name: PTR passes in any case. */
		{"10.in-addr.arpa", TYPE_PTR, PASSED}, {"2.0.0.10.in-addr.arpa", TYPE_PTR, PASSED},
		{"web.test", TYPE_PTR, PASSED});
	CHECK("", "", "", {"web.test", TYPE_A, FAILED}, {"1.0.0.10.in-addr.arpa", TYPE_PTR, PASSED});
}

static void test_letters(void **state)
{
	(void)state;
	CHECK("10.0.0.1 WEB.Test\n", "", "", {"web.test", TYPE_A, "NOERROR aa rd: web.test. 3600 A 10.0.0.1"},
		{"wEb.tEST", TYPE_A, "NOERROR aa rd: web.test. 3600 A 10.0.0.1"},
		{"1.0.0.10.IN-Addr.ARPA", TYPE_PTR,
			"NOERROR aa rd: 1.0.0.10.in-addr.arpa. 3600 PTR web.test."});
}

static void test_lines(void **state)
{
	(void)state;
	CHECK("# 10.0.0.1 a.test\n"
	      "10.0.0.2 b.test # c.test\n"
	      "10.0.0.3 d.test#e.test\n"
	      " \t10.0.0.4\tf.test  g.test.\t\r\n"
	      "\n"
	      "10.0.0.5\n"
	      "10.0.0.256 h.test\n"
	      "nonsense i.test\n"
	      "10.0.0 j.test\n"
	      "10.0.0.06 k.test\n"
	      "10.0.0.7 l..test m.test \\300.test "
	      "1234567890123456789012345678901234567890123456789012345678901234.test n.test\n"
	      "10.0.0.8 _o.test p\\.q.test r\n"
	      "10.0.0.9 last.test",
		"", "", {"a.test", TYPE_A, FAILED},
		{"b.test", TYPE_A, "NOERROR aa rd: b.test. 3600 A 10.0.0.2"}, {"c.test", TYPE_A, FAILED},
		{"d.test", TYPE_A, "NOERROR aa rd: d.test. 3600 A 10.0.0.3"}, {"e.test", TYPE_A, FAILED},
		{"f.test", TYPE_A, "NOERROR aa rd: f.test. 3600 A 10.0.0.4"},
		{"g.test", TYPE_A, "NOERROR aa rd: g.test. 3600 A 10.0.0.4"}, {"h.test", TYPE_A, FAILED},
		{"i.test", TYPE_A, FAILED}, {"j.test", TYPE_A, FAILED}, {"k.test", TYPE_A, FAILED},
		{"m.test", TYPE_A, "NOERROR aa rd: m.test. 3600 A 10.0.0.7"},
		{"n.test", TYPE_A, "NOERROR aa rd: n.test. 3600 A 10.0.0.7"},
		{"_o.test", TYPE_A, "NOERROR aa rd: _o.test. 3600 A 10.0.0.8"},
		{"p\\.q.test", TYPE_A, "NOERROR aa rd: p\\.q.test. 3600 A 10.0.0.8"},
		{"r", TYPE_A, "NOERROR aa rd: r. 3600 A 10.0.0.8"},
		{"last.test", TYPE_A, "NOERROR aa rd: last.test. 3600 A 10.0.0.9"});
}

/* A damaged file is read to its end. */
static void test_nul_octet(void **state)
{
	static const char text[] = "10.0.0.1 a.test\n10.0.0.2 b\0.test c.test\n\0\n10.0.0.3 d.test\n";
	struct fixture f;

	(void)state;
	start_octets(&f, text, sizeof(text) - 1, "", "");
	assert_string_equal(ask(&f, "a.test", TYPE_A), "NOERROR aa rd: a.test. 3600 A 10.0.0.1");
	assert_string_equal(ask(&f, "b", TYPE_A), FAILED);
	assert_string_equal(ask(&f, "c.test", TYPE_A), "NOERROR aa rd: c.test. 3600 A 10.0.0.2");
	assert_string_equal(ask(&f, "d.test", TYPE_A), "NOERROR aa rd: d.test. 3600 A 10.0.0.3");
	finish(&f);
}

/* Longer than CoreDNS' 64 KiB, at which it stops reading. */
static void test_long_lines(void **state)
{
	struct buffer text;
	struct fixture f;

	(void)state;
	buffer_init(&text);
	buffer_text(&text, "10.0.0.1");
	for (unsigned i = 0; i < 10000; i++)
		buffer_format(&text, " n%u.test", i);
	buffer_format(&text, "\n#%01000000d\n10.0.0.2 last.test\n", 0);
	start_octets(&f, text.bytes, text.length, "", "");
	assert_string_equal(ask(&f, "n0.test", TYPE_A), "NOERROR aa rd: n0.test. 3600 A 10.0.0.1");
	assert_string_equal(ask(&f, "n9999.test", TYPE_A), "NOERROR aa rd: n9999.test. 3600 A 10.0.0.1");
	assert_string_equal(ask(&f, "last.test", TYPE_A), "NOERROR aa rd: last.test. 3600 A 10.0.0.2");
	/* There are more names of that address than a message has room for. */
	f.lab.transport = TRANSPORT_TCP;
	assert_int_equal(lab_ask(&f.lab, "1.0.0.10.in-addr.arpa", TYPE_PTR), VERDICT_ANSWERED);
	assert_true(message_flags(f.lab.request->wire) & FLAG_TC);
	assert_in_range(message_count(f.lab.request->wire, 1), 1000, 9999);
	finish(&f);
	buffer_finish(&text);
}

static void test_forms_of_addresses(void **state)
{
	(void)state;
	CHECK("::1 a.test\n"
	      "2001:DB8:0:0:0:0:0:1 b.test\n"
	      "::ffff:10.0.0.1 c.test\n"
	      "fe80::1%eth0 d.test\n"
	      "2001:db8::10.0.0.1 e.test\n"
	      "10.0.0.2%eth0 f.test\n"
	      "::ffff:0a00:3 g.test\n"
	      "[::2] h.test\n"
	      "2001:db8::1::1 i.test\n"
	      "2001:db8::12345 j.test\n",
		"", "", {"a.test", TYPE_AAAA, "NOERROR aa rd: a.test. 3600 AAAA ::1"},
		{"b.test", TYPE_AAAA, "NOERROR aa rd: b.test. 3600 AAAA 2001:db8::1"},
		{"c.test", TYPE_A, "NOERROR aa rd: c.test. 3600 A 10.0.0.1"}, {"c.test", TYPE_AAAA, EMPTY},
		{"d.test", TYPE_AAAA, "NOERROR aa rd: d.test. 3600 AAAA fe80::1"},
		{"e.test", TYPE_AAAA, "NOERROR aa rd: e.test. 3600 AAAA 2001:db8::a00:1"},
		{"f.test", TYPE_A, "NOERROR aa rd: f.test. 3600 A 10.0.0.2"},
		{"g.test", TYPE_A, "NOERROR aa rd: g.test. 3600 A 10.0.0.3"}, {"h.test", TYPE_AAAA, FAILED},
		{"i.test", TYPE_AAAA, FAILED}, {"j.test", TYPE_AAAA, FAILED},
		{"1.0.0.10.in-addr.arpa", TYPE_PTR, "NOERROR aa rd: 1.0.0.10.in-addr.arpa. 3600 PTR c.test."},
		/* The reverse name of the other form means the same address. */
		{"1.0.0.0.0.0.a.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", TYPE_PTR,
			"NOERROR aa rd: "
			"1.0.0.0.0.0.a.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. "
			"3600 PTR c.test."},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa", TYPE_PTR,
			"NOERROR aa rd: "
			"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa. "
			"3600 PTR d.test."},
		{"01.0.0.10.in-addr.arpa", TYPE_PTR, PASSED},
		{"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa", TYPE_PTR,
			PASSED});
}

static void test_wildcards(void **state)
{
	(void)state;
	CHECK("10.0.0.1 *.wild.test\n"
	      "fd00::1 *.wild.test\n"
	      "10.0.0.2 own.wild.test\n"
	      "10.0.0.3 *.deep.wild.test\n"
	      "10.0.0.4 *\n"
	      "10.0.0.5 a.*.wild.test\n"
	      "10.0.0.6 *x.test\n",
		"", "", {"a.wild.test", TYPE_A, "NOERROR aa rd: a.wild.test. 3600 A 10.0.0.1"},
		{"A.wild.test", TYPE_AAAA, "NOERROR aa rd: a.wild.test. 3600 AAAA fd00::1"},
		{"a.wild.test", TYPE_TXT, EMPTY},
		{"*.wild.test", TYPE_A, "NOERROR aa rd: *.wild.test. 3600 A 10.0.0.1"},
		/* One label, neither none nor two. */
		{"wild.test", TYPE_A, FAILED}, {"a.b.wild.test", TYPE_A, FAILED},
		{"deep.wild.test", TYPE_A, "NOERROR aa rd: deep.wild.test. 3600 A 10.0.0.1"},
		{"a.deep.wild.test", TYPE_A, "NOERROR aa rd: a.deep.wild.test. 3600 A 10.0.0.3"},
		/* A name with an entry of its own has nothing of it. */
		{"own.wild.test", TYPE_A, "NOERROR aa rd: own.wild.test. 3600 A 10.0.0.2"},
		{"own.wild.test", TYPE_AAAA, EMPTY},
		/* A star alone stands for nothing, as in CoreDNS; within a name, or with more behind it, it
		 * is a letter like others. */
		{"com", TYPE_A, FAILED}, {"*", TYPE_A, FAILED}, {"a.b.wild.test", TYPE_A, FAILED},
		{"a.*.wild.test", TYPE_A, "NOERROR aa rd: a.*.wild.test. 3600 A 10.0.0.5"},
		{"ax.test", TYPE_A, FAILED}, {"*x.test", TYPE_A, "NOERROR aa rd: *x.test. 3600 A 10.0.0.6"},
		/* No PTR. */
		{"1.0.0.10.in-addr.arpa", TYPE_PTR, PASSED}, {"4.0.0.10.in-addr.arpa", TYPE_PTR, PASSED});
}

/* The file comes first; a wildcard of one of the two has no name that has an entry in the other. */
static void test_file_and_lines(void **state)
{
	(void)state;
	CHECK("10.0.0.1 web.test\n"
	      "10.0.0.9 *.apps.test\n"
	      "10.0.0.3 only.file.test\n",
		"",
		"10.0.0.2 web.test inline.test # comment\n"
		"10.0.0.8 own.apps.test\n"
		"10.0.0.7 *.file.test\n"
		"nonsense\n"
		"fd00::2 *.apps.test",
		{"web.test", TYPE_A, "NOERROR aa rd: web.test. 3600 A 10.0.0.1; web.test. 3600 A 10.0.0.2"},
		{"inline.test", TYPE_A, "NOERROR aa rd: inline.test. 3600 A 10.0.0.2"},
		{"a.apps.test", TYPE_A, "NOERROR aa rd: a.apps.test. 3600 A 10.0.0.9"},
		{"a.apps.test", TYPE_AAAA, "NOERROR aa rd: a.apps.test. 3600 AAAA fd00::2"},
		{"own.apps.test", TYPE_A, "NOERROR aa rd: own.apps.test. 3600 A 10.0.0.8"},
		{"own.apps.test", TYPE_AAAA, EMPTY},
		{"only.file.test", TYPE_A, "NOERROR aa rd: only.file.test. 3600 A 10.0.0.3"},
		{"other.file.test", TYPE_A, "NOERROR aa rd: other.file.test. 3600 A 10.0.0.7"},
		{"2.0.0.10.in-addr.arpa", TYPE_PTR,
			"NOERROR aa rd: 2.0.0.10.in-addr.arpa. 3600 PTR web.test.; "
			"2.0.0.10.in-addr.arpa. 3600 PTR inline.test."});
}

static void test_properties(void **state)
{
	(void)state;
	CHECK("10.0.0.1 web.test\n", "", "ttl 60",
		{"web.test", TYPE_A, "NOERROR aa rd: web.test. 60 A 10.0.0.1"},
		{"1.0.0.10.in-addr.arpa", TYPE_PTR,
			"NOERROR aa rd: 1.0.0.10.in-addr.arpa. 60 PTR web.test."});
	CHECK("10.0.0.1 web.test\n", "", "10.0.0.2 inline.test\nno_reverse",
		{"web.test", TYPE_A, "NOERROR aa rd: web.test. 3600 A 10.0.0.1"},
		{"1.0.0.10.in-addr.arpa", TYPE_PTR, PASSED}, {"2.0.0.10.in-addr.arpa", TYPE_PTR, PASSED});
	CHECK("10.0.0.1 web.test\n", "", "fallthrough", {"web.test", TYPE_AAAA, EMPTY},
		{"web.test", TYPE_TXT, EMPTY}, {"w.test", TYPE_A, PASSED}, {"w.test", TYPE_TXT, PASSED});
	CHECK("10.0.0.1 web.test\n", "", "fallthrough a.test b.test", {"w.test", TYPE_A, FAILED},
		{"w.a.test", TYPE_A, PASSED}, {"b.test", TYPE_TXT, PASSED}, {"ab.test", TYPE_A, FAILED});
	CHECK("10.0.0.1 web.test web.a.test\n", "", "fallthrough_unsupported\nfallthrough a.test",
		{"web.a.test", TYPE_A, "NOERROR aa rd: web.a.test. 3600 A 10.0.0.1"},
		{"web.a.test", TYPE_AAAA, EMPTY}, {"web.a.test", TYPE_TXT, PASSED},
		{"w.a.test", TYPE_TXT, PASSED}, {"web.test", TYPE_TXT, EMPTY}, {"w.test", TYPE_TXT, FAILED});
}

/* Entries outside of the zones are left out; addresses count wherever they are. */
static void test_zones(void **state)
{
	(void)state;
	CHECK("10.0.0.1 web.a.test web.b.test a.test\n", "a.test 0.10.in-addr.arpa", "",
		{"web.a.test", TYPE_A, "NOERROR aa rd: web.a.test. 3600 A 10.0.0.1"},
		{"a.test", TYPE_A, "NOERROR aa rd: a.test. 3600 A 10.0.0.1"}, {"w.a.test", TYPE_A, FAILED},
		{"web.b.test", TYPE_A, PASSED}, {"w.b.test", TYPE_TXT, PASSED}, {"test", TYPE_A, PASSED},
		{"1.0.0.10.in-addr.arpa", TYPE_PTR,
			"NOERROR aa rd: 1.0.0.10.in-addr.arpa. 3600 PTR web.a.test.; "
			"1.0.0.10.in-addr.arpa. 3600 PTR a.test."},
		{"1.0.0.10.in-addr.arpa", TYPE_A, FAILED}, {"1.0.1.10.in-addr.arpa", TYPE_A, PASSED});
}

static void test_setup(void **state)
{
#define LINE "Corefile:3 - Error during parsing: "
	static const struct {
		const char *properties, *message;
	} table[] = {
		{"ttl 1", NULL},
		{"ttl 65535", NULL},
		{"ttl 30 what else", NULL},
		{"ttl", LINE "ttl needs a time in second"},
		{"ttl 1m", LINE "ttl needs a number of second"},
		{"ttl 0", LINE "ttl provided is invalid"},
		{"ttl -1", LINE "ttl provided is invalid"},
		{"ttl 65536", LINE "ttl provided is invalid"},
		{"reload 0", NULL},
		{"reload 1h", NULL},
		{"reload", LINE "reload needs a duration (zero seconds to disable)"},
		{"reload 1s 2s", LINE "reload needs a duration (zero seconds to disable)"},
		{"reload 15", LINE "invalid duration for reload '15'"},
		{"reload -1s", LINE "invalid negative duration for reload '-1s'"},
		{"no_reverse at all", NULL},
		{"fallthrough\nfallthrough_unsupported", NULL},
		{"fallthrough_unsupported\nfallthrough", NULL},
		{"fallthrough_unsupported",
			"Corefile:4 - Error during parsing: fallthrough_unsupported requires fallthrough"},
		{"fallthrough\nfallthrough_unsupported x",
			"Corefile:4 - Error during parsing: Wrong argument count or unexpected line ending "
			"after 'x'"},
		{"timeout 5s", NULL}, /* a line of the table like any other */
		{"fallthrough\n10.0.0.1 a.test",
			"Corefile:4 - Error during parsing: unknown property '10.0.0.1'"},
	};
	char directive[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		snprintf(directive, sizeof(directive), "hosts /dev/null {\n%s\n}", table[i].properties);
		lab_assert_setup(&plugin_hosts, directive, table[i].message);
	}
	lab_assert_setup(&plugin_hosts, "hosts", NULL);
	lab_assert_setup(&plugin_hosts, "hosts /dev/null a.test 10.0.0.0/8", NULL);
	lab_assert_setup(&plugin_hosts, "hosts /dev/null/x",
		"Corefile:2 - Error during parsing: unable to access hosts file '/dev/null/x': Not a "
		"directory");
	lab_assert_setup(&plugin_hosts, "hosts /dev/null\nhosts /dev/null",
		"Corefile:3 - Error during parsing: this plugin can only be used once per Server Block");
}

static void test_warnings(void **state)
{
	static const char *const paths[] = {"/no/such/file", "/tmp"};
	static const char *const lines[] = {"[WARNING] plugin/hosts: File does not exist: /no/such/file\n",
		"[WARNING] plugin/hosts: Hosts file \"/tmp\" is a directory\n"};
	struct capture capture;
	char directive[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
		snprintf(directive, sizeof(directive), "hosts %s", paths[i]);
		capture_begin(&capture);
		lab_assert_setup(&plugin_hosts, directive, NULL);
		assert_string_equal(capture_end(&capture), lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_and_names),
		cmocka_unit_test(test_what_is_not_there),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_nul_octet),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_forms_of_addresses),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_file_and_lines),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_setup),
		cmocka_unit_test(test_warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
