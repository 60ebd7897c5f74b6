/* acl: which policy fits which query, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_acl;

static enum verdict answer(void *self, struct request *r)
{
	(void)self;
	request_reply(r, RCODE_NOERROR, FLAG_RA);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_below = {.name = "below", .serve = answer};

static const struct link links[] = {{0}, {&plugin_below, NULL, 0}};

#define ALLOWED	 "NOERROR rd ra"
#define BLOCKED	 "REFUSED rd + . 32768 OPT"
#define FILTERED "NOERROR rd + . 32768 OPT"
#define DROPPED	 ""

static void check(
	const char *directive, const char *client, const char *name, uint16_t type, const char *reply)
{
	struct lab lab;
	char text[256];

	if (!lab_read(&lab, &plugin_acl, directive))
		fail_msg("%s", lab.error.message);
	assert_true(plugin_acl.open(lab.config, &lab.error));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.client = client;
	if (lab_ask(&lab, name, type) == VERDICT_DROP)
		assert_string_equal(DROPPED, reply);
	else
		assert_string_equal(lab_reply(&lab, text, sizeof(text)), reply);
	lab_finish(&lab);
}

static void test_policies(void **state)
{
	static const struct {
		const char *directive, *client, *name;
		uint16_t type;
		const char *reply;
	} table[] = {
		{"acl", "192.0.2.1", "www.example", TYPE_A, ALLOWED},
		{"acl {\nblock\n}", "192.0.2.1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nFilter\n}", "192.0.2.1", "www.example", TYPE_A, FILTERED},
		{"acl {\ndrop\n}", "192.0.2.1", "www.example", TYPE_A, DROPPED},
		/* By type. */
		{"acl {\nblock type A MX\n}", "192.0.2.1", "www.example", TYPE_MX, BLOCKED},
		{"acl {\nblock type A MX\n}", "192.0.2.1", "www.example", TYPE_AAAA, ALLOWED},
		{"acl {\nblock type A type MX\n}", "192.0.2.1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock TYPE A *\n}", "192.0.2.1", "www.example", TYPE_AAAA, BLOCKED},
		/* By source; what stands behind a star does not count. */
		{"acl {\nblock net 192.0.2.0/24\n}", "192.0.2.1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock net 192.0.2.0/24\n}", "192.0.3.1", "www.example", TYPE_A, ALLOWED},
		{"acl {\nblock net 192.0.2.0/24\n}", "2001:db8::1", "www.example", TYPE_A, ALLOWED},
		{"acl {\nblock net 0.0.0.0/0\n}", "2001:db8::1", "www.example", TYPE_A, ALLOWED},
		{"acl {\nblock net ::/0\n}", "192.0.2.1", "www.example", TYPE_A, ALLOWED},
		{"acl {\nblock net *\n}", "2001:db8::1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock net * x\n}", "192.0.2.1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock net 192.0.2.2 2001:db8::1\n}", "2001:db8::1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock net 192.0.2.2 2001:db8::1\n}", "192.0.2.2", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock net 192.0.2.2 2001:db8::1\n}", "192.0.2.3", "www.example", TYPE_A, ALLOWED},
		/* Both have to fit. */
		{"acl {\nblock net 192.0.2.1 type A\n}", "192.0.2.1", "www.example", TYPE_A, BLOCKED},
		{"acl {\nblock net 192.0.2.1 type A\n}", "192.0.2.1", "www.example", TYPE_MX, ALLOWED},
		{"acl {\nblock net 192.0.2.1 type A\n}", "192.0.2.2", "www.example", TYPE_A, ALLOWED},
		/* The first that fits decides. */
		{"acl {\nallow net 192.0.2.1\nblock\n}", "192.0.2.1", "www.example", TYPE_A, ALLOWED},
		{"acl {\nallow net 192.0.2.1\nblock\n}", "192.0.2.2", "www.example", TYPE_A, BLOCKED},
		/* Zones; several directives. */
		{"acl example.org {\nblock\n}", "192.0.2.1", "www.example", TYPE_A, ALLOWED},
		{"acl example.org {\nblock\n}", "192.0.2.1", "WWW.Example.ORG", TYPE_A, BLOCKED},
		{"acl example {\nfilter type A\n}\nacl {\nblock\n}", "192.0.2.1", "a.example", TYPE_A,
			FILTERED},
		{"acl example {\nfilter type A\n}\nacl {\nblock\n}", "192.0.2.1", "a.example", TYPE_MX,
			BLOCKED},
		{"acl example {\nallow\n}\nacl {\nblock\n}", "192.0.2.1", "a.example", TYPE_A, ALLOWED},
		{"acl 10.0.0.0/8 {\nblock\n}", "192.0.2.1", "1.2.3.10.in-addr.arpa", TYPE_PTR, BLOCKED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
		check(table[i].directive, table[i].client, table[i].name, table[i].type, table[i].reply);
}

/* The OPT record of a refusal: the client's size, DO, and the code of RFC 8914, but no other option. */
static void test_extended_error(void **state)
{
	static const struct {
		const char *directive;
		uint16_t payload;
		const char *opt;
	} table[] = {
		{"acl {\nblock\n}", 0, "\0\0\x29\x10\0\0\0\x80\0\0\6\0\x0f\0\2\0\x0f"},
		{"acl {\nfilter\n}", 0, "\0\0\x29\x10\0\0\0\x80\0\0\6\0\x0f\0\2\0\x11"},
		{"acl {\nblock\n}", 1232, "\0\0\x29\4\xd0\0\0\x80\0\0\6\0\x0f\0\2\0\x0f"},
	};
	const size_t length = 17;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_acl, table[i].directive));
		assert_true(plugin_acl.open(lab.config, &lab.error));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		lab.payload = table[i].payload;
		assert_int_equal(lab_ask(&lab, "www.example", TYPE_A), VERDICT_ANSWERED);
		assert_int_equal(lab.request->reply.length, lab.request->question.end + length);
		assert_int_equal(lab.request->opt_length, length);
		assert_memory_equal(lab.request->wire + lab.request->question.end, table[i].opt, length);
		lab_finish(&lab);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"acl {\ndeny\n}", "unexpected token \"deny\"; expect 'allow', 'block', 'filter' or 'drop'"},
		{"acl {\nblock from *\n}", "unexpected token \"from\"; expect 'type | net'"},
		{"acl {\nblock type\n}", "no token specified in \"type\" section"},
		{"acl {\nblock type A NET\n}", "no token specified in \"net\" section"},
		{"acl {\nblock type net *\n}", "no token specified in \"type\" section"},
		{"acl {\nblock type A Mx\n}", "unexpected token \"Mx\"; expect legal QTYPE"},
		{"acl {\nblock type NOTHING\n}", "unexpected token \"NOTHING\"; expect legal QTYPE"},
		{"acl {\nblock net 10.0.0\n}", "illegal CIDR notation \"10.0.0/32\""},
		{"acl {\nblock net ::x\n}", "illegal CIDR notation \"::x/128\""},
		{"acl {\nblock net 10.0.0.0/33\n}", "illegal CIDR notation \"10.0.0.0/33\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		char message[256];
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_acl, table[i].directive));
		snprintf(message, sizeof(message), "Corefile:3 - Error during parsing: %s", table[i].message);
		assert_string_equal(lab.error.message, message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_extended_error),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
