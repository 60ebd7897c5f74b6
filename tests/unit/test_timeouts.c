/* timeouts, multisocket and reload: what they take, what they refuse, and where the values go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/clock.h"

extern const struct plugin plugin_timeouts, plugin_multisocket, plugin_reload;

#define S	    ((int64_t)CLOCK_S)
#define PLACE(line) "Corefile:" #line " - Error during parsing: "

static void test_values(void **state)
{
	static const struct {
		const char *properties;
		struct timeouts timeouts;
	} table[] = {
		{"read 24h", {.read = 86400 * S}},
		{"write 3", {.write = 3 * S}},
		{"idle 1s", {.idle = S}},
		{"idle 1s\nidle 2m", {.idle = 120 * S}},
		{"maxtcpqueries 7", {.tcp_queries = 7}},
		{"maxtcpqueries -1", {.tcp_queries = 0}},
		{"read 1500ms\nwrite 2s\nidle 3s\nmaxtcpqueries 1",
			{.read = 3 * S / 2, .write = 2 * S, .idle = 3 * S, .tcp_queries = 1}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		char text[256];
		struct lab lab;

		snprintf(text, sizeof(text), "timeouts {\n%s\n}", table[i].properties);
		assert_true(lab_read(&lab, &plugin_timeouts, text));
		assert_memory_equal(&lab.timeouts, &table[i].timeouts, sizeof(lab.timeouts));
		lab_finish(&lab);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"timeouts", PLACE(2) "timeouts block with no timeouts specified"},
		{"timeouts {\n}", PLACE(3) "timeouts block with no timeouts specified"},
		{"timeouts 5s {\nidle 5s\n}", PLACE(2) "Unexpected token '{', expecting argument"},
		{"timeouts {\nidle\n}", PLACE(3) "Wrong argument count"},
		{"timeouts {\nidle 5s 6s\n}", PLACE(3) "Wrong argument count"},
		{"timeouts {\nidle 999ms\n}",
			PLACE(3) "timeout provided '999ms' needs to be between 1 second and 24 hours"},
		{"timeouts {\nidle 0\n}", PLACE(3) "timeout provided '0' needs to be"},
		{"timeouts {\nidle 24h1s\n}", PLACE(3) "timeout provided '24h1s' needs to be"},
		{"timeouts {\nidle 9223372036854775807\n}",
			PLACE(3) "timeout provided '9223372036854775807'"},
		{"timeouts {\nidle soon\n}", PLACE(3) "failed to parse timeout duration 'soon'"},
		{"timeouts {\nmaxtcpqueries 0\n}", PLACE(3) "maxtcpqueries provided '0' needs to be -1"},
		{"timeouts {\nmaxtcpqueries -2\n}", PLACE(3) "maxtcpqueries provided '-2' needs to be -1"},
		{"timeouts {\nmaxtcpqueries many\n}", PLACE(3) "failed to parse maxtcpqueries 'many'"},
		{"timeouts {\nconnect 2s\n}", PLACE(3) "unknown option: 'connect'"},
		{"timeouts {\nidle 2s\n}\ntimeouts {\nidle 2s\n}",
			PLACE(5) "this plugin can only be used once"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_timeouts, table[i].directive));
		if (strncmp(lab.error.message, table[i].message, strlen(table[i].message)) != 0)
			fail_msg("%s: %s", table[i].directive, lab.error.message);
		lab_finish(&lab);
	}
}

static void test_multisocket(void **state)
{
	static const struct {
		const char *directive, *message; /* NULL: it is taken */
	} table[] = {
		{"multisocket", NULL},
		{"multisocket 1", NULL},
		{"multisocket 1024", NULL},
		{"multisocket 1025", "num sockets exceeds maximum (1024): 1025"},
		{"multisocket 0", "num sockets can not be zero or negative: 0"},
		{"multisocket two", "invalid num sockets: two"},
		{"multisocket 1 2", PLACE(2) "Wrong argument count or unexpected line ending after '2'"},
		{"multisocket 2\nmultisocket 2",
			PLACE(3) "Wrong argument count or unexpected line ending after 'multisocket'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_int_equal(lab_read(&lab, &plugin_multisocket, table[i].directive), !table[i].message);
		if (table[i].message)
			assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

static void test_reload(void **state)
{
	static const struct {
		const char *directive, *message; /* NULL: it is taken */
	} table[] = {
		{"reload", NULL},
		{"reload 2s", NULL},
		{"reload 1m 0s", NULL},
		{"reload 10s 1s", NULL},
		{"reload 10s\nreload nonsense", NULL},
		{"reload 10s {\njitter 1s\n}", NULL},
		{"reload 1999ms", "interval value must be greater or equal to 2s"},
		{"reload 30", "time: missing unit in duration \"30\""},
		{"reload 10s 500ms", "jitter value must be 0 or greater or equal to 1s"},
		{"reload 10s soon", "time: invalid duration \"soon\""},
		{"reload 30s 15s 5s", PLACE(2) "Wrong argument count or unexpected line ending after '5s'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_int_equal(lab_read(&lab, &plugin_reload, table[i].directive), !table[i].message);
		if (table[i].message)
			assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_multisocket),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
