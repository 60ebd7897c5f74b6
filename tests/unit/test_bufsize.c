/* bufsize: the size that the plugins below, an upstream and the client see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_bufsize;

/* What stands in the query below, in the struct and on the wire. */
struct seen {
	uint16_t payload, on_wire;
};

static enum verdict serve_below(void *self, struct request *r)
{
	struct seen *seen = self;

	seen->payload = r->edns.present ? r->edns.payload : 0;
	seen->on_wire = r->edns.present ? message_u16(r->wire + r->edns.payload_at) : 0;
	request_reply(r, RCODE_NOERROR, 0);
	for (unsigned i = 0; i < 100; i++) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 5);
	}
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_below = {.name = "below", .serve = serve_below};

static void test_sizes(void **state)
{
	static const struct {
		const char *directive;
		enum transport transport;
		uint16_t payload, seen;
	} table[] = {
		{"bufsize", TRANSPORT_UDP, 4096, 1232},
		{"bufsize", TRANSPORT_UDP, 1232, 1232},
		{"bufsize", TRANSPORT_UDP, 1231, 1231},
		{"bufsize 512", TRANSPORT_UDP, 65535, 512},
		{"bufsize 4096", TRANSPORT_UDP, 1400, 1400},
		{"bufsize 1000", TRANSPORT_UDP, 100, 100},
		{"bufsize 1000", TRANSPORT_UDP, 0, 0},
		{"bufsize 1000", TRANSPORT_TCP, 4096, 1000},
		{"bufsize 1000\nbufsize 600", TRANSPORT_UDP, 4096, 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct seen seen;
		const struct link links[] = {{0}, {&plugin_below, &seen, 0}};
		size_t limit = table[i].seen < 512 ? 512 : table[i].seen;
		const struct writer *w;
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_bufsize, table[i].directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		lab.payload = table[i].payload;
		lab.transport = table[i].transport;
		assert_int_equal(lab_ask(&lab, "example.org", TYPE_A), VERDICT_ANSWERED);
		assert_int_equal(seen.payload, table[i].seen);
		assert_int_equal(seen.on_wire, table[i].seen);
		w = &lab.request->reply;
		if (table[i].transport == TRANSPORT_UDP) /* 100 addresses are more than any of these sizes */
			assert_in_range(w->length, limit - 16, limit);
		else
			assert_int_equal(w->count[SECTION_ANSWER], 100);
		if (table[i].payload) /* the OPT record at the end of the reply */
			assert_int_equal(message_u16(w->wire + w->length - 8), table[i].seen);
		lab_finish(&lab);
	}
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_bufsize, "bufsize 512", NULL);
	lab_assert_setup(&plugin_bufsize, "bufsize 4096", NULL);
	lab_assert_setup(&plugin_bufsize, "bufsize 511",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'511'");
	lab_assert_setup(&plugin_bufsize, "bufsize 4097",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'4097'");
	lab_assert_setup(&plugin_bufsize, "bufsize 1232b",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'1232b'");
	lab_assert_setup(&plugin_bufsize, "bufsize 600 700",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'700'");
	lab_assert_setup(&plugin_bufsize, "bufsize -1",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'-1'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
