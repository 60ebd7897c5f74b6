/* whoami: the client's address and port, by family, transport and class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_whoami;

static void test_answers(void **state)
{
	static const struct {
		const char *client;
		enum transport transport;
		const char *name;
		uint16_t type;
		const char *reply;
	} table[] = {
		{"192.0.2.1", TRANSPORT_UDP, "example.org", TYPE_A,
			"NOERROR aa rd + example.org. 0 A 192.0.2.1; _udp.example.org. 0 SRV 40000 ."},
		{"192.0.2.1", TRANSPORT_TCP, "example.org", TYPE_A,
			"NOERROR aa rd + example.org. 0 A 192.0.2.1; _tcp.example.org. 0 SRV 40000 ."},
		{"2001:db8::7", TRANSPORT_UDP, "example.org", TYPE_A,
			"NOERROR aa rd + example.org. 0 AAAA 2001:db8::7; _udp.example.org. 0 SRV 40000 ."},
		/* Whatever is asked, in the case in which it is asked. */
		{"192.0.2.1", TRANSPORT_UDP, "Example.ORG", TYPE_MX,
			"NOERROR aa rd + Example.ORG. 0 A 192.0.2.1; _udp.Example.ORG. 0 SRV 40000 ."},
		{"192.0.2.1", TRANSPORT_UDP, ".", TYPE_NS,
			"NOERROR aa rd + . 0 A 192.0.2.1; _udp. 0 SRV 40000 ."},
	};
	const struct link subject = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;
		char reply[512];

		assert_true(lab_read(&lab, &plugin_whoami, "whoami"));
		lab_start(&lab, &subject, 1);
		lab.client = table[i].client;
		lab.transport = table[i].transport;
		assert_int_equal(lab_ask(&lab, table[i].name, table[i].type), VERDICT_ANSWERED);
		assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), table[i].reply);
		lab_finish(&lab);
	}
}

static void test_setup(void **state)
{
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_whoami, "whoami\nwhoami"));
	lab_finish(&lab);
	assert_false(lab_read(&lab, &plugin_whoami, "whoami example.org"));
	assert_string_equal(lab.error.message,
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected "
		"line ending after 'example.org'");
	lab_finish(&lab);
	assert_false(lab_read(&lab, &plugin_whoami, "whoami {\n}"));
	assert_string_equal(lab.error.message,
		"Corefile:2 - Error during parsing: Unexpected token '{', expecting argument");
	lab_finish(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
