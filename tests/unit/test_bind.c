/* bind: which addresses a server block gets; and debug, which is as small. The loopback interface has
 * 127.0.0.1 everywhere; what else it has is asked of the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/log.h"

extern const struct plugin plugin_bind, plugin_debug;

static bool binds(const struct lab *lab, const char *address)
{
	for (size_t i = 0; i < lab->bind.count; i++)
		if (strcmp(lab->bind.addresses[i], address) == 0)
			return true;
	return false;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *directive, *addresses;
	} table[] = {
		{"bind 127.0.0.1 ::1", "127.0.0.1 ::1 "},
		{"bind 127.0.0.1\nbind 127.0.0.2", "127.0.0.1 127.0.0.2 "},
		{"bind 10.0.0.1 10.0.0.2 {\nexcept 10.0.0.1\n}", "10.0.0.2 "},
		/* What one directive excludes, another may have. */
		{"bind 10.0.0.1 {\nexcept 10.0.0.1\n}\nbind 10.0.0.1", "10.0.0.1 "},
		{"bind fe80::1%eth0", "fe80::1%eth0 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;
		char all[256] = "";

		assert_true(lab_read(&lab, &plugin_bind, table[i].directive));
		for (size_t k = 0; k < lab.bind.count; k++) {
			strcat(all, lab.bind.addresses[k]);
			strcat(all, " ");
		}
		assert_string_equal(all, table[i].addresses);
		lab_finish(&lab);
	}
}

static void test_interface(void **state)
{
	struct lab lab;
	size_t all;

	(void)state;
	assert_true(lab_read(&lab, &plugin_bind, "bind lo"));
	assert_true(binds(&lab, "127.0.0.1"));
	all = lab.bind.count;
	lab_finish(&lab);

	assert_true(lab_read(&lab, &plugin_bind, "bind lo 127.0.0.2 {\nexcept 127.0.0.1\n}"));
	assert_false(binds(&lab, "127.0.0.1"));
	assert_true(binds(&lab, "127.0.0.2"));
	assert_int_equal(lab.bind.count, all);
	lab_finish(&lab);

	assert_true(lab_read(&lab, &plugin_bind, "bind lo 127.0.0.2 {\nexcept lo\n}"));
	assert_int_equal(lab.bind.count, 1);
	assert_true(binds(&lab, "127.0.0.2"));
	lab_finish(&lab);
}

static void test_refused(void **state)
{
#define PARSING "Error during parsing: "
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"bind", "Corefile:2 - " PARSING "at least one address or interface name is expected"},
		{"bind nosuchinterface0", "Corefile:2 - " PARSING
					  "not a valid IP address or interface name: \"nosuchinterface0\""},
		{"bind 127.0.0.1:53",
			"Corefile:2 - " PARSING "not a valid IP address or interface name: \"127.0.0.1:53\""},
		{"bind lo {\nexcept\n}",
			"Corefile:3 - " PARSING "at least one address or interface must be given to "
			"except subdirective"},
		{"bind lo {\nexcept nosuchinterface0\n}",
			"Corefile:3 - " PARSING "not a valid IP address or interface name: "
			"\"nosuchinterface0\""},
		{"bind 10.0.0.1 {\nexcept 10.0.0.1\n}",
			"Corefile:4 - " PARSING "except leaves no address to listen on"},
		{"bind lo {\nonly 127.0.0.1\n}", "Corefile:3 - " PARSING "unknown property 'only'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_bind, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

static void test_debug(void **state)
{
	struct error error;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_debug, "debug"));
	assert_false(log_is_debug()); /* reading a configuration changes nothing */
	assert_true(plugin_debug.open(lab.config, &error));
	assert_true(log_is_debug());
	log_set_debug(false);
	lab_finish(&lab);

	assert_false(lab_read(&lab, &plugin_debug, "debug on"));
	assert_string_equal(lab.error.message,
		"Corefile:2 - " PARSING "Wrong argument count or unexpected line ending after 'on'");
	lab_finish(&lab);
	assert_false(lab_read(&lab, &plugin_debug, "debug {\n}"));
	assert_string_equal(
		lab.error.message, "Corefile:2 - " PARSING "Unexpected token '{', expecting argument");
	lab_finish(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_debug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
