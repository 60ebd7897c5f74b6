/* any: questions for all types, and none else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_any;

static enum verdict serve_below(void *self, struct request *r)
{
	(void)self;
	request_fail(r, RCODE_REFUSED, "%s", "not mine");
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_below = {.name = "below", .serve = serve_below};
static const struct link links[] = {{0}, {&plugin_below, NULL, 0}};

static void test_answers(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		const char *reply;
	} table[] = {
		{"example.org", TYPE_ANY,
			"NOERROR rd: example.org. 8482 HINFO \"ANY obsoleted\" \"See RFC 8482\""},
		{"Example.ORG", TYPE_ANY,
			"NOERROR rd: Example.ORG. 8482 HINFO \"ANY obsoleted\" \"See RFC 8482\""},
		{".", TYPE_ANY, "NOERROR rd: . 8482 HINFO \"ANY obsoleted\" \"See RFC 8482\""},
		{"example.org", TYPE_A, "REFUSED rd"},
		{"example.org", TYPE_HINFO, "REFUSED rd"},
	};
	struct lab lab;
	char reply[512];

	(void)state;
	assert_true(lab_read(&lab, &plugin_any, "any"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		assert_int_equal(lab_ask(&lab, table[i].name, table[i].type), VERDICT_ANSWERED);
		assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), table[i].reply);
	}
	lab_finish(&lab);
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_any, "any", NULL);
	lab_assert_setup(&plugin_any, "any example.org",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'example.org'");
	lab_assert_setup(&plugin_any, "any {\nttl 60\n}",
		"Corefile:2 - Error during parsing: Unexpected token '{', expecting argument");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
