/* root: where relative file names start, for the plugins that are set up after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_root;

static void test_paths(void **state)
{
	static const struct {
		const char *directive, *path, *result;
	} table[] = {
		{"root /", "hosts", "//hosts"},
		{"root /tmp", "hosts", "/tmp/hosts"},
		{"root /nowhere\nroot /tmp", "hosts", "/tmp/hosts"},
		{"root /tmp", "/etc/hosts", "/etc/hosts"},
		{"root .", "a/hosts", "./a/hosts"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_root, table[i].directive));
		assert_string_equal(setup_path(&lab.setup, table[i].path), table[i].result);
		lab_finish(&lab);
	}
}

/* A folder that is not there may come later. */
static void test_missing(void **state)
{
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	lab_assert_setup(&plugin_root, "root /nowhere/at/all", NULL);
	assert_string_equal(
		capture_end(&capture), "[WARNING] plugin/root: Root path does not exist: /nowhere/at/all\n");
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_root, "root /tmp", NULL);
	lab_assert_setup(&plugin_root, "root",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'root'");
	lab_assert_setup(&plugin_root, "root /tmp /usr",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'/usr'");
	lab_assert_setup(&plugin_root, "root /dev/null/x",
		"Corefile:2 - Error during parsing: unable to access root path '/dev/null/x': Not a "
		"directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
