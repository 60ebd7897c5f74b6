/* Which label selectors are taken, and what they match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cluster/labels.h"

static void test_matches(void **state)
{
	/* The object: app=web tier=front env= example.com/team=shop */
	static const struct {
		const char *selector;
		bool matches;
	} cases[] = {
		{"", true},
		{"  ", true},
		{"app=web", true},
		{"app==web", true},
		{" app = web ", true},
		{"app=db", false},
		{"app=we", false},
		{"app=webs", false},
		{"ap=web", false},
		{"app=web,tier=front", true},
		{"app=web,tier=back", false},
		{"app=web , tier in (front, back)", true},
		{"tier in (back,other)", false},
		{"tier in (front)", true},
		{"tier notin (back)", true},
		{"tier notin (back, front)", false},
		{"missing notin (a)", true},
		{"missing in (a)", false},
		{"missing in ()", false},
		{"app", true},
		{"missing", false},
		{"!missing", true},
		{"! app", false},
		{"app,!missing,env", true},
		{"env=", true},
		{"env=,app=web", true},
		{"app=", false},
		{"env in (,)", true},
		{"env in (a,)", true},
		{"env in (a)", false},
		{"example.com/team=shop", true},
		{"example.com/team=web", false},
		{"in=x", false},
		{"in in (in, notin)", false},
		{"app=in", false},
		/* As in CoreDNS, which keeps "key = value" in a map, the last one for a key counts. */
		{"app=db,app=web", true},
		{"app=web,app=db", false},
		{"app in (web),app=web", true},
	};
	struct labels labels = {0};
	struct error error = {""};

	(void)state;
	labels_add(&labels, "app", "web", 3);
	labels_add(&labels, "tier", "front", 5);
	labels_add(&labels, "env", "", 0);
	labels_add(&labels, "example.com/team", "shop", 4);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct selector *selector = NULL;

		if (!selector_parse(cases[i].selector, &selector, &error))
			fail_msg("%s: %s", cases[i].selector, error.message);
		if (selector_matches(selector, &labels) != cases[i].matches)
			fail_msg("%s", cases[i].selector);
		selector_free(selector);
	}
	labels_finish(&labels);
}

static void test_refuses(void **state)
{
	static const struct {
		const char *selector, *error; /* how the error ends */
	} cases[] = {
		{"app!=legacy", "\"!=\" is not a valid label selector operator"},
		{"app=web,app!=legacy", "\"!=\" is not a valid label selector operator"},
		{"app>3", "\"gt\" isn't supported in label selectors"},
		{"app<3", "\"lt\" isn't supported in label selectors"},
		{"app=web,", "found '', expected: identifier after ','"},
		{",", "found ',', expected: !, identifier, or 'end of string'"},
		{"=a", "found '=', expected: !, identifier, or 'end of string'"},
		{"!", "unable to parse requirement: found '', expected: identifier"},
		{"app web",
			"unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"},
		{"app=a=b", "found '=', expected: ',' or 'end of string'"},
		{"!app=a", "found '=', expected: ',' or 'end of string'"},
		{"app in", "found '' expected: '('"}, {"app in a", "found 'a' expected: '('"},
		{"app in (a", "found '', expected: ',' or ')'"},
		{"app in (a b)", "found 'b', expected: ',' or ')'"},
		{"app in (=)", "found '=', expected: ',', ')' or identifier"},
		{"app!=", "\"!=\" is not a valid label selector operator"}, {"a/b/c=d", NULL}, {"/c=d", NULL},
		{"EXAMPLE.com/c=d", NULL}, {"-app=web", NULL}, {"app=-web", NULL}, {"app=w:b", NULL},
		{"app in (a, b:c)", NULL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b", NULL}, /* 64 octets */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct selector *selector = NULL;
		struct error error = {""};
		size_t length;

		if (selector_parse(cases[i].selector, &selector, &error))
			fail_msg("taken: %s", cases[i].selector);
		assert_null(selector);
		length = strlen(error.message);
		assert_true(length > 0);
		if (cases[i].error &&
			(length < strlen(cases[i].error) ||
				strcmp(error.message + length - strlen(cases[i].error), cases[i].error) != 0))
			fail_msg("%s: %s", cases[i].selector, error.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
