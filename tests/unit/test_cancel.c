/* cancel: how long a query may wait, as the plugins below see it, and those they ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_cancel;

#define NOW UINT64_C(1000)
#define MS  UINT64_C(1000000)

struct seen {
	uint64_t deadline, of_child;
};

static enum verdict serve_below(void *self, struct request *r)
{
	struct seen *seen = self;
	struct request *child = request_child(r, &r->question.name, TYPE_AAAA);

	seen->deadline = r->deadline;
	seen->of_child = child->deadline;
	request_release(child);
	request_reply(r, RCODE_NOERROR, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_below = {.name = "below", .serve = serve_below};

/* As if a query had come here that has a limit already. */
static enum verdict serve_above(void *self, struct request *r)
{
	r->deadline = *(const uint64_t *)self;
	return VERDICT_NEXT;
}

static const struct plugin plugin_above = {.name = "above", .serve = serve_above};

static void test_deadlines(void **state)
{
	static const struct {
		const char *directive;
		uint64_t above, below;
	} table[] = {
		{"cancel", UINT64_MAX, NOW + 5001 * MS},
		{"cancel 2s", UINT64_MAX, NOW + 2000 * MS},
		{"cancel 2s\ncancel 1ms", UINT64_MAX, NOW + MS},
		{"cancel 2s\ncancel", UINT64_MAX, NOW + 5001 * MS},
		{"cancel 1ms", NOW + 2 * MS, NOW + MS},
		{"cancel 3ms", NOW + 2 * MS, NOW + 2 * MS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		uint64_t above = table[i].above;
		struct seen seen;
		const struct link links[] = {{&plugin_above, &above, 0}, {0}, {&plugin_below, &seen, 0}};
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_cancel, table[i].directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		lab.worker.now = NOW;
		assert_int_equal(lab_ask(&lab, "example.org", TYPE_A), VERDICT_ANSWERED);
		assert_true(seen.deadline == table[i].below);
		assert_true(seen.of_child == table[i].below);
		lab_finish(&lab);
	}
}

/* A request is used again: it must not keep the limit of the last query. */
static void test_no_limit(void **state)
{
	struct seen seen;
	const struct link links[] = {{&plugin_below, &seen, 0}};
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_cancel, "cancel"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.request->deadline = NOW;
	lab_ask(&lab, "example.org", TYPE_A);
	assert_true(seen.deadline == UINT64_MAX);
	lab_finish(&lab);
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_cancel, "cancel 1s", NULL);
	lab_assert_setup(
		&plugin_cancel, "cancel 1", "Corefile:2 - Error during parsing: invalid duration: \"1\"");
	lab_assert_setup(&plugin_cancel, "cancel 0s",
		"Corefile:2 - Error during parsing: invalid negative duration: \"0s\"");
	lab_assert_setup(&plugin_cancel, "cancel -1s",
		"Corefile:2 - Error during parsing: invalid negative duration: \"-1s\"");
	lab_assert_setup(&plugin_cancel, "cancel 1s 2s",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'2s'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
