/* metadata: its syntax; what labels come to is seen in tests/blackbox/test_metadata.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_metadata;

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_metadata, "metadata", NULL);
	lab_assert_setup(&plugin_metadata, "metadata example.org 10.0.0.0/8", NULL);
	lab_assert_setup(&plugin_metadata, "metadata {\n}", NULL);
	lab_assert_setup(&plugin_metadata, "metadata\nmetadata",
		"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'metadata'");
	lab_assert_setup(&plugin_metadata, "metadata {\nanything\n}",
		"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'anything'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
