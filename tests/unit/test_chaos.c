/* chaos: the five names, in class CH and type TXT only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_chaos;

static enum verdict serve_below(void *self, struct request *r)
{
	(void)self;
	request_fail(r, RCODE_REFUSED, "%s", "not mine");
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_below = {.name = "below", .serve = serve_below};
static const struct link links[] = {{0}, {&plugin_below, NULL, 0}};

static const char *ask(struct lab *lab, const char *name, char reply[1024])
{
	assert_int_equal(lab_ask(lab, name, TYPE_TXT), VERDICT_ANSWERED);
	return lab_reply(lab, reply, 1024);
}

static void start(struct lab *lab, const char *directive)
{
	assert_true(lab_read(lab, &plugin_chaos, directive));
	lab_start(lab, links, ARRAY_LENGTH(links));
	lab->class = CLASS_CH;
}

static void test_names(void **state)
{
	struct lab lab;
	char reply[1024], host[512], own[256];

	(void)state;
	assert_int_equal(gethostname(own, sizeof(own)), 0);
	start(&lab, "chaos \"server 1\" two \"A. U. Thor\" two");
	assert_string_equal(ask(&lab, "version.bind", reply), "NOERROR rd: version.bind. 0 TXT \"server 1\"");
	assert_string_equal(
		ask(&lab, "VERSION.server", reply), "NOERROR rd: VERSION.server. 0 TXT \"server 1\"");
	/* Sorted, and each once. */
	assert_string_equal(ask(&lab, "authors.bind", reply),
		"NOERROR rd: authors.bind. 0 TXT \"A. U. Thor\"; authors.bind. 0 TXT \"two\"");
	snprintf(host, sizeof(host), "NOERROR rd: id.server. 0 TXT \"%s\"", own);
	assert_string_equal(ask(&lab, "id.server", reply), host);
	snprintf(host, sizeof(host), "NOERROR rd: hostname.bind. 0 TXT \"%s\"", own);
	assert_string_equal(ask(&lab, "hostname.bind", reply), host);
	assert_string_equal(ask(&lab, "other.bind", reply), "REFUSED rd");
	assert_int_equal(lab_ask(&lab, "version.bind", TYPE_A), VERDICT_ANSWERED);
	assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), "REFUSED rd");
	lab.class = CLASS_IN;
	assert_string_equal(ask(&lab, "version.bind", reply), "REFUSED rd");
	lab_finish(&lab);
}

static void test_defaults(void **state)
{
	struct lab lab;
	char reply[1024];

	(void)state;
	start(&lab, "chaos");
	assert_string_equal(ask(&lab, "version.bind", reply),
		"NOERROR rd: version.bind. 0 TXT \"svcdns-" SVCDNS_VERSION "\"");
	assert_string_equal(
		ask(&lab, "authors.bind", reply), "NOERROR rd: authors.bind. 0 TXT \"The svcdns authors\"");
	lab_finish(&lab);
}

/* A character string holds 255 octets. */
static void test_long_text(void **state)
{
	struct lab lab;
	char reply[1024], directive[512], expected[512];

	(void)state;
	snprintf(directive, sizeof(directive), "chaos %0300d", 7);
	snprintf(expected, sizeof(expected), "NOERROR rd: version.bind. 0 TXT \"%0255d\"", 0);
	start(&lab, directive);
	assert_string_equal(ask(&lab, "version.bind", reply), expected);
	lab_finish(&lab);
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_chaos, "chaos v1 {\n}", NULL);
	lab_assert_setup(&plugin_chaos, "chaos v1\nchaos v2 {\nnothing\n}", NULL);
	lab_assert_setup(&plugin_chaos, "chaos v1 {\nauthor me\n}",
		"Corefile:3 - Error during parsing: unknown property 'author'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
